"""ARC grids on a canvas of 30×30 tokens, or a smaller one: 0 padding, 1 end marker, 2 + c for colour c, as in
the data built for HRM and TRM.

A grid lies in the top left corner; where there is room, a line of end markers closes it on the right and one
below (the corner between them stays padding).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.capabilities import Pair
from harness.codecs import Symmetries
from harness.contracts import Answer, Key, Puzzle
from tasks.arc import copies as arc_copies

SIDE = 30
COLOURS = 10
IGNORED = -100


class ArcGrid:
    """The grid codec of ARC. It encodes the test input alone; the demonstrations reach a net as further
    training pairs.

    As an `AugmentedCodec` it makes the published copies, see `arc_copies`. Translation is for training pairs
    alone.
    """

    vocab_size = COLOURS + 2

    def __init__(self, side: int = SIDE) -> None:
        self.height = self.width = side
        self.length = side * side

    def on_canvas(self, side: int) -> ArcGrid:
        """Return the codec of a smaller canvas, which holds the smaller grids alone."""
        return ArcGrid(side)

    def fits(self, puzzle: Puzzle) -> bool:
        """Say whether the demonstrations and the test input fit on the canvas; nobody knows the output."""
        return max(np.shape(puzzle.payload["test"])) <= self.height and self.fits_pairs(
            self.demonstrations(puzzle)
        )

    def fits_pairs(self, pairs: Sequence[Pair]) -> bool:
        """Say whether all grids of these pairs fit on the canvas."""
        return all(max(np.shape(grid)) <= self.height for pair in pairs for grid in pair)

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the test input as tokens, (L,)."""
        return encode_grid(puzzle.payload["test"], side=self.height)

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return a grid as labels, (L,): colours and end markers are scored, padding is not."""
        tokens = encode_grid(answer, side=self.height)
        return np.where(tokens == 0, IGNORED, tokens)

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return the largest rectangle of colours in the top left corner, the tallest first found on a tie;
        [] if none.

        This is the published crop rule: the end markers count only as what is no colour.
        """
        canvas = np.asarray(tokens).reshape(self.height, self.width)
        coloured = (canvas >= 2) & (canvas < 2 + COLOURS)
        # colours from the left, row by row
        run = np.where(coloured.all(axis=1), self.width, coloured.argmin(axis=1))
        width = np.minimum.accumulate(run)
        area = width * np.arange(1, self.height + 1)
        rows = int(area.argmax()) + 1
        if area[rows - 1] == 0:
            return []
        grid: list[list[int]] = (canvas[:rows, : width[rows - 1]].astype(np.int64) - 2).tolist()
        return grid

    def symmetries(self, rng: np.random.Generator, n: int) -> Symmetries:
        """Draw n permutations of the colours 1 to 9; black stays, for it is the background of most tasks.

        Rotations, reflections and shifts move a grid on its canvas and so are no permutation of positions
        that would suit grids of every size: `copies` has them.
        """
        tokens = np.tile(np.arange(self.vocab_size), (n, 1))
        tokens[:, 3:] = rng.random((n, COLOURS - 1)).argsort(axis=1) + 3
        return Symmetries(np.tile(np.arange(self.length), (n, 1)), tokens)

    def variants(self, puzzle: Puzzle, key: Key) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return the (input, label) pairs of one item: its demonstrations and its test input."""
        pairs = [(d["input"], d["output"]) for d in puzzle.payload["train"]] + [
            (puzzle.payload["test"], key.answers[0])
        ]
        return [
            (encode_grid(given, side=self.height), self.encode_answer(puzzle, wanted))
            for given, wanted in pairs
        ]

    def demonstrations(self, puzzle: Puzzle) -> tuple[Pair, ...]:
        return tuple((pair["input"], pair["output"]) for pair in puzzle.payload["train"])

    def copies(self, demonstrations: Sequence[Pair], *, name: str, seed: int, n: int) -> NDArray[np.uint8]:
        """Draw the plain copy and at most n others, (m, 11)."""
        return arc_copies.draw(demonstrations, name=name, seed=seed, n=n)

    def encode_pair(
        self, pair: Pair, copy: NDArray[np.uint8], shift: tuple[float, float]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the tokens of a copy of a pair, (L,) each; input and output are shifted alike, so that
        both keep room.
        """
        given, wanted = (arc_copies.apply(grid, copy) for grid in pair)
        sizes = zip(shift, given.shape, wanted.shape, strict=True)
        down, right = (int(share * (self.height + 1 - max(a, b))) for share, a, b in sizes)
        tokens, labels = (encode_grid(grid, down, right, side=self.height) for grid in (given, wanted))
        return tokens, np.where(labels == 0, IGNORED, labels)

    def encode_copy(self, puzzle: Puzzle, copy: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the test input of a copy as tokens, (L,)."""
        return encode_grid(arc_copies.apply(puzzle.payload["test"], copy), side=self.height)

    def undo(self, answer: Answer, copy: NDArray[np.uint8]) -> Answer:
        """Return a grid as it is before the copy; [] stays []."""
        grid: Answer = arc_copies.undo(answer, copy).tolist() if answer else []
        return grid


def encode_grid(grid: Any, down: int = 0, right: int = 0, *, side: int = SIDE) -> NDArray[np.int64]:
    """Return a grid as the tokens of a square canvas, (side²,), its top left corner at (down, right)."""
    colours = np.asarray(grid, dtype=np.int64)
    bottom, edge = down + colours.shape[0], right + colours.shape[1]
    canvas = np.zeros((side, side), dtype=np.int64)
    canvas[down:bottom, right:edge] = colours + 2
    canvas[bottom : bottom + 1, right:edge] = 1
    canvas[down:bottom, edge : edge + 1] = 1
    return canvas.ravel()
