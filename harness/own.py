"""Puzzles of the user's own: `-T file=PATH`, in the form that `bench task export` writes.

The form is JSON lines, an object a puzzle: `payload` (what the task's puzzles hold), and, where they are
known, `answers`, `id`, `group`, `split`, `difficulty` and `optimum`. Tasks may read further forms; whatever
was read goes through `items_of`: payloads that the task cannot use and solutions that are wrong are refused
with their place, and a solution that is missing is searched for.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from harness.contracts import Answer, Item, Key, Puzzle, Task
from harness.errors import UserError
from harness.randomness import generator

Measure = TypeVar("Measure")
STUMBLES = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What code may raise over a payload that is of another form than it takes for granted."""
LARGEST = 256 * 2**20  # bytes of a file that is read at once
KNOWN = ("payload", "answers", "id", "group", "split", "difficulty", "optimum")
FORM = 'A puzzle is a line such as {"payload": {…}, "answers": […]}; `bench task export` writes such a file.'


@dataclass(frozen=True, kw_only=True)
class Own:
    """One puzzle as it was read. where: its place, for errors."""

    where: str
    payload: Mapping[str, Any]
    answers: tuple[Answer, ...] = ()
    id: str | None = None
    group: str | None = None
    split: str | None = None
    difficulty: float | None = None
    optimum: float | None = None


def read_text(path: Path) -> str:
    """Return a file's text, UTF-8 with or without a byte order mark. Raises UserError for anything else."""
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path} is larger than {LARGEST >> 20} MiB.", next_step="Split it.")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}.",
            next_step="Save it as UTF-8.",
        ) from None
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror}.", next_step="Check -T file=PATH."
        ) from error


def read_json_lines(path: Path, text: str) -> Iterator[Own]:
    """Yield the puzzles of a file in the form that `bench task export` writes."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise refused(where, f"{line.strip()[:60]!r} is not JSON ({error})", FORM) from None
        if not isinstance(row, dict) or not isinstance(row.get("payload"), dict):
            raise refused(where, f"{line.strip()[:60]!r} has no payload", FORM)
        if strange := sorted(set(row) - set(KNOWN)):
            raise refused(where, f"{strange[0]!r} is no field of a puzzle", f"Fields: {', '.join(KNOWN)}.")
        answers = row.get("answers") or []
        texts = [row.get(name) for name in ("id", "group", "split")]
        numbers = [row.get(name) for name in ("difficulty", "optimum")]
        if not isinstance(answers, list) or not all(t is None or isinstance(t, str) for t in texts):
            raise refused(where, "answers must be a list, and id, group and split text", FORM)
        if not all(n is None or (isinstance(n, int | float) and not isinstance(n, bool)) for n in numbers):
            raise refused(where, "difficulty and optimum must be numbers", FORM)
        yield Own(where=where, **{**row, "answers": tuple(answers)})


def csv_rows(path: Path, text: str, rule: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a CSV text with the number of the line they end on; what is none is refused."""
    table = csv.reader(io.StringIO(text))
    try:
        for row in table:
            yield table.line_num, row
    except csv.Error as error:
        raise refused(f"{path}, line {table.line_num}", f"it is no CSV ({error})", rule) from None


def measured(path: Path, measure: Callable[[Mapping[str, Any]], Measure]) -> list[Measure]:
    """Return what `measure` makes of each payload of such a file: its size, say, before the task is built.

    Raises UserError with the place of a payload over which it stumbles.
    """
    found = []
    for row in read_json_lines(path, read_text(path)):
        try:
            found.append(measure(row.payload))
        except STUMBLES as error:
            raise refused(row.where, f"{_short(row.payload)} is no such puzzle ({error})", FORM) from error
    if not found:
        raise refused(str(path), "it holds no puzzle", FORM)
    return found


def one_size(path: Path, measure: Callable[[Mapping[str, Any]], int]) -> int:
    """Return the size of the puzzles of a file. Raises UserError where it holds several."""
    sizes = sorted(set(measured(path, measure)))
    if len(sizes) > 1:
        what = f"it holds puzzles of sizes {', '.join(map(str, sizes))}"
        raise refused(str(path), what, "The puzzles of a file of this task are of one size.")
    return sizes[0]


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def refused(where: str, what: str, rule: str) -> UserError:
    """Return the error for one puzzle of a file."""
    return UserError(f"{where}: {what}.", rule=rule, next_step="Correct that puzzle, or take it out.")


def items_of(task: Task, split: str, rows: Iterable[Own], limit: int | None) -> list[Item]:
    """Return what was read as items of a split, each seen to be one of the task's puzzles and to have a
    right answer.
    """
    items: list[Item] = []
    seen: dict[str, str] = {}
    for row in rows:
        if len(items) == limit:
            break
        name = row.id or f"row-{len(items)}"
        if name in seen:
            raise refused(row.where, f"the id {name!r} is that of {seen[name]} too", "Ids are unique.")
        seen[name] = row.where
        puzzle = Puzzle(
            id=name,
            group=row.group or name,
            split=row.split or split,
            payload=row.payload,
            difficulty=row.difficulty,
        )
        key = Key(answers=row.answers or (_solved(task, puzzle, row.where),), optimum=row.optimum)
        _check(task, puzzle, key, row.where)
        items.append((puzzle, key))
    if not items and limit != 0:
        raise UserError(f"The file of {task.name} holds no puzzle.", rule=FORM)
    return items


def _solved(task: Task, puzzle: Puzzle, where: str) -> Answer:
    """Search for the solution that a file does not give."""
    search = getattr(task, "methods", {}).get("search")
    if search is None:
        raise refused(where, "it has no solution, and this task has no search", "Give its answers.")
    try:
        found = search(puzzle, generator("own", puzzle.id))
    except STUMBLES as error:
        raise refused(
            where, f"{_short(puzzle.payload)} is no puzzle of {task.name} ({error})", FORM
        ) from error
    if found is None:
        raise refused(where, f"{_short(puzzle.payload)} has no solution", "A puzzle has one.")
    return found


def _check(task: Task, puzzle: Puzzle, key: Key, where: str) -> None:
    """Refuse a payload that the task cannot show, or an answer that it does not call right."""
    import numpy as np

    try:
        task.prompt(puzzle)
        if task.grid is not None:
            with np.errstate(all="ignore"):  # of what it holds the next line tells
                tokens = task.grid.encode(puzzle)
            if tokens.min() < 0 or tokens.max() >= task.grid.vocab_size:
                raise ValueError("it holds what no symbol stands for")
        wrong = [a for a in key.answers if not task.judge(puzzle, key, a).correct]
        broken = task.violations(puzzle, wrong[0]) if wrong else None
    except STUMBLES as error:
        why = f"{type(error).__name__}: {error}"
        raise refused(where, f"{_short(puzzle.payload)} is no puzzle of {task.name} ({why})", FORM) from error
    if wrong:
        why = (broken or ["it is not right"])[0]
        raise refused(where, f"its solution {json.dumps(wrong[0])[:80]} is wrong: {why}", "Solutions are.")


def _short(payload: Mapping[str, Any]) -> str:
    return json.dumps(dict(payload), default=str)[:80]


def lines_of(items: Iterable[Item]) -> Iterator[dict[str, Any]]:
    """Yield items in the form that is read again, what is unknown left out."""
    for puzzle, key in items:
        row = {**vars(puzzle), "payload": dict(puzzle.payload), "answers": list(key.answers)}
        row["optimum"] = key.optimum
        yield {name: row[name] for name in KNOWN if row[name] is not None}


def revision_of(path: Path) -> str:
    """Return what stands as data revision of a run on a file, or on a folder of JSON files: its name and the
    start of its SHA-256.
    """
    files = sorted(p for p in path.rglob("*.json") if p.is_file()) if path.is_dir() else [path]
    return _revision(path, tuple((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files))


@cache
def _revision(path: Path, files: tuple[tuple[Path, int, int], ...]) -> str:
    whole = hashlib.sha256()
    for file, _, _ in files:
        with file.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256")
        if path == file:
            return f"{path.name}, sha256 {digest.hexdigest()[:16]}"
        whole.update(file.relative_to(path).as_posix().encode() + digest.digest())
    return f"{path.resolve().name}, {len(files)} files, sha256 {whole.hexdigest()[:16]}"
