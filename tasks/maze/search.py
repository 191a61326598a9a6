"""Mazes by breadth-first search, and their generators.

Cells are tokens in int8 (height * width,): 1 wall, 2 open, 3 start, 4 goal, 5 path. Distances count moves.
Import this module inside functions only: it loads numba.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from harness.randomness import generator
from tasks.shared.compiled import compiled

WALL, OPEN, START, GOAL, PATH = 1, 2, 3, 4, 5
Cells = NDArray[np.int8]
Ints = NDArray[np.int64]


def shortest_path(cells: Cells, width: int) -> Cells | None:
    """Return the maze with one shortest path marked, None if the goal cannot be reached.

    Of many shortest paths it marks the published one of Maze-Hard: breadth-first from the start, neighbours
    in the order down, left, right, up, each cell reached keeps its first parent.
    """
    distance, parent, queue = (np.empty(len(cells), np.int64) for _ in range(3))
    start, cell = int(np.flatnonzero(cells == START)[0]), int(np.flatnonzero(cells == GOAL)[0])
    _flood(cells, width, start, distance, parent, queue)
    if distance[cell] < 0:
        return None
    marked = cells.copy()
    while (cell := int(parent[cell])) != start:
        marked[cell] = PATH
    return marked


def draw_random_walls(height: int, width: int, walls: float, rng: np.random.Generator) -> Cells:
    """Draw a wall in each cell with probability `walls`."""
    return OPEN - (rng.random(height * width) < walls).astype(np.int8)


def draw_perfect(height: int, width: int, rng: np.random.Generator) -> Cells:
    """Draw a perfect maze (one path between any two cells) by depth-first carving; rooms have even row and
    column.

    Each room has its own random order of directions, so the walk is not a uniform spanning tree: it makes the
    long corridors that are hard to follow.
    """
    rooms = (height + 1) // 2 * ((width + 1) // 2)
    cells = np.full(height * width, WALL, np.int8)
    _carve(cells, height, width, rng.random((rooms, 4)).argsort(axis=1), int(rng.integers(rooms)))
    return cells


def place_ends(cells: Cells, width: int, least_moves: int, rng: np.random.Generator) -> bool:
    """Place start and goal by a double sweep; return False, and place none, if they are fewer than
    `least_moves` apart.

    The start is an open cell farthest from a random one, the goal a cell farthest from the start. In a
    perfect maze this is the farthest pair of all; with loops nearly so.
    """
    return bool(_place_ends(cells, width, rng.random(3), least_moves))


@cache
def dihedral(height: int, width: int) -> NDArray[np.int64]:
    """Return the rotations and reflections that keep the shape, as positions, (8, L) for a square and (4,
    L) else.
    """
    board = np.arange(height * width).reshape(height, width)
    turns = range(4) if height == width else (0, 2)
    return np.stack([np.rot90(side, k).ravel() for k in turns for side in (board, np.fliplr(board))])


def invariant(cells: Cells, height: int, width: int) -> int:
    """Return a number that depends on the walls alone and that all rotations and reflections of a maze share.

    It is the smallest of the copies' hashes; a hash is the sum of the weights of the cells that are walls.
    """
    return int((_weights(height, width) @ (cells == WALL)).min())


@cache
def _weights(height: int, width: int) -> NDArray[np.float64]:
    """Return the weight of each cell in each copy, (copies, L); whole numbers whose sums float64 holds
    exactly.
    """
    weights: Ints = generator("weights of maze cells", height, width).integers(2**31, size=height * width)
    return weights[dihedral(height, width)].astype(np.float64)


@compiled("i8(i1[::1], i8, i8, i8[::1], i8[::1], i8[::1])")
def _flood(cells: Cells, width: int, start: int, distance: Ints, parent: Ints, queue: Ints) -> int:
    """Write each cell's distance from `start` in moves and its first parent, -1 where unreached.

    `queue` holds the cells reached in order of distance; return how many they are.
    """
    size = len(cells)
    distance[:] = -1
    distance[start] = 0
    parent[start] = -1
    queue[0] = start
    head, tail = 0, 1
    while head < tail:
        cell = queue[head]
        head += 1
        column = cell % width
        for direction in range(4):  # down, left, right, up
            if direction == 0:
                other, inside = cell + width, cell + width < size
            elif direction == 1:
                other, inside = cell - 1, column > 0
            elif direction == 2:
                other, inside = cell + 1, column < width - 1
            else:
                other, inside = cell - width, cell >= width
            if inside and distance[other] < 0 and cells[other] != WALL:
                distance[other] = distance[cell] + 1
                parent[other] = cell
                queue[tail] = other
                tail += 1
    return tail


@compiled("b1(i1[::1], i8, f8[::1], i8)")
def _place_ends(cells: Cells, width: int, draws: NDArray[np.float64], least_moves: int) -> bool:
    size = len(cells)
    distance, parent, queue = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    candidates = np.flatnonzero(cells == OPEN)
    if len(candidates) == 0:
        return False
    start, end, moves = 0, candidates[int(draws[0] * len(candidates))], 0
    for sweep in range(2):
        start = end
        last = _flood(cells, width, start, distance, parent, queue) - 1
        moves = distance[queue[last]]
        if 2 * moves < least_moves:  # then no two cells that it reaches are farther apart
            return False
        first = last
        while first > 0 and distance[queue[first - 1]] == moves:
            first -= 1
        end = queue[first + int(draws[sweep + 1] * (last + 1 - first))]
    if moves < least_moves:
        return False
    cells[start], cells[end] = START, GOAL
    return True


@compiled("void(i1[::1], i8, i8, i8[:, ::1], i8)")
def _carve(cells: Cells, height: int, width: int, order: Ints, start: int) -> None:
    across, down = (width + 1) // 2, (height + 1) // 2
    visited, tried = np.zeros(across * down, np.int8), np.zeros(across * down, np.int64)
    stack = np.empty(across * down, np.int64)
    stack[0], depth = start, 1
    visited[start] = 1
    cells[start // across * 2 * width + start % across * 2] = OPEN
    while depth > 0:
        room = stack[depth - 1]
        if tried[room] == 4:
            depth -= 1
            continue
        direction = order[room, tried[room]]
        tried[room] += 1
        row, column = room // across, room % across
        step_down = 1 if direction == 0 else (-1 if direction == 1 else 0)
        step_right = 1 if direction == 2 else (-1 if direction == 3 else 0)
        if not (0 <= row + step_down < down and 0 <= column + step_right < across):
            continue
        other = room + step_down * across + step_right
        if visited[other]:
            continue
        visited[other] = 1
        cells[(2 * row + step_down) * width + 2 * column + step_right] = OPEN
        cells[2 * (row + step_down) * width + 2 * (column + step_right)] = OPEN
        stack[depth] = other
        depth += 1
