"""Faster ways to apply a level, installed from above: a net by itself takes none of them.

So a net by itself gives what the published code gives, to the bit on the same machine; training and inference
install what `solvers.nets.fast` has, whose sums come in another order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from torch import Tensor

from solvers.nets.model.layers import Level


class Kind(Protocol):
    """A way to stand in for a level on some latents."""

    GRADIENTS: bool  # whether it has gradients

    def usable(self, level: Level, z_BSD: Tensor) -> bool: ...

    def StandIn(self, level: Level) -> Callable[..., Tensor]: ...  # noqa: N802  a class


_installed: ContextVar[tuple[Kind, ...]] = ContextVar("stand-ins", default=())


def installed() -> tuple[Kind, ...]:
    """Return the ways that may be taken here and now, by this thread."""
    return _installed.get()


@contextmanager
def install(kinds: tuple[Kind, ...]) -> Iterator[None]:
    """Allow these ways inside the block."""
    before = _installed.set(kinds)
    try:
        yield
    finally:
        _installed.reset(before)
