"""A whole task: which number continues 3, 5, 7, …?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.contracts import Answer, Item, Key, Metric, Puzzle, Unparsed, Verdict
from harness.errors import UserError, did_you_mean
from harness.randomness import generator

ANSWER = re.compile(r"^```answer\s*^(\d{1,6})\s*^```", re.MULTILINE)
THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Counting:
    """Continue an arithmetic sequence; the fields are the -T options."""

    shown: int = 3  # numbers of the sequence that are given

    name = "counting"
    version = "1"  # raise it whenever a puzzle or a verdict may change
    family = "counting"
    summary = "Continue an arithmetic sequence"
    splits = ("test", "train")
    attempts = 1
    metrics = (Metric(name="solved"),)
    chance = 0.01
    data_revision = "generated"
    grid = None  # no grid codec: nets cannot play, everything else can

    def load(self, *, split: str, seed: int, limit: int | None, data_dir: Path | None) -> list[Item]:
        if split not in self.splits:
            raise UserError(f"counting has no split {split!r}.", rule=did_you_mean(split, self.splits))
        return [self._item(split, seed, index) for index in range(100 if limit is None else limit)]

    def _item(self, split: str, seed: int, index: int) -> Item:
        rng = generator(self.name, self.version, split, seed, index)
        start = 2 * int(rng.integers(1000)) + (split == "train")  # even or odd: the splits share no puzzle
        step = int(rng.integers(1, 50))
        sequence = [start + step * k for k in range(self.shown + 1)]
        name = f"{split}-{seed}-{index}"
        puzzle = Puzzle(id=name, group=name, split=split, payload={"sequence": sequence[:-1]})
        return puzzle, Key(answers=(sequence[-1],))

    def judge(self, puzzle: Puzzle, key: Key, answer: Answer) -> Verdict:
        return Verdict(correct=type(answer) is int and answer == key.answers[0])

    def prompt(self, puzzle: Puzzle) -> str:
        return f"Continue: {puzzle.payload['sequence']}. Give the next number in a fenced block:\n```answer\n(number)\n```"

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        found = ANSWER.findall(THOUGHTS.sub("", reply))
        return int(found[-1]) if found else Unparsed(reason="no fenced answer block with a number")

    def violations(self, puzzle: Puzzle, answer: Answer) -> list[str] | None:
        return None  # the rules alone cannot tell

    def random_answer(self, puzzle: Puzzle, rng: Any) -> Answer:
        last = int(puzzle.payload["sequence"][-1])
        step = last - int(puzzle.payload["sequence"][-2])
        return last + step + int(rng.integers(-50, 50))

    def search(self, puzzle: Puzzle) -> Answer | None:
        *_, before, last = puzzle.payload["sequence"]
        return 2 * last - before

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> str:
        wanted = "" if key is None or answer == key.answers[0] else f" (expected {key.answers[0]})"
        return f"{puzzle.payload['sequence']} → {'?' if answer is None else answer}{wanted}"
