"""What reaches a training run from outside: the processes that torchrun started, and the signals that ask
it to stop.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist


def processes() -> tuple[int, int]:
    """Return (rank, world size); start torch.distributed when launched by torchrun."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not dist.is_initialized():
        if torch.cuda.is_available():  # from here on "cuda" is this process's own GPU
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return int(os.environ.get("RANK", "0")), world


def any_process(flags: list[bool], device: torch.device) -> list[bool]:
    """Return for each flag whether it is true on any process."""
    if not dist.is_initialized():
        return flags
    votes = torch.tensor(flags, dtype=torch.long, device=device)
    dist.all_reduce(votes, dist.ReduceOp.MAX)
    return [bool(vote) for vote in votes.tolist()]


def on_every_process(number: int, device: torch.device) -> tuple[int, int]:
    """Return the smallest and the largest of a number over all processes."""
    if not dist.is_initialized():
        return number, number
    ends = torch.tensor([-number, number], device=device)
    dist.all_reduce(ends, dist.ReduceOp.MAX)
    return -int(ends[0]), int(ends[1])


def wait_for_all() -> None:
    """Return when every process has come so far."""
    if dist.is_initialized():
        dist.barrier()


@contextmanager
def held_back_signals() -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM in a list instead of dying of them; the second one is not held back, an
    ignored one stays so.
    """
    got: list[int] = []

    def note(number: int, _frame: object) -> None:
        if got:
            raise KeyboardInterrupt
        got.append(number)
        again = "; Ctrl-C again goes back to the last checkpoint" if number == signal.SIGINT else ""
        # nobody reads any more, or it came in the middle of a line
        with contextlib.suppress(OSError, RuntimeError):
            print(f"\nFinishing the optimiser step under way{again}.", file=sys.stderr, flush=True)

    before = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        before = {number: old for number, old in handlers.items() if old not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, note)
    try:
        yield got
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
