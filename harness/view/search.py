"""Find a text in the attempts of a run, a piece of the file at a time: a page never waits for all of it.

What is searched is what a reader sees of an attempt: the puzzle's id, the reply, the answer, and the texts
beside them (reasoning, errors). Letters are found whatever their case.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.records.decode import DamagedError
from harness.records.schema import AttemptRecord
from harness.view.index import AttemptIndex, attempt_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK = 4 << 20


class TextSearch:
    """One text in one run; `found` says of each pair whether its attempt, as far as searched, holds it."""

    def __init__(self, index: AttemptIndex, text: str) -> None:
        self.index, self.text = index, text.lower()
        self._needles = _needles(text)
        self._begin()

    def _begin(self) -> None:
        self.lines = 0  # searched
        self._generation = self.index.generation
        self._hits: set[int] = set()  # lines

    def advance(self, seconds: float) -> bool:
        """Search on for about so many seconds in what is indexed; say whether all of that is searched."""
        index = self.index
        until = time.monotonic() + seconds
        with index.lock:
            if self._generation != index.generation:  # the file was replaced
                self._begin()
            while self.lines < index.start.length:
                self._piece(until)
                if time.monotonic() > until:
                    break
            return self.lines == index.start.length

    def _piece(self, until: float) -> None:
        """Search about CHUNK bytes of whole lines; the time may end it sooner."""
        index, starts = self.index, self.index.start.values
        first = int(starts[self.lines])
        last = int(np.searchsorted(starts, first + CHUNK))
        last = max(last, self.lines + 1)
        end = int(starts[last]) if last < len(starts) else index.position
        try:
            with index.folder.attempts_path.open("rb") as file:
                file.seek(first)
                data = file.read(end - first)
        except OSError:
            self.lines = last
            return
        lowered = data.lower()
        for line in self._candidates(lowered, starts[self.lines : last] - first):
            number = self.lines + line
            row = data[
                int(starts[number]) - first : int(starts[number + 1]) - first if number + 1 < last else None
            ]
            if self._holds(row):
                self._hits.add(number)
            if time.monotonic() > until:
                self.lines = number + 1
                return
        self.lines = last

    def _candidates(self, lowered: bytes, starts: NDArray[np.int64]) -> Iterator[int]:
        """Yield the lines, ascending, in which the text stands somewhere as JSON writes it."""
        ends = [*starts[1:].tolist(), len(lowered)]
        place = 0
        while True:
            hits = [hit for needle in self._needles if (hit := lowered.find(needle, place)) >= 0]
            if not hits:
                return
            line = int(np.searchsorted(starts, min(hits), side="right")) - 1
            yield line
            place = ends[line]

    def _holds(self, row: bytes) -> bool:
        try:
            return any(self.text in text.lower() for text in texts(attempt_of(row)))
        except DamagedError:
            return False

    @property
    def share(self) -> float:
        """How much of what is indexed is searched, from 0 to 1."""
        return self.lines / self.index.start.length if self.index.start.length else 1.0

    @property
    def found(self) -> NDArray[np.bool_]:
        """Whether each pair's attempt holds the text; none that was not run does."""
        index = self.index
        kept = np.zeros(len(index.line), dtype=bool)
        lines = np.fromiter(self._hits, dtype=np.int64, count=len(self._hits))
        pairs = index.pair.values[lines[lines < index.pair.length]]
        kept[pairs[pairs >= 0]] = True
        kept &= np.isin(index.line, lines)  # a line that was run again does not count
        return kept


def texts(attempt: AttemptRecord) -> Iterator[str]:
    """Yield the texts of an attempt that a reader is shown."""
    yield attempt.puzzle
    if attempt.reply is not None:
        yield attempt.reply
    if attempt.answer is not None:
        yield (
            attempt.answer
            if isinstance(attempt.answer, str)
            else json.dumps(attempt.answer, ensure_ascii=False, separators=(",", ":"))
        )
    yield from _strings(attempt.detail)


def _strings(value: Any) -> Iterator[str]:
    """Yield the strings of a JSON value, without recursion: a recorded value may be nested deep."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _needles(text: str) -> list[bytes]:
    """Return the forms in which JSON may hold a text, in lower case."""
    forms = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    return [form.encode("utf-8", "surrogatepass").lower() for form in sorted(forms)]
