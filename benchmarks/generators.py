"""Measure how fast puzzles are made, solved, copied and parsed; print one JSON object. Each figure is the
median of three runs.

    python benchmarks/generators.py [--data-dir DIR]

Compiled code is warmed up before the clock starts. `ratio` is the rate over the rate the project promises (1
or more is kept).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.contracts import Budget, Puzzle, Task
from solvers.baselines import CopyInput, Search
from tasks.arc.public import Arc1, Arc2
from tasks.maze.generated import Maze, MazeUnique
from tasks.maze.hard import MazeHard
from tasks.sudoku.extreme import SudokuExtreme
from tasks.sudoku.generated import Sudoku
from tasks.sudoku.grid import SudokuGrid


def seconds(work: Callable[[], Any], repeat: int = 3) -> float:
    """Return the median wall time of `work`, after one unmeasured call."""
    work()
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def rate(count: int, work: Callable[[], Any], promised: float | None = None) -> dict[str, float]:
    """Return items per second, and over what is promised."""
    per_second = count / seconds(work)
    return {"per_second": round(per_second, 1)} | (
        {"ratio": round(per_second / promised, 2)} if promised else {}
    )


def _parsing_seconds(task: Task, piece: str, puzzle: Puzzle) -> float:
    return seconds(lambda: task.parse(piece * (10**6 // len(piece)), puzzle))


def solve(task: Any, solver: Any, data_dir: Path | None) -> int:
    """Load the whole first split, solve and judge it; return how many are correct."""
    items = task.load(split=task.splits[0], seed=0, limit=None, data_dir=data_dir)
    keys = {puzzle.id: (puzzle, key) for puzzle, key in items}
    attempts = solver.solve(task, [puzzle for puzzle, _ in items], Budget(attempts=task.attempts))
    return sum(task.judge(*keys[attempt.puzzle_id], attempt.answer).correct for attempt in attempts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data-dir",
        type=Path,
        help="local copies of Sudoku-Extreme and Maze-Hard; without it they are left out",
    )
    data_dir = parser.parse_args().data_dir
    made: dict[str, Any] = {}
    recipes: dict[str, tuple[Any, int, float | None]] = {
        "sudoku 6x6 hard": (Sudoku(), 1000, 500),
        "sudoku 9x9 hard": (Sudoku(size=9), 100, None),
        "maze-unique 9x9": (MazeUnique(height=9, width=9), 1000, None),
        "maze 30x30, 109 moves or more": (Maze(height=30, width=30, min_length=109), 100, 100),
    }
    for name, (task, count, promised) in recipes.items():
        for split in ("test", "train"):
            work = lambda: task.load(split=split, seed=1, limit=count, data_dir=None)  # noqa: B023, E731
            made[f"{name} {split}"] = rate(count, work, promised)
    results: dict[str, Any] = {"made": made}
    results["copied (load, solve, judge)"] = {
        task.name: {"seconds": round(seconds(lambda: solve(task, CopyInput(), None), 1), 2)}  # noqa: B023
        for task in (Arc1(), Arc2())
    }
    codec, rng = SudokuGrid(9), np.random.default_rng(0)
    results["768 symmetries of 9x9, ms"] = round(1000 * seconds(lambda: codec.symmetries(rng, 768), 9), 2)
    any_puzzle = Puzzle(id="p", group="p", split="s", payload={})
    junk = ["[", "[[1],", "1234\n", "```answer\n", "<think>", "\\boxed{", " ", "x"]
    results["1 MB of junk parsed, worst ms"] = {
        task.name: round(1000 * max(_parsing_seconds(task, piece, any_puzzle) for piece in junk), 1)
        for task in (Sudoku(size=4), MazeUnique(height=5, width=5), Arc1())
    }
    if data_dir:
        results["solved (load, search, judge)"] = {}
        for task, count in ((SudokuExtreme(), 10_000), (MazeHard(), 1000)):
            correct = solve(task, Search(), data_dir)
            results["solved (load, search, judge)"][task.name] = {
                "correct": correct,
                **rate(count, lambda: solve(task, Search(), data_dir), 1000 if count == 10_000 else None),  # noqa: B023
            }
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
