"""What all Sudoku tasks share: the rules, the text codec, the verdict, the drawing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from harness.base import BaseTask
from harness.contracts import Answer, GridCodec, Key, Metric, Puzzle, Unparsed, Verdict
from tasks.shared.forms import digit_grid
from tasks.shared.text_answers import parse_reply
from tasks.sudoku.sizes import BOXES

if TYPE_CHECKING:
    import numpy as np
    from rich.console import RenderableType

Rows = list[list[int]]
INTS = frozenset({int})  # True is none


class SudokuRules(BaseTask):
    """A Sudoku task. The payload is {"grid": rows of digits, 0 for a blank}; an answer is rows of digits,
    none blank.

    Verdict numbers: `cells`, the share of blanks filled with the reference digit; `clues_kept`, 1 if no clue
    was changed. A grid is solved if every clue is kept and every row, column and box holds every digit once,
    whatever the reference.
    """

    attempts = 1
    metrics = (Metric(name="solved"), Metric(name="cells", number="cells"))
    chance = 0.0

    @property
    def size(self) -> int:
        raise NotImplementedError

    @property
    def family(self) -> str:
        return f"sudoku-{self.size}x{self.size}"

    @cached_property
    def grid(self) -> GridCodec:
        from tasks.sudoku.grid import SudokuGrid

        return SudokuGrid(self.size)

    def prompt(self, puzzle: Puzzle) -> str:
        size, (box_height, box_width) = self.size, BOXES[self.size]
        return (
            f"Solve this {size}×{size} Sudoku. Fill every blank (a dot) with a digit from 1 to {size} so "
            "that every row, every "
            f"column and every box of {box_height} rows by {box_width} columns holds each digit exactly "
            "once. Keep the given "
            f"digits. There is exactly one solution.\n\n{draw_rows(puzzle.payload['grid'])}\n\n"
            f"Give the solved grid as {size} lines of {size} digits, without spaces, inside a fenced block "
            "marked answer:\n"
            f"```answer\n({size} lines of {size} digits)\n```"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        """Read rows of digits, however they are laid out."""
        return parse_reply(reply, digit_grid(self.size, self.size, 1, self.size))

    def violations(self, puzzle: Puzzle, answer: Answer) -> list[str]:
        rows = read_rows(answer, self.size)
        if rows is None:
            return [f"not {self.size} rows of {self.size} digits from 1 to {self.size}"]
        size, (box_height, box_width) = self.size, BOXES[self.size]
        found = [
            f"the clue {clue} in row {r + 1}, column {c + 1} was changed to {rows[r][c]}"
            for r, clues in enumerate(puzzle.payload["grid"])
            for c, clue in enumerate(clues)
            if clue and clue != rows[r][c]
        ]
        for i in range(size):
            top, left = i // box_height * box_height, i % box_height * box_width
            box = [rows[top + k // box_width][left + k % box_width] for k in range(size)]
            for house, cells in (("row", rows[i]), ("column", [row[i] for row in rows]), ("box", box)):
                found += [
                    f"{house} {i + 1} holds {d} more than once"
                    for d in sorted(set(cells))
                    if cells.count(d) > 1
                ]
        return found

    def judge(self, puzzle: Puzzle, key: Key, answer: Answer) -> Verdict:
        rows = read_rows(answer, self.size, lowest=0)
        if rows is None:
            return Verdict(correct=False, numbers={"cells": 0.0, "clues_kept": 0.0})
        blanks, right, kept = 0, 0, True
        for clues, row, best in zip(puzzle.payload["grid"], rows, key.answers[0], strict=True):
            for clue, digit, solved in zip(clues, row, best, strict=True):
                if clue:
                    kept = kept and clue == digit
                else:
                    blanks += 1
                    right += digit == solved
        numbers = {"cells": right / blanks if blanks else 1.0, "clues_kept": float(kept)}
        return Verdict(correct=kept and complete(rows, self.size), numbers=numbers)

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Keep the clues and fill every blank with a random digit."""
        drawn = rng.integers(1, self.size + 1, (self.size, self.size)).tolist()
        pairs = zip(puzzle.payload["grid"], drawn, strict=True)
        return [[clue or digit for clue, digit in zip(clues, row, strict=True)] for clues, row in pairs]

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Fill the blank with the fewest digits left with the smallest of them; 1 where none is left."""
        size, (box_height, box_width) = self.size, BOXES[self.size]
        cells = [(r, c) for r in range(size) for c in range(size)]

        def together(one: tuple[int, int], other: tuple[int, int]) -> bool:
            (r, c), (s, d) = one, other
            return r == s or c == d or (r // box_height, c // box_width) == (s // box_height, d // box_width)

        rows: Rows = [list(clues) for clues in puzzle.payload["grid"]]
        left = {cell: set(range(1, size + 1)) for cell in cells if not rows[cell[0]][cell[1]]}
        for cell, digits in left.items():
            digits -= {rows[r][c] for r, c in cells if together(cell, (r, c))}
        while left:
            cell = min(left, key=lambda blank: len(left[blank]))
            digit = min(left.pop(cell), default=1)
            rows[cell[0]][cell[1]] = digit
            for other, digits in left.items():
                if together(cell, other):
                    digits.discard(digit)
        return rows

    def search(self, puzzle: Puzzle) -> Answer | None:
        import numpy as np

        from tasks.sudoku.search import search

        found = search(np.array(puzzle.payload["grid"]).ravel(), self.size)
        return found.board.reshape(self.size, self.size).tolist() if found.solutions else None

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        """Draw the board: clues bold, filled cells blue, with a key right ones green and wrong ones red."""
        from rich.text import Text

        size, (box_height, box_width) = self.size, BOXES[self.size]
        if answer is not None and read_rows(answer, size, lowest=0) is None:
            return Text(f"not a Sudoku grid: {str(answer)[:200]}", style="red")
        shown = answer if answer is not None else puzzle.payload["grid"]
        rule = "┼".join("─" * (2 * box_width + 1) for _ in range(size // box_width)) + "\n"
        text = Text()
        for r, clues in enumerate(puzzle.payload["grid"]):
            if r and r % box_height == 0:
                text.append(rule, style="dim")
            for c, clue in enumerate(clues):
                if c and c % box_width == 0:
                    text.append(" │", style="dim")
                style = "bold" if clue else "blue"
                if key is not None and answer is not None and (not clue or shown[r][c] != clue):
                    style = "green" if shown[r][c] == key.answers[0][r][c] else "bold red"
                text.append(f" {shown[r][c] or '·'}", style=style)
            text.append("\n")
        return text


def complete(rows: Rows, size: int) -> bool:
    """Say whether every row, column and box holds every digit once."""
    height, width = BOXES[size]
    digits = frozenset(range(1, size + 1))

    def boxes() -> Iterator[list[int]]:
        for top in range(0, size, height):
            for left in range(0, size, width):
                yield [digit for row in rows[top : top + height] for digit in row[left : left + width]]

    if not all(map(digits.issubset, rows)):  # where most wrong answers end
        return False
    return all(digits.issubset(house) for house in chain(zip(*rows, strict=True), boxes()))


def draw_rows(rows: Rows) -> str:
    """Return one line per row, a dot for a blank."""
    return "\n".join("".join(str(d) if d else "." for d in row) for row in rows)


def read_rows(answer: Answer, size: int, *, lowest: int = 1) -> Rows | None:
    """Return the answer if it is `size` lists of `size` whole numbers from `lowest` to `size`, else None."""
    if not isinstance(answer, list) or len(answer) != size:
        return None
    for row in answer:
        if not isinstance(row, list) or len(row) != size:
            return None
    digits = list(chain.from_iterable(answer))
    if set(map(type, digits)) != INTS or min(digits) < lowest or max(digits) > size:
        return None
    return answer
