"""`bench run --sweep`: every point of a sweep, then one curve, or with two dials one grid."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from harness.cli import tables, units
from harness.cli.options import Format
from harness.running import runner
from harness.running.progress import progress
from harness.running.sweep import Done, Point, Sweep, check, points, run
from harness.scores.leaderboard import row_of

BAR = 40  # columns of a full bar


def sweep(texts: Sequence[str], wanted: Mapping[str, Any], limits: Mapping[str, Any], form: Format) -> None:
    """Run every point of the sweeps and write what came out. `wanted` and `limits` are as for `runner.run`.

    Exits with 1 if a point failed, 130 on Ctrl-C; the same command goes on where it stood.
    """
    sweeps = [Sweep.read(text) for text in texts]
    made = points(sweeps, wanted["task_options"], wanted["solver_options"])
    check(made, wanted["task"], wanted["solver"])

    def one(point: Point) -> runner.RunResult:
        options = {"task_options": dict(point.task_options), "solver_options": dict(point.solver_options)}
        typer.echo(f"point {made.index(point) + 1} of {len(made)}: {_name(point)}", err=True)
        return runner.run(**{**wanted, **limits, **options}, progress=progress())

    done: list[Done] = []
    try:
        for point in run(made, one):
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
    names = [dial.name for dial in sweeps]
    columns = [*names, "metric", "score", "95 %", "planned", "failed", "run"]
    tables.write(columns, [_cells(record, names) for record in records], records, form)
    if form is not Format.TABLE:
        return
    depths = {depth: None for record in records for depth in record["depths"]}
    if len(sweeps) > 1:
        print()
        across = dict.fromkeys(sweeps[1].values)
        found = {(r["at"][names[0]], r["at"][names[1]]): r["row"] for r in records}
        _grid(f"{names[0]} ↓  {names[1]} →", sweeps[0].values, across, found)
    elif depths:
        print()
        found = {(r["at"][names[0]], depth): at for r in records for depth, at in r["depths"].items()}
        _grid(f"{names[0]} ↓  supervision steps →", sweeps[0].values, depths, found)
    if sys.stdout.isatty():
        print()
        for record in records:
            if record["row"] is not None:
                print(_bar(", ".join(f"{k}={v}" for k, v in record["at"].items()), record["row"]))


def _record(point: Done) -> dict[str, Any]:
    """Return what is known of a point as JSON values."""
    found: dict[str, Any] = {"at": dict(point.point.at), "error": point.error, "row": None, "depths": {}}
    if point.result is not None:
        result = point.result
        row = row_of(result.folder, result.config, result.summary)
        found |= {"row": dict(row), "depths": dict(result.summary["depth_scores"] or {})}
    return found


def _cells(record: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    at, row = [record["at"][name] for name in names], record["row"]
    if row is None:
        return [*at, "–", "failed", "–", "–", "–", "–"]
    failures = sum(n for kind, n in row["outcomes"].items() if kind not in ("correct", "wrong"))
    score, span = units.share(row["score"]), units.span(row["low"], row["high"])
    return [*at, row["metric"], score, span, f"{row['planned']:,}", str(failures or "–"), row["run"]]


def _grid(
    corner: str,
    down: Sequence[str],
    across: Mapping[str, None],
    found: Mapping[tuple[str, str], Mapping[str, Any] | None],
) -> None:
    rows = []
    for value in down:
        cells = [found.get((value, other)) for other in across]
        rows.append([value, *("–" if c is None else _share(c) for c in cells)])
    columns = [tables.Column(name, 0) for name in (corner, *across)]
    tables.write(columns, rows, (), Format.TABLE)


def _share(found: Mapping[str, Any]) -> str:
    return f"{units.share(found['score'])} ({units.span(found['low'], found['high'])})"


def _bar(label: str, row: Mapping[str, Any]) -> str:
    eighths = round(8 * BAR * row["score"])
    bar = "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
    return f"{label:>24} {bar:·<{BAR}} {units.share(row['score'])}"


def _name(point: Point) -> str:
    return ", ".join(f"{name}={value}" for name, value in point.at.items())
