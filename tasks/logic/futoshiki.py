"""Futoshiki: a Latin square with some digits given and `<` or `>` between some neighbours.

A pencil puzzle of unknown first author, known since 2001 (Tamaki Seto); here every puzzle is drawn by us.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal

from harness import own
from harness.base import Belongs, Drawn
from harness.contracts import Answer, GridCodec, Key, Puzzle, Unparsed
from harness.errors import UserError, did_you_mean
from tasks.shared.forms import digit_grid
from tasks.shared.reading import read_rows
from tasks.shared.ruled import Check, RuledTask
from tasks.shared.text_answers import parse_reply

if TYPE_CHECKING:
    import numpy as np
    from rich.console import RenderableType

    from tasks.logic.search import Ints, Network

LEVELS = ("easy", "medium", "hard")
MOST_GUESSES = 200  # of the proof, while a hard puzzle is drawn: one that needs more keeps the clue
BLANK, LESS, DIFFERENT = 0, 1, 0


@dataclass(frozen=True, kw_only=True)
class Futoshiki(RuledTask):
    """Futoshiki 4×4 to 9×9: a Latin square with inequalities, generated, one solution each

    The payload is {"grid": rows of digits, 0 for a blank, "less": [[r, c, s, d], …]}: the digit in row r,
    column c is less than its neighbour's in row s, column d, counted from 0. An answer is rows of digits.

    difficulty: easy, half of the cells are given and elimination solves it; medium, elimination still solves
    it but would not with any digit or inequality fewer; hard, with any of them fewer there is a second
    solution (or none is found in 200 guesses). A puzzle's own `difficulty` is the number of guesses the exact
    search makes.

    smallest: boards of this size to `size` are drawn, each in the middle of one canvas (None: all of `size`).
    Of a file both are those of its puzzles, `size` larger where so asked: for a net with that canvas.

    Verdict numbers: `feasible`; `constraints`, the share kept of: every given digit (`given`), every row and
    column holding every digit (`rows`, `columns`), every inequality (`less`); each class by itself too.
    """

    size: int = 5  # cells of a side, the most
    smallest: int | None = None
    difficulty: Literal["easy", "medium", "hard"] = "hard"

    name = "futoshiki"

    def __post_init__(self) -> None:
        if self.file is not None:
            sizes = own.measured(self.file, _size)
            wider = self.size if self.size != Futoshiki.size else 0
            object.__setattr__(self, "size", max(wider, *sizes))
            object.__setattr__(self, "smallest", min(self.least, *sizes))
        if not 4 <= self.size <= 9:
            raise UserError(f"No Futoshiki of size {self.size}.", rule="Sizes are 4 to 9.")
        if not 4 <= self.least <= self.size:
            raise UserError(f"smallest={self.smallest}.", rule=f"It is 4 to size, {self.size}.")
        if self.difficulty not in LEVELS:
            raise UserError(f"No difficulty {self.difficulty!r}.", rule=did_you_mean(self.difficulty, LEVELS))

    @property
    def family(self) -> str:
        mixed = f"{self.least}-to-{self.size}"
        return f"futoshiki-{mixed if self.least < self.size else f'{self.size}x{self.size}'}"

    @property
    def least(self) -> int:
        """The size of the smallest boards."""
        return self.size if self.smallest is None else self.smallest

    @cached_property
    def grid(self) -> GridCodec:
        from tasks.logic.futoshiki_grid import FutoshikiGrid

        return FutoshikiGrid(self.size, mixed=self.least < self.size)

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        import numpy as np

        from tasks.logic.futoshiki_grid import canonical
        from tasks.logic.search import minimise, search

        n = self.size if self.least == self.size else int(rng.integers(self.least, self.size + 1))
        cells = n * n
        empty = _network(np.zeros(cells, np.int64), np.empty((0, 2), np.int64), n)
        digits = search(empty, order=rng.random((cells, n)).argsort(axis=1)).values
        # From 5×5 on the solution decides the split, before the long work: no two splits share one. 4×4 has
        # too few squares for that.
        identity = canonical(digits + 1, _neighbours(n)[:0], n)
        if n > 4 and not belongs(identity):
            return None
        pairs = _neighbours(n)
        less = np.where((digits[pairs[:, 0]] < digits[pairs[:, 1]])[:, None], pairs, pairs[:, ::-1])
        net = _network(digits + 1, less, n)
        units = _units(n)
        clues = len(units) + np.arange(len(less) + cells)  # inequalities first, then digits
        active = np.ones(len(units) + len(clues), np.bool_)
        removable, keep, most = rng.permutation(clues), 0, MOST_GUESSES
        if self.difficulty != "hard":
            most = 0
        if self.difficulty == "easy":
            active[rng.permutation(clues[: len(less)])[: len(less) // 2]] = False
            removable, keep = rng.permutation(clues[len(less) :]), cells // 2
        active = minimise(net, active, removable, keep=keep, most_guesses=most)
        given = np.where(active[len(units) + len(less) :], digits + 1, BLANK)
        less = less[active[len(units) : len(units) + len(less)]]
        if n == 4 and not belongs(identity := canonical(given, less, n)):
            return None
        found = search(_network(given, less, n), limit=2)
        if found.solutions != 1:  # the proof that every puzzle comes with
            return None
        payload = {"grid": given.reshape(n, n).tolist(), "less": _places(less, n)}
        answer = (digits + 1).reshape(n, n).tolist()
        return Drawn(identity=identity, payload=payload, answers=(answer,), difficulty=float(found.guesses))

    def check(self, puzzle: Puzzle, answer: Answer) -> Check:
        n = len(puzzle.payload["grid"])
        rows = read_rows(answer, n, n, 1, n)
        if isinstance(rows, str):
            return Check.malformed(rows)
        check = Check()
        for r, clues in enumerate(puzzle.payload["grid"]):
            for c, clue in enumerate(clues):
                if clue:
                    otherwise = f"row {r + 1}, column {c + 1} is {rows[r][c]}, given was {clue}"
                    check.rule("given", rows[r][c] == clue, otherwise)
        for kind, lines in (("row", rows), ("column", list(zip(*rows, strict=True)))):
            for i, line in enumerate(lines, start=1):
                twice = sorted(d for d in set(line) if line.count(d) > 1)
                otherwise = f"{kind} {i} holds {', '.join(map(str, twice))} more than once"
                check.rule(f"{kind}s", not twice, otherwise)
        for r, c, s, d in puzzle.payload["less"]:
            otherwise = (
                f"{rows[r][c]} in row {r + 1}, column {c + 1} is not less than {rows[s][d]} in row {s + 1}, "
                f"column {d + 1}"
            )
            check.rule("less", rows[r][c] < rows[s][d], otherwise)
        return check

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Keep the given digits and fill every blank with a random digit."""
        n = len(puzzle.payload["grid"])
        drawn = rng.integers(1, n + 1, (n, n)).tolist()
        pairs = zip(puzzle.payload["grid"], drawn, strict=True)
        return [[clue or digit for clue, digit in zip(clues, row, strict=True)] for clues, row in pairs]

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Fill the cell with the fewest digits left with the smallest of them; 1 where none is left."""
        import numpy as np

        from tasks.logic.search import greedy

        n = len(puzzle.payload["grid"])
        values = greedy(self._network(puzzle)).reshape(n, n)
        rows: list[list[int]] = (np.maximum(values, 0) + 1).tolist()
        return rows

    def search(self, puzzle: Puzzle) -> Answer | None:
        from tasks.logic.search import search

        found = search(self._network(puzzle))
        n = len(puzzle.payload["grid"])
        return (found.values + 1).reshape(n, n).tolist() if found.solutions else None

    def _network(self, puzzle: Puzzle) -> Network:
        import numpy as np

        given = np.array(puzzle.payload["grid"], dtype=np.int64).ravel()
        places = np.array(puzzle.payload["less"], dtype=np.int64).reshape(-1, 2, 2)
        n = len(puzzle.payload["grid"])
        return _network(given, places @ np.array([n, 1]), n)

    def prompt(self, puzzle: Puzzle) -> str:
        n = len(puzzle.payload["grid"])
        return (
            f"Solve this Futoshiki. Fill every blank (a dot) of the {n}×{n} grid with a digit from 1 to {n} "
            "so that every row and every column holds each digit exactly once and every inequality holds. "
            "Keep the given digits. Between two neighbours in a row, < says that the left digit is less than "
            "the right one, > that it is greater. Between two neighbours in a column, ^ says that the upper "
            "digit is less than the lower one, v that it is greater. There is exactly one solution.\n\n"
            f"{drawing(puzzle.payload['grid'], puzzle.payload['less'])}\n\n"
            f"Give the digits of the solved grid alone, as {n} lines of {n} digits without spaces and signs, "
            "inside a fenced block marked answer. For a 2×2 grid with 1 and 2 in its first row it "
            "would be:\n```answer\n12\n21\n```"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        n = len(puzzle.payload["grid"])
        return parse_reply(reply, digit_grid(n, n, 1, n))

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        """Draw the board: given digits bold, filled ones blue, with a key green where right, else red."""
        from rich.text import Text

        given = puzzle.payload["grid"]
        n = len(given)
        if answer is not None and isinstance(reason := read_rows(answer, n, n, 0, n), str):
            return Text(f"not a Futoshiki grid: {reason}", style="red")
        shown = given if answer is None else answer
        text = Text()
        for y, line in enumerate(drawing(shown, puzzle.payload["less"]).split("\n")):
            for x, sign in enumerate(line):
                style = "cyan"
                if y % 2 == 0 and x % 4 == 0:
                    r, c = y // 2, x // 4
                    style = "bold" if given[r][c] == shown[r][c] else "blue"
                    if key is not None and answer is not None and not (style == "bold" and given[r][c]):
                        style = "green" if shown[r][c] == key.answers[0][r][c] else "bold red"
                text.append(sign, style=style)
            text.append("\n")
        return text


def _size(payload: Mapping[str, Any]) -> int:
    """Return the size of a board. Raises ValueError for what is none."""
    grid, less = payload["grid"], payload["less"]
    n = len(grid)
    if not 4 <= n <= 9:
        raise ValueError(f"{n} rows: boards are of 4 to 9")
    if isinstance(fault := read_rows(grid, n, n, 0, n), str):
        raise ValueError(fault)
    for pair in less:
        if not (
            isinstance(pair, list) and len(pair) == 4 and all(type(x) is int and 0 <= x < n for x in pair)
        ):
            raise ValueError(f"{pair} is no [row, column, row, column] of cells, counted from 0")
        if abs(pair[0] - pair[2]) + abs(pair[1] - pair[3]) != 1:
            raise ValueError(f"{pair} are no neighbours")
    return n


def drawing(grid: list[list[int]], less: list[list[int]]) -> str:
    """Return the board as text: digits four columns apart, `<` and `>` between them, `^` and `v` between
    rows.
    """
    n = len(grid)
    lines = [[" "] * (4 * n - 3) for _ in range(2 * n - 1)]
    for r, row in enumerate(grid):
        for c, digit in enumerate(row):
            lines[2 * r][4 * c] = str(digit) if digit else "."
    for r, c, s, d in less:
        sign = ("<" if c < d else ">") if r == s else ("^" if r < s else "v")
        lines[r + s][2 * (c + d)] = sign
    return "\n".join("".join(line).rstrip() for line in lines)


def _network(given: Ints, less: Ints, n: int) -> Network:
    """Return the network of a board: given (n²,) digits or 0, less (m, 2) cells; constraints in the order
    units, inequalities, given digits.
    """
    import numpy as np

    from tasks.logic.search import network

    tables, groups = _tables(n)
    units = _units(n)
    cells = np.flatnonzero(given)
    constraints = np.concatenate(
        [
            units,
            np.column_stack([less, np.full(len(less), LESS)]),
            np.column_stack([cells, cells, given[cells] + 1]),  # table 2 + value, value = digit - 1
        ]
    ).astype(np.int64)
    return network(np.full(n * n, (1 << n) - 1, np.int64), constraints, tables, groups)


@cache
def _tables(n: int) -> tuple[np.ndarray[Any, Any], Ints]:
    """Return the tables (different, less, then "is this digit" for each) and the groups (rows, columns)."""
    import numpy as np

    x = np.arange(n)
    different, less = x[:, None] != x, x[:, None] < x
    only = np.broadcast_to(np.eye(n, dtype=bool)[:, None, :], (n, n, n))
    cells = np.arange(n * n).reshape(n, n)
    return np.concatenate([[different, less], only]), np.concatenate([cells, cells.T]).astype(np.int64)


@cache
def _units(n: int) -> Ints:
    """Return the constraints between cells that share a row or a column, (c, 3)."""
    import numpy as np

    pairs = [
        (line[i], line[j], DIFFERENT) for line in _tables(n)[1] for i in range(n) for j in range(i + 1, n)
    ]
    return np.array(pairs, dtype=np.int64)


@cache
def _neighbours(n: int) -> Ints:
    """Return the pairs of cells that touch, (2n(n - 1), 2)."""
    import numpy as np

    cells = np.arange(n * n).reshape(n, n)
    across = np.stack([cells[:, :-1].ravel(), cells[:, 1:].ravel()], axis=1)
    down = np.stack([cells[:-1].ravel(), cells[1:].ravel()], axis=1)
    return np.concatenate([across, down])


def _places(less: Ints, n: int) -> list[list[int]]:
    """Return inequalities as [row, column, row, column], in reading order."""

    def one() -> Iterator[list[int]]:
        for a, b in sorted(less.tolist(), key=lambda pair: (min(pair), max(pair))):
            yield [*divmod(a, n), *divmod(b, n)]

    return list(one())
