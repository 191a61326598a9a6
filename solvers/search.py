"""`search`: the task's own exact method, from the rules alone. Works for every task that has one, plugins included."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.contracts import Attempt, Budget, Parameters, Puzzle, SolverCard, TaskView, Usage


@dataclass(frozen=True, kw_only=True)
class Search:
    """Call `task.search` on each puzzle. A puzzle that has no solution is answered by None, which no task judges correct."""

    @property
    def card(self) -> SolverCard:
        return SolverCard(name="search", kind="exact", parameters=Parameters(core=0, stored=0), device="cpu")

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        for puzzle in puzzles:
            for attempt in budget.wanted(puzzle.id):
                started = time.perf_counter()
                answer = task.search(puzzle)
                seconds = time.perf_counter() - started
                usage = Usage(wall_seconds=seconds, device_seconds=seconds)
                detail = {} if answer is not None else {"claim": "no solution"}
                yield Attempt(puzzle_id=puzzle.id, attempt=attempt, answer=answer, usage=usage, detail=detail)
