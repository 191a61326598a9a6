"""JSON out of replies: found and read in linear time, bounded in depth and size, nothing repaired.

Python's own reader takes NaN, 1e400 and the same key twice, and fails on deep nesting in ways of its own;
what a model wrote must be read by the strict grammar or not at all.
"""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Iterator
from typing import Any

DEEPEST = 4  # containers within containers
LONGEST = 500_000  # characters of one value
MOST_SPANS = 1000  # from the end
STRING = r'"(?:[^"\\\n]++|\\.)*+"'


def span_pattern(depth: int = DEEPEST) -> str:
    """Match from a bracket to its partner, strings skipped: whatever may be a JSON list or object.

    Linear: a start that fails has scanned no further than to the bracket that is nested too deep, so no
    character is scanned by more than `depth` starts.
    """
    rest = ""
    for _ in range(depth):
        deeper = rf"|[\[{{]{rest}" if rest else ""
        rest = rf"(?:[^\[\]{{}}\"]++|{STRING}{deeper})*+[\]}}]"
    # not a part of a longer list that is cut or broken (asked after the bracket, which is sought fast)
    return rf"[\[{{](?<!\[.)(?<!\[\s.){rest}(?!\s*+\])"


SPAN = re.compile(span_pattern(), re.DOTALL)


class _RefusedError(ValueError):
    """JSON in form, but with a part that we do not take."""


def read_json(text: str) -> Any:
    """Return the value a text holds and nothing else. Raise ValueError for anything that is not strict JSON,
    for a number that no float holds, a key given twice, or what is too deep or too long.
    """
    text = text.strip()
    if len(text) > LONGEST:
        raise _RefusedError("too long")
    if text[:1] in ("[", "{") and not SPAN.fullmatch(text):
        raise _RefusedError("too deep, or brackets that do not match")
    return json.loads(
        text, parse_constant=_refuse, parse_float=_finite, parse_int=_whole, object_pairs_hook=_unique
    )


def last_values(text: str) -> Iterator[Any]:
    """Yield the lists and objects that stand in a text, the last first.

    A list inside a list is part of it, never a value by itself; inside brackets that are no JSON
    ("[Final answer: [1, 2]]") it is one.
    """
    yield from _last_values(text, 0, len(text))


def _last_values(text: str, start: int, end: int) -> Iterator[Any]:
    for match in reversed(deque(SPAN.finditer(text, start, end), maxlen=MOST_SPANS)):
        try:
            value = read_json(match[0])
        except _RefusedError:
            continue
        except ValueError:
            yield from _last_values(text, match.start() + 1, match.end() - 1)
            continue
        yield value


def _refuse(constant: str) -> Any:
    raise _RefusedError(constant)


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise _RefusedError(text[:20])
    return value


def _whole(text: str) -> int:
    if len(text) > 300:
        raise _RefusedError("a number of more than 300 digits")
    return int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _RefusedError("a key stands twice")
    return found
