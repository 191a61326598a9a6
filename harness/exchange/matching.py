"""Which puzzle of a task a recorded question is: by its payload, its id, or the words of its prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.contracts import Item, Key, Puzzle, Task
from harness.errors import UserError
from harness.exchange.recordings import Recording, Reply
from harness.registry import create


@dataclass
class Matcher:
    """The puzzles of a task that a log asks for, found one after another.

    A sample that carries `payload` (with `answers`, where known) is a puzzle of its own; else its id is that
    of a puzzle of the task's first split under its options, or its question is that puzzle's prompt.
    """

    name: str
    options: Mapping[str, Any]
    carried: dict[str, Item] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)

    @cached_property
    def task(self) -> Task:
        found: Task = create("task", self.name, dict(self.options))
        return found

    @cached_property
    def items(self) -> list[Item]:
        return self.task.load(split=self.task.splits[0], seed=0, limit=None, data_dir=None)

    @cached_property
    def by_name(self) -> dict[str, Item]:
        return {item[0].id: item for item in self.items}

    @cached_property
    def by_words(self) -> dict[str, str]:
        return {self.task.prompt(puzzle).strip(): puzzle.id for puzzle, _ in self.items}

    def of(self, name: object, words: str, told: object) -> str | None:
        """Return the id of a sample's puzzle, None if it is none. told: what the sample carries besides."""
        if isinstance(told, Mapping) and isinstance(told.get("payload"), Mapping):
            puzzle = str(told.get("id") or name)
            answers = told.get("answers")
            self.carried[puzzle] = (
                Puzzle(
                    id=puzzle,
                    group=str(told.get("group") or puzzle),
                    split=str(told.get("split") or "imported"),
                    payload=dict(told["payload"]),
                    difficulty=told.get("difficulty"),
                ),
                Key(answers=tuple(answers) if isinstance(answers, list) else (), optimum=told.get("optimum")),
            )
            return puzzle
        puzzle_id = str(name) if str(name) in self.by_name else self.by_words.get(words.strip())
        if puzzle_id is not None:
            self.met.add(puzzle_id)
        return puzzle_id

    def recording(self, replies: Sequence[Reply], **about: Any) -> Recording:
        """Return the recording of a log's replies to what was found: to the beginning of the task's split, if
        that is what was asked, else to a file of those puzzles.
        """
        items: list[Item] | None = list(self.carried.values())
        limit = None
        if not self.carried:
            names = [puzzle.id for puzzle, _ in self.items]
            if set(names[: len(self.met)]) == self.met:
                items, limit = None, len(self.met)
            else:
                items = [self.by_name[name] for name in names if name in self.met]
        elif self.met:
            raise UserError(
                f"Some samples carry their puzzle and some name one of {self.name}.",
                rule="The samples of a log are of one kind.",
            )
        attempts = 1 + max((reply.attempt for reply in replies), default=0)
        return Recording(
            task=self.name,
            items=items,
            limit=limit,
            replies=replies,
            attempts=attempts,
            task_options=dict(self.options) if items is None else {},
            **about,
        )


def as_score(value: object) -> float | None:
    """Return another harness's score of one sample as a number in [0, 1]; None for what is no such thing.

    C and I are inspect's correct and incorrect, P half, N none.
    """
    letters = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
    if isinstance(value, str):
        return letters.get(value)
    if isinstance(value, Mapping) and value:
        return as_score(next(iter(value.values())))
    if isinstance(value, bool | int | float):
        number = float(value)
        return number if 0 <= number <= 1 else None
    return None


def first(values: Iterable[Any]) -> Any:
    """Return the first value that is not None."""
    return next((value for value in values if value is not None), None)
