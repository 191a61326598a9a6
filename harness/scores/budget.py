"""Every solver at the same budget: its own curve of score against cost, read at one cost.

A curve is what one solver did at several costs: after each depth of one run, with k of its K samples, or in
runs that differ in one option. Between two points score and interval are linear in the logarithm of the cost;
outside them nothing was measured, and there is no number.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.errors import UserError
from harness.scores.depths import depths_of
from harness.scores.front import costs_of
from harness.scores.samples import vote_curve
from harness.scores.seeds import configuration, deviation, seed
from harness.scores.statistics import Score
from harness.scores.values import RunValues

BUDGETS = ("usd", "flops", "seconds")
NO_DIAL = ("weights", "seed", "device", "batch_size", "threads")
"""Options that decide no more than which weights, which draw and how fast."""


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """A score at a cost a puzzle; at: what was set, "depth=4"."""

    cost: float
    score: Score
    at: str
    run: str


@dataclass(frozen=True, kw_only=True)
class BudgetCurve:
    """What one solver did at several costs, cheapest first. by: what was varied, "depth", "votes" or an
    option's name; "" for a single point.
    """

    solver: str
    by: str
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True, kw_only=True)
class AtBudget:
    """A curve read at a cost. score None: outside what was measured, below or above its points.

    seeds, spread: of curves that differ in a seed alone, each read by itself; score and interval are then
    their means, and the curve is that of the newest.
    """

    curve: BudgetCurve
    budget: float
    score: Score | None
    where: Literal["measured", "between", "below", "above"]
    seeds: tuple[str, ...] = ()
    spread: float | None = None


def read_at(runs: Sequence[RunValues], axis: str, budget: float, *, merge: bool = True) -> list[AtBudget]:
    """Read every curve of runs on the same puzzles at a cost. merge: seeds of one configuration are one."""
    found = [at_budget(curve, budget) for curve in curves_of(runs, axis)]
    if not merge:
        return found
    records = {run.name: run.record for run in runs}

    def age(at: AtBudget) -> tuple[str, str]:
        run = at.curve.points[-1].run
        return records[run].created, run

    newest_first = sorted(found, key=age, reverse=True)
    groups: dict[tuple[str, str], dict[str, AtBudget]] = {}
    alone = []
    for at in newest_first:
        curve = at.curve
        record = records[curve.points[-1].run]
        several = len({point.run for point in curve.points}) > 1
        key = (curve.by, configuration(record, without=curve.by if several else ""))
        if groups.setdefault(key, {}).setdefault(seed(record), at) is not at:
            alone.append(at)
    return [_as_one(group) for group in groups.values()] + alone


def _as_one(by_seed: Mapping[str, AtBudget]) -> AtBudget:
    """Return several seeds of a curve as one. More seeds of the same puzzles are no more puzzles, so the
    interval is the mean of theirs. Where one has no number there is none.
    """
    newest, *_ = each = list(by_seed.values())
    if len(each) == 1:
        return newest
    seeds = tuple(reversed(list(by_seed)))
    scores = [at.score for at in each if at.score is not None]
    if len(scores) < len(each):
        return replace(next(at for at in each if at.score is None), seeds=seeds)
    mean = {
        name: math.fsum(getattr(score, name) for score in scores) / len(scores)
        for name in ("score", "low", "high")
    }
    return replace(
        newest,
        score=Score(**mean, n=min(score.n for score in scores)),
        where="measured" if all(at.where == "measured" for at in each) else "between",
        seeds=seeds,
        spread=deviation([score.score for score in scores]),
    )


def at_budget(curve: BudgetCurve, budget: float) -> AtBudget:
    """Read a curve at a cost. n of an interpolated score is the smaller of its two points'."""
    points = curve.points
    if exact := [point for point in points if math.isclose(point.cost, budget, rel_tol=1e-9)]:
        return AtBudget(curve=curve, budget=budget, score=exact[-1].score, where="measured")
    if not points or budget < points[0].cost:
        return AtBudget(curve=curve, budget=budget, score=None, where="below")
    if budget > points[-1].cost:
        return AtBudget(curve=curve, budget=budget, score=None, where="above")
    low, high = next((a, b) for a, b in itertools.pairwise(points) if a.cost <= budget <= b.cost)
    if low.cost > 0:
        part = math.log(budget / low.cost) / math.log(high.cost / low.cost)
    else:
        part = budget / high.cost
    mixed = {
        name: (1 - part) * getattr(low.score, name) + part * getattr(high.score, name)
        for name in ("score", "low", "high")
    }
    score = Score(**mixed, n=min(low.score.n, high.score.n))
    return AtBudget(curve=curve, budget=budget, score=score, where="between")


def curves_of(runs: Sequence[RunValues], axis: str) -> list[BudgetCurve]:
    """Return every curve that runs on the same puzzles make, and each run that is part of none as a curve of
    one point. Runs whose cost is unknown make none.
    """
    if axis not in BUDGETS:
        raise UserError(f"No budget {axis!r}.", rule=f"Known: {', '.join(BUDGETS)}.")
    costs = {run.name: _per_puzzle(run, axis) for run in runs}
    priced = [run for run in runs if costs[run.name] is not None]
    curves, used = [], set()
    for run in priced:
        cost = costs[run.name] or 0.0
        for curve in (_by_depth(run, cost), _by_votes(run, cost)):
            if curve is not None:
                curves.append(curve)
                used.add(run.name)
    for by, members in _families(priced):
        curves.append(_by_option(by, members, costs))
        used |= {run.name for run in members}
    for run in priced:
        if run.name not in used:
            point = CurvePoint(cost=costs[run.name] or 0.0, score=run.score, at="", run=run.name)
            curves.append(BudgetCurve(solver=who(run), by="", points=(point,)))
    return curves


def who(run: RunValues, *, without: str = "") -> str:
    """Return a solver with those of its options that are not at their default."""
    solver = run.record.solver
    changed = {name: value for name, value in solver.changed.items() if name != without}
    return " ".join([solver.name, *(f"{name}={_written(value)}" for name, value in changed.items())])


def _written(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _per_puzzle(run: RunValues, axis: str) -> float | None:
    found = costs_of(run, axis)
    return math.fsum(found.values()) / len(found) if found else None


def _by_depth(run: RunValues, cost: float) -> BudgetCurve | None:
    """Return the curve over depth: all supervision steps cost alike, and none after a puzzle has halted."""
    if not any(attempt.trace for attempt in run.counted.values()):
        return None
    found = depths_of(run)
    done = [attempt.depth for attempt in run.counted.values() if attempt.depth]
    if not done or len(found.points) < 2:
        return None
    points = [
        CurvePoint(
            cost=cost * sum(min(point.depth, depth) for depth in done) / sum(done),
            score=point.score,
            at=f"depth={point.depth}",
            run=run.name,
        )
        for point in found.points
    ]
    return BudgetCurve(solver=who(run), by="depth", points=_ascending(points))


def _by_votes(run: RunValues, cost: float) -> BudgetCurve | None:
    """Return the curve over votes: each of the K samples costs the same."""
    try:
        found = vote_curve(run)
    except UserError:  # one answer a puzzle
        return None
    if len(found) < 2:
        return None
    most = max(found)
    points = [
        CurvePoint(cost=cost * k / most, score=score, at=f"votes={k}", run=run.name)
        for k, score in found.items()
    ]
    return BudgetCurve(solver=who(run), by="votes", points=_ascending(points))


def _families(runs: Sequence[RunValues]) -> list[tuple[str, list[RunValues]]]:
    """Return the runs that differ in one option alone, by that option; weights and seeds are no dial."""
    families: dict[tuple[str, str], list[RunValues]] = {}
    for run in runs:
        solver = run.record.solver
        for name in solver.options:
            if name in NO_DIAL:
                continue
            rest = {n: v for n, v in solver.options.items() if n != name}
            made = (solver.reference, solver.weights_sha256, solver.source_sha256, seed(run.record))
            same = repr((*made, sorted(rest.items())))
            families.setdefault((name, same), []).append(run)
    found = []
    for (name, _), members in families.items():
        values = {run.record.solver.options[name] for run in members if _is_dial(name, run)}
        if len(values) > 1:
            found.append((name, [run for run in members if _is_dial(name, run)]))
    return found


def _is_dial(name: str, run: RunValues) -> bool:
    """Say whether an option says how much is spent: a number, or a model's effort in words."""
    value = run.record.solver.options[name]
    return (isinstance(value, int | float) and not isinstance(value, bool)) or (
        isinstance(value, str) and name.endswith("effort")
    )


def _by_option(by: str, members: Sequence[RunValues], costs: Mapping[str, float | None]) -> BudgetCurve:
    points = [
        CurvePoint(
            cost=costs[run.name] or 0.0,
            score=run.score,
            at=f"{by}={run.record.solver.options[by]}",
            run=run.name,
        )
        for run in members
    ]
    return BudgetCurve(solver=who(members[0], without=by), by=by, points=_ascending(points))


def _ascending(points: Sequence[CurvePoint]) -> tuple[CurvePoint, ...]:
    return tuple(sorted(points, key=lambda point: point.cost))
