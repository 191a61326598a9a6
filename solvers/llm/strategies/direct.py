"""Ask for the answer at once, without visible reasoning."""

from __future__ import annotations

from harness.contracts import Answer, Puzzle, TaskView, Unparsed
from solvers.llm.prompts import DIRECT
from solvers.llm.protocol import Message


class Direct:
    """The task's prompt and an instruction; the reply is read by the task."""

    uses: tuple[str, ...] = ()
    instruction = DIRECT

    def messages(self, task: TaskView, puzzle: Puzzle) -> list[Message]:
        return [{"role": "user", "content": f"{task.prompt(puzzle)}\n\n{self.instruction}"}]

    async def read(self, task: TaskView, puzzle: Puzzle, reply: str) -> Answer | Unparsed:
        return task.parse(reply, puzzle)
