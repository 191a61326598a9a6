"""Mazes and ARC tasks of the user's own: every published form, and what a bad file is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UserError
from harness.registry import create

MAZE = ["S.#", "#..", "#.G"]
ROWS = [row.replace(".", " ") for row in MAZE]
LABEL = ["So#", "#o ", "#oG"]
FLAT = "".join(ROWS)
NUMBERS = "".join(str("?# SGo".index(cell)) for cell in FLAT)
MAZES = {
    "drawn": "\n".join(MAZE) + "\n\n" + "\n".join(MAZE),
    "drawn with blanks for open cells": "\n".join(ROWS),
    "drawn with blanks between": "\n".join(" ".join(row) for row in MAZE),
    "drawn with its path": "\n".join(LABEL).replace(" ", "."),
    "numbers in rows": "\n".join(NUMBERS[i : i + 3] for i in (0, 3, 6)),
    "numbers with blanks": "\n".join(" ".join(NUMBERS[i : i + 3]) for i in (0, 3, 6)),
    "numbers in one line": NUMBERS,
    "csv": f'source,question,answer,rating\nx,"{FLAT}","{"".join(LABEL)}",4\n',
    "csv without a path": f'question\n"{FLAT}"\n',
    "json lines": json.dumps({"payload": {"rows": ROWS}}),
}


def load(name: str, path: Path) -> Any:
    task = create("task", name, {"file": str(path)})
    return task, task.load(split=task.splits[0], seed=0, limit=None, data_dir=None)


@pytest.mark.parametrize("form", MAZES, ids=str)
def test_every_form_of_a_maze_is_read_and_a_path_that_is_not_given_is_found(
    form: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.txt"
    path.write_text(MAZES[form], encoding="utf-8")
    task, items = load("maze", path)
    assert {tuple(puzzle.payload["rows"]) for puzzle, _ in items} == {tuple(ROWS)}
    assert all((key.answers[0], key.optimum) == (LABEL, 4.0) for _, key in items)
    assert (task.family, task.data_revision[:16]) == ("maze-3x3", "mine.txt, sha256")


def test_arrays_of_maze_hard_are_read_with_their_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "all__inputs.npy", np.array([[int(c) for c in NUMBERS]] * 2, np.uint8))
    label = ["?# SGo".index(cell) for row in LABEL for cell in row]
    np.save(tmp_path / "all__labels.npy", np.array([label] * 2, np.uint8))
    _, items = load("maze", tmp_path / "all__inputs.npy")
    assert [(puzzle.payload["rows"], key.answers[0]) for puzzle, key in items] == [(ROWS, LABEL)] * 2
    np.save(tmp_path / "all__labels.npy", np.array([label], np.uint8))
    with pytest.raises(UserError, match="Labels are of the shape of the inputs"):
        load("maze", tmp_path / "all__inputs.npy")
    (tmp_path / "all__inputs.npy").write_bytes(b"\x93NUMPY\x01\x00cut")
    with pytest.raises(UserError, match="it is no array of numbers"):
        load("maze", tmp_path / "all__inputs.npy")


def test_mazes_of_several_sizes_share_a_canvas_and_may_be_asked_for_their_moves(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    small = {"rows": ["SG"], "asked": "moves"}
    path.write_text(
        f"{json.dumps({'payload': {'rows': ROWS, 'asked': 'moves'}})}\n{json.dumps({'payload': small})}"
    )
    task, items = load("maze", path)
    assert [key.answers for _, key in items] == [(4,), (1,)]
    puzzle, key = items[0]
    assert task.judge(puzzle, key, 4).correct
    assert not task.judge(puzzle, key, 5).correct
    assert task.violations(puzzle, 5) == ["a shortest path takes 4 moves, not 5"]
    assert task.parse("So: <answer>4</answer>", puzzle) == 4
    tokens = ["?# SGo".index(cell) for row in LABEL for cell in row]
    assert task.grid.decode(np.array(tokens), puzzle) == 4
    assert task.grid.decode(np.array(tokens[::-1]), puzzle) == -1
    assert task.grid.encode(items[1][0]).tolist() == [3, 4, 0, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "holds no maze"),
        ("S.\n#\n", "line 1: row 2 of a maze has 1 cells, the first 2"),
        ("S.#\n..x\n..G", "line 1: row 2 of a maze holds 'x'"),
        ("S.#\n...\n...", "a maze holds 0 cells G"),
        ("S#.\n##.\n..G", "no path leads from S to G"),
        ("So.\n#..\n#.G", "its solution is wrong"),
        ("126\n222\n224", "the number 6 stands in a maze"),
        ('{"payload": {"rows": 5}}', "its payload holds no rows"),
        ('{"payload": {"rows": ["SG"], "asked": "path"}}', "asked is 'path'"),
        ("question\nabc\n", "line 2: 'abc' of 3 cells is no square maze"),
    ],
)
def test_a_bad_maze_says_its_place_the_value_and_the_rule(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=words):
        load("maze", path)


TASK = {
    "train": [{"input": [[1, 2]], "output": [[2, 1]]}, {"input": [[3]], "output": [[3]]}],
    "test": [{"input": [[4, 5]], "output": [[5, 4]]}, {"input": [[6]], "output": [[6]]}],
}
HIDDEN = {**TASK, "test": [{"input": pair["input"]} for pair in TASK["test"]]}
SHOWN = [("00000001_0", [[5, 4]]), ("00000001_1", [[6]])]


def found(path: Path) -> list[tuple[str, Any]]:
    return [(puzzle.id, key.answers[0]) for puzzle, key in load("arc1", path)[1]]


def test_arc_is_read_from_folders_single_files_kaggles_two_and_re_arcs_lists(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    for group in ("Above", "Below"):
        (folder / group).mkdir(parents=True)
        (folder / group / f"{group}1.json").write_text(json.dumps(TASK))
    assert [name for name, _ in found(folder)] == ["Above1_0", "Above1_1", "Below1_0", "Below1_1"]
    assert "2 files, sha256" in create("task", "arc1", {"file": str(folder)}).data_revision
    (tmp_path / "00000001.json").write_text(json.dumps(TASK))
    assert found(tmp_path / "00000001.json") == SHOWN
    (tmp_path / "my_challenges.json").write_text(json.dumps({"00000001": HIDDEN}))
    with pytest.raises(UserError, match=r"00000001, test 0: it has no output, nor does a file of solutions"):
        found(tmp_path / "my_challenges.json")
    (tmp_path / "my_solutions.json").write_text(json.dumps({"00000001": [[[5, 4]], [[6]]]}))
    assert found(tmp_path / "my_challenges.json") == SHOWN
    (tmp_path / "my_solutions.json").write_text(json.dumps({"00000001": [[[5, 4]], [[6]], [[6]]]}))
    with pytest.raises(UserError, match="3 solutions for 2 test inputs"):
        found(tmp_path / "my_challenges.json")
    (tmp_path / "all.json").write_text(json.dumps({"00000001": TASK}))
    assert found(tmp_path / "all.json") == SHOWN
    (tmp_path / "list.json").write_text(json.dumps(TASK["train"] * 4))
    assert found(tmp_path / "list.json") == [("list_0", [[3]]), ("list_1", [[3]])]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({**TASK, "test": []}, "no lists of pairs"),
        ({**TASK, "train": [{"input": [[1]]}]}, r"train 0: .* is no pair"),
        ({**TASK, "train": [{"input": [[1], [1, 2]], "output": [[1]]}]}, r"train 0, input, row 2: \[1, 2\]"),
        ({**TASK, "train": [{"input": [[1.0]], "output": [[1]]}]}, "1.0 is no colour"),
        ({**TASK, "train": [{"input": [[10]], "output": [[1]]}]}, "10 is no colour"),
        ({**TASK, "train": [{"input": [[[1]]], "output": [[1]]}]}, r"\[1\] is no colour"),
        ({"a": 5}, "'a'.* is no task"),
        ([], "a list of 0 pairs"),
        (5, "holds no task"),
        ({}, "holds no task"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_bad_arc_file_says_its_place_the_value_and_the_rule(
    content: Any, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=words):
        found(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{\x00}\x00", b'{"a": NaN}', b"[" * 100_000])
def test_what_is_no_json_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"bad\.json"):
        found(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 12) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["train", "test", "input", "output", "payload", "rows"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@settings(max_examples=25, deadline=None)
@given(value=JSON)
def test_any_json_is_read_or_refused_with_a_sentence(
    value: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "any.json"
    path.write_text(json.dumps(value))
    for name in ("arc1", "maze", "sudoku", "futoshiki", "zebra", "hanoi"):
        try:
            load(name, path)
        except UserError as error:
            assert str(path.name) in str(error) or "holds no" in str(error)  # noqa: PT017


@settings(max_examples=25, deadline=None)
@given(text=st.text(alphabet="#.SGo 12345\n,x", max_size=60))
def test_any_drawing_is_a_maze_or_refused_with_a_sentence(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "any.txt"
    path.write_text(text, encoding="utf-8")
    try:
        task, items = load("maze", path)
    except UserError:
        return
    assert all(task.judge(puzzle, key, key.answers[0]).correct for puzzle, key in items)
