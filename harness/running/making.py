"""Make a large generated set: here, or by the workers of a run where there are any, since that may take as
long as the run itself.
"""

from __future__ import annotations

import pickle
import sys
from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from harness import registry
from harness.capabilities import MadeByIndex
from harness.contracts import Task
from harness.errors import UserError
from harness.running import sets
from harness.running.loading import processors

if TYPE_CHECKING:
    from harness.records.schema import RunSpec

AHEAD = 2  # parts a process has been asked for


def parts(spec: RunSpec, task: Task, split: str, count: int) -> sets.Made:
    """Make a set, by as many processes as the run has workers on this machine, in the order of its items."""
    assert isinstance(task, MadeByIndex)
    makers = min(spec.workers or 1, processors(), -(-count // sets.PART))
    if makers > 1 and isinstance(spec.task, str):
        return _by_processes(ordered(spec), split, spec.seed, count, makers)
    return sets.parts_here(task, split, spec.seed, count)


def ordered(spec: RunSpec) -> bytes:
    """Return what a process builds the task from."""
    return pickle.dumps((spec.task, dict(spec.task_options or {})))


def _by_processes(order: bytes, split: str, seed: int, count: int, makers: int) -> sets.Made:
    from harness.workers.process import Process

    start = "from harness.running.making import main; main()"
    with ExitStack() as stack:
        processes = []
        for place in range(makers):
            process = Process(place, makers, start=start)
            stack.callback(process.end)
            process.line.send(order)
            processes.append(process)
        waiting: deque[Process] = deque()
        turn = 0
        starts = range(0, count, sets.PART)
        for number in range(len(starts) + makers * AHEAD):
            if number < len(starts):
                process = processes[turn % makers]
                process.line.send((split, seed, starts[number], min(starts[number] + sets.PART, count)))
                waiting.append(process)
                turn += 1
            if number >= makers * AHEAD and waiting:
                try:
                    found = waiting.popleft().line.recv()
                except (EOFError, OSError):
                    raise UserError(
                        "A process that made puzzles died.",
                        rule="There may be too little memory for so many.",
                        next_step="Give fewer --workers.",
                    ) from None
                if isinstance(found, Exception):
                    raise found
                yield found
        while waiting:
            yield waiting.popleft().line.recv()


def main() -> None:
    """Make parts of the set that the driver orders, until it closes the line."""
    import os
    from multiprocessing.connection import Connection

    line = Connection(int(sys.argv[1]))
    try:
        name, options = pickle.loads(line.recv())
        task: Any = registry.create("task", name, options)
        while True:
            wanted = line.recv()
            line.send(task.between(*wanted))
    except (EOFError, OSError):
        os._exit(0)
    except UserError as error:
        line.send(RuntimeError(str(error)))
