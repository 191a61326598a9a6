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
    study: Annotated[str | None, typer.Option(help="Only the runs of this study.")] = None,
    amortise: Annotated[
        int | None,
        typer.Option(metavar="N", help="Add each puzzle's share of training, spread over N puzzles."),
    ] = None,
    each_seed: Annotated[
        bool, typer.Option("--each-seed", help="A row a run: do not merge runs that differ in a seed alone.")
    ] = False,
    front: Annotated[
        str | None,
        typer.Option(
            metavar="COST", help="Pareto front against core, stored, active, flops, usd, seconds, tokens."
        ),
    ] = None,
    at_usd: Annotated[float | None, typer.Option(help="Every solver at this many dollars a puzzle.")] = None,
    at_flops: Annotated[float | None, typer.Option(help="Every solver at this many FLOPs a puzzle.")] = None,
    at_seconds: Annotated[
        float | None, typer.Option(help="Every solver at this many seconds a puzzle.")
    ] = None,
    results_dir: ResultsDir = None,
    columns: ColumnsOption = None,
    wide: WideOption = False,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> None:
    """Show all runs side by side, best first in each block of those that may be ranked.

    Runs of other puzzles, training or prompts stand in blocks of their own, which say what differs.
    """
    from harness.cli import results
    from harness.cli.tables import Layout

    layout = Layout(wide=wide, columns=columns)
    if published and solver is not None:
        raise UserError(f"--solver {solver!r} does not go with --published.", rule="They are of models.")
    from harness.scores import leaderboard as board

    if amortise is not None and amortise < 1:
        raise UserError(f"--amortise {amortise} spreads training over no puzzle.", rule="It is at least 1.")
    budgets = {"usd": at_usd, "flops": at_flops, "seconds": at_seconds}
    asked = {name: value for name, value in budgets.items() if value is not None}
    views = [f"--at-{name}" for name in asked] + ["--front"] * (front is not None)
    views += ["--published"] * published + ["--amortise"] * (amortise is not None)
    views += ["--study"] * (study is not None)
    if (asked or front is not None) and len(views) > 1:
        raise UserError(f"{' and '.join(views)} do not go together.", rule="Each is a table of its own.")
    if front is not None or asked:
        from harness.cli import results_budgets

        runs = results_budgets.same_puzzles(results_dir, task, solver, light=not asked, merge=not each_seed)
        if front is not None:
            results_budgets.write_front(runs, front, format, layout)
        for name, value in asked.items():
            results_budgets.write_at(runs, (name, value), format, layout)
        return
    named = None
    if study is not None:
        from harness.studies.play import runs_of

        named = {folder.name for folder in runs_of(study, results_dir)}
    rows, problems = board.rows(
        results_dir, task=task, solver=solver, amortise=amortise, merge=not each_seed, runs=named
    )
    for problem in problems:
        typer.echo(f"bench: {problem}", err=True)
    if published:
        results.write_joined(rows, task, format, layout)
    else:
        if not rows:
            _explain(results_dir, task, solver)
        if rows or format is not Format.TABLE:  # a table of nothing and its legend tell nothing
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
