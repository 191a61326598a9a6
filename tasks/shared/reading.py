"""Read answers that are lists of whole numbers, whatever they are: a reason where they are not.

Nothing is looked at beyond the lengths that are allowed, so a huge answer costs no more than a right one.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.contracts import Answer


def whole(value: object) -> int | None:
    """Return a whole number as an int (also 3.0, as files write it), None for anything else."""
    if type(value) is int:
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else None


def read_numbers(answer: Answer, count: int, low: int, high: int, *, where: str = "") -> list[int] | str:
    """Return `count` whole numbers from `low` to `high`, or why the answer is not that."""
    at = f"{where}: " if where else ""
    if not isinstance(answer, list):
        return f"{at}{shown(answer)} is no list of {count} numbers"
    if len(answer) != count:
        return f"{at}{len(answer)} values, not {count}"
    found = []
    for place, value in enumerate(answer, start=1):
        number = whole(value)
        if number is None or not low <= number <= high:
            return f"{at}value {place} is {shown(value)}, no whole number from {low} to {high}"
        found.append(number)
    return found


def read_rows(answer: Answer, height: int, width: int, low: int, high: int) -> list[list[int]] | str:
    """Return `height` rows of `width` whole numbers from `low` to `high`, or why the answer is not that."""
    if not isinstance(answer, list):
        return f"{shown(answer)} is no list of {height} rows"
    if len(answer) != height:
        return f"{len(answer)} rows, not {height}"
    rows = []
    for r, row in enumerate(answer, start=1):
        read = read_numbers(row, width, low, high, where=f"row {r}")
        if isinstance(read, str):
            return read
        rows.append(read)
    return rows


def read_words(answer: Answer, count: int, known: Sequence[str], *, where: str = "") -> list[str] | str:
    """Return `count` words of those known, or why the answer is not that."""
    at = f"{where}: " if where else ""
    if not isinstance(answer, list):
        return f"{at}{shown(answer)} is no list of {count} words"
    if len(answer) != count:
        return f"{at}{len(answer)} values, not {count}"
    for place, word in enumerate(answer, start=1):
        if not isinstance(word, str) or word not in known:
            return f"{at}value {place} is {shown(word)}, none of {', '.join(known)}"
    return list(answer)


def shown(value: object) -> str:
    """Return a value as a message may show it: short, whatever it is."""
    if isinstance(value, str):
        return repr(value[:40]) + "…" * (len(value) > 40)
    if isinstance(value, list | tuple | dict):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, int) and abs(value) >= 10**18:
        return "a number of more than 18 digits"
    return repr(value)[:40]
