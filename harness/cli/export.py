"""`bench export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import DataDir, ResultsDir
from harness.cli.score import RunArgument


def export(
    run: RunArgument,
    format: Annotated[  # noqa: A002  named as the option
        str | None,
        typer.Option(
            "--format", help="The format of the file, as the run's task names it.", show_default="its first"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The file to write.", show_default="submission.json or .csv of the run"),
    ] = None,
    data_dir: DataDir = None,
    results_dir: ResultsDir = None,
) -> None:
    """Write the answers of a run as a file to submit (ARC: arc-prize or kaggle-2020)."""
    from harness.capabilities import Submits
    from harness.errors import UserError
    from harness.records.find import find_run
    from harness.records.jsonlines import write_atomically
    from harness.records.normal import normal
    from harness.running.loading import load_items
    from harness.running.plan import recreate_task
    from harness.scores.summary import last_attempts

    if out is not None and out.is_dir():
        raise UserError(f"--out {str(out)!r} is a folder.", rule="It must name the file to write.")
    folder = find_run(run, results_dir)
    record = folder.record()
    task = recreate_task(record)
    if not isinstance(task, Submits):
        raise UserError(
            f"The task {task.name!r} has no format to submit answers in.",
            rule="A task says itself how its answers are handed in.",
            next_step="Choose a run of a task of ARC, or of another that does.",
        )
    last = last_attempts(record, folder.attempts(), where=str(folder.attempts_path))
    items = load_items(
        task, split=record.split, seed=record.seed, limit=None, sample_ids=(), data_dir=data_dir
    )
    found = task.submission(
        format or task.submission_formats[0],
        [puzzle for puzzle, _ in items],
        {pair: normal(attempt.answer) for pair, attempt in last.items()},
    )
    target = out or folder.path / f"submission.{found.suffix}"
    write_atomically(target, found.text)
    rest = f"; the others hold {found.filled_with}" if found.empty else ""
    typer.echo(
        f"{found.inputs - found.empty:,} of {found.inputs:,} test inputs have an answer{rest}.", err=True
    )
    typer.echo(str(target))
