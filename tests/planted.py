"""A task and a solver that keep every rule, to break in one place each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from harness.base import BaseGrid, Belongs, Drawn, GeneratedTask
from harness.codecs import Symmetries
from harness.contracts import (
    Answer,
    Attempt,
    Budget,
    Key,
    Metric,
    Puzzle,
    SolverCard,
    TaskView,
    Usage,
    Verdict,
)
from tasks.shared.forms import digit_grid
from tasks.shared.text_answers import parse_reply

SIDE = 4


class LatinGrid(BaseGrid):
    """Blank 1, digit d 1 + d."""

    vocab_size, height, width = SIDE + 2, SIDE, SIDE

    def encode(self, puzzle: Puzzle) -> Any:
        return np.array(puzzle.payload["grid"]).ravel() + 1

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> Any:
        return np.array(answer).ravel() + 1

    def decode(self, tokens: Any, puzzle: Puzzle) -> Answer:
        digits = np.asarray(tokens).reshape(SIDE, SIDE) - 1
        return np.maximum(digits, 0).tolist()

    def symmetries(self, rng: np.random.Generator, n: int) -> Symmetries:
        rows = rng.random((n, SIDE)).argsort(axis=1)
        columns = rng.random((n, SIDE)).argsort(axis=1)
        tokens = np.tile(np.arange(self.vocab_size), (n, 1))
        tokens[:, 2:] = rng.random((n, SIDE)).argsort(axis=1) + 2
        return Symmetries((rows[:, :, None] * SIDE + columns[:, None, :]).reshape(n, -1), tokens)


@dataclass(frozen=True, kw_only=True)
class Latin(GeneratedTask):
    """Complete a 4 × 4 Latin square. Verdict numbers: `feasible`, `constraints`."""

    name = "latin"
    metrics = (
        Metric(name="solved"),
        Metric(name="constraints", number="constraints"),
        Metric(name="errors", number="errors", better="low", missing=16.0),
    )

    @cached_property
    def grid(self) -> Any:
        return LatinGrid()

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        base = (np.add.outer(np.arange(SIDE), np.arange(SIDE)) % SIDE + 1)[rng.permutation(SIDE)]
        label = base[:, rng.permutation(SIDE)]
        grid = np.where(rng.random((SIDE, SIDE)) < 0.35, label, 0).tolist()
        blanks = sum(not d for row in grid for d in row)
        return Drawn(
            identity=str(grid), payload={"grid": grid}, answers=(label.tolist(),), difficulty=float(blanks)
        )

    def prompt(self, puzzle: Puzzle) -> str:
        rows = "\n".join("".join(str(d or ".") for d in row) for row in puzzle.payload["grid"])
        return f"Complete the Latin square.\n{rows}\nAnswer with 4 lines:\n```answer\n(4 lines)\n```"

    def parse(self, reply: str, puzzle: Puzzle) -> Any:
        return parse_reply(reply, digit_grid(SIDE, SIDE, 1, SIDE))

    def violations(self, puzzle: Puzzle, answer: Answer) -> Any:
        if not self.whole(answer):
            return ["not 4 rows of 4 digits"]
        pairs = zip(puzzle.payload["grid"], answer, strict=True)
        found = [f"row {r + 1} changes a clue" for r, (clues, row) in enumerate(pairs) if changed(clues, row)]
        lines = [*answer, *map(list, zip(*answer, strict=True))]
        return found + [
            f"line {i + 1} repeats a digit" for i, line in enumerate(lines) if len(set(line)) < SIDE
        ]

    def whole(self, answer: Answer) -> bool:
        return (
            isinstance(answer, list)
            and len(answer) == SIDE
            and all(isinstance(row, list) and len(row) == SIDE for row in answer)
            and all(type(d) is int and 1 <= d <= SIDE for row in answer for d in row)
        )

    def judge(self, puzzle: Puzzle, key: Key, answer: Answer) -> Verdict:
        broken = Latin.violations(self, puzzle, answer)
        numbers = {"feasible": float(not broken), "constraints": 1 - len(broken) / 12, "errors": len(broken)}
        return Verdict(correct=not broken, numbers=numbers if self.whole(answer) else BROKEN)

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        drawn = rng.integers(1, SIDE + 1, (SIDE, SIDE)).tolist()
        return [
            [c or d for c, d in zip(clues, row, strict=True)]
            for clues, row in zip(puzzle.payload["grid"], drawn, strict=True)
        ]

    def search(self, puzzle: Puzzle) -> Answer | None:
        rows = [list(row) for row in puzzle.payload["grid"]]
        blanks = [(r, c) for r in range(SIDE) for c in range(SIDE) if not rows[r][c]]

        def fill(i: int) -> bool:
            if i == len(blanks):
                return True
            r, c = blanks[i]
            for digit in range(1, SIDE + 1):
                if digit not in rows[r] and all(rows[k][c] != digit for k in range(SIDE)):
                    rows[r][c] = digit
                    if fill(i + 1):
                        return True
                    rows[r][c] = 0
            return False

        return rows if fill(0) else None


BROKEN = {"feasible": 0.0, "constraints": 0.0, "errors": 16.0}


def changed(clues: list[int], row: list[int]) -> bool:
    return any(clue and clue != digit for clue, digit in zip(clues, row, strict=True))


class Solves:
    """Answers by the task's search."""

    @property
    def card(self) -> Any:
        return SolverCard(name="solves", kind="exact")

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        for puzzle in puzzles:
            for k in budget.wanted(puzzle.id):
                yield self.attempt(task, puzzle, k, budget)

    def attempt(self, task: TaskView, puzzle: Puzzle, k: int, budget: Budget) -> Attempt:
        answer = task.methods["search"](puzzle, np.random.default_rng(0))
        return Attempt(puzzle_id=puzzle.id, attempt=k, answer=answer, usage=Usage(wall_seconds=0.1))


def breaking(kind: type, **members: Any) -> Any:
    """Return an instance of a subclass in which some members are replaced."""
    return type(f"Broken{kind.__name__}", (kind,), members)()
