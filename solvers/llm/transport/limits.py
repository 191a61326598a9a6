"""How hard a provider is pressed: a concurrency limit that adapts, a circuit breaker that waits an outage
out, and a sentinel that ends a run whose every request fails alike.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harness.errors import RunError, UserError


class OutageError(RunError):
    """The server has been down for too long: the run ends, and what is left stays not run."""


class AdaptiveLimit:
    """Bound the requests in flight: additive increase, multiplicative decrease, as TCP does (Chiu & Jain
    1989).

    A rate-limited reply halves the limit, once for all requests sent before the last halving; each full round
    of successes raises it by one, up to `ceiling`.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.limit = float(ceiling)
        self._busy = 0
        self._generation = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[int]:
        """Hold one place among the requests in flight; gives the generation to report a rate limit with."""
        generation = await self.take()
        try:
            yield generation
        finally:
            await self.give_back()

    async def take(self) -> int:
        """Wait for a place among the requests in flight; return the generation."""
        while self._busy >= int(self.limit):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn in self._waiting:
                    self._waiting.remove(turn)
                self._wake()
                raise
        self._busy += 1
        return self._generation

    async def give_back(self) -> None:
        """Leave a place."""
        self._busy -= 1
        self._wake()

    async def succeeded(self) -> None:
        self.limit = min(self.ceiling, self.limit + 1 / self.limit)

    async def rate_limited(self, generation: int) -> None:
        """Halve the limit, unless it was halved since the request of this generation was sent."""
        if generation == self._generation:
            self._generation += 1
            self.limit = max(1.0, self.limit / 2)

    def _wake(self) -> None:
        free = int(self.limit) - self._busy
        while free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1


class Breaker:
    """Stop sending when a server is down: requests then wait, and one at a time tries again.

    The circuit opens when as many requests as may be in flight, and at least `LEAST`, found the server down
    at their first try, with no success between. The pause before a try doubles from `PAUSE` seconds; a
    success closes the circuit. An outage longer than `PATIENCE` seconds raises `OutageError`: what is left
    then stays not run instead of being failed.
    """

    LEAST = 10
    PAUSE = 5.0
    PATIENCE = 900.0

    def __init__(self, connections: int) -> None:
        self._threshold = max(self.LEAST, connections)
        self._failures = self._probes = 0
        self._open_since: float | None = None
        self._probe = asyncio.Lock()
        self._last_words = ""

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Pass at once while the circuit is closed; while it is open, be the one probe or wait for it."""
        if self.down_for() is None:
            yield
            return
        async with self._probe:
            seconds = self.down_for()
            if seconds is not None:  # else the probe before us went through
                if seconds > self.PATIENCE:
                    raise OutageError(
                        f"The server has been failing for {seconds / 60:.0f} minutes, last with: "
                        f"{self._last_words}."
                    )
                await asyncio.sleep(min(self.PAUSE * 2**self._probes, 60.0))
                self._probes += 1
            yield

    def down_for(self) -> float | None:
        """Return the seconds since the circuit opened; None if it is closed."""
        return None if self._open_since is None else asyncio.get_running_loop().time() - self._open_since

    def succeeded(self) -> None:
        self._failures = self._probes = 0
        self._open_since = None

    def failed(self, words: str) -> None:
        """Count a request that found the server down at its first try; its later tries say nothing new."""
        self._failures += 1
        self._last_words = words
        if self._failures >= self._threshold and self._open_since is None:
            self._open_since = asyncio.get_running_loop().time()


class Sentinel:
    """Send one request before the many, and end a run whose requests all fail alike.

    A request that a server turns down for good (a status like 400 or 403) will mostly be turned down for
    every puzzle. Until one has come through, they go one at a time; `MOST` equal refusals without a reply
    between end the run. Failures that concern one puzzle alone (too long, filtered) say nothing, nor do
    those that pass.
    """

    MOST = 10
    PATIENCE = 60.0  # seconds: refusals come fast, so a first request that takes longer lets the others go

    def __init__(self, where: str, *, one_first: bool) -> None:
        self._where = where
        self._open = not one_first
        self._trying = False
        self._changed = asyncio.Event()
        self._kind, self._count, self._kept = "", 0, 0

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Pass at once when a request has come through; else be the one that tries, or wait for it."""
        while not self._open and self._trying:
            await self._changed.wait()
        if self._open:
            yield
            return
        self._trying = True
        late = asyncio.get_running_loop().call_later(self.PATIENCE, self.passed)
        try:
            yield
        finally:
            late.cancel()
            self._trying = False
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def passed(self) -> None:
        """A request came through, or failed in a way that the next may not."""
        if not self._open:
            self._open = True
            self._wake()

    def succeeded(self) -> None:
        self.passed()
        self._count = 0

    def interrupted(self) -> None:
        """A kept reply came between: then it is not every puzzle that is turned down.

        Kept replies come at once and refusals later, all together: so they are weighed by their number too.
        """
        self._count = 0
        self._kept += 1

    def refused(self, words: str) -> UserError | None:
        """Count a request that was turned down for good; return why the run ends at the last of `MOST` equal
        ones.
        """
        kind = re.sub(r"[\W\d_]+", " ", words)[:200]
        self._count = self._count + 1 if kind == self._kind else 1
        self._kind = kind
        if self._count < self.MOST + self._kept // 10:
            return None
        return UserError(
            f"{self._where} turned {self._count} requests down alike: {words}.",
            rule="Every other request would fare the same, so the run stops; what is recorded stays.",
            next_step="Mend the cause; --retry-on-error 1 then asks for the failed ones again.",
        )
