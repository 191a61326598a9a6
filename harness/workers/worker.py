"""A worker: a process that builds the solver once and answers the shards of puzzles it is handed.

It never sees a key: it is sent a `View` of the task and the puzzles, and sends attempts back as they come.
What it says to the driver are tuples, the first of each a word of `WORDS`.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from harness import registry
from harness.capabilities import DecidedByTask, Lease
from harness.contracts import Attempt, Budget, Puzzle, Solver
from harness.errors import RunError, UserError
from harness.records.jsonlines import sha256_of
from harness.running.collector import collector_rarer
from harness.workers.failures import failure
from harness.workers.leases import LineLease
from harness.workers.shards import ending

WORDS = ("ready", "attempts", "done", "stopped", "failed")
"""ready (Ready), attempts ([Attempt]), done (), stopped () by Ctrl-C, failed (Failure)."""
AHEAD = 4096  # attempts that wait to be sent; a solver that is faster than the writer waits
TOGETHER = 0.01  # seconds

VERSION: str = sys.modules["harness"].__version__  # not imported: the package imports what imports this

Say = Callable[..., None]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to build. solver: a registered name, an absolute path/to/file.py:Class, or an object."""

    solver: str | Solver
    options: Mapping[str, Any]
    source_sha256: str | None  # of the solver's file
    weights_sha256: str | None  # that the run's record names
    view: bytes  # pickled: it may come from a file that a worker cannot see
    version: str = VERSION


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A worker has built its solver."""

    pid: int
    host: str
    device: str | None


class Bench:
    """What a worker holds: the solver and the view, built once, used for every shard."""

    def __init__(self) -> None:
        self.solver: Any = None
        self.view: Any = None

    def build(self, order: bytes) -> Ready:
        """Build what is ordered. Raises UserError where this process cannot."""
        self.solver = self.view = None  # free the one before first: weights may fill the device
        host = socket.gethostname()
        try:
            found: Order = pickle.loads(order)
            if found.version != VERSION:
                raise UserError(f"It has Depthbench {VERSION}, the driver {found.version}.")
            self.view = pickle.loads(found.view)
            self.solver = self._solver(found)
            card = self.solver.card
            if card.weights_sha256 != found.weights_sha256:
                raise UserError(f"Its weights are {card.weights_sha256}, the run's {found.weights_sha256}.")
        except Exception as error:  # whatever a module of others raises when it is imported
            said = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}."
            raise UserError(
                f"A worker on {host} cannot build the solver or read the task: {said}",
                rule="A worker is a process of its own: it imports installed packages and files by their "
                "path, and nothing that was defined in the calling program alone.",
                next_step="Mend that, or run without workers.",
            ) from error
        return Ready(pid=os.getpid(), host=host, device=card.device)

    def _solver(self, order: Order) -> Solver:
        asked: Any = order.solver
        if isinstance(asked, str):
            if order.source_sha256 is not None:
                path = Path(asked.rpartition(":")[0])
                text = path.read_text("utf-8", "replace")
                if sha256_of(text) != order.source_sha256:
                    raise UserError(f"Its {path} is another file than the driver's.")
            asked = registry.create("solver", asked, dict(order.options))
        return asked.for_task(self.view) if isinstance(asked, DecidedByTask) else asked

    def solve(self, puzzles: Sequence[Puzzle], budget: Budget, lease: Lease | None) -> Iterator[Attempt]:
        """Yield the attempts at a shard."""
        found = replace(budget, shared=lease)
        attempts = iter(self.solver.solve(self.view, puzzles, found))
        with ending(attempts):
            yield from attempts


class Sender:
    """Send attempts from a thread of its own: those that come within `TOGETHER` seconds, or while the line is
    busy, in one message, since a message costs both sides as much as a quick attempt.
    """

    def __init__(self, say: Say) -> None:
        self._say = say
        self._waiting: queue.Queue[Attempt | None] = queue.Queue(AHEAD)
        self._error: Exception | None = None
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put(self, attempt: Attempt) -> None:
        """Hand one over. Raises what sending an earlier one raised."""
        if self._error is not None:
            raise self._error
        self._waiting.put(attempt)

    def finish(self) -> None:
        """Wait until all are sent; raise what sending raised."""
        self._finished.set()
        self._waiting.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        last = False
        while not last:
            first = self._waiting.get()
            self._finished.wait(TOGETHER)
            batch = [] if first is None else [first]
            last = first is None
            while not last:
                try:
                    further = self._waiting.get_nowait()
                except queue.Empty:
                    break
                last = further is None
                if further is not None:
                    batch.append(further)
            if batch and self._error is None:
                try:
                    self._say("attempts", batch)
                except Exception as error:
                    self._error = _unsendable(error)


def _unsendable(error: Exception) -> Exception:
    if isinstance(error, OSError):  # the driver has gone, and so will this worker
        return error
    return RunError(
        f"An attempt cannot be sent from a worker: {type(error).__name__}: {error}.",
        rule="Answers, traces and details are JSON values.",
    )


def serve(orders: Connection, leases: Connection) -> None:
    """Obey the driver until it closes the line."""
    bench, lease = Bench(), LineLease(leases)
    lock = threading.Lock()

    def say(*words: Any) -> None:
        with lock:
            orders.send(words)

    while True:
        try:
            order = orders.recv()
        except (EOFError, OSError):
            return
        try:
            if order[0] == "build":
                say("ready", bench.build(order[1]))
                continue
            sender = Sender(say)
            try:
                for attempt in bench.solve(order[1], order[2], lease if order[3] else None):
                    sender.put(attempt)
            finally:
                sender.finish()
            say("done")
        except KeyboardInterrupt:
            say("stopped")
        except (EOFError, BrokenPipeError, ConnectionError):
            return
        except Exception as error:
            say("failed", failure(error))


def main() -> None:
    """Serve on the connections whose file descriptors are given: orders, leases, and a lifeline that ends
    with the driver.
    """
    orders, leases, lifeline = (int(word) for word in sys.argv[1:4])
    threading.Thread(target=_end_with_driver, args=(lifeline,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the driver passes Ctrl-C on
    with suppress(KeyboardInterrupt), collector_rarer():
        serve(Connection(orders), Connection(leases))
    sys.stdout.flush()
    os._exit(0)  # without waiting for threads of libraries


def _end_with_driver(lifeline: int) -> None:
    with suppress(OSError):
        os.read(lifeline, 1)  # nothing is ever written: this returns when the driver is gone
    os._exit(1)
