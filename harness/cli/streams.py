"""Standard streams that cannot end a command: closed, full, or in an encoding without our signs.

What cannot be written on standard error is lost; a run goes on. What cannot be written on standard output is
said, and the exit code is 1: it was what was asked for.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from typing import Any, TextIO

from harness.errors import RunError

PLAIN = {
    "×": "x", "–": "-", "—": "-", "─": "-", "━": "-", "│": "|", "≥": ">=", "≤": "<=", "…": "...", "µ": "u",
    "·": ".", "²": "2", "→": "->", "’": "'", "‘": "'", "“": '"', "”": '"', "█": "#", "░": ".",
}  # fmt: skip


class OutputLostError(RunError):
    """Standard output cannot be written."""


def prepare() -> None:
    """Make standard streams that take any text, and that nothing else is opened as."""
    codecs.register_error("depthbench", _plainly)
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed by `>&-`: the next file to be opened would become this stream
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.__stdout__ = _stream(sys.stdout, 1)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(sys.stderr, 2)  # type: ignore[misc]


def finish(code: int) -> int:
    """Write what is left in standard output; return the exit code."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return code or 1
    except OutputLostError as error:
        print(f"bench: {error}", file=sys.stderr)
        return code or 1
    return code


class _Stream(io.TextIOWrapper):
    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._lost(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._lost(error)

    def _lost(self, error: OSError) -> None:
        """Let the rest go nowhere, so that closing the stream meets no error; raise unless it is stderr."""
        number = self.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
        if number == 2:
            return
        if error.errno == errno.EPIPE:  # `bench … | head`
            raise error
        raise OutputLostError(f"Standard output cannot be written: {error.strerror}.") from error


def _stream(given: TextIO | Any, number: int) -> Any:
    if given is None:
        return _Stream(open(number, "wb", closefd=False), encoding="utf-8", errors="depthbench")
    if type(given) is not io.TextIOWrapper:  # a test's, or a notebook's
        return given
    given.flush()
    by_line, encoding = given.line_buffering or number == 2, given.encoding
    return _Stream(given.detach(), encoding=encoding, errors="depthbench", line_buffering=by_line)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(c, "?") for c in error.object[error.start : error.end]), error.end
