"""Constraints met, of every run on a logic puzzle, under two countings and beside two floors.

    python experiments/constraints.py --results-dir results --format markdown

A claim about language models says that they keep 55 to 60 % of a puzzle's constraints, whatever its size.
What comes out depends on what is counted and over what:

- a *unit* is a row, column or box that holds every digit once, a line of queens, an inequality, an edge;
- a *pair* is two cells (queens, ends of an edge) that must differ, or one inequality;
- *parsed* is the mean over the answers that could be read, *planned* the mean over all that were asked for,
  where a missing answer keeps nothing.

Clues are no constraints here: an answer may change one. The floors are answers of no thought at all:
*random cells* (clues kept, every blank drawn by itself) and *random rows* (clues kept, the missing digits of
each row, or the missing columns of all queens, in random order).
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.contracts import Answer, Key, Puzzle
from harness.errors import DepthbenchError
from harness.randomness import generator
from harness.records.find import scan
from harness.records.folder import RunFolder
from harness.records.schema import RunRecord
from harness.running.plan import items_of, recreate_task
from harness.scores.summary import last_attempts
from tasks.logic.queens import QUEEN
from tasks.sudoku.sizes import BOXES

Payload = Mapping[str, Any]
Values = Mapping[Any, int]
DRAWS = 40  # answers of a floor to each puzzle


@dataclass(frozen=True)
class Kept:
    """Shares of the constraints that one answer keeps, in [0, 1]."""

    units: float
    pairs: float


NOTHING = Kept(0.0, 0.0)


def _share(kept: Iterable[bool]) -> float:
    found = list(kept)
    return sum(found) / len(found) if found else 1.0


def _kept(values: Values, houses: Sequence[Sequence[Any]], less: Sequence[tuple[Any, Any]] = ()) -> Kept:
    """Count houses, whose cells must all differ, and inequalities; cells that are not filled keep nothing.

    A pair of cells that two houses share is one pair.
    """
    order = [0 < values[a] < values[b] for a, b in less]
    whole = [len({values[c] for c in house} - {0}) == len(house) for house in houses]
    return Kept(
        units=_share(whole + order),
        pairs=_share([0 < values[a] != values[b] > 0 for a, b in _pairs(houses)] + order),
    )


@cache
def _pairs_of(houses: tuple[tuple[Any, ...], ...]) -> tuple[tuple[Any, Any], ...]:
    return tuple(sorted({tuple(sorted(p)) for house in houses for p in itertools.combinations(house, 2)}))


def _pairs(houses: Sequence[Sequence[Any]]) -> tuple[tuple[Any, Any], ...]:
    return _pairs_of(tuple(map(tuple, houses)))


def _lines(n: int) -> list[list[tuple[int, int]]]:
    rows = [[(r, c) for c in range(n)] for r in range(n)]
    return rows + [[(r, c) for r in range(n)] for c in range(n)]


def _cells(rows: Sequence[Sequence[int]]) -> dict[tuple[int, int], int]:
    return {(r, c): digit for r, row in enumerate(rows) for c, digit in enumerate(row)}


def sudoku(payload: Payload, answer: Answer) -> Kept:
    """Rows, columns and boxes; pairs of cells in one of them."""
    n = len(payload["grid"])
    high, wide = BOXES[n]
    boxes = [
        [(top + r, left + c) for r in range(high) for c in range(wide)]
        for top in range(0, n, high)
        for left in range(0, n, wide)
    ]
    return _kept(_cells(answer), _lines(n) + boxes)


def futoshiki(payload: Payload, answer: Answer) -> Kept:
    """Rows, columns and inequalities; pairs of cells in a row or column, and inequalities."""
    less = [((r, c), (s, d)) for r, c, s, d in payload["less"]]
    return _kept(_cells(answer), _lines(len(payload["grid"])), less)


def n_queens(payload: Payload, answer: Answer) -> Kept:
    """Rows and columns with one queen and diagonals with one at most; pairs of rows with a queen each that do
    not attack one another.
    """
    n = len(payload["rows"])
    queens = [(r, c) for r, row in enumerate(answer) for c, square in enumerate(row) if square == QUEEN]
    places = [[c for s, c in queens if s == r] for r in range(n)]
    lines = [sum(r == i for r, _ in queens) == 1 for i in range(n)]
    lines += [sum(c == i for _, c in queens) == 1 for i in range(n)]
    for i in range(1 - n + 1, n - 1):  # diagonals of two squares and more
        lines.append(sum(r - c == i for r, c in queens) <= 1)
        lines.append(sum(r + c - n + 1 == i for r, c in queens) <= 1)
    pairs = [
        len(a) == len(b) == 1 and a[0] != b[0] and abs(a[0] - b[0]) != j - i
        for (i, a), (j, b) in itertools.combinations(enumerate(places), 2)
    ]
    return Kept(_share(lines), _share(pairs))


def graph_colouring(payload: Payload, answer: Answer) -> Kept:
    """Edges: unit and pair are the same."""
    edges = _share(answer[a - 1] != answer[b - 1] for a, b in payload["edges"])
    return Kept(edges, edges)


COUNTED: dict[str, Callable[[Payload, Answer], Kept]] = {
    "sudoku": sudoku,
    "futoshiki": futoshiki,
    "n-queens": n_queens,
    "graph-colouring": graph_colouring,
}
"""By the name of the task."""


def random_rows(name: str, payload: Payload, rng: Any) -> Answer | None:
    """Return an answer whose every row is a random permutation that keeps the clues; None where there are no
    rows.
    """
    if name in ("sudoku", "futoshiki"):
        rows = []
        for clues in payload["grid"]:
            missing = iter(rng.permutation([d for d in range(1, len(clues) + 1) if d not in clues]).tolist())
            rows.append([clue or next(missing) for clue in clues])
        return rows
    if name == "n-queens":
        given = payload["rows"]
        taken = {row.index(QUEEN) for row in given if QUEEN in row}
        free = iter(rng.permutation([c for c in range(len(given)) if c not in taken]).tolist())
        return [
            row if QUEEN in row else "".join(QUEEN if c == column else square for c, square in enumerate(row))
            for row in given
            for column in [None if QUEEN in row else next(free)]
        ]
    return None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One solver on one set of puzzles; shares in [0, 1], None where no answer could be read."""

    task: str
    puzzles: str  # the set
    size: str  # of its puzzles, smallest to largest
    solver: str
    planned: int
    parsed: int
    solved: int
    units_parsed: float | None
    units_planned: float | None
    pairs_parsed: float | None
    pairs_planned: float | None


def shares(kept: Sequence[Kept], planned: int) -> dict[str, Any]:
    """Return the four means of the answers that could be read, of so many planned."""
    sums = {name: math.fsum(getattr(one, name) for one in kept) for name in ("units", "pairs")}
    found: dict[str, Any] = {"planned": planned, "parsed": len(kept)}
    for name, total in sums.items():
        found[f"{name}_parsed"] = total / len(kept) if kept else None
        found[f"{name}_planned"] = total / planned if kept else None
    return found


def row_of(folder: RunFolder, record: RunRecord, items: Mapping[str, tuple[Puzzle, Key]], task: Any) -> Row:
    """Count the answers of a run."""
    count = COUNTED[record.task.name]
    attempts = last_attempts(record, folder.attempts(), where=folder.name).values()
    kept, solved = [], 0
    for attempt in attempts:
        if attempt.answer is None or attempt.numbers is None:
            continue
        puzzle, _ = items[attempt.puzzle]
        kept.append(_of(count, task, puzzle, attempt.answer))
        solved += attempt.numbers["correct"] >= 1
    who = " ".join([record.solver.name, *_told(record.solver.changed)])
    if record.card.kind == "llm":
        who = record.card.model or who
    return Row(**_where(record, items), solver=who, solved=solved, **shares(kept, record.planned))


def _of(count: Callable[[Payload, Answer], Kept], task: Any, puzzle: Puzzle, answer: Answer) -> Kept:
    """Count an answer; one of the wrong form keeps nothing."""
    try:
        found = count(puzzle.payload, answer)
    except (IndexError, KeyError, TypeError, ValueError):
        return NOTHING
    told = task.violations(puzzle, answer)
    assert told or found == Kept(1.0, 1.0), (puzzle.id, answer, found)  # no broken rule, so all is kept
    return found


def _told(options: Mapping[str, Any]) -> list[str]:
    return [f"{name}={Path(str(value)).name}" for name, value in options.items()]


def _where(record: RunRecord, items: Mapping[str, tuple[Puzzle, Key]]) -> dict[str, str]:
    sizes = sorted({_size(puzzle.payload) for puzzle, _ in items.values()})
    revision = record.data_revision.partition(",")[0].removesuffix(".jsonl")
    name = revision if revision != "generated" else f"generated, seed {record.seed}"
    size = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]}–{sizes[-1]}"
    return {"task": record.task.name, "puzzles": name, "size": size}


def _size(payload: Payload) -> int:
    return int(payload["vertices"]) if "vertices" in payload else len(payload.get("grid") or payload["rows"])


def floors(record: RunRecord, items: Mapping[str, tuple[Puzzle, Key]], task: Any) -> Iterator[Row]:
    """Count answers of no thought to the puzzles of a run."""
    name = record.task.name
    count = COUNTED[name]
    play = task.methods["random"]
    kinds: dict[str, Callable[[Puzzle, Any], Answer | None]] = {
        "random cells": play,
        "random rows": lambda puzzle, rng: random_rows(name, puzzle.payload, rng),
    }
    for kind, draw in kinds.items():
        kept, solved = [], 0
        for puzzle, key in items.values():
            rng = generator("constraints", kind, name, puzzle.id)
            for _ in range(DRAWS):
                if (answer := draw(puzzle, rng)) is not None:
                    kept.append(count(puzzle.payload, answer))
                    solved += task.judge(puzzle, key, answer).correct
        if kept:
            yield Row(**_where(record, items), solver=kind, solved=solved, **shares(kept, len(kept)))


def runs_in(results_dir: Path | None) -> Iterator[tuple[RunFolder, RunRecord]]:
    """Yield the readable runs of a results folder."""
    for run in scan(results_dir):
        if run.record is not None:
            yield run.folder, run.record


def rows_of(runs: Iterable[tuple[RunFolder, RunRecord]], wanted: Sequence[str] = ()) -> list[Row]:
    """Return a row of every run that is of one of the counted tasks, and the floors of every set."""
    found: list[Row] = []
    known: dict[str, tuple[Any, dict[str, tuple[Puzzle, Key]]]] = {}
    for folder, record in runs:
        try:
            if record.task.name not in (wanted or COUNTED) or record.task.name not in COUNTED:
                continue
            content = f"{record.task.name} {record.task.puzzles_sha256}"
            if content not in known:
                task = recreate_task(record)
                items = {puzzle.id: (puzzle, key) for puzzle, key in items_of(task, record, None)}
                known[content] = task, items
                found += floors(record, items, task)
            task, items = known[content]
            found.append(row_of(folder, record, items, task))
        except DepthbenchError as error:
            print(f"constraints: left out {folder.name}: {error}", file=sys.stderr)
    return sorted(found, key=lambda r: (r.task, r.puzzles, -(r.pairs_planned or 0)))


COLUMNS = ("puzzles", "size", "solver", "planned", "parsed", "solved", "units, parsed", "units, planned",
           "pairs, parsed", "pairs, planned")  # fmt: skip


def markdown(rows: Sequence[Row]) -> str:
    """Return rows as a table, shares in per cent."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for row in rows:
        shown = [
            "–" if share is None else f"{100 * share:.1f}"
            for share in (row.units_parsed, row.units_planned, row.pairs_parsed, row.pairs_planned)
        ]
        cells = [row.puzzles, row.size, row.solver, f"{row.planned:,}", f"{row.parsed:,}", f"{row.solved:,}"]
        lines.append("| " + " | ".join(cells + shown) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results-dir", type=Path, help="where the run folders are; default results")
    parser.add_argument("--task", nargs="*", choices=list(COUNTED), default=[])
    parser.add_argument("--format", choices=["markdown", "json"], default="markdown")
    args = parser.parse_args()
    rows = rows_of(runs_in(args.results_dir), args.task)
    print(markdown(rows) if args.format == "markdown" else json.dumps([asdict(r) for r in rows], indent=1))


if __name__ == "__main__":
    main()
