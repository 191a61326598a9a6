"""Mazes as tokens: 0 padding, 1..5 for `# SGo` (wall, open, start, goal, path), as in the published
Maze-Hard data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.codecs import Symmetries
from harness.contracts import Answer, Key, Puzzle
from tasks.maze.paths import count_marks, path_faults
from tasks.maze.search import dihedral, shortest_path

SYMBOLS = "?# SGo"
"""The symbol of each token; a padding token decodes to `?`, which no maze holds."""


class MazeGrid:
    """The grid codec of mazes up to one size, smaller ones in the upper left. `unique_paths`: the mazes are
    perfect, so symmetries keep the label.
    """

    vocab_size = 6

    def __init__(self, height: int, width: int, *, unique_paths: bool) -> None:
        self.height, self.width, self.unique_paths = height, width, unique_paths
        self.length = height * width

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the maze as tokens, (L,)."""
        return self._placed(puzzle.payload["rows"], 0)

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the maze with its path as labels, (L,); every cell is scored, as published."""
        if "asked" in puzzle.payload:
            raise ValueError("a number of moves is no label")
        return self._placed(answer, -100)

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return rows of symbols; where moves are asked for, how many the path takes, -1 without one."""
        rows = puzzle.payload["rows"]
        canvas = np.asarray(tokens).astype(np.int64).reshape(self.height, self.width)
        cells = canvas[: len(rows), : len(rows[0])]
        found = decode_cells(np.where((cells < 0) | (cells >= self.vocab_size), 0, cells))
        if "asked" in puzzle.payload:
            return -1 if path_faults(rows, found) else count_marks(found) + 1
        return found

    def _placed(self, rows: list[str], padding: int) -> NDArray[np.int64]:
        cells = encode_rows(rows).astype(np.int64).reshape(len(rows), len(rows[0]))
        sides = ((0, self.height - len(rows)), (0, self.width - len(rows[0])))
        return np.pad(cells, sides, constant_values=padding).ravel()

    def symmetries(self, rng: np.random.Generator, n: int) -> Symmetries | None:
        """Draw n rotations and reflections; None where they would turn the published tie-break into
        another one.
        """
        if not self.unique_paths:
            return None
        copies = dihedral(self.height, self.width)
        return Symmetries(
            copies[rng.integers(len(copies), size=n)], np.tile(np.arange(self.vocab_size), (n, 1))
        )

    def variants(self, puzzle: Puzzle, key: Key) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return (input, label) of the maze, and if paths are not unique of its rotations and reflections,
        labels recomputed.
        """
        if self.unique_paths:
            return [(self.encode(puzzle), self.encode_answer(puzzle, key.answers[0]))]
        cells = encode_rows(puzzle.payload["rows"])
        if len(cells) != self.length:  # a smaller one is not turned: nothing is trained on such
            return [(self.encode(puzzle), self.encode_answer(puzzle, key.answers[0]))]
        pairs = []
        for positions in dihedral(self.height, self.width):
            turned = cells[positions]
            label = shortest_path(turned, self.width)
            assert label is not None  # turning a maze does not close it
            pairs.append((turned.astype(np.int64), label.astype(np.int64)))
        return pairs


def encode_rows(rows: list[str]) -> NDArray[np.int8]:
    """Turn rows of `# SGo` into tokens, int8 (L,)."""
    return _TOKENS[np.frombuffer("".join(rows).encode("ascii"), np.uint8)]


def decode_cells(cells: NDArray[Any]) -> list[str]:
    """Turn tokens (height, width) into rows of symbols."""
    return ["".join(SYMBOLS[token] for token in row) for row in cells.tolist()]


_TOKENS = np.zeros(256, np.int8)
for _token, _symbol in enumerate(SYMBOLS[1:], start=1):
    _TOKENS[ord(_symbol)] = _token
