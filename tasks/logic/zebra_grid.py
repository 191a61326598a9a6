"""Zebra puzzles as tokens: a row for each attribute of the answer, then a row for each clue.

0 padding, 1 unknown (the cells of the answer, in the input), 2 nothing, then the kinds of clue (`left` and
`before` also with their sides exchanged), the houses and the items.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.base import BaseGrid
from harness.codecs import Symmetries
from harness.contracts import Answer, Puzzle

KINDS = ("at", "not_at", "same", "apart", "left", "next", "before")
UNKNOWN, NOTHING, KIND = 1, 2, 3
SIDES = (*KINDS, "right", "after")  # the last two: `left` and `before` in a mirrored street
HOUSE = KIND + len(SIDES)


def most_clues(n: int, m: int) -> int:
    """Return how many clues the canvas has room for."""
    return 2 * n * m


def asked(payload: Mapping[str, Any], rows: list[list[str]]) -> Answer:
    """Return the answer that a whole arrangement gives: itself, or the one value that is asked for."""
    if "asked" not in payload:
        return rows
    attribute, house = payload["asked"]
    return rows[attribute][house]


def measures(payload: Mapping[str, Any]) -> tuple[int, int]:
    """Return houses and attributes of a puzzle. Raises ValueError for what is none."""
    n, attributes = payload["houses"], payload["attributes"]
    if type(n) is not int or not 2 <= n <= 6 or not 2 <= len(attributes) <= 6:
        raise ValueError("it is not of 2 to 6 houses and attributes")
    for name, values in attributes.items():
        if (
            not all(isinstance(value, str) and value for value in values)
            or not len(set(values)) == len(values) == n
        ):
            raise ValueError(f"{name} has not {n} different values")
    for clue in payload["clues"]:
        kind, *places = clue
        bounds = [len(attributes), n, *([n] if kind in ("at", "not_at") else [len(attributes), n])]
        whole = len(places) == len(bounds) and all(type(place) is int for place in places)
        if kind not in KINDS or not whole or not all(0 <= p < b for p, b in zip(places, bounds, strict=True)):
            raise ValueError(f"{clue} is no clue about {n} houses and {len(attributes)} attributes")
    if len(payload["clues"]) > most_clues(n, len(attributes)):
        raise ValueError(
            f"{len(payload['clues'])} clues are more than the {most_clues(n, len(attributes))} of the canvas"
        )
    place = payload.get("asked", [0, 0])
    if not (len(place) == 2 and all(type(p) is int for p in place) and 0 <= place[0] < len(attributes)
            and 0 <= place[1] < n):  # fmt: skip
        raise ValueError(f"asked is {place}, not [attribute, house]")
    return n, len(attributes)


class ZebraGrid(BaseGrid):
    """The grid codec of N houses and M attributes: N ≥ 3 columns are used, or 3; M + 2NM rows."""

    def __init__(self, houses: int, attributes: int) -> None:
        self.n, self.m = houses, attributes
        self.width, self.height = max(houses, 3), attributes + most_clues(houses, attributes)
        self.item = HOUSE + houses  # the first item's token
        self.vocab_size = self.item + houses * attributes

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the puzzle as tokens, (L,)."""
        if puzzle.payload["houses"] != self.n or len(puzzle.payload["attributes"]) != self.m:
            raise ValueError(f"it is not of {self.n} houses and {self.m} attributes")
        tokens = np.full((self.height, self.width), NOTHING, np.int64)
        tokens[: self.m, : self.n] = UNKNOWN
        for row, (kind, a, v, *rest) in enumerate(puzzle.payload["clues"], start=self.m):
            other = HOUSE + rest[0] if len(rest) == 1 else self.item + rest[0] * self.n + rest[1]
            tokens[row, :3] = KIND + KINDS.index(kind), self.item + a * self.n + v, other
        return tokens.ravel()

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the items of the answer as labels, (L,); -100 for the clues."""
        labels = np.full((self.height, self.width), -100, np.int64)
        if "asked" in puzzle.payload:
            a, house = puzzle.payload["asked"]
            known = list(puzzle.payload["attributes"].values())[a]
            labels[a, house] = self.item + a * self.n + known.index(answer)
            return labels.ravel()
        for a, (row, known) in enumerate(zip(answer, puzzle.payload["attributes"].values(), strict=True)):
            labels[a, : self.n] = [self.item + a * self.n + known.index(word) for word in row]
        return labels.ravel()

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return rows of values; a token that is no item of the row's attribute becomes ""."""
        rows = np.asarray(tokens).astype(np.int64).reshape(self.height, self.width)[: self.m, : self.n]
        found = []
        for a, known in enumerate(puzzle.payload["attributes"].values()):
            values = (rows[a] - self.item - a * self.n).tolist()
            found.append([known[v] if 0 <= v < self.n else "" for v in values])
        return asked(puzzle.payload, found)

    def puzzle_of(self, tokens: NDArray[Any], puzzle: Puzzle) -> Puzzle:
        """Read back the puzzle that input tokens show: the conformance suite judges copies by it."""
        rows = np.asarray(tokens).reshape(self.height, self.width)[self.m :, :3]
        clues = []
        for kind, one, other in rows[rows[:, 0] != NOTHING].tolist():
            side = SIDES[kind - KIND]
            if other < self.item:
                clues.append([side, *divmod(one - self.item, self.n), other - HOUSE])
                continue
            if side in ("right", "after"):
                side, one, other = {"right": "left", "after": "before"}[side], other, one
            clues.append([side, *divmod(one - self.item, self.n), *divmod(other - self.item, self.n)])
        return replace(puzzle, payload={**puzzle.payload, "clues": clues})

    def symmetries(self, rng: np.random.Generator, n: int) -> Symmetries:
        """Draw n symmetries: attributes and their values renamed, clues in another order, the street
        mirrored half of the time.
        """
        place = np.arange(self.length).reshape(self.height, self.width)
        positions = np.empty((n, self.length), np.int64)
        tokens = np.tile(np.arange(self.vocab_size), (n, 1))
        for i in range(n):
            attributes = rng.permutation(self.m)
            moved = np.concatenate([attributes, self.m + rng.permutation(self.height - self.m)])
            board = place[moved].copy()  # row r comes from row moved[r]
            for row, attribute in enumerate(attributes):
                old = self.item + attribute * self.n + np.arange(self.n)
                tokens[i, old] = self.item + row * self.n + rng.permutation(self.n)
            if rng.random() < 0.5:
                board[: self.m, : self.n] = board[: self.m, : self.n][:, ::-1]
                tokens[i, HOUSE : self.item] = tokens[i, HOUSE : self.item][::-1]
                for one, other in (("left", "right"), ("before", "after")):
                    pair = [KIND + SIDES.index(one), KIND + SIDES.index(other)]
                    tokens[i, pair] = pair[::-1]
            positions[i] = board.ravel()
        return Symmetries(positions, tokens)
