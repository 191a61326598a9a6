"""The normal form of an answer: what is judged is what is recorded, so judging it again gives the same.

An answer is a JSON value. Tuples, other sequences and arrays of any library become lists, numbers that are
whole become whole numbers (1.0 is 1), keys become text; what JSON cannot hold is no answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.contracts import Answer

DEEPEST = 100
"""Levels of nesting that an answer may have; deeper ones, and those that hold themselves, are refused."""
SMALL = 1 << 62
INTS = frozenset({int})
LONGEST = 14_000  # bits of a whole number: Python writes at most 4,300 digits


def normal(answer: Any) -> Answer:
    """Return an answer in its normal form. Raises ValueError, saying why, for what cannot be an answer."""
    return _normal(answer, whole=True, level=0)


def json_value(value: Any) -> Any:
    """Return a JSON value of ours as JSON holds it: arrays become lists, numbers stay as they are.

    Raises ValueError for what JSON cannot hold.
    """
    return _normal(value, whole=False, level=0)


def same(one: Answer, other: Answer) -> bool:
    """Say whether two answers in normal form are written alike: true is not 1."""
    return bool(one == other) and repr(one) == repr(other)


def _normal(value: Any, *, whole: bool, level: int) -> Any:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is int and -SMALL < value < SMALL:
        return value
    if kind is float and math.isfinite(value):
        return int(value) if whole and value.is_integer() else value
    if level > DEEPEST:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels")
    if kind is list:  # as nearly all answers are, most of small whole numbers
        if set(map(type, value)) == INTS and min(value) > -SMALL and max(value) < SMALL:
            return value[:]
        return [_normal(item, whole=whole, level=level + 1) for item in value]
    if isinstance(value, int):
        if value.bit_length() > LONGEST:
            raise ValueError("it holds a whole number of more than 4,200 digits")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"it holds {float(value)}, which is not JSON")
        return int(value) if whole and value.is_integer() else float(value)
    if isinstance(value, str):
        return str.__str__(value)
    if kind is dict or isinstance(value, Mapping):
        found = {
            key if type(key) is str else _key(key): _normal(of, whole=whole, level=level + 1)
            for key, of in value.items()
        }
        if len(found) < len(value):
            raise ValueError("two of its keys are the same text")
        return found
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_normal(item, whole=whole, level=level + 1) for item in value]
    if callable(as_list := getattr(value, "tolist", None)) and not isinstance(value, memoryview):
        try:
            found = as_list()  # an array or a number of numpy, torch, …
        except Exception as error:
            raise ValueError(f"its {kind.__name__} cannot be made a list: {error}") from error
        return _normal(found, whole=whole, level=level + 1)
    raise ValueError(f"it holds {kind.__name__} {_shown(value)}, which is not JSON")


def _key(key: Any) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    plain = _normal(key, whole=True, level=DEEPEST)
    if type(plain) is not int:
        raise ValueError(f"it has the key {_shown(key)}, which is no text")
    return str(plain)


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # whatever a foreign object raises
        return "that cannot be shown"
    return text if len(text) <= 200 else text[:200] + "…"
