"""Workers as processes on this machine.

Each is a fresh interpreter with the modules that this one sees, in a session of its own: Ctrl-C reaches the
driver alone, which passes it on. It holds one end of a pipe that closes with the driver, however that ends.
Where there are GPUs each sees one; the threads of numerical libraries are divided.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

from harness.capabilities import Shared
from harness.running.loading import processors
from harness.workers.crew import Crew
from harness.workers.leases import Keeper

THREADS = tuple(f"{library}_NUM_THREADS" for library in ("OMP", "MKL", "OPENBLAS", "NUMBA"))
"""What numerical libraries, torch among them, read how many threads to start from."""


# not -m: what a worker pickles must not be of a module __main__
START = "from harness.workers.worker import main; main()"


class Process:
    """A worker process, the driver's end of its lines, and the lifeline it ends with."""

    def __init__(self, place: int, workers: int, *, start: str = START) -> None:
        self.line, orders = Pipe()
        self.leases, asks = Pipe()
        held, self._lifeline = os.pipe()
        theirs = (orders.fileno(), asks.fileno(), held)
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", start, *map(str, theirs)],
                env=surroundings(place, workers), stdin=subprocess.DEVNULL, pass_fds=theirs,
                start_new_session=True,
            )  # fmt: skip
        finally:
            orders.close()
            asks.close()
            os.close(held)

    def end(self, *, patience: float = 0.0) -> str:
        """End it if it does not end by itself within so many seconds; say how it ended."""
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.line.close()
        self.leases.close()
        os.close(self._lifeline)
        return f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


class Pool(Crew):
    """Workers as processes on this machine."""

    kind = "processes"

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self._processes: dict[int, Process] = {}
        self._keeper: Keeper | None = None

    def hire(self, number: int) -> None:
        self._processes[number] = process = Process(self._place(), self.workers)
        if self._keeper is not None:
            self._keeper.serve(number, process.leases)

    def _place(self) -> int:
        """Return the lowest place, and with it the GPU, that no living worker has."""
        self._places = {n: p for n, p in getattr(self, "_places", {}).items() if n in self._processes}
        place = next(p for p in range(self.workers + 1) if p not in self._places.values())
        self._places[self._hired] = place
        return place

    def tell(self, number: int, *words: Any) -> None:
        with suppress(OSError):
            self._processes[number].line.send(words)

    def heard(self, seconds: float) -> list[tuple[int, tuple[Any, ...]]]:
        lines = {process.line: number for number, process in self._processes.items()}
        found: list[tuple[int, tuple[Any, ...]]] = []
        for line in wait(list(lines), seconds):
            assert isinstance(line, Connection)
            number = lines[line]
            try:
                found.append((number, line.recv()))
            except (EOFError, OSError):
                found.append((number, ("gone", self._remove(number, patience=1.0))))
        return found

    def interrupt(self, number: int) -> None:
        with suppress(OSError):
            self._processes[number].process.send_signal(signal.SIGINT)

    def dismiss(self, number: int) -> None:
        self._remove(number)

    def share(self, state: Shared) -> None:
        self._keeper = Keeper(state)
        for number, process in self._processes.items():
            self._keeper.serve(number, process.leases)

    def unshare(self) -> None:
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None

    def _remove(self, number: int, *, patience: float = 0.0) -> str:
        how = self._processes.pop(number).end(patience=patience)
        if self._keeper is not None:
            self._keeper.lost(number)
        return how


def surroundings(place: int, workers: int) -> dict[str, str]:
    """Return the environment of a worker: the modules of this process, its share of threads, its GPU."""
    # the same modules as here, whatever is installed
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path)}
    for name in THREADS:
        found.setdefault(name, str(max(1, processors() // workers)))
    if seen := gpus():
        found["CUDA_VISIBLE_DEVICES"] = seen[place % len(seen)]
    return found


def gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip() not in ("", "-1")]
    with suppress(OSError):
        return sorted(
            (m[1] for name in os.listdir("/dev") if (m := re.fullmatch(r"nvidia(\d+)", name))), key=int
        )
    return []
