"""The score of a run by difficulty, in the task's own unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.scores.statistics import Score
from harness.scores.values import RunValues

MOST = 8  # different difficulties that are each their own stratum; more are cut into PARTS of equal size
PARTS = 5


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """The puzzles between two difficulties, both included. None: their difficulty is unknown."""

    least: float | None
    most: float | None
    puzzles: int
    answered: int  # of them, those with an answer that was judged
    score: Score
    mean_depth: float | None  # supervision steps, where the solver counts them


@dataclass(frozen=True, kw_only=True)
class Strata:
    """Scores by difficulty, easiest first; empty for a task that gives none."""

    run: str
    metric: str
    strata: tuple[Stratum, ...]


def strata_of(run: RunValues) -> Strata:
    """Return the score of each stratum. Cuts never part equal difficulties."""
    difficulty = dict(zip(run.record.puzzles.ids, run.record.puzzles.difficulty, strict=True))
    levels = sorted(value for value in difficulty.values() if value is not None)
    found = []
    for least, most in cuts(levels):
        inside = [n for n, d in difficulty.items() if d is not None and least <= d <= most]
        found.append(_stratum(run, inside, least, most))
    unknown = [name for name, value in difficulty.items() if value is None]
    if found and unknown:
        found.append(_stratum(run, unknown, None, None))
    return Strata(run=run.name, metric=run.metric.name, strata=tuple(found))


def cuts(levels: Sequence[float]) -> list[tuple[float, float]]:
    """Cut ascending values into ranges: one for each value if they are few, else parts as equal as can be."""
    values = sorted(set(levels))
    if len(values) <= MOST:
        return [(value, value) for value in values]
    ranges, start = [], 0
    for part in range(1, PARTS + 1):
        stop = round(part * len(levels) / PARTS)
        while stop < len(levels) and levels[stop] == levels[stop - 1]:
            stop += 1
        if stop > start:
            ranges.append((levels[start], levels[stop - 1]))
            start = stop
    return ranges


def _stratum(run: RunValues, names: Sequence[str], least: float | None, most: float | None) -> Stratum:
    chosen = set(names)
    attempts = [attempt for (puzzle, _), attempt in run.counted.items() if puzzle in chosen]
    depths = [attempt.depth for attempt in attempts if attempt.depth is not None]
    return Stratum(
        least=least,
        most=most,
        puzzles=len(names),
        answered=len({attempt.puzzle for attempt in attempts if attempt.answered}),
        score=run.score_of({name: run.values[name] for name in names}),
        mean_depth=sum(depths) / len(depths) if depths else None,
    )
