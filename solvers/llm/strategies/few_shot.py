"""Few-shot (Brown et al., arXiv 2005.14165): solved puzzles of your choice come first, as earlier turns of
the conversation.
"""

from __future__ import annotations

from pathlib import Path

from harness.contracts import Puzzle, TaskView
from harness.errors import UserError
from harness.records.jsonlines import loads
from solvers.llm.protocol import Message
from solvers.llm.strategies.cot import Cot


class FewShot(Cot):
    """Reads `examples`, a JSON file of the form [{"prompt": "…", "reply": "…"}, …]. They must not be
    tested on.
    """

    uses = ("examples",)

    def __init__(self, examples: Path) -> None:
        try:
            shots = loads(examples.read_bytes())
        except (OSError, ValueError) as error:
            raise UserError(f"No examples can be read from {str(examples)!r}: {error}.") from error
        fits = isinstance(shots, list) and all(
            isinstance(shot, dict)
            and set(shot) == {"prompt", "reply"}
            and all(isinstance(text, str) for text in shot.values())
            for shot in shots
        )
        if not fits or not shots:
            raise UserError(
                f"{examples} is not a file of examples.",
                rule='Its form is [{"prompt": "…", "reply": "…"}, …].',
            )
        self._turns = [
            turn
            for shot in shots
            for turn in (
                {"role": "user", "content": shot["prompt"]},
                {"role": "assistant", "content": shot["reply"]},
            )
        ]

    def messages(self, task: TaskView, puzzle: Puzzle) -> list[Message]:
        own = super().messages(task, puzzle)
        question = task.prompt(puzzle)
        if any(question == turn["content"] for turn in self._turns):
            raise UserError(
                f"The examples hold the puzzle {puzzle.id} itself.",
                rule="They must come from outside the tested puzzles.",
            )
        return [*self._turns, *own]
