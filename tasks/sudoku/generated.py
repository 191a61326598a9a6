"""Generated Sudoku in 4×4, 6×6 and 9×9: any number of puzzles, each proved to have exactly one solution.

The splits share no puzzle, nor any symmetric copy of one, by construction: a number that all symmetric copies
share (`search.invariant`) says which split a puzzle belongs to, whatever the seed, the index and the
difficulty. They do share solution grids up to symmetry: there are only 2 of them in 4×4 and 49 in 6×6.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness import own
from harness.contracts import Item, Key, Puzzle
from harness.errors import UserError, did_you_mean
from harness.randomness import generator
from tasks.shared.compiled import SLOW_IMPORTS
from tasks.sudoku import own as own_sudoku
from tasks.sudoku.rules import SudokuRules
from tasks.sudoku.sizes import BOXES

DEFAULT_COUNT = 1000
SHARES = ("test", "validation", "train", "train")  # of puzzle classes: a quarter, a quarter, half


@dataclass(frozen=True, kw_only=True)
class Sudoku(SudokuRules):
    """Generated Sudoku.

    difficulty: easy, half of the cells are clues and naked and hidden singles solve it; medium, singles still
    solve it but would not with any clue fewer; hard, minimal: with any clue fewer there is a second solution.
    A puzzle's own `difficulty` is the number of guesses the exact search makes after all singles, 0 where
    singles suffice.
    """

    size: Literal[4, 6, 9] = 6  # cells of a side
    difficulty: Literal["easy", "medium", "hard"] = "hard"
    file: Path | None = None  # puzzles of your own: lines of digits, rows, CSV or JSON lines; size is theirs

    name = "sudoku"
    version = "1"
    slow_imports = SLOW_IMPORTS
    summary = "Sudoku 4×4, 6×6 or 9×9, generated, one solution each"
    splits = ("test", "train", "validation")

    @property
    def data_revision(self) -> str:
        """What the puzzles are made from: generated, or the file and its hash."""
        return "generated" if self.file is None else own.revision_of(self.file)

    def __post_init__(self) -> None:
        if self.file is not None:
            object.__setattr__(self, "size", own_sudoku.size_of(self.file))
        if self.size not in BOXES:
            raise UserError(f"No Sudoku of size {self.size}.", rule="Sizes are 4, 6 and 9.")
        if self.difficulty not in ("easy", "medium", "hard"):
            raise UserError(
                f"No difficulty {self.difficulty!r}.",
                rule=did_you_mean(self.difficulty, ["easy", "medium", "hard"]),
            )

    def load(self, *, split: str, seed: int, limit: int | None, data_dir: Path | None) -> list[Item]:
        """Generate the first `limit` (1000 if None) puzzles of a split."""
        if split not in self.splits:
            raise UserError(f"sudoku has no split {split!r}.", rule=did_you_mean(split, self.splits))
        if self.file is not None:
            if split != self.splits[0]:
                raise UserError(f"{self.file} has no split {split!r}.", rule="A file is one split.")
            return own.items_of(self, split, own_sudoku.read(self.file), limit)
        return [self._item(split, seed, index) for index in range(DEFAULT_COUNT if limit is None else limit)]

    def how_many(self, split: str, limit: int | None) -> int | None:
        """Return how many puzzles `load` makes; None if they are a file's."""
        if self.file is not None or split not in self.splits:
            return None
        return DEFAULT_COUNT if limit is None else limit

    def between(self, split: str, seed: int, start: int, stop: int) -> list[Item]:
        """Return a part of what `load` makes."""
        return [self._item(split, seed, index) for index in range(start, stop)]

    def _item(self, split: str, seed: int, index: int) -> Item:
        from tasks.sudoku.search import draw, guesses, invariant

        size = self.size
        rng = generator(self.name, self.version, size, self.difficulty, split, seed, index)
        clues = size * size // 2 if self.difficulty == "easy" else 0
        while True:
            board, solution = draw(size, clues, self.difficulty != "hard", rng)
            if SHARES[invariant(board, size) % len(SHARES)] == split:
                break
        name = f"{split}-{seed}-{index}"
        payload = {"grid": board.reshape(size, size).tolist()}
        puzzle = Puzzle(
            id=name, group=name, split=split, payload=payload, difficulty=float(guesses(board, size))
        )
        return puzzle, Key(answers=(solution.reshape(size, size).tolist(),))
