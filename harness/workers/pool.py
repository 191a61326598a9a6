"""Workers as processes on this machine."""

from __future__ import annotations

import signal
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from harness.capabilities import Shared
from harness.workers.crew import Crew
from harness.workers.leases import Keeper
from harness.workers.process import Process


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
