"""`bench show`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from harness.cli import tables
from harness.cli.options import ColumnsOption, DataDir, Format, FormatOption, ResultsDir, WideOption
from harness.cli.score import RunArgument
from harness.cli.tables import Column, Layout

RunLine = dict[str, Any]
COLUMNS = (
    Column("puzzle", 0, wraps=True, least=16),
    Column("attempt", 1, right=True),
    Column("outcome", 0),
    Column("depth", 3, "supervision steps", right=True),
    Column("time", 2, right=True),
    Column("numbers", 4, "the verdict's, or why there is none", wraps=True, least=20),
)


def show(
    run: RunArgument,
    sample_id: Annotated[str | None, typer.Option(help="Draw this puzzle with what was answered.")] = None,
    outcome: Annotated[str | None, typer.Option(help="Only attempts of this outcome, such as wrong.")] = None,
    limit: Annotated[int, typer.Option(help="How many attempts to list.")] = 50,
    data_dir: DataDir = None,
    results_dir: ResultsDir = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    columns: ColumnsOption = None,
    wide: WideOption = False,
) -> None:
    """Show what a run answered: a list of its attempts, or one puzzle in colour with what is wrong."""
    from harness.errors import UserError
    from harness.scores.leaderboard import find_run
    from harness.scores.summary import last_lines

    if limit < 1:
        raise UserError(f"The limit is {limit}.", rule="It must be at least 1.")
    folder = find_run(run, results_dir)
    config = folder.config()
    lines = list(last_lines(config, folder.lines(), where=str(folder.attempts_path)).values())
    if outcome is not None:
        _check_outcome(outcome)
        lines = [line for line in lines if line["outcome"] == outcome]
    if sample_id is None:
        _list(lines, limit, format, Layout(wide=wide, columns=columns))
    else:
        _draw(config, [line for line in lines if line["puzzle"] == sample_id], sample_id, data_dir)


def _check_outcome(outcome: str) -> None:
    from harness.errors import UserError, did_you_mean
    from harness.scores.summary import OUTCOMES

    if outcome not in OUTCOMES:
        raise UserError(f"No outcome {outcome!r}.", rule=did_you_mean(outcome, OUTCOMES))


def _list(lines: list[RunLine], limit: int, form: Format, layout: Layout) -> None:
    from harness.books import ledger
    from harness.cli import units

    rows = []
    for line in lines[:limit]:
        numbers = ", ".join(f"{k} {v:.3g}" for k, v in line.get("numbers", {}).items() if k != "correct")
        note = numbers or str(
            line.get("detail", {}).get("error", "") or line.get("detail", {}).get("reason", "")
        )
        took = units.seconds(ledger.seconds(line.get("usage", {})))
        rows.append(
            [
                line["puzzle"],
                str(line["attempt"]),
                line["outcome"],
                str(line.get("depth", "–")),
                took,
                note[:200],
            ]
        )
    tables.write(COLUMNS, rows, lines[:limit], form, layout)
    if len(lines) > limit:
        typer.echo(f"{len(lines) - limit:,} more; --limit shows them.", err=True)


def _draw(config: RunLine, lines: list[RunLine], sample_id: str, data_dir: Any) -> None:
    from rich.console import Console

    from harness.errors import UserError, did_you_mean
    from harness.running.loading import SHOWN
    from harness.running.plan import items_of, recreate_task

    if sample_id not in config["puzzles"]["ids"]:
        raise UserError(
            f"The run has no puzzle {sample_id!r}.",
            rule=did_you_mean(sample_id, config["puzzles"]["ids"], show=SHOWN),
        )
    task = recreate_task(config)
    puzzle, key = next(item for item in items_of(task, config, data_dir) if item[0].id == sample_id)
    console = Console()
    console.print(f"{task.name} {puzzle.id}", style="bold", markup=False, highlight=False)
    console.print(task.render(puzzle), markup=False, highlight=False)
    if not lines:
        console.print("No attempt is recorded.")
    for line in lines:
        colour = "green" if line["outcome"] == "correct" else "red"
        console.print(
            f"Attempt {line['attempt']}: {line['outcome']}", style=f"bold {colour}", highlight=False
        )
        if "answer" in line:
            console.print(task.render(puzzle, line["answer"], key), markup=False, highlight=False)
            for broken in task.violations(puzzle, line["answer"]) or ():
                console.print(f"  {broken}", markup=False, highlight=False)
        for name, value in line.get("numbers", {}).items():
            console.print(f"  {name}: {value:g}", markup=False, highlight=False)
        for name, value in line.get("detail", {}).items():
            console.print(f"  {name}: {safe(str(value))[:500]}", markup=False, highlight=False)
        if "reply" in line:
            console.print("Reply", style="bold")
            console.print(safe(line["reply"]), markup=False, highlight=False, soft_wrap=True)


def safe(text: str) -> str:
    """Return text without terminal control characters: a reply may hold escape sequences."""
    return "".join(c if c in "\n\t" or c.isprintable() else f"\\x{ord(c):02x}" for c in text)
