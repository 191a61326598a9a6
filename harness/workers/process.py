"""A process of this machine beside this one, with the modules that this one sees.

It is in a session of its own, so that Ctrl-C reaches the driver alone, and holds one end of a pipe that
closes with the driver, however that ends. Where there are GPUs it sees one; the threads of numerical
libraries are divided.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from multiprocessing.connection import Pipe

from harness.running.loading import processors

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
