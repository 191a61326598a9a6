"""Depth or votes: what the same supervision steps buy, spent on one deep rollout or on several shallow ones
that vote.

    python benchmarks/depth_or_votes.py --weights FILE --task sudoku-extreme --data-dir DATA --puzzles 1000
    --steps 128

Arms: one undisturbed rollout of growing depth; rollouts with noise of each standard deviation; rollouts that
start from symmetric copies. Rollouts have the depth the net was trained with, the first is undisturbed,
halting is off. Their answers are chosen by vote and by the best halting logit; "any" counts a puzzle if one
rollout solves it, which is no way to choose. One JSON line an arm and number of steps, with the puzzles that
it alone solves and those that depth alone solves.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from harness import registry
from harness.contracts import Item
from harness.errors import UserError
from harness.options import parse_pairs
from harness.scores.statistics import wilson
from solvers.nets.infer import engine
from solvers.nets.infer.rollouts import NoiseSeeds, Rollouts, rank
from solvers.nets.solver import NetSolver
from solvers.nets.weights import files as weights

Solved = dict[tuple[str, int], list[bool]]
"""Which puzzles are solved, by way of choosing and supervision steps."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("-T", action="append", default=[], metavar="NAME=VALUE", help="an option of the task")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--puzzles", type=int, help="the first so many of the test split; all if left out")
    parser.add_argument("--steps", type=int, default=128, help="the most supervision steps a puzzle may use")
    parser.add_argument(
        "--noise", type=float, nargs="*", default=[0.3, 1.0], help="standard deviations, an arm each"
    )
    parser.add_argument("--symmetries", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    try:
        compare(args)
    except UserError as error:
        parser.error(str(error))


def compare(args: argparse.Namespace) -> None:
    """Run the arms and print their lines. Raises UserError if the question makes no sense for the weights,
    task or numbers.
    """
    task = registry.create("task", args.task, parse_pairs(args.T, "-T"))
    items = task.load(split="test", seed=0, limit=args.puzzles, data_dir=args.data_dir)
    loaded = weights.load(args.weights)
    if loaded.net.stochastic or loaded.table is not None:
        raise UserError(
            f"{args.weights} has no undisturbed rollout of a single puzzle.",
            rule="Stochastic nets and ids are out.",
        )
    kind: type[NetSolver] = registry.find("solver", loaded.name)
    kind(weights=args.weights).for_task(task)  # says so if the weights are for another task
    trained = loaded.net.config.halt_max_steps
    if args.steps < trained or not items:
        raise UserError(
            f"--steps {args.steps}, {len(items)} puzzles.",
            rule=f"One rollout has {trained} steps; at least one puzzle.",
        )
    # numbers of rollouts, or of times as deep
    doublings = [2**k for k in range((args.steps // trained).bit_length())]
    shared: dict[str, Any] = {"batch_size": args.batch_size, "device": args.device, "halt": "never"}
    arms = {"depth": kind(depth=trained * doublings[-1], **shared)}
    if len(doublings) > 1:
        many = {"samples": doublings[-1], "depth": trained, **shared}
        arms |= {f"noise {std}": kind(noise=std, **many) for std in args.noise}
        arms |= {"symmetries": kind(augment=True, **many)} if args.symmetries else {}
    deep: Solved = {}
    for name, chosen in arms.items():
        solved = outcomes(loaded, task, items, chosen, doublings, trained, args.seed)
        deep = deep or solved
        for (select, steps), marks in solved.items():
            print(
                json.dumps({"weights": args.weights.name, "arm": name, **line(select, steps, marks, deep)}),
                flush=True,
            )


def outcomes(
    loaded: weights.Loaded,
    task: Any,
    items: Sequence[Item],
    chosen: NetSolver,
    doublings: list[int],
    trained: int,
    seed: int,
) -> Solved:
    """Answer the items; say which are solved after so many supervision steps."""
    puzzles = [puzzle for puzzle, _ in items]
    rollouts = Rollouts(
        puzzles, task.grid, chosen, seed=seed, table=loaded.table, stochastic=loaded.net.stochastic
    )
    device = torch.device(chosen.device)
    finished = engine.run(
        loaded.net,
        rollouts,
        ids=rollouts.ids,
        depths=[trained * n for n in doublings] if chosen.samples == 1 else [trained],
        halt="never",
        batch_size=chosen.batch_size,
        dtype=torch.bfloat16 if device.type == "cuda" else torch.float32,
        device=device,
        noise=chosen.noise,
        noise_seeds=NoiseSeeds(rollouts),
    )
    by_puzzle: dict[int, list[engine.Finished]] = defaultdict(list)
    for job in finished:
        by_puzzle[rollouts.place(job.job)[0]].append(job)
    solved: Solved = defaultdict(list)
    for index, item in enumerate(items):
        done = sorted(by_puzzle[index], key=lambda job: job.job)
        if chosen.samples == 1:
            for depth, tokens in done[0].tokens_at.items():
                solved["one", depth].append(task.judge(*item, rollouts.answer(done[0].job, tokens)).correct)
            continue
        for n in doublings:
            for select in ("vote", "halt"):
                ranked = rank(done[:n], rollouts, select)  # type: ignore[arg-type]
                solved[select, trained * n].append(task.judge(*item, ranked[0][0]).correct)
            solved["any", trained * n].append(any(task.judge(*item, answer).correct for answer, _ in ranked))
    return solved


def line(select: str, steps: int, marks: list[bool], deep: Solved) -> dict[str, Any]:
    """Return the counts of one arm after so many steps, and the pairs with one rollout of as many."""
    low, high = wilson(sum(marks) / len(marks), len(marks))
    pairs = list(zip(marks, deep["one", steps], strict=True))
    return {
        "select": select,
        "steps": steps,
        "correct": sum(marks),
        "planned": len(marks),
        "interval": [round(low, 4), round(high, 4)],
        "solved_here_only": sum(here and not there for here, there in pairs),
        "solved_by_depth_only": sum(there and not here for here, there in pairs),
    }


if __name__ == "__main__":
    main()
