"""What all renamed copies of a structure share: colour refinement (Weisfeiler and Leman) of its parts.

Copies always get the same identity; two different structures may, rarely, share one too, which only puts
them into the same split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

ROUNDS = 3  # enough to tell random structures apart


def refined(colours: Sequence[int], look: Callable[[int, Sequence[int]], Any]) -> str:
    """Return the identity of a structure of parts 0..n-1.

    colours: what tells the parts apart at first. look: describe a part by the colours of those it is tied to,
    as numbers, lists and tuples that do not depend on the parts' own numbers and can be compared.
    """
    kinds, seen = len(set(colours)), hashlib.blake2b(digest_size=16)
    for _ in range(ROUNDS):
        descriptions = [repr((colours[i], look(i, colours))) for i in range(len(colours))]
        names = {description: name for name, description in enumerate(sorted(set(descriptions)))}
        seen.update("\n".join(sorted(descriptions)).encode())
        if len(names) == kinds:  # no finer than before
            break
        colours, kinds = [names[description] for description in descriptions], len(names)
    return seen.hexdigest()
