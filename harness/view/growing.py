"""Read the whole lines of a file that somebody else appends to, each once, and any of them again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

CHUNK = 1 << 20
SEAM = 64  # bytes before the place we stand at, looked at again to tell whether the file is still the same


class GrowingFile:
    """A file of lines, read from its start to the last line feed and on from there when it has grown.

    A file that is not there has no lines. One that was replaced, cut, or written anew is noticed by
    `replaced`; then read again from `rewind` on.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rewind()

    def rewind(self) -> None:
        """Stand at the start again."""
        self.position = 0
        self._identity: tuple[int, int] | None = None
        self._head = self._seam = b""

    def replaced(self) -> bool:
        """Say whether what was read is no longer what the file begins with."""
        if self._identity is None:
            return False
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                head = file.read(len(self._head))
                file.seek(self.position - len(self._seam))
                seam = file.read(len(self._seam))
        except OSError:
            return True
        return (status.st_dev, status.st_ino) != self._identity or (head, seam) != (self._head, self._seam)

    @property
    def share(self) -> float:
        """How much of the file is read, from 0 to 1."""
        try:
            size = self.path.stat().st_size
        except OSError:
            return 1.0
        return min(1.0, self.position / size) if size else 1.0

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, line without its end) of each whole line not read yet; a torn last one waits.

        Whoever stops half-way goes on with the next line later.
        """
        try:
            file = self.path.open("rb")
        except OSError:
            return
        with file:
            status = os.fstat(file.fileno())
            self._identity = (status.st_dev, status.st_ino)
            size = CHUNK
            while True:
                file.seek(self.position)
                data = file.read(size)
                end = data.rfind(b"\n") + 1
                if not end:
                    if len(data) < size:
                        return
                    size *= 2  # a line longer than what we read at a time
                    continue
                size = CHUNK
                place = 0
                while place < end:
                    stop = data.index(b"\n", place)
                    start, row, place = self.position, data[place:stop], stop + 1
                    self.position = start + len(row) + 1
                    self._seam = data[max(0, place - SEAM) : place]
                    if not start:
                        self._head = data[: min(SEAM, place)]
                    yield start, row

    def line_at(self, start: int) -> bytes:
        """Return the line that begins at this offset; empty if there is none any more."""
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                return file.readline().removesuffix(b"\n")
        except OSError:
            return b""
