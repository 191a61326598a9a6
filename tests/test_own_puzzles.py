"""Puzzles of the user's own: `-T file=PATH` in every common form, and what a bad file is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import run
from harness.cli.main import dispatch
from harness.errors import UserError
from harness.registry import create
from tasks.sudoku.generated import Sudoku

ITEMS = Sudoku(size=4).load(split="test", seed=0, limit=3, data_dir=None)
GRIDS = [puzzle.payload["grid"] for puzzle, _ in ITEMS]
SOLUTIONS = [key.answers[0] for _, key in ITEMS]


def text(grid: list[list[int]], blank: str = ".") -> str:
    return "".join(str(d) if d else blank for row in grid for d in row)


def rows(grid: list[list[int]], blank: str = "_") -> str:
    return "\n".join(" ".join(str(d) if d else blank for d in row) for row in grid)


FORMS = {
    "digits": "\n".join(text(g, "0") for g in GRIDS),
    "dots and solutions": "\n".join(f"{text(g)} {text(s)}" for g, s in zip(GRIDS, SOLUTIONS, strict=True)),
    "solutions first": "\n".join(f"{text(s)},{text(g)}" for g, s in zip(GRIDS, SOLUTIONS, strict=True)),
    "rows": "\n\n".join(rows(g) for g in GRIDS) + "\n",
    "rows without a gap": "\n".join(rows(g) for g in GRIDS),
    "csv": "id,solution,puzzle\n"
    + "\n".join(
        f"{n},{text(s)},{text(g, '0')}" for n, (g, s) in enumerate(zip(GRIDS, SOLUTIONS, strict=True))
    ),
    "csv with a byte order mark": "\ufeffquestion,answer,rating\n"
    + "\n".join(f"{text(g)},{text(s)},3" for g, s in zip(GRIDS, SOLUTIONS, strict=True)),
    "csv without solutions": "quizzes\r\n" + "\r\n".join(text(g, "0") for g in GRIDS),
    "json lines": "\n".join(json.dumps({"payload": {"grid": g}}) for g in GRIDS),
}


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_every_common_form_of_sudoku_is_read_and_a_missing_solution_is_found(
    form: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.txt"
    path.write_text(FORMS[form], encoding="utf-8")
    task = create("task", "sudoku", {"file": str(path)})
    items = task.load(split="test", seed=0, limit=None, data_dir=None)
    assert [puzzle.payload["grid"] for puzzle, _ in items] == GRIDS
    assert [key.answers[0] for _, key in items] == SOLUTIONS
    assert (task.size, task.family) == (4, "sudoku-4x4")
    assert task.data_revision.startswith("mine.txt, sha256 ")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "it holds no puzzle"),
        (text(GRIDS[0]) + "\n12x4............", r"line 2.*12x4"),
        (text(GRIDS[0]) + "\n123", r"line 2"),
        (text(GRIDS[0]).replace(".", "7", 1), r"the digit 7 stands in a 4×4 puzzle. Digits are 1 to 4"),
        ("11" + "." * 14, r"line 1.* has no solution"),
        (f"{text(GRIDS[0])} {text(SOLUTIONS[1])}", r"line 1: its solution .* is wrong: the clue"),
        (f"{text(GRIDS[0])}\n{'.' * 36}", r"4×4 .*6×6.*of one size"),
        ("name,age\nx,1", "no column of name, age holds puzzles"),
        ('{"payload": {"grid": [[1]]}}', "its payload holds no grid of digits"),
        ('{"payload": {"rows": []}}', "its payload holds no grid of digits"),
        ('{"payload": 5}', "has no payload"),
        ('{"payload": {"grid": [[NaN]]}}', "is not JSON"),
        ('{"payload": {"grid": 1}, "colour": 2}', "'colour' is no field of a puzzle"),
        ("{" * 10000, "is not JSON"),
    ],
)
def test_a_bad_file_says_the_line_the_value_and_the_rule(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=words):
        create("task", "sudoku", {"file": str(path)}).load(split="test", seed=0, limit=None, data_dir=None)


@pytest.mark.parametrize("content", [b"\xff\xfe1\x002\x00", b"\x00\x01\x02", b"\x80" * 100])
def test_a_file_that_is_no_utf_8_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"is not UTF-8 text|is no Sudoku|holds no puzzle|ends a block"):
        create("task", "sudoku", {"file": str(path)})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        create("task", "sudoku", {"file": str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("name", "options"), [("sudoku", {"size": "4"}), ("word-problem", {}), ("sorting", {})]
)
def test_what_export_writes_is_read_as_the_very_same_puzzles(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "mine.jsonl"
    flags = [f"-T{key}={value}" for key, value in options.items()]
    assert dispatch(["task", "export", name, "--limit", "5", "-o", str(path), *flags]) == 0
    direct = run(name, "search", task_options=options, limit=5, results_dir=tmp_path)
    again = run(name, "search", task_options={**options, "file": str(path)}, results_dir=tmp_path)
    assert again.record.task.puzzles_sha256 == direct.record.task.puzzles_sha256
    assert again.record.task.keys_sha256 == direct.record.task.keys_sha256
    assert again.summary.headline == direct.summary.headline
    assert again.record.data_revision.startswith("mine.jsonl, sha256 ")


def test_a_file_is_no_training_set(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text(FORMS["digits"])
    with pytest.raises(UserError, match="A file is one split"):
        create("task", "sudoku", {"file": str(path)}).load(split="train", seed=0, limit=1, data_dir=None)
