"""Turn the recorded lines of a run into `summary.json`: outcomes, scores, depth curve, books.

Derived from `run.json` and the lines alone, in the order of the plan: delete it, and the same bytes come
back. The last line recorded for a pair is its outcome (`--retry-on-error` appends a new one); all its lines
are in the books.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from harness.books.ledger import costs
from harness.contracts import Outcome
from harness.errors import RunError, UserError
from harness.records.folder import Line, RunFolder, collector_paused, write_atomically
from harness.scores.statistics import Score, estimate

OUTCOMES = tuple(str(o) for o in Outcome if o is not Outcome.ANSWERED)
SUMMARY_SCHEMA = 2


def summary_of(folder: RunFolder, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the summary of a run: as stored if it is of these lines, else derived anew and stored."""
    try:
        stored = json.loads(folder.summary_path.read_bytes())
    except (OSError, ValueError):
        stored = None
    if (
        isinstance(stored, dict)
        and stored.get("schema") == SUMMARY_SCHEMA
        and folder.summary_is_fresh(stored["lines"])
    ):
        return stored
    return rebuild(folder, config or folder.config())


def rebuild(folder: RunFolder, config: Mapping[str, Any]) -> dict[str, Any]:
    """Derive the summary from the lines and store it."""
    with collector_paused():
        lines = folder.lines(drop=("answer", "reply", "detail"))
        found = {
            "schema": SUMMARY_SCHEMA,
            "lines": len(lines),
            **summarise(config, lines, where=str(folder.attempts_path)),
        }
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    with suppress(RunError):  # it can be derived again where it could not be stored
        write_atomically(folder.summary_path, text)
    return json.loads(text)  # type: ignore[no-any-return]


def last_lines(
    config: Mapping[str, Any], lines: Sequence[Line], *, where: str = ""
) -> dict[tuple[str, int], Line]:
    """Return the line that counts for each recorded pair, in the order of the plan."""
    last = {(line["puzzle"], line["attempt"]): line for line in lines}
    planned = itertools.product(config["puzzles"]["ids"], range(config["attempts_per_puzzle"]))
    ordered = {pair: last[pair] for pair in planned if pair in last}
    if len(ordered) < len(last):
        raise UserError(
            f"{where} holds attempt {next(pair for pair in last if pair not in ordered)}, which this run "
            "did not plan.",
            rule="Lines belong to the run.json beside them.",
            next_step="Restore the file or remove the folder.",
        )
    return ordered


def summarise(config: Mapping[str, Any], lines: Sequence[Line], *, where: str = "") -> dict[str, Any]:
    """Return outcomes, scores, depth curve and books of the lines. Every denominator is what was planned."""
    ids: list[str] = config["puzzles"]["ids"]
    groups: list[str] = config["puzzles"]["groups"] or ids
    attempts: int = config["attempts_per_puzzle"]
    counted = last_lines(config, lines, where=where)
    by_puzzle: dict[str, list[Line]] = {}
    for (puzzle, _), line in counted.items():
        by_puzzle.setdefault(puzzle, []).append(line)

    judged = {i: [line["numbers"] for line in of if "numbers" in line] for i, of in by_puzzle.items()}
    outcomes = dict.fromkeys(OUTCOMES, 0)
    outcomes |= Counter(line["outcome"] for line in counted.values())
    outcomes["not_run"] = len(ids) * attempts - len(counted)

    metrics = [
        {"name": m["name"], **asdict(_metric_score(m, ids, groups, judged))} for m in config["metrics"]
    ]
    depths = _depth_scores(config["metrics"][0], ids, groups, by_puzzle)
    return {
        "planned": len(ids) * attempts,
        "puzzles": len(ids),
        "complete": outcomes["not_run"] == 0,
        "outcomes": outcomes,
        "metrics": metrics,
        "depth_curve": depths and {depth: found["score"] for depth, found in depths.items()},
        "depth_scores": depths,
        "mean_depth": _mean([line["depth"] for line in counted.values() if "depth" in line]),
        "costs": costs([line.get("usage", {}) for line in lines], len(by_puzzle)),
    }


def score(values: Sequence[float], groups: Sequence[str], over: str) -> Score:
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


def _metric_score(
    metric: Mapping[str, Any],
    ids: Sequence[str],
    groups: Sequence[str],
    judged: Mapping[str, Sequence[Mapping[str, float]]],
) -> Score:
    """Return the score of one metric, of each puzzle's judged attempts: over the planned puzzles, or over
    those that `among` leaves of them.
    """
    chosen = [(group, best(metric, judged.get(i, ()))) for i, group in zip(ids, groups, strict=True)]
    if metric.get("among") is not None:
        chosen = [(group, value) for group, value in chosen if value is not None]
    missing = metric.get("missing", 0.0)
    values = [missing if value is None else value for _, value in chosen]
    return score(values, [group for group, _ in chosen], metric["over"])


def best(metric: Mapping[str, Any], attempts: Sequence[Mapping[str, float]]) -> float | None:
    """Return the best number of a puzzle's judged attempts in the metric's direction; None if it has none."""
    among = metric.get("among")
    values = [float(n[metric["number"]]) for n in attempts if among is None or n.get(among, 0.0) >= 1]
    if not values:
        return None
    return min(values) if metric.get("better", "high") == "low" else max(values)


def _depth_scores(
    metric: Mapping[str, Any],
    ids: Sequence[str],
    groups: Sequence[str],
    by_puzzle: Mapping[str, Sequence[Line]],
) -> dict[str, dict[str, Any]] | None:
    """Return {depth: headline score} over the depths at which the answer to every puzzle is known, all of
    what was planned.

    The last answer of a trace holds at all greater depths. Between two of its depths the answer is not known:
    a depth at which some puzzles halted, and others went on unseen, is left out. An attempt without a trace
    has no answer before it ended.
    """
    traces = {
        tuple(p["depth"] for p in line["trace"])
        for lines in by_puzzle.values()
        for line in lines
        if line.get("trace")
    }
    if not traces:
        return None
    depths = [d for d in sorted(set().union(*traces)) if all(d in trace or d > trace[-1] for trace in traces)]
    curves = {puzzle: [_carried(line, depths) for line in lines] for puzzle, lines in by_puzzle.items()}
    scores = {}
    for d, depth in enumerate(depths):
        held = {puzzle: [n for n in (c[d] for c in curve) if n] for puzzle, curve in curves.items()}
        scores[str(depth)] = asdict(_metric_score(metric, ids, groups, held))
    return scores


def _carried(line: Line, depths: Sequence[int]) -> list[Mapping[str, float] | None]:
    """Return the numbers of the answer held at each depth; None before the first."""
    points = list(line.get("trace", ()))
    if not points and "depth" in line and "numbers" in line:
        points = [{"depth": line["depth"], "numbers": line["numbers"]}]
    values: list[Mapping[str, float] | None] = []
    held: Mapping[str, float] | None = None
    i = 0
    for depth in depths:
        while i < len(points) and points[i]["depth"] <= depth:
            held = points[i].get("numbers", held)
            i += 1
        values.append(held)
    return values


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
