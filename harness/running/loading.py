"""Load the items of a split: here, or in a process of their own while this one imports what the solver needs.

Some tasks make their puzzles with a compiler whose import costs about as much as a model SDK's. On two cores
the two overlap: 1.8 s in place of 2.1 to the first request of a run, and 65 MB less, since the compiler's
memory is given back with its process (docs/log.md, 2026-11-23).
"""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypedDict

from harness import registry
from harness.capabilities import still_to_import
from harness.contracts import Item, Task
from harness.errors import UserError, did_you_mean
from harness.folders import expanded

SHOWN = 5  # ids that an error lists


class Wanted(TypedDict):
    """Which items of a task."""

    split: str
    seed: int
    limit: int | None
    sample_ids: Sequence[str]
    data_dir: str | Path | None


def load_items(
    task: Task,
    *,
    split: str,
    seed: int,
    limit: int | None,
    sample_ids: Sequence[str],
    data_dir: str | Path | None,
) -> list[Item]:
    """Load the items of a split; with `sample_ids` those alone, in the order of the split."""
    items = task.load(
        split=split, seed=seed, limit=None if sample_ids else limit, data_dir=data_folder(data_dir)
    )
    known = {puzzle.id for puzzle, _ in items}
    if len(known) < len(items):
        raise UserError(
            f"The task {task.name!r} made two puzzles of one id.", rule="That is a fault of the task."
        )
    for wanted in sample_ids:
        if wanted not in known:
            raise UserError(
                f"The split {split!r} of {task.name!r} has no puzzle {wanted!r}.",
                rule=did_you_mean(wanted, known, show=SHOWN),
            )
    return [item for item in items if not sample_ids or item[0].id in set(sample_ids)][:limit]


def data_folder(data_dir: str | Path | None) -> Path | None:
    """Return the folder of local data copies: as given, else DEPTHBENCH_DATA, else None. It must exist."""
    text = data_dir or os.environ.get("DEPTHBENCH_DATA")
    if not text:
        return None
    path = expanded(text)
    if not path.is_dir():
        raise UserError(
            f"The data folder {str(text)!r} {'is a file' if path.exists() else 'does not exist'}.",
            rule="--data-dir (or DEPTHBENCH_DATA) names a folder of local copies.",
            next_step="Leave it out to download what a task needs, or copy the data there.",
        )
    return path


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Ahead:
    """A process that loads the items of a registered task, from entering to leaving a `with`."""

    def __init__(self, task: str, options: dict[str, Any] | None, wanted: Wanted) -> None:
        self._order = (task, options, wanted)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if processors() > 1 and sys.executable:
            # the same modules as here, whatever is installed
            path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
            with suppress(OSError, pickle.PicklingError, TypeError, AttributeError):
                order = pickle.dumps(self._order)
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "harness.running.loading"], env={**os.environ,
                    "PYTHONPATH": path},
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                )  # fmt: skip
                assert self._process.stdin is not None
                self._process.stdin.write(order)
                # and stays open: its end tells that process that this one has gone
                self._process.stdin.flush()
        return self

    def items(self) -> list[Item] | None:
        """Wait for the items; None if that process could not load them, for whatever reason: load them
        here and see.
        """
        if self._process is None or self._process.stdout is None:
            return None
        found = self._process.stdout.read()
        if self._process.wait():
            return None
        try:
            items: list[Item] = pickle.loads(found)
        except Exception:  # whatever a damaged pickle raises
            return None
        return items

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # an order that was not taken
                if pipe is not None:
                    pipe.close()


def main() -> None:
    """Load what the order on standard input names; write it to standard output."""
    gc.disable()  # little is thrown away, and all of it soon
    task, options, wanted = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a task that prints must not write into the answer
    made = registry.create("task", task, options)
    if "numba" in still_to_import(made):
        _import_numba()
    pickle.dump(load_items(made, **wanted), answer, pickle.HIGHEST_PROTOCOL)
    answer.flush()
    os._exit(0)  # without waiting for the thread, or for the interpreter to take itself apart


def _import_numba() -> None:
    """Import numba without scipy's linear algebra, which it looks for and which takes as long as the puzzles:
    compiled code that needs it fails here, and is run by the other process.
    """
    hidden = "scipy.linalg" not in sys.modules
    if hidden:
        sys.modules["scipy.linalg"] = None  # type: ignore[assignment]
    with suppress(ImportError):
        importlib.import_module("numba.np.arraymath")  # where it looks
    if hidden:
        del sys.modules["scipy.linalg"]


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
