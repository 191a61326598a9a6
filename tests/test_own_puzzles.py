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


@pytest.mark.parametrize("name", ["hanoi", "blocks-world", "river-crossing"])
@pytest.mark.parametrize("difficulty", [10**400, 1e308, -1, 0, 2.5, None])
def test_a_difficulty_of_a_file_may_be_any_number(name: str, difficulty: Any, tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    assert dispatch(["task", "export", name, "--limit", "1", "--out", str(file)]) == 0
    line = json.loads(file.read_text()) | {"difficulty": difficulty}
    file.write_text(json.dumps(line))
    found = run(name, "random", task_options={"file": str(file)}, results_dir=tmp_path)
    assert found.summary.recorded == 1


def test_a_file_is_no_training_set(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text(FORMS["digits"])
    with pytest.raises(UserError, match="A file is one split"):
        create("task", "sudoku", {"file": str(path)}).load(split="train", seed=0, limit=1, data_dir=None)


def test_a_file_may_hold_futoshiki_of_several_sizes_and_a_net_sees_them_on_one_canvas(tmp_path: Path) -> None:
    mixed = create("task", "futoshiki", {"size": 6, "smallest": 4, "difficulty": "easy"})
    items = mixed.load(split="test", seed=0, limit=12, data_dir=None)
    sizes = {len(puzzle.payload["grid"]) for puzzle, _ in items}
    path = tmp_path / "mixed.jsonl"
    path.write_text("\n".join(json.dumps({"payload": puzzle.payload}) for puzzle, _ in items))
    task = create("task", "futoshiki", {"file": str(path)})
    assert (task.family, task.least, task.size) == (f"futoshiki-{min(sizes)}-to-6", min(sizes), 6)
    assert len(sizes) > 1
    for (puzzle, key), (_, drawn) in zip(task.load(split="test", seed=0, limit=None, data_dir=None), items,
                                         strict=True):  # fmt: skip
        assert key.answers == drawn.answers  # searched for
        label = task.grid.encode_answer(puzzle, key.answers[0])
        assert task.grid.decode(label, puzzle) == key.answers[0]
        assert task.grid.encode(puzzle).shape == (121,)
    assert create("task", "futoshiki", {"file": str(path), "size": 9}).grid.length == 17 * 17


def test_mixed_sizes_keep_the_rules_of_a_task() -> None:
    from harness.testing import check_task

    check_task(
        create("task", "futoshiki", {"size": 5, "smallest": 4, "difficulty": "easy"}), puzzles=2, draws=4
    )
    options = {"vertices": 8, "fewest_vertices": 5, "edges": 6, "fewest_edges": 2}
    check_task(create("task", "graph-colouring", options), puzzles=2, draws=4)


def test_the_dials_are_those_of_the_file(tmp_path: Path) -> None:
    def task_of(name: str, *payloads: dict[str, Any]) -> Any:
        path = tmp_path / f"{name}-{len(payloads)}.jsonl"
        path.write_text("\n".join(json.dumps({"payload": payload}) for payload in payloads))
        return create("task", name, {"file": str(path)})

    graph = {"vertices": 4, "colours": 3, "edges": [[1, 2], [2, 3]]}
    assert task_of("graph-colouring", graph, {**graph, "vertices": 20}).family == (
        "graph-colouring-4to20-2-3"
    )
    assert task_of("n-queens", {"rows": ["....", "...Q", "Q...", "...."]}).size == 4
    life = task_of("game-of-life", {"rows": [[0] * 50] * 50, "steps": 2})
    assert (life.size, life.steps, life.grid.length) == (50, 2, 2502)
    with pytest.raises(UserError, match="graphs for 3 and 4 colours"):
        task_of("graph-colouring", graph, {**graph, "colours": 4}, graph)
    with pytest.raises(UserError, match="puzzles of sizes 4, 5"):
        task_of("n-queens", {"rows": ["...."] * 4}, {"rows": ["....."] * 5})


def test_a_tower_may_have_more_pegs_and_a_move_may_name_its_disk() -> None:
    from harness.testing import check_task

    task = create("task", "hanoi", {"disks": 3, "pegs": 4, "steps": 3, "train_steps": 3})
    check_task(task, puzzles=2, draws=4)
    puzzle, key = task.load(split="test", seed=0, limit=1, data_dir=None)[0]
    assert puzzle.payload["pegs"] == 4
    state, named = list(puzzle.payload["start"]), []
    for source, target in key.answers[0]:
        disk = state.index(source) + 1
        state[disk - 1] = target
        named.append([disk, source, target])
    assert task.judge(puzzle, key, named).correct
    wrong = [[named[0][0] % 3 + 1, *named[0][1:]], *named[1:]]
    assert "is not on top of peg" in task.violations(puzzle, wrong)[0]
    said = "\n".join(f"Move disk {d} from Peg {a} to Peg {b}" for d, a, b in named)
    assert task.parse(f"<answer>\n{said}\n</answer>", puzzle) == named


def test_zebra_may_ask_for_one_value_and_a_net_reads_it_off_its_arrangement(tmp_path: Path) -> None:
    puzzle, key = create("task", "zebra", {"houses": 3, "attributes": 3}).load(
        split="test", seed=0, limit=1, data_dir=None
    )[0]
    path = tmp_path / "asked.jsonl"
    path.write_text(json.dumps({"payload": {**puzzle.payload, "asked": [1, 2]}}))
    task = create("task", "zebra", {"file": str(path)})
    (asked, right), *_ = task.load(split="test", seed=0, limit=None, data_dir=None)
    assert right.answers == (key.answers[0][1][2],)
    tokens = task.grid.encode_answer(puzzle, key.answers[0])
    assert task.grid.decode(tokens, asked) == right.answers[0]
