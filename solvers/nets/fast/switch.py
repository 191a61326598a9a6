"""The switch for faster ways to compute the same: fused.py on a GPU, packed.py and onednn.py on a CPU.

It is off, so that a net by itself gives what the published code gives, to the bit on the same machine. The
training loop and the inference engine turn it on; their sums come in another order.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_on: ContextVar[bool] = ContextVar("faster", default=False)


def allowed() -> bool:
    """Say whether the faster ways may be taken."""
    return _on.get()


@contextmanager
def faster(on: bool = True) -> Iterator[None]:
    """Allow them, or forbid them, inside the block."""
    before = _on.set(on)
    try:
        yield
    finally:
        _on.reset(before)
