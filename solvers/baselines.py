"""Solvers that need no model: the task's own methods, and the input handed back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from harness.contracts import Attempt, Budget, Outcome, Parameters, Puzzle, SolverCard, TaskView, Usage
from harness.errors import UserError
from harness.randomness import generator


@dataclass(frozen=True, kw_only=True)
class ByMethod:
    """Answer by one of the task's own methods, from its rules alone; `name` is the method's.

    A puzzle for which the method finds no answer (a search that proves there is no solution) is recorded as
    such, unanswered.
    """

    name: str  # of the method, such as greedy or search

    @property
    def card(self) -> SolverCard:
        return SolverCard(
            name=self.name,
            kind="exact" if self.name == "search" else "baseline",
            parameters=Parameters(core=0, stored=0),
            device="cpu",
        )

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        methods = task.methods
        if self.name not in methods:
            raise UserError(
                f"{task.name} has no method {self.name!r}.",
                rule=f"It offers {', '.join(methods) or 'none'}.",
                next_step="Choose another solver, or another task.",
            )
        play, purpose = methods[self.name], (self.name, task.name, task.version, budget.seed)
        for puzzle in puzzles:
            for attempt in budget.wanted(puzzle.id):
                rng = generator(*purpose, puzzle.id, attempt)
                started = time.perf_counter()
                answer = play(puzzle, rng)
                seconds = time.perf_counter() - started
                yield Attempt(
                    puzzle_id=puzzle.id,
                    attempt=attempt,
                    outcome=Outcome.ANSWERED if answer is not None else Outcome.REFUSED,
                    answer=answer,
                    usage=Usage(wall_seconds=seconds, device_seconds=seconds),
                    detail={} if answer is not None else {"reason": f"{self.name} found no answer"},
                )


@dataclass(frozen=True, kw_only=True)
class Random(ByMethod):
    """Well-formed answers drawn at random, each by the seed, the puzzle and the attempt alone."""

    name: str = field(default="random", init=False)


@dataclass(frozen=True, kw_only=True)
class Greedy(ByMethod):
    """The task's own greedy rule: what taking the best next step scores."""

    name: str = field(default="greedy", init=False)


@dataclass(frozen=True, kw_only=True)
class Search(ByMethod):
    """The task's own exact method."""

    name: str = field(default="search", init=False)


@dataclass(frozen=True, kw_only=True)
class CopyInput:
    """Encode each puzzle as a net would see it and decode that as the answer."""

    @property
    def card(self) -> SolverCard:
        return SolverCard(
            name="copy-input", kind="baseline", parameters=Parameters(core=0, stored=0), device="cpu"
        )

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
