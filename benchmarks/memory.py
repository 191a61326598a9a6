"""What keeping freed memory (solvers/nets/fast/memory.py) is worth on a CPU: the same code with the C
library's allocator as it comes and told to keep, turn about. JSON on standard output, with median ratios.

    python benchmarks/memory.py                     6×6 Sudoku by the weights that ship, a curve of 16 steps
    python benchmarks/memory.py --training          a few optimiser steps of trm-sudoku-small

Each side is a process of its own, since what an allocator keeps it keeps until the end. Page faults are
those of the timed part. Batches of 256 puzzles, the default, have the large blocks that are handed back.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SIDES = {"default": "default", "kept": "keep"}
"""Values of DEPTHBENCH_MALLOC; the second is as good as none."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--puzzles", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--training", action="store_true")
    parser.add_argument("--side", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        print(json.dumps(training(args) if args.training else inference(args)))
        return
    runs = [{side: measured(side) for side in SIDES} for _ in range(args.rounds)]
    report: dict[str, Any] = {
        side: {
            "seconds": [round(run[side]["seconds"], 2) for run in runs],
            "cpu_seconds": [round(run[side]["cpu_seconds"], 2) for run in runs],
            "page_faults": [run[side]["page_faults"] for run in runs],
        }
        for side in SIDES
    }
    for name in ("seconds", "cpu_seconds"):
        report[f"ratio_{name}"] = statistics.median(run["default"][name] / run["kept"][name] for run in runs)
    report["same_answers"] = len({run[side]["answers"] for run in runs for side in SIDES}) == 1
    report["kept_by"] = "mallopt" if runs[0]["kept"]["told"] else "nothing: not glibc on Linux"
    print(json.dumps(report, indent=2))


def measured(side: str) -> dict[str, Any]:
    """Run one side in a process of its own."""
    environment = os.environ | {"DEPTHBENCH_MALLOC": SIDES[side]}
    done = subprocess.run(
        [sys.executable, *sys.argv, "--side"],
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def inference(args: argparse.Namespace) -> dict[str, Any]:
    """Answer puzzles to depth 16, halting off."""
    import numpy as np
    import torch

    from harness import registry
    from solvers.nets.fast import memory
    from solvers.nets.infer import engine
    from solvers.nets.weights import files as weights

    torch.set_num_threads(args.threads or torch.get_num_threads())
    task = registry.create("task", "sudoku")
    items = task.load(split="test", seed=0, limit=args.puzzles, data_dir=None)
    tokens = np.stack([task.grid.encode(puzzle) for puzzle, _ in items])
    net = weights.load(weights.SHIPPED / "trm-sudoku-6x6.safetensors").net

    def answer(rows: np.ndarray, depths: list[int]) -> str:
        jobs = engine.answer(
            net,
            rows,
            depths=depths,
            halt="never",
            batch_size=256,
            dtype=torch.float32,
            device=torch.device("cpu"),
        )
        found = sorted((job.job, job.tokens_at[depths[-1]].tobytes()) for job in jobs)
        return hashlib.sha256(repr(found).encode()).hexdigest()

    answer(tokens[:8], [1])
    return timed(lambda: answer(tokens, [1, 2, 4, 8, 16])) | {"told": memory.keep()}


def training(args: argparse.Namespace) -> dict[str, Any]:
    """Do six optimiser steps."""
    import torch

    from harness import registry
    from solvers.nets.fast import memory
    from solvers.nets.recipes import recipe
    from solvers.nets.train.data import TrainingSet
    from solvers.nets.train.loop import train

    torch.set_num_threads(args.threads or torch.get_num_threads())
    task = registry.create("task", "sudoku")
    items = task.load(split="train", seed=0, limit=256, data_dir=None)
    data = TrainingSet.from_items(items, task.grid, variants=False)
    chosen = recipe("trm-sudoku-small", optimiser_steps=6, validation_items=0, validate_every=0)
    with tempfile.TemporaryDirectory() as folder:

        def steps() -> str:
            ended = train(chosen, data, Path(folder), seed=0, device=torch.device("cpu"), say=lambda _: None)
            return str(ended.optimiser_steps)

        return timed(steps) | {"told": memory.keep()}


def timed(work: Any) -> dict[str, Any]:
    """Return seconds, processor seconds and page faults of some work, and what it returned."""
    faults, cpu, start = page_faults(), time.process_time(), time.perf_counter()
    answers = work()
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "page_faults": page_faults() - faults,
        "answers": answers,
    }


def page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


if __name__ == "__main__":
    main()
