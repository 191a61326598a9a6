"""A whole solver: say the last number of the sequence plus `offset`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.contracts import Attempt, Budget, Outcome, Puzzle, SolverCard, TaskView, Usage
from harness.errors import UserError


@dataclass(frozen=True, kw_only=True)
class RepeatLast:
    """Repeat the last number given, plus an offset; the fields are the -S options."""

    offset: int = 0

    @property
    def card(self) -> SolverCard:
        return SolverCard(name="repeat-last", kind="baseline")

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        if puzzles and "sequence" not in puzzles[0].payload:
            raise UserError(f"repeat-last cannot play {task.name!r}.", rule="It needs a sequence of numbers.")
        for puzzle in puzzles:
            for attempt in budget.wanted(puzzle.id):  # what is recorded already is not wanted
                began = time.perf_counter()
                answer = puzzle.payload["sequence"][-1] + self.offset
                yield Attempt(
                    puzzle_id=puzzle.id,
                    attempt=attempt,
                    outcome=Outcome.ANSWERED,
                    answer=answer,
                    usage=Usage(wall_seconds=time.perf_counter() - began),
                )
