"""`copy-input`: the puzzle itself, through the grid codec and back. What doing nothing scores."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.contracts import Attempt, Budget, Parameters, Puzzle, SolverCard, TaskView, Usage
from harness.errors import UserError


@dataclass(frozen=True, kw_only=True)
class CopyInput:
    """Encode each puzzle as a net would see it and decode that as the answer."""

    @property
    def card(self) -> SolverCard:
        return SolverCard(name="copy-input", kind="baseline", parameters=Parameters(core=0, stored=0), device="cpu")

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        if task.grid is None:
            raise UserError(
                f"copy-input cannot play {task.name!r}.",
                rule="It needs a task with a grid codec.",
                next_step="The solver 'random' plays every task.",
            )
        for puzzle in puzzles:
            for attempt in budget.wanted(puzzle.id):
                started = time.perf_counter()
                answer = task.grid.decode(task.grid.encode(puzzle), puzzle)
                seconds = time.perf_counter() - started
                usage = Usage(wall_seconds=seconds, device_seconds=seconds)
                yield Attempt(puzzle_id=puzzle.id, attempt=attempt, answer=answer, usage=usage)
