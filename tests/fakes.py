"""A task and solvers of the tests' own: small, deterministic, light to import. The task is the one of
docs/examples.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.contracts import (
    Attempt,
    Budget,
    Outcome,
    Parameters,
    Puzzle,
    SolverCard,
    TaskView,
    TracePoint,
    Usage,
)
from harness.randomness import generator, seed_of

EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples"
sys.path.insert(0, str(EXAMPLES))

from counting import Counting  # noqa: E402
from repeat_last import RepeatLast  # noqa: E402

__all__ = ["Counting", "Lottery", "RepeatLast", "TwoTries"]

FATES = (
    *[Outcome.ANSWERED] * 6,
    Outcome.UNPARSED,
    Outcome.REFUSED,
    Outcome.TRUNCATED,
    Outcome.TIMED_OUT,
    Outcome.PROVIDER_ERROR,
)


@dataclass(frozen=True, kw_only=True)
class TwoTries(Counting):
    """The counting task with two attempts per puzzle."""

    name = "two-tries"
    attempts = 2
    chance = 0.02


@dataclass(frozen=True, kw_only=True)
class Lottery:
    """Answers that hang on the puzzle's id alone: right, wrong after two steps, or a failure of every
    kind.
    """

    seconds: float = field(default=0.0, compare=False)  # of sleep per attempt; no part of the configuration
    failing: bool = True

    @property
    def card(self) -> SolverCard:
        return SolverCard(
            name="lottery", kind="baseline", parameters=Parameters(core=7, stored=9), device="none"
        )

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        for puzzle in puzzles:
            for k in budget.wanted(puzzle.id):
                time.sleep(self.seconds)
                draw = seed_of("lottery", puzzle.id, k)
                fate = FATES[draw % len(FATES)] if self.failing else Outcome.ANSWERED
                usage = Usage(
                    wall_seconds=0.1 + draw % 7 / 10,
                    input_tokens=draw % 100,
                    output_tokens=3,
                    usd=0.001,
                    flops=1e9,
                )
                if fate is not Outcome.ANSWERED:
                    yield Attempt(
                        puzzle_id=puzzle.id, attempt=k, outcome=fate, usage=usage, detail={"error": "drawn"}
                    )
                    continue
                right = task.methods["search"](puzzle, generator("unused"))
                answer = right if draw % 3 else right + 1
                trace = (TracePoint(depth=1, answer=-1), TracePoint(depth=2, answer=answer))
                yield Attempt(
                    puzzle_id=puzzle.id, attempt=k, answer=answer, usage=usage, depth=2, trace=trace
                )
