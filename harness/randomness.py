"""Every random choice comes from a hash of what it is for: neighbouring seeds share nothing, item 7 never
depends on item 6.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def seed_of(*parts: str | int) -> int:
    """Hash e.g. (task, version, split, seed, index) to a 128-bit seed; parts are length-prefixed, so they
    cannot run together.
    """
    text = "".join(f"{len(str(p))}:{p}," for p in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def generator(*parts: str | int) -> np.random.Generator:
    """Return a PCG64 generator seeded by `seed_of(*parts)`."""
    import numpy as np

    return np.random.Generator(np.random.PCG64(seed_of(*parts)))
