"""`bench check`."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.options import DataDir, SolverOptions, TaskOptions

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Puzzles = Annotated[int, typer.Option("--puzzles", min=1, help="Puzzles of each split that are tried.")]
Seconds = Annotated[float, typer.Option("--seconds", min=0.1, help="Most that one call may take.")]


@app.callback()
def check() -> None:
    """Check a task or a solver, yours or ours, against the rules that all must keep."""


@app.command()
def task(
    name: Annotated[str, typer.Argument(help="Name of a task, or path/to/file.py:Class.")],
    task_option: TaskOptions = [],  # noqa: B006
    split: Annotated[list[str], typer.Option("--split", help="Check this split only; may be repeated.")] = [],  # noqa: B006
    puzzles: Puzzles = 12,
    seconds: Seconds = 120.0,
    data_dir: DataDir = None,
) -> None:
    """Check a task's puzzles, verdicts, prompt, parser, grid codec and chance level."""
    from harness import registry
    from harness.options import parse_pairs
    from harness.testing import report_on_task

    found = registry.create("task", name, parse_pairs(task_option, "-T"))
    report = report_on_task(
        found, data_dir=data_dir, puzzles=puzzles, splits=split or None, seconds=seconds, exits=True
    )
    raise typer.Exit(_print(f"task {name}", report))


@app.command()
def solver(
    name: Annotated[str, typer.Argument(help="Name of a solver, or path/to/file.py:Class.")],
    on: Annotated[str, typer.Option("--task", help="Task that it is tried on.")] = "sudoku",
    solver_option: SolverOptions = [],  # noqa: B006
    task_option: TaskOptions = [],  # noqa: B006
    puzzles: Puzzles = 4,
    seconds: Seconds = 120.0,
    data_dir: DataDir = None,
) -> None:
    """Check what a solver yields on a task: outcomes, answers, costs, resuming, determinism."""
    from harness import registry
    from harness.options import parse_pairs
    from harness.testing import report_on_solver

    played = registry.create("task", on, parse_pairs(task_option, "-T"))
    found = registry.create("solver", name, parse_pairs(solver_option, "-S"))
    report = report_on_solver(found, played, data_dir=data_dir, puzzles=puzzles, seconds=seconds, exits=True)
    raise typer.Exit(_print(f"solver {name} on {on}", report))


def _print(what: str, report: object) -> int:
    """Print each rule, kept or broken; return the exit code."""
    from rich.console import Console

    from harness.testing import Report

    assert isinstance(report, Report)
    console = Console(highlight=False, soft_wrap=True)
    for rule, count in report.kept.items():
        console.print(f"kept    {rule} ({count:,} times)" if count > 1 else f"kept    {rule}", markup=False)
    for rule, where in report.broken.items():
        console.print(f"BROKEN  {rule}{': ' + where if where else ''}", style="red", markup=False)
    for note in report.notes:
        console.print(f"note    {note}", markup=False)
    broken = len(report.broken)
    verdict = f"{broken} rules are broken" if broken > 1 else "1 rule is broken" if broken else "all kept"
    console.print(f"{what}: {len(report.kept) + broken} rules checked, {verdict}.", markup=False)
    return 1 if broken else 0
