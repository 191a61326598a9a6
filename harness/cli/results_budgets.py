"""`bench leaderboard --front`, `--at-usd`, `--at-flops`, `--at-seconds`: solvers against what they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from harness.cli import tables, units
from harness.cli.options import Format
from harness.cli.tables import Column, Layout, Section
from harness.errors import DepthbenchError, UserError
from harness.scores.blocks import block_of
from harness.scores.values import RunValues

SOLVER = Column("solver", 0, wraps=True, least=20)
SCORE = Column("score", 0, right=True)
INTERVAL = Column("95 %", 0, "interval of the score in per cent", right=True)
TRAINED = Column("trained on", 3, wraps=True, least=20)
WRITTEN: Mapping[str, Callable[[float | None], str]] = {
    "usd": units.usd, "seconds": units.seconds, "flops": units.quantity, "tokens": units.quantity,
    "core": units.quantity, "stored": units.quantity, "active": units.quantity,
}  # fmt: skip


def write_front(
    results_dir: Path | None, task: str | None, solver: str | None, axis: str, form: Format, layout: Layout
) -> None:
    """Write, for each set of puzzles, which runs no other beats in both score and cost."""
    from harness.scores.front import AXES, front_of

    rows: list[list[str]] = []
    records: list[dict[str, Any]] = []
    unknown: list[str] = []
    for runs in same_puzzles(results_dir, task, solver):
        rows.append(_heading(runs))
        named = {run.name: run for run in runs}
        found = front_of(runs, axis)
        unknown += found.unknown
        for row in found.rows:
            run = named[row.run]
            block = block_of(run.record)
            records.append({"task": block.task, "axis": axis, "solver": _solver(run)} | asdict(row))
            rows.append(
                [
                    _solver(run),
                    WRITTEN[axis](row.cost),
                    units.share(row.score.score),
                    units.span(row.score.low, row.score.high),
                    "yes" if row.on_front else "–",
                    f"{100 * row.share:.0f} %",
                    block.training,
                    _short(row.run),
                ]
            )
    columns = (
        SOLVER,
        Column(axis, 0, AXES.get(axis, ""), right=True),
        SCORE,
        INTERVAL,
        Column("front", 0, "no other run has at least the score for at most the cost"),
        Column("sure", 0, "share of resampled puzzles for which that is so", right=True),
        TRAINED,
        Column("run", 2),
    )
    tables.write(columns, rows, records, form, layout)
    if unknown and form is Format.TABLE:
        tables.note(f"Left out, cost unknown: {', '.join(_short(name) for name in unknown)}.")


def write_at(
    results_dir: Path | None,
    task: str | None,
    solver: str | None,
    budget: tuple[str, float],
    form: Format,
    layout: Layout,
) -> None:
    """Write what each solver scores at one cost a puzzle, read off its own curve."""
    from harness.scores.budget import at_budget, curves_of

    axis, value = budget
    if not 0 < value < float("inf"):
        raise UserError(f"--at-{axis} {value:g} buys nothing.", rule="It is a number greater than 0.")
    rows: list[list[str]] = []
    records: list[dict[str, Any]] = []
    for runs in same_puzzles(results_dir, task, solver, light=False):
        rows.append(_heading(runs))
        named = {run.name: run for run in runs}
        found = [at_budget(curve, value) for curve in curves_of(runs, axis)]
        for at in sorted(found, key=lambda at: -1.0 if at.score is None else at.score.score, reverse=True):
            run = named[at.curve.points[0].run]
            block = block_of(run.record)
            records.append({"task": block.task, "axis": axis} | asdict(at))
            score = at.score
            rows.append(
                [
                    at.curve.solver,
                    at.curve.by or "one point",
                    "–" if score is None else units.share(score.score),
                    "–" if score is None else units.span(score.low, score.high),
                    _where(at, WRITTEN[axis]),
                    block.training,
                ]
            )
    columns = (
        SOLVER,
        Column("curve", 1, "what was varied"),
        SCORE,
        INTERVAL,
        Column(
            "read", 0, "between which points; – has no number, because nothing was measured there", wraps=True
        ),
        TRAINED,
    )
    tables.write(columns, rows, records, form, layout)


def _where(at: Any, written: Callable[[float | None], str]) -> str:
    points = at.curve.points
    if at.where == "measured":
        return f"measured at {written(at.budget)}"
    if at.where == "between":
        low = max((p for p in points if p.cost <= at.budget), key=lambda p: p.cost)
        high = min((p for p in points if p.cost >= at.budget), key=lambda p: p.cost)
        return f"between {low.at or written(low.cost)} and {high.at or written(high.cost)}"
    if len(points) == 1:
        return f"measured at {written(points[0].cost)} alone"
    return f"measured from {written(points[0].cost)} to {written(points[-1].cost)}"


def same_puzzles(
    results_dir: Path | None, task: str | None, solver: str | None, *, light: bool = True
) -> list[list[RunValues]]:
    """Read the runs, those of the very same puzzles together. Says on standard error what is left out."""
    from harness.records.find import left_out, scan
    from harness.scores.values import load

    groups: dict[tuple[str, ...], list[RunValues]] = {}
    for found in scan(results_dir):
        record = found.record
        if record is None:
            typer.echo(f"bench: {found.problem}", err=True)
            continue
        if task not in (None, record.task.name) or solver not in (None, record.solver.name):
            continue
        try:
            run = load(found.folder, light=light)
        except DepthbenchError as error:
            typer.echo(f"bench: {left_out(found.folder, error)}", err=True)
            continue
        if run.counted:
            key = (record.task.name, record.task.version, record.task.puzzles_sha256, run.metric.name)
            groups.setdefault(key, []).append(run)
    if not groups:
        raise UserError("No run to show.", next_step="`bench leaderboard` lists the runs.")
    return list(groups.values())


def _heading(runs: list[RunValues]) -> Section:
    block = block_of(runs[0].record)
    return Section(f"{block.task}, version {block.version}: {block.puzzles}, by {block.metric}")


def _solver(run: RunValues) -> str:
    from harness.scores.budget import who

    return who(run)


def _short(name: str) -> str:
    return name.rpartition("_")[2]
