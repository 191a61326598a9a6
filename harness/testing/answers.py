"""Answers to try on a judge: garbage, and reference answers changed in one place."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from harness.contracts import Answer, Puzzle

if TYPE_CHECKING:
    import numpy as np

HUGE = 10**400
"""A whole number that no float can be."""

GARBAGE: tuple[Any, ...] = (
    None, 0, 10**30, -1.5, 1e300, True, "", "garbage", "0", [], [[]], [None], [[None]], [["x", 1]], [[[1]]],
    [1, [2]], [{}], {}, {"answer": 1}, {"": None}, [0] * 1000, [[0] * 40] * 40, ["", ""], ["\u00e9" * 9],
    HUGE, [HUGE], [[HUGE]],
)  # fmt: skip


def mutations(answer: Answer, rng: np.random.Generator, n: int) -> Iterator[Answer]:
    """Yield n answers that differ from one in one or a few places: swapped, changed, dropped, doubled."""
    for _ in range(n):
        mutant = copy.deepcopy(answer)
        for _ in range(int(rng.integers(1, 3))):
            mutant = _mutated(mutant, rng)
        yield mutant


def _mutated(value: Any, rng: np.random.Generator) -> Any:
    if isinstance(value, list):
        if not value:
            return [0]
        i, j = (int(k) for k in rng.integers(0, len(value), 2))
        how = int(rng.integers(0, 8))
        if how == 0:
            value[i], value[j] = value[j], value[i]
        elif how == 1:
            del value[i]
        elif how == 2:
            value.insert(j, copy.deepcopy(value[i]))
        elif how == 3:
            value[i] = copy.deepcopy(value[j])
        else:
            value[i] = _mutated(value[i], rng)
        return value
    if isinstance(value, dict):
        if not value:
            return {"x": 0}
        names = sorted(value, key=str)
        i, j = (names[int(k)] for k in rng.integers(0, len(names), 2))
        how = int(rng.integers(0, 6))
        if how == 0:
            value[i], value[j] = value[j], value[i]
        elif how == 1:
            del value[i]
        elif how == 2:
            value[f"{i}x"] = copy.deepcopy(value[j])
        else:
            value[i] = _mutated(value[i], rng)
        return value
    if isinstance(value, str):
        if not value or rng.random() < 0.1:
            return value + "x"
        i, j = (int(k) for k in rng.integers(0, len(value), 2))
        return value[:i] + (value[j] if value[j] != value[i] else "0") + value[i + 1 :]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return [value + 1, value - 1, -value - 1, value + 10, 10**12, HUGE, str(value), None][
            int(rng.integers(0, 8))
        ]
    if isinstance(value, float):
        return [value + 1.0, value * 1.1 + 0.1, -value - 1.0, 1e300, HUGE][int(rng.integers(0, 5))]
    return 0


def other_sizes(answer: Answer) -> Iterator[Answer]:
    """Yield the answer one element shorter and one longer, at its top and inside."""
    if not isinstance(answer, list) or len(answer) < 2:
        return
    yield answer[:-1]
    yield [*answer, answer[-1]]
    if all(isinstance(row, list | str) and len(row) > 1 for row in answer):
        yield [row[:-1] for row in answer]
        yield [row + row[-1:] for row in answer]


def shape(answer: Answer) -> Any:
    """Return the lengths of an answer and of what stands in it."""
    if isinstance(answer, list):
        return len(answer), tuple(shape(part) for part in answer if isinstance(part, list | str | dict))
    if isinstance(answer, dict):
        return tuple(sorted(answer))
    return len(answer) if isinstance(answer, str) else None


def size(answer: Answer) -> int:
    """Return how many values an answer has in all; a character of a row counts as one."""
    if isinstance(answer, list | str):
        return sum(size(part) if isinstance(part, list | str) and len(part) != 1 else 1 for part in answer)
    return 1


Writer = Callable[[Puzzle, Answer], "str | Iterator[str]"]


def usual_ways(_: Puzzle, answer: Answer) -> Iterator[str]:
    """Yield the ways to write an answer that a task most likely reads."""
    yield json.dumps(answer)
    yield str(answer)
    if isinstance(answer, list):
        flat = [" ".join(map(str, row)) if isinstance(row, list) else str(row) for row in answer]
        tight = ["".join(map(str, row)) if isinstance(row, list) else str(row) for row in answer]
        yield "\n".join(tight)
        yield "\n".join(tight).replace(" ", ".")
        yield "\n".join(flat)
        yield " ".join(flat)
        yield ", ".join(flat)
    if isinstance(answer, dict):
        yield "\n".join(f"{name}: {value}" for name, value in answer.items())
