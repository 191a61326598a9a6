"""What the forms of other tools want of an attempt beside what is recorded: the question and the answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.contracts import Outcome
from harness.records.folder import RunFolder
from harness.records.schema import AttemptRecord, RunRecord
from harness.scores.summary import last_attempts


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A planned attempt as a question and what came of it. prompt: the task's own words, which are those that
    were asked only where the solver asked with them; answer: as text, None where there is none.
    """

    prompt: str
    references: tuple[str, ...]
    attempt: AttemptRecord
    group: str
    difficulty: float | None
    answer: str | None
    score: float  # the headline's number, its missing value where there is none

    @property
    def reply(self) -> str:
        """Return what the solver said, or the answer of one that says nothing."""
        return whole(self.attempt.reply if self.attempt.reply is not None else self.answer or "")

    @property
    def failure(self) -> str | None:
        """Return why there is no answer; None where there is one."""
        attempt = self.attempt
        if attempt.answered:
            return None
        reason = attempt.detail.get("error") or attempt.detail.get("reason")
        return whole(f"{attempt.outcome}{f': {reason}' if reason else ''}")


def samples(folder: RunFolder, record: RunRecord, data_dir: str | Path | None = None) -> Iterator[Sample]:
    """Yield every planned attempt that was recorded, in the order of the plan. Raises UserError where the
    puzzles cannot be made again.
    """
    from harness.running.plan import items_of, recreate_task

    task = recreate_task(record)
    items = {puzzle.id: (puzzle, key) for puzzle, key in items_of(task, record, data_dir)}
    metric = record.metrics[0]
    groups = dict(zip(record.puzzles.ids, record.puzzles.group_names(), strict=True))
    last = last_attempts(record, folder.attempts(), where=folder.name)
    for attempt in last.values():
        puzzle, key = items[attempt.puzzle]
        number = (attempt.numbers or {}).get(metric.number)
        yield Sample(
            prompt=whole(task.prompt(puzzle)),
            references=tuple(text(answer) for answer in key.answers),
            attempt=attempt,
            group=groups[attempt.puzzle],
            difficulty=puzzle.difficulty,
            answer=text(attempt.answer) if attempt.answered else None,
            score=metric.missing if number is None else number,
        )


def right(attempt: AttemptRecord) -> bool:
    """Return whether an attempt solved its puzzle."""
    return attempt.outcome is Outcome.CORRECT


def text(value: Any) -> str:
    """Return an answer as text: itself, or its JSON."""
    return whole(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def whole(value: str) -> str:
    """Return text that UTF-8 can hold: half a surrogate pair as its escape."""
    return value.encode("utf-8", "backslashreplace").decode()


def strings(values: dict[str, Any]) -> dict[str, str]:
    """Return what is known of some facts as text."""
    return {name: text(value) for name, value in values.items() if value is not None}
