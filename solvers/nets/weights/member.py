"""From the name of a net, as weights files and recipes have it, to its solver class and its configuration."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import ClassVar, Protocol

from harness import registry
from harness.errors import UserError, did_you_mean
from solvers.nets.model.config import NetConfig


class Member(Protocol):
    """A solver class as far as its weights go: the net's name, and what makes its configuration."""

    net: ClassVar[str]
    configure: ClassVar[Callable[..., NetConfig]]


def find_member(net: str, given: type[Member] | None = None) -> type[Member]:
    """Return the solver class of a net: the given one if it is of that name, else what is registered."""
    if given is not None and given.net == net:
        return given
    if net not in registry.names("solver"):
        known = [given.net] if given is not None else []
        raise UserError(
            f"Unknown net {net!r}.",
            rule=did_you_mean(net, [*registry.names("solver"), *known]),
            next_step="Install the package that brings it, or name its file: --solver FILE.py:CLASS.",
        )
    found: type[Member] = registry.find("solver", net)
    if not hasattr(found, "configure"):
        raise UserError(f"The solver {net!r} is no net.", next_step="Choose a net: `bench list recipes`.")
    return found


def config_of(
    net: str, given: type[Member] | None = None
) -> tuple[Callable[..., NetConfig], type[NetConfig]]:
    """Return what makes a net's configuration from its fields, and the class of that configuration."""
    make = find_member(net, given).configure
    return make, make if isinstance(make, type) else typing.get_type_hints(make)["return"]
