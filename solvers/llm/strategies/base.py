"""What a style and a search are, and what they hand each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.contracts import Answer, Outcome, Puzzle, TaskView, Unparsed
from solvers.llm.protocol import Message, Reply

Ask = Callable[[Sequence[Message], int], Awaitable[Reply]]
"""`await ask(messages, sample)` sends one request and books it; samples of one attempt differ by their number."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One answer a model gave, or why it gave none."""

    answer: Answer | Unparsed
    outcome: Outcome
    reply: str
    samples: int | None = None  # replies this answer was chosen from
    detail: Mapping[str, Any] = field(default_factory=dict)


class Style(Protocol):
    """How a puzzle is put to a model and how its reply is read."""

    def messages(self, task: TaskView, puzzle: Puzzle) -> list[Message]: ...

    async def read(self, task: TaskView, puzzle: Puzzle, reply: str) -> Answer | Unparsed: ...


class Search(Protocol):
    """How many replies are asked for, and which becomes the answer."""

    async def run(self, task: TaskView, puzzle: Puzzle, style: Style, ask: Ask) -> Candidate:
        """Return the chosen candidate. Raise `CallError` if no call came through."""
        ...
