"""`bench show`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import tables
from harness.cli.options import ColumnsOption, DataDir, Format, FormatOption, ResultsDir, WideOption
from harness.cli.score import RunArgument
from harness.cli.tables import Column, Layout

if TYPE_CHECKING:
    from rich.console import Console

    from harness.records.schema import AttemptRecord, RunRecord

MOST_CHARACTERS = 4000  # of one text
SHORT = 100  # characters that a fact in a line may have
MOST_PLACES = 12  # cells listed that differ
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
    full: Annotated[bool, typer.Option("--full", help="Do not shorten replies and reasoning.")] = False,
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
        _draw(record, [a for a in attempts if a.puzzle == sample_id], sample_id, data_dir, full)


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


def _draw(
    record: RunRecord, attempts: Sequence[AttemptRecord], sample_id: str, data_dir: Any, full: bool
) -> None:
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
    _say(console, f"{task.name} {puzzle.id}", "bold")
    _say(console, task.render(puzzle))
    _say(console, "Expected answer" + _others(len(key.answers)), "bold")
    _say(console, task.render(puzzle, key.answers[0], key) if key.answers else "None is known.")
    if not attempts:
        _say(console, "No attempt is recorded.")
    for attempt in attempts:
        sign = "✓" if attempt.outcome == "correct" else "×"
        colour = "green" if attempt.outcome == "correct" else "red"
        _say(console, f"{sign} Attempt {attempt.attempt}: {attempt.outcome}", f"bold {colour}")
        if attempt.answered:
            answer = normal(attempt.answer)
            _say(console, marked(task.render(puzzle, answer, key)))
            for line in [*differences(answer, key.answers), *(task.violations(puzzle, answer) or ())]:
                _say(console, f"  {line}")
        for name, value in (attempt.numbers or {}).items():
            _say(console, f"  {name}: {value:g}")
        _tell(console, dict(attempt.detail), full)
        if attempt.reply is not None:
            _block(console, "Reply", attempt.reply, full)


def _others(answers: int) -> str:
    return f" (one of {answers:,})" if answers > 1 else ""


def _say(console: Console, what: Any, style: str = "") -> None:
    console.print(what, style=style, markup=False, highlight=False)


def marked(drawn: Any) -> Any:
    """Return a drawing whose red parts are underlined and have an × before them, where a space is: an error
    is seen without colour.
    """
    from rich.console import Group
    from rich.text import Span, Text

    if isinstance(drawn, Group):
        return Group(*map(marked, drawn.renderables))
    if not isinstance(drawn, Text):
        return drawn
    letters, spans = list(drawn.plain), []
    for span in drawn.spans:
        red = "red" in str(span.style).split()
        spans.append(Span(span.start, span.end, f"{span.style} underline" if red else span.style))
        for place in (span.start, span.start - 1) if red else ():
            if 0 <= place < len(letters) and letters[place] == " ":
                letters[place] = "×"
                break
    return Text("".join(letters), style=drawn.style, spans=spans)


def differences(answer: Any, expected: Sequence[Any]) -> list[str]:
    """Say where a grid differs from the expected one; nothing for answers that are no grids of one shape, or
    where several are right.
    """
    if len(expected) != 1 or not _same_shape(answer, expected[0]):
        return []
    places = [
        f"row {r} column {c}: {given}, expected {right}"
        for r, (row, rights) in enumerate(zip(answer, expected[0], strict=True), start=1)
        for c, (given, right) in enumerate(zip(row, rights, strict=True), start=1)
        if given != right
    ]
    more = [f"… {len(places) - MOST_PLACES:,} more"] if len(places) > MOST_PLACES else []
    head = [f"{len(places):,} cells differ from the expected answer:"] if len(places) > 1 else []
    return [*head, *places[:MOST_PLACES], *more]


def _same_shape(answer: Any, other: Any) -> bool:
    grids = all(
        isinstance(g, list) and g and all(isinstance(row, list) for row in g) for g in (answer, other)
    )
    return grids and list(map(len, answer)) == list(map(len, other))


def _tell(console: Console, detail: Mapping[str, Any], full: bool) -> None:
    """Print what is recorded beside the answer: short facts in lines, texts and single calls in blocks."""
    for name, value in detail.items():
        if isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
            for number, part in enumerate(value, start=1):
                _say(console, safe(f"{name} {number} of {len(value)}"), "bold")
                _tell(console, part, full)
        elif isinstance(value, str) and ("\n" in value or len(value) > SHORT):
            _block(console, safe(name).capitalize(), value, full)
        else:
            _say(console, f"  {safe(name)}: {_limited(safe(str(value)), full)}")


def _block(console: Console, name: str, text: str, full: bool) -> None:
    _say(console, name, "bold")
    console.print(_limited(safe(text), full), markup=False, highlight=False, soft_wrap=True)


def _limited(text: str, full: bool) -> str:
    if full or len(text) <= MOST_CHARACTERS:
        return text
    half = MOST_CHARACTERS // 2
    left_out = f"… {len(text) - 2 * half:,} characters, --full shows them …"
    return f"{text[:half]}\n{left_out}\n{text[-half:]}"


def safe(text: str) -> str:
    """Return text without terminal control characters: a reply may hold escape sequences."""
    return "".join(c if c in "\n\t" or c.isprintable() else f"\\x{ord(c):02x}" for c in text)
