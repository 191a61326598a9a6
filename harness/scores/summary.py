"""Turn the recorded attempts of a run into its `Summary`: outcomes, scores, depth curve, books.

Derived from `run.json` and the lines alone, in the order of the plan: delete it, and the same bytes come
back. The last line recorded for a pair is its outcome (`--retry-on-error` appends a new one); all its lines
are in the books.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.books.ledger import column_costs
from harness.contracts import Metric, Outcome
from harness.errors import UserError
from harness.records.columns import CODES, Columns, of_records
from harness.records.contents import Digest, settle
from harness.records.folder import RunFolder
from harness.records.held import Held, held_at, traces_of, values_of
from harness.records.schema import (
    OUTCOMES,
    AttemptRecord,
    DepthScore,
    MetricScore,
    RunRecord,
    Summary,
)
from harness.scores.statistics import Score, estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Numbers = Mapping[str, float]


def summary_of(folder: RunFolder, record: RunRecord | None = None) -> Summary:
    """Return the summary of a run: as stored if it is of the folder as it is now, else derived anew and
    stored.
    """
    return folder.summary(note=True) or rebuild(folder, record or folder.record())


def rebuild(folder: RunFolder, record: RunRecord) -> Summary:
    """Derive the summary from the lines, or from their index, and store it."""
    lines = folder.attempts_path
    settle(lines)
    with Digest(lines) as digest:
        found = summarise_columns(record, folder.columns(record, digest), where=str(lines))
        folder.store_summary(found, digest)
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
    last_attempts(record, attempts, where=where)  # only what was planned
    return summarise_columns(record, of_records(attempts, record.puzzles.place), where=where)


def summarise_columns(record: RunRecord, lines: Columns, *, where: str = "") -> Summary:
    """Return the summary of lines that are columns already."""
    import numpy as np

    last = lines.last(record.attempts_per_puzzle)
    counts = np.bincount(lines.outcome[last], minlength=len(OUTCOMES)).tolist()
    outcomes = {str(outcome): count for outcome, count in zip(OUTCOMES, counts, strict=True)}
    outcomes[Outcome.NOT_RUN] = record.planned - len(last)
    held = Held(
        place=lines.place[last],
        attempt=lines.attempt[last],
        known=lines.judged[last],
        numbers={name: values[last] for name, values in lines.numbers.items()},
    )
    _check_metrics(record, held, where)
    metrics = tuple(_column_score(metric, record, held) for metric in record.metrics)
    if _nothing_came(lines, last):
        metrics = tuple(replace(metric, score=None, low=None, high=None) for metric in metrics)
    depths = depth_scores(record, lines, last)
    depth = lines.depth[last]
    depth = depth[~np.isnan(depth)]
    return Summary(
        lines=len(lines),
        planned=record.planned,
        puzzles=record.puzzles.count,
        complete=outcomes[Outcome.NOT_RUN] == 0,
        outcomes=outcomes,
        metrics=metrics,
        depth_curve=None if depths is None else {depth: found.score for depth, found in depths.items()},
        depth_scores=depths,
        mean_depth=float(depth.sum()) / len(depth) if len(depth) else None,
        costs=column_costs(lines.usage, len(lines), int(np.count_nonzero(np.diff(held.place, prepend=-1)))),
        asked={
            name: int(asked)
            for name, times in sorted(lines.asked.items())
            if (asked := np.nansum(times[last]))
        }
        or None,
    )


def _nothing_came(lines: Columns, last: NDArray[np.intp]) -> bool:
    """Say whether every call failed: that says nothing about the solver, and is no score of 0."""
    failed = lines.outcome[last] == CODES[Outcome.PROVIDER_ERROR]
    failed |= (lines.outcome[last] == CODES[Outcome.TIMED_OUT]) & (lines.known("passes")[last] == 0)
    return len(last) > 0 and bool(failed.all())


def nothing_came(attempts: Sequence[AttemptRecord]) -> bool:
    """Say whether every call failed: that says nothing about the solver, and is no score of 0."""
    return bool(attempts) and all(
        attempt.outcome is Outcome.PROVIDER_ERROR
        or (attempt.outcome is Outcome.TIMED_OUT and attempt.usage.passes == 0)
        for attempt in attempts
    )


def score_over(
    values: Sequence[float] | NDArray[np.float64], groups: Sequence[str] | None, over: str
) -> Score:
    """Turn one value per planned puzzle into a score, as `Metric.over` says. groups: None if each puzzle is
    its own.
    """
    clustered = groups is not None and len(set(groups)) < len(groups)
    if groups is None or over == "puzzle" or not clustered:
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
    return _metric_score(metric, [value_of(metric, judged.get(i, ()), attempts) for i in ids], groups)


def _column_score(metric: Metric, record: RunRecord, held: Held) -> MetricScore:
    """Return the score of one metric, of what attempts hold."""
    import numpy as np

    values = values_of(metric, held, record.puzzles.count, record.attempts_per_puzzle)
    none, groups = np.isnan(values), record.puzzles.groups
    if groups is None:  # as in most sets; a million values stay numbers of numpy
        kept = np.where(none, metric.missing, values) if metric.among is None else values[~none]
        return _scored(metric, score_over(kept, None, metric.over), planned=len(values))
    found = [None if out else value for value, out in zip(values.tolist(), none.tolist(), strict=True)]
    return _metric_score(metric, found, groups)


def _metric_score(metric: Metric, worth: Sequence[float | None], groups: Sequence[str]) -> MetricScore:
    """Return the score of what each planned puzzle is worth; None is unknown."""
    chosen = groups
    if metric.among is not None:
        values = [value for value in worth if value is not None]
        chosen = [group for group, value in zip(groups, worth, strict=True) if value is not None]
    else:
        values = [metric.missing if value is None else value for value in worth]
    planned = len(worth) if metric.over == "puzzle" else len(set(groups))
    return _scored(metric, score_over(values, chosen, metric.over), planned=planned)


def _scored(metric: Metric, found: Score, *, planned: int) -> MetricScore:
    known = found.n > 0
    return MetricScore(
        name=metric.name,
        score=found.score if known else None,
        low=found.low if known else None,
        high=found.high if known else None,
        n=found.n,
        planned=planned,
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


def _check_metrics(record: RunRecord, held: Held, where: str) -> None:
    import numpy as np

    for metric in record.metrics:
        lacking = np.flatnonzero(held.known & np.isnan(held.number(metric.number)))
        if len(lacking):
            puzzle = record.puzzles.ids[held.place[lacking[0]]]
            raise UserError(
                f"{where} holds a verdict of {puzzle!r} without {metric.number!r}.",
                rule=f"The metric {metric.name!r} of the run.json beside it is made of that number.",
                next_step="Restore the file or remove the folder.",
            )


def depth_scores(record: RunRecord, lines: Columns, last: NDArray[np.intp]) -> dict[str, DepthScore] | None:
    """Return {depth: headline score} over the depths at which the answer to every puzzle is known, all of
    what was planned; None without traces.

    The last answer of a trace holds at all greater depths. Between two of its depths the answer is not known:
    a depth at which some puzzles halted, and others went on unseen, is left out. An attempt without a trace
    has no answer before it ended.
    """
    if not len(lines.trace_line):
        return None
    groups = traces_of(lines, last)
    traces = [depths for depths, _, points in groups if points is not None]
    if not traces:
        return None
    depths = [d for d in sorted(set().union(*traces)) if all(d in trace or d > trace[-1] for trace in traces)]
    metric = record.metrics[0]
    curves = held_at(metric, lines, last, groups, depths)
    scores = {}
    for depth, held in zip(depths, curves, strict=True):
        best = replace(metric, of="best" if metric.of == "first" else metric.of)
        found = _column_score(best, record, held)
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
