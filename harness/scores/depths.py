"""How answers change with depth: the curve, what each depth wins and loses, and what was right and lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.contracts import CORRECT
from harness.errors import UserError
from harness.scores.statistics import Score, estimate
from harness.scores.summary import carried, known_depths, metric_score
from harness.scores.values import RunValues


@dataclass(frozen=True, kw_only=True)
class DepthPoint:
    """The answers held after so many supervision steps. gained, lost: answers that became right, and ceased
    to be, since the point before.
    """

    depth: int
    score: Score
    gained: int
    lost: int


@dataclass(frozen=True, kw_only=True)
class Lost:
    """An answer that was right at some depth and is not at the last."""

    puzzle: str
    attempt: int
    right_at: tuple[int, ...]
    difficulty: float | None


@dataclass(frozen=True, kw_only=True)
class DepthCurve:
    """final: share of planned attempts right at the last depth; ever: at some depth, what stopping at the
    right moment would give.
    """

    run: str
    metric: str
    points: tuple[DepthPoint, ...]
    final: Score
    ever: Score
    lost: tuple[Lost, ...]


def depths_of(run: RunValues) -> DepthCurve:
    """Return the depth curve of a run. Raises UserError for one without answers along the way."""
    depths = known_depths(list(run.counted.values()))
    if depths is None:
        raise UserError(
            f"{run.name} holds no answers along the way.",
            next_step="Run with -S depths=1,2,4,8,16 -S halt=never.",
        )
    held = {pair: carried(attempt, depths) for pair, attempt in run.counted.items()}
    right = {
        pair: [bool(numbers and numbers.get(CORRECT, 0.0) >= 1) for numbers in curve]
        for pair, curve in held.items()
    }
    tries = run.record.attempts_per_puzzle
    points = []
    for d, depth in enumerate(depths):
        at: dict[str, list[Mapping[str, float]]] = {}
        for (puzzle, number), curve in held.items():
            if (numbers := curve[d]) and not (run.metric.of == "first" and number):
                at.setdefault(puzzle, []).append(numbers)
        found = metric_score(run.metric, list(run.values), list(run.groups.values()), at, tries)
        before = [r[d - 1] if d else False for r in right.values()]
        now = [r[d] for r in right.values()]
        points.append(
            DepthPoint(
                depth=depth,
                score=Score(
                    score=found.score or 0.0, low=found.low or 0.0, high=found.high or 0.0, n=found.n
                ),
                gained=sum(b and not a for a, b in zip(before, now, strict=True)),
                lost=sum(a and not b for a, b in zip(before, now, strict=True)),
            )
        )
    difficulty = dict(zip(run.record.puzzles.ids, run.record.puzzles.difficulty, strict=True))
    return DepthCurve(
        run=run.name,
        metric=run.metric.name,
        points=tuple(points),
        final=_share(run, {pair: bool(r) and r[-1] for pair, r in right.items()}),
        ever=_share(run, {pair: any(r) for pair, r in right.items()}),
        lost=tuple(
            Lost(
                puzzle=puzzle,
                attempt=number,
                right_at=tuple(depth for depth, ok in zip(depths, r, strict=True) if ok),
                difficulty=difficulty[puzzle],
            )
            for (puzzle, number), r in right.items()
            if any(r) and not r[-1]
        ),
    )


def _share(run: RunValues, solved: Mapping[tuple[str, int], bool]) -> Score:
    """Return the share of planned attempts, those of one group together in the interval."""
    pairs = [(name, k) for name in run.values for k in range(run.record.attempts_per_puzzle)]
    groups = [run.groups[name] for name, _ in pairs]
    clustered = len(set(groups)) < len(groups)
    return estimate([float(solved.get(pair, False)) for pair in pairs], groups if clustered else None)
