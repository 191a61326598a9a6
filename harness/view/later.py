"""Work that a page does not wait for: done in a thread of its own, asked for again until it is there."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")
PATIENCE = 0.1  # seconds that a page waits before it says that it is waiting


class WaitingError(Exception):
    """What was asked for is being made; `what` says what that is."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)


class Later(Generic[T]):
    """A value that is being made."""

    def __init__(self, make: Callable[[], T], what: str) -> None:
        self._made: T | None = None
        self._error: BaseException | None = None
        self._what = what
        self._done = threading.Event()
        threading.Thread(target=self._run, args=(make,), daemon=True).start()

    def _run(self, make: Callable[[], T]) -> None:
        try:
            self._made = make()
        except BaseException as error:  # whatever it is, whoever asks is told
            self._error = error
        self._done.set()

    def get(self, patience: float) -> T:
        """Return the value, or raise what making it raised; WaitingError if it is not there in so many
        seconds.
        """
        if not self._done.wait(patience):
            raise WaitingError(self._what)
        if self._error is not None:
            raise self._error
        return self._made  # type: ignore[return-value]


class Kept(Generic[T]):
    """The values used last, made when they are first asked for. `weight` of all together is at most `most`,
    but the newest is kept whatever it weighs.
    """

    def __init__(self, most: float, weight: Callable[[T], float]) -> None:
        self.most, self.weight = most, weight
        self._held: OrderedDict[Hashable, Later[T]] = OrderedDict()
        self._weights: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
        """Return the value of a key; WaitingError while it is being made. What failed is tried anew the next
        time.
        """
        with self._lock:
            later = self._held.get(key)
            if later is None:
                later = self._held[key] = Later(make, what)
            self._held.move_to_end(key)
        try:
            value = later.get(patience)
        except WaitingError:
            raise
        except BaseException:
            self.drop(key)
            raise
        with self._lock:
            if key in self._held:
                self._weights[key] = self.weight(value)
            while len(self._weights) > 1 and sum(self._weights.values()) > self.most:
                oldest = next(k for k in self._held if k in self._weights)
                if oldest == key:
                    break
                del self._held[oldest], self._weights[oldest]
        return value

    def drop(self, key: Hashable) -> None:
        """Forget a value."""
        with self._lock:
            self._held.pop(key, None)
            self._weights.pop(key, None)
