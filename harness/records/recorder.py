"""The one writer of `attempts.jsonl`, which keeps the columnar index up with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.records import index, migrate
from harness.records.columns import Place, of_records
from harness.records.jsonlines import Appender, quick_dumps, read_parts
from harness.records.schema import AttemptRecord, Line


class Recorder(Appender):
    """Append attempts; every `index.LINES` of them, write the part of the index they are of.

    The index goes on where an earlier session left it; what follows its last full part is read from the
    lines.
    """

    def __init__(self, path: Path, folder: Path, place: Place | None) -> None:
        super().__init__(path)
        self._folder, self._place = folder, place
        self._records: list[AttemptRecord] = []
        self._start = -1

    def record(self, attempt: AttemptRecord, line: Line | None = None) -> None:
        """Write one attempt; `line` is its line, if that is known."""
        if self._start < 0:
            self._start = self._first_unindexed()
        self.append_bytes(quick_dumps(attempt.line() if line is None else line) + b"\n")
        if self._start == NEVER:
            return
        self._records.append(_light(attempt))
        if len(self._records) == index.LINES:
            assert self._place is not None  # else it is never
            columns = of_records(self._records, self._place)
            index.write(self.path, self._folder, self._start, self.size, columns)
            self._records, self._start = [], self.size

    def _first_unindexed(self) -> int:
        """Return where the next part begins: NEVER if lines stand there already that it would lack."""
        if self._place is None:
            return NEVER
        end = index.sound_end(self.path, self._folder)
        for lines, _ in read_parts(self.path, end, index.LINES, 1):
            self._records += [migrate.attempt_record(line, light=True) for line in lines]
            if len(self._records) >= index.LINES:  # a reader makes those parts first
                self._records = []
                return NEVER
        return end


NEVER = 1 << 62


def _light(attempt: AttemptRecord) -> AttemptRecord:
    """Return a record without answers and replies, which may be long and are not needed."""
    made = object.__new__(AttemptRecord)
    trace = tuple(replace(point, answer=None) for point in attempt.trace) if attempt.trace else ()
    made.__dict__.update({**vars(attempt), "answer": None, "reply": None, "trace": trace})
    return made
