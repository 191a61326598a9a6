"""Procedures as tokens: 0 padding, then one token for each symbol; a canvas with room for `most_steps`.

The canvas grows to the right or downwards with the dial `steps`, so that what stands on it keeps its place
and a net without learned positions plays any number of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.base import BaseGrid
from harness.contracts import Answer, Puzzle


class AlignedGrid(BaseGrid):
    """One row: number i of the answer stands where number i of the puzzle stood.

    symbols: the numbers that have tokens, 1 on. shown: the puzzle's numbers. A token of none of them decodes
    to -1, which is no number of any answer.
    """

    height = 1

    def __init__(self, symbols: Sequence[int], width: int, shown: Callable[[Puzzle], Sequence[int]]) -> None:
        self.width, self.shown = width, shown
        self.symbols = [-1, *symbols]
        self.tokens = {value: token for token, value in enumerate(self.symbols)}
        self.vocab_size = len(self.symbols)

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the puzzle's numbers as tokens, (L,), padded with 0."""
        return self._row(self.shown(puzzle), 0)

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the answer's numbers as labels, (L,); padding is not scored."""
        return self._row(answer, -100)

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return as many numbers as the puzzle has."""
        row = np.asarray(tokens).astype(np.int64)[: len(self.shown(puzzle))].tolist()
        return [self.symbols[token] if 0 <= token < self.vocab_size else -1 for token in row]

    def _row(self, values: Sequence[int], padding: int) -> NDArray[np.int64]:
        row = np.full(self.width, padding, dtype=np.int64)
        row[: len(values)] = [self.tokens[value] for value in values]
        return row


class PermutationGrid(BaseGrid):
    """Permutations of n letters, n cells each: a token is a letter and where it goes, 1 + n · letter + image.

    A product is then a look-up, cell by cell, which a small net learns in minutes; of one token for each of
    the 120 elements of S5 it would have to learn a table of 14,400 products by heart.
    """

    height = 1

    def __init__(self, letters: int, most: int) -> None:
        self.letters, self.width = letters, letters * most
        self.vocab_size = 1 + letters * letters

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the elements as tokens, (L,), padded with 0."""
        return self._row(puzzle.payload["elements"], 0)

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the products as labels, (L,); padding is not scored."""
        return self._row(answer, -100)

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return as many elements as the puzzle has; one that is no permutation is no element."""
        n, count = self.letters, len(puzzle.payload["elements"])
        images = (np.asarray(tokens).astype(np.int64)[: n * count] - 1) % n + 1
        return [int("".join(map(str, row))) for row in images.reshape(count, n).tolist()]

    def _row(self, names: Sequence[int], padding: int) -> NDArray[np.int64]:
        row = np.full(self.width, padding, dtype=np.int64)
        images = np.array([[int(digit) for digit in str(name)] for name in names])
        row[: images.size] = (images + self.letters * np.arange(self.letters)).ravel()
        return row


def ticks(puzzle: Puzzle) -> list[int]:
    """Return one mark for each step to be done."""
    return [0] * int(puzzle.payload["steps"])


class TickedGrid(BaseGrid):
    """Cells, then a mark for each step to be done: a net counts steps by eating ticks, not by a number that
    it never saw in training.

    The answer stands where the last `answered` cells stood. Cells are numbers from 0 to `symbols` - 1, marks
    from 0 to `kinds` - 1.
    """

    height = 1

    def __init__(
        self,
        *,
        symbols: int,
        cells: int,
        answered: int,
        most_steps: int,
        read: Callable[[Puzzle], Sequence[int]],
        marks: Callable[[Puzzle], Sequence[int]],
        kinds: int = 1,
        lowest: int = 0,
        across: int = 0,
    ) -> None:
        self.cells, self.answered, self.read, self.marks = cells, answered, read, marks
        self.symbols, self.width, self.lowest = symbols, cells + most_steps, lowest
        self.vocab_size, self.across = 1 + symbols + kinds, across

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return cells and marks as tokens, (L,), padded with 0."""
        row = np.zeros(self.width, dtype=np.int64)
        row[: self.cells] = np.array(self.read(puzzle)).ravel() + 1 - self.lowest
        marks = np.array(self.marks(puzzle), dtype=np.int64)
        row[self.cells : self.cells + len(marks)] = 1 + self.symbols + marks
        return row

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the answer as labels, (L,); neither marks nor what is only given is scored."""
        row = np.full(self.width, -100, dtype=np.int64)
        row[self.cells - self.answered : self.cells] = np.array(answer).ravel() + 1 - self.lowest
        return row

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return the answer's numbers, in rows of `across` if given; a token of none is -1."""
        row = np.asarray(tokens).astype(np.int64)[self.cells - self.answered : self.cells] - 1
        bad = (row < 0) | (row >= self.symbols)
        values = np.where(bad, -1, row + self.lowest)
        found: list[Any] = (values.reshape(-1, self.across) if self.across else values).tolist()
        return found


class DigitGrid(BaseGrid):
    """Numbers in rows of decimal digits: those given, then a row for each number of the answer."""

    OPEN = 11  # a digit to be filled in; 1 + d is the digit d

    vocab_size = 12

    def __init__(
        self,
        digits: int,
        given: int,
        most_steps: int,
        read: Callable[[Puzzle], Sequence[int]],
        asked: Callable[[Puzzle], int],
    ) -> None:
        self.width, self.height, self.given = digits, given + most_steps, given
        self.read, self.asked = read, asked

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the given digits and open ones as tokens, (L,), padded with 0."""
        return self._rows(
            [*map(self._digits, self.read(puzzle)), *[[10] * self.width] * self.asked(puzzle)], 0
        )

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the answer's digits as labels, (L,); what is given is not scored."""
        rows = self._rows([[0] * self.width] * self.given + [self._digits(value) for value in answer], -100)
        rows[: self.given * self.width] = -100
        return rows

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return the answer's numbers; one with a token that is no digit is -1."""
        rows = np.asarray(tokens).astype(np.int64).reshape(self.height, self.width) - 1
        rows = rows[self.given : self.given + self.asked(puzzle)]
        numbers = rows @ 10 ** np.arange(self.width)[::-1]
        found: list[int] = np.where(((rows < 0) | (rows > 9)).any(1), -1, numbers).tolist()
        return found

    def _digits(self, number: int) -> list[int]:
        return [int(digit) for digit in f"{number:0{self.width}d}"]

    def _rows(self, rows: Sequence[Sequence[int]], padding: int) -> NDArray[np.int64]:
        found = np.full((self.height, self.width), padding, dtype=np.int64)
        found[: len(rows)] = np.array(rows) + 1
        return found.ravel()


class PlanGrid(BaseGrid):
    """A state and a goal in cells, then a slot for each move of the plan.

    Cells are numbers from 0 to `symbols` - 1. A slot holds open in the input; in the label a move, or stop
    after the last one.
    """

    height = 1

    def __init__(
        self,
        *,
        symbols: int,
        cells: int,
        read: Callable[[Puzzle], Sequence[int]],
        moves: Sequence[list[Any]],
        most_steps: int,
    ) -> None:
        self.cells, self.read, self.symbols, self.moves = cells, read, symbols, list(moves)
        self.width = cells + most_steps
        self.open, self.stop = symbols + 1, symbols + 2
        self.vocab_size = symbols + 3 + len(self.moves)

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return state, goal and open slots as tokens, (L,)."""
        row = np.full(self.width, self.open, dtype=np.int64)
        row[: self.cells] = np.array(self.read(puzzle)) + 1
        return row

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the plan as labels, (L,), stop in the slots it leaves; the state is not scored."""
        row = np.full(self.width, self.stop, dtype=np.int64)
        row[: self.cells] = -100
        plan = [self.stop + 1 + self.moves.index(move) for move in answer]
        row[self.cells : self.cells + len(plan)] = plan
        return row

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return the moves up to the first stop; a token of none is an empty move, which is no move."""
        plan: list[list[Any]] = []
        for token in np.asarray(tokens).astype(np.int64)[self.cells :].tolist():
            if token == self.stop:
                break
            move = token - self.stop - 1
            plan.append(list(self.moves[move]) if 0 <= move < len(self.moves) else [])
        return plan


class CrossingGrid(BaseGrid):
    """A river in rows: where everybody is and shall be, with the boat; then a row for each crossing.

    A crossing's row holds for every person whether they are in the boat; a row with nobody ends the plan.
    Token 1 + a + 2b: from bank a to bank b; 5: no such person; 6 on: the boat's size with its banks.
    """

    OPEN, ABOARD, ASHORE = 18, 19, 20

    vocab_size = 21

    def __init__(self, pairs: int, most_steps: int) -> None:
        self.people, self.width, self.height = 2 * pairs, 2 * pairs + 1, 1 + most_steps

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the river and open crossings as tokens, (L,)."""
        shown = puzzle.payload
        rows = np.full((self.height, self.width), self.OPEN, dtype=np.int64)
        rows[0] = 5
        start, goal = np.array(shown["start"]), np.array(shown["goal"])
        rows[0, : len(start)] = 1 + start + 2 * goal
        rows[0, -1] = 6 + 4 * (shown["boat"] - 2) + shown["start_boat"] + 2 * shown["goal_boat"]
        return rows.ravel()

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return who is aboard in each crossing as labels, (L,)."""
        rows = np.full((self.height, self.width), -100, dtype=np.int64)
        rows[1:, : len(puzzle.payload["start"])] = self.ASHORE
        for row, crossing in zip(rows[1:], answer, strict=False):
            row[[self._person(name) for name in crossing]] = self.ABOARD
        return rows.ravel()

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return the crossings up to the first with nobody aboard."""
        n = len(puzzle.payload["start"])
        rows = np.asarray(tokens).astype(np.int64).reshape(self.height, self.width)[1:, :n]
        plan = []
        for row in (rows == self.ABOARD).tolist():
            if not any(row):
                break
            plan.append([f"{'CA'[i % 2]}{i // 2 + 1}" for i, aboard in enumerate(row) if aboard])
        return plan

    @staticmethod
    def _person(name: str) -> int:
        return 2 * int(name[1:]) - 2 + (name[0] == "A")
