"""`bench leaderboard`."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.options import Format, FormatOption, ResultsDir


def leaderboard(
    task: Annotated[str | None, typer.Option(help="Only runs of this task.")] = None,
    solver: Annotated[str | None, typer.Option(help="Only runs of this solver.")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Show numbers from the literature instead, with source.")
    ] = False,
    results_dir: ResultsDir = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> None:
    """Show all runs side by side, best first within each task; or the numbers others have published."""
    from harness.cli import results

    if published:
        results.write_published(task, format)
        return
    from harness.leaderboards import scan

    rows, problems = scan(results_dir, task=task, solver=solver)
    if not rows and not problems:
        typer.echo("No run yet; `bench run --task sudoku --solver search` makes one.", err=True)
    results.write(rows, format)
    for problem in problems:
        typer.echo(f"bench: {problem}", err=True)
    if problems:
        raise typer.Exit(1)
