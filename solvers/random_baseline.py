"""`random`: a well-formed answer drawn at random, as the task defines it. What chance scores."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.contracts import Attempt, Budget, Parameters, Puzzle, SolverCard, TaskView, Usage
from harness.randomness import generator


@dataclass(frozen=True, kw_only=True)
class RandomBaseline:
    """Draw each answer from its own generator, so that it depends on the seed, the puzzle and the attempt alone."""

    @property
    def card(self) -> SolverCard:
        return SolverCard(name="random", kind="baseline", parameters=Parameters(core=0, stored=0), device="cpu")

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        for puzzle in puzzles:
            for attempt in budget.wanted(puzzle.id):
                started = time.perf_counter()
                rng = generator("random", task.name, task.version, budget.seed, puzzle.id, attempt)
                answer = task.random_answer(puzzle, rng)
                seconds = time.perf_counter() - started
                usage = Usage(wall_seconds=seconds, device_seconds=seconds)
                yield Attempt(puzzle_id=puzzle.id, attempt=attempt, answer=answer, usage=usage)
