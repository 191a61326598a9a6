"""Elementary cellular automata (Wolfram's numbering) on a ring: the row after k steps.

Rule 110 is universal (Cook 2004) and predicting it is P-complete (Neary and Woods 2006): no way around the
steps is known. Rule 30 is chaotic. Rule 90 is linear, so that k steps fold into one sum of cells: a control.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from harness.base import Belongs, Drawn
from harness.contracts import Answer, GridCodec, Metric, Puzzle
from harness.errors import UserError
from tasks.procedures.procedure import Computed, Payload
from tasks.shared.forms import digit_grid

if TYPE_CHECKING:
    import numpy as np

    from tasks.shared.text_answers import AnswerForm


def step(row: int, rule: int, width: int) -> int:
    """Apply a rule once to a ring of cells, the leftmost the highest bit."""
    left = row >> 1 | (row & 1) << (width - 1)  # where each cell's left neighbour stands
    right = (row << 1 | row >> (width - 1)) & ((1 << width) - 1)
    every, found = (1 << width) - 1, 0
    for code in range(8):
        if rule >> code & 1:
            found |= (
                (left if code & 4 else ~left) & (row if code & 2 else ~row) & (right if code & 1 else ~right)
            )
    return found & every


@dataclass(frozen=True, kw_only=True)
class Automaton(Computed):
    """Run an elementary cellular automaton for `steps` steps.

    rule: in Wolfram's numbering. No row comes twice on the way, so that no step can be left
    out. Verdict number `constraints`: the share of right cells.
    """

    rule: Literal[110, 90, 30] = 110
    steps: int = 8
    train_steps: int = 8
    width: int = 29  # cells on the ring; on one of a power of 2, rule 90 ends in all zeros

    name = "automaton"
    noun = "cell"
    metrics = (Metric(name="solved"), Metric(name="constraints", number="constraints"))

    def __post_init__(self) -> None:
        if self.rule not in (110, 90, 30):
            raise UserError(f"No rule {self.rule}.", rule="The rules are 110, 90 and 30.")
        self.check_dial("width", 8, 80, "a drawing has 80 columns; on fewer than 8 cells too little differs")
        self.check_steps(900 - self.width, "a net's canvas has 900 cells at most")

    @property
    def family(self) -> str:
        return f"{self.name}-{self.rule}" + (f"-{self.width}" if self.width != 29 else "")

    @property
    def chance(self) -> float:
        return 2.0**-self.width

    def space(self, split: str) -> int | None:
        return 2**self.width // self.width if self.width < 24 else None  # about so many up to rotation

    @cached_property
    def grid(self) -> GridCodec:
        from tasks.procedures.grid import TickedGrid, ticks

        return TickedGrid(
            symbols=2, cells=self.width, answered=self.width, most_steps=self.most_steps,
            read=lambda puzzle: puzzle.payload["row"], marks=ticks,
        )  # fmt: skip

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        width, steps = self.width, self.steps_of(rng, split)
        row = int.from_bytes(rng.bytes(10), "big") >> (80 - width)
        every = (1 << width) - 1
        identity = f"{width}:{min((row << i | row >> (width - i)) & every for i in range(width))}"
        if not belongs(identity):
            return None
        seen = [row]
        for _ in range(steps):
            seen.append(step(seen[-1], self.rule, width))
        if len(set(seen)) < len(seen):
            return None
        return Drawn(
            identity=identity,
            payload={"row": _cells(row, width), "steps": steps},
            answers=(_cells(seen[-1], width),),
            difficulty=float(steps),
        )

    def values(self, payload: Payload) -> list[int]:
        return self._after(payload, payload["steps"])

    def _after(self, payload: Payload, steps: int) -> list[int]:
        row = int("".join(map(str, payload["row"])), 2)
        for _ in range(steps):
            row = step(row, self.rule, self.width)
        return _cells(row, self.width)

    def allowed(self, payload: Payload) -> range:
        return range(2)

    def asked(self, payload: Payload) -> int:
        return self.width

    def rule_of(self, payload: Payload, index: int) -> str:
        return f"not what rule {self.rule} gives after {payload['steps']} steps"

    def prompt(self, puzzle: Puzzle) -> str:
        table = ", ".join(f"{code:03b} → {self.rule >> code & 1}" for code in reversed(range(8)))
        row, steps = "".join(map(str, puzzle.payload["row"])), puzzle.payload["steps"]
        return (
            f"A row of {self.width} cells, each 0 or 1, closed to a ring: the last cell is the left "
            "neighbour of the first. In one step all cells change at the same time; what a cell becomes "
            f"is decided by its left neighbour, itself and its right neighbour, in this order: {table}."
            f"\n\n{row}\n\n"
            f"Give the row after {steps} step{'s' * (steps > 1)}: {self.width} digits without blanks, on one "
            "line inside a fenced block marked answer. A row of 5 cells would be written\n"
            "```answer\n01101\n```"
        )

    def form(self, payload: Payload) -> AnswerForm:
        return digit_grid(1, self.width, 0, 1)

    def parse(self, reply: str, puzzle: Puzzle) -> Answer:
        found = super().parse(reply, puzzle)
        return found[0] if isinstance(found, list) else found

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Apply the rule once and stop."""
        return self._after(puzzle.payload, 1)

    def drawing(self, payload: Payload) -> str:
        row = "".join("█" if cell else "·" for cell in payload["row"])
        return f"{row}\nafter {payload['steps']} steps of rule {self.rule}:"


def _cells(row: int, width: int) -> list[int]:
    return [row >> i & 1 for i in reversed(range(width))]
