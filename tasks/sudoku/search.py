"""Sudoku by exact search: candidate bit masks, naked and hidden singles, and a guess at the cell with the
fewest candidates.

Boards are int8 (cells,), 0 for a blank. Import this module inside functions only: it loads numba.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.shared.compiled import compiled
from tasks.sudoku.sizes import BOXES

SOLVED, CONTRADICTION = -1, -2
PRIME = 2**31 - 1  # products of two residues fit into 63 bits


Board = NDArray[np.int8]
Ints = NDArray[np.int64]


class Result(NamedTuple):
    """What a search found: solutions (counted up to the limit), guesses made, the first solution."""

    solutions: int
    guesses: int
    board: Board


class Tables(NamedTuple):
    """Where things are on a board: the cells of each row, column and box, the three houses of each cell,
    natural digit order.
    """

    houses: Ints  # (3 * size, size)
    house_of: Ints  # (cells, 3)
    order: Ints  # (cells, size)


@cache
def tables(size: int) -> Tables:
    """Return the tables of a board of size 4, 6 or 9."""
    box_height, box_width = BOXES[size]
    row, column = np.divmod(np.arange(size * size), size)
    box = row // box_height * box_height + column // box_width
    house_of = np.stack([row, size + column, 2 * size + box], axis=1)
    houses = np.stack([np.flatnonzero((house_of == h).any(axis=1)) for h in range(3 * size)])
    return Tables(houses, house_of, np.tile(np.arange(1, size + 1), (size * size, 1)))


def search(board: NDArray[Any], size: int, *, limit: int = 1) -> Result:
    """Find up to `limit` solutions of a board, whatever it is: none, one or many."""
    t = tables(size)
    return Result(*_search(board.astype(np.int8), size, t.houses, t.house_of, t.order, limit))


def draw(size: int, clues: int, singles_only: bool, rng: np.random.Generator) -> tuple[Board, Board]:
    """Draw a puzzle with exactly one solution; return both, int8 (cells,).

    A full board is searched with a random digit order in every cell, then clues are taken away in random
    order as long as the solution stays the only one (with `singles_only`: as long as singles alone find it)
    and more than `clues` remain. With `clues=0` no clue of the result can be taken away.
    """
    t, cells = tables(size), size * size
    digits = rng.random((cells, size)).argsort(axis=1) + 1
    order = rng.random(cells).argsort()
    _, _, solution = _search(np.zeros(cells, np.int8), size, t.houses, t.house_of, digits, 1)
    return _dig(solution, size, t.houses, t.house_of, t.order, order, clues, singles_only), solution


def guesses(board: Board, size: int) -> int:
    """Prove that a puzzle has exactly one solution; return how many guesses that search makes."""
    found = search(board, size, limit=2)
    assert found.solutions == 1
    return found.guesses


def invariant(board: Board, size: int) -> int:
    """Return a number that all symmetric copies of a puzzle share (digits, bands, stacks, rows, columns,
    square: transpose).

    Colour refinement over cells, houses and digits, in the manner of Weisfeiler and Leman. Two puzzles that
    are not copies of one another may share it; copies never differ.
    """
    t = tables(size)
    box_height, box_width = BOXES[size]
    return int(_invariant(board, size, t.house_of, box_height == box_width))


@compiled("void(i1[::1], i8[::1], i8[:, ::1], i8, i8)")
def _place(board: Board, used: Ints, house_of: Ints, cell: int, digit: int) -> None:
    board[cell] = digit
    for k in range(3):
        used[house_of[cell, k]] |= 1 << (int(digit) - 1)


@compiled("i8(i8)")
def _digit(mask: int) -> int:
    digit = 1
    while mask > 1:
        mask >>= 1
        digit += 1
    return digit


@compiled("i8(i1[::1], i8[::1], i8, i8[:, ::1], i8[:, ::1])")
def _propagate(board: Board, used: Ints, size: int, houses: Ints, house_of: Ints) -> int:
    """Place singles until none is left; return SOLVED, CONTRADICTION or the cell with the fewest
    candidates.
    """
    full = (1 << size) - 1
    while True:
        placed, best, fewest = False, SOLVED, size + 1
        for cell in range(size * size):
            if board[cell]:
                continue
            mask = full & ~(used[house_of[cell, 0]] | used[house_of[cell, 1]] | used[house_of[cell, 2]])
            if mask == 0:
                return CONTRADICTION
            if mask & (mask - 1) == 0:
                _place(board, used, house_of, cell, _digit(mask))
                placed = True
                continue
            count, rest = 0, mask
            while rest:
                rest &= rest - 1
                count += 1
            if count < fewest:
                best, fewest = cell, count
        if placed:
            continue
        if best == SOLVED:
            return SOLVED
        for house in range(3 * size):
            once, twice = 0, 0
            for k in range(size):
                cell = houses[house, k]
                if not board[cell]:
                    mask = full & ~(
                        used[house_of[cell, 0]] | used[house_of[cell, 1]] | used[house_of[cell, 2]]
                    )
                    twice |= once & mask
                    once |= mask
            if once | used[house] != full:
                return CONTRADICTION
            hidden = once & ~twice
            if not hidden:
                continue
            for k in range(size):
                cell = houses[house, k]
                if not board[cell]:
                    mask = hidden & ~(
                        used[house_of[cell, 0]] | used[house_of[cell, 1]] | used[house_of[cell, 2]]
                    )
                    if mask:
                        if mask & (mask - 1):
                            return CONTRADICTION  # two digits have only this cell
                        _place(board, used, house_of, cell, _digit(mask))
                        placed = True
        if not placed:
            return best


@compiled("b1(i1[::1], i1[::1], i8[::1], i8[:, ::1])")
def _load(clues: Board, board: Board, used: Ints, house_of: Ints) -> bool:
    """Place the clues; return whether no two of them clash."""
    for cell in range(len(clues)):
        if clues[cell]:
            bit = 1 << (int(clues[cell]) - 1)
            if (used[house_of[cell, 0]] | used[house_of[cell, 1]] | used[house_of[cell, 2]]) & bit:
                return False
            _place(board, used, house_of, cell, clues[cell])
    return True


@compiled("Tuple((i8, i8, i1[::1]))(i1[::1], i8, i8[:, ::1], i8[:, ::1], i8[:, ::1], i8)")
def _search(
    clues: Board, size: int, houses: Ints, house_of: Ints, order: Ints, limit: int
) -> tuple[int, int, Board]:
    cells = size * size
    boards = np.zeros((cells + 1, cells), np.int8)
    used = np.zeros((cells + 1, 3 * size), np.int64)
    branch = np.zeros(cells + 1, np.int64)
    choices = np.zeros(cells + 1, np.int64)
    found, guesses, first = 0, 0, np.zeros(cells, np.int8)
    if not _load(clues, boards[0], used[0], house_of):
        return found, guesses, first
    full, depth = (1 << size) - 1, 0
    cell = _propagate(boards[0], used[0], size, houses, house_of)
    if cell == CONTRADICTION:
        return found, guesses, first
    if cell == SOLVED:
        return 1, guesses, boards[0].copy()
    branch[0] = cell
    choices[0] = full & ~(
        used[0, house_of[cell, 0]] | used[0, house_of[cell, 1]] | used[0, house_of[cell, 2]]
    )
    while depth >= 0:
        if choices[depth] == 0:
            depth -= 1
            continue
        cell, digit = branch[depth], 0
        for k in range(size):
            digit = order[cell, k]
            if choices[depth] & (1 << (digit - 1)):
                break
        choices[depth] &= ~(1 << (digit - 1))
        guesses += 1
        boards[depth + 1] = boards[depth]
        used[depth + 1] = used[depth]
        _place(boards[depth + 1], used[depth + 1], house_of, cell, digit)
        cell = _propagate(boards[depth + 1], used[depth + 1], size, houses, house_of)
        if cell == CONTRADICTION:
            continue
        if cell == SOLVED:
            found += 1
            if found == 1:
                first[:] = boards[depth + 1]
            if found >= limit:
                break
            continue
        depth += 1
        branch[depth] = cell
        used_here = (
            used[depth, house_of[cell, 0]] | used[depth, house_of[cell, 1]] | used[depth, house_of[cell, 2]]
        )
        choices[depth] = full & ~used_here
    return found, guesses, first


@compiled("i1[::1](i1[::1], i8, i8[:, ::1], i8[:, ::1], i8[:, ::1], i8[::1], i8, b1)")
def _dig(
    solution: Board,
    size: int,
    houses: Ints,
    house_of: Ints,
    natural: Ints,
    order: Ints,
    clues: int,
    singles_only: bool,
) -> Board:
    board = solution.copy()
    left = len(board)
    for cell in order:
        if left <= clues:
            break
        digit = board[cell]
        board[cell] = 0
        if singles_only:
            trial = np.zeros(len(board), np.int8)
            used = np.zeros(3 * size, np.int64)
            _load(board, trial, used, house_of)
            unique = _propagate(trial, used, size, houses, house_of) == SOLVED
        else:
            unique = _search(board, size, houses, house_of, natural, 2)[0] == 1
        if unique:
            left -= 1
        else:
            board[cell] = digit
    return board


@compiled("i8(i8, i8)")
def _mix(x: int, salt: int) -> int:
    x = (x * (48271 + salt) + 11 + salt) % PRIME
    return (x * x + salt * 69621 + 1) % PRIME


@compiled("i8(i1[::1], i8, i8[:, ::1], b1)")
def _invariant(board: Board, size: int, house_of: Ints, transposable: bool) -> int:
    cells = size * size
    colour = np.zeros(cells, np.int64)
    for cell in range(cells):
        colour[cell] = 2 if board[cell] else 1
    house, digit = np.zeros(3 * size, np.int64), np.zeros(size + 1, np.int64)
    for _ in range(4):
        house[:] = 0
        digit[:] = 0
        for cell in range(cells):
            seen = _mix(colour[cell], 1)
            for k in range(3):
                house[house_of[cell, k]] = (house[house_of[cell, k]] + seen) % PRIME
            if board[cell]:
                digit[board[cell]] = (digit[board[cell]] + _mix(colour[cell], 2)) % PRIME
        for cell in range(cells):
            row = _mix(house[house_of[cell, 0]], 3)
            column = _mix(house[house_of[cell, 1]], 3 if transposable else 4)
            own = _mix(colour[cell], 5) + _mix(house[house_of[cell, 2]], 6) + _mix(digit[board[cell]], 7)
            colour[cell] = _mix((own + row + column) % PRIME, 8)
    total = 0
    for cell in range(cells):
        total = (total + _mix(colour[cell], 9)) % PRIME
    return _mix(total, 10)
