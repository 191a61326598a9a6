"""`compiled`: numba's njit where numba is installed, else the plain function: the same results, about a hundred times slower."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a loop over numpy arrays to machine code at its first call and keep the result on disk."""
    try:
        from numba import njit
    except ImportError:  # a bare GPU machine
        return function
    return cast(F, njit(cache=True)(function))
