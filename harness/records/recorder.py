"""The one writer of `attempts.jsonl`, which keeps the columnar index up with it."""

from __future__ import annotations

from pathlib import Path

from harness.records import index, migrate
from harness.records.columns import Columns, Place, joined, of_records
from harness.records.jsonlines import Appender, quick_dumps, read_parts
from harness.records.schema import AttemptRecord, Line

TOGETHER = 1024  # attempts that are held with their answers until they become columns
NEVER = 1 << 62


class Recorder(Appender):
    """Append attempts; every `index.LINES` of them, write the part of the index they are of.

    The index goes on where an earlier session left it; what follows its last full part is read from the
    lines.
    """

    def __init__(self, path: Path, folder: Path, place: Place | None) -> None:
        super().__init__(path)
        self._folder, self._place = folder, place
        self._records: list[AttemptRecord] = []
        self._columns: list[Columns] = []
        self._held = 0  # lines since the last part
        self._start = -1

    def record(self, attempt: AttemptRecord, line: Line | None = None) -> None:
        """Write one attempt; `line` is its line, if that is known."""
        if self._start < 0:
            self._start = self._first_unindexed()
        self.append_bytes(quick_dumps(attempt.line() if line is None else line) + b"\n")
        if self._start == NEVER:
            return
        self._records.append(attempt)
        self._held += 1
        if len(self._records) < TOGETHER and self._held < index.LINES:
            return
        assert self._place is not None  # else it is never
        self._columns.append(of_records(self._records, self._place))
        self._records = []
        if self._held == index.LINES:
            index.write(self.path, self._folder, self._start, self.size, joined(self._columns))
            self._columns, self._held, self._start = [], 0, self.size

    def _first_unindexed(self) -> int:
        """Return where the next part begins: NEVER if lines stand there already that it would lack."""
        if self._place is None:
            return NEVER
        end = index.sound_end(self.path, self._folder)
        for lines, _ in read_parts(self.path, end, index.LINES, 1):
            records = [migrate.attempt_record(line, light=True) for line in lines]
            if len(records) >= index.LINES:  # a reader makes those parts first
                return NEVER
            self._columns.append(of_records(records, self._place))
            self._held += len(records)
        return end
