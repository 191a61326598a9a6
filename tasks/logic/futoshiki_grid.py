"""Futoshiki as tokens: cells with the places between them, (2n - 1)² in all.

0 padding, 1 blank cell, 2 no sign, 3 `<`, 4 `>`, 5 `^`, 6 `v`, 6 + d for digit d. Cells alone are scored.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.base import BaseGrid
from harness.codecs import Symmetries
from harness.contracts import Answer, Puzzle

BLANK, NOTHING, LESS, GREATER, UPPER_LESS, UPPER_GREATER, DIGIT = 1, 2, 3, 4, 5, 6, 6


class FutoshikiGrid(BaseGrid):
    """The grid codec of boards up to one size; a smaller one stands in the middle, padding around it, where
    turns and mirrors leave it.

    mixed: boards are of several sizes.
    """

    def __init__(self, size: int, *, mixed: bool = False) -> None:
        self.size, self.height, self.width = size, 2 * size - 1, 2 * size - 1
        self.mixed = mixed
        self.vocab_size = DIGIT + 1 + size

    def on_canvas(self, side: int) -> FutoshikiGrid:
        """Return the codec of a canvas of `side` tokens, for the smaller boards alone."""
        return FutoshikiGrid(min(self.size, (side + 1) // 2), mixed=self.mixed)

    def fits(self, puzzle: Puzzle) -> bool:
        """Say whether a board is small enough."""
        return len(puzzle.payload["grid"]) <= self.size

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the board as tokens, (L,)."""
        n = len(puzzle.payload["grid"])
        less = np.array(puzzle.payload["less"], dtype=np.int64).reshape(-1, 2, 2) @ np.array([n, 1])
        shown = board(np.array(puzzle.payload["grid"], dtype=np.int64).ravel(), less, n)
        return self._placed(shown.reshape(2 * n - 1, -1), 0)

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the digits as labels, (L,), given ones too; -100 between the cells."""
        n = len(puzzle.payload["grid"])
        labels = np.full((2 * n - 1, 2 * n - 1), -100, np.int64)
        labels[::2, ::2] = np.array(answer, dtype=np.int64) + DIGIT
        return self._placed(labels, -100)

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return rows of digits; a token that is no digit becomes 0."""
        n = len(puzzle.payload["grid"])
        digits = self._board(tokens, n)[::2, ::2] - DIGIT
        rows: list[list[int]] = np.where((digits < 0) | (digits > n), 0, digits).tolist()
        return rows

    def _board(self, tokens: NDArray[Any], n: int) -> NDArray[np.int64]:
        """Return the tokens of a board of size n, (2n - 1, 2n - 1), from the middle of a canvas."""
        canvas, at = np.asarray(tokens).astype(np.int64).reshape(self.height, self.width), self.size - n
        return canvas[at : at + 2 * n - 1, at : at + 2 * n - 1]

    def _placed(self, tokens: NDArray[np.int64], padding: int) -> NDArray[np.int64]:
        return np.pad(tokens, (self.height - len(tokens)) // 2, constant_values=padding).ravel()

    def puzzle_of(self, tokens: NDArray[Any], puzzle: Puzzle) -> Puzzle:
        """Read back the puzzle that input tokens show: the conformance suite judges copies by it."""
        signs = self._board(tokens, len(puzzle.payload["grid"]))
        less = []
        for y, x in np.argwhere((signs >= LESS) & (signs <= UPPER_GREATER)).tolist():
            before = [y // 2, x // 2]
            after = [y // 2, x // 2 + 1] if x % 2 else [y // 2 + 1, x // 2]
            lower_first = signs[y, x] in (LESS, UPPER_LESS)
            less.append([*before, *after] if lower_first else [*after, *before])
        return replace(puzzle, payload={"grid": self.decode(tokens, puzzle), "less": less})

    def symmetries(self, rng: np.random.Generator, n: int) -> Symmetries:
        """Draw n of the sixteen symmetries: turns and mirrors of the board, each with or without counting
        the digits from above. Of mixed sizes the eight turns alone: what is above depends on the size.
        """
        group = symmetry_group(self.size)
        if self.mixed:
            group = Symmetries(group.positions[::2], group.tokens[::2])
        chosen = rng.integers(len(group), size=n)
        return Symmetries(group.positions[chosen], group.tokens[chosen])


def board(given: NDArray[np.int64], less: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return the tokens of a board: given (n²,) digits or 0, less (m, 2) cells, the first less."""
    tokens = np.full((2 * n - 1, 2 * n - 1), NOTHING, np.int64)
    tokens[::2, ::2] = np.where(given, given + DIGIT, BLANK).reshape(n, n)
    (r, c), (s, d) = np.divmod(less[:, 0], n), np.divmod(less[:, 1], n)
    across, down = np.where(c < d, LESS, GREATER), np.where(r < s, UPPER_LESS, UPPER_GREATER)
    tokens[r + s, c + d] = np.where(r == s, across, down)
    return tokens.ravel()


@cache
def symmetry_group(n: int) -> Symmetries:
    """Return all sixteen symmetries: signs turn with the board, and over if digits count from above."""
    side = 2 * n - 1
    place = np.arange(side * side).reshape(side, side)
    positions, tokens = [], []
    for transposed in (False, True):
        for mirrored in (False, True):
            for flipped in (False, True):
                for counted in (False, True):
                    moved, swap = place, np.arange(DIGIT + 1 + n)
                    if transposed:
                        moved = moved.T
                        swap[[LESS, GREATER, UPPER_LESS, UPPER_GREATER]] = [
                            UPPER_LESS,
                            UPPER_GREATER,
                            LESS,
                            GREATER,
                        ]
                    if mirrored:
                        moved = moved[:, ::-1]
                        swap = _exchange(LESS, GREATER, n)[swap]
                    if flipped:
                        moved = moved[::-1]
                        swap = _exchange(UPPER_LESS, UPPER_GREATER, n)[swap]
                    if counted:
                        signs = _exchange(LESS, GREATER, n)[_exchange(UPPER_LESS, UPPER_GREATER, n)]
                        signs[DIGIT + 1 :] = signs[DIGIT + 1 :][::-1]
                        swap = signs[swap]
                    positions.append(moved.ravel())
                    tokens.append(swap)
    return Symmetries(np.stack(positions), np.stack(tokens))


def _exchange(one: int, other: int, n: int) -> NDArray[np.int64]:
    swap = np.arange(DIGIT + 1 + n)
    swap[[one, other]] = [other, one]
    return swap


def canonical(given: NDArray[np.int64], less: NDArray[np.int64], n: int) -> bytes:
    """Return what all sixteen symmetric copies of a board share: the smallest of them."""
    group = symmetry_group(n)
    copies = group.apply(np.tile(board(given, less, n), (len(group), 1))).astype(np.uint8)
    return min(map(bytes, copies))
