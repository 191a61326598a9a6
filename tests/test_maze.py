"""Mazes, generated and published: checked against plain search and the enumeration of all markings."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import tasks.maze.hard as hard
from harness.contracts import Item, Key, Puzzle
from harness.errors import UserError
from tasks.maze.generated import Maze, MazeUnique
from tasks.maze.grid import MazeGrid, encode_rows
from tasks.maze.hard import MazeHard
from tasks.maze.search import dihedral, invariant

Cell = tuple[int, int]
GENERATED = [Maze(), MazeUnique(), Maze(height=7, width=12, walls=0.25), MazeUnique(height=11, width=7)]


def load(task: Any, count: int, split: str = "test", seed: int = 0) -> list[Item]:
    items: list[Item] = task.load(split=split, seed=seed, limit=count, data_dir=None)
    return items


def item(*rows: str) -> tuple[Maze, Puzzle]:
    """Return a 5×5 maze of our own."""
    return Maze(height=5, width=5), Puzzle(id="m", group="m", split="test", payload={"rows": list(rows)})


def cells_of(rows: list[str], symbols: str) -> list[Cell]:
    return [(r, c) for r, row in enumerate(rows) for c, symbol in enumerate(row) if symbol in symbols]


def beside(cell: Cell) -> list[Cell]:
    r, c = cell
    return [(r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)]


def distances(rows: list[str], start: Cell) -> dict[Cell, int]:
    """Return the moves from a cell to all others by plain breadth-first search."""
    free, found, queue = set(cells_of(rows, " SG")), {start: 0}, deque([start])
    while queue:
        cell = queue.popleft()
        for other in beside(cell):
            if other in free and other not in found:
                found[other] = found[cell] + 1
                queue.append(other)
    return found


@pytest.mark.parametrize("task", GENERATED, ids=lambda task: task.family)
def test_the_key_marks_a_shortest_path_and_search_finds_that_very_one(task: Any) -> None:
    for puzzle, key in load(task, 40):
        rows = puzzle.payload["rows"]
        (start,), (goal,) = cells_of(rows, "S"), cells_of(rows, "G")
        assert key.optimum == distances(rows, start)[goal] == puzzle.difficulty
        assert task.search(puzzle) == key.answers[0]
        verdict = task.judge(puzzle, key, key.answers[0])
        assert verdict.correct
        assert verdict.numbers == {"valid_optimal": 1.0, "exact_label": 1.0, "valid": 1.0}
        assert task.violations(puzzle, key.answers[0]) == []


def test_a_perfect_maze_joins_all_its_cells_without_a_loop() -> None:
    for task in (MazeUnique(), MazeUnique(height=11, width=7)):
        for puzzle, key in load(task, 30):
            rows = puzzle.payload["rows"]
            free = cells_of(rows, " SG")
            assert len(distances(rows, free[0])) == len(free)
            # a tree
            assert sum(other in free for cell in free for other in beside(cell)) == 2 * (len(free) - 1)
            # its farthest pair
            assert max(max(distances(rows, cell).values()) for cell in free) == key.optimum


def test_random_walls_have_the_density_and_the_length_asked_for() -> None:
    items = load(Maze(height=20, width=20, walls=0.3, min_length=35), 40)
    assert min(puzzle.difficulty or 0 for puzzle, _ in items) >= 35
    assert np.mean(
        ["".join(puzzle.payload["rows"]).count("#") / 400 for puzzle, _ in items]
    ) == pytest.approx(0.3, abs=0.02)


def test_many_shortest_paths_are_common_with_random_walls() -> None:
    task = Maze()
    mirrored = MazeGrid(9, 9, unique_paths=False)
    differ = 0
    for puzzle, key in load(task, 30):
        labels = {
            bytes(label[np.argsort(p)])
            for p, (_, label) in zip(dihedral(9, 9), mirrored.variants(puzzle, key), strict=True)
        }
        differ += len(labels) > 1
    assert differ > 10


@pytest.mark.parametrize("task", GENERATED, ids=lambda task: task.family)
def test_an_item_depends_on_its_split_seed_and_index_alone(task: Any) -> None:
    ten = load(task, 10)
    assert ten == load(task, 10)
    assert load(task, 4) == ten[:4]
    assert len({str(puzzle.payload) for seed in range(5) for puzzle, _ in load(task, 20, seed=seed)}) > 95


def test_the_first_maze_is_the_same_on_every_machine() -> None:
    assert load(MazeUnique(height=7, width=7), 1)[0][0].payload["rows"] == [
        "       ",
        " ##### ",
        " #     ",
        " # ### ",
        " #   # ",
        " ### ##",
        "  G#  S",
    ]
    assert load(Maze(height=7, width=7), 1)[0][0].payload["rows"] == [
        "G#   # ",
        "  ## # ",
        "  #  # ",
        " # ## #",
        "      #",
        "##  # #",
        "# # #S#",
    ]


def test_without_numba_the_puzzles_are_the_same() -> None:
    program = (
        "import sys; sys.modules['numba'] = {0}\n"
        "from tasks.sudoku.generated import Sudoku; from tasks.maze.generated import Maze, MazeUnique\n"
        "for task in (Sudoku(size=4), Sudoku(size=6), Maze(), MazeUnique()):\n"
        "    print(task.load(split='test', seed=0, limit=3, data_dir=None))"
    )
    plain = subprocess.run(
        [sys.executable, "-c", program.format("None")], capture_output=True, text=True, check=True, timeout=60
    )
    from tasks.sudoku.generated import Sudoku

    tasks: list[Any] = [Sudoku(size=4), Sudoku(size=6), Maze(), MazeUnique()]
    assert plain.stdout.splitlines() == [str(load(task, 3)) for task in tasks]


@pytest.mark.parametrize(
    "task", [Maze(height=5, width=5), MazeUnique(height=5, width=5)], ids=lambda task: task.family
)
def test_no_maze_of_one_split_is_a_turned_copy_of_one_of_another(task: Any) -> None:
    def canonical(puzzle: Puzzle) -> bytes:
        # other ends in the same walls are the same maze here
        walls = encode_rows(puzzle.payload["rows"]).reshape(5, 5) == 1
        return min(np.rot90(side, k).tobytes() for side in (walls, walls.T) for k in range(4))

    forms = {split: {canonical(puzzle) for puzzle, _ in load(task, 200, split)} for split in task.splits}
    for one, other in itertools.combinations(task.splits, 2):
        assert not forms[one] & forms[other]


def test_turned_copies_share_their_invariant_and_strangers_do_not() -> None:
    seen = set()
    for puzzle, _ in load(Maze(), 50):
        board = encode_rows(puzzle.payload["rows"]).reshape(9, 9)
        copies = [
            np.rot90(side, k).ravel()
            for side in (board, board.T, np.where(board >= 3, 7 - board, board))
            for k in range(4)
        ]
        assert len({invariant(copy.astype(np.int8), 9, 9) for copy in copies}) == 1
        seen.add(invariant(board.ravel(), 9, 9))
    assert len(seen) == 50


def test_valid_means_a_path_that_does_not_touch_itself() -> None:
    """Compare the judge with an enumeration: every marking of a maze against every such path found by
    walking.
    """
    task, puzzle = item("S    ", " # # ", "  G  ", "#####", "#####")
    rows = puzzle.payload["rows"]
    free, (start,), (goal,) = cells_of(rows, " "), cells_of(rows, "S"), cells_of(rows, "G")
    paths: set[frozenset[Cell]] = set()

    def walk(path: list[Cell]) -> None:
        if path[-1] == goal:
            paths.add(frozenset(path[1:-1]))
            return
        for step in beside(path[-1]):
            touches = [cell for cell in path if cell in beside(step)]
            if (step == goal or step in free) and step not in path and touches == [path[-1]]:
                walk([*path, step])

    walk([start])
    shortest = min(map(len, paths))
    key = Key(answers=(task.search(puzzle),), optimum=float(shortest + 1))
    valid = optimal = 0
    for marks in itertools.product([False, True], repeat=len(free)):
        marked = frozenset(cell for cell, mark in zip(free, marks, strict=True) if mark)
        answer = [
            "".join("o" if (r, c) in marked else symbol for c, symbol in enumerate(row))
            for r, row in enumerate(rows)
        ]
        verdict = task.judge(puzzle, key, answer)
        assert verdict.numbers["valid"] == (marked in paths)
        assert verdict.correct == (marked in paths and len(marked) == shortest)
        valid, optimal = valid + (marked in paths), optimal + verdict.correct
    assert valid > optimal > 1


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (["SooG#", "     ", "     ", "     ", "     "], None),
        (["S  G#", "oooo ", "     ", "     ", "     "], "2 moves|the shortest 3"),
        (["So G#", "     ", "     ", "     ", "     "], "has 1 neighbours"),
        (["SooG#", "     ", "  oo ", "  oo ", "     "], "not connected"),
        (["SooG#", "  o  ", "     ", "     ", "     "], "has 3 neighbours"),
        (["SooGo", "     ", "     ", "     ", "     "], "was changed from '#' to 'o'"),
        (["oooG#", "     ", "     ", "     ", "     "], "was changed from 'S'"),
        (["SooG ", "     ", "     ", "     ", "     "], "was changed from '#' to ' '"),
        (["SooS#", "     ", "     ", "     ", "     "], "was changed from 'G'"),
        (["SooG#", "     ", "     ", "     "], "not 5 strings"),
        (["SooG#", "     ", "     ", "     ", "    "], "not 5 strings"),
    ],
)
def test_the_violation_says_what_is_wrong(answer: list[str], fault: str | None) -> None:
    task, puzzle = item("S  G#", "     ", "     ", "     ", "     ")
    found = task.violations(puzzle, answer)
    assert task.judge(puzzle, Key(answers=(answer,), optimum=3.0), answer).correct == (fault is None)
    assert (not found) if fault is None else any(part in found[0] for part in fault.split("|"))


garbage = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(alphabet="# SGox", max_size=6),
    lambda inner: st.lists(inner, max_size=6),
)


@given(garbage)
def test_garbage_is_wrong_and_never_an_exception(answer: Any) -> None:
    task, puzzle = item("S  G#", "     ", "     ", "     ", "     ")
    key = Key(answers=(task.search(puzzle),), optimum=3.0)
    assert not task.judge(puzzle, key, answer).correct
    assert task.violations(puzzle, answer)
    task.render(puzzle, answer, key)


def test_a_goal_walled_off_has_no_solution() -> None:
    task, puzzle = item("S #G#", "  ###", "     ", "     ", "     ")
    assert task.search(puzzle) is None


def test_turning_a_perfect_maze_turns_its_path() -> None:
    task = MazeUnique()
    for puzzle, key in load(task, 5):
        maze, label = task.grid.variants(puzzle, key)[0]
        symmetries = task.grid.symmetries(np.random.default_rng(0), 64)
        assert symmetries is not None
        mazes, labels = symmetries.apply(np.tile(maze, (64, 1))), symmetries.apply(np.tile(label, (64, 1)))
        assert len(np.unique(mazes, axis=0)) == 8
        assert (symmetries.inverse().apply(labels) == label).all()
        for turned, answer in zip(mazes, labels, strict=True):
            copy = Puzzle(id="t", group="t", split="t", payload={"rows": task.grid.decode(turned, puzzle)})
            assert task.search(copy) == task.grid.decode(answer, copy)


@pytest.mark.parametrize(
    ("task", "copies"), [(Maze(), 8), (Maze(height=7, width=12), 4)], ids=["square", "oblong"]
)
def test_turning_a_maze_with_many_paths_recomputes_the_label(task: Maze, copies: int) -> None:
    assert task.grid.symmetries(np.random.default_rng(0), 4) is None
    for puzzle, key in load(task, 10):
        pairs = task.grid.variants(puzzle, key)
        assert len(pairs) == copies
        assert (pairs[0][0] == task.grid.encode(puzzle)).all()
        for maze, label in pairs:
            copy = Puzzle(id="t", group="t", split="t", payload={"rows": task.grid.decode(maze, puzzle)})
            assert task.search(copy) == task.grid.decode(label, copy)
            assert label.tolist().count(5) + 1 == key.optimum


def test_tokens_are_the_published_ones_and_decode_to_what_was_encoded() -> None:
    task, puzzle = item("S  G#", "     ", "     ", "     ", "     ")
    tokens = task.grid.encode(puzzle)
    assert tokens.tolist() == [3, 2, 2, 4, 1] + [2] * 20
    assert task.grid.encode_answer(puzzle, ["SooG#", *["     "] * 4]).tolist()[:5] == [3, 5, 5, 4, 1]
    assert task.grid.decode(tokens, puzzle) == puzzle.payload["rows"]
    assert task.grid.decode(np.full(25, 77), puzzle) == ["?????"] * 5


@pytest.mark.parametrize("task", GENERATED, ids=lambda task: task.family)
def test_the_prompt_states_the_maze_and_a_reply_of_its_form_is_read(task: Any) -> None:
    ((puzzle, key),) = load(task, 1)
    prompt = task.prompt(puzzle)
    assert "\n".join(puzzle.payload["rows"]).replace(" ", ".") in prompt
    drawn = "\n".join(key.answers[0]).replace(" ", ".")
    assert task.parse(f"{prompt}\n\nMy path:\n```answer\n{drawn}\n```", puzzle) == key.answers[0]


def test_the_drawing_marks_wrong_steps_red() -> None:
    task, puzzle = item("S  G#", "     ", "     ", "     ", "     ")
    key = Key(answers=(["SooG#", *["     "] * 4],), optimum=3.0)
    console = Console(record=True, width=80, color_system="truecolor", file=io.StringIO())
    console.print(task.render(puzzle, ["So G#", "oo   ", *["     "] * 3], key))
    drawn = console.export_html(inline_styles=True)
    assert "#008000" in drawn  # the right step
    assert "#800000" in drawn  # the wrong ones and the missing one
    assert drawn.count("●") == 3


@pytest.mark.parametrize(
    ("task", "options", "rule"),
    [
        (Maze, {"height": 4}, "at least 5"),
        (Maze, {"walls": 0.9}, "from 0 to 0.4"),
        (Maze, {"min_length": 1}, "at least 2 moves"),
        (MazeUnique, {"width": 8}, "sizes are odd"),
        (MazeHard, {"held_out": -1}, "0 or more"),
    ],
)
def test_impossible_options_are_refused_with_the_rule(task: Any, options: dict[str, Any], rule: str) -> None:
    with pytest.raises(UserError, match=rule):
        task(**options)


def test_a_length_that_no_maze_reaches_is_an_error_and_no_endless_loop() -> None:
    with pytest.raises(UserError, match=r"none has a shortest path of 99 moves.*smaller min_length"):
        load(Maze(height=5, width=5, min_length=99), 1)


@pytest.mark.parametrize("task", [Maze(), MazeUnique(), MazeHard()], ids=lambda task: task.name)
def test_a_split_that_does_not_exist_is_refused(task: Any) -> None:
    with pytest.raises(UserError, match=r"no split 'tset'\. Did you mean 'test'"):
        load(task, 1, split="tset")


@pytest.mark.parametrize("split", ["test", "train"])
def test_search_reproduces_the_published_labels_of_maze_hard(data_dir: Path, split: str) -> None:
    task = MazeHard(held_out=0)
    items = task.load(split=split, seed=0, limit=None, data_dir=data_dir)
    assert len(items) == 1000
    assert all(task.search(puzzle) == key.answers[0] for puzzle, key in items)
    assert all(task.judge(puzzle, key, key.answers[0]).correct for puzzle, key in items[:50])


@pytest.mark.parametrize("split", ["test", "train"])
def test_the_local_mazes_are_those_that_a_download_must_hold(data_dir: Path, split: str) -> None:
    path = hard.find(data_dir, hard.FOLDER, (f"{split}.csv",))
    assert path is not None
    assert hard.content_sha256(row for _, row in hard.read_csv(path)) == hard.SHA256[split]


@pytest.fixture
def rows() -> list[str]:
    """Return CSV rows of our own mazes in the published layout."""
    pairs = [
        ("".join(p.payload["rows"]), "".join(k.answers[0]), p.difficulty)
        for p, k in load(Maze(height=30, width=30), 3)
    ]
    return [
        "source,question,answer,rating",
        *(f'ours,"{maze}","{label}",{moves:.0f}' for maze, label, moves in pairs),
    ]


def test_mazes_are_read_from_a_local_file(tmp_path: Path, rows: list[str]) -> None:
    (tmp_path / "train.csv").write_text("\n".join(rows))
    train = MazeHard(held_out=1).load(split="train", seed=0, limit=None, data_dir=tmp_path)
    validation = MazeHard(held_out=1).load(split="validation", seed=0, limit=None, data_dir=tmp_path)
    assert sorted(puzzle.id for puzzle, _ in train + validation) == ["train-0", "train-1", "train-2"]
    assert len(validation) == 1


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda row: row.replace("#", "", 1), "the question has 899 characters"),
        (lambda row: row.replace("#", "x", 1), "the question holds 'x'"),
        (lambda row: row.replace("S", " ", 1), "holds 0 cells 'S'"),
        (lambda row: row.replace("#", " ", 1), "the answer is another maze"),
        (lambda row: row[::-1].replace("o", " ", 1)[::-1], "has 1 neighbours on the path"),
        (lambda row: row + "?", "the rating"),
    ],
)
def test_a_corrupt_row_is_named_with_its_line_and_fault(
    tmp_path: Path, rows: list[str], spoil: Callable[[str], str], fault: str
) -> None:
    rows[2] = spoil(rows[2])
    (tmp_path / "test.csv").write_text("\n".join(rows))
    with pytest.raises(UserError, match=rf"test\.csv, line 3: .*{fault}"):
        MazeHard().load(split="test", seed=0, limit=None, data_dir=tmp_path)


def test_a_published_path_that_is_not_the_shortest_is_corrupt(tmp_path: Path) -> None:
    maze = "S G" + " " * 897
    detour = "S G" + " " * 27 + "o o" + " " * 27 + "ooo" + " " * 837
    (tmp_path / "test.csv").write_text(f'source,question,answer,rating\nours,"{maze}","{detour}",7')
    with pytest.raises(UserError, match=r"line 2: the answer's path takes 6 moves and is not the shortest"):
        MazeHard().load(split="test", seed=0, limit=None, data_dir=tmp_path)


def test_a_download_with_other_mazes_is_refused(
    tmp_path: Path, rows: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fetched.csv").write_text("\n".join(rows))
    monkeypatch.setattr(hard, "download", lambda *_: tmp_path / "fetched.csv")
    monkeypatch.delenv("DEPTHBENCH_DATA", raising=False)
    with pytest.raises(UserError, match=f"content SHA-256 .*, expected {hard.SHA256['test']}.*--data-dir"):
        MazeHard().load(split="test", seed=0, limit=None, data_dir=None)
