"""Sudoku-Extreme: local copies, corrupt rows, what is said when the data is missing or is other data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import tasks.sudoku.extreme as extreme
from harness.errors import UserError
from tasks.sudoku.extreme import SudokuExtreme
from tasks.sudoku.generated import Sudoku


def test_sudoku_extreme_is_solved_exactly(data_dir: Path) -> None:
    task = SudokuExtreme()
    items = task.load(split="test", seed=0, limit=1000, data_dir=data_dir)
    assert len(items) == 1000
    assert all(task.search(puzzle) == key.answers[0] for puzzle, key in items)
    assert items[0][0].difficulty is not None


def test_the_training_rows_are_divided_into_train_and_validation(data_dir: Path) -> None:
    def ids(split: str, held_out: int) -> list[str]:
        items = SudokuExtreme(held_out=held_out).load(split=split, seed=0, limit=None, data_dir=data_dir)
        return [puzzle.id for puzzle, _ in items]

    assert len(ids("train", 0)) == 1000
    assert len(ids("validation", 100)) == 100
    assert sorted(ids("train", 100) + ids("validation", 100)) == sorted(ids("train", 0))


def test_the_local_training_rows_are_those_that_a_download_must_hold(data_dir: Path) -> None:
    path = extreme.find(data_dir, extreme.FOLDER, extreme.FILES["train"])
    assert path is not None
    assert extreme.content_sha256(row for _, row in extreme.read_csv(path)) == extreme.TRAIN_SHA256


@pytest.fixture
def rows() -> list[str]:
    """Return CSV rows of our own puzzles in the published layout."""
    items = Sudoku(size=9).load(split="test", seed=0, limit=3, data_dir=None)
    text = [
        [
            "".join(str(d) if d else "." for row in grid for d in row)
            for grid in (p.payload["grid"], k.answers[0])
        ]
        for p, k in items
    ]
    return ["source,question,answer,rating", *(f"ours,{question},{answer},7" for question, answer in text)]


def test_a_data_dir_may_hold_the_folder_or_be_it(
    tmp_path: Path, rows: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sudoku_extreme"
    folder.mkdir()
    (folder / "test.csv").write_text("\n".join(rows))
    outer = SudokuExtreme().load(split="test", seed=0, limit=None, data_dir=tmp_path)
    assert [puzzle.id for puzzle, _ in outer] == ["test-0", "test-1", "test-2"]
    assert outer == SudokuExtreme().load(split="test", seed=0, limit=None, data_dir=folder)
    monkeypatch.setenv("DEPTHBENCH_DATA", str(tmp_path))
    assert SudokuExtreme().load(split="test", seed=0, limit=2, data_dir=None) == outer[:2]


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda row: row.replace("ours,", "ours,."), "the question has 82 characters"),
        (lambda row: row.replace(".", "x", 1), "the question holds 'x'"),
        (lambda row: row.rsplit(",", 2)[0] + ",123,7", "the answer has 3 characters"),
        (lambda row: row.rsplit(",", 2)[0] + f",{'1' * 81},7", "the answer changes a clue"),
        (lambda _: f"ours,{'.' * 81},{'123456789' * 9},7", "breaks the rules"),
        (lambda row: row[:-1] + "many", "the rating 'many'"),
        (lambda row: row[:60], "does not have 4 fields"),
        (lambda row: row + ",more", "does not have 4 fields"),
    ],
)
def test_a_corrupt_row_is_named_with_its_line_and_fault(
    tmp_path: Path, rows: list[str], spoil: Callable[[str], str], fault: str
) -> None:
    rows[2] = spoil(rows[2])
    (tmp_path / "test.csv").write_text("\n".join(rows))
    with pytest.raises(UserError, match=rf"test\.csv, line 3: .*{fault}"):
        SudokuExtreme().load(split="test", seed=0, limit=None, data_dir=tmp_path)


def test_a_file_with_other_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("puzzle,solution\n1,2\n")
    with pytest.raises(UserError, match="line 1: the columns are puzzle, solution"):
        SudokuExtreme().load(split="test", seed=0, limit=None, data_dir=tmp_path)


def test_a_data_dir_that_does_not_exist_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere' does not exist"):
        SudokuExtreme().load(split="test", seed=0, limit=None, data_dir=tmp_path / "nowhere")


def test_without_local_copy_and_network_the_error_says_how_to_get_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> Path:
        raise OSError("no route to host")

    monkeypatch.setattr(extreme, "download", unreachable)
    with pytest.raises(
        UserError, match=r"no route to host.*sudoku_extreme/test\.csv.*--data-dir or \$DEPTHBENCH_DATA"
    ):
        SudokuExtreme().load(split="test", seed=0, limit=None, data_dir=tmp_path)


def test_a_download_with_another_checksum_is_refused(
    tmp_path: Path, rows: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fetched.csv").write_text("\n".join(rows))
    monkeypatch.setattr(extreme, "download", lambda *_: tmp_path / "fetched.csv")
    monkeypatch.delenv("DEPTHBENCH_DATA", raising=False)
    with pytest.raises(UserError, match=f"has SHA-256 .*, expected {extreme.TEST_SHA256}"):
        SudokuExtreme().load(split="test", seed=0, limit=None, data_dir=None)
    monkeypatch.setattr(extreme, "TEST_SHA256", extreme.file_sha256(tmp_path / "fetched.csv"))
    assert len(SudokuExtreme().load(split="test", seed=0, limit=None, data_dir=None)) == 3
