"""Augmented copies of ARC tasks: one of the eight symmetries of the square and a permutation of the colours 1
to 9.

A copy is a row of 11 numbers: the symmetry (0 none, 1 to 3 quarter turns to the left, 4 left-right, 5
upside-down, 6 transposed, 7 transposed along the other diagonal, numbered as in the data built for HRM and
TRM), then the colour that each colour becomes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.capabilities import Pair
from harness.randomness import generator

COLOURS = 10
SYMMETRIES = 8
INVERSE = (0, 3, 2, 1, 4, 5, 6, 7)
TRIES = 5  # draws per wanted copy before giving up, as published
PLAIN = np.arange(-1, COLOURS).clip(0).astype(np.uint8)
"""The copy that changes nothing."""

Grid = NDArray[np.uint8]


def turn(grid: Grid, symmetry: int) -> Grid:
    """Apply one of the eight symmetries of the square."""
    if symmetry < 4:
        return np.rot90(grid, symmetry)
    if symmetry < 6:
        return grid[:, ::-1] if symmetry == 4 else grid[::-1]
    return grid.T if symmetry == 6 else grid[::-1, ::-1].T


def apply(grid: Any, copy: NDArray[np.uint8]) -> Grid:
    """Return what a grid becomes in a copy."""
    return turn(copy[1:][np.asarray(grid, dtype=np.uint8)], int(copy[0]))


def undo(grid: Any, copy: NDArray[np.uint8]) -> Grid:
    """Return the grid that becomes this one in a copy."""
    return np.argsort(copy[1:]).astype(np.uint8)[
        turn(np.asarray(grid, dtype=np.uint8), INVERSE[int(copy[0])])
    ]


def draw(pairs: Sequence[Pair], *, name: str, seed: int, n: int) -> NDArray[np.uint8]:
    """Draw the plain copy and at most n others under which the set of pairs looks different each time, (m,
    11).

    Fewer than n where 5·n draws do not bring so many, as for a task of two colours. The published builder
    tells copies apart by the test outputs too, which nobody knows who is to solve the task: here the
    demonstrations decide alone.
    """
    drawn = generator("copies", seed, name).random((TRIES * n, COLOURS))
    rows = np.empty((TRIES * n + 1, 1 + COLOURS), dtype=np.uint8)
    rows[0] = PLAIN
    rows[1:, 0] = drawn[:, 0] * SYMMETRIES
    rows[1:, 1] = 0
    rows[1:, 2:] = drawn[:, 1:].argsort(axis=1) + 1
    _, first = np.unique(_fingerprints(pairs, rows), return_index=True)
    return rows[np.sort(first)[: n + 1]]


def _fingerprints(pairs: Sequence[Pair], rows: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return for each copy a 64-bit sum that does not depend on the order of the pairs, without making the
    copies.

    A grid is Σ over its cells of place · colour with random 64-bit numbers; so it suffices to know, for each
    symmetry, the sum of the places of each colour.
    """
    rng = np.random.Generator(np.random.PCG64(2**40 + 1))
    places = rng.integers(0, 2**64, (2, 30, 30), dtype=np.uint64)
    colours = rng.integers(0, 2**64, COLOURS, dtype=np.uint64)
    sums = np.zeros((SYMMETRIES, len(pairs), COLOURS), dtype=np.uint64)
    for number, pair in enumerate(pairs):
        for side in (0, 1):
            grid = np.asarray(pair[side], dtype=np.uint8)
            for symmetry in range(SYMMETRIES):
                turned = turn(grid, symmetry)
                height, width = turned.shape
                np.add.at(sums[symmetry, number], turned, places[side, :height, :width])
    mixed = (sums[rows[:, 0]] * colours[rows[:, 1:]][:, None]).sum(axis=2)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # the finaliser of SplitMix64
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    found: NDArray[np.uint64] = (mixed ^ (mixed >> np.uint64(31))).sum(axis=1)
    return found
