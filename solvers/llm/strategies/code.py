"""Program of thoughts (Chen et al., arXiv 2211.12588): the model writes a program, and what the program
prints is the answer.
"""

from __future__ import annotations

import re
from typing import Literal

from harness.contracts import Answer, Puzzle, TaskView, Unparsed
from solvers.llm.prompts import PROGRAM
from solvers.llm.protocol import Message
from solvers.llm.sandbox import require_sandbox, run_program

BLOCK = re.compile(r"^```(?:python|py)[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL | re.IGNORECASE)


class Code:
    """Runs the last Python block of a reply in a sandbox for at most `program_seconds`."""

    uses: tuple[str, ...] = ("program_seconds",)
    may_use = ("sandbox",)

    def __init__(self, program_seconds: float, sandbox: Literal["off"] | None) -> None:
        self._seconds, self._walls = program_seconds, sandbox != "off"
        if self._walls:
            require_sandbox()

    def messages(self, task: TaskView, puzzle: Puzzle) -> list[Message]:
        return [
            {"role": "user", "content": f"{task.prompt(puzzle)}\n\n{PROGRAM.format(seconds=self._seconds)}"}
        ]

    async def read(self, task: TaskView, puzzle: Puzzle, reply: str) -> Answer | Unparsed:
        blocks = BLOCK.findall(reply)
        if not blocks:
            return Unparsed(reason="the reply holds no Python program")
        done = await run_program(blocks[-1], seconds=self._seconds, walls=self._walls)
        if done.trouble:
            return Unparsed(reason=f"the program failed: {done.trouble}")
        output = done.output.strip()
        fenced = output if "```" in output else f"```answer\n{output}\n```"
        return task.parse(fenced, puzzle)
