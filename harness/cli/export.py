"""`bench export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import DataDir, ResultsDir
from harness.cli.score import RunArgument


class Submission(StrEnum):
    """The formats of `harness.exchange.submissions`."""

    ARC_PRIZE = "arc-prize"
    KAGGLE_2020 = "kaggle-2020"


def export(
    run: RunArgument,
    format: Annotated[  # noqa: A002  named as the option
        Submission,
        typer.Option("--format", help="arc-prize: JSON with two attempts; kaggle-2020: CSV of flat grids."),
    ] = Submission.ARC_PRIZE,
    out: Annotated[
        Path | None,
        typer.Option(help="The file to write.", show_default="submission.json or .csv of the run"),
    ] = None,
    data_dir: DataDir = None,
    results_dir: ResultsDir = None,
) -> None:
    """Write the answers of a run on ARC as a file to submit; it holds every test input of the split."""
    from harness.errors import UserError
    from harness.exchange import submissions
    from harness.records.folder import write_atomically
    from harness.running.loading import load_items
    from harness.running.plan import recreate_task
    from harness.scores.leaderboard import find_run
    from harness.scores.summary import last_lines

    if out is not None and out.is_dir():
        raise UserError(f"--out {str(out)!r} is a folder.", rule="It must name the file to write.")
    folder = find_run(run, results_dir)
    config = folder.config()
    lines = last_lines(config, folder.lines(), where=str(folder.attempts_path)).values()
    items = load_items(
        recreate_task(config),
        split=config["split"],
        seed=config["seed"],
        limit=None,
        sample_ids=[],
        data_dir=data_dir,
    )
    ballot = submissions.collect((puzzle for puzzle, _ in items), lines)
    json_wanted = format is Submission.ARC_PRIZE
    target = out or folder.path / f"submission.{'json' if json_wanted else 'csv'}"
    write_atomically(
        target, submissions.arc_prize(ballot) if json_wanted else submissions.kaggle_2020(ballot)
    )
    zeros = "; the others hold a grid of zeros" if ballot.empty else ""
    typer.echo(
        f"{ballot.inputs - ballot.empty:,} of {ballot.inputs:,} test inputs have an answer{zeros}.", err=True
    )
    typer.echo(str(target))
