"""ARC grids on a canvas of 30×30 tokens: 0 padding, 1 end marker, 2 + c for colour c, as in the data built for HRM and TRM.

A grid lies in the top left corner; where there is room, a line of end markers closes it on the right and one below (the
corner between them stays padding).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contracts import Answer, Key, Puzzle, Symmetries

SIDE = 30
COLOURS = 10
IGNORED = -100


class ArcGrid:
    """The grid codec of ARC. It encodes the test input alone; the demonstrations reach a net as further training pairs."""

    height = width = SIDE
    length = SIDE * SIDE
    vocab_size = COLOURS + 2

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the test input as tokens, (L,)."""
        return encode_grid(puzzle.payload["test"])

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return a grid as labels, (L,): colours and end markers are scored, padding is not."""
        tokens = encode_grid(answer)
        return np.where(tokens == 0, IGNORED, tokens)

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return the largest rectangle of colours in the top left corner, the tallest first found on a tie; [] if none.

        This is the published crop rule: the end markers count only as what is no colour.
        """
        canvas = np.asarray(tokens).reshape(SIDE, SIDE)
        coloured = (canvas >= 2) & (canvas < 2 + COLOURS)
        run = np.where(coloured.all(axis=1), SIDE, coloured.argmin(axis=1))  # colours from the left, row by row
        width = np.minimum.accumulate(run)
        area = width * np.arange(1, SIDE + 1)
        rows = int(area.argmax()) + 1
        if area[rows - 1] == 0:
            return []
        grid: list[list[int]] = (canvas[:rows, : width[rows - 1]].astype(np.int64) - 2).tolist()
        return grid

    def symmetries(self, rng: np.random.Generator, n: int) -> Symmetries:
        """Draw n permutations of the colours 1 to 9; black stays, for it is the background of most tasks.

        Rotations, reflections and shifts move a grid on its canvas and so are no permutation of positions that would suit
        grids of every size: they belong to the making of training pairs, before encoding.
        """
        tokens = np.tile(np.arange(self.vocab_size), (n, 1))
        tokens[:, 3:] = rng.random((n, COLOURS - 1)).argsort(axis=1) + 3
        return Symmetries(np.tile(np.arange(self.length), (n, 1)), tokens)

    def variants(self, puzzle: Puzzle, key: Key) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return the (input, label) pairs of one item: its demonstrations and its test input."""
        pairs = [(d["input"], d["output"]) for d in puzzle.payload["train"]] + [(puzzle.payload["test"], key.answers[0])]
        return [(encode_grid(given), self.encode_answer(puzzle, wanted)) for given, wanted in pairs]


def encode_grid(grid: Any) -> NDArray[np.int64]:
    """Return a grid of at most 30×30 colours as tokens, (L,)."""
    colours = np.array(grid, dtype=np.int64)
    height, width = colours.shape
    canvas = np.zeros((SIDE, SIDE), dtype=np.int64)
    canvas[:height, :width] = colours + 2
    canvas[height : height + 1, :width] = 1
    canvas[:height, width : width + 1] = 1
    return canvas.ravel()
