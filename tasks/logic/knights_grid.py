"""Knights and knaves as tokens: a row for each person, what they are (to be found) and what they say.

0 padding, 1 unknown, 2 nothing, 3 knight, 4 knave, then "not", the pairs, the counts, the numbers 0 to n and
for each person "is a knight" and "is a knave". Only the first column is scored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.base import BaseGrid
from harness.codecs import Symmetries
from harness.contracts import Answer, Puzzle

KNIGHT, KNAVE = "knight", "knave"
PAIRS = ("and", "or", "if", "same")
COUNTS = ("exactly", "at least", "at most")

Statement = list[Any]
"""["is", person, "knight"], ["not", statement], ["and" | "or" | "if" | "same", statement, statement] or
["exactly" | "at least" | "at most", number of knights]; persons are counted from 0.
"""

UNKNOWN, NOTHING, KINDS = 1, 2, {KNIGHT: 3, KNAVE: 4}
HEADS = {word: token for token, word in enumerate(("not", *PAIRS, *COUNTS), start=5)}
NUMBER = 5 + len(HEADS)
WIDTH = 5  # the person and the longest statement: not, pair, claim, claim


class KnightsGrid(BaseGrid):
    """The grid codec of so many people."""

    width = WIDTH

    def __init__(self, people: int) -> None:
        self.height = people
        self.claim = NUMBER + people + 1  # the first token of a claim about somebody
        self.vocab_size = self.claim + 2 * people

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the statements as tokens, (L,), in prefix notation."""
        if len(puzzle.payload["people"]) != self.height:
            raise ValueError(f"it is not of {self.height} people")
        tokens = np.full((self.height, self.width), NOTHING, np.int64)
        tokens[:, 0] = UNKNOWN
        for i, statement in enumerate(puzzle.payload["statements"]):
            written = self._written(statement)
            tokens[i, 1 : 1 + len(written)] = written
        return tokens.ravel()

    def _written(self, statement: Statement) -> list[int]:
        if statement[0] == "is":
            return [self.claim + 2 * statement[1] + (statement[2] == KNAVE)]
        if statement[0] in COUNTS:
            return [HEADS[statement[0]], NUMBER + statement[1]]
        return [HEADS[statement[0]], *(token for part in statement[1:] for token in self._written(part))]

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return what everybody is as labels in the first column, (L,); -100 elsewhere."""
        labels = np.full((self.height, self.width), -100, np.int64)
        labels[:, 0] = [KINDS[kind] for kind in answer]
        return labels.ravel()

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return the kinds; a token that is neither becomes ""."""
        names = {token: kind for kind, token in KINDS.items()}
        first = np.asarray(tokens).reshape(self.height, self.width)[:, 0]
        return [names.get(int(token), "") for token in first]

    def puzzle_of(self, tokens: NDArray[Any], puzzle: Puzzle) -> Puzzle:
        """Read back the puzzle that input tokens show: the conformance suite judges copies by it."""
        rows = np.asarray(tokens).reshape(self.height, self.width)[:, 1:].tolist()
        statements = [self._read(iter(row)) for row in rows]
        return replace(puzzle, payload={**puzzle.payload, "statements": statements})

    def _read(self, tokens: Iterator[int]) -> Statement:
        token = next(tokens)
        if token >= self.claim:
            person, knave = divmod(token - self.claim, 2)
            return ["is", person, KNAVE if knave else KNIGHT]
        head = next(word for word, known in HEADS.items() if known == token)
        if head in COUNTS:
            return [head, next(tokens) - NUMBER]
        return [head, *(self._read(tokens) for _ in range(2 if head in PAIRS else 1))]

    def symmetries(self, rng: np.random.Generator, n: int) -> Symmetries:
        """Draw n orders of the people."""
        people = rng.random((n, self.height)).argsort(axis=1)  # row r comes from people[r]
        positions = people[:, :, None] * self.width + np.arange(self.width)
        tokens = np.tile(np.arange(self.vocab_size), (n, 1))
        pair = np.arange(2)
        old = self.claim + 2 * people[:, :, None] + pair
        new = np.broadcast_to(self.claim + 2 * np.arange(self.height)[:, None] + pair, old.shape)
        np.put_along_axis(tokens, old.reshape(n, -1), new.reshape(n, -1), axis=1)
        return Symmetries(positions.reshape(n, -1), tokens)
