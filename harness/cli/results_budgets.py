"""`bench leaderboard --front`, `--at-usd`, `--at-flops`, `--at-seconds`: solvers against what they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli import tables, units
from harness.cli.options import Format
from harness.cli.results import SPREAD
from harness.cli.tables import Column, Layout, Section
from harness.errors import DepthbenchError, UserError
from harness.scores.blocks import block_of
from harness.scores.values import RunValues

if TYPE_CHECKING:
    from harness.scores.budget import AtBudget
    from harness.scores.front import FrontRow

SEEDS = Column("seeds", 2, "runs taken as one", right=True, spare=True)
SOLVER = Column("solver", 0, wraps=True, least=20)
SCORE = Column("score", 0, right=True)
INTERVAL = Column("95 %", 0, "interval of the score in per cent", right=True)
TRAINED = Column("trained on", 3, wraps=True, least=20)
WRITTEN: Mapping[str, Callable[[float | None], str]] = {
    "usd": units.usd, "seconds": units.seconds, "flops": units.quantity, "tokens": units.quantity,
    "core": units.parameters, "stored": units.parameters, "active": units.parameters,
}  # fmt: skip


def write_front(sets: Sequence[Sequence[RunValues]], axis: str, form: Format, layout: Layout) -> None:
    """Write, for each set of puzzles, which runs no other beats in both score and cost."""
    from harness.scores.front import AXES, front_of

    rows: list[list[str]] = []
    records: list[dict[str, Any]] = []
    unknown: list[str] = []
    for runs in sets:
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
                    *_seeds(row),
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
        SPREAD,
        SEEDS,
        Column("front", 0, "no other run has at least the score for at most the cost"),
        Column("sure", 0, "share of resampled puzzles for which that is so", right=True),
        TRAINED,
        Column("run", 2),
    )
    tables.write(columns, rows, records, form, layout)
    if unknown and form is Format.TABLE:
        tables.note(f"Left out, cost unknown: {', '.join(_short(name) for name in unknown)}.")


def write_at(
    sets: Sequence[Sequence[RunValues]], budget: tuple[str, float], form: Format, layout: Layout
) -> None:
    """Write what each solver scores at one cost a puzzle, read off its own curve; seeds that were taken as
    one are each read by themselves.
    """
    from harness.scores.budget import read_at

    axis, value = budget
    if not 0 < value < float("inf"):
        raise UserError(f"--at-{axis} {value:g} buys nothing.", rule="It is a number greater than 0.")
    rows: list[list[str]] = []
    records: list[dict[str, Any]] = []
    for runs in sets:
        rows.append(_heading(runs))
        named = {one.name: one for run in runs for one in run.each}
        found = read_at(list(named.values()), axis, value, merge=len(named) > len(runs))
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
                    *_seeds(at),
                    _where(at, WRITTEN[axis]),
                    block.training,
                ]
            )
    columns = (
        SOLVER,
        Column("curve", 1, "what was varied"),
        SCORE,
        INTERVAL,
        SPREAD,
        SEEDS,
        Column(
            "read", 0, "between which points; – has no number, because nothing was measured there", wraps=True
        ),
        TRAINED,
    )
    tables.write(columns, rows, records, form, layout)


def _seeds(row: FrontRow | AtBudget) -> tuple[str, str]:
    spread = "–" if row.spread is None else f"{100 * row.spread:.1f}"
    return spread, str(len(row.seeds)) if row.seeds else "–"


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
    results_dir: Path | None, task: str | None, solver: str | None, *, light: bool = True, merge: bool = False
) -> list[list[RunValues]]:
    """Read the runs, those of the very same puzzles together; merge: those that differ in a seed alone as
    one. Says on standard error what is left out.
    """
    from harness.records.find import left_out, scan
    from harness.scores.seeds import with_seeds_as_one
    from harness.scores.values import load

    runs: list[RunValues] = []
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
            runs.append(run)
    groups: dict[tuple[Any, ...], list[RunValues]] = {}
    for run in with_seeds_as_one(runs) if merge else runs:
        task_record = run.record.task
        key = (task_record.name, task_record.version, run.puzzle_sets, run.metric.name)
        groups.setdefault(key, []).append(run)
    if not groups:
        raise UserError("No run to show.", next_step="`bench leaderboard` lists the runs.")
    return list(groups.values())


def _heading(runs: Sequence[RunValues]) -> Section:
    block = block_of(runs[0].record)
    puzzles = " and ".join(sorted({block_of(one.record).puzzles for one in runs[0].each}))
    return Section(f"{block.task}, version {block.version}: {puzzles}, by {block.metric}")


def _solver(run: RunValues) -> str:
    from harness.scores.budget import who

    return who(run)


def _short(name: str) -> str:
    return name.rpartition("_")[2]
