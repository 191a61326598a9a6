"""The Pareto front of score against what it takes, and how sure it is.

A row is on the front if no other has at least its score for at most its cost, and is better in one of them.
Scores and costs are of few puzzles, so the front is drawn again for many resamples of the puzzles, all rows
on the same ones: `share` is how often a row was on it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.books.ledger import seconds, tokens
from harness.books.training import model_flops
from harness.contracts import SolverCard, Usage
from harness.errors import UserError
from harness.scores.statistics import Score
from harness.scores.values import RunValues

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AXES = {
    "core": "core parameters",
    "stored": "stored parameters",
    "active": "parameters that one pass touches",
    "flops": "FLOPs a puzzle, ≈ estimated for language models",
    "usd": "dollars a puzzle",
    "seconds": "seconds a puzzle",
    "tokens": "tokens a puzzle",
}
PARAMETERS = ("core", "stored", "active")
RESAMPLES = 2_000
BATCH = 250  # resamples at a time: (BATCH, groups) weights


@dataclass(frozen=True, kw_only=True)
class FrontRow:
    """One run against one cost. share: of the resamples, in which it is on the front. seeds, spread: of runs
    that differ in a seed alone, taken as one; `run` is the newest, the cost their mean.
    """

    run: str
    cost: float
    score: Score
    on_front: bool
    share: float
    seeds: tuple[str, ...] = ()
    spread: float | None = None


@dataclass(frozen=True, kw_only=True)
class Front:
    """The runs whose cost is known, cheapest first, and those left out because it is not."""

    axis: str
    rows: tuple[FrontRow, ...]
    unknown: tuple[str, ...]


def front_of(runs: Sequence[RunValues], axis: str, *, resamples: int = RESAMPLES) -> Front:
    """Return the front of runs on the very same puzzles. axis: one of `AXES`.

    Raises UserError for another axis, and for runs of different puzzles.
    """
    import numpy as np

    if axis not in AXES:
        raise UserError(f"No cost {axis!r}.", rule=f"Known: {', '.join(AXES)}.")
    if not runs:
        return Front(axis=axis, rows=(), unknown=())
    first = runs[0]
    for run in runs[1:]:
        if (run.record.task.name, run.puzzle_sets) != (first.record.task.name, first.puzzle_sets):
            raise UserError(
                f"{runs[0].name} and {run.name} are of different puzzles.",
                rule="A front is of runs on the same ones.",
            )
    costs = [costs_of(run, axis) for run in runs]
    kept = [n for n, cost in enumerate(costs) if cost is not None]
    unknown = tuple(run.name for n, run in enumerate(runs) if n not in kept)
    if not kept:
        return Front(axis=axis, rows=(), unknown=unknown)
    sign = -1.0 if runs[0].metric.better == "low" else 1.0
    sums, sizes = _by_group([runs[n] for n in kept])
    paid, counts = _cost_by_group([runs[n] for n in kept], [costs[n] or {} for n in kept])
    # exactly rounded, so that the order of rows and puzzles changes no digit
    value = np.array([math.fsum(row) for row in sums]) / sizes.sum()
    cost = np.array([math.fsum(row) for row in paid]) / counts.sum()
    on = _undominated((sign * value)[None], cost[None])[0]
    hits = np.zeros(len(kept))
    rng, groups = np.random.default_rng(0), len(sizes)
    for start in range(0, resamples, BATCH):
        weights = rng.multinomial(groups, np.full(groups, 1 / groups), min(BATCH, resamples - start))
        scores = sign * (weights @ sums.T) / (weights @ sizes)[:, None]
        spent = (weights @ paid.T) / (weights @ counts)[:, None]
        hits += _undominated(scores, spent).sum(axis=0)
    rows = [
        FrontRow(
            run=runs[n].name,
            cost=float(cost[i]),
            score=runs[n].score,
            on_front=bool(on[i]),
            share=float(hits[i] / resamples),
            seeds=seeds.seeds if (seeds := runs[n].seeds) is not None else (),
            spread=None if seeds is None else seeds.spread,
        )
        for i, n in enumerate(kept)
    ]
    ordered = sorted(rows, key=lambda row: (row.cost, -sign * row.score.score))
    return Front(axis=axis, rows=tuple(ordered), unknown=unknown)


def costs_of(run: RunValues, axis: str) -> Mapping[str, float] | None:
    """Return what each planned puzzle took; None where that is unknown for one of those that ran. Parameters
    are the same for all. Of several seeds as one: the mean over those that ran a puzzle.
    """
    if run.of:
        return _mean_costs([costs_of(one, axis) for one in run.of])
    if axis in PARAMETERS:
        count = getattr(run.record.card.parameters, axis)
        if count is None and run.record.card.kind in ("exact", "baseline"):
            count = 0
        return None if count is None else dict.fromkeys(run.values, float(count))
    found = {}
    for name, usages in run.usage().items():
        if not usages:
            continue
        each = [_spent(usage, run.record.card, axis) for usage in usages]
        known = [amount for amount in each if amount is not None]
        if len(known) < len(each):
            return None
        found[name] = math.fsum(known)
    return found or None


def _mean_costs(each: Sequence[Mapping[str, float] | None]) -> Mapping[str, float] | None:
    together: dict[str, list[float]] = {}
    for costs in each:
        if costs is None:
            return None
        for name, cost in costs.items():
            together.setdefault(name, []).append(cost)
    return {name: math.fsum(of) / len(of) for name, of in together.items()}


def _spent(usage: Usage, card: SolverCard, axis: str) -> float | None:
    if usage.lost_calls and axis in ("usd", "tokens"):
        return None
    if axis == "flops":
        known = usage.flops
        return model_flops(card, tokens(usage), usage.cached_tokens) if known is None else known
    return {"usd": usage.usd, "seconds": seconds(usage), "tokens": tokens(usage)}[axis]


def _by_group(runs: Sequence[RunValues]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (sums of the values by row and group, weights of the groups)."""
    import numpy as np

    groups = runs[0].groups
    place = {name: i for i, name in enumerate(sorted(set(groups.values())))}  # whatever the order of seeds
    index = np.array([place[group] for group in groups.values()])
    sizes = np.bincount(index).astype(float)
    over = runs[0].metric.over
    rows = []
    for run in runs:
        values = np.array([run.values[name] for name in groups])  # seeds may stand in another order
        if over == "strict":
            worst = np.ones(len(place))
            np.minimum.at(worst, index, (values >= 1).astype(float))
            rows.append(worst)
        else:
            total = np.bincount(index, weights=values, minlength=len(place)).astype(float)
            rows.append(total if over == "puzzle" else np.divide(total, sizes))
    return np.array(rows), sizes if over == "puzzle" else np.ones_like(sizes)


def _cost_by_group(
    runs: Sequence[RunValues], costs: Sequence[Mapping[str, float]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (sums of the costs by row and group, puzzles of the groups); a puzzle that did not run costs
    what the others did.
    """
    import numpy as np

    groups = runs[0].groups
    place = {name: i for i, name in enumerate(sorted(set(groups.values())))}  # whatever the order of seeds
    index = np.array([place[group] for group in groups.values()])
    rows = []
    for cost in costs:
        usual = math.fsum(cost.values()) / len(cost)
        each = np.array([cost.get(name, usual) for name in groups])
        rows.append(np.bincount(index, weights=each, minlength=len(place)))
    return np.array(rows), np.bincount(index).astype(float)


def _undominated(scores: NDArray[np.float64], costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which of n rows no other dominates, (resamples, n); equal rows are both on the front."""
    import numpy as np

    as_good = scores[:, None, :] >= scores[:, :, None]  # [r, i, j]: j is at least as good as i
    as_cheap = costs[:, None, :] <= costs[:, :, None]
    better = (scores[:, None, :] > scores[:, :, None]) | (costs[:, None, :] < costs[:, :, None])
    found: NDArray[np.bool_] = ~np.any(as_good & as_cheap & better, axis=2)
    return found
