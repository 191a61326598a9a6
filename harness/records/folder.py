"""The run folder: what a run is (`run.json`), what it yielded (`attempts.jsonl`), who wrote when
(`sessions.jsonl`).

`attempts.jsonl` is append-only. A line is handed to the kernel whole, by one write, before the next attempt
is taken, so `kill -9` loses nothing that was recorded; it is forced to the disk at least every `SYNC_SECONDS`
and at the end, so a power cut loses at most that much. A last line without its newline was torn by such an
end: readers drop it, the next writer cuts it off. Null fields are left out of a line.

`bench score` never touches those lines: it writes `verdicts.jsonl`, whose n-th line supersedes the verdict of
the n-th recorded line.
"""

from __future__ import annotations

import errno
import gc
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.contracts import Attempt, Verdict
from harness.errors import RunError, UserError

try:
    from orjson import loads
except ImportError:  # a bare machine that runs nets: the same, five times slower
    from json import loads  # type: ignore[assignment]

SCHEMA = 1
SYNC_SECONDS = 2.0
TAIL_BYTES = 1 << 16
Line = dict[str, Any]


class RunFolder:
    """One run on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.attempts_path = path / "attempts.jsonl"
        self.verdicts_path = path / "verdicts.jsonl"
        self.summary_path = path / "summary.json"
        self.sessions_path = path / "sessions.jsonl"

    def config(self) -> dict[str, Any]:
        """Return `run.json`."""
        return _read_object(self.path / "run.json")

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write `run.json` atomically, one top-level key a line."""
        rows = ",\n".join(
            f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in config.items()
        )
        write_atomically(self.path / "run.json", f"{{\n{rows}\n}}\n")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the one writer of this folder, or say who is."""
        from filelock import FileLock, Timeout

        try:
            with FileLock(self.path / ".lock", timeout=0):
                yield
        except Timeout:
            writer = next((s for s in reversed(self.sessions()) if s["event"] == "start"), {})
            raise UserError(
                f"Process {writer.get('pid', 'unknown')} on {writer.get('host', 'this machine')} is "
                f"writing {self.path}.",
                rule="A run has one writer at a time.",
                next_step="Wait for it, stop it, or start another run with --fresh.",
            ) from None

    def lines(self, *, drop: Sequence[str] = ()) -> list[Line]:
        """Return every recorded line in order, with the verdicts of the last `bench score` in place of
        those recorded before.
        """
        lines = read_lines(self.attempts_path, drop=drop)
        for line in lines[:1] + lines[-1:]:
            if line.get("schema") != SCHEMA:
                raise UserError(
                    f"{self.attempts_path} has schema {line.get('schema')!r}.",
                    rule=f"This version reads schema {SCHEMA}.",
                    next_step="Use the version of depthbench named in its run.json.",
                )
        if self.verdicts_path.exists():
            for line, verdict in zip(lines, read_lines(self.verdicts_path)[1:], strict=False):
                line.pop("numbers", None)
                line |= verdict | {"trace": line["trace"]} if "trace" in line else verdict
                for point, numbers in zip(line.get("trace", ()), verdict.get("trace", ()), strict=True):
                    point["numbers"] = numbers
        return lines

    def line_count(self) -> int:
        """Count the recorded lines without reading them."""
        if not self.attempts_path.exists():
            return 0
        with self.attempts_path.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))

    def summary_is_fresh(self, lines: int) -> bool:
        """Say whether a stored summary of so many lines is one of the lines as they are now."""
        written = self.summary_path.stat().st_mtime_ns
        sources = [p.stat().st_mtime_ns for p in (self.attempts_path, self.verdicts_path) if p.exists()]
        return all(source <= written for source in sources) and lines == self.line_count()

    def note_session(self, event: str, **facts: Any) -> None:
        """Append the start or end of a session to `sessions.jsonl`."""
        with Appender(self.sessions_path) as sessions:
            sessions.append({"event": event, "at": round(time.time(), 3), **facts})

    def sessions(self) -> list[Line]:
        return read_lines(self.sessions_path)

    def elapsed_seconds(self, lines: list[Line]) -> float:
        """Return the wall time of all sessions; one that was killed ends with the last attempt it
        recorded.
        """
        starts: list[tuple[float, float | None]] = []
        for event in self.sessions():
            if event["event"] == "start":
                starts.append((event["at"], None))
            elif starts:
                starts[-1] = (starts[-1][0], event["at"])
        times = [line["at"] for line in lines]
        total = 0.0
        for i, (start, end) in enumerate(starts):
            following = starts[i + 1][0] if i + 1 < len(starts) else float("inf")
            total += (end or max([t for t in times if start <= t < following], default=start)) - start
        return total


class Appender:
    """Append JSON lines to a file, each whole or not at all. Cut off a torn last line first."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Appender:
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._size = _whole_length(self.path)
        os.ftruncate(self._fd, self._size)
        self._synced = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._sync()
        except OSError as error:
            raise self._stopped(error) from error
        finally:
            os.close(self._fd)

    def append(self, line: Mapping[str, Any]) -> None:
        """Write one line. Raises RunError when the disk is full or broken; the file then ends with the
        line before.
        """
        data = json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        try:
            written = self._write(data)
            while written < len(data):
                written += self._write(data[written:])
            self._size += len(data)
            if time.monotonic() - self._synced > SYNC_SECONDS:
                self._sync()
        except OSError as error:
            with suppress(OSError):  # else every reader drops the torn line and the next writer cuts it off
                os.ftruncate(self._fd, self._size)
            raise self._stopped(error) from error

    def _write(self, data: bytes) -> int:
        return os.write(self._fd, data)

    def _sync(self) -> None:
        os.fsync(self._fd)
        self._synced = time.monotonic()

    def _stopped(self, error: OSError) -> RunError:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        return RunError(
            f"{'No space left for' if full else 'Cannot write'} {self.path}: {error.strerror}.",
            rule="Everything recorded before is kept.",
            next_step=(
                f"{'Free some space' if full else 'Mend that'} and give the same command again to resume."
            ),
        )


def attempt_line(attempt: Attempt, outcome: str, verdict: Verdict | None, trace: list[Line]) -> Line:
    """Return the line that records an attempt; empty fields are left out."""
    line = {
        "schema": SCHEMA,
        "puzzle": attempt.puzzle_id,
        "attempt": attempt.attempt,
        "outcome": str(outcome),
        "numbers": verdict_numbers(verdict),
        "usage": {name: value for name, value in vars(attempt.usage).items() if value is not None},
        "depth": attempt.depth,
        "samples": attempt.samples,
        "at": round(time.time(), 3),
        "trace": trace,
        "answer": attempt.answer,
        "reply": attempt.reply,
        "detail": dict(attempt.detail),
    }
    return {key: value for key, value in line.items() if value is not None and value not in ({}, [])}


def verdict_numbers(verdict: Verdict | None) -> dict[str, float]:
    """Return the named numbers of a verdict, `correct` first."""
    return {} if verdict is None else {"correct": float(verdict.correct), **verdict.numbers}


def read_lines(path: Path, *, drop: Sequence[str] = ()) -> list[Line]:
    """Read whole lines, without the fields in `drop`; a torn last one is left out, a corrupt one is an
    error that names it.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    lines = []
    with collector_paused():
        for number, row in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), 1):
            try:
                line = loads(row)
            except ValueError as error:
                raise _corrupt(path, number, str(error)) from None
            if type(line) is not dict:
                raise _corrupt(path, number, "not a JSON object")
            for field in drop:
                line.pop(field, None)
            lines.append(line)
    return lines


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause garbage collection: where nothing is garbage, looking for it takes longer than the work."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            if not gc.get_freeze_count():  # what was made counts as long-lived, without being looked through
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def _corrupt(path: Path, number: int, reason: str) -> UserError:
    return UserError(
        f"{path}, line {number} is corrupt: {reason}.",
        rule="Every line is one JSON object.",
        next_step=(
            "Restore the file, or delete that line: the same `bench run` command then runs that "
            "attempt again."
        ),
    )


def write_atomically(path: Path, text: str) -> None:
    """Replace a file in one step: a reader sees the old text or the new."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise RunError(
            f"Cannot write {path}: {error.strerror}.", next_step="Mend that and give the same command again."
        ) from error


def sha256_of(value: Any) -> str:
    """Hash a JSON value by its canonical text."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def plain(value: Any) -> Any:
    """Return a dataclass as JSON values."""
    return json.loads(json.dumps(asdict(value), default=str))


def _read_object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read: {error}.", next_step="Restore it or remove the folder."
        ) from error
    if not isinstance(found, dict):
        raise UserError(f"{path} is not a JSON object.", next_step="Restore it or remove the folder.")
    return found


def _whole_length(path: Path) -> int:
    """Return the length of a file up to and with its last newline."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - TAIL_BYTES)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
    return 0
