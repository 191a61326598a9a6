"""What a style and a sampling are, and what they hand each other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from harness.contracts import Answer, Outcome, Puzzle, Sample, TaskView, Unparsed
from harness.replies import refuses
from solvers.llm.books.booking import outcome_of
from solvers.llm.protocol import CallError, Message, Reply

Ask = Callable[[Sequence[Message], int], Awaitable[Reply]]
"""`await ask(messages, sample)` sends one request and books it; samples of one attempt differ by their
number.
"""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One answer a model gave, or why it gave none."""

    answer: Answer | Unparsed
    outcome: Outcome
    reply: str
    reasoning: str = ""  # what the server showed of the thinking behind the reply
    samples: int | None = None  # replies this answer was chosen from
    depth: int | None = None  # replies that led up to it
    detail: Mapping[str, Any] = field(default_factory=dict)
    among: tuple[Sample, ...] = ()  # the replies it was chosen from, in the order in which they were asked

    def chosen_from(
        self,
        candidates: Sequence[Candidate],
        detail: Mapping[str, Any],
        scores: Sequence[float | None] | None = None,
    ) -> Candidate:
        """Return it with all it was chosen from; scores: by which, where that is no vote, greater is
        better.
        """
        given = scores or [None] * len(candidates)
        among = tuple(
            Sample() if c.failed else Sample(answer=c.answer, score=score)
            for c, score in zip(candidates, given, strict=True)
        )
        return replace(self, samples=len(among), among=among, detail={**self.detail, **detail})

    @property
    def failed(self) -> bool:
        """Whether it holds no answer that may be judged."""
        return isinstance(self.answer, Unparsed) or self.outcome is not Outcome.ANSWERED

    def after(self, depth: int, detail: Mapping[str, Any]) -> Candidate:
        return replace(self, depth=depth, detail={**self.detail, **detail})


class Style(Protocol):
    """How a puzzle is put to a model and how its reply is read. `uses` names the solver's options it is
    built from.
    """

    uses: tuple[str, ...]

    def messages(self, task: TaskView, puzzle: Puzzle) -> list[Message]: ...

    async def read(self, task: TaskView, puzzle: Puzzle, reply: str) -> Answer | Unparsed: ...


class Sampling(Protocol):
    """How many replies are asked for, and which becomes the answer. `uses` names the solver's options it
    is built from.
    """

    uses: tuple[str, ...]

    async def run(self, task: TaskView, puzzle: Puzzle, style: Style, ask: Ask) -> Candidate:
        """Return the chosen candidate. Raise `CallError` if no call came through."""
        ...


async def read(task: TaskView, puzzle: Puzzle, style: Style, reply: Reply) -> Candidate:
    """Read one reply in the given style."""
    answer = await style.read(task, puzzle, reply.text)
    if reply.finish == "length" and not isinstance(answer, Unparsed):
        answer = Unparsed(
            reason="the reply was cut off at its length limit: what it holds may be a first guess"
        )
    elif isinstance(answer, Unparsed) and reply.reasoning and not reply.text.strip():
        answer = Unparsed(reason="the reply is reasoning alone, without an answer")
    outcome = outcome_of(reply, answer)
    if outcome is Outcome.UNPARSED and refuses(reply.text):
        outcome = Outcome.REFUSED
    return Candidate(answer=answer, outcome=outcome, reply=reply.text, reasoning=reply.reasoning)


async def gather(
    task: TaskView, puzzle: Puzzle, style: Style, ask: Ask, samples: Iterable[int]
) -> list[Candidate]:
    """Ask the same question once per sample, side by side; a failed call becomes a candidate without an
    answer.
    """

    async def one(sample: int) -> Candidate:
        try:
            return await read(task, puzzle, style, await ask(style.messages(task, puzzle), sample))
        except CallError as error:
            return Candidate(answer=Unparsed(reason=str(error)), outcome=error.outcome, reply="")

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(sample)) for sample in samples]
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    return [task.result() for task in tasks]


def worst(candidates: Sequence[Candidate]) -> Candidate:
    """Of candidates that all failed, return one of the most frequent kind of failure, the first of a tie."""
    outcome, _ = Counter(c.outcome for c in candidates).most_common(1)[0]
    return next(c for c in candidates if c.outcome is outcome).chosen_from(candidates, {})
