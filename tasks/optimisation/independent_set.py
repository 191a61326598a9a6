"""Weighted independent set on a king's grid: choose cells of the most weight, no two of them touching."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.contracts import Answer, GridCodec, Key, Puzzle, Unparsed
from tasks.optimisation.objective import OptimisationTask, Payload, at_most, numbers_fault
from tasks.shared.forms import digit_grid
from tasks.shared.ruled import Check
from tasks.shared.text_answers import parse_reply

if TYPE_CHECKING:
    from rich.console import RenderableType

MOST_COLUMNS = 12


@dataclass(frozen=True, kw_only=True)
class IndependentSet(OptimisationTask):
    """Heaviest independent set on a king's grid: no two chosen cells touch

    size: rows and columns. max_weight: weights are 1 to this.
    """

    size: int = 9
    max_weight: int = 99

    name = "independent-set"
    sense = "max"

    def __post_init__(self) -> None:
        self._within(2, MOST_COLUMNS, size=self.size)
        self._within(1, 1000, max_weight=self.max_weight)

    @property
    def family(self) -> str:
        return f"independent-set-{self.size}x{self.size}-{self.max_weight}"

    @cached_property
    def grid(self) -> GridCodec | None:
        from tasks.optimisation.grids import IndependentSetGrid

        return IndependentSetGrid.of(self, self.size, self.max_weight)

    def instance(self, rng: np.random.Generator) -> Payload:
        return {"weights": rng.integers(1, self.max_weight + 1, (self.size, self.size)).tolist()}

    def identity(self, payload: Payload) -> str:
        return str(min(copy["weights"] for copy in self.copies(payload)))

    def solve(self, payload: Payload) -> tuple[Answer, float]:
        """Dynamic programming over the choices of a row, from the last row to the first."""
        at_most(MOST_COLUMNS, len(payload["weights"][0]), "columns")
        weights = np.array(payload["weights"], dtype=np.int64)
        rows, clash = _row_choices(weights.shape[1])
        worth = weights @ rows.T  # of each choice in each row
        best = np.zeros(
            (len(weights) + 1, len(rows)), dtype=np.int64
        )  # best[r]: rows from r on, by choice in r
        for r in range(len(weights) - 1, -1, -1):
            best[r] = worth[r] + np.where(clash, 0, best[r + 1]).max(axis=1)
        answer, allowed = [], np.ones(len(rows), dtype=bool)
        for r in range(len(weights)):
            chosen = int(np.where(allowed, best[r], -1).argmax())  # the first of the best is the smallest
            answer.append(rows[chosen].tolist())
            allowed = ~clash[chosen]
        return answer, float(best[0].max())

    def check(self, puzzle: Puzzle, answer: Answer) -> Check:
        size = len(puzzle.payload["weights"])
        if not isinstance(answer, list) or len(answer) != size:
            return Check.malformed(f"the answer is no list of {size} rows")
        for r, row in enumerate(answer, start=1):
            if fault := numbers_fault(row, size, 0, 1, "digits"):
                return Check.malformed(f"row {r}: {fault}")
        pairs = _touching(size)
        both = [pair for pair in pairs if answer[pair[0]][pair[1]] and answer[pair[2]][pair[3]]]
        found = Check(kept={"touching": len(pairs) - len(both)}, asked={"touching": len(pairs)})
        for r, c, s, d in both:
            found.broken.append(
                f"row {r + 1}, column {c + 1} and row {s + 1}, column {d + 1} touch, both are chosen"
            )
        return found

    def value(self, payload: Payload, answer: Answer) -> float:
        return float((np.array(payload["weights"]) * np.array(answer)).sum())

    def copies(self, payload: Payload) -> list[Payload]:
        """Return the eight rotations and reflections."""
        board = np.array(payload["weights"])
        return [{"weights": np.rot90(side, k).tolist()} for side in (board, board.T) for k in range(4)]

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Choose each cell with probability one half."""
        size = len(puzzle.payload["weights"])
        return rng.integers(0, 2, (size, size)).tolist()

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Choose the heaviest cell that touches no chosen one, again and again."""
        weights = puzzle.payload["weights"]
        size = len(weights)
        answer = [[0] * size for _ in weights]
        for r, c in sorted(np.ndindex(size, size), key=lambda cell: -weights[cell[0]][cell[1]]):
            if not any(any(row[max(0, c - 1) : c + 2]) for row in answer[max(0, r - 1) : r + 2]):
                answer[r][c] = 1
        return answer

    def prompt(self, puzzle: Puzzle) -> str:
        weights = puzzle.payload["weights"]
        size, width = len(weights), len(str(max(map(max, weights))))
        drawn = "\n".join(" ".join(f"{w:{width}}" for w in row) for row in weights)
        return (
            f"Choose cells of this grid of {size} rows and {size} columns so that no two chosen cells touch, "
            "not even at a "
            "corner (a cell touches its up to eight neighbours), and the sum of the numbers in the chosen "
            "cells is as large "
            f"as possible.\n\n{drawn}\n\n"
            f"Answer with {size} lines of {size} digits, 1 for a chosen cell and 0 for every other, inside a "
            "fenced block "
            "marked answer. On a grid of three rows and columns, choosing the first and the last cell of the "
            "middle row would "
            "be written:\n```answer\n000\n101\n000\n```"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        size = len(puzzle.payload["weights"])
        return parse_reply(reply, digit_grid(size, size, 0, 1))

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        from tasks.optimisation.drawing import board

        return board(self, puzzle, puzzle.payload["weights"], answer, key)


@cache
def _row_choices(width: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the choices within a row in which no two touch, in lexicographic order, (n, width), and which of
    them may not stand in neighbouring rows, (n, n).
    """
    numbers = np.arange(2**width)
    numbers = numbers[(numbers & numbers >> 1) == 0]
    spread = numbers | numbers << 1 | numbers >> 1
    return numbers[:, None] >> np.arange(width)[::-1] & 1, (spread[:, None] & numbers) > 0


@cache
def _touching(size: int) -> list[tuple[int, int, int, int]]:
    """Return the pairs of cells that touch, as rows and columns."""
    half = ((0, 1), (1, -1), (1, 0), (1, 1))  # so that each pair is met once
    return [
        (r, c, r + down, c + right)
        for r, c in np.ndindex(size, size)
        for down, right in half
        if r + down < size and 0 <= c + right < size
    ]
