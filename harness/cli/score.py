"""`bench score`."""

from __future__ import annotations

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
    run: RunArgument,
    data_dir: DataDir = None,
    results_dir: ResultsDir = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> None:
    """Judge the recorded answers again with the task as it is now, without running the solver."""
    from harness.cli import results
    from harness.running import runner
    from harness.scores.leaderboard import find_run, row_of

    folder = find_run(run, results_dir)
    before = [line["outcome"] for line in folder.lines()]
    result = runner.score(folder, data_dir=data_dir)
    changed = sum(old != line["outcome"] for old, line in zip(before, folder.lines(), strict=True))
    results.write([row_of(folder, result.config, result.summary)], format)
    if format is Format.TABLE:
        results.write_details(result.summary)
    typer.echo(f"{len(before):,} recorded attempts judged again, {changed:,} changed.", err=True)
