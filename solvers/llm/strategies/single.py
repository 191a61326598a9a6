"""One call, one answer."""

from __future__ import annotations

from harness.contracts import Puzzle, TaskView
from solvers.llm.strategies.base import Ask, Candidate, Style, read


class Single:
    uses: tuple[str, ...] = ()

    async def run(self, task: TaskView, puzzle: Puzzle, style: Style, ask: Ask) -> Candidate:
        return await read(task, puzzle, style, await ask(style.messages(task, puzzle), 0))
