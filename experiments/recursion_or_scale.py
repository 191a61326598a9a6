"""TRM, the looped transformer and the feed-forward control at equal parameters and equal training FLOPs,
several seeds each.

    python experiments/recursion_or_scale.py --out results/training/recursion --seeds 3 --teraflops 2

All three have the same two MLP-mixer blocks of width 64, so the same parameters to a few latents; they differ
in how often the blocks are applied and in what is carried. The optimiser steps of each are what its budget of
training FLOPs buys. Trained on the train split of generated Sudoku, judged on the test split, at several
depths, each net by a run of its own. JSON on standard output; resumes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import torch
from shared import judged, solved_at

from harness import registry
from harness.scores.statistics import wilson
from solvers.nets.flops import training_flops
from solvers.nets.recipes import Recipe, recipe
from solvers.nets.train.data import TrainingSet
from solvers.nets.train.folder import one_writer
from solvers.nets.train.loop import train
from solvers.nets.weights import files as weights

BLOCKS = {
    "hidden_size": 64,
    "num_heads": 4,
    "expansion": 2.0,
    "L_layers": 2,
    "mlp_t": True,
    "pos_encodings": "none",
}
PLAIN = {"puzzle_emb_len": 0, "puzzle_emb_ndim": 0, "normalised_swiglu": True}
NETS = {
    "trm": {"H_cycles": 2, "L_cycles": 3, "halt_max_steps": 16},
    "looped": {"H_cycles": 1, "L_cycles": 3, "halt_max_steps": 16},
    "transformer": {"halt_max_steps": 1},
}
DEPTHS = (1, 2, 4, 8, 16)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("results/training/recursion"))
    parser.add_argument("--size", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--teraflops", type=float, default=2.0, help="training FLOPs of each run, in units of 1e12"
    )
    parser.add_argument("--train-items", type=int, default=5000)
    parser.add_argument("--test-items", type=int, default=500)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--results-dir", type=Path, help="where the run folders go; default results")
    args = parser.parse_args()
    args.task, args.T, args.data_dir, args.puzzles = "sudoku", [f"size={args.size}"], None, args.test_items
    args.batch_size, args.device = 256, "cpu"
    if args.threads:
        torch.set_num_threads(args.threads)
    task = registry.create("task", "sudoku", {"size": args.size})
    data = TrainingSet.from_items(
        task.load(split="train", seed=0, limit=args.train_items, data_dir=None), task.grid, variants=False
    )
    rows = []
    for seed in range(args.seeds):
        for name in NETS:
            chosen = budgeted(name, task.grid, args.teraflops * 1e12)
            about = {"task": task.name, "size": args.size, "items": args.train_items, "data_seed": 0}
            folder = args.out / f"{name}-{seed}"
            with one_writer(folder):
                ended = train(
                    chosen,
                    data,
                    folder,
                    seed=seed,
                    device=torch.device("cpu"),
                    about=about,
                    report_every=100,
                    say=tell,
                )
            assert ended.weights is not None
            rows.append({"net": name, "seed": seed, **scored(args, name, ended.weights)})
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(json.dumps({"runs": rows, "pooled": pooled(rows, args.test_items)}, indent=2))


def budgeted(name: str, codec: Any, flops: float) -> Recipe:
    """Return the recipe of a net with as many optimiser steps as the FLOPs buy."""
    base = recipe(
        "trm-sudoku-small",
        net=name,
        batch_size=64,
        validation_items=0,
        validate_every=0,
        warmup_steps=20,
        ema=0.97,
    )
    chosen = dataclasses.replace(base, name=f"{name}-equal-flops", config=BLOCKS | PLAIN | NETS[name])
    config = weights.build(
        name, chosen.config | {"vocab_size": codec.vocab_size, "seq_len": codec.length}
    ).config
    return dataclasses.replace(
        chosen, optimiser_steps=round(flops / (training_flops(config) * chosen.batch_size))
    )


def scored(args: argparse.Namespace, name: str, path: Path) -> dict[str, Any]:
    """Return what is solved at every depth the net can be run at, halting off."""
    loaded = weights.load(path)
    depths = DEPTHS if loaded.net.config.halt_max_steps > 1 else DEPTHS[:1]
    result = judged(args, name, weights=path, depths=depths)
    record = loaded.training
    return {
        "parameters": loaded.parameters.stored,
        "optimiser_steps": record["optimiser_steps"],
        "training_flops": record["training_flops"],
        "seconds": record["seconds"],
        "right": {depth: sum(solved_at(result, depth).values()) for depth in depths},
        "planned": result.summary.planned,
        "run": result.path.name,
    }


def pooled(rows: list[dict[str, Any]], planned: int) -> dict[str, Any]:
    """Return each net's accuracy over its seeds with a 95 % Wilson interval of the pooled counts, and the
    range over seeds.
    """
    table = {}
    for name in NETS:
        runs = [row["right"] for row in rows if row["net"] == name]
        for depth in runs[0]:
            counts = [run[depth] for run in runs]
            trials = planned * len(runs)
            low, high = wilson(sum(counts) / trials, trials)
            table[f"{name} depth {depth}"] = {
                "accuracy": sum(counts) / trials,
                "low": low,
                "high": high,
                "seeds": [count / planned for count in counts],
            }
    return table


def tell(line: str) -> None:
    print(line[:160], file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
