"""`bench study`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import DataDir, Format, FormatOption, ResultsDir

if TYPE_CHECKING:
    from harness.running.runner import Progress
    from harness.studies.play import Part


def study(
    file: Annotated[str, typer.Argument(help="A study's TOML file, or the name of one that ships.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count the runs and estimate tokens and dollars; run nothing.")
    ] = False,
    max_cost: Annotated[
        float | None, typer.Option(help="US dollars for all runs, in place of the file's.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes, in place of the file's.")] = None,
    limit: Annotated[int | None, typer.Option(help="Puzzles a run, in place of the file's.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Also write the report of all runs to this file.")
    ] = None,
    data_dir: DataDir = None,
    results_dir: ResultsDir = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> None:
    """Play many runs from one file: tasks, solvers, seeds, dials; one cap; the same command resumes."""
    from dataclasses import replace

    from harness.running.runner import RunInterrupted
    from harness.studies import play as playing
    from harness.studies.spec import read

    asked: dict[str, Any] = {
        "max_cost_usd": max_cost,
        "workers": workers,
        "data_dir": data_dir and str(data_dir),
    }
    found = replace(read(file), **{name: value for name, value in asked.items() if value is not None})
    if limit is not None:
        tasks, solvers = ([replace(e, limit=limit) for e in of] for of in (found.tasks, found.solvers))
        found = replace(found, limit=limit, tasks=tasks, solvers=solvers)
    if dry_run:
        _estimate(playing.checked(found, results_dir), format)
        return
    watcher = Table() if sys.stderr.isatty() else Lines()
    try:
        parts = playing.study(found, results_dir=results_dir, watcher=watcher)
    except RunInterrupted:
        typer.echo("bench: interrupted; what is recorded is kept, the same command goes on.", err=True)
        raise typer.Exit(130) from None
    finally:
        watcher.close()
    _write(parts, results_dir, format)
    done = [part.result.path for part in parts if part.result is not None]
    if report is not None and done:
        _report(done, report, results_dir, data_dir)
    bad = [part for part in parts if part.state != "done"]
    for part in bad:
        typer.echo(f"bench: {part.name}: {part.state}: {part.error}", err=True)
    if bad:
        raise typer.Exit(1)


def _estimate(parts: Sequence[Part], form: Format) -> None:
    from harness.cli import tables
    from harness.running.progress import dollars
    from harness.studies.play import estimates

    rows = list(estimates(parts))
    cells = [
        [
            row.name,
            row.kind,
            f"{row.attempts:,}",
            f"{row.recorded:,}",
            "–" if row.prompt_tokens is None else f"{row.prompt_tokens:,.0f}",
            "–" if row.usd is None else "$0" if row.usd == 0 else f"≤ {dollars(row.usd)}",
        ]
        for row in rows
    ]
    columns = ("run", "kind", "attempts", "recorded", "prompt tokens", "cost")
    tables.write(columns, cells, [asdict(row) for row in rows], form)
    if form is not Format.TABLE:
        return
    known = sum(row.usd for row in rows if row.usd is not None)
    unknown = sum(row.usd is None for row in rows)
    most = f"at most {dollars(known)}" if known else "nothing for tokens"
    missing = f"; the price of {unknown:,} is unknown" if unknown else ""
    tables.note(f"{len(rows):,} runs, {sum(row.attempts for row in rows):,} attempts, {most}{missing}")


def _write(parts: Sequence[Part], results_dir: Path | None, form: Format) -> None:
    """Write the leaderboard of the study, and for people the paired tests of its runs."""
    from harness.cli import results, tables
    from harness.cli.compare import COLUMNS, cells
    from harness.scores import leaderboard as board
    from harness.scores.compare import compare

    ended = [part.result for part in parts if part.result is not None]
    named = {result.folder.name for result in ended}
    results.write(board.rows(results_dir, merge=True, runs=named)[0], form)
    if form is not Format.TABLE:
        return
    blocks: dict[tuple[str, ...], list[Any]] = {}
    for result in ended:
        if result.summary.headline.score is not None:
            task, record = result.record.task, result.record
            block = (task.name, str(task.changed), record.split, str(record.seed))
            blocks.setdefault(block, []).append(result.folder)
    pairs = [pair for block in blocks.values() if len(block) > 1 for pair in compare(block)]
    if pairs:
        print()
        tables.write(COLUMNS, [cells(pair) for pair in pairs], [], form)
        tables.note("Runs of the same puzzles, pair by pair: McNemar's exact test, Holm over a task's pairs")


def _report(runs: Sequence[Path], target: Path, results_dir: Path | None, data_dir: Path | None) -> None:
    from harness.cli.report import report

    report([str(path) for path in runs], out=target, results_dir=results_dir, data_dir=data_dir)


class Lines:
    """A line for each run that begins and ends, with the run's own progress between."""

    def begins(self, parts: Sequence[Part], at: int) -> Progress | None:
        from harness.running.progress import PlainProgress

        self.say(f"run {at + 1} of {len(parts)}: {parts[at].name}")
        return PlainProgress()

    def ended(self, parts: Sequence[Part], at: int) -> None:
        self.say(f"run {at + 1} of {len(parts)}: {told(parts[at])}")

    def close(self) -> None: ...

    def say(self, text: str) -> None:
        typer.echo(text, err=True)


class Table(Lines):
    """A table of all runs that refreshes, in a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self.live = Live(console=Console(stderr=True), refresh_per_second=4, transient=True)
        self.started = False

    def begins(self, parts: Sequence[Part], at: int) -> Progress | None:
        if not self.started:
            self.started = True
            self.live.start()
        self.parts, self.at, self.text = parts, at, ""
        self.refresh()
        return _Row(self)

    def ended(self, parts: Sequence[Part], at: int) -> None:
        self.parts, self.text = parts, ""
        self.refresh()

    def close(self) -> None:
        if self.started:
            self.live.stop()

    def refresh(self) -> None:
        from rich.table import Table as Drawn

        room = max(5, self.live.console.size.height - 6)
        first = max(0, min(self.at - room // 2, len(self.parts) - room))
        drawn = Drawn(box=None, pad_edge=False)
        drawn.add_column("run", overflow="ellipsis", no_wrap=True)
        drawn.add_column("", no_wrap=True)
        for place in range(first, min(first + room, len(self.parts))):
            part = self.parts[place]
            running = place == self.at and part.state == "running"
            drawn.add_row(part.name, self.text if running else short(part))
        ended = sum(part.state not in ("waiting", "running") for part in self.parts)
        drawn.title = f"{ended:,} of {len(self.parts):,} runs ended"
        self.live.update(drawn)


class _Row:
    """The progress of the run under way, written into the table."""

    def __init__(self, table: Table) -> None:
        from harness.running.progress import PlainProgress

        class Silent(PlainProgress):
            every = 0.25

            def say(self, text: str) -> None:
                table.text = text
                table.refresh()

        self.inner = Silent()

    def start(self, **words: Any) -> None:
        self.inner.start(**words)

    def advance(self, attempt: Any) -> None:
        self.inner.advance(attempt)

    def stop(self) -> None:
        self.inner.stop()


def told(part: Part) -> str:
    """Say what became of a run, with its name."""
    return f"{part.name}: {short(part)}"


def short(part: Part) -> str:
    """Say what became of a run."""
    if part.result is None or part.state in ("waiting", "running"):
        return part.state + (f": {part.error}" if part.error else "")
    from harness.cli import units

    headline = part.result.summary.headline
    score = "no score" if headline.score is None else f"{units.share(headline.score)}"
    span = "" if headline.low is None else f" ({units.span(headline.low, headline.high)})"
    return f"{part.state}, {score}{span}" + (f": {part.error}" if part.error else "")
