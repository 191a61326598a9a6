"""Where each attempt of a run stands in its file, so that a page of a million attempts reads only its own.

The index is built once, a piece at a time, and extended as the file grows. It holds numbers alone: 33 bytes
an attempt beside the ids of `run.json`. The last line of a pair counts, as everywhere; verdicts of
`bench score` are laid over the recorded ones.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.books import ledger
from harness.contracts import Outcome
from harness.errors import UserError
from harness.records import migrate
from harness.records.decode import DamagedError
from harness.records.folder import RunFolder
from harness.records.jsonlines import MEND, loads
from harness.records.schema import OUTCOMES, AttemptRecord, RunRecord
from harness.view.growing import GrowingFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

CODES: dict[Outcome, int] = {outcome: code for code, outcome in enumerate(OUTCOMES)}
NOT_RUN = CODES[Outcome.NOT_RUN]
SHOWN_PROBLEMS = 5
STEP = 256  # lines between two looks at the clock
ORDERS = ("plan", "newest", "difficulty", "depth", "seconds", "-difficulty", "-depth", "-seconds")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which attempts are listed. `outcomes` empty: all. `low`, `high`: difficulty, ends included."""

    outcomes: frozenset[Outcome] = frozenset()
    low: float | None = None
    high: float | None = None
    text: str = ""
    order: str = "plan"


@dataclass
class Column:
    """Numbers in a row that grows at its end."""

    kind: Any
    length: int = 0
    room: Any = field(init=False)

    def __post_init__(self) -> None:
        self.room = np.zeros(1024, dtype=self.kind)

    def append(self, value: float) -> None:
        if self.length == len(self.room):
            self.room = np.concatenate([self.room, np.zeros(self.length // 2, dtype=self.kind)])
        self.room[self.length] = value
        self.length += 1

    @property
    def values(self) -> NDArray[Any]:
        found: NDArray[Any] = self.room[: self.length]
        return found


class AttemptIndex:
    """The attempts of one run by pair: number puzzle · tries + attempt, in the order of the plan."""

    def __init__(self, folder: RunFolder, record: RunRecord) -> None:
        self.folder, self.record = folder, record
        self.tries = record.attempts_per_puzzle
        self.ids, self.groups = record.puzzles.ids, record.puzzles.group_names()
        self.place = record.puzzles.place
        known = [np.nan if d is None else d for d in record.puzzles.difficulty]
        self.difficulty: NDArray[np.float64] = np.repeat(np.asarray(known, dtype=np.float64), self.tries)
        self.lock = threading.RLock()
        self.generation = 0  # of the file: it rises when that was replaced
        self._attempts, self._verdicts = GrowingFile(folder.attempts_path), GrowingFile(folder.verdicts_path)
        self._clear()

    def _clear(self) -> None:
        n = self.record.planned
        self.line: NDArray[np.int32] = np.full(n, -1, dtype=np.int32)  # of the file, from 0; -1: not run
        self.outcome: NDArray[np.uint8] = np.full(n, NOT_RUN, dtype=np.uint8)
        self.depth: NDArray[np.float32] = np.full(n, np.nan, dtype=np.float32)
        self.seconds: NDArray[np.float32] = np.full(n, np.nan, dtype=np.float32)
        self.start, self.pair, self.verdict = Column(np.int64), Column(np.int32), Column(np.int64)
        self.problems: list[str] = []
        self.generation += 1
        self.version = 0  # rises whenever something is read
        self._attempts.rewind()
        self._verdicts.rewind()

    def refresh(self, seconds: float) -> bool:
        """Read what the file has more, for about so many seconds; say whether that was all."""
        with self.lock:
            until = time.monotonic() + seconds
            if self._attempts.replaced() or self._verdicts.replaced():
                self._clear()
            return self._extend(until) and self._judge_again(until)

    @property
    def position(self) -> int:
        """How many bytes of the file are indexed."""
        return self._attempts.position

    @property
    def share(self) -> float:
        """How much of the file is read, from 0 to 1."""
        return self._attempts.share

    def _extend(self, until: float) -> bool:
        for count, (start, row) in enumerate(self._attempts.lines()):
            self.start.append(start)
            self.pair.append(self._note(row))
            if count % STEP == STEP - 1 and time.monotonic() > until:
                return False
        return True

    def _note(self, row: bytes) -> int:
        """Book one line under its pair; return that, -1 for a line that is of none."""
        number = self.start.length
        self.version += 1
        try:
            found = attempt_of(row, light=True)
            place = self.place(found.puzzle)
            if place is None or found.attempt >= self.tries:
                raise DamagedError(f"this run did not plan attempt {(found.puzzle, found.attempt)}")
            pair = place * self.tries + found.attempt
        except DamagedError as error:
            if len(self.problems) < SHOWN_PROBLEMS:
                self.problems.append(f"Line {number} of {self._attempts.path.name} is left out: {error}.")
            return -1
        self.line[pair] = number - 1
        self.outcome[pair] = CODES[found.outcome]
        self.depth[pair] = np.nan if found.depth is None else found.depth
        taken = ledger.seconds(found.usage)
        self.seconds[pair] = np.nan if taken is None else taken
        return pair

    def _judge_again(self, until: float) -> bool:
        """Lay the verdicts of a later `bench score` over the lines they are of."""
        for count, (start, row) in enumerate(self._verdicts.lines()):
            self.version += 1
            self.verdict.append(start)
            number = self.verdict.length - 2  # the first line is a head
            if 0 <= number < self.pair.length and (pair := int(self.pair.values[number])) >= 0:
                try:
                    verdict = migrate.verdict_record(_object(row))
                except DamagedError as error:
                    self.problems.append(f"Line {number + 2} of verdicts.jsonl is left out: {error}.")
                    continue
                of = (verdict.puzzle, verdict.attempt)
                named = verdict.puzzle is None or of == (self.puzzle_of(pair), pair % self.tries)
                if named and self.line[pair] == number:
                    self.outcome[pair] = CODES[verdict.outcome]
            if count % STEP == STEP - 1 and time.monotonic() > until:
                return False
        return True

    def counts(self) -> dict[str, int]:
        """Return how many pairs have each outcome; they sum to the number planned."""
        found = np.bincount(self.outcome, minlength=len(OUTCOMES))
        return {str(outcome): int(found[code]) for outcome, code in CODES.items()}

    def chosen(self, wanted: Wanted, among: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Return the pairs that are wanted, in the wanted order; unknown values come last.

        among: what further conditions leave, by pair.
        """
        kept = np.ones(len(self.outcome), dtype=bool) if among is None else among.copy()
        if wanted.outcomes:
            allowed = np.zeros(len(OUTCOMES), dtype=bool)
            allowed[[CODES[outcome] for outcome in wanted.outcomes]] = True
            kept &= allowed[self.outcome]
        if wanted.low is not None:
            kept &= self.difficulty >= wanted.low
        if wanted.high is not None:
            kept &= self.difficulty <= wanted.high
        pairs = np.flatnonzero(kept)
        if wanted.order == "plan":
            return pairs
        if wanted.order == "newest":
            return _by_rank((len(self.line) - self.line[pairs]).astype(np.uint64), pairs)
        name, down = wanted.order.removeprefix("-"), wanted.order.startswith("-")
        return _by_rank(_rank(getattr(self, name)[pairs], down=down), pairs)

    def read(self, pair: int) -> AttemptRecord | None:
        """Return the attempt of a pair from its line; None if it was not run. Raises UserError if the line is
        damaged.
        """
        with self.lock:
            number = int(self.line[pair])
            if number < 0:
                return None
            try:
                found = attempt_of(self._attempts.line_at(int(self.start.values[number])))
                if number + 1 < self.verdict.length:
                    row = self._verdicts.line_at(int(self.verdict.values[number + 1]))
                    verdict = migrate.verdict_record(_object(row))
                    return self.folder.with_verdict(found, verdict, number)
            except DamagedError as error:
                path = self._attempts.path
                raise UserError(f"{path}, line {number + 1}, is damaged: {error}.", next_step=MEND) from None
            return found

    def puzzle_of(self, pair: int) -> str:
        """Return the id of a pair's puzzle."""
        return self.ids[pair // self.tries]

    def pairs_of(self, puzzle: str) -> range:
        """Return the pairs of a puzzle; none if the run did not plan it."""
        place = self.place(puzzle)
        if place is None:
            return range(0)
        first = place * self.tries
        return range(first, first + self.tries)


def _rank(values: NDArray[Any], *, down: bool) -> NDArray[np.uint64]:
    """Return whole numbers below 2^32 in the order of the values, or against it; NaN is last in both."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    negative = bits >> np.uint32(31) != 0
    rank = np.where(negative, ~bits, bits | np.uint32(1 << 31))
    if down:
        rank = ~rank
    return np.where(np.isnan(values), np.uint32(2**32 - 1), rank).astype(np.uint64)


def _by_rank(rank: NDArray[np.uint64], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return pairs by rank, equal ones in their order: one sort of plain numbers, the fastest there is."""
    keys = np.sort(rank << np.uint64(32) | pairs.astype(np.uint64))
    return (keys & np.uint64(2**32 - 1)).astype(np.int64)


def attempt_of(row: bytes, *, light: bool = False) -> AttemptRecord:
    """Read a line of `attempts.jsonl`. Raises DamagedError."""
    return migrate.attempt_record(_object(row), light=light)


def _object(row: bytes) -> dict[str, Any]:
    try:
        found = loads(row)
    except ValueError as error:
        raise DamagedError(f"it is no JSON ({error})") from None
    if not isinstance(found, dict):
        raise DamagedError("it is no JSON object")
    return found
