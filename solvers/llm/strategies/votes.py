"""One vote for all attempts at a puzzle, as the nets on ARC do: attempt k is the answer with the k-th most
votes.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from harness.contracts import Puzzle, TaskView
from solvers.llm.strategies.base import Ask, Candidate, Style, gather
from solvers.llm.strategies.self_consistency import ranked


class Votes:
    """Votes once over `samples` replies a puzzle. Where they hold fewer different answers than attempts are
    allowed, the last is given again.

    The attempt that comes first asks and has the cost in its books; the others wait for it.
    """

    uses = ("samples",)

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self._pools: dict[str, list[Candidate]] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._served: Counter[str] = Counter()

    async def run(self, task: TaskView, puzzle: Puzzle, style: Style, ask: Ask) -> Candidate:
        return (await self.pool(task, puzzle, style, ask, last=1))[0]

    async def pool(
        self, task: TaskView, puzzle: Puzzle, style: Style, ask: Ask, *, last: int
    ) -> list[Candidate]:
        """Return the answers by their votes, the same for each of `last` calls; then they are forgotten."""
        async with self._turns.setdefault(puzzle.id, asyncio.Lock()):
            if puzzle.id not in self._pools:
                replies = await gather(task, puzzle, style, ask, range(self.samples))
                self._pools[puzzle.id] = ranked(replies)
            found = self._pools[puzzle.id]
            self._served[puzzle.id] += 1
            if self._served[puzzle.id] >= last:
                for kept in (self._pools, self._turns, self._served):
                    kept.pop(puzzle.id, None)
            return found
