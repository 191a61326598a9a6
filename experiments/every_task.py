"""A language model on every task there is: solved examples first, then N puzzles each, every outcome booked.

    python experiments/every_task.py -S model=local/smollm2 -S max_tokens=160 -S temperature=0 --puzzles 20

Each task is a run of its own (`-S strategy=few-shot -S prompt=brief`), so that a run that was stopped goes
on. Examples are of the train split, at most `--shots`, fewer where they would be longer than `--characters`
in all; a task without such a split is asked without any (`-S strategy=direct`). One JSON line a task: what
was planned, outcomes, scores, mean tokens of prompt and reply, and the name of the run.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from harness import registry, run
from harness.errors import DepthbenchError, UserError
from harness.options import parse_pairs
from harness.running.loading import load_items
from solvers.llm.cli.examples import shot


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-S", action="append", default=[], metavar="NAME=VALUE", help="an option of llm")
    parser.add_argument("--puzzles", type=int, default=20, help="of each task")
    parser.add_argument("--shots", type=int, default=3)
    parser.add_argument("--characters", type=int, default=3000)
    parser.add_argument("--max-connections", type=int)
    parser.add_argument("--tasks", nargs="+", help="those to ask; all if left out")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--results-dir", type=Path, default=Path("results"))
    args = parser.parse_args()
    for name in args.tasks or sorted(registry.names("task")):
        try:
            line = asked(args, name)
        except DepthbenchError as error:  # data that is not here, an extra that is not installed
            line = {"error": " ".join(str(error).split())}
        print(json.dumps({"task": name, **line}), flush=True)


def asked(args: argparse.Namespace, name: str) -> dict[str, Any]:
    file, count = args.results_dir / "examples" / f"{name}.json", 0
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        count = write_examples(args, name, file)
        how = {"strategy": "few-shot", "prompt": "brief", "examples": file}
    except UserError:
        how = {"strategy": "direct"}
    result = run(
        name,
        "llm",
        solver_options=parse_pairs(args.S, "-S") | how,
        limit=args.puzzles,
        max_connections=args.max_connections,
        data_dir=args.data_dir,
        results_dir=args.results_dir,
    )
    summary, attempts = result.summary, result.folder.attempts()
    tokens = {
        kind: [found for a in attempts if (found := getattr(a.usage, f"{kind}_tokens")) is not None]
        for kind in ("input", "output")
    }
    return {
        "planned": summary.planned,
        "shots": count,
        "outcomes": {outcome: n for outcome, n in summary.outcomes.items() if n},
        "scores": {metric.name: metric.score for metric in summary.metrics},
        "tokens": {kind: sum(found) / len(found) if found else None for kind, found in tokens.items()},
        "run": result.path.name,
    }


def write_examples(args: argparse.Namespace, name: str, file: Path) -> int:
    """Write as many examples as fit, at least one; return how many. Raises UserError if there are none."""
    task = registry.create("task", name, {})
    if "train" not in task.splits[1:]:
        raise UserError(f"{name} has no train split beside the one that is tested.")
    items = load_items(task, split="train", seed=0, limit=args.shots, sample_ids=[], data_dir=args.data_dir)
    shots = [shot(task, *item) for item in items]
    sizes = [len(example["prompt"] + example["reply"]) for example in shots]
    fitting = max([1, *(n for n in range(1, len(shots) + 1) if sum(sizes[:n]) <= args.characters)])
    file.write_text(json.dumps(shots[:fitting], indent=1), encoding="utf-8")
    return fitting


if __name__ == "__main__":
    main()
