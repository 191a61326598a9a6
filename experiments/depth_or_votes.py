"""Depth or votes: what the same supervision steps buy, spent on one deep rollout or on several shallow ones
that vote.

    python experiments/depth_or_votes.py --weights FILE --task sudoku-extreme --puzzles 1000 --steps 128

Arms: one undisturbed rollout of growing depth; rollouts with noise of each standard deviation; rollouts
that start from symmetric copies. Rollouts have the depth the net was trained with, the first is
undisturbed, halting is off. Their answers are chosen by vote, and with `--select vote halt` also by the
best halting logit. Each point is a run of its own; the deep rollout is one with a curve. One JSON line an
arm and number of steps, with the puzzles that it alone solves and those that depth alone solves, and the
name of the run.
"""

from __future__ import annotations

import json
from argparse import BooleanOptionalAction
from pathlib import Path
from typing import Any

from shared import judged, options, solved, solved_at

from harness.errors import UserError
from harness.scores.statistics import wilson
from solvers.nets.weights import files as weights


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=128, help="the most supervision steps a puzzle may use")
    parser.add_argument(
        "--noise", type=float, nargs="*", default=[0.3, 1.0], help="standard deviations, an arm each"
    )
    parser.add_argument("--symmetries", action=BooleanOptionalAction, default=True)
    parser.add_argument("--select", nargs="+", choices=["vote", "halt"], default=["vote"])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    try:
        compare(args)
    except UserError as error:
        parser.error(str(error))


def compare(args: Any) -> None:
    """Run the arms and print their lines. Raises UserError if the question makes no sense for the weights,
    task or numbers.
    """
    loaded = weights.load(args.weights)
    if loaded.net.stochastic or loaded.table is not None:
        raise UserError(
            f"{args.weights} has no undisturbed rollout of a single puzzle.",
            rule="Stochastic nets and ids are out.",
        )
    trained = loaded.net.config.halt_max_steps
    if args.steps < trained:
        raise UserError(f"--steps {args.steps}.", rule=f"One rollout has {trained} steps.")
    # numbers of rollouts, or of times as deep
    doublings = [2**k for k in range((args.steps // trained).bit_length())]
    deep = judged(
        args, loaded.name, args.seed, weights=args.weights, depths=tuple(trained * n for n in doublings)
    )
    by_depth = {n: solved_at(deep, trained * n) for n in doublings}
    for n, marks in by_depth.items():
        tell(args, "depth", "one", trained * n, marks, marks, deep.path.name)
    arms: dict[str, dict[str, Any]] = {f"noise {std}": {"noise": std} for std in args.noise}
    arms |= {"symmetries": {"augment": True}} if args.symmetries else {}
    for name, changes in arms.items():
        for n in doublings[1:]:  # one rollout is the undisturbed one
            for select in args.select:
                chosen = {"depth": trained, "samples": n, "select": select, **changes}
                result = judged(args, loaded.name, args.seed, weights=args.weights, **chosen)
                tell(args, name, select, trained * n, solved(result), by_depth[n], result.path.name)


def tell(
    args: Any, arm: str, select: str, steps: int, here: dict[str, bool], depth: dict[str, bool], run: str
) -> None:
    """Print the counts of one arm after so many steps, and the pairs with one rollout of as many."""
    low, high = wilson(sum(here.values()) / len(here), len(here))
    line = {
        "weights": args.weights.name,
        "arm": arm,
        "select": select,
        "steps": steps,
        "correct": sum(here.values()),
        "planned": len(here),
        "interval": [round(low, 4), round(high, 4)],
        "solved_here_only": sum(here[puzzle] and not depth[puzzle] for puzzle in here),
        "solved_by_depth_only": sum(depth[puzzle] and not here[puzzle] for puzzle in here),
        "run": run,
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
