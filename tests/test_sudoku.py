"""Sudoku, generated and published: checked against plain backtracking and brute force over the whole
symmetry group.
"""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.contracts import Item, Puzzle
from harness.errors import UserError
from tasks.sudoku.generated import Sudoku
from tasks.sudoku.grid import SudokuGrid
from tasks.sudoku.rules import BOXES
from tasks.sudoku.search import draw, invariant, search

SIZES = (4, 6, 9)


def load(size: int, count: int, split: str = "test", seed: int = 0, difficulty: Any = "hard") -> list[Item]:
    return Sudoku(size=size, difficulty=difficulty).load(split=split, seed=seed, limit=count, data_dir=None)  # type: ignore[arg-type]


def solutions(board: tuple[int, ...], size: int) -> Iterator[tuple[int, ...]]:
    """Solve by plain backtracking on the blank with the fewest candidates, independent of the code under
    test.
    """
    box_height, box_width = BOXES[size]

    def candidates(cell: int) -> set[int]:
        r, c = divmod(cell, size)
        seen = set()
        for other, digit in enumerate(board):
            s, d = divmod(other, size)
            if digit and (
                r == s or c == d or (r // box_height, c // box_width) == (s // box_height, d // box_width)
            ):
                seen.add(digit)
        return set(range(1, size + 1)) - seen

    blanks = [cell for cell in range(size * size) if not board[cell]]
    if not blanks:
        yield board
        return
    options, cell = min(((candidates(cell), cell) for cell in blanks), key=lambda pair: len(pair[0]))
    for digit in options:
        yield from solutions((*board[:cell], digit, *board[cell + 1 :]), size)


def count_solutions(board: Any, size: int, limit: int = 2) -> int:
    return len(list(itertools.islice(solutions(tuple(int(d) for d in np.ravel(board)), size), limit)))


def all_positions(size: int) -> np.ndarray:
    """Return every symmetry of the board as positions: 128 for 4×4, 3,456 for 6×6."""
    box_height, box_width = BOXES[size]

    def line_orders(thickness: int) -> list[list[int]]:
        bands = [range(start, start + thickness) for start in range(0, size, thickness)]
        orders = []
        for order in itertools.permutations(bands):
            choices = itertools.product(*(itertools.permutations(band) for band in order))
            orders += [[line for band in inner for line in band] for inner in choices]
        return orders

    board = np.arange(size * size).reshape(size, size)
    copies = [board[np.ix_(r, c)] for r in line_orders(box_height) for c in line_orders(box_width)]
    if box_height == box_width:
        copies += [copy.T for copy in copies]
    return np.stack([copy.ravel() for copy in copies])


def canonical(board: Any, positions: np.ndarray) -> bytes:
    """Return the smallest of all symmetric copies, digits renamed in order of appearance."""
    copies = np.ravel(board)[positions]
    names = np.zeros((len(copies), copies.max() + 1), dtype=np.int8)
    named, row = np.zeros_like(copies, dtype=np.int8), np.arange(len(copies))
    for column in range(copies.shape[1]):
        digit = copies[:, column]
        fresh = (digit > 0) & (names[row, digit] == 0)
        names[row[fresh], digit[fresh]] = names[fresh].max(axis=1) + 1
        named[:, column] = np.where(digit > 0, names[row, digit], 0)
    return min(map(bytes, named))


@pytest.mark.parametrize(("size", "count"), [(4, 40), (6, 40), (9, 4)])
@pytest.mark.parametrize("difficulty", ["easy", "medium", "hard"])
def test_every_generated_puzzle_has_one_solution_and_it_is_the_key(
    size: int, count: int, difficulty: str
) -> None:
    task = Sudoku(size=size, difficulty=difficulty)  # type: ignore[arg-type]
    for puzzle, key in load(size, count, difficulty=difficulty):
        found = list(itertools.islice(solutions(tuple(np.ravel(puzzle.payload["grid"]).tolist()), size), 2))
        assert found == [tuple(np.ravel(key.answers[0]).tolist())]
        assert task.judge(puzzle, key, key.answers[0]).correct
        assert task.search(puzzle) == key.answers[0]


@pytest.mark.parametrize(("size", "count"), [(4, 40), (6, 10)])
def test_a_hard_puzzle_has_a_second_solution_with_any_clue_fewer(size: int, count: int) -> None:
    for puzzle, _ in load(size, count):
        board = np.ravel(puzzle.payload["grid"])
        for cell in np.flatnonzero(board):
            fewer = board.copy()
            fewer[cell] = 0
            assert count_solutions(fewer, size) == 2


@pytest.mark.parametrize("size", SIZES)
def test_easy_puzzles_are_half_clues_and_only_hard_ones_need_guesses(size: int) -> None:
    easy, medium = load(size, 20, difficulty="easy"), load(size, 20, difficulty="medium")
    assert {np.count_nonzero(puzzle.payload["grid"]) for puzzle, _ in easy} == {size * size // 2}
    assert {puzzle.difficulty for puzzle, _ in easy + medium} == {0.0}
    assert max(np.count_nonzero(puzzle.payload["grid"]) for puzzle, _ in medium) < size * size // 2
    if size == 9:
        assert any(puzzle.difficulty for puzzle, _ in load(9, 20))


def test_an_item_depends_on_its_split_seed_and_index_alone() -> None:
    ten, again = load(6, 10), load(6, 10)
    assert ten == again
    assert load(6, 4) == ten[:4]
    boards = {str(puzzle.payload) for seed in range(5) for puzzle, _ in load(6, 20, seed=seed)}
    assert len(boards) == 100


def test_the_first_puzzle_is_the_same_on_every_machine() -> None:
    ((puzzle, _),) = load(6, 1)
    assert puzzle.id == "test-0-0"
    assert ["".join(map(str, row)) for row in puzzle.payload["grid"]] == [
        "000003",
        "004000",
        "000040",
        "002015",
        "010004",
        "060050",
    ]


@pytest.mark.parametrize(("size", "count"), [(4, 200), (6, 60)])
def test_no_puzzle_of_one_split_is_a_symmetric_copy_of_one_of_another(size: int, count: int) -> None:
    positions = all_positions(size)
    assert len(positions) == {4: 128, 6: 3456}[size]
    forms = {}
    for split in Sudoku.splits:
        items = load(size, count, split) + load(size, count, split, seed=1, difficulty="medium")
        forms[split] = {canonical(puzzle.payload["grid"], positions) for puzzle, _ in items}
    assert not forms["test"] & forms["train"]
    assert not forms["test"] & forms["validation"]
    assert not forms["train"] & forms["validation"]


@pytest.mark.parametrize("size", SIZES)
def test_symmetric_copies_share_their_invariant_and_strangers_rarely_do(size: int) -> None:
    boards = [draw(size, 0, False, np.random.default_rng(seed))[0] for seed in range(30)]
    codec = SudokuGrid(size)
    for board in boards:
        copies = codec.symmetries(np.random.default_rng(0), 50).apply(np.tile(board + 1, (50, 1))) - 1
        assert {invariant(copy.astype(np.int8), size) for copy in copies} == {invariant(board, size)}
    if size > 4:  # on 4×4 strangers are rare
        assert len({invariant(board, size) for board in boards}) == 30


@pytest.mark.parametrize("size", SIZES)
def test_symmetries_turn_solved_puzzles_into_solved_puzzles_and_can_be_undone(size: int) -> None:
    task, codec = Sudoku(size=size), SudokuGrid(size)  # type: ignore[arg-type]
    ((puzzle, key),) = load(size, 1)
    given_tokens, label = codec.variants(puzzle, key)[0]
    symmetries = codec.symmetries(np.random.default_rng(1), 60)
    copies, labels = (
        symmetries.apply(np.tile(given_tokens, (60, 1))),
        symmetries.apply(np.tile(label, (60, 1))),
    )
    assert (symmetries.inverse().apply(copies) == given_tokens).all()
    assert len(np.unique(copies, axis=0)) > 50
    for copy, answer in zip(copies, labels, strict=True):
        turned = Puzzle(id="t", group="t", split="t", payload={"grid": codec.decode(copy, puzzle)})
        assert task.violations(turned, codec.decode(answer, turned)) == []


@pytest.mark.parametrize("size", [4, 6])
def test_symmetries_are_the_whole_group(size: int) -> None:
    drawn = SudokuGrid(size).symmetries(np.random.default_rng(2), 60_000 if size == 6 else 2_000)
    assert set(map(bytes, drawn.positions)) == set(map(bytes, all_positions(size).astype(np.int64)))
    if size == 4:
        assert len(set(map(bytes, drawn.tokens))) == math.factorial(4)


@pytest.mark.parametrize(
    ("board", "expected"),
    [
        ([[0] * 4] * 4, 288),  # all 4×4 grids there are
        ([[1, 1, 0, 0]] + [[0] * 4] * 3, 0),
        ([[1, 2, 3, 0], [0, 0, 0, 4]] + [[0] * 4] * 2, 0),
        ([[1, 2, 3, 4], [3, 4, 1, 2], [2, 1, 4, 3], [4, 3, 2, 1]], 1),
    ],
)
def test_search_counts_no_one_and_many_solutions(board: list[list[int]], expected: int) -> None:
    assert search(np.array(board).ravel(), 4, limit=1000).solutions == expected
    puzzle = Puzzle(id="p", group="p", split="test", payload={"grid": board})
    answer = Sudoku(size=4).search(puzzle)
    assert (answer is not None) == (expected > 0)
    assert expected == 0 or Sudoku(size=4).violations(puzzle, answer) == []


def test_search_survives_an_empty_and_an_impossible_9x9() -> None:
    assert search(np.zeros(81), 9).solutions == 1
    impossible = np.zeros((9, 9))
    impossible[0, :8] = range(1, 9)
    impossible[8, 8] = 9
    assert search(impossible.ravel(), 9).solutions == 0


garbage = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 12) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=7),
)


@given(garbage)
def test_garbage_is_wrong_and_never_an_exception(answer: Any) -> None:
    ((puzzle, key),) = load(4, 1)
    task = Sudoku(size=4)
    assert not task.judge(puzzle, key, answer).correct
    assert task.violations(puzzle, answer)
    task.render(puzzle, answer, key)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda grid: [[True if d == 1 else d for d in row] for row in grid],
        lambda grid: [[float(d) for d in row] for row in grid],
        lambda grid: [tuple(row) for row in grid],
        lambda grid: [*grid, grid[0]],
        lambda grid: [row[:-1] for row in grid],
        lambda grid: [[10**30, *row[1:]] for row in grid],
        lambda grid: ["".join(map(str, row)) for row in grid],
        lambda grid: [[d % len(grid) + 1 for d in row] for row in grid],  # keeps the rules, changes the clues
        lambda grid: grid[::-1],
        lambda grid: [[0] * len(grid)] * len(grid),
    ],
)
def test_an_answer_of_another_form_or_with_changed_clues_is_wrong(spoil: Callable[[Any], Any]) -> None:
    ((puzzle, key),) = load(6, 1)
    verdict = Sudoku().judge(puzzle, key, spoil(key.answers[0]))
    assert not verdict.correct
    assert 0 <= verdict.numbers["cells"] < 1


def test_numbers_say_how_much_of_an_answer_is_right() -> None:
    ((puzzle, key),) = load(6, 1)
    r, c = next((r, c) for r in range(6) for c in range(6) if not puzzle.payload["grid"][r][c])
    answer = [row[:] for row in key.answers[0]]
    answer[r][c] = 0
    blanks = 36 - np.count_nonzero(puzzle.payload["grid"])
    assert Sudoku().judge(puzzle, key, answer).numbers == {"cells": (blanks - 1) / blanks, "clues_kept": 1.0}
    assert Sudoku().judge(puzzle, key, puzzle.payload["grid"]).numbers == {"cells": 0.0, "clues_kept": 1.0}


@pytest.mark.parametrize("size", SIZES)
def test_tokens_are_the_published_ones_and_decode_to_what_was_encoded(size: int) -> None:
    codec = SudokuGrid(size)
    for puzzle, key in load(size, 5):
        tokens, label = codec.variants(puzzle, key)[0]
        assert (tokens.shape, tokens.dtype, codec.vocab_size) == ((size * size,), np.int64, size + 2)
        assert set(tokens) <= set(range(1, size + 2))
        assert codec.decode(tokens, puzzle) == puzzle.payload["grid"]
        assert codec.decode(label, puzzle) == key.answers[0]
        assert codec.decode(np.full(size * size, 99), puzzle) == [[0] * size] * size


@pytest.mark.parametrize("size", SIZES)
def test_the_prompt_states_the_puzzle_and_a_reply_of_its_form_is_read(size: int) -> None:
    task = Sudoku(size=size)  # type: ignore[arg-type]
    ((puzzle, key),) = load(size, 1)
    prompt = task.prompt(puzzle)
    for row in puzzle.payload["grid"]:
        assert "".join(str(d) if d else "." for d in row) in prompt
    solved = "\n".join("".join(map(str, row)) for row in key.answers[0])
    assert task.parse(f"Let me think.\n```answer\n{solved}\n```", puzzle) == key.answers[0]
    assert task.parse(solved.replace("\n", ""), puzzle) == key.answers[0]
    assert task.parse(prompt, puzzle) != puzzle.payload["grid"]


def test_wrong_cells_are_drawn_red_and_right_ones_green() -> None:
    ((puzzle, key),) = load(4, 1)
    console = Console(record=True, width=80, color_system="truecolor", file=io.StringIO())
    console.print(Sudoku(size=4).render(puzzle, [[1] * 4] * 4, key))
    html = console.export_html(inline_styles=True, clear=False)
    assert "#800000" in html
    assert "#008000" in html
    assert console.export_text().count("1") == 16


@pytest.mark.parametrize(
    ("options", "word"),
    [({"size": 5}, "Sizes are 4, 6 and 9"), ({"difficulty": "brutal"}, "easy"), ({"size": 6}, "split 'dev'")],
)
def test_a_size_a_difficulty_or_a_split_that_does_not_exist_is_refused(
    options: dict[str, Any], word: str
) -> None:
    with pytest.raises(UserError, match=word):
        Sudoku(**options).load(split="dev", seed=0, limit=1, data_dir=None)


def test_greedy_keeps_the_clues_and_solves_what_single_candidates_solve() -> None:
    easy, hard = Sudoku(size=9, difficulty="easy"), Sudoku(size=9, difficulty="hard")
    for task, all_solved in ((easy, True), (hard, False)):
        solved = []
        for puzzle, key in task.load(split="test", seed=0, limit=10, data_dir=None):
            answer = task.greedy(puzzle)
            assert not [broken for broken in task.violations(puzzle, answer) if broken.startswith("the clue")]
            solved.append(task.judge(puzzle, key, answer).correct)
        assert all(solved) == all_solved
