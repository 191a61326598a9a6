"""`compiled`: numba's njit where numba is installed, else the plain function: the same results, about a
hundred times slower.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])
SLOW_IMPORTS = ("numba",)
"""What a task that loads by compiled functions gives as its `slow_imports`."""


def compiled(signature: str) -> Callable[[F], F]:
    """Compile a loop over numpy arrays to machine code when its module is imported, and keep the result on
    disk.

    `signature` is numba's: `i1` int8, `i8` int64, `f8` float64, `b1` bool, `[::1]` a contiguous axis. With
    one signature a function has one file in the cache, so that two processes that start at once write the
    same to it, never each other's.
    """
    try:
        from numba import njit
    except ImportError:  # a bare GPU machine
        return lambda function: function

    def compile_it(function: F) -> F:
        try:
            return cast(F, njit(signature, cache=True)(function))
        except (RuntimeError, OSError):  # nowhere to keep the result: a read-only install, and no home
            return cast(F, njit(signature)(function))

    return compile_it
