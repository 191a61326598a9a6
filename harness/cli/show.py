"""`bench show`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import tables
from harness.cli.options import ColumnsOption, DataDir, Format, FormatOption, ResultsDir, WideOption
from harness.cli.score import RunArgument
from harness.cli.tables import Column, Layout

if TYPE_CHECKING:
    from harness.records.schema import AttemptRecord, RunRecord

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
    from harness.records.find import find_run
    from harness.scores.summary import last_attempts

    if limit < 1:
        raise UserError(f"The limit is {limit}.", rule="It must be at least 1.")
    folder = find_run(run, results_dir)
    record = folder.record()
    attempts = list(last_attempts(record, folder.attempts(), where=str(folder.attempts_path)).values())
    if outcome is not None:
        _check_outcome(outcome)
        attempts = [attempt for attempt in attempts if attempt.outcome == outcome]
    if sample_id is None:
        _list(attempts, limit, format, Layout(wide=wide, columns=columns))
    else:
        _draw(record, [a for a in attempts if a.puzzle == sample_id], sample_id, data_dir)


def _check_outcome(outcome: str) -> None:
    from harness.errors import UserError, did_you_mean
    from harness.records.schema import OUTCOMES

    if outcome not in OUTCOMES:
        raise UserError(f"No outcome {outcome!r}.", rule=did_you_mean(outcome, map(str, OUTCOMES)))


def _list(attempts: Sequence[AttemptRecord], limit: int, form: Format, layout: Layout) -> None:
    from harness.books import ledger
    from harness.cli import units

    rows = []
    for attempt in attempts[:limit]:
        numbers = ", ".join(f"{k} {v:.3g}" for k, v in (attempt.numbers or {}).items() if k != "correct")
        note = numbers or str(attempt.detail.get("error") or attempt.detail.get("reason") or "")
        rows.append(
            [
                attempt.puzzle,
                str(attempt.attempt),
                str(attempt.outcome),
                "–" if attempt.depth is None else str(attempt.depth),
                units.seconds(ledger.seconds(attempt.usage)),
                note[:200],
            ]
        )
    tables.write(COLUMNS, rows, [attempt.line() for attempt in attempts[:limit]], form, layout)
    if len(attempts) > limit:
        typer.echo(f"{len(attempts) - limit:,} more; --limit shows them.", err=True)


def _draw(record: RunRecord, attempts: Sequence[AttemptRecord], sample_id: str, data_dir: Any) -> None:
    from rich.console import Console

    from harness.errors import UserError, did_you_mean
    from harness.records.normal import normal
    from harness.running.loading import SHOWN
    from harness.running.plan import items_of, recreate_task

    if sample_id not in record.puzzles.ids:
        raise UserError(
            f"The run has no puzzle {sample_id!r}.",
            rule=did_you_mean(sample_id, record.puzzles.ids, show=SHOWN),
        )
    task = recreate_task(record)
    puzzle, key = next(item for item in items_of(task, record, data_dir) if item[0].id == sample_id)
    console = Console()
    console.print(f"{task.name} {puzzle.id}", style="bold", markup=False, highlight=False)
    console.print(task.render(puzzle), markup=False, highlight=False)
    if not attempts:
        console.print("No attempt is recorded.")
    for attempt in attempts:
        colour = "green" if attempt.outcome == "correct" else "red"
        console.print(
            f"Attempt {attempt.attempt}: {attempt.outcome}", style=f"bold {colour}", highlight=False
        )
        if attempt.answered:
            answer = normal(attempt.answer)
            console.print(task.render(puzzle, answer, key), markup=False, highlight=False)
            for broken in task.violations(puzzle, answer) or ():
                console.print(f"  {broken}", markup=False, highlight=False)
        for name, value in (attempt.numbers or {}).items():
            console.print(f"  {name}: {value:g}", markup=False, highlight=False)
        for name, value in attempt.detail.items():
            console.print(f"  {name}: {safe(str(value))[:500]}", markup=False, highlight=False)
        if attempt.reply is not None:
            console.print("Reply", style="bold")
            console.print(safe(attempt.reply), markup=False, highlight=False, soft_wrap=True)


def safe(text: str) -> str:
    """Return text without terminal control characters: a reply may hold escape sequences."""
    return "".join(c if c in "\n\t" or c.isprintable() else f"\\x{ord(c):02x}" for c in text)
