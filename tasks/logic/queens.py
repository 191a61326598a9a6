"""n-queens completion: place the missing queens, some squares being closed.

Completion is NP-complete and #P-complete, with closed squares too (Gent, Jefferson, Nightingale, "Complexity
of n-Queens Completion", JAIR 59, 2017).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from harness import own
from harness.base import BaseGrid, Belongs, Drawn
from harness.contracts import Answer, GridCodec, Key, Puzzle, Unparsed
from harness.errors import UserError
from tasks.shared.forms import symbol_grid
from tasks.shared.ruled import Check, RuledTask
from tasks.shared.text_answers import parse_reply

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import RenderableType

    from harness.codecs import Symmetries
    from tasks.logic.search import Network

OPEN, CLOSED, QUEEN = ".", "#", "Q"
SYMBOLS = "?.#Q"
"""The symbol of each token; padding decodes to `?`, which no board holds."""


@dataclass(frozen=True, kw_only=True)
class NQueens(RuledTask):
    """n-queens completion on boards of 4×4 to 12×12, some queens given, some squares closed

    The payload is {"rows": strings of `.` (free), `#` (closed) and `Q` (given)}; an answer is the same rows
    with queens placed. Any completion counts, whatever the reference (the lexicographically smallest).

    given: queens that stand already (None: a quarter of the rows). closed: squares on which no queen may
    stand (None: as many as the board is wide). Of a file the size is that of its boards.
    A puzzle's `difficulty` is the number of guesses the exact search makes.

    Verdict numbers: `feasible`; `constraints`, the share kept of: every square that was not free is as it
    was (`squares`), every row and every column holds one queen (`rows`, `columns`), every diagonal of two
    squares and more holds one at most (`diagonals`: an empty board keeps them all); each class by itself too.
    """

    size: int = 8  # squares of a side, and queens
    given: int | None = None
    closed: int | None = None

    name = "n-queens"

    def __post_init__(self) -> None:
        if self.file is not None:
            object.__setattr__(self, "size", own.one_size(self.file, _size))
            object.__setattr__(self, "given", None)
            object.__setattr__(self, "closed", None)
        if not 4 <= self.size <= 12:
            raise UserError(f"No board of size {self.size}.", rule="Sizes are 4 to 12.")
        if not 0 <= self.queens_given < self.size:
            raise UserError(
                f"given={self.given} on a board of size {self.size}.",
                rule=f"0 to {self.size - 1} queens may be given.",
            )
        most = self.size * (self.size - 1)
        if not 0 <= self.squares_closed <= most:
            raise UserError(
                f"closed={self.closed} on a board of size {self.size}.",
                rule=f"0 to {most} squares may be closed, or no room is left for the queens.",
            )

    @property
    def queens_given(self) -> int:
        return self.size // 4 if self.given is None else self.given

    @property
    def squares_closed(self) -> int:
        return self.size if self.closed is None else self.closed

    @property
    def family(self) -> str:
        return f"n-queens-{self.size}x{self.size}"

    @cached_property
    def grid(self) -> GridCodec:
        return QueensGrid(self.size)

    @cached_property
    def chance(self) -> float:
        """Completions among the random answers, counted on a hundred puzzles."""
        from tasks.logic.search import search

        shares = []
        for puzzle, _ in self.load(split=self.splits[0], seed=0, limit=100, data_dir=None):
            ways = 1
            for row in puzzle.payload["rows"]:
                ways *= 1 if QUEEN in row else max(1, row.count(OPEN))
            net = _network(puzzle.payload["rows"])
            # no more need be counted where even so many are nothing
            shares.append(search(net, limit=20_000).solutions / ways)
        return sum(shares) / len(shares)

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        import numpy as np

        from tasks.logic.search import search

        n = self.size
        empty = _network([OPEN * n] * n)
        # rows are filled from the top: turning the board afterwards leaves no row special
        columns = search(empty, order=rng.random((n, n)).argsort(axis=1)).values
        board = np.ones(n * n, np.int64)
        queens = np.arange(n) * n + columns
        free = np.delete(np.arange(n * n), queens)
        board[rng.permutation(free)[: self.squares_closed]] = SYMBOLS.index(CLOSED)
        board[rng.permutation(queens)[: self.queens_given]] = SYMBOLS.index(QUEEN)
        copies = board[_turns(n)]
        identity = min(copy.astype(np.uint8).tobytes() for copy in copies)
        if not belongs(identity):
            return None
        rows = decode(copies[rng.integers(len(copies))], n)
        label = search(_network(rows), smallest=True)
        return Drawn(
            identity=identity,
            payload={"rows": rows},
            answers=(_placed(rows, label.values),),
            difficulty=float(search(_network(rows)).guesses),
        )

    def check(self, puzzle: Puzzle, answer: Answer) -> Check:
        given, n = puzzle.payload["rows"], self.size
        if not isinstance(answer, list) or len(answer) != n:
            return Check.malformed(f"not a list of {n} rows")
        for r, row in enumerate(answer, start=1):
            if not isinstance(row, str) or len(row) != n:
                return Check.malformed(f"row {r} is not a string of {n} squares")
            if strange := set(row) - {OPEN, CLOSED, QUEEN}:
                return Check.malformed(f"row {r} holds {min(strange)!r}, none of {OPEN}{CLOSED}{QUEEN}")
        check = Check()
        lines: dict[tuple[str, int], int] = {}
        for r in range(n):
            for c in range(n):
                was, now = given[r][c], answer[r][c]
                if was != OPEN or now == CLOSED:
                    otherwise = f"row {r + 1}, column {c + 1} was {was!r} and is {now!r}"
                    check.rule("squares", was == now, otherwise)
                for line in (("row", r), ("column", c), ("falling", r - c), ("rising", r + c)):
                    lines[line] = lines.get(line, 0) + (now == QUEEN)
        for (kind, i), queens in lines.items():
            if kind in ("row", "column"):
                check.rule(f"{kind}s", queens == 1, f"{kind} {i + 1} holds {queens} queens")
            elif abs(i if kind == "falling" else i - n + 1) < n - 1:  # longer than one square
                r, c = (max(i, 0), max(-i, 0)) if kind == "falling" else (min(i, n - 1), i - min(i, n - 1))
                otherwise = f"the {kind} diagonal from row {r + 1}, column {c + 1} holds {queens} queens"
                check.rule("diagonals", queens <= 1, otherwise)
        return check

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Put a queen on a random free square of every row that has none."""
        rows = []
        for row in puzzle.payload["rows"]:
            free = [c for c, square in enumerate(row) if square == OPEN]
            if QUEEN not in row and free:
                c = free[int(rng.integers(len(free)))]
                row = row[:c] + QUEEN + row[c + 1 :]
            rows.append(row)
        return rows

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Fill the row with the fewest safe squares at the leftmost of them; leave it empty without any."""
        from tasks.logic.search import greedy

        rows = puzzle.payload["rows"]
        return _placed(rows, greedy(_network(rows)))

    def search(self, puzzle: Puzzle) -> Answer | None:
        from tasks.logic.search import search

        rows = puzzle.payload["rows"]
        found = search(_network(rows))
        return _placed(rows, found.values) if found.solutions else None

    def prompt(self, puzzle: Puzzle) -> str:
        n, given = self.size, sum(row.count(QUEEN) for row in puzzle.payload["rows"])
        return (
            f"Place {n - given} more queens on this {n}×{n} board so that there are {n} in all and none "
            "attacks another: every row and every column holds exactly one queen, and no diagonal holds more "
            "than one (diagonals of any length, in both directions). Q is a queen that stands already and "
            "must stay, . is a free square, # is closed: no queen may stand there (it does not shield one "
            "from another).\n\n" + "\n".join(puzzle.payload["rows"]) + "\n\n"
            f"Give the whole board again with the queens added, as {n} lines of {n} characters, inside a "
            "fenced block marked answer. A 4×4 board would look like:\n```answer\n.Q..\n...Q\nQ#..\n..Q.\n```"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        return parse_reply(reply, symbol_grid(self.size, self.size, OPEN + CLOSED + QUEEN))

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        """Draw the board: given queens bold, placed ones blue, with a key green or, where attacked, red."""
        from rich.text import Text

        shown = puzzle.payload["rows"] if answer is None else answer
        check = self.check(puzzle, shown)
        if "form" in check.asked:
            return Text(f"not a board: {check.broken[0]}", style="red")
        text, queens = (
            Text(),
            {(r, c) for r, row in enumerate(shown) for c, q in enumerate(row) if q == QUEEN},
        )
        for r, row in enumerate(shown):
            for c, square in enumerate(row):
                attacked = any(
                    (r, c) != (s, d) and (r == s or c == d or abs(r - s) == abs(c - d)) for s, d in queens
                )
                style = "bright_black" if square != QUEEN else "bold"
                if square != puzzle.payload["rows"][r][c]:
                    style = "blue" if key is None else "bold red" if attacked else "green"
                text.append(f"{square} ", style=style)
            text.append("\n")
        return text


class QueensGrid(BaseGrid):
    """Boards as tokens: 0 padding, 1 free, 2 closed, 3 queen; every square is scored."""

    vocab_size = len(SYMBOLS)

    def __init__(self, size: int) -> None:
        self.size = self.height = self.width = size

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the board as tokens, (L,)."""
        return _encode(puzzle.payload["rows"])

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the board with its queens as labels, (L,)."""
        return _encode(answer)

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return rows of symbols."""
        return decode(tokens, self.size)

    def symmetries(self, rng: np.random.Generator, n: int) -> Symmetries | None:
        """None: a turned label is a completion, but not the smallest one any more. See `variants`."""
        return None

    def variants(self, puzzle: Puzzle, key: Key) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return the eight turned and mirrored boards, each with the smallest completion of its own."""
        from tasks.logic.search import search

        pairs = []
        for positions in _turns(self.size):
            tokens = _encode(puzzle.payload["rows"])[positions]
            rows = decode(tokens, self.size)
            values = search(_network(rows), smallest=True).values
            pairs.append((tokens, _encode(_placed(rows, values))))
        return pairs


def _size(payload: Mapping[str, Any]) -> int:
    """Return the size of a board. Raises ValueError for what is none."""
    rows = payload["rows"]
    n = len(rows)
    if not 4 <= n <= 12:
        raise ValueError(f"{n} rows: boards are of 4 to 12")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, str) or len(row) != n or set(row) - {OPEN, CLOSED, QUEEN}:
            raise ValueError(f"row {number} is not {n} of {OPEN}{CLOSED}{QUEEN}")
    return n


def _encode(rows: list[str]) -> NDArray[np.int64]:
    import numpy as np

    return np.array([SYMBOLS.index(square) for row in rows for square in row], dtype=np.int64)


def decode(tokens: NDArray[Any], n: int) -> list[str]:
    """Return rows of symbols from tokens (n²,)."""
    symbols = [SYMBOLS[t] if 0 <= t < len(SYMBOLS) else SYMBOLS[0] for t in tokens.tolist()]
    return ["".join(symbols[r * n : r * n + n]) for r in range(n)]


def _placed(rows: list[str], columns: NDArray[np.int64]) -> list[str]:
    """Return the board with a queen in the given column of each row that has none (-1: none)."""
    return [
        row if QUEEN in row or c < 0 else row[:c] + QUEEN + row[c + 1 :]
        for row, c in zip(rows, columns.tolist(), strict=True)
    ]


def _network(rows: list[str]) -> Network:
    """Return the network of a board: a variable per row, its value the column of the queen."""
    import numpy as np

    from tasks.logic.search import network

    n = len(rows)
    attacks, tables = _tables(n)
    free = np.array(
        [
            1 << row.index(QUEEN) if QUEEN in row else sum((s == OPEN) << c for c, s in enumerate(row))
            for row in rows
        ],
        dtype=np.int64,
    )
    return network(free, attacks, tables, np.arange(n, dtype=np.int64)[None])


@cache
def _tables(n: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the constraints between rows and their tables: row distance d forbids the column and both
    diagonals.
    """
    import numpy as np

    x = np.arange(n)
    apart = abs(x[:, None] - x)
    tables = np.stack([(apart != 0) & (apart != d) for d in range(1, n)])
    pairs = [(a, b, b - a - 1) for a in range(n) for b in range(a + 1, n)]
    return np.array(pairs, dtype=np.int64), tables


@cache
def _turns(n: int) -> NDArray[np.int64]:
    """Return where each square of the eight turned and mirrored boards comes from, (8, n²)."""
    import numpy as np

    place = np.arange(n * n).reshape(n, n)
    turned = [np.rot90(half, k) for half in (place, place.T) for k in range(4)]
    return np.stack([board.ravel() for board in turned])
