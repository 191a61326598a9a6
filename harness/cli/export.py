"""`bench export`: runs in the forms of other tools, or a run's answers as its task hands them in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import DataDir, ResultsDir

if TYPE_CHECKING:
    from harness.capabilities import Submission
    from harness.records.folder import RunFolder


def export(
    runs: Annotated[list[str], typer.Argument(metavar="RUN [RUN...]", help="Runs, as for bench show.")],
    format: Annotated[  # noqa: A002  named as the option
        str | None,
        typer.Option(
            "--format",
            help="every-eval-ever, inspect, parquet, csv, markdown, latex; or as the run's task names it.",
            show_default="the first of the task",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="The file to write, or the folder for several.",
            show_default="submission.json or .csv of the run, or export/",
        ),
    ] = None,
    data_dir: DataDir = None,
    results_dir: ResultsDir = None,
) -> None:
    """Write runs for other tools, or the answers of one as a file to submit (ARC: arc-prize, kaggle-2020)."""
    from harness.exchange import exports
    from harness.records.find import find_run

    if format is None or format not in exports.FORMS:
        _check_file(out)
        _submit(runs, format, out, data_dir, results_dir)
        return
    folders = {folder.path.resolve(): folder for folder in (find_run(run, results_dir) for run in runs)}
    for path in exports.write(list(folders.values()), format, out or Path("export"), data_dir):
        typer.echo(str(path))


def _check_file(out: Path | None) -> None:
    from harness.errors import UserError

    if out is not None and out.is_dir():
        raise UserError(f"--out {str(out)!r} is a folder.", rule="It must name the file to write.")


def _submit(
    runs: list[str], form: str | None, out: Path | None, data_dir: Path | None, results_dir: Path | None
) -> None:
    from harness.capabilities import Submits
    from harness.errors import UserError, did_you_mean
    from harness.exchange.exports import FORMS
    from harness.records.find import find_run
    from harness.records.jsonlines import write_atomically
    from harness.running.plan import recreate_task

    folder = find_run(runs[0], results_dir)
    task = recreate_task(folder.record())
    own = task.submission_formats if isinstance(task, Submits) else ()
    if form is not None and form not in own:
        known = [*own, *FORMS]
        raise UserError(f"No format {form!r}.", rule=did_you_mean(form, known, show=len(known)))
    if not isinstance(task, Submits):
        raise UserError(
            f"The task {task.name!r} has no format to submit answers in.",
            rule="A task says itself how its answers are handed in.",
            next_step=f"Choose a run of a task of ARC, or --format {', '.join(FORMS)}.",
        )
    if len(runs) > 1:
        raise UserError(f"{len(runs)} runs were named.", rule="Answers are handed in of one run.")
    found = _submission(folder, task, form or own[0], data_dir)
    target = out or folder.path / f"submission.{found.suffix}"
    write_atomically(target, found.text)
    rest = f"; the others hold {found.filled_with}" if found.empty else ""
    typer.echo(
        f"{found.inputs - found.empty:,} of {found.inputs:,} test inputs have an answer{rest}.", err=True
    )
    typer.echo(str(target))


def _submission(folder: RunFolder, task: Any, form: str, data_dir: Path | None) -> Submission:
    from harness.records.normal import normal
    from harness.running.loading import load_items
    from harness.scores.summary import last_attempts

    record = folder.record()
    last = last_attempts(record, folder.attempts(), where=str(folder.attempts_path))
    items = load_items(
        task, split=record.split, seed=record.seed, limit=None, sample_ids=(), data_dir=data_dir
    )
    answers = {pair: normal(attempt.answer) for pair, attempt in last.items()}
    found: Submission = task.submission(form, [puzzle for puzzle, _ in items], answers)
    return found
