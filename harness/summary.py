"""Turn the recorded lines of a run into `summary.json`: outcomes, scores, depth curve, books.

Derived from `run.json` and the lines alone, in the order of the plan: delete it, and the same bytes come back.
The last line recorded for a pair is its outcome (`--retry-on-error` appends a new one); all its lines are in the books.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from harness.contracts import Outcome
from harness.errors import RunError, UserError
from harness.ledger import costs
from harness.records import Line, RunFolder, collector_paused, write_atomically
from harness.statistics import Score, estimate

OUTCOMES = tuple(str(o) for o in Outcome if o is not Outcome.ANSWERED)
SUMMARY_SCHEMA = 2


def summary_of(folder: RunFolder, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the summary of a run: as stored if it is of these lines, else derived anew and stored."""
    try:
        stored = json.loads(folder.summary_path.read_bytes())
    except (OSError, ValueError):
        stored = None
    if isinstance(stored, dict) and stored.get("schema") == SUMMARY_SCHEMA and folder.summary_is_fresh(stored["lines"]):
        return stored
    return rebuild(folder, config or folder.config())


def rebuild(folder: RunFolder, config: Mapping[str, Any]) -> dict[str, Any]:
    """Derive the summary from the lines and store it."""
    with collector_paused():
        lines = folder.lines(drop=("answer", "reply", "detail"))
        found = {"schema": SUMMARY_SCHEMA, "lines": len(lines), **summarise(config, lines, where=str(folder.attempts_path))}
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    with suppress(RunError):  # it can be derived again where it could not be stored
        write_atomically(folder.summary_path, text)
    return json.loads(text)  # type: ignore[no-any-return]


def last_lines(config: Mapping[str, Any], lines: Sequence[Line], *, where: str = "") -> dict[tuple[str, int], Line]:
    """Return the line that counts for each recorded pair, in the order of the plan."""
    last = {(line["puzzle"], line["attempt"]): line for line in lines}
    planned = itertools.product(config["puzzles"]["ids"], range(config["attempts_per_puzzle"]))
    ordered = {pair: last[pair] for pair in planned if pair in last}
    if len(ordered) < len(last):
        raise UserError(
            f"{where} holds attempt {next(pair for pair in last if pair not in ordered)}, which this run did not plan.",
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

    outcomes = dict.fromkeys(OUTCOMES, 0)
    outcomes |= Counter(line["outcome"] for line in counted.values())
    outcomes["not_run"] = len(ids) * attempts - len(counted)

    metrics = [
        {"name": m["name"], **asdict(score([_best(by_puzzle.get(i, ()), m["number"]) for i in ids], groups, m["over"]))}
        for m in config["metrics"]
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


def _best(lines: Sequence[Line], number: str) -> float:
    if len(lines) == 1:
        return float(lines[0]["numbers"][number]) if "numbers" in lines[0] else 0.0
    return max((line["numbers"][number] for line in lines if "numbers" in line), default=0.0)


def _depth_scores(
    metric: Mapping[str, str], ids: Sequence[str], groups: Sequence[str], by_puzzle: Mapping[str, Sequence[Line]]
) -> dict[str, dict[str, Any]] | None:
    """Return {depth: headline score} over the depths at which the answer to every puzzle is known, all of what was planned.

    The last answer of a trace holds at all greater depths. Between two of its depths the answer is not known: a depth at which
    some puzzles halted, and others went on unseen, is left out. An attempt without a trace has no answer before it ended.
    """
    traces = {tuple(p["depth"] for p in line["trace"]) for lines in by_puzzle.values() for line in lines if line.get("trace")}
    if not traces:
        return None
    depths = [d for d in sorted(set().union(*traces)) if all(d in trace or d > trace[-1] for trace in traces)]
    number = metric["number"]
    curves = {puzzle: [_carried(line, number, depths) for line in lines] for puzzle, lines in by_puzzle.items()}
    return {
        str(depth): asdict(score([max((c[d] for c in curves.get(i, ())), default=0.0) for i in ids], groups, metric["over"]))
        for d, depth in enumerate(depths)
    }


def _carried(line: Line, number: str, depths: Sequence[int]) -> list[float]:
    points = list(line.get("trace", ()))
    if not points and "depth" in line and "numbers" in line:
        points = [{"depth": line["depth"], "numbers": line["numbers"]}]
    values, held, i = [], 0.0, 0
    for depth in depths:
        while i < len(points) and points[i]["depth"] <= depth:
            held = points[i]["numbers"][number] if "numbers" in points[i] else held
            i += 1
        values.append(held)
    return values


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
