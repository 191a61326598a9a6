"""One purse and one rate limit for a run whose attempts several workers make.

Both live with the driver. A worker has stand-ins that ask for each step over its `Lease`; they do what
`Purse` and `AdaptiveLimit` do, in the place of which they stand.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from harness.capabilities import Lease
from solvers.llm.books.purse import Purse
from solvers.llm.transport.limits import AdaptiveLimit


class OnePurse:
    """The driver's side, a `Shared` state: it knows what each worker holds, to take it back if that dies."""

    def __init__(self, purse: Purse, limit: AdaptiveLimit) -> None:
        self.purse, self.limit = purse, limit
        self._attempts: Counter[int] = Counter()
        self._requests: Counter[int] = Counter()

    async def ask(self, worker: int, what: str, *arguments: Any) -> Any:
        """Answer one step of a worker's purse or limit."""
        part, _, method = what.partition(".")
        answer = await getattr(self.purse if part == "purse" else self.limit, method)(*arguments)
        self._attempts[worker] += (what == "purse.start") - (what == "purse.finish")
        self._requests[worker] += (what == "limit.take") - (what == "limit.give_back")
        return answer

    async def lost(self, worker: int) -> None:
        """End what a worker had under way: its requests may have been charged, and nobody will tell."""
        for _ in range(self._requests.pop(worker, 0)):
            await self.purse.lose()
            await self.limit.give_back()
        for _ in range(self._attempts.pop(worker, 0)):
            await self.purse.finish(None)


class LeasedPurse(Purse):
    """A worker's stand-in for the driver's purse."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    async def start(self) -> None:
        await _asked(self._lease, "purse.start", undo=("purse.finish", None))

    async def finish(self, usd: float | None) -> None:
        await _asked(self._lease, "purse.finish", usd)

    async def check(self) -> None:
        await _asked(self._lease, "purse.check")

    async def pay(self, usd: float | None) -> None:
        await _asked(self._lease, "purse.pay", usd)

    async def lose(self) -> float | None:
        usd: float | None = await _asked(self._lease, "purse.lose")
        return usd


class LeasedLimit(AdaptiveLimit):
    """A worker's stand-in for the driver's limit."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    async def take(self) -> int:
        generation: int = await _asked(self._lease, "limit.take", undo=("limit.give_back",))
        return generation

    async def give_back(self) -> None:
        await _asked(self._lease, "limit.give_back")

    async def succeeded(self) -> None:
        await _asked(self._lease, "limit.succeeded")

    async def rate_limited(self, generation: int) -> None:
        await _asked(self._lease, "limit.rate_limited", generation)


async def _asked(lease: Lease, what: str, *arguments: Any, undo: tuple[Any, ...] = ()) -> Any:
    """Wait for the answer; one that nobody waits for any more when it comes is undone."""
    answer = lease.ask(what, *arguments)
    try:
        return await asyncio.shield(asyncio.wrap_future(answer))
    except asyncio.CancelledError:
        if undo:
            answer.add_done_callback(lambda done: done.exception() or lease.ask(*undo))
        raise
