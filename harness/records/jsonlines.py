"""JSON on disk: one reader and one writer of JSON lines, and of single JSON objects.

A line ends at a line feed and nowhere else: U+2028, U+2029 and U+0085 stand inside strings. Files are UTF-8
whatever the locale; a byte order mark is passed over. Any string can be written: one that UTF-8 cannot hold
(with half a surrogate pair, as broken replies have) is written with escapes.
"""

from __future__ import annotations

import errno
import gc
import hashlib
import itertools
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from harness.errors import RunError, UserError

try:
    from orjson import dumps as _fast_dumps
    from orjson import loads as _fast
except ImportError:  # a bare machine that runs nets: the same, five times slower
    from json import loads as _fast  # type: ignore[assignment]

    _fast_dumps = None  # type: ignore[assignment]

SYNC_SECONDS = 2.0
TAIL_BYTES = 1 << 16
MEND = "Restore it or remove the folder."
BOM = b"\xef\xbb\xbf"
_DIGITS = bytes(48 if 48 <= c <= 57 else c if c in b".eE+" else 32 for c in range(256))
_LONG = b" " + b"0" * 19  # as digits alone are left: a whole number that may need more than 64 bits
Line = dict[str, Any]


def loads(data: bytes | str) -> Any:
    """Read one JSON value; whole numbers of any size stand as written. Raises ValueError for anything else,
    however deep or long it is.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    return _read(data.removeprefix(BOM), exactly=_holds_long_numbers(data))


def _read(data: bytes, *, exactly: bool) -> Any:
    if not exactly:
        try:
            return _fast(data)
        except ValueError:  # half a surrogate pair, or no JSON: let the standard library say
            pass
    try:
        return json.loads(data.decode("utf-8", "surrogatepass"), parse_constant=_no_json)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _no_json(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _holds_long_numbers(data: bytes) -> bool:
    """Say whether there may be a whole number that the fast reader would make a float of."""
    return (b" " + data).translate(_DIGITS).find(_LONG) >= 0


def dumps(value: Any, *, indent: int | None = None) -> bytes:
    """Write one JSON value on one line, or indented. Raises ValueError for NaN, TypeError for no JSON."""
    separators = (",", ":") if indent is None else None
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=separators, indent=indent)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False, separators=separators, indent=indent).encode()


def quick_dumps(value: Mapping[str, Any]) -> bytes:
    """Write a JSON object of a line whose numbers are known to be finite, as `dumps` does, several times as
    fast; only exponents may be written otherwise.
    """
    if _fast_dumps is not None:
        try:
            return _fast_dumps(value)
        except TypeError:  # a whole number of more than 64 bits, half a surrogate pair
            pass
    return dumps(value)


def rows(data: bytes | str) -> Iterator[tuple[int, bytes]]:
    """Yield (number from 1, bytes) of each line that is not blank; a last one need not end in a newline.

    For JSON lines that others wrote: a batch's results, exported logs.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    for number, row in enumerate(data.removeprefix(BOM).split(b"\n"), 1):
        if row.strip():
            yield number, row


def read_lines(path: Path, *, exact: bool = True) -> list[Line]:
    """Read the whole lines of a file of ours. A torn last one is left out, a corrupt one is an error that
    names it; a file that is not there has no lines.

    exact: without it, whole numbers of 64 bits and more may come as floats, a third sooner.
    """
    try:
        data = path.read_bytes().removeprefix(BOM)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", next_step=MEND) from error
    if b"\n" not in data:
        return []
    whole = data[: data.rfind(b"\n")]
    careful = exact and _holds_long_numbers(whole)
    lines = []
    with collector_paused():
        for number, row in enumerate(whole.split(b"\n"), 1):
            try:
                line = _read(row, exactly=careful and _holds_long_numbers(row))
            except ValueError as error:
                raise _corrupt(path, number, str(error)) from None
            if type(line) is not dict:
                raise _corrupt(path, number, "not a JSON object")
            lines.append(line)
    return lines


def read_parts(path: Path, start: int, count: int, number: int) -> Iterator[tuple[list[Line], int]]:
    """Yield (lines, first byte after them) of a file of ours from a byte on, `count` lines at a time, the
    last time fewer. `number` lines stand before `start`. Whole numbers of 64 bits and more may come as
    floats.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", next_step=MEND) from error
    with file:
        file.seek(start)
        while rows := [row for row in itertools.islice(file, count) if row.endswith(b"\n")]:  # no torn one
            start += sum(map(len, rows))
            lines = []
            with collector_paused():
                for row in rows:
                    number += 1
                    try:
                        line = _read(row.removeprefix(BOM) if number == 1 else row, exactly=False)
                    except ValueError as error:
                        raise _corrupt(path, number, str(error)) from None
                    if type(line) is not dict:
                        raise _corrupt(path, number, "not a JSON object")
                    lines.append(line)
            if lines:
                yield lines, start


def read_object(path: Path) -> Line:
    """Read a file that is one JSON object."""
    try:
        found = loads(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path} cannot be read: {reason}.", next_step=MEND) from error
    if not isinstance(found, dict):
        raise UserError(f"{path} is not a JSON object.", next_step=MEND)
    return found


class Appender:
    """Append JSON lines to a file, each whole or not at all. Cut off a torn last line first."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)  # less the umask
            self._size = _whole_length(self.path)
            os.ftruncate(self._fd, self._size)
        except OSError as error:
            raise self._stopped(error) from error
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
        self.append_bytes(dumps(line) + b"\n")

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._size

    def append_bytes(self, data: bytes) -> None:
        """Write whole lines, all or none."""
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


def write_atomically(path: Path, text: str | bytes | Iterable[bytes]) -> None:
    """Replace a file in one step: a reader sees the old text or the new."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with scratch.open("wb") as file:
            if isinstance(text, str | bytes):
                file.write(text.encode() if isinstance(text, str) else text)
            else:
                file.writelines(text)
        scratch.replace(path)
    except OSError as error:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise RunError(
            f"Cannot write {path}: {error.strerror}.", next_step="Mend that and give the same command again."
        ) from error


def sha256_of(value: Any) -> str:
    """Hash a JSON value by its canonical text."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _corrupt(path: Path, number: int, reason: str) -> UserError:
    return UserError(
        f"{path}, line {number} is corrupt: {reason}.",
        rule="Every line is one JSON object.",
        next_step=(
            "Restore the file, or delete that line: the same `bench run` command then runs that "
            "attempt again."
        ),
    )
