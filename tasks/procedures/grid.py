"""Procedures as tokens: 0 padding, then one token for each symbol; a canvas with room for `most_steps`.

The canvas grows to the right or downwards with the dial `steps`, so that what stands on it keeps its place
and a net without learned positions plays any number of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.base import BaseGrid
from harness.contracts import Answer, Puzzle


class AlignedGrid(BaseGrid):
    """One row: number i of the answer stands where number i of the puzzle stood.

    symbols: the numbers that have tokens, 1 on. shown: the puzzle's numbers. A token of none of them decodes
    to -1, which is no number of any answer.
    """

    height = 1

    def __init__(self, symbols: Sequence[int], width: int, shown: Callable[[Puzzle], Sequence[int]]) -> None:
        self.width, self.shown = width, shown
        self.symbols = [-1, *symbols]
        self.tokens = {value: token for token, value in enumerate(self.symbols)}
        self.vocab_size = len(self.symbols)

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the puzzle's numbers as tokens, (L,), padded with 0."""
        return self._row(self.shown(puzzle), 0)

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the answer's numbers as labels, (L,); padding is not scored."""
        return self._row(answer, -100)

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return as many numbers as the puzzle has."""
        row = np.asarray(tokens).astype(np.int64)[: len(self.shown(puzzle))].tolist()
        return [self.symbols[token] if 0 <= token < self.vocab_size else -1 for token in row]

    def _row(self, values: Sequence[int], padding: int) -> NDArray[np.int64]:
        row = np.full(self.width, padding, dtype=np.int64)
        row[: len(values)] = [self.tokens[value] for value in values]
        return row


class PermutationGrid(BaseGrid):
    """Permutations of n letters, n cells each: a token is a letter and where it goes, 1 + n · letter + image.

    A product is then a look-up, cell by cell, which a small net learns in minutes; of one token for each of
    the 120 elements of S5 it would have to learn a table of 14,400 products by heart.
    """

    height = 1

    def __init__(self, letters: int, most: int) -> None:
        self.letters, self.width = letters, letters * most
        self.vocab_size = 1 + letters * letters

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the elements as tokens, (L,), padded with 0."""
        return self._row(puzzle.payload["elements"], 0)

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the products as labels, (L,); padding is not scored."""
        return self._row(answer, -100)

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return as many elements as the puzzle has; one that is no permutation is no element."""
        n, count = self.letters, len(puzzle.payload["elements"])
        images = (np.asarray(tokens).astype(np.int64)[: n * count] - 1) % n + 1
        return [int("".join(map(str, row))) for row in images.reshape(count, n).tolist()]

    def _row(self, names: Sequence[int], padding: int) -> NDArray[np.int64]:
        row = np.full(self.width, padding, dtype=np.int64)
        images = np.array([[int(digit) for digit in str(name)] for name in names])
        row[: images.size] = (images + self.letters * np.arange(self.letters)).ravel()
        return row


class TickedGrid(BaseGrid):
    """Cells, then a token for each step to be done: a net counts steps by eating ticks, not by a number that
    it never saw in training.

    The answer stands where the cells stood; a puzzle has `cells` of them, numbers from 0 to `symbols` - 1,
    the last `answered` of which are the answer's.
    """

    height = 1

    def __init__(
        self,
        *,
        symbols: int,
        cells: int,
        answered: int,
        most_steps: int,
        read: Callable[[Puzzle], Sequence[int]],
    ) -> None:
        self.cells, self.answered, self.read = cells, answered, read
        self.symbols, self.width = symbols, cells + most_steps
        self.tick, self.vocab_size = symbols + 1, symbols + 2

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return cells and ticks as tokens, (L,), padded with 0."""
        row = np.zeros(self.width, dtype=np.int64)
        row[: self.cells] = np.array(self.read(puzzle)) + 1
        row[self.cells : self.cells + puzzle.payload["steps"]] = self.tick
        return row

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the answer as labels, (L,); neither ticks nor what is only given is scored."""
        row = np.full(self.width, -100, dtype=np.int64)
        row[self.cells - self.answered : self.cells] = np.array(answer).ravel() + 1
        return row

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return the answer's numbers; a token of none is -1."""
        row = np.asarray(tokens).astype(np.int64)[self.cells - self.answered : self.cells] - 1
        values: list[int] = np.where((row < 0) | (row >= self.symbols), -1, row).tolist()
        return values
