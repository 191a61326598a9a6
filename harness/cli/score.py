"""`bench score`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import DataDir, Format, FormatOption, ResultsDir

RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="Folder, folder name, or a part of its name that fits no other, such as its hash."
    ),
]


def score(
    run: RunArgument = "",
    submission: Annotated[
        Path | None,
        typer.Option(help="A file of answers to ARC, in the form of ARC Prize or Kaggle, instead."),
    ] = None,
    task: Annotated[str, typer.Option(help="With --submission: arc1 or arc2.")] = "arc1",
    data_dir: DataDir = None,
    results_dir: ResultsDir = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> None:
    """Judge the recorded answers again with the task as it is now, without running the solver."""
    from harness.cli import results
    from harness.cli.import_ import import_
    from harness.errors import UserError
    from harness.records.find import find_run
    from harness.running import runner
    from harness.scores.leaderboard import row_of

    if bool(run) == (submission is not None):
        raise UserError(
            "bench score takes a run or --submission FILE.", next_step="`bench leaderboard` lists the runs."
        )
    if submission is not None:
        import_("arc-submission", submission, task, None, [], results_dir, format)
        return
    folder = find_run(run, results_dir)
    before = [attempt.outcome for attempt in folder.attempts(light=True)]
    result = runner.score(folder, data_dir=data_dir)
    changed = sum(old != new.outcome for old, new in zip(before, folder.attempts(light=True), strict=True))
    results.write([row_of(folder, result.record, result.summary)], format)
    if format is Format.TABLE:
        results.write_details(result.summary)
    typer.echo(f"{len(before):,} recorded attempts judged again, {changed:,} changed.", err=True)
