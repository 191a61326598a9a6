"""Accuracy against minutes and training FLOPs: the weights that a training run kept, on the test split, at
several depths.

    bench train --task sudoku-extreme -T held_out=0 --solver trm --recipe trm-sudoku-fast --keep-every 1000
    --out RUN python benchmarks/accuracy_curve.py RUN --task sudoku-extreme --data-dir DATA --depths
    1,2,4,8,16 --device cuda

The run may have been trained in pieces (`--max-minutes`). Scores are of exact labels, halting off, and go to
RUN/curve.jsonl as they come; weights that are scored there already are left alone. A table on standard
output.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import torch

from harness import registry
from harness.options import parse_pairs
from harness.records.jsonlines import sha256_of
from harness.scores.statistics import wilson
from solvers.nets.infer import engine
from solvers.nets.train.data import TrainingSet
from solvers.nets.weights import files as weights


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of a training run, or one weights file")
    parser.add_argument("--task", required=True)
    parser.add_argument("-T", action="append", default=[], metavar="NAME=VALUE", help="an option of the task")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--puzzles", type=int, help="the first so many of the test split; all if left out")
    parser.add_argument("--depths", default="1,2,4,8,16", help="supervision steps")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    task = registry.create("task", args.task, parse_pairs(args.T, "-T"))
    items = task.load(split="test", seed=0, limit=args.puzzles, data_dir=args.data_dir)
    test = TrainingSet.from_items(items, task.grid, variants=False)
    depths = sorted({int(depth) for depth in args.depths.split(",")})
    about = {
        "device": args.device,
        "test_sha256": sha256_of([puzzle.id for puzzle, _ in items]),
        "planned": len(items),
        "depths": depths,
    }
    book = (args.run if args.run.is_dir() else args.run.parent) / "curve.jsonl"
    scored = {(line["weights"], line["sha256"]): line for line in read(book) if line | about == line}
    paths = sorted(args.run.glob("weights*.safetensors"), key=step_of) if args.run.is_dir() else [args.run]
    if not paths:
        parser.error(f"{args.run} holds no weights yet; train with --keep-every")
    for path in paths:
        loaded = weights.load(path)
        if not (line := scored.get((path.name, loaded.sha256))):
            right = right_at(
                loaded, test, depths, batch_size=args.batch_size, device=torch.device(args.device)
            )
            record = {
                name: loaded.training.get(name) for name in ("optimiser_steps", "seconds", "training_flops")
            }
            line = {
                "weights": path.name,
                "sha256": loaded.sha256,
                **about,
                **record,
                "right": list(right.values()),
            }
            with book.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        print(row(line), flush=True)


def step_of(path: Path) -> float:
    """Return the optimiser step in a file's name; the last weights of a run have none."""
    found = re.search(r"-(\d+)$", path.stem)
    return int(found[1]) if found else float("inf")


def read(book: Path) -> list[dict[str, Any]]:
    """Return the lines written so far, without one that was cut off."""
    if not book.exists():
        return []
    lines = book.read_text(encoding="utf-8").split("\n")[:-1]
    book.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return [json.loads(line) for line in lines]


def right_at(
    loaded: weights.Loaded, test: TrainingSet, depths: list[int], *, batch_size: int, device: torch.device
) -> dict[int, int]:
    """Return how many puzzles have every cell right after so many supervision steps, by depth."""
    right = dict.fromkeys(depths, 0)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    for job in engine.run(
        loaded.net,
        test.tokens,
        depths=depths,
        halt="never",
        batch_size=batch_size,
        dtype=dtype,
        device=device,
    ):
        for depth in depths:
            right[depth] += bool((job.tokens_at[depth] == test.labels[job.job]).all())
    return right


def row(line: dict[str, Any]) -> str:
    """Return one line of the table: step, minutes, PFLOP, accuracy by depth with the interval of the
    deepest.
    """
    planned = line["planned"]
    low, high = wilson(line["right"][-1] / planned, planned)
    shares = ", ".join(
        f"{d}: {100 * n / planned:.1f} %" for d, n in zip(line["depths"], line["right"], strict=True)
    )
    minutes = "unknown" if line["seconds"] is None else f"{line['seconds'] / 60:.1f}"
    pflop = "unknown" if line["training_flops"] is None else f"{line['training_flops'] / 1e15:.4g}"
    cost = f"{minutes} min, {pflop} PFLOP"
    return (
        f"step {line['optimiser_steps']}, {cost}: {shares} ({100 * low:.1f}–{100 * high:.1f}) of {planned:,}"
    )


if __name__ == "__main__":
    main()
