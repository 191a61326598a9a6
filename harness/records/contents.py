"""What a file holds, told by a digest of all its bytes; and, by its state on disk, that it still holds it.

A state is what the kernel keeps about a file: device, inode, length, and when content and file were last
changed. No program can set the last of them back, so a file whose state is the one noted beside its digest
need not be read again. A state is noted only if the file had been left alone for longer than a tick of the
clock that tells its times (`SETTLED`, `FINE`): within one tick, two changes have one time. Where there is no
such time (Windows), nothing is noted, and every look is at the whole file.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.records.jsonlines import MEND

SETTLED = 2.0  # seconds; the coarsest clock of a file system that we know, FAT's
FINE = 0.1  # the same where times are not of whole seconds: a kernel's clock ticks every 10 ms or less
SECOND = 10**9  # nanoseconds
LARGE = 32 << 20  # bytes that are not read twice for want of a tick
BLOCK = 1 << 20

State = list[int]


class Digest:
    """SHA-256 of a file from its first byte on, told at places on the way: one reading for all of them.

    The file is as long as it was at the beginning; what is appended meanwhile is not in it. One that is not
    there has no bytes. Raises UserError if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.state = state(path)
        self._file = None
        try:
            self._file = path.open("rb", buffering=0)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}.", next_step=MEND) from error
        self.length = os.fstat(self._file.fileno()).st_size if self._file else 0
        self._sha256 = hashlib.sha256()
        self._at = 0

    def to(self, end: int) -> bytes:
        """Return the digest of the bytes from the first to before `end`, in hexadecimal; b"" if they are
        fewer. To go back reads again from the first.
        """
        if end > self.length:
            return b""
        if end < self._at:
            self._sha256, self._at = hashlib.sha256(), 0
        if self._file:
            self._file.seek(self._at)
        block = memoryview(bytearray(min(BLOCK, max(1, end - self._at))))
        while self._at < end:
            got = self._file.readinto(block[: end - self._at]) if self._file else 0
            if not got:
                return b""
            self._sha256.update(block[:got])
            self._at += got
        return self._sha256.hexdigest().encode()

    def add(self, data: bytes) -> None:
        """Take in what has just been appended to the file."""
        if self._at < self.length:
            self.to(self.length)
        self._sha256.update(data)
        self.length += len(data)
        self._at = self.length

    def whole(self) -> dict[str, Any] | None:
        """Return {"bytes": length, "sha256": digest} of all of it; None if it is not there."""
        if self._file is None:
            return None
        return {"bytes": self.length, "sha256": self.to(self.length).decode()}

    def close(self) -> None:
        """Let the file go."""
        if self._file:
            self._file.close()

    def __enter__(self) -> Digest:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def fingerprint(path: Path) -> dict[str, Any] | None:
    """Return {"bytes": length, "sha256": digest} of a file; None if it is not there."""
    with Digest(path) as digest:
        return digest.whole()


def settle(path: Path) -> None:
    """Wait for a tick after a large file was written, so that its state can be noted with what it holds."""
    with suppress(OSError):
        if path.stat().st_size >= LARGE and state(path) is None:
            time.sleep(FINE)


def state(path: Path) -> State | None:
    """Return the state of a file; None if it is not there or has been changed just now."""
    if os.name != "posix":
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    times = (found.st_mtime_ns, found.st_ctime_ns)
    tick = FINE if any(at % SECOND for at in times) else SETTLED
    if time.time_ns() - max(times) < tick * SECOND:
        return None
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
