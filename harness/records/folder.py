"""The run folder: one reader and one writer of everything in it, as the records of schema.py.

`attempts.jsonl` is append-only. A line is handed to the kernel whole, by one write, before the next attempt
is taken, so `kill -9` loses nothing that was recorded; it is forced to the disk at least every `SYNC_SECONDS`
and at the end, so a power cut loses at most that much. A last line without its newline was torn by such an
end: readers drop it, the next writer cuts it off.

`bench score` never touches those lines: it writes `verdicts.jsonl`, laid over the recorded verdicts.

Reading needs no right to write: a summary that cannot be stored is derived each time.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.records import index, migrate, packed
from harness.records.columns import Columns, Place, joined, of_records
from harness.records.contents import Digest
from harness.records.decode import DamagedError
from harness.records.jsonlines import (
    MEND,
    Appender,
    collector_paused,
    dumps,
    read_lines,
    read_object,
    read_parts,
    write_atomically,
)
from harness.records.schema import (
    SCHEMA,
    AttemptRecord,
    Line,
    RunRecord,
    SampleRecord,
    SessionRecord,
    Summary,
    VerdictRecord,
    as_json,
    sample_line,
)
from harness.records.stored import StoredSummary


class RunFolder:
    """One run on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run_path = path / "run.json"
        self.puzzles_path = path / "puzzles.jsonl"
        self.index_path = path / "index"
        self.verdicts_path = path / "verdicts.jsonl"
        self._stored = StoredSummary(path)
        self.summary_path = self._stored.summary_path
        self.measured_path = self._stored.measured_path
        self.summary_of_path = self._stored.of_path
        self.sessions_path = path / "sessions.jsonl"

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def attempts_path(self) -> Path:
        """The file of the lines; of a packed run an unpacked copy."""
        return packed.readable(self.path)

    @property
    def packed(self) -> bool:
        """Whether the lines are compressed: see packed.py."""
        return packed.is_packed(self.path)

    def exists(self) -> bool:
        """Say whether it says what run it is; a folder without `run.json` was never begun."""
        return os.path.lexists(self.run_path)

    def record(self) -> RunRecord:
        """Return what the run is. Raises UserError if `run.json` is not a run's of a known schema."""
        found = read_object(self.run_path)
        try:
            return migrate.run_record(found, self.puzzles_path)
        except DamagedError as error:
            raise UserError(f"{self.run_path} is not of a run: {error}.", next_step=MEND) from None

    def write_record(self, record: RunRecord) -> None:
        """Write `puzzles.jsonl`, then `run.json`, one top-level key a line; each atomically."""
        write_atomically(self.puzzles_path, record.puzzles.lines())
        rows = b",\n".join(
            b"  " + dumps(name) + b": " + dumps(value) for name, value in as_json(record).items()
        )
        write_atomically(self.run_path, b"{\n" + rows + b"\n}\n")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the one writer of this folder, or say who is, or why it cannot be written."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            writer = next((s for s in reversed(self.sessions()) if s.event == "start"), None)
            raise UserError(
                f"Process {writer.pid if writer else 'unknown'} on "
                f"{(writer and writer.host) or 'this machine'} is writing {self.path}.",
                rule="A run has one writer at a time.",
                next_step="Wait for it, stop it, or start another run with --fresh.",
            ) from None
        except (OSError, NotImplementedError) as error:  # read-only, or a file system without locks
            raise UserError(
                f"{self.path} cannot be written: {getattr(error, 'strerror', None) or error}.",
                rule="Reading it needs no right to write; running and judging again do.",
                next_step="Choose another --results-dir, or copy the folder.",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def attempts(self, *, light: bool = False) -> list[AttemptRecord]:
        """Return every recorded attempt in order, with the verdicts of the last `bench score` in place of
        those recorded before.

        light: without answers, replies and details, as scores need them. Raises UserError, naming the line,
        where one is damaged or of an unknown schema.
        """
        with collector_paused():
            read = migrate.attempt_record
            records = _records(self.attempts_path, lambda line: read(line, light=light), exact=not light)
            verdicts = _records(self.verdicts_path, migrate.verdict_record, head=migrate.check_schema)
        for n, (record, verdict) in enumerate(zip(records, verdicts, strict=False)):
            records[n] = self.with_verdict(record, verdict, n)
        return records

    def with_verdict(self, record: AttemptRecord, verdict: VerdictRecord, n: int) -> AttemptRecord:
        """Return the n-th recorded attempt (from 0) with the judgement of a later `bench score`, if it is of
        that attempt.
        """
        if verdict.puzzle is not None and (verdict.puzzle, verdict.attempt) != (
            record.puzzle,
            record.attempt,
        ):
            return record
        if len(verdict.trace) != len(record.trace):
            raise UserError(
                f"{self.verdicts_path}, line {n + 2} judges {len(verdict.trace)} answers of a trace, and "
                f"{len(record.trace)} are recorded.",
                next_step="Remove the file; `bench score` makes it again.",
            )
        trace = tuple(
            replace(point, numbers=numbers)
            for point, numbers in zip(record.trace, verdict.trace, strict=True)
        )
        return replace(
            record,
            outcome=verdict.outcome,
            numbers=verdict.numbers,
            trace=trace,
            candidates=_judged_samples(record.candidates, verdict.candidates),
            broken=record.broken if verdict.broken is None else verdict.broken,
        )

    def columns(self, record: RunRecord, digest: Digest | None = None) -> Columns:
        """Return every recorded line as a row of numbers, with the verdicts of the last `bench score`: from
        the index as far as there is one, else from the lines, whose index is then written.

        digest: of the lines, for one who needs it later. Raises UserError where a line is damaged, of an
        unknown schema, or of a puzzle that was not planned.
        """
        if digest is None:
            with Digest(self.attempts_path) as own:
                return self.columns(record, own)
        if self.verdicts_path.exists():
            return self._planned(of_records(self.attempts(light=True), record.puzzles.place), record)
        parts, number, start = [], 0, 0
        for end, part in self._indexed(digest):
            parts.append(part)
            number, start = number + len(part), end
        for lines, end in read_parts(self.attempts_path, start, index.LINES, number):
            records = [self._attempt(line, number + n) for n, line in enumerate(lines, 1)]
            if len(lines) == index.LINES:
                place = record.puzzles.place
            else:  # the last few
                place = record.puzzles.place_among({attempt.puzzle for attempt in records})
            part = of_records(records, place)
            if len(lines) == index.LINES and (until := digest.to(end)):
                index.write(self.index_path, start, end, until, part)
            parts.append(part)
            number, start = number + len(part), end
        columns = joined(parts)
        index.release()
        return self._planned(columns, record)

    def _indexed(self, digest: Digest) -> Iterator[tuple[int, Columns]]:
        """Yield the sound parts of the index, with the byte each ends at; the lines are hashed meanwhile."""
        written = index.parts(self.index_path)
        if not written:  # as of a small run, which waits for no import
            return
        from concurrent.futures import ThreadPoolExecutor

        ahead = ThreadPoolExecutor(1)
        try:
            digests = [ahead.submit(digest.to, end) for _, end, _ in written]
            for (_, end, path), until in zip(written, digests, strict=True):
                part = index.read(until.result, path)
                if part is None:
                    return
                yield end, part
        finally:
            ahead.shutdown(cancel_futures=True)

    def _attempt(self, line: Line, number: int) -> AttemptRecord:
        try:
            return migrate.attempt_record(line, light=True)
        except DamagedError as error:
            raise _damaged(self.attempts_path, number, error) from None

    def _planned(self, columns: Columns, record: RunRecord) -> Columns:
        """Return the columns if every line is of a pair that was planned."""
        strange = columns.strange(record.attempts_per_puzzle)
        if strange is not None:
            attempt = next(itertools.islice(self.each_attempt(), strange, None))
            raise UserError(
                f"{self.attempts_path} holds attempt {(attempt.puzzle, attempt.attempt)}, which this run did "
                "not plan.",
                rule="Lines belong to the run.json beside them.",
                next_step="Restore the file or remove the folder.",
            )
        return columns

    def each_attempt(self) -> Iterator[AttemptRecord]:
        """Yield every recorded attempt in order, without holding them all; later verdicts are not laid
        over.
        """
        number = 0
        for lines, _ in read_parts(self.attempts_path, 0, index.LINES, 0):
            for line in lines:
                number += 1
                try:
                    yield migrate.attempt_record(line)
                except DamagedError as error:
                    raise _damaged(self.attempts_path, number, error) from None

    def recorder(self, place: Place | None = None) -> index.Recorder:
        """Return the appender of `attempts.jsonl`. place: where puzzles stand in the plan; with it, the index
        is written along.
        """
        return index.Recorder(
            self.attempts_path, self.index_path, None if self.verdicts_path.exists() else place
        )

    def write_verdicts(self, task_version: str, verdicts: Iterable[VerdictRecord]) -> None:
        """Replace `verdicts.jsonl`: one verdict for each recorded attempt, in order."""
        found = list(verdicts)
        with suppress(FileNotFoundError):
            (self.path / ".verdicts.jsonl").unlink()  # of a session that was killed
        with Appender(scratch := self.path / ".verdicts.jsonl") as file:
            file.append({"schema": SCHEMA, "task_version": task_version, "lines": len(found)})
            for verdict in found:
                line: Line = {
                    "puzzle": verdict.puzzle,
                    "attempt": verdict.attempt,
                    "outcome": str(verdict.outcome),
                    "numbers": verdict.numbers,
                    "trace": list(verdict.trace) or None,
                    "candidates": [sample_line(k, c) for k, c in enumerate(verdict.candidates)] or None,
                    "broken": verdict.broken,
                }
                file.append({name: value for name, value in line.items() if value is not None})
        scratch.replace(self.verdicts_path)

    def summary(self, *, note: bool = False) -> Summary | None:
        """Return the stored summary if it is of the folder as it is now, else None.

        note: where that took reading the lines, note their state, so that the next time it does not.
        """
        return self._stored.read(note=note)

    def store_summary(self, summary: Summary, digest: Digest | None = None) -> None:
        """Store a summary and what it is of; where that cannot be written, it is derived each time.

        digest: of the lines that it was derived from.
        """
        self._stored.write(summary, digest)

    def note_session(self, event: str, **facts: Any) -> None:
        """Append the start or end of a session to `sessions.jsonl`."""
        with Appender(self.sessions_path) as sessions:
            sessions.append({"event": event, "at": round(time.time(), 3), **facts})

    def sessions(self) -> list[SessionRecord]:
        """Return what sessions noted; nothing where that is damaged, since no number hangs on it."""
        try:
            return _records(self.sessions_path, migrate.session_record)
        except UserError:
            return []

    def elapsed_seconds(self, times: Sequence[float]) -> float:
        """Return the wall time of all sessions; one that was killed ends with the last attempt it recorded,
        by the times of all, seconds since 1970.
        """
        starts: list[tuple[float, float | None]] = []
        for session in self.sessions():
            if session.event == "start":
                starts.append((session.at, None))
            elif starts:
                starts[-1] = (starts[-1][0], session.at)
        total = 0.0
        for (start, end), following in itertools.zip_longest(starts, [s for s, _ in starts[1:]]):
            until = float("inf") if following is None else following
            total += (end or max([t for t in times if start <= t < until], default=start)) - start
        return total


def _judged_samples(
    recorded: tuple[SampleRecord, ...], judged: tuple[SampleRecord, ...]
) -> tuple[SampleRecord, ...]:
    """Lay the verdicts of `bench score` over the candidates; of an older version there are none."""
    if len(recorded) != len(judged):
        return recorded
    return tuple(
        replace(sample, numbers=verdict.numbers, broken=verdict.broken)
        for sample, verdict in zip(recorded, judged, strict=True)
    )


def plain(value: Any) -> Any:
    """Return a dataclass as JSON values."""
    return json.loads(json.dumps(as_json(value), default=str))


def _records(path: Path, read: Any, *, head: Any = None, exact: bool = True) -> list[Any]:
    """Read the lines of a file, each by `read`, the first by `head` if it is one; they raise DamagedError."""
    found = []
    for number, line in enumerate(read_lines(path, exact=exact), 1):
        try:
            if head is not None and number == 1:
                head(line)
            else:
                found.append(read(line))
        except DamagedError as error:
            raise _damaged(path, number, error) from None
    return found


def _damaged(path: Path, number: int, error: DamagedError) -> UserError:
    return UserError(
        f"{path}, line {number} is not of a run: {error}.",
        rule=f"This version reads lines of schema 1 to {SCHEMA}.",
        next_step=MEND,
    )
