"""Prefix sums modulo m: the running total of a row of numbers, trained on short rows, tested on long ones.

With m = 2 it is the task on which recurrent nets were first seen to think longer than they were trained
(Schwarzschild et al. 2021, arXiv 2106.04537; Bansal et al. 2022, arXiv 2202.05826: 32 bits in training, 512
in the test). One number after the other takes k steps; in parallel log2(k) are enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from harness.base import Belongs, Drawn
from harness.contracts import Answer, GridCodec, Metric, Puzzle
from tasks.procedures.procedure import Computed, Payload, telling, wrapped

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class PrefixSums(Computed):
    """Say all running totals, modulo `modulus`, of `steps` numbers.

    Verdict number `constraints`: the share of right totals.
    """

    modulus: int = 2  # sums are taken modulo this number
    steps: int = 64
    train_steps: int = 32

    name = "prefix-sums"
    noun = "total"
    least = 8
    metrics = (Metric(name="solved"), Metric(name="constraints", number="constraints"))

    def __post_init__(self) -> None:
        self.check_dial("modulus", 2, 250, "a net's vocabulary has a token for each number")
        self.check_steps(900, "a net's canvas has 900 cells at most")

    @property
    def family(self) -> str:
        return f"{self.name}-{self.modulus}"

    @property
    def chance(self) -> float:
        return float(self.modulus) ** -self.steps

    def space(self, split: str) -> int | None:
        steps = self.steps if split == "test" else self.train_steps
        return self.modulus**steps if steps < telling(self.modulus) else None

    @cached_property
    def grid(self) -> GridCodec:
        from tasks.procedures.grid import AlignedGrid

        return AlignedGrid(range(self.modulus), self.most_steps, lambda puzzle: puzzle.payload["numbers"])

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        numbers = rng.integers(0, self.modulus, self.steps_of(rng, split)).tolist()
        identity = f"{self.modulus}:{numbers[: telling(self.modulus)]}"
        if not belongs(identity):
            return None
        payload = {"numbers": numbers}
        return Drawn(
            identity=identity,
            payload=payload,
            answers=(self.values(payload),),
            difficulty=float(len(numbers)),
        )

    def values(self, payload: Payload) -> list[int]:
        return list(accumulate(payload["numbers"], lambda total, number: (total + number) % self.modulus))

    def allowed(self, payload: Payload) -> range:
        return range(self.modulus)

    def asked(self, payload: Payload) -> int:
        return len(payload["numbers"])

    def rule_of(self, payload: Payload, index: int) -> str:
        return f"not the sum of the first {index + 1} numbers modulo {self.modulus}"

    def prompt(self, puzzle: Puzzle) -> str:
        numbers = puzzle.payload["numbers"]
        top = self.modulus - 1
        return (
            f"Here are {len(numbers)} numbers from 0 to {top}. Total i is the sum of the first i of them, "
            f"modulo {self.modulus}.\n\n{' '.join(map(str, numbers))}\n\nGive all {len(numbers)} totals in "
            "their order, separated by blanks, on one line inside a fenced block marked answer. For the "
            f"numbers {top} 1 0 it would be\n```answer\n{top} 0 0\n```"
        )

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Add only the number before, as if the totals began anew at every place."""
        numbers = puzzle.payload["numbers"]
        pairs = pairwise(numbers)
        return [numbers[0], *((a + b) % self.modulus for a, b in pairs)]

    def drawing(self, payload: Payload) -> str:
        return wrapped(payload["numbers"], f"totals modulo {self.modulus} of: ")
