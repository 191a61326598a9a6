"""Turn the recorded attempts of a run into its `Summary`: outcomes, scores, depth curve, books.

Derived from `run.json` and the lines alone, in the order of the plan: delete it, and the same bytes come
back. The last line recorded for a pair is its outcome (`--retry-on-error` appends a new one); all its lines
are in the books.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from harness.books.ledger import costs
from harness.contracts import Metric, Outcome
from harness.errors import UserError
from harness.records.folder import RunFolder
from harness.records.jsonlines import collector_paused
from harness.records.schema import (
    OUTCOMES,
    AttemptRecord,
    DepthScore,
    MetricScore,
    RunRecord,
    Summary,
)
from harness.scores.statistics import Score, estimate

Numbers = Mapping[str, float]


def summary_of(folder: RunFolder, record: RunRecord | None = None) -> Summary:
    """Return the summary of a run: as stored if it is of the folder as it is now, else derived anew and
    stored.
    """
    return folder.summary() or rebuild(folder, record or folder.record())


def rebuild(folder: RunFolder, record: RunRecord) -> Summary:
    """Derive the summary from the lines and store it."""
    with collector_paused():
        attempts = folder.attempts(light=True)
        found = summarise(record, attempts, where=str(folder.attempts_path))
    folder.store_summary(found)
    return found


def last_attempts(
    record: RunRecord, attempts: Sequence[AttemptRecord], *, where: str = ""
) -> dict[tuple[str, int], AttemptRecord]:
    """Return the line that counts for each recorded pair, in the order of the plan."""
    last = {(attempt.puzzle, attempt.attempt): attempt for attempt in attempts}
    place = {puzzle: n for n, puzzle in enumerate(record.puzzles.ids)}
    for puzzle, number in last:
        if puzzle not in place or number >= record.attempts_per_puzzle:
            raise UserError(
                f"{where} holds attempt {(puzzle, number)}, which this run did not plan.",
                rule="Lines belong to the run.json beside them.",
                next_step="Restore the file or remove the folder.",
            )
    return dict(sorted(last.items(), key=lambda item: (place[item[0][0]], item[0][1])))


def summarise(record: RunRecord, attempts: Sequence[AttemptRecord], *, where: str = "") -> Summary:
    """Return outcomes, scores, depth curve and books of the lines. Every denominator is what was planned."""
    ids, groups = record.puzzles.ids, record.puzzles.group_names()
    counted = last_attempts(record, attempts, where=where)
    by_puzzle: dict[str, list[AttemptRecord]] = {}
    for (puzzle, _), attempt in counted.items():
        by_puzzle.setdefault(puzzle, []).append(attempt)

    judged = {i: [a.numbers for a in of if a.numbers is not None] for i, of in by_puzzle.items()}
    _check_metrics(record.metrics, judged, where)
    outcomes = Counter(attempt.outcome for attempt in counted.values())
    outcomes[Outcome.NOT_RUN] = record.planned - len(counted)
    tries = record.attempts_per_puzzle
    depths = _depth_scores(record.metrics[0], ids, groups, by_puzzle, tries)
    first = {
        i: [a.numbers for a in of if a.numbers is not None and a.attempt == 0] for i, of in by_puzzle.items()
    }
    metrics = tuple(
        metric_score(metric, ids, groups, first if metric.of == "first" else judged, tries)
        for metric in record.metrics
    )
    if nothing_came(list(counted.values())):
        metrics = tuple(replace(metric, score=None, low=None, high=None) for metric in metrics)
    return Summary(
        lines=len(attempts),
        planned=record.planned,
        puzzles=len(ids),
        complete=outcomes[Outcome.NOT_RUN] == 0,
        outcomes={str(outcome): outcomes[outcome] for outcome in OUTCOMES},
        metrics=metrics,
        depth_curve=None if depths is None else {depth: found.score for depth, found in depths.items()},
        depth_scores=depths,
        mean_depth=_mean([a.depth for a in counted.values() if a.depth is not None]),
        costs=costs([attempt.usage for attempt in attempts], len(by_puzzle)),
        asked=_asked(counted.values()),
    )


def _asked(attempts: Iterable[AttemptRecord]) -> dict[str, int] | None:
    """Return for how many attempts each member of a hybrid was asked; None for any other solver."""
    told = [attempt.detail["asked"] for attempt in attempts if "asked" in attempt.detail]
    members = [str(name) for asked in told if isinstance(asked, list) for name in asked]
    return dict(sorted(Counter(members).items())) or None


def nothing_came(attempts: Sequence[AttemptRecord]) -> bool:
    """Say whether every call failed: that says nothing about the solver, and is no score of 0."""
    return bool(attempts) and all(
        attempt.outcome is Outcome.PROVIDER_ERROR
        or (attempt.outcome is Outcome.TIMED_OUT and attempt.usage.passes == 0)
        for attempt in attempts
    )


def score_over(values: Sequence[float], groups: Sequence[str], over: str) -> Score:
    """Turn one value per planned puzzle into a score, as `Metric.over` says."""
    clustered = len(set(groups)) < len(groups)
    if over == "puzzle" or not clustered:
        if over == "strict":
            values = [float(v >= 1) for v in values]
        return estimate(values, groups if clustered else None)
    members: dict[str, list[float]] = {}
    for group, value in zip(groups, values, strict=True):
        members.setdefault(group, []).append(value)
    if over == "strict":
        return estimate([float(min(m) >= 1) for m in members.values()])
    return estimate([sum(m) / len(m) for m in members.values()])


def metric_score(
    metric: Metric,
    ids: Sequence[str],
    groups: Sequence[str],
    judged: Mapping[str, Sequence[Numbers]],
    attempts: int = 1,
) -> MetricScore:
    """Return the score of one metric, of each puzzle's judged attempts out of so many planned: over the
    planned puzzles, or over those that `among` leaves of them; with none left it is unknown.
    """
    chosen = [
        (group, value_of(metric, judged.get(i, ()), attempts)) for i, group in zip(ids, groups, strict=True)
    ]
    if metric.among is not None:
        chosen = [(group, value) for group, value in chosen if value is not None]
    values = [metric.missing if value is None else value for _, value in chosen]
    found = score_over(values, [group for group, _ in chosen], metric.over)
    known = found.n > 0
    return MetricScore(
        name=metric.name,
        score=found.score if known else None,
        low=found.low if known else None,
        high=found.high if known else None,
        n=found.n,
        planned=len(ids) if metric.over == "puzzle" else len(set(groups)),
        better=metric.better,
        among=metric.among,
    )


def value_of(metric: Metric, attempts: Sequence[Numbers], planned: int = 1) -> float | None:
    """Return what a puzzle's judged attempts are worth: the best of their numbers in the metric's direction,
    or the mean over the planned ones; None if there is no number.
    """
    among = metric.among
    values = [float(n[metric.number]) for n in attempts if among is None or n.get(among, 0.0) >= 1]
    if not values:
        return None
    if metric.of == "mean":
        missing = max(0, planned - len(values)) if among is None else 0
        return (math.fsum(values) + metric.missing * missing) / (len(values) + missing)
    return min(values) if metric.better == "low" else max(values)


def _check_metrics(metrics: Sequence[Metric], judged: Mapping[str, Sequence[Numbers]], where: str) -> None:
    for metric in metrics:
        for puzzle, verdicts in judged.items():
            if any(metric.number not in numbers for numbers in verdicts):
                raise UserError(
                    f"{where} holds a verdict of {puzzle!r} without {metric.number!r}.",
                    rule=f"The metric {metric.name!r} of the run.json beside it is made of that number.",
                    next_step="Restore the file or remove the folder.",
                )


def _depth_scores(
    metric: Metric,
    ids: Sequence[str],
    groups: Sequence[str],
    by_puzzle: Mapping[str, Sequence[AttemptRecord]],
    tries: int,
) -> dict[str, DepthScore] | None:
    """Return {depth: headline score} over the depths at which the answer to every puzzle is known, all of
    what was planned.

    The last answer of a trace holds at all greater depths. Between two of its depths the answer is not known:
    a depth at which some puzzles halted, and others went on unseen, is left out. An attempt without a trace
    has no answer before it ended.
    """
    depths = known_depths([attempt for of in by_puzzle.values() for attempt in of])
    if depths is None:
        return None
    curves = {puzzle: [carried(attempt, depths) for attempt in of] for puzzle, of in by_puzzle.items()}
    scores = {}
    for d, depth in enumerate(depths):
        held = {puzzle: [n for n in (c[d] for c in curve) if n] for puzzle, curve in curves.items()}
        found = metric_score(metric, ids, groups, held, tries)
        scores[str(depth)] = DepthScore(score=found.score, low=found.low, high=found.high, n=found.n)
    return scores


def known_depths(attempts: Sequence[AttemptRecord]) -> list[int] | None:
    """Return the depths at which every answer along the traces is known; None where there is no trace."""
    traces = {tuple(point.depth for point in attempt.trace) for attempt in attempts if attempt.trace}
    if not traces:
        return None
    return [d for d in sorted(set().union(*traces)) if all(d in trace or d > trace[-1] for trace in traces)]


def carried(attempt: AttemptRecord, depths: Sequence[int]) -> list[Numbers | None]:
    """Return the numbers of the answer held at each depth; None before the first."""
    points = [(point.depth, point.numbers) for point in attempt.trace]
    if not points and attempt.depth is not None and attempt.numbers is not None:
        points = [(attempt.depth, attempt.numbers)]
    values: list[Numbers | None] = []
    held: Numbers | None = None
    i = 0
    for depth in depths:
        while i < len(points) and points[i][0] <= depth:
            held = held if points[i][1] is None else points[i][1]
            i += 1
        values.append(held)
    return values


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
