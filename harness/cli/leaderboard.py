"""`bench leaderboard`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import ColumnsOption, Format, FormatOption, ResultsDir, WideOption
from harness.errors import UserError, did_you_mean


def leaderboard(
    task: Annotated[str | None, typer.Option(help="Only runs of this task.")] = None,
    solver: Annotated[str | None, typer.Option(help="Only runs of this solver.")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Beside the numbers others have published, with source.")
    ] = False,
    results_dir: ResultsDir = None,
    columns: ColumnsOption = None,
    wide: WideOption = False,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> None:
    """Show all runs side by side, best first within each task; or beside the numbers others published."""
    from harness.cli import results
    from harness.cli.tables import Layout

    layout = Layout(wide=wide, columns=columns)
    if published and solver is not None:
        raise UserError(f"--solver {solver!r} does not go with --published.", rule="They are of models.")
    from harness.scores import leaderboard as board

    rows, problems = board.rows(results_dir, task=task, solver=solver)
    for problem in problems:
        typer.echo(f"bench: {problem}", err=True)
    if published:
        results.write_joined(rows, task, format, layout)
    else:
        if not rows:
            _explain(results_dir, task, solver)
        results.write(rows, format, layout)
    if problems:
        raise typer.Exit(1)


def _explain(results_dir: Path | None, task: str | None, solver: str | None) -> None:
    """Say why there is no row: the folder holds no run at all, or none of what was asked for, which is an
    error.
    """
    from harness.records.find import results_folder
    from harness.scores import leaderboard as board

    folder = results_folder(results_dir)
    if results_dir is not None and not folder.is_dir():
        raise UserError(
            f"The results folder {str(results_dir)!r} does not exist.", next_step="`bench run` makes it."
        )
    runs, problems = board.rows(results_dir)
    among = f"{len(runs):,} run{'s' * (len(runs) > 1)} in {folder}"
    for kind, name in (("task", task), ("solver", solver)):
        known = {getattr(run, kind) for run in runs}
        if name is not None and known and name not in known:
            raise UserError(f"{among}, none of the {kind} {name!r}.", rule=did_you_mean(name, known))
    if runs:
        raise UserError(f"{among}, none of the task {task!r} and the solver {solver!r}.")
    if not problems:
        typer.echo(f"No run in {folder} yet; `bench run --task sudoku --solver search` makes one.", err=True)
