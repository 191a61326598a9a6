"""How often Python looks for garbage in circles: its 700 objects took a fifth of a run, and as much of an
import of many modules (docs/log.md).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

RARELY = 50_000
"""Objects made between two collections."""


@contextmanager
def collector_rarer() -> Iterator[None]:
    """Let many more objects be made before the next collection: attempts and modules are made without
    circles, or to stay.
    """
    first, *others = gc.get_threshold()
    gc.set_threshold(first and max(first, RARELY), *others)  # 0: its user wants none
    try:
        yield
    finally:
        gc.set_threshold(first, *others)
