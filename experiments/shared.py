"""What the experiments have in common: options, runs, and which puzzles a run solved."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import RunResult, run
from harness.options import parse_pairs


def options(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that say on what and where: a task, its options, data and results."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", required=True)
    parser.add_argument("-T", action="append", default=[], metavar="NAME=VALUE", help="an option of the task")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--results-dir", type=Path, help="where the run folders go; default results")
    parser.add_argument("--puzzles", type=int, help="the first so many of the test split; all if left out")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--device", default="auto")
    return parser


def judged(args: argparse.Namespace, solver: Any, seed: int = 0, **chosen: Any) -> RunResult:
    """Run a net on the test split as asked, halting off; what is recorded already is not run again."""
    shared = {"batch_size": args.batch_size, "device": args.device, "halt": "never"}
    return run(
        args.task,
        solver,
        task_options=parse_pairs(args.T, "-T"),
        solver_options=shared | chosen,
        split="test",
        seed=seed,
        limit=args.puzzles,
        data_dir=args.data_dir,
        results_dir=args.results_dir,
    )


def solved(result: RunResult) -> dict[str, bool]:
    """Return whether each puzzle was solved."""
    return {a.puzzle: _correct(a.numbers) for a in result.folder.attempts()}


def solved_at(result: RunResult, depth: int) -> dict[str, bool]:
    """Return whether each puzzle was solved after so many supervision steps, of a run with `depths`."""
    return {
        a.puzzle: _correct(next(point.numbers for point in a.trace if point.depth == depth))
        for a in result.folder.attempts()
    }


def _correct(numbers: Mapping[str, float] | None) -> bool:
    return bool(numbers and numbers["correct"])
