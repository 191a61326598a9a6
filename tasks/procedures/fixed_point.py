"""Iterative numerical procedures in exact fixed-point arithmetic: Newton's method and gradient descent.

All numbers are whole thousandths and every division is rounded down, so that each value on the way is known
exactly and no rounding of a processor decides a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from harness.base import Belongs, Drawn
from harness.contracts import Answer, GridCodec, Metric, Puzzle
from harness.errors import UserError, did_you_mean
from tasks.procedures.procedure import Computed, Payload, wrapped

if TYPE_CHECKING:
    import numpy as np

DIGITS = 6
LIMIT = 10**DIGITS  # all numbers are below
MOST = {"newton": 16, "descent": 128}  # with more steps hardly any start goes on changing


def step(method: str, x: int, given: int, rate: int) -> int:
    """Do one iteration; x and `given` in thousandths, `rate` in hundredths.

    newton: the square root of `given`, x ← (x + given / x) / 2. descent: the least of (x - given)² / 2, whose
    derivative is x - given: x ← x - rate · (x - given).
    """
    if method == "newton":
        return (x + given * 1000 // x) // 2
    return x - rate * (x - given) // 100


@dataclass(frozen=True, kw_only=True)
class FixedPoint(Computed):
    """Carry out `steps` iterations of Newton's method or of gradient descent, exactly.

    method: newton (a square root) or descent (a parabola). Every iteration changes the number. Verdict
    numbers: `last`, the last number is right, which is the headline; `constraints`, the share of right ones.
    """

    method: Literal["newton", "descent"] = "newton"
    steps: int = 8
    train_steps: int = 8

    name = "fixed-point"
    noun = "number"
    metrics = (
        Metric(name="last", number="last"),
        Metric(name="solved"),
        Metric(name="constraints", number="constraints"),
    )

    def __post_init__(self) -> None:
        if self.method not in MOST:
            raise UserError(f"No method {self.method!r}.", rule=did_you_mean(self.method, MOST))
        self.check_steps(MOST[self.method], f"later iterations of {self.method} change nothing any more")

    @property
    def family(self) -> str:
        return f"{self.name}-{self.method}"

    @cached_property
    def grid(self) -> GridCodec:
        from tasks.procedures.grid import DigitGrid

        def read(puzzle: Puzzle) -> list[int]:
            return [puzzle.payload[name] for name in ("given", "rate", "start")]

        return DigitGrid(DIGITS, 3, self.most_steps, read, lambda puzzle: puzzle.payload["steps"])

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        steps = self.steps_of(rng, split)
        if self.method == "newton":  # all orders of magnitude alike
            given, rate = int(10 ** rng.uniform(0, DIGITS)), 0
            start = int(10 ** rng.uniform(3, DIGITS))
        else:
            start, rate = int(rng.integers(LIMIT // 2, LIMIT)), int(rng.integers(2, 41))
            given = int(rng.integers(0, LIMIT // 2))
        identity = f"{self.method}:{given}:{rate}"
        if not belongs(identity):
            return None
        payload = {"given": given, "rate": rate, "start": start, "steps": steps}
        values = self.values(payload)
        if any(a <= b for a, b in zip([start, *values], values, strict=False)):
            return None
        return Drawn(identity=identity, payload=payload, answers=(values,), difficulty=float(steps))

    def values(self, payload: Payload) -> list[int]:
        found: list[int] = []
        x: int = payload["start"]
        for _ in range(payload["steps"]):
            x = step(self.method, x, payload["given"], payload["rate"])
            found.append(x)
        return found

    def allowed(self, payload: Payload) -> range:
        return range(LIMIT)

    def asked(self, payload: Payload) -> int:
        steps: int = payload["steps"]
        return steps

    def rule_of(self, payload: Payload, index: int) -> str:
        return f"not what iteration {index + 1} of the rule gives"

    def prompt(self, puzzle: Puzzle) -> str:
        given, rate, x, steps = (puzzle.payload[name] for name in ("given", "rate", "start", "steps"))
        if self.method == "newton":
            rule = (
                f"This is Newton's method for the square root of {given} thousandths, in whole thousandths. "
                f"Start with x = {x}. In each iteration compute q = {given}000 / x, rounded down to a whole "
                "number; the new x is (x + q) / 2, rounded down to a whole number."
            )
        else:
            rule = (
                f"This is gradient descent to the least of (x - {given})² / 2, in whole thousandths. Start "
                f"with x = {x}. In each iteration compute d = {rate} · (x - {given}) / 100, rounded down to "
                "a whole number; the new x is x - d."
            )
        return (
            f"{rule}\n\nGive x after each of the first {steps} iterations: {steps} whole "
            f"number{'s' * (steps > 1)} in their order, separated by blanks, on one line inside a fenced "
            "block marked answer. Three numbers would be written\n```answer\n900 850 806\n```"
        )

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Do one iteration and say its result again and again."""
        steps = puzzle.payload["steps"]
        return self.values({**puzzle.payload, "steps": 1}) * int(steps)

    def drawing(self, payload: Payload) -> str:
        what = [f"{name} {payload[name]}" for name in ("given", "rate", "start", "steps")]
        return wrapped(what, f"{self.method}: ")
