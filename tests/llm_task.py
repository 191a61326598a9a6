"""A tiny task for the LLM tests: say the number n back. What `violations` knows is that the answer must be
even or odd like n.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from harness.contracts import Puzzle, Unparsed

ANSWER = re.compile(r"```answer\s*(-?\d+)\s*```")


@dataclass(frozen=True, kw_only=True)
class EchoTask:
    name: str = "echo"
    version: str = "1"
    family: str = "echo"
    attempts: int = 1
    grid: Any = None

    def prompt(self, puzzle: Puzzle) -> str:
        return f"Puzzle {puzzle.id}: say {puzzle.payload['n']}."

    def parse(self, reply: str, puzzle: Puzzle) -> int | Unparsed:
        found = ANSWER.findall(reply)
        return int(found[-1]) if found else Unparsed(reason="no answer block")

    def violations(self, puzzle: Puzzle, answer: int) -> list[str] | None:
        return [] if answer % 2 == puzzle.payload["n"] % 2 else [f"{answer} has the wrong parity"]

    def random_answer(self, puzzle: Puzzle, rng: Any) -> int:
        return int(rng.integers(10))

    def search(self, puzzle: Puzzle) -> int:
        return int(puzzle.payload["n"])


def puzzles(count: int) -> list[Puzzle]:
    return [Puzzle(id=f"p{n}", group=f"p{n}", split="test", payload={"n": n}) for n in range(count)]


def number_in(request: dict[str, Any]) -> int:
    """The n of the puzzle a request is about."""
    text = str(request.get("messages") or request.get("input"))
    return int(re.findall(r"Puzzle p(\d+)", text)[-1])


def answer_block(n: int) -> str:
    return f"Well.\n```answer\n{n}\n```"
