"""Mazes of the user's own: drawn, the numbers of Maze-Hard, CSV, NumPy arrays, or JSON lines of payloads.

A drawing with a path marked `o` is a maze with its solution; where there is none, a shortest path is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isqrt
from pathlib import Path
from typing import Any

from harness import own
from harness.errors import UserError
from harness.own import Own, refused
from tasks.maze.paths import count_marks, path_faults

LARGEST = 100  # cells of a side
NUMBERS = "?# SGo"  # of the published arrays: 1 wall, 2 open, 3 start, 4 goal, 5 path
RULE = (
    "A maze is rows of # (wall), . or a blank (open), S and G, or of the numbers 1 to 5 for those and the "
    "path; blank lines part mazes."
)
MAZES, PATHS = ("question", "maze", "puzzle", "input"), ("answer", "solution", "path", "label")


def read(path: Path) -> Iterator[Own]:
    """Yield the mazes of a file, with the length of a shortest path. Raises UserError with the place."""
    if path.suffix == ".npy":
        found: Iterable[tuple[str, Any, Any]] = _arrays(path)
    else:
        text = own.read_text(path)
        first = next((line for line in text.split("\n") if line.strip()), "")
        if first.lstrip().startswith("{"):
            for row in own.read_json_lines(path, text):
                rows = row.payload.get("rows")
                if not isinstance(rows, list) or not all(isinstance(line, str) for line in rows):
                    raise refused(row.where, "its payload holds no rows of a maze", RULE)
                yield _own(row.where, rows, None, row)
            return
        table = first.strip().lower().split(",")
        found = _csv(path, text) if set(table) & set(MAZES) else _drawn(path, text)
    for where, maze, solution in found:
        rows, marked = _rows(where, maze), None if solution is None else _rows(where, solution)
        if marked is None and any("o" in row for row in rows):
            rows, marked = [row.replace("o", " ") for row in rows], rows
        yield _own(where, rows, marked)


def _own(where: str, rows: list[str], marked: list[str] | None, read: Own | None = None) -> Own:
    """Check a maze, and return it with the length of its shortest path; raises UserError with its place."""
    from tasks.maze.grid import decode_cells, encode_rows
    from tasks.maze.search import shortest_path

    height, width = len(rows), len(rows[0]) if rows else 0
    for number, row in enumerate(rows, 1):
        if len(row) != width or not 1 <= width <= LARGEST or height > LARGEST:
            what = f"row {number} of a maze has {len(row)} cells, the first {width}"
            raise refused(where, what, f"All rows are equally long, 1 to {LARGEST} cells, and no more rows.")
        if strange := set(row) - set("# SG"):
            raise refused(where, f"row {number} of a maze holds {min(strange)!r}", RULE)
    for end in "SG":
        if (count := sum(row.count(end) for row in rows)) != 1:
            raise refused(where, f"a maze holds {count} cells {end}", "A maze has one S and one G.")
    asked = read.payload.get("asked") if read else None
    if asked not in (None, "moves"):
        raise refused(
            where, f"asked is {str(asked)[:40]!r}", "A maze is asked for its path, or for its moves."
        )
    shortest = shortest_path(encode_rows(rows), width)
    if shortest is None:
        raise refused(where, "no path leads from S to G", "A maze has one.")
    label = decode_cells(shortest.reshape(height, width))
    moves = count_marks(label) + 1
    if read is not None:
        answers = read.answers or (moves if asked else label,)
        return Own(**{**vars(read), "answers": answers, "optimum": float(moves)})
    if marked is not None:
        if faults := path_faults(rows, marked):
            raise refused(where, f"its solution is wrong: {faults[0]}", "Solutions mark a shortest path.")
        if count_marks(marked) + 1 != moves:
            what = f"its solution takes {count_marks(marked) + 1} moves, the shortest {moves}"
            raise refused(where, what, "Solutions mark a shortest path.")
    return Own(
        where=where,
        payload={"rows": rows},
        answers=(marked or label,),
        difficulty=float(moves),
        optimum=float(moves),
    )


def _rows(where: str, maze: Any) -> list[str]:
    """Return rows of symbols from rows, or from a square in one line, of symbols or numbers."""
    if isinstance(maze, str):
        flat = _symbols(where, maze)
        side = isqrt(len(flat))
        if side * side != len(flat) or side < 2:
            raise refused(where, f"{maze[:40]!r} of {len(flat)} cells is no square maze", RULE)
        return [flat[i : i + side] for i in range(0, len(flat), side)]
    return [_symbols(where, row) for row in maze]


def _symbols(where: str, row: str) -> str:
    parts = row.replace(",", " ").split()
    digits = parts if len(parts) > 1 and all(len(part) == 1 for part in parts) else list(row.strip())
    if digits and all(digit.isascii() and digit.isdigit() for digit in digits):
        if strange := [digit for digit in digits if digit not in "12345"]:
            raise refused(
                where, f"the number {strange[0]} stands in a maze", "1 wall, 2 open, 3 S, 4 G, 5 path."
            )
        return "".join(NUMBERS[int(digit)] for digit in digits)
    if len(parts) > 1 and all(len(part) == 1 for part in parts) and "." in parts:
        row = "".join(parts)  # blanks between all cells, none of which is a blank
    return row.replace(".", " ")


def _drawn(path: Path, text: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield blocks of rows, or single lines that hold a square maze."""
    block: list[str] = []
    start = 0
    for number, line in enumerate([*text.split("\n"), ""], 1):
        row = line.rstrip("\r")
        if row.strip():
            start = start or number
            block.append(row)
        elif block:
            where = f"{path}, line {start}"
            if all(len(row.strip()) >= len(block) ** 2 and len(row.strip()) > 60 for row in block):
                for further, one in enumerate(block):
                    yield f"{path}, line {start + further}", one, None
            else:
                yield where, block[0] if len(block) == 1 else block, None
            block, start = [], 0


def _csv(path: Path, text: str) -> Iterator[tuple[str, Any, Any]]:
    table = own.csv_rows(path, text, RULE)
    _, names = next(table)
    header = [name.strip().lower() for name in names]
    places = [
        next((header.index(name) for name in names if name in header), None) for names in (MAZES, PATHS)
    ]
    for line, cells in table:
        if any(cell.strip() for cell in cells):
            maze, solution = (
                cells[at] if at is not None and at < len(cells) and cells[at].strip() else None
                for at in places
            )
            if maze is None:
                raise refused(f"{path}, line {line}", "it holds no maze", RULE)
            yield f"{path}, line {line}", maze, solution


def _arrays(path: Path) -> Iterator[tuple[str, Any, Any]]:
    """Yield the rows of an array of numbers (mazes, cells), as published beside `all__labels.npy`."""
    arrays = [_load(path)]
    labels = path.with_name(path.name.replace("inputs", "labels"))
    if labels != path and labels.is_file():
        arrays.append(_load(labels))
        if arrays[0].shape != arrays[1].shape:
            what = f"{labels.name} is of {arrays[1].shape}, {path.name} of {arrays[0].shape}"
            raise refused(str(path), what, "Labels are of the shape of the inputs.")
    for number, row in enumerate(arrays[0]):
        maze = "".join(map(str, row.tolist()))
        label = "".join(map(str, arrays[1][number].tolist())) if len(arrays) > 1 else None
        yield f"{path}, row {number}", maze, label


def _load(path: Path) -> Any:
    import numpy as np

    try:
        found = np.load(path, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise refused(str(path), f"it is no array of numbers ({error})", RULE) from error
    whole = isinstance(found, np.ndarray) and found.dtype.kind in "iu" and found.ndim in (2, 3)
    if not whole:
        raise refused(str(path), f"it is of {getattr(found, 'dtype', '?')}, not whole numbers", RULE)
    return found.reshape(len(found), -1)


def sizes(rows: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """Return the rows and columns of a canvas that holds all mazes."""
    shapes = [(len(payload["rows"]), len(payload["rows"][0])) for payload in rows]
    if not shapes:
        raise UserError("The file holds no maze.", rule=RULE)
    return max(h for h, _ in shapes), max(w for _, w in shapes)
