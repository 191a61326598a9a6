"""Drawings for a terminal, at most 80 columns: an instance, an answer laid over it, and below what it is
worth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from harness.contracts import Answer, Key, Puzzle
from tasks.optimisation.objective import OptimisationTask, behind

MOST_FAULTS = 5
MACHINE_COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red")


def table(
    task: OptimisationTask,
    puzzle: Puzzle,
    columns: Mapping[str, Sequence[object]],
    answer: Answer | None,
    key: Key | None,
    caption: str,
    label: str,
) -> Text:
    """Draw a line for each thing; the last column is the answer's."""
    columns = dict(columns)
    drawn = answer is not None and _well_formed(task, puzzle, answer)
    if answer is not None and drawn:
        columns[label] = answer
    widths = {name: max(len(name), *(len(str(v)) for v in column)) for name, column in columns.items()}
    text = Text(caption + "\n")
    text.append("  ".join(f"{name:>{width}}" for name, width in widths.items()) + "\n", style="bold")
    for line in zip(*columns.values(), strict=True):
        for (name, width), value in zip(widths.items(), line, strict=True):
            style = "bold cyan" if drawn and name == label and value else ""
            text.append(f"{value!s:>{width}}  ", style=style)
        text.append("\n")
    return worth(task, puzzle, answer, key, text)


def board(
    task: OptimisationTask,
    puzzle: Puzzle,
    cells: Sequence[Sequence[int]],
    answer: Answer | None,
    key: Key | None,
) -> Text:
    """Draw numbers in rows (0 as a dot); the answer marks cells, or below them says the order of a trip."""
    drawn = answer if answer is not None and _well_formed(task, puzzle, answer) else None
    marks = drawn if drawn is not None and isinstance(drawn[0], list) else None
    width = max(len(str(v)) for row in cells for v in row) + 1
    text = Text()
    for r, row in enumerate(cells):
        for c, value in enumerate(row):
            chosen = marks is not None and marks[r][c]
            shown = f"{value or '·':>{width}}"
            text.append(shown, style="bold black on cyan" if chosen else "dim" if not value else "")
        text.append("\n")
    if drawn is not None and marks is None:
        text.append(" → ".join(map(str, [*drawn, drawn[0]])) + "\n", style="cyan")
    return worth(task, puzzle, answer, key, text)


def gantt(task: OptimisationTask, puzzle: Puzzle, answer: Answer | None, key: Key | None) -> Text:
    """Draw a schedule: a line for each job, a column for each minute, the machine's number in its colour."""
    machines, minutes = puzzle.payload["machines"], puzzle.payload["minutes"]
    text = Text("machines (minutes)\n")
    for j, job in enumerate(zip(machines, minutes, strict=True), start=1):
        text.append(f"job {j}: " + ", ".join(f"{m} ({t} min)" for m, t in zip(*job, strict=True)) + "\n")
    if answer is not None and _well_formed(task, puzzle, answer):
        for j, starts in enumerate(answer):
            line = [" "] * 70
            for machine, start, length in zip(machines[j], starts, minutes[j], strict=True):
                for minute in range(start, min(start + length, len(line))):
                    line[minute] = "!" if line[minute] != " " else str(machine)
            text.append(f"job {j + 1} ")
            for cell in "".join(line).rstrip():
                colour = MACHINE_COLOURS[int(cell) - 1] if cell.isdigit() else "bold red"
                text.append(cell, style=colour)
            text.append("\n")
    return worth(task, puzzle, answer, key, text)


def worth(task: OptimisationTask, puzzle: Puzzle, answer: Answer | None, key: Key | None, text: Text) -> Text:
    """Add what the answer breaks, or what it is worth; with a key, how far that is from the optimum."""
    if answer is None:
        return text
    found = task.check(puzzle, answer)
    for fault in found.broken[:MOST_FAULTS]:
        text.append(f"{fault}\n", style="red")
    if len(found.broken) > MOST_FAULTS:
        text.append(f"and {len(found.broken) - MOST_FAULTS} more\n", style="red")
    if found.feasible:
        value = task.value(puzzle.payload, answer)
        text.append(f"value {value:g}", style="bold")
        if key is not None:
            optimum = task.best_known(puzzle.payload, key)
            gap = behind(value, optimum, task.sense)
            style = "green" if gap <= task.exact else "yellow"
            text.append(f", optimum {optimum:g}, gap {round(100 * gap, 2) + 0.0:.2f} %", style=style)
        text.append("\n")
    return text


def _well_formed(task: OptimisationTask, puzzle: Puzzle, answer: Answer) -> bool:
    return "form" not in (found := task.check(puzzle, answer)).kept or found.feasible
