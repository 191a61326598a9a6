"""What a run must have once, wherever its attempts are made: it stays with the driver, workers ask for it.

A solver says what that is (`harness.capabilities.SharesState`): the purse of a paid model, its rate limit.
Here it is only kept alive, in an event loop of its own, and asked over a line to each worker.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from harness.capabilities import Shared
from harness.workers.failures import Failure, failure


class LineLease:
    """A worker's end of the line: `ask` sends a question and returns a future of the answer."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._lock = threading.Lock()
        self._open: dict[int, Future[Any]] = {}
        self._asked = 0
        self._reader: threading.Thread | None = None

    def ask(self, what: str, *arguments: Any) -> Future[Any]:
        """Ask the driver's `Shared`."""
        future: Future[Any] = Future()
        with self._lock:
            if self._reader is None:
                self._reader = threading.Thread(target=self._read, daemon=True)
                self._reader.start()
            self._asked += 1
            self._open[self._asked] = future
            self._line.send((self._asked, what, arguments))
        return future

    def _read(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                number, answer = self._line.recv()
                with self._lock:
                    future = self._open.pop(number)
                if not future.set_running_or_notify_cancel():
                    continue
                if isinstance(answer, Failure):
                    future.set_exception(answer.raised())
                else:
                    future.set_result(answer)


class Answering:
    """A `Shared` state that knows who is waiting for an answer."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._waiting: dict[int, set[asyncio.Task[Any]]] = {}

    async def ask(self, worker: int, what: str, arguments: tuple[Any, ...]) -> Any:
        """Return the answer, or the `Failure` to raise in its place."""
        task: asyncio.Task[Any] = asyncio.ensure_future(self._shared.ask(worker, what, *arguments))
        mine = self._waiting.setdefault(worker, set())
        mine.add(task)
        try:
            return await task
        except Exception as error:
            return failure(error)
        finally:
            mine.discard(task)

    async def lost(self, worker: int) -> None:
        """Cancel what a worker that has gone still waits for, and take back what it held."""
        for task in self._waiting.pop(worker, set()):
            task.cancel()
        await asyncio.sleep(0)
        await self._shared.lost(worker)


class Keeper:
    """The driver's end: the event loop that `shared` lives in, and a reader for the line to each worker."""

    def __init__(self, shared: Shared) -> None:
        self._answering = Answering(shared)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="leases", daemon=True)
        self._thread.start()

    def serve(self, worker: int, line: Connection) -> None:
        """Answer what a worker asks until its line ends."""
        threading.Thread(target=self._serve, args=(worker, line), daemon=True).start()

    def lost(self, worker: int) -> None:
        """Give back what a worker held that has gone."""
        asyncio.run_coroutine_threadsafe(self._answering.lost(worker), self._loop).result()

    def close(self) -> None:
        """End the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def _serve(self, worker: int, line: Connection) -> None:
        lock = threading.Lock()

        async def answer(number: int, what: str, arguments: tuple[Any, ...]) -> None:
            found = await self._answering.ask(worker, what, arguments)
            with lock, suppress(OSError):  # a worker that has gone needs no answer
                line.send((number, found))

        with suppress(EOFError, OSError, RuntimeError):  # the worker has gone, or the loop has ended
            while True:
                asyncio.run_coroutine_threadsafe(answer(*line.recv()), self._loop)
