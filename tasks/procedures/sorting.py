"""Sorting: a list in ascending order, by how many passes of bubble sort it takes.

Pass after pass, neighbours in the wrong order change places; the list is sorted after as many passes as the
most larger numbers that stand before any number (Knuth, The Art of Computer Programming 3, 5.2.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from harness.base import Belongs, Drawn
from harness.contracts import Answer, GridCodec, Metric, Puzzle
from tasks.procedures.procedure import Computed, Payload, wrapped

if TYPE_CHECKING:
    import numpy as np

HIGHEST = 250  # a net's vocabulary has a token for each number


@dataclass(frozen=True, kw_only=True)
class Sorting(Computed):
    """Sort a list that takes bubble sort exactly `steps` passes.

    length: how many numbers, all different, from 1 to 250. Verdict number `constraints`: the share of places
    that hold the right number.
    """

    steps: int = 8
    train_steps: int = 8
    length: int = 24

    name = "sorting"
    noun = "place"
    metrics = (Metric(name="solved"), Metric(name="constraints", number="constraints"))

    def __post_init__(self) -> None:
        self.check_dial("length", 4, HIGHEST, "all numbers differ")
        self.check_steps(self.length - 1, f"{self.length} numbers need no more passes")

    @property
    def family(self) -> str:
        return f"{self.name}-{self.length}"

    @cached_property
    def grid(self) -> GridCodec:
        from tasks.procedures.grid import AlignedGrid

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
        numbers = list(payload["numbers"])
        moved = True
        while moved:
            moved = False
            for i in range(len(numbers) - 1):
                if numbers[i] > numbers[i + 1]:
                    numbers[i], numbers[i + 1], moved = numbers[i + 1], numbers[i], True
        return numbers

    def allowed(self, payload: Payload) -> list[int]:
        return sorted(payload["numbers"])

    def asked(self, payload: Payload) -> int:
        return len(payload["numbers"])

    def rule_of(self, payload: Payload, index: int) -> str:
        return f"not the number that {index} others are smaller than"

    def prompt(self, puzzle: Puzzle) -> str:
        numbers = puzzle.payload["numbers"]
        return (
            f"Sort these {len(numbers)} numbers in ascending order.\n\n{' '.join(map(str, numbers))}\n\nGive "
            "all of them, the smallest first, separated by blanks, on one line inside a fenced block marked "
            "answer. For the numbers 30 4 11 it would be\n```answer\n4 11 30\n```"
        )

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Put the numbers in a random order."""
        found: list[int] = rng.permutation(puzzle.payload["numbers"]).tolist()
        return found

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Make one pass and stop."""
        numbers = list(puzzle.payload["numbers"])
        for i in range(len(numbers) - 1):
            if numbers[i] > numbers[i + 1]:
                numbers[i], numbers[i + 1] = numbers[i + 1], numbers[i]
        return numbers

    def drawing(self, payload: Payload) -> str:
        return wrapped(payload["numbers"], "sort: ")
