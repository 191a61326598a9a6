"""Puzzles and answers as a task draws them for a terminal, made into HTML."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.show import differences, marked
from harness.contracts import Outcome
from harness.errors import DepthbenchError
from harness.records.normal import normal
from harness.report.content import PuzzleSet
from harness.report.entries import Entry
from harness.view.drawing import COLOURS, drawn, safe
from harness.view.puzzle import violations
from harness.view.reply import passage

if TYPE_CHECKING:
    from harness.contracts import Item, Puzzle, Task
    from harness.records.schema import AttemptRecord

WIDTH, LINES = 100, 70  # of a drawing, in characters; a larger one is named, not drawn
REPLY = 700  # characters of a reply before its answer
BROKEN = 6  # rules that an answer breaks, listed


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some text of a drawing in one style. classes: of page.css."""

    text: str
    classes: str


Drawing = list[list[Piece]]


@dataclass(frozen=True, kw_only=True)
class Example:
    """An attempt that did not solve its puzzle. A drawing that is missing or too large is None."""

    name: str  # of the run
    puzzle: str
    outcome: str
    show: str  # the command that opens it
    drawn: Drawing | None
    answered: Drawing | None
    wrong: Sequence[str] = ()
    reply: Sequence[str] | None = None  # before the answer, the answer, after it


@dataclass
class Palette:
    """Colours that drawings use beyond the sixteen named ones, each with its class."""

    colours: dict[str, str] = field(default_factory=dict)

    def css(self) -> str:
        """Return the style rules of all colours met so far."""
        return "".join(
            f".f{name}{{color:{colour}}}.b{name}{{background:{colour}}}"
            for colour, name in self.colours.items()
        )

    def name(self, colour: str) -> str:
        """Return the name of a colour, a new one for a new colour."""
        if not re.fullmatch(r"#[0-9a-f]{6}", colour):
            raise ValueError(colour)  # it goes into a style sheet
        return self.colours.setdefault(colour, f"x{len(self.colours)}")


def examples(
    block: PuzzleSet, *, each: int, palette: Palette, data_dir: str | Path | None, trusted: bool
) -> tuple[list[Example], str]:
    """Return the first unsolved attempts, in the order of the plan, of the best run of each kind, `each` of a
    run; and why there is none, where that needs saying.
    """
    if not each:
        return [], ""
    runs = [(entry, found) for entry in _best(block) if (found := _unsolved(entry, each))]
    if not runs:
        return [], "The best run of each kind left no puzzle unsolved." if _best(block) else ""
    reference = runs[0][0].record.task.reference
    if not trusted and set(reference) & {":", "/", "\\"}:
        return [], f"Not drawn: the task comes from {safe(reference)}, whose code --trust would run."
    try:
        task, items = _items(runs[0][0], {a.puzzle for _, of in runs for a in of}, data_dir)
    except DepthbenchError as error:
        return [], f"The puzzles cannot be drawn: {safe(str(error))}"
    return [
        _example(entry, attempt, task, items[attempt.puzzle], palette) for entry, of in runs for attempt in of
    ], ""


def _best(block: PuzzleSet) -> list[Entry]:
    first: dict[str, Entry] = {}
    for entry in block.entries:
        if entry.scored:
            first.setdefault(entry.row.kind, entry)
    return list(first.values())


def _unsolved(entry: Entry, most: int) -> list[AttemptRecord]:
    from harness.scores.summary import last_attempts

    attempts = last_attempts(entry.record, entry.folder.attempts(), where=entry.folder.name).values()
    solved = {a.puzzle for a in attempts if a.outcome is Outcome.CORRECT}
    first: dict[str, AttemptRecord] = {}
    for attempt in attempts:
        if attempt.puzzle not in solved and attempt.outcome is not Outcome.NOT_RUN:
            first.setdefault(attempt.puzzle, attempt)
    return list(first.values())[:most]


def _items(entry: Entry, wanted: set[str], data_dir: Any) -> tuple[Task, dict[str, Item]]:
    from harness.running.plan import items_of, recreate_task

    task = recreate_task(entry.record)
    return task, {i[0].id: i for i in items_of(task, entry.record, data_dir) if i[0].id in wanted}


def _example(entry: Entry, attempt: AttemptRecord, task: Task, item: Item, palette: Palette) -> Example:
    puzzle, key = item
    answered, wrong = None, []
    if attempt.answered:
        answer = normal(attempt.answer)
        answered = _drawing(lambda: marked(task.render(puzzle, answer, key)), palette)
        wrong = violations(task, puzzle, answer) or [safe(line) for line in differences(answer, key.answers)]
    else:
        wrong = [safe(str(attempt.detail.get("error") or attempt.detail.get("reason") or ""))[:300]]
    more = [f"and {len(wrong) - BROKEN} more"] if len(wrong) > BROKEN else []
    return Example(
        name=entry.name,
        puzzle=safe(puzzle.id),
        outcome=str(attempt.outcome),
        show=safe(f"bench show {entry.folder.name.rpartition('_')[2]} --sample-id {shlex.quote(puzzle.id)}"),
        drawn=_drawing(lambda: task.render(puzzle), palette),
        answered=answered,
        wrong=[line for line in [*wrong[:BROKEN], *more] if line],
        reply=None if attempt.reply is None else _end(attempt.reply, attempt, task, puzzle),
    )


def _drawing(render: Callable[[], Any], palette: Palette) -> Drawing | None:
    """Return what a task draws, None if it is too large."""
    lines = drawn(render, WIDTH)
    if len(lines) > LINES:
        return None
    return [
        [
            Piece(text=text, classes=" ".join(_classes(words, colour, ground, palette)))
            for text, words, colour, ground in line
        ]
        for line in lines
    ]


def _classes(words: str, colour: str, ground: str, palette: Palette) -> Iterator[str]:
    """Yield the classes of a span: a colour of the terminal's own has one of page.css, others get one."""
    for word in words.split():
        yield f"f-{word}" if word in COLOURS else f"b-{word[3:]}" if word.startswith("on-") else word
    if colour:
        yield f"f{palette.name(colour)}"
    if ground:
        yield f"b{palette.name(ground)}"


def _end(reply: str, attempt: AttemptRecord, task: Task, puzzle: Puzzle) -> list[str]:
    """Return the reply around its answer, in three parts: before, the answer, after; else its end."""
    found = None
    if attempt.answered:
        found = passage(reply, normal(attempt.answer), lambda text: task.parse(text, puzzle))
    start, end = found or (len(reply), len(reply))
    if end - start > REPLY:
        end = start + REPLY
    before, after = reply[max(0, start - REPLY) : start], reply[end : end + REPLY // 2]
    return [
        safe(f"… {start - len(before):,} characters before\n{before}" if start > len(before) else before),
        safe(reply[start:end]),
        safe(
            f"{after}\n… {len(reply) - end - len(after):,} characters after"
            if end + len(after) < len(reply)
            else after
        ),
    ]
