"""One call, one answer."""

from __future__ import annotations

from harness.contracts import Puzzle, TaskView
from solvers.llm.booking import outcome_of
from solvers.llm.strategies.base import Ask, Candidate, Style


class Single:
    async def run(self, task: TaskView, puzzle: Puzzle, style: Style, ask: Ask) -> Candidate:
        reply = await ask(style.messages(task, puzzle), 0)
        answer = await style.read(task, puzzle, reply.text)
        return Candidate(answer=answer, outcome=outcome_of(reply, answer), reply=reply.text)
