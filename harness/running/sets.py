"""Generated sets on disk: what a task made once is not made again, and a large one is not held in memory.

A set is kept in the user's cache folder under a hash of its content, `sets/<hash>.items`, its puzzles' ids
beside it; `sets/<request>.json` says which set a request gave. A request names the task, its options, the
split, the seed and how many, and holds a hash of the source the task is made of, so that a changed task is
asked anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.capabilities import MadeByIndex
from harness.contracts import Item
from harness.errors import RunError, UserError
from harness.folders import cache_folder
from harness.records.jsonlines import loads, sha256_of, write_atomically
from harness.records.planned import Places, Planned, groups_of

FORM = 1
PART = 1024  # items that are read at a time
STORED_FROM = 20_000  # items; fewer are held
MOST_BYTES = 8 << 30  # of the folder: the sets that were used longest ago go first

Made = Iterator[list[Item]]


@dataclass(frozen=True, kw_only=True)
class GeneratedSet:
    """A set on disk. `offsets`: where each part of `part` items begins, and the end."""

    path: Path
    part: int
    offsets: tuple[int, ...]
    planned: Planned
    puzzles_sha256: str
    keys_sha256: str

    def read(self, number: int) -> list[Item]:
        """Return the items of a part."""
        start, end = self.offsets[number : number + 2]
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                found: list[Item] = pickle.loads(zlib.decompress(file.read(end - start)))
        except (OSError, zlib.error, pickle.UnpicklingError, EOFError) as error:
            raise RunError(
                f"The generated puzzles in {self.path} cannot be read: {error}.",
                next_step="Remove that file; the same command makes them again.",
            ) from error
        return found


def stored(task: Any, request: dict[str, Any], make: Callable[[], Made]) -> GeneratedSet:
    """Return the set of a request, made if it is not there. Raises RunError where it cannot be written."""
    folder = cache_folder() / "sets"
    request_path = folder / f"{sha256_of([FORM, request, source_of(task)])[:32]}.json"
    if (found := _known(folder, request_path)) is not None:
        with suppress(OSError):
            os.utime(found.path)
        return found
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _written(folder, request_path, make())
    except OSError as error:
        raise RunError(
            f"Generated puzzles cannot be kept in {folder}: {error.strerror}.",
            rule="A set of so many is not held in memory.",
            next_step="Free some space, or name another folder by DEPTHBENCH_CACHE.",
        ) from error


def _known(folder: Path, request_path: Path) -> GeneratedSet | None:
    try:
        found = loads(request_path.read_bytes())
        offsets = tuple(found["offsets"])
        path = folder / f"{found['content']}.items"
        if path.stat().st_size != offsets[-1]:
            return None
        planned = Planned(path=path.with_suffix(".puzzles"), count=found["count"])
        if not planned.path or not planned.path.exists():
            return None
        return GeneratedSet(
            path=path,
            part=found["part"],
            offsets=offsets,
            planned=planned,
            puzzles_sha256=found["puzzles_sha256"],
            keys_sha256=found["keys_sha256"],
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError):  # not there, or of another form
        return None


def _written(folder: Path, request_path: Path, parts: Made) -> GeneratedSet:
    puzzles, keys = ListHash(), ListHash()
    ids: list[str] = []
    groups: list[str] = []
    difficulty: list[float | None] = []
    grouped = False
    offsets = [0]
    scratch = folder / f".{request_path.stem}.{os.getpid()}"
    try:
        with scratch.open("wb") as file:
            for items in parts:
                puzzles.update([(p.id, p.group, p.split, dict(p.payload), p.difficulty) for p, _ in items])
                keys.update([(k.answers, k.optimum) for _, k in items])
                shown = [puzzle for puzzle, _ in items]
                ids += [puzzle.id for puzzle in shown]
                difficulty += [puzzle.difficulty for puzzle in shown]
                part_groups = groups_of(shown)
                if part_groups is not None or grouped:
                    if not grouped:
                        groups, grouped = ids[: len(ids) - len(shown)], True
                    groups += part_groups or [puzzle.id for puzzle in shown]
                file.write(zlib.compress(pickle.dumps(items, pickle.HIGHEST_PROTOCOL), 1))
                offsets.append(file.tell())
        if (twice := Places(ids).twice()) is not None:
            raise UserError(
                f"Two puzzles of one id, {twice!r}, were made.", rule="That is a fault of the task."
            )
        planned = Planned(ids=ids, groups=groups if grouped else None, difficulty=difficulty)
        found = {
            "puzzles_sha256": puzzles.hexdigest(),
            "keys_sha256": keys.hexdigest(),
            "count": len(ids),
            "part": PART,
            "offsets": offsets,
        }
        content = sha256_of([FORM, PART, found["puzzles_sha256"], found["keys_sha256"]])[:32]
        path = folder / f"{content}.items"
        write_atomically(path.with_suffix(".puzzles"), planned.lines())
        scratch.replace(path)
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
    write_atomically(request_path, json.dumps({**found, "content": content}))
    _make_room(folder, path)
    return GeneratedSet(
        path=path, part=PART, offsets=tuple(offsets), planned=planned,
        puzzles_sha256=puzzles.hexdigest(), keys_sha256=keys.hexdigest(),
    )  # fmt: skip


class ListHash:
    """The hash that `sha256_of` gives a whole list, of its parts one after another."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(b"[")
        self._first = True

    def update(self, values: Sequence[Any]) -> None:
        for value in values:
            text = json.dumps(value, sort_keys=True, separators=(",", ":"))
            self._hash.update((text if self._first else f",{text}").encode())
            self._first = False

    def hexdigest(self) -> str:
        whole = self._hash.copy()
        whole.update(b"]")
        return whole.hexdigest()


def parts_here(task: MadeByIndex, split: str, seed: int, count: int) -> Made:
    """Make a set in this process, a part at a time."""
    for start in range(0, count, PART):
        yield task.between(split, seed, start, min(start + PART, count))


def source_of(task: Any) -> str:
    """Return a hash of the source files that a generated task is made of: its own top package, or its file,
    and what the engine gives to tasks.
    """
    module = sys.modules[type(task).__module__]
    own = Path(str(module.__file__)).resolve()
    package = sys.modules.get(type(task).__module__.partition(".")[0])
    files = [own]
    if package is not None and getattr(package, "__path__", None):
        files = sorted(path for root in package.__path__ for path in Path(root).rglob("*.py"))
    engine = Path(__file__).resolve().parent.parent
    files += [engine / name for name in ("base.py", "randomness.py", "contracts.py", "codecs.py")]
    found = hashlib.sha256()
    for path in files:
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _make_room(folder: Path, keep: Path) -> None:
    with suppress(OSError):
        sets = sorted(folder.glob("*.items"), key=lambda path: path.stat().st_mtime)
        total = sum(path.stat().st_size for path in sets)
        for path in sets:
            if total > MOST_BYTES and path != keep:
                total -= path.stat().st_size
                path.unlink()
