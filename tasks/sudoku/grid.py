"""Sudoku as tokens: 0 padding, 1 blank, 1 + d for digit d, cells row by row, as in the data published with
HRM and TRM.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.codecs import Symmetries
from harness.contracts import Answer, Key, Puzzle
from tasks.sudoku.sizes import BOXES


class SudokuGrid:
    """The grid codec of a Sudoku of size 4, 6 or 9."""

    def __init__(self, size: int) -> None:
        self.size = self.height = self.width = size
        self.length = size * size
        self.vocab_size = size + 2

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the clues as tokens, (L,)."""
        return np.array(puzzle.payload["grid"], dtype=np.int64).ravel() + 1

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the full grid as labels, (L,): clues are scored too, as published."""
        return np.array(answer, dtype=np.int64).ravel() + 1

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return rows of digits; a token that is no digit becomes 0."""
        digits = np.asarray(tokens).astype(np.int64).reshape(self.size, self.size) - 1
        rows: list[list[int]] = np.where((digits < 0) | (digits > self.size), 0, digits).tolist()
        return rows

    def symmetries(self, rng: np.random.Generator, n: int) -> Symmetries:
        """Draw n elements of the whole symmetry group, uniformly.

        Digits are relabelled; bands, stacks, rows within a band and columns within a stack are permuted;
        boards with square boxes are transposed half of the time (on 6×6 a transpose would turn 2×3 boxes into
        3×2).
        """
        size, (box_height, box_width) = self.size, BOXES[self.size]
        rows, columns = _lines(rng, n, size, box_height), _lines(rng, n, size, box_width)
        positions = rows[:, :, None] * size + columns[:, None, :]
        if box_height == box_width:
            transposed = columns[:, None, :] * size + rows[:, :, None]
            positions = np.where(rng.random((n, 1, 1)) < 0.5, transposed, positions)
        tokens = np.empty((n, self.vocab_size), dtype=np.int64)
        tokens[:, :2] = [0, 1]
        tokens[:, 2:] = rng.random((n, size)).argsort(axis=1) + 2
        return Symmetries(positions.reshape(n, -1), tokens)

    def variants(self, puzzle: Puzzle, key: Key) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return the one (input, label) pair; `symmetries` make the others."""
        return [(self.encode(puzzle), self.encode_answer(puzzle, key.answers[0]))]


def _lines(rng: np.random.Generator, n: int, size: int, thickness: int) -> NDArray[np.int64]:
    """Draw n permutations of the lines 0..size-1 that keep bands of `thickness` lines together, int64 (n,
    size).
    """
    bands = size // thickness
    band = rng.random((n, bands)).argsort(axis=1)
    line = rng.random((n, bands, thickness)).argsort(axis=2)
    return (band[:, :, None] * thickness + line).reshape(n, size)
