"""The runs that the viewer shows: found on disk each time they are asked for, read once, kept while they are
looked at.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.capabilities import MadeByIndex
from harness.contracts import Item, Task
from harness.errors import DepthbenchError, UserError
from harness.records.find import find_run, folders
from harness.records.folder import RunFolder
from harness.records.planned import Planned
from harness.records.schema import RunRecord, Summary
from harness.running.plan import items_of, recreate_task
from harness.scores import summary as summaries
from harness.view.index import AttemptIndex
from harness.view.later import Kept, WaitingError
from harness.view.search import TextSearch

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_PAIRS = 4_000_000  # of the runs kept open together
MOST_ITEMS = 100_000  # puzzles kept loaded
WHOLE_SPLIT = 20_000  # puzzles; of a run with more, a task that can make a single one makes that alone
SUMMED_BYTES = 4 << 20  # of attempts that a list of runs sums up by itself where no summary is stored
SEARCHES = 4  # kept for each run
Signature = tuple[Any, ...]


@dataclass
class OpenRun:
    """A run that is looked at: its plan, the index of its attempts, the searches in it."""

    folder: RunFolder
    record: RunRecord
    index: AttemptIndex
    searches: OrderedDict[str, TextSearch] = field(default_factory=OrderedDict)
    _choice: tuple[Any, NDArray[np.int64]] | None = None
    _places: dict[tuple[Path, int], NDArray[np.int64]] = field(default_factory=dict)

    def places_in(self, other: OpenRun) -> NDArray[np.int64]:
        """Return for each pair of this run the pair of the same puzzle and attempt in another, or -1."""
        name = (other.folder.path, id(other))
        if name not in self._places:
            tries, ids = other.index.tries, self.index.ids
            if ids == other.index.ids:
                found = np.arange(len(ids))
            else:
                theirs = {puzzle: n for n, puzzle in enumerate(other.index.ids)}
                found = np.fromiter((theirs.get(puzzle, -1) for puzzle in ids), dtype=np.int64)
            tried = np.arange(self.index.tries)
            places = found[:, None] * tries + tried[None, :]
            self._places[name] = np.where(
                (found[:, None] >= 0) & (tried[None, :] < tries), places, -1
            ).ravel()
        return self._places[name]

    def once(self, key: Any, choose: Callable[[], NDArray[np.int64]]) -> NDArray[np.int64]:
        """Return the pairs of the last choice if it was made by the same key, else choose anew: pages of one
        list are turned without choosing again.
        """
        if self._choice is None or self._choice[0] != key:
            self._choice = (key, choose())
        return self._choice[1]

    def search(self, text: str) -> TextSearch:
        """Return the search for a text, a new one if it is not among the last."""
        with self.index.lock:
            found = self.searches.setdefault(text, TextSearch(self.index, text))
            self.searches.move_to_end(text)
            if len(self.searches) > SEARCHES:
                self.searches.popitem(last=False)
            return found


@dataclass(frozen=True)
class Listed:
    """What the list of runs tells of one. The record is without its puzzles, which may be a million."""

    record: RunRecord | None = None
    planned: int = 0
    puzzles: int = 0
    summary: Summary | None = None
    problem: str | None = None


class Library:
    """The runs of a results folder, or those that were named. `trusted`: tasks from files may be loaded,
    which runs their code.
    """

    def __init__(
        self,
        results_dir: str | Path | None,
        names: Sequence[str] = (),
        *,
        data_dir: str | Path | None = None,
        trusted: bool = False,
    ) -> None:
        self.results_dir, self.data_dir, self.trusted = results_dir, data_dir, trusted
        self._named = _distinct([find_run(name, results_dir) for name in names]) if names else None
        self._open: Kept[OpenRun] = Kept(MOST_PAIRS, lambda run: run.record.planned)
        self._reading: Kept[Listed] = Kept(0, lambda _: 1)  # what is read is kept below, by its folder
        self._listed: dict[Path, tuple[Signature, Listed]] = {}
        self._items: Kept[tuple[Task, dict[str, Item]]] = Kept(MOST_ITEMS, lambda loaded: len(loaded[1]))
        self._turn = threading.Lock()

    def folders(self) -> dict[str, RunFolder]:
        """Return the run folders by name. Names are all that a page can ask for: no path is made of them."""
        if self._named is not None:
            return self._named
        return {folder.name: folder for folder in folders(self.results_dir)}

    def folder(self, name: str) -> RunFolder:
        """Return the folder of a run. Raises UserError for a name that is none."""
        try:
            return self.folders()[name]
        except KeyError:
            raise UserError(f"No run {name!r} here.", next_step="Go back to the list of runs.") from None

    def open(self, name: str) -> OpenRun:
        """Return a run to look at; WaitingError while its plan is read."""
        folder = self.folder(name)

        def read() -> OpenRun:
            record = folder.record()
            return OpenRun(folder, record, AttemptIndex(folder, record))

        return self._open.get((name, _stamp(folder.run_path)), read, "reading the plan of the run")

    def listed(self, folder: RunFolder, patience: float) -> Listed | None:
        """Return what a list tells of a run: as it is now, or as it was a moment ago while it is read anew;
        None while it is read for the first time. Without patience no reading is begun.
        """
        files = (folder.run_path, folder.attempts_path, folder.verdicts_path, folder.summary_of_path)
        stamps = tuple(map(_stamp, files))
        known = self._listed.get(folder.path)
        if known is not None and known[0] == stamps:
            return known[1]
        if patience > 0:
            with suppress(WaitingError):
                found = self._reading.get(
                    (folder.path, stamps), lambda: self._list(folder), "reading the run", patience
                )
                self._listed[folder.path] = (stamps, found)
                return found
        return None if known is None else known[1]

    def _list(self, folder: RunFolder) -> Listed:
        with self._turn:  # one at a time: a folder of many runs must not start as many threads at work
            try:
                record = folder.record()
                summary = folder.summary()
                if summary is None and _size(folder.attempts_path) <= SUMMED_BYTES:
                    attempts = folder.attempts(light=True)
                    summary = summaries.summarise(record, attempts, where=str(folder.attempts_path))
            except DepthbenchError as error:
                return Listed(problem=str(error))
            except Exception as error:  # a fault of ours in one run must not hide the others
                return Listed(problem=f"{type(error).__name__}: {error}")
            slim = replace(record, puzzles=Planned(ids=(), difficulty=()))
            return Listed(slim, record.planned, record.puzzles.count, summary)

    def item(self, run: OpenRun, puzzle: str) -> tuple[Task, Item, bool]:
        """Return the task, one puzzle with its key, and whether it is proved to be the one of the run.

        Raises UserError where the task makes other puzzles now, or may not be loaded; WaitingError.
        """
        record = run.record
        self._check_trust(record)
        task = record.task
        key = (task.reference, repr(task.options), record.split, record.seed, record.limit, record.sample_ids)
        if record.puzzles.count > WHOLE_SPLIT:
            alone = self._items.get((*key, puzzle), lambda: self._one(record, puzzle), "making the puzzle")
            if alone[1]:
                return alone[0], alone[1][puzzle], False

        def load() -> tuple[Task, dict[str, Item]]:
            made = recreate_task(record)
            return made, {item[0].id: item for item in items_of(made, record, self.data_dir)}

        loaded = self._items.get((*key, task.puzzles_sha256), load, "loading the puzzles of the task")
        return loaded[0], loaded[1][puzzle], True

    def _one(self, record: RunRecord, puzzle: str) -> tuple[Task, dict[str, Item]]:
        """Make one puzzle of a task that makes each by itself; nothing if it does not."""
        task = recreate_task(record)
        index = puzzle.rpartition("-")[2]
        if (
            isinstance(task, MadeByIndex)
            and index.isdigit()
            and task.how_many(record.split, None) is not None
        ):
            with suppress(DepthbenchError):
                (item,) = task.between(record.split, record.seed, int(index), int(index) + 1)
                if item[0].id == puzzle:
                    return task, {puzzle: item}
        return task, {}

    def _check_trust(self, record: RunRecord) -> None:
        if self.trusted or not set(record.task.reference) & {":", "/", "\\"}:
            return
        raise UserError(
            f"The task of this run comes from {record.task.reference!r}.",
            rule="Loading it runs the code of that file, so the viewer asks first.",
            next_step="If you trust it, start `bench view --trust`.",
        )


def activity(folder: RunFolder, complete: bool) -> str:
    """Say whether a run is `complete`, `running`, or `stopped`: its last session or its process has ended."""
    if complete:
        return "complete"
    sessions = folder.sessions()
    last = sessions[-1] if sessions else None
    if last is None or last.event != "start":
        return "stopped"
    if last.host != socket.gethostname():
        return "running"  # on another machine: its last word is that it started
    return "running" if last.pid is not None and _alive(last.pid) else "stopped"


def _alive(pid: int) -> bool:
    if os.name == "nt":  # where a signal of 0 ends a process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _distinct(found: Sequence[RunFolder]) -> dict[str, RunFolder]:
    """Return folders by name; of two of one name the later by its path."""
    held: dict[str, RunFolder] = {}
    for folder in found:
        held[folder.name if folder.name not in held else str(folder.path)] = folder
    return held


def _stamp(path: Path) -> Signature:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
