"""Run asyncio work behind a plain generator: results come out as they are ready, whoever consumes them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import queue
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Generator, Iterable
from types import FrameType
from typing import Any, TypeVar

from harness.errors import DepthbenchError

In = TypeVar("In")
Out = TypeVar("Out")


def stream(
    items: Iterable[In], work: Callable[[In], Awaitable[Out | None]], *, workers: int, set_up: Callable[[],
    Awaitable[Any]],
    tear_down: Callable[[], Awaitable[Any]],
) -> Generator[Out, None, None]:  # fmt: skip
    """Yield `await work(item)` for every item, at most `workers` at a time, in the order they finish; None is
    left out.

    The event loop lives in a thread of its own, so this works inside a notebook. At most `2 * workers`
    results wait for the consumer. The first Ctrl-C lets what is in flight finish, the second cancels it;
    closing the generator cancels it too. A `DepthbenchError` of `work` is raised here once what is in flight
    has finished; any other exception at once.
    """
    results: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    pending = iter(items)
    state: dict[str, Any] = {"draining": False, "stopped": None}
    started = threading.Event()

    async def worker(room: asyncio.Semaphore) -> None:
        while not state["draining"]:
            await room.acquire()
            item = next(pending, _END)
            if item is _END or state["draining"]:
                return
            try:
                result = await work(item)  # type: ignore[arg-type]
            except DepthbenchError as error:
                state["stopped"], state["draining"] = error, True
                return
            if result is None:
                room.release()
            else:
                results.put(("result", result))

    async def main() -> None:
        state["loop"], state["task"] = asyncio.get_running_loop(), asyncio.current_task()
        state["room"] = room = asyncio.Semaphore(2 * workers)
        started.set()
        try:
            await set_up()
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(worker(room))
        finally:
            await tear_down()

    def run() -> None:
        try:
            asyncio.run(main())
            results.put(("end", None) if state["stopped"] is None else ("error", state["stopped"]))
        except BaseExceptionGroup as several:
            results.put(("error", several.exceptions[0]))
        except BaseException as error:
            results.put(("error", error))
        finally:
            started.set()

    def call_soon(function: Callable[[], Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            state["loop"].call_soon_threadsafe(function)

    thread = threading.Thread(target=run, name="llm", daemon=True)
    interrupted = False

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            raise KeyboardInterrupt
        interrupted = state["draining"] = True
        print(
            "\nFinishing the requests in flight; press Ctrl-C again to drop them.",
            file=sys.stderr,
            flush=True,
        )

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, on_interrupt)
    thread.start()
    started.wait()
    taken, several = 0, max(1, workers // 2)  # the loop is woken for several results at a time
    try:
        while True:
            kind, value = results.get()
            if kind == "end":
                break
            if kind == "error":
                raise value
            taken += 1
            if taken >= several:
                call_soon(functools.partial(_release, state["room"], taken))
                taken = 0
            yield value
        if interrupted:
            raise KeyboardInterrupt
    finally:
        if thread.is_alive():
            call_soon(state["task"].cancel)
            thread.join()
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _release(room: asyncio.Semaphore, times: int) -> None:
    for _ in range(times):
        room.release()


_END = object()
