"""From finished rollouts to attempts with their costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.contracts import Answer, Attempt, Budget, GridCodec, Outcome, Puzzle, TracePoint, Usage
from solvers.nets.infer.engine import Finished
from solvers.nets.infer.rollouts import Rollouts, candidates

NOTHING = Usage(wall_seconds=0.0, device_seconds=0.0, passes=0, flops=0, retries=0)


def attempts_of(
    puzzle: Puzzle,
    done: list[Finished],
    ranked: list[tuple[Answer, list[float]]],
    jobs: Rollouts,
    budget: Budget,
    flops_per_step: int,
    depths: Sequence[int],
) -> Iterator[Attempt]:
    """Yield the wanted attempts at a puzzle: the answers of the ranking in turn, the cost with the first.

    done: its finished rollouts; ranked: its answers with the halting scores of their rollouts; depths: of the
    trace, read off the first rollout.
    """
    steps = sum(job.depth for job in done)
    cost = Usage(
        wall_seconds=max(job.entered + job.seconds for job in done) - min(job.entered for job in done),
        device_seconds=sum(job.device_seconds for job in done),
        passes=steps,
        flops=steps * flops_per_step,
        retries=0,
    )
    for attempt in budget.wanted(puzzle.id):
        # fewer distinct answers than attempts: the last is said again
        answer, scores = ranked[min(attempt, len(ranked) - 1)]
        yield Attempt(
            puzzle_id=puzzle.id,
            attempt=attempt,
            answer=answer,
            usage=cost if attempt == 0 else NOTHING,
            depth=max(job.depth for job in done),
            samples=len(done),
            candidates=candidates(done, jobs) if attempt == 0 and len(done) > 1 else (),
            trace=tuple(
                TracePoint(
                    depth=depth,
                    answer=jobs.answer(done[0].job, done[0].tokens_at[min(depth, done[0].depth)]),
                    halt_score=round(done[0].scores_at[min(depth, done[0].depth)], 4),
                )
                for depth in depths
            ),
            detail={"halt_score": round(max(scores), 4), "votes": len(scores)},
        )


def not_attempted(puzzles: Sequence[Puzzle], codec: GridCodec, budget: Budget) -> Iterator[Attempt]:
    """Book puzzles that are larger than the canvas: planned, unsolved, and they cost nothing."""
    reason = f"not attempted: larger than {codec.height}×{codec.width}, the canvas of these weights"
    for puzzle in puzzles:
        for attempt in budget.wanted(puzzle.id):
            yield Attempt(
                puzzle_id=puzzle.id,
                attempt=attempt,
                outcome=Outcome.REFUSED,
                usage=NOTHING,
                detail={"reason": reason},
            )
