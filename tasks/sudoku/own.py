"""Sudoku of the user's own: lines of digits, rows, CSV, or JSON lines of payloads.

A puzzle's solution may stand beside it; which of the two is which is told by the blanks.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice
from math import isqrt
from pathlib import Path

from harness import own
from harness.own import Own, refused

SIZES = {16: 4, 36: 6, 81: 9}
BLANKS = str.maketrans("._*-", "0000")
RULE = "A Sudoku is 81, 36 or 16 digits, with 0 . _ * or - for a blank, in one line or in rows."
PUZZLES = ("puzzle", "question", "quizzes", "quiz", "clues", "grid", "board", "sudoku")
SOLUTIONS = ("solution", "answer", "solutions", "answers", "solved")
DIFFICULTIES = ("difficulty", "rating")

Grid = list[list[int]]


@cache
def _rows(path: Path, *_state: object) -> tuple[Own, ...]:
    """Read a file, once for each state that it is in."""
    text = own.read_text(path)
    first = next((line for line in text.split("\n") if line.strip()), "")
    if first.lstrip().startswith("{"):
        rows = tuple(own.read_json_lines(path, text))
        for row in rows:
            size = len(row.payload.get("grid", ())) if isinstance(row.payload.get("grid"), list) else 0
            if size not in SIZES.values() or not _is_board(row.payload["grid"], size):
                raise refused(row.where, "its payload holds no grid of digits", RULE)
    elif first.strip().lower() in PUZZLES or ("," in first and not _digits(first.split(",")[0])):
        rows = tuple(_csv(path, text))
    else:
        rows = tuple(_lines(path, text))
    sizes = {len(row.payload["grid"]): row.where for row in rows}
    if len(sizes) > 1:
        both = " and ".join(f"{size}×{size} ({where})" for size, where in sizes.items())
        raise refused(str(path), f"it holds {both}", "The puzzles of a file are of one size.")
    if not rows:
        raise refused(str(path), "it holds no puzzle", RULE)
    return rows


def read(path: Path) -> tuple[Own, ...]:
    """Return the puzzles of a file. Raises UserError with the line, its value and the rule."""
    return _rows(path, *_state(path))


def size_of(path: Path) -> int:
    """Return the size of the puzzles of a file."""
    return len(read(path)[0].payload["grid"])


def _state(path: Path) -> tuple[object, ...]:
    """Return what changes when another file stands there."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return path.absolute(), found.st_mtime_ns, found.st_size


def _csv(path: Path, text: str) -> Iterator[Own]:
    table = own.csv_rows(path, text, RULE)
    _, names = next(table)
    header = [name.strip().lower() for name in names]
    columns = {
        kind: next((header.index(name) for name in names if name in header), None)
        for kind, names in (("puzzle", PUZZLES), ("solution", SOLUTIONS), ("difficulty", DIFFICULTIES))
    }
    if columns["puzzle"] is None:
        known = f"Such a column is named {', '.join(PUZZLES)}."
        raise refused(f"{path}, line 1", f"no column of {', '.join(header)[:80]} holds puzzles", known)
    places = [len(header) if at is None else at for at in columns.values()]
    for line, cells in table:
        if any(cell.strip() for cell in cells):
            found = [cells[at].strip() if at < len(cells) else "" for at in places]
            yield _own(f"{path}, line {line}", *found)


def _lines(path: Path, text: str) -> Iterator[Own]:
    """Yield puzzles a line each, with a solution after it or not, and puzzles in blocks of rows."""
    block: list[str] = []
    start = 0
    for number, line in enumerate([*text.split("\n"), ""], 1):
        row = line.split("#")[0].strip()
        parts = [part for part in row.replace(",", " ").replace(";", " ").split() if part]
        if len(parts) in (1, 2) and all(len(part) in SIZES for part in parts) and not block:
            yield _own(f"{path}, line {number}", *parts)
        elif row and set(row) - set("-+|= "):
            start = start or number
            block.append("".join(c for c in row if c.isdigit() or c in "._*-"))
            if len(block) == len(block[0]):
                yield _own(f"{path}, line {start}", "".join(block))
                block, start = [], 0
        elif block and not row:
            what = f"{block[-1]!r} ends a block of {len(block)} rows of {len(block[0])}"
            raise refused(f"{path}, line {number - 1}", what, RULE)


def _own(where: str, one: str, other: str = "", difficulty: str = "") -> Own:
    grids = [_grid(where, text) for text in (one, other) if text]
    if len(grids) == 2 and any(0 in row for row in grids[1]) and not any(0 in row for row in grids[0]):
        grids.reverse()  # the solution came first
    try:
        rating = float(difficulty) if difficulty else None
    except ValueError:
        rating = None  # a word
    return Own(where=where, payload={"grid": grids[0]}, answers=tuple(grids[1:]), difficulty=rating)


def _grid(where: str, text: str) -> Grid:
    digits = _digits(text)
    size = isqrt(len(text))
    if digits is None or len(digits) not in SIZES:
        raise refused(where, f"{text[:90]!r} is no Sudoku", RULE)
    if large := next((digit for digit in digits if digit > size), None):
        what = f"the digit {large} stands in a {size}×{size} puzzle"
        raise refused(where, what, f"Digits are 1 to {size}.")
    return [digits[i : i + size] for i in range(0, len(digits), size)]


def _digits(text: str) -> list[int] | None:
    plain = text.strip().translate(BLANKS)
    return [int(c) for c in plain] if plain.isascii() and plain.isdigit() else None


def _is_board(grid: object, size: int) -> bool:
    return isinstance(grid, list) and all(
        isinstance(row, list) and len(row) == size and all(type(d) is int and 0 <= d <= size for d in row)
        for row in islice(grid, size)
    )
