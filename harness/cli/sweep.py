"""`bench run --sweep`: every point of a sweep, then one curve, or with two dials one grid."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import typer

from harness.cli import tables, units
from harness.cli.options import Format
from harness.records.schema import DepthScore, RunSpec
from harness.running import runner
from harness.running.plan import plan_run
from harness.running.progress import progress
from harness.running.sweep import Done, Point, Sweep, check, points, run_points
from harness.scores.leaderboard import Row, row_of

BAR = 40  # columns of a full bar


def sweep(texts: Sequence[str], spec: RunSpec, form: Format) -> None:
    """Run every point of the sweeps and write what came out; `spec` is what the points share.

    Exits with 1 if a point failed, 130 on Ctrl-C; the same command goes on where it stood.
    """
    sweeps = [Sweep.read(text) for text in texts]
    made = points(sweeps, spec.task_options or {}, spec.solver_options or {})
    check(made, spec.task, spec.solver)

    def one(point: Point) -> runner.RunResult:
        typer.echo(f"point {made.index(point) + 1} of {len(made)}: {_name(point)}", err=True)
        at = replace(spec, task_options=point.task_options, solver_options=point.solver_options)
        return runner.execute(plan_run(at), progress())

    done: list[Done] = []
    try:
        for point in run_points(made, one):
            done.append(point)
            if point.error is not None:
                typer.echo(f"bench: the point {_name(point.point)} failed: {point.error}", err=True)
    except runner.RunInterrupted as interrupted:
        done.append(Done(point=made[len(done)], result=interrupted.result))
        write(sweeps, done, form)
        typer.echo(
            f"bench: interrupted in point {len(done)} of {len(made)}; give the same command again to resume.",
            err=True,
        )
        raise typer.Exit(130) from None
    write(sweeps, done, form)
    if any(point.error is not None for point in done):
        raise typer.Exit(1)


def write(sweeps: Sequence[Sweep], done: Sequence[Done], form: Format) -> None:
    """Write the points: records for machines; for people a table, a grid where there are two dials, and in a
    terminal bars.
    """
    records = [_record(point) for point in done]
    rows = [_row(point) for point in done]
    names = [dial.name for dial in sweeps]
    columns = [*names, "metric", "score", "95 %", "planned", "failed", "run"]
    tables.write(
        columns, [_cells(point, row, names) for point, row in zip(done, rows, strict=True)], records, form
    )
    if form is not Format.TABLE:
        return
    curves = [_depths(point) for point in done]
    depths = {depth: None for curve in curves for depth in curve}
    at = [point.point.at for point in done]
    found: dict[tuple[str, str], Row | DepthScore | None]
    if len(sweeps) > 1:
        print()
        across = dict.fromkeys(sweeps[1].values)
        found = {(a[names[0]], a[names[1]]): row for a, row in zip(at, rows, strict=True)}
        _grid(f"{names[0]} ↓  {names[1]} →", sweeps[0].values, across, found)
    elif depths:
        print()
        found = {
            (a[names[0]], depth): score
            for a, curve in zip(at, curves, strict=True)
            for depth, score in curve.items()
        }
        _grid(f"{names[0]} ↓  supervision steps →", sweeps[0].values, depths, found)
    if sys.stdout.isatty():
        print()
        for point, row in zip(done, rows, strict=True):
            if row is not None and row.score is not None:
                print(_bar(_name(point.point), row.score))


def _record(point: Done) -> dict[str, Any]:
    """Return what is known of a point as JSON values."""
    row = _row(point)
    return {
        "at": dict(point.point.at),
        "error": point.error,
        "row": None if row is None else asdict(row),
        "depths": {depth: asdict(score) for depth, score in _depths(point).items()},
    }


def _row(point: Done) -> Row | None:
    result = point.result
    return None if result is None else row_of(result.folder, result.record, result.summary)


def _depths(point: Done) -> Mapping[str, DepthScore]:
    return {} if point.result is None else point.result.summary.depth_scores or {}


def _cells(point: Done, row: Row | None, names: Sequence[str]) -> list[str]:
    at = [point.point.at[name] for name in names]
    if row is None:
        return [*at, "–", "failed", "–", "–", "–", "–"]
    failed = sum(n for kind, n in row.outcomes.items() if kind not in ("correct", "wrong"))
    score, span = units.share(row.score), units.span(row.low, row.high)
    return [*at, row.metric, score, span, f"{row.planned:,}", str(failed or "–"), row.run]


def _grid(
    corner: str,
    down: Sequence[str],
    across: Mapping[str, None],
    found: Mapping[tuple[str, str], Row | DepthScore | None],
) -> None:
    rows = []
    for value in down:
        cells = [found.get((value, other)) for other in across]
        rows.append([value, *("–" if c is None else _share(c) for c in cells)])
    columns = [tables.Column(name, 0) for name in (corner, *across)]
    tables.write(columns, rows, (), Format.TABLE)


def _share(found: Row | DepthScore) -> str:
    return f"{units.share(found.score)} ({units.span(found.low, found.high)})"


def _bar(label: str, score: float) -> str:
    eighths = round(8 * BAR * score)
    bar = "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
    return f"{label:>24} {bar:·<{BAR}} {units.share(score)}"


def _name(point: Point) -> str:
    return ", ".join(f"{name}={value}" for name, value in point.at.items())
