"""Few-shot (Brown et al., arXiv 2005.14165): solved puzzles of your choice come first, as earlier turns of
the conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.contracts import Puzzle, TaskView
from harness.errors import UserError
from harness.records.jsonlines import loads
from solvers.llm.protocol import Message
from solvers.llm.strategies.cot import Cot


class FewShot(Cot):
    """Reads `examples`, a JSON file of the form [{"prompt": "…", "reply": "…"}, …], as `bench examples`
    writes them. They must not be tested on.
    """

    uses = ("examples",)
    may_use = ("prompt",)

    def __init__(self, examples: Path, prompt: str) -> None:
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
                next_step="`bench examples TASK --out FILE` writes one.",
            )
        self._prompts, self._replies = [s["prompt"] for s in shots], [s["reply"] for s in shots]
        self._brief = prompt == "brief"

    def messages(self, task: TaskView, puzzle: Puzzle) -> list[Message]:
        question = task.prompt(puzzle)
        if question in self._prompts:
            raise UserError(
                f"The examples hold the puzzle {puzzle.id} itself.",
                rule="They must come from outside the tested puzzles.",
            )
        asked = list(self._prompts)
        last = super().messages(task, puzzle)[-1]["content"]
        if self._brief:
            *asked, last = shortened([*self._prompts, question])
        turns: list[Message] = []
        for prompt, reply in zip(asked, self._replies, strict=True):
            turns.append({"role": "user", "content": prompt})
            turns.append({"role": "assistant", "content": reply})
        return [*turns, {"role": "user", "content": last}]


def shortened(prompts: Sequence[str]) -> list[str]:
    """Return the first prompt whole, and of each other the lines that are its own: without those that all
    begin and end with.
    """
    lines = [prompt.split("\n") for prompt in prompts]
    head = shared(lines)
    tail = shared([rest[head:][::-1] for rest in lines])
    own = ["\n".join(rest[head : len(rest) - tail]) for rest in lines[1:]]
    return [prompts[0], *own]


def shared(texts: Sequence[Sequence[str]]) -> int:
    """Return how many lines all begin with."""
    pairs = enumerate(zip(*texts, strict=False))
    return next((n for n, lines in pairs if len(set(lines)) > 1), min(map(len, texts)))
