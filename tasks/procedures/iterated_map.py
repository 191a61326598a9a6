"""A linear congruential map, iterated: x becomes a·x + c modulo m, k times.

The plain procedure takes k steps. Maps of this kind can be squared, which takes log2(k): whoever knows that
may answer in fewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from harness.base import Belongs, Drawn
from harness.contracts import Answer, GridCodec, Metric, Puzzle
from tasks.procedures.procedure import Computed, Payload

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class IteratedMap(Computed):
    """Apply x → a·x + c modulo `modulus` to a number, `steps` times.

    No number comes twice on the way. The map, a and c, decides the split: a net is tested on maps that it
    never saw.
    """

    steps: int = 8
    train_steps: int = 8
    modulus: int = 97  # values are numbers below it

    name = "iterated-map"
    noun = "number"
    metrics = (Metric(name="solved"),)

    def __post_init__(self) -> None:
        self.check_dial("modulus", 11, 250, "a net's vocabulary has a token for each number")
        self.check_steps(self.modulus * 4 // 5, f"more distinct numbers of {self.modulus} seldom follow")

    @property
    def family(self) -> str:
        return f"{self.name}-{self.modulus}"

    @property
    def chance(self) -> float:
        return 1 / self.modulus

    def space(self, split: str) -> int | None:
        return self.modulus**3

    @cached_property
    def grid(self) -> GridCodec:
        from tasks.procedures.grid import TickedGrid, ticks

        def read(puzzle: Puzzle) -> list[int]:
            return [puzzle.payload[name] for name in ("a", "c", "x")]

        return TickedGrid(
            symbols=self.modulus, cells=3, answered=1, most_steps=self.most_steps, read=read, marks=ticks
        )

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        steps = self.steps_of(rng, split)
        a, c, x = (int(rng.integers(low, self.modulus)) for low in (2, 0, 0))
        identity = f"{self.modulus}:{a},{c}"
        if not belongs(identity):
            return None
        seen = [x]
        for _ in range(steps):
            seen.append((a * seen[-1] + c) % self.modulus)
        if len(set(seen)) < len(seen):
            return None
        return Drawn(
            identity=identity,
            payload={"a": a, "c": c, "x": x, "steps": steps},
            answers=([seen[-1]],),
            difficulty=float(steps),
        )

    def values(self, payload: Payload) -> list[int]:
        x: int = payload["x"]
        for _ in range(payload["steps"]):
            x = (payload["a"] * x + payload["c"]) % self.modulus
        return [x]

    def allowed(self, payload: Payload) -> range:
        return range(self.modulus)

    def asked(self, payload: Payload) -> int:
        return 1

    def rule_of(self, payload: Payload, index: int) -> str:
        return f"not what the map gives after {payload['steps']} steps"

    def prompt(self, puzzle: Puzzle) -> str:
        a, c, x, steps = (puzzle.payload[name] for name in ("a", "c", "x", "steps"))
        return (
            f"Start with the number {x}. In each step, multiply the number by {a}, add {c}, and keep the "
            f"remainder of a division by {self.modulus}. Which number stands there after {steps} "
            f"step{'s' * (steps > 1)}?\n\nGive that one number inside a fenced block marked answer. The "
            "number 5 would be written\n```answer\n5\n```"
        )

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Do one step and stop."""
        return self.values({**puzzle.payload, "steps": 1})

    def drawing(self, payload: Payload) -> str:
        rule = f"x → {payload['a']}·x + {payload['c']} modulo {self.modulus}"
        return f"{rule}, {payload['steps']} times from x = {payload['x']}:"
