"""A whole task: which number continues 3, 5, 7, …?"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from harness.base import Belongs, Drawn, GeneratedTask
from harness.contracts import Answer, Key, Puzzle, Unparsed, Verdict

ANSWER = re.compile(r"^```answer\s*^(\d{1,6})\s*^```", re.MULTILINE)
THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Counting(GeneratedTask):
    """Continue an arithmetic sequence

    The fields are the -T options.
    """

    shown: int = 3  # numbers of the sequence that are given

    name = "counting"
    version = "2"  # raise it whenever a puzzle or a verdict may change
    chance = 0.01  # what the method `random` scores

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        start, step = int(rng.integers(2000)), int(rng.integers(1, 50))
        sequence = [start + step * k for k in range(self.shown + 1)]
        # the identity decides which split and seed the puzzle may stand in
        return Drawn(identity=f"{start}+{step}", payload={"sequence": sequence[:-1]}, answers=(sequence[-1],))

    def prompt(self, puzzle: Puzzle) -> str:
        return (
            f"Continue: {puzzle.payload['sequence']}. Give the next number in a fenced block:\n"
            "```answer\n(number)\n```"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        found = ANSWER.findall(THOUGHTS.sub("", reply))
        return int(found[-1]) if found else Unparsed(reason="no fenced answer block with a number")

    def judge(self, puzzle: Puzzle, key: Key, answer: Answer) -> Verdict:
        return Verdict(correct=type(answer) is int and answer == key.answers[0])

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:  # the method `random`
        before, last = puzzle.payload["sequence"][-2:]
        return int(2 * last - before + rng.integers(-50, 50))

    def search(self, puzzle: Puzzle) -> Answer | None:  # the method `search`
        before, last = puzzle.payload["sequence"][-2:]
        return 2 * last - before
