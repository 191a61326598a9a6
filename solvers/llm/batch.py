"""Batch APIs at half the price: calls are collected, sent as one batch, and waited for, for hours if need be.

To everything above this is a provider like any other. Which call went into which batch is kept beside the
response cache, so that a run that was stopped finds its batch again instead of paying for another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Protocol

from solvers.llm.protocol import Call, CallError, Reply
from solvers.llm.reply_cache import JobBook, key_of

SIZE = 10_000
"""Requests in one batch; openai takes 50,000 and anthropic 100,000, both at most 200 or 256 MB."""

Results = dict[str, Reply | CallError]
Calls = dict[str, tuple[Call, "asyncio.Future[Reply]"]]


class BatchProvider(Protocol):
    """A provider with a batch API."""

    async def submit(self, calls: Sequence[tuple[str, Call]]) -> str:
        """Send calls under their names, up to 64 letters each, as one batch; return its id. Raise
        `CallError` if refused.
        """
        ...

    async def collect(self, batch: str) -> Results | None:
        """Return the results by name once the batch has ended, None before."""
        ...

    async def close(self) -> None: ...


class Batched:
    """Collects calls until none has come for `LINGER` seconds, submits them, and asks every `POLL` seconds
    how they stand.
    """

    LINGER = 1.0
    POLL = 30.0

    def __init__(self, provider: BatchProvider, where: str) -> None:
        self._provider, self._where = provider, where
        self._book = JobBook()
        self._waiting: Calls = {}
        self._open: dict[str, Calls] = {}
        self._done: list[str] = []  # names of calls whose replies came, forgotten when they are kept
        self._tasks: set[asyncio.Task[None]] = set()
        self._arrivals = 0

    async def call(self, call: Call) -> Reply:
        name = key_of({"where": self._where, "call": asdict(call)}).hex()
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        if (batch := self._book.find(name)) is not None:
            self._watch(batch, {name: (call, future)}, known=True)
        else:
            self._send({name: (call, future)})
        return await future

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._book.forget(self._done)
        self._book.close()
        await self._provider.close()

    def _send(self, calls: Calls) -> None:
        self._waiting |= calls
        self._arrivals += 1
        self._start(self._submit(self._arrivals))

    async def _submit(self, arrivals: int) -> None:
        await asyncio.sleep(self.LINGER)
        if arrivals != self._arrivals:  # another call came after; its own task submits
            return
        taken, self._waiting = self._waiting, {}
        try:
            batch = await self._provider.submit([(name, call) for name, (call, _) in taken.items()])
        except Exception as error:
            for _, future in taken.values():
                _settle(
                    future,
                    error if isinstance(error, CallError) else CallError(f"the batch was not taken: {error}"),
                )
            return
        self._book.add(batch, taken)
        self._watch(batch, taken)

    def _watch(self, batch: str, calls: Calls, *, known: bool = False) -> None:
        if batch in self._open:
            self._open[batch] |= calls
        else:
            self._open[batch] = dict(calls)
            self._start(self._follow(batch, known=known))

    async def _follow(self, batch: str, *, known: bool) -> None:
        """Ask for a batch until it has ended, then settle its calls. One of an earlier run that the server
        does not know any more is sent anew.
        """
        results: Results | None = None
        lost: CallError | None = None
        while results is None and lost is None:
            await asyncio.sleep(self.POLL)
            try:
                results = await self._provider.collect(batch)
            except CallError as error:
                lost = None if error.retryable else error
            except Exception as error:  # what came cannot be read
                lost = CallError(
                    f"the results of batch {batch} cannot be read: {type(error).__name__}: {error}"
                )
        calls = self._open.pop(batch)
        if known and lost is not None and lost.status == 404:
            self._book.forget(calls)
            self._send(calls)
            return
        for name, (_, future) in calls.items():
            result = lost or (results or {}).get(name)
            if result is None:
                result = CallError("the batch ended without this request", may_cost=False)
            if isinstance(result, Reply):
                self._done.append(name)
            elif lost is None or (lost.fatal and lost.status is None):  # another try is a new request
                self._book.forget([name])
            _settle(future, result)

    def _start(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _settle(future: asyncio.Future[Reply], result: Reply | CallError) -> None:
    with suppress(asyncio.InvalidStateError):  # nobody waits for it any more
        if isinstance(result, CallError):
            future.set_exception(result)
        else:
            future.set_result(result)
