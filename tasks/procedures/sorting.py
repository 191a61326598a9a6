"""Sorting: a list in ascending order, by how many passes of bubble sort it takes.

Pass after pass, neighbours in the wrong order change places; the list is sorted after as many passes as the
most larger numbers that stand before any number (Knuth, The Art of Computer Programming 3, 5.2.2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness import own
from harness.base import Belongs, Drawn
from harness.contracts import Answer, GridCodec, Metric, Puzzle
from tasks.procedures.procedure import Computed, Payload, wrapped
from tasks.shared.forms import json_value
from tasks.shared.text_answers import AnswerForm

if TYPE_CHECKING:
    import numpy as np

LONGEST = 1_000  # numbers of a list of the user's own
DECIMAL = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?")
HIGHEST = 250  # a net's vocabulary has a token for each number


@dataclass(frozen=True, kw_only=True)
class Sorting(Computed):
    """Sort a list that takes bubble sort exactly `steps` passes.

    length: how many numbers, all different, from 1 to 250. The payload is {"numbers": […]}; in a file they
    may be any numbers, also decimal, and "descending": true turns the order round. Nets have tokens for whole
    numbers from 1 to 250 in ascending order. Verdict number `constraints`: the share of places that hold the
    right number.
    """

    steps: int = 8
    train_steps: int = 8
    length: int = 24

    name = "sorting"
    noun = "place"
    kinds = (int, float)
    metrics = (Metric(name="solved"), Metric(name="constraints", number="constraints"))

    def __post_init__(self) -> None:
        if self.file is not None:
            object.__setattr__(self, "length", max(own.measured(self.file, _length)))
            object.__setattr__(self, "steps", self.length - 1 or 1)
            return
        self.check_dial("length", 4, HIGHEST, "all numbers differ")
        self.check_steps(self.length - 1, f"{self.length} numbers need no more passes")

    @property
    def family(self) -> str:
        return f"{self.name}-{self.length}"

    @cached_property
    def grid(self) -> GridCodec | None:
        from tasks.procedures.grid import AlignedGrid

        if self.file is not None and not all(own.measured(self.file, _has_tokens)):
            return None

        return AlignedGrid(range(1, HIGHEST + 1), self.length, lambda puzzle: puzzle.payload["numbers"])

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        passes = self.steps_of(rng, split)
        numbers = sorted(rng.choice(HIGHEST, self.length, replace=False).tolist())
        # number i, from the smallest, gets `before[i]` larger ones before it: any such table is one list
        before = [int(rng.integers(0, min(passes, self.length - 1 - i) + 1)) for i in range(self.length)]
        before[int(rng.integers(0, self.length - passes))] = passes
        drawn: list[int] = []
        for number, larger in zip(reversed(numbers), reversed(before), strict=True):
            drawn.insert(larger, number + 1)
        identity = f"{drawn}"
        if not belongs(identity):
            return None
        return Drawn(
            identity=identity,
            payload={"numbers": drawn},
            answers=(sorted(drawn),),
            difficulty=float(passes),
        )

    def values(self, payload: Payload) -> list[int]:
        """Sort pass by pass."""
        numbers, last = list(payload["numbers"]), -1 if payload.get("descending") else 1
        moved = True
        while moved:
            moved = False
            for i in range(len(numbers) - 1):
                if last * numbers[i] > last * numbers[i + 1]:
                    numbers[i], numbers[i + 1], moved = numbers[i + 1], numbers[i], True
        return numbers

    def allowed(self, payload: Payload) -> list[int]:
        return sorted(payload["numbers"])

    def asked(self, payload: Payload) -> int:
        return len(payload["numbers"])

    def rule_of(self, payload: Payload, index: int) -> str:
        way = "greater" if payload.get("descending") else "smaller"
        return f"not the number that {index} others are {way} than"

    def prompt(self, puzzle: Puzzle) -> str:
        numbers, down = puzzle.payload["numbers"], bool(puzzle.payload.get("descending"))
        example = "30 11 4" if down else "4 11 30"
        return (
            f"Sort these {len(numbers)} numbers in {'de' if down else 'a'}scending order."
            f"\n\n{' '.join(map(str, numbers))}\n\nGive "
            f"all of them, the {'largest' if down else 'smallest'} first, separated by blanks, on one line "
            "inside a fenced block marked "
            f"answer. For the numbers 30 4 11 it would be\n```answer\n{example}\n```"
        )

    def form(self, payload: Payload) -> AnswerForm:
        """Whole numbers in a row; where some are decimal, a JSON list of numbers, quoted or not."""
        if _has_tokens(payload):
            return super().form(payload)
        count = len(payload["numbers"])

        def shape(value: Any) -> Answer | None:
            found = [_number(part) for part in value] if isinstance(value, list) else []
            return found if len(found) == count and None not in found else None

        return json_value(f"list of {count} numbers", shape)

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Put the numbers in a random order."""
        numbers = puzzle.payload["numbers"]
        return [numbers[i] for i in rng.permutation(len(numbers)).tolist()]

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Make one pass and stop."""
        numbers, last = list(puzzle.payload["numbers"]), -1 if puzzle.payload.get("descending") else 1
        for i in range(len(numbers) - 1):
            if last * numbers[i] > last * numbers[i + 1]:
                numbers[i], numbers[i + 1] = numbers[i + 1], numbers[i]
        return numbers

    def drawing(self, payload: Payload) -> str:
        return wrapped(payload["numbers"], "sort down: " if payload.get("descending") else "sort: ")


def _length(payload: Payload) -> int:
    """Return how many numbers a list has. Raises ValueError for what is none."""
    numbers = payload["numbers"]
    if not isinstance(numbers, list) or not 1 <= len(numbers) <= LONGEST:
        raise ValueError(f"numbers is no list of 1 to {LONGEST} numbers")
    if strange := [number for number in numbers if type(number) not in (int, float)]:
        raise ValueError(f"{str(strange[0])[:40]} is no number")
    if type(payload.get("descending", False)) is not bool:
        raise ValueError("descending is neither true nor false")
    return len(numbers)


def _has_tokens(payload: Payload) -> bool:
    """Say whether a list is of numbers that the generator could draw, in its order."""
    known = all(type(number) is int and 1 <= number <= HIGHEST for number in payload["numbers"])
    return known and not payload.get("descending")


def _number(value: Any) -> float | None:
    """Return a number as it is, and one in quotes as a number."""
    if isinstance(value, str) and DECIMAL.fullmatch(value.strip()):
        value = float(value)
    return value if type(value) in (int, float) else None
