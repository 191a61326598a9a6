"""Sudoku-Extreme (Hugging Face `sapientinc/sudoku-extreme`), the hard 9×9 set of the HRM and TRM papers.

What is pinned, and by what: `test.csv` (422,786 rows) by the revision below and the file's SHA-256; the 1,000
training rows of `sapientinc/sudoku-extreme-1k` by the SHA-256 of their questions and answers in order,
whatever revision they come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

from harness.contracts import Item, Key, Puzzle
from harness.errors import UserError, did_you_mean
from tasks.shared.published_data import (
    COLUMNS,
    Lines,
    Row,
    announce,
    content_sha256,
    corrupt,
    download,
    file_sha256,
    find,
    missing,
    read_csv,
    read_rating,
    select,
)
from tasks.sudoku.rules import SudokuRules

REPOSITORY, REVISION = "sapientinc/sudoku-extreme", "58942f96baeb572ca3127e2a9e9c70f330783d6b"
TEST_SHA256 = "a2fd52aea23d331d5b4ee723c856236e838a9fb9a70e66f4e0e0cf26c338c6a8"
TRAIN_REPOSITORY = "sapientinc/sudoku-extreme-1k"
TRAIN_SHA256 = "6e20ac1bf298f1fb5eb75e17025e5d4b96e5fc9c293061829caca63642af86ee"
FOLDER = "sudoku_extreme"
FILES = {"test": ("test.csv", "test_hard.csv", "test_10k.csv"), "train": ("train_1k.csv", "train.csv")}


@dataclass(frozen=True, kw_only=True)
class SudokuExtreme(SudokuRules):
    """Sudoku-Extreme. A puzzle's difficulty is its published rating, the number of guesses tdoku makes.

    held_out: how many training rows form the validation split instead (0: train holds all 1,000, as in the
    papers).
    """

    held_out: int = 100

    name = "sudoku-extreme"
    version = "1"
    summary = "Sudoku-Extreme, hard 9×9 puzzles; rating = guesses of tdoku"
    splits = ("test", "train", "validation")
    data_revision = f"{REPOSITORY}@{REVISION[:12]}"
    size = 9

    def __post_init__(self) -> None:
        if self.held_out < 0:
            raise UserError(f"No split can hold {self.held_out} rows.", rule="held_out is 0 or more.")

    def load(self, *, split: str, seed: int, limit: int | None, data_dir: Path | None) -> list[Item]:
        """Return the first `limit` rows in file order; the seed changes nothing."""
        if split not in self.splits:
            raise UserError(f"{self.name} has no split {split!r}.", rule=did_you_mean(split, self.splits))
        file = "test" if split == "test" else "train"
        path = find(data_dir, FOLDER, FILES[file])
        if path is not None:
            lines, origin = read_csv(path, limit if split == "test" else None), path
        else:
            lines, origin = _downloaded(file, limit if split == "test" else None)
        # An id names the file, for test.csv and test_10k.csv hold different rows, and the row, counted from
        # 0.
        numbered = [
            (line, {**row, "id": f"{origin.stem}-{number}"}) for number, (line, row) in enumerate(lines)
        ]
        if file == "train":
            numbered = select(numbered, split, self.held_out)
        return [_item(origin, line, row, split) for line, row in numbered[:limit]]


def _downloaded(file: str, limit: int | None) -> tuple[Lines, Path]:
    try:
        return (
            (_download_test(limit), Path("test.csv"))
            if file == "test"
            else (_download_train(), Path("train_1k.csv"))
        )
    except OSError as error:
        raise missing("Sudoku-Extreme", FOLDER, FILES[file], str(error)) from error


def _download_test(limit: int | None) -> Lines:
    path = download(REPOSITORY, REVISION, "test.csv")
    if (found := file_sha256(path)) != TEST_SHA256:
        raise OSError(f"test.csv has SHA-256 {found}, expected {TEST_SHA256}")
    return read_csv(path, limit)


def _download_train() -> Lines:
    try:
        from datasets import Features, Value, load_dataset

        # else the 81 digits are read as a number
        announce(TRAIN_REPOSITORY)
        features = Features({name: Value("string") for name in COLUMNS})
        rows: list[Any] = list(load_dataset(TRAIN_REPOSITORY, split="train", features=features))
    except Exception as error:  # whatever the hub's client raises
        raise OSError(f"{type(error).__name__}: {str(error)[:200]}") from error
    if (found := content_sha256(rows)) != TRAIN_SHA256:
        raise OSError(f"the training rows have content SHA-256 {found}, expected {TRAIN_SHA256}")
    return list(enumerate(rows, start=2))


def _item(path: Path, line: int, row: Row, split: str) -> Item:
    try:
        clues = _digits(row["question"].replace(".", "0"), "question", "0123456789")
        solution = _digits(row["answer"], "answer", "123456789")
        if any(clue and clue != digit for clue, digit in zip(clues, solution, strict=True)):
            raise ValueError("the answer changes a clue of the question")
        if any(len(set(house(solution))) != 9 for house in _houses()):
            raise ValueError("the answer breaks the rules of Sudoku")
        difficulty = read_rating(row)
    except ValueError as error:
        raise corrupt(path, line, str(error)) from error
    puzzle = Puzzle(
        id=row["id"], group=row["id"], split=split, payload={"grid": _rows(clues)}, difficulty=difficulty
    )
    return puzzle, Key(answers=(_rows(solution),))


def _digits(text: str, field: str, alphabet: str) -> list[int]:
    if len(text) != 81:
        raise ValueError(f"the {field} has {len(text)} characters, not 81")
    if strange := set(text) - set(alphabet):
        raise ValueError(f"the {field} holds {min(strange)!r}")
    return [int(c) for c in text]


def _rows(cells: list[int]) -> list[list[int]]:
    return [cells[i : i + 9] for i in range(0, 81, 9)]


@cache
def _houses() -> list[itemgetter[Any]]:
    """Return what picks each row, column and box out of 81 cells."""
    rows = [[9 * i + j for j in range(9)] for i in range(9)]
    columns = [[9 * j + i for j in range(9)] for i in range(9)]
    boxes = [[27 * (i // 3) + 3 * (i % 3) + 9 * (j // 3) + j % 3 for j in range(9)] for i in range(9)]
    return [itemgetter(*house) for house in rows + columns + boxes]
