"""Workers as actors of a Ray cluster (the extra `ray`).

The cluster brings machines, placement and news of the dead; shards, records and what a run has once stay
as for processes. Actors have the modules of their node, so Depthbench must be installed there in this
version; on a Ray that is started here they have the modules of this process.
"""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from harness.contracts import Budget, Puzzle
from harness.errors import RunError, UserError
from harness.running.loading import processors
from harness.workers.crew import Crew
from harness.workers.failures import Failure, failure
from harness.workers.leases import Answering
from harness.workers.worker import AHEAD, Bench

if TYPE_CHECKING:
    from harness.running.plan import Plan

LOCAL = "local"
CONNECT_SECONDS = 5.0
STARTS = 2  # times that a Ray of our own is tried to be started
AT_ONCE = 64  # batches of attempts that wait for the driver


class Actor:
    """A worker that Ray places."""

    def __init__(self) -> None:
        self._bench = Bench()
        self._stopping = threading.Event()

    def build(self, order: bytes) -> tuple[Any, ...]:
        """Build the solver."""
        try:
            return "ready", self._bench.build(order)
        except Exception as error:
            return "failed", failure(error)

    def stop(self) -> None:
        """End the shard under way; runs beside it."""
        self._stopping.set()

    def solve(self, puzzles: Sequence[Puzzle], budget: Budget, lease: Any) -> Iterator[tuple[Any, ...]]:
        """Yield attempts in batches: those that came while the one before was fetched."""
        self._stopping.clear()
        came: queue.Queue[Any] = queue.Queue(AHEAD)
        threading.Thread(target=self._feed, args=(came, puzzles, budget, lease), daemon=True).start()
        while True:
            try:
                first = came.get(timeout=0.5)
            except queue.Empty:
                if self._stopping.is_set():
                    yield ("stopped",)
                    return
                continue
            batch = [first]
            with suppress(queue.Empty):
                while not isinstance(batch[-1], tuple):
                    batch.append(came.get_nowait())
            last = batch.pop() if isinstance(batch[-1], tuple) else None
            if batch:
                yield "attempts", batch
            if last is not None:
                yield last
                return

    def _feed(self, came: queue.Queue[Any], puzzles: Sequence[Puzzle], budget: Budget, lease: Any) -> None:
        last: tuple[Any, ...] = ("done",)
        attempts = self._bench.solve(puzzles, budget, lease)
        try:
            for attempt in attempts:
                came.put(attempt)
                if self._stopping.is_set():
                    last = ("stopped",)
                    break
        except Exception as error:
            last = ("failed", failure(error))
        came.put(last)


class Ledger:
    """The actor that keeps what a run has once."""

    def __init__(self, shared: Any) -> None:
        self._answering = Answering(shared)

    async def ask(self, worker: int, what: str, arguments: tuple[Any, ...]) -> Any:
        return await self._answering.ask(worker, what, arguments)

    async def lost(self, worker: int) -> None:
        await self._answering.lost(worker)


class RayLease:
    """A worker's line to the ledger."""

    def __init__(self, ledger: Any, worker: int) -> None:
        self._ledger, self._worker = ledger, worker

    def ask(self, what: str, *arguments: Any) -> Future[Any]:
        found: Future[Any] = Future()

        def settle(done: Future[Any]) -> None:
            if not found.set_running_or_notify_cancel():
                return
            try:
                answer = done.result()
            except Exception as error:  # the ledger has gone
                found.set_exception(error)
                return
            if isinstance(answer, Failure):
                found.set_exception(answer.raised())
            else:
                found.set_result(answer)

        self._ledger.ask.remote(self._worker, what, arguments).future().add_done_callback(settle)
        return found


class RayCrew(Crew):
    """Workers as Ray actors."""

    kind = "ray"

    def __init__(self, address: str, workers: int | None) -> None:
        super().__init__(workers or 0)
        self._address, self._asked = address, workers
        self._actors: dict[int, Any] = {}
        self._pending: dict[Any, int] = {}  # what an actor is asked: a reference or a generator of them
        self._ledger: Any = None
        self._gpus = 0.0
        self._started = False

    def __enter__(self) -> Self:
        self._ray = connected(self._address, self._asked)
        self._started = self._address == LOCAL
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        if self._started:
            self._ray.shutdown()

    def prepare(self, plan: Plan) -> None:
        """Have the cluster place the actors, a GPU for each net where it has any, and build the solver."""
        has = self._ray.cluster_resources()
        cpus = int(has.get("CPU", 0))
        gpus = float(has.get("GPU", 0)) if plan.solver.card.kind == "net" else 0.0
        self.workers = self._asked or int(gpus) or max(1, cpus)
        if self.workers > cpus:
            raise UserError(
                f"{self.workers} workers were asked for, and the Ray cluster has {cpus} CPUs.",
                rule="Each worker takes one.",
                next_step=f"Give --workers {cpus} or fewer.",
            )
        self._gpus = min(1.0, gpus / self.workers)
        super().prepare(plan)

    def hire(self, number: int) -> None:
        actor = self._ray.remote(Actor)
        self._actors[number] = actor.options(
            num_cpus=1, num_gpus=self._gpus, max_concurrency=2, max_restarts=0
        ).remote()

    def tell(self, number: int, *words: Any) -> None:
        actor = self._actors[number]
        if words[0] == "build":
            asked = actor.build.remote(words[1])
        else:
            lease = RayLease(self._ledger, number) if words[3] else None
            asked = actor.solve.options(
                num_returns="streaming", _generator_backpressure_num_objects=AT_ONCE
            ).remote(words[1], words[2], lease)
        self._pending[asked] = number

    def heard(self, seconds: float) -> list[tuple[int, tuple[Any, ...]]]:
        from ray.exceptions import RayError

        ready, _ = self._ray.wait(list(self._pending), timeout=seconds)
        found: list[tuple[int, tuple[Any, ...]]] = []
        for asked in ready:
            number = self._pending[asked]
            try:
                words = self._ray.get(next(asked) if hasattr(asked, "__next__") else asked)
            except (RayError, StopIteration) as error:
                self._forget(number)
                found.append((number, ("gone", f"{type(error).__name__}: {str(error).strip()[:300]}")))
                continue
            if words[0] != "attempts":
                del self._pending[asked]
            found.append((number, words))
        return found

    def interrupt(self, number: int) -> None:
        self._actors[number].stop.remote()

    def dismiss(self, number: int) -> None:
        actor = self._forget(number)
        with suppress(Exception):  # it may be gone already, or the cluster
            self._ray.kill(actor)

    def share(self, state: Any) -> None:
        self._ledger = self._ray.remote(Ledger).options(num_cpus=0, max_concurrency=10_000).remote(state)

    def unshare(self) -> None:
        if self._ledger is not None:
            with suppress(Exception):
                self._ray.kill(self._ledger)
            self._ledger = None

    def _forget(self, number: int) -> Any:
        self._pending = {asked: who for asked, who in self._pending.items() if who != number}
        if self._ledger is not None:
            self._ledger.lost.remote(number)
        return self._actors.pop(number)


def connected(address: str, workers: int | None) -> Any:
    """Return the module ray, connected to a cluster, or to one that is started here. Raises UserError, and
    RunError where none starts.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else a warning of what will change
    try:
        import ray
    except ImportError as error:
        raise UserError("--ray needs ray.", next_step="pip install 'depthbench[ray]'") from error
    if ray.is_initialized():
        return ray
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    if address == LOCAL:
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        for left in reversed(range(STARTS)):
            try:
                ray.init(
                    address=LOCAL, num_cpus=max(workers or 0, processors()), include_dashboard=False,
                    runtime_env={"env_vars": {"PYTHONPATH": path}}, **quiet,
                )  # fmt: skip
                break
            except Exception as error:  # on a busy machine it is not up within its 30 seconds
                with suppress(Exception):
                    ray.shutdown()
                if not left:
                    raise RunError(
                        f"Ray could not be started here: {_first_line(error)}.",
                        rule="Nothing has been run.",
                        next_step="Give the same command again, or use processes: --workers N without --ray.",
                    ) from error
        return ray
    if address != "auto":
        _look_for(address)
    try:
        ray.init(address=address, **quiet)
    except Exception as error:  # ConnectionError, RuntimeError, ValueError and more
        raise _unreachable(address, error) from error
    return ray


def _look_for(address: str) -> None:
    """Refuse an address at which nothing listens: Ray itself would try for minutes."""
    try:
        parts = urlsplit(address if "://" in address else f"ray-address://{address}")
        place = (parts.hostname or "", parts.port or 10001)
        if not parts.hostname or (parts.port is None and "://" not in address):
            raise ValueError("it names no port")
        socket.create_connection(place, CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise _unreachable(address, error) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__


def _unreachable(address: str, error: Exception) -> UserError:
    return UserError(
        f"No Ray cluster can be reached at {address!r}: {_first_line(error)}.",
        rule="It is HOST:PORT, ray://HOST:PORT, auto for the one that runs here, or nothing to start one.",
        next_step="Start it with `ray start --head`, or mend the address.",
    )
