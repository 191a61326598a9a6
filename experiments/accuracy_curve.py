r"""Accuracy against minutes and training FLOPs: the weights that a training run kept, on the test split, at
several depths.

    bench train --task sudoku-extreme -T held_out=0 --solver trm --recipe trm-sudoku-fast --keep-every 1000 \
      --out RUN
    python experiments/accuracy_curve.py RUN --task sudoku-extreme --depths 1,2,4,8,16

Each file of weights is a run of its own, halting off, so weights that are scored already are only read. A
table on standard output.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from shared import judged, options, solved_at

from harness.errors import UserError
from harness.scores.statistics import wilson
from solvers.nets.weights import files as weights


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("run", type=Path, help="folder of a training run, or one weights file")
    parser.add_argument("--solver", help="of a net that is not registered: path/to/file.py:Class")
    parser.add_argument("--depths", default="1,2,4,8,16", help="supervision steps")
    args = parser.parse_args()
    depths = tuple(sorted({int(depth) for depth in args.depths.split(",")}))
    paths = sorted(args.run.glob("weights*.safetensors"), key=step_of) if args.run.is_dir() else [args.run]
    try:
        if not paths:
            raise UserError(f"{args.run} holds no weights yet.", next_step="Train with --keep-every.")
        for path in paths:
            facts = weights.describe(path, None if args.solver is None else find(args.solver))
            result = judged(args, args.solver or facts["net"], weights=path, depths=depths)
            right = [sum(solved_at(result, depth).values()) for depth in depths]
            print(f"{row(facts, depths, right, result.summary.planned)}  {result.path.name}", flush=True)
    except UserError as error:
        parser.error(str(error))


def find(solver: str) -> Any:
    from harness import registry

    return registry.find("solver", solver)


def step_of(path: Path) -> float:
    """Return the optimiser step in a file's name; the last weights of a run have none."""
    found = re.search(r"-(\d+)$", path.stem)
    return int(found[1]) if found else float("inf")


def row(facts: dict[str, Any], depths: tuple[int, ...], right: list[int], planned: int) -> str:
    """Return one line of the table: step, minutes, PFLOP, accuracy by depth with the interval of the
    deepest.
    """
    low, high = wilson(right[-1] / planned, planned)
    shares = ", ".join(f"{d}: {100 * n / planned:.1f} %" for d, n in zip(depths, right, strict=True))
    step, seconds, flops = (
        facts.get(f"training.{name}") for name in ("optimiser_steps", "seconds", "training_flops")
    )
    minutes = "unknown" if seconds is None else f"{seconds / 60:.1f}"
    pflop = "unknown" if flops is None else f"{flops / 1e15:.4g}"
    interval = f"({100 * low:.1f}–{100 * high:.1f})"
    return f"step {step}, {minutes} min, {pflop} PFLOP: {shares} {interval} of {planned:,}"


if __name__ == "__main__":
    main()
