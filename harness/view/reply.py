"""Where in a reply its answer stands: the shortest passage near its end that the task reads as that answer.

Tasks say what they read and not where. So they are asked again about parts of the reply: what is marked is a
passage that, alone, is read as the very answer that was judged.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.contracts import Answer, Unparsed
from harness.records.normal import normal, same

LONGEST = 100_000  # characters; of a longer reply only so many at its end are looked through
Read = Callable[[str], Answer | Unparsed]


def passage(reply: str, wanted: Answer, read: Read) -> tuple[int, int] | None:
    """Return (start, end) of the passage, None where the reply is not read as this answer."""

    def says(text: str) -> bool:
        try:
            found = read(text)
            return not isinstance(found, Unparsed) and same(normal(found), wanted)
        except Exception:  # a task that cannot read a part of a reply does not find its answer there
            return False

    offset = max(0, len(reply) - LONGEST)
    tail = reply[offset:]
    if not says(tail):
        return None
    start = _last(lambda place: says(tail[place:]), 0, len(tail))
    end = len(tail) - _last(lambda cut: says(tail[start : len(tail) - cut]), 0, len(tail) - start)
    bare = tail[start:end].strip()
    if says(bare):
        start += tail[start:end].index(bare)
        end = start + len(bare)
    return offset + start, offset + end


def _last(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Return a place at which `holds` is true and is false right after, by halving; it is true at `low`."""
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low
