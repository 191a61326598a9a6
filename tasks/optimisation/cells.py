"""Instances of whole numbers as tokens: 0 padding, 1 blank, 2 + v for the number v."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from harness.base import BaseGrid
from harness.contracts import Answer, Key, Puzzle
from tasks.optimisation.objective import OptimisationTask, Payload

BLANK, ZERO = 1, 2
MOST_TOKENS, MOST_WORDS = 900, 300
Ints = NDArray[np.int64]


class CellGrid(BaseGrid):
    """A canvas of numbers; some of its cells are where the answer's numbers go, the others are not scored.

    A family says how its canvas looks (`canvas`, -1 where it is blank), which cells hold the answer
    (`answer_cells`, in the order of `flat`), and how its answer becomes a flat list of numbers and back.
    """

    def __init__(self, task: OptimisationTask, height: int, width: int, largest: int) -> None:
        self.task, self.height, self.width, self.vocab_size = task, height, width, ZERO + largest + 1

    @property
    def answer_cells(self) -> Ints:
        """Positions of the answer's numbers."""
        raise NotImplementedError

    def canvas(self, payload: Payload) -> Ints:
        """Return the numbers shown, (height, width), -1 where a cell is blank."""
        raise NotImplementedError

    def flat(self, answer: Answer) -> list[int]:
        """Return the numbers of an answer in one row."""
        return list(answer)

    def shaped(self, numbers: list[int]) -> Answer:
        """Undo `flat`."""
        return numbers

    def blank(self) -> Ints:
        """Return an empty canvas for `canvas` to write on."""
        return np.full((self.height, self.width), BLANK - ZERO, dtype=np.int64)

    def if_it_fits(self) -> Self | None:
        """Return the codec, None where the dials make it too large for the nets there are."""
        return self if self.length <= MOST_TOKENS and self.vocab_size <= MOST_WORDS else None

    def encode(self, puzzle: Puzzle) -> Ints:
        return self.canvas(puzzle.payload).ravel() + ZERO

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> Ints:
        label = np.full(self.length, -100, dtype=np.int64)
        label[self.answer_cells] = np.array(self.flat(answer), dtype=np.int64) + ZERO
        return label

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return the numbers of the answer's cells; a token that is no number becomes -1 or -2, which fits
        nowhere.
        """
        read = np.asarray(tokens).astype(np.int64).ravel()[self.answer_cells] - ZERO
        return self.shaped(read.tolist())

    def variants(self, puzzle: Puzzle, key: Key) -> list[tuple[Ints, Ints]]:
        """Return (input, label) of the instance and its symmetric copies, each label computed anew: the
        smallest optimum of a copy is not the copy of the smallest optimum.
        """
        pairs = []
        for payload in self.task.copies(puzzle.payload):
            solved = self.task.solve(payload)
            assert solved is not None  # a symmetry keeps what can be solved
            pairs.append((self.canvas(payload).ravel() + ZERO, self.encode_answer(puzzle, solved[0])))
        return pairs
