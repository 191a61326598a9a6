"""The benchmarks that count answers, against the solver's own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness import registry
from harness.contracts import Budget
from solvers.nets.weights import files as weights

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
PUZZLES = 30


def run(name: str, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / name), *map(str, words)], capture_output=True, text=True
    )


def correct(path: Path, **options: Any) -> int:
    """Return how many puzzles the solver itself gets right."""
    task = registry.create("task", "sudoku", {"difficulty": "hard"})
    items = task.load(split="test", seed=0, limit=PUZZLES, data_dir=None)
    solver = registry.create("solver", "trm", {"weights": path, "halt": "never", "device": "cpu", **options})
    item = {puzzle.id: (puzzle, key) for puzzle, key in items}
    attempts = solver.solve(task, [puzzle for puzzle, _ in items], Budget())
    return sum(task.judge(*item[attempt.puzzle_id], attempt.answer).correct for attempt in attempts)


@pytest.mark.slow
def test_nets_times_both_sides_and_says_what_memory_they_took() -> None:
    weights_file = weights.SHIPPED / "trm-sudoku-6x6.safetensors"
    done = run("nets.py", "--device", "cpu", "--rounds", 1, "--batch-size", 2, "--weights", weights_file,
               "-T", "difficulty=hard", "--puzzles", PUZZLES)  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    parameters = 4 * 5_028_866  # bytes; AdamW keeps two more copies, and there are gradients
    for side in ("plain", "ours"):
        assert report["training"][side]["optimiser_steps_per_second"] > 0
        assert report["training"][side]["peak_bytes"] > 4 * parameters
    inference = report["inference"]
    assert inference["same_answers"] == inference["puzzles"] == PUZZLES
    assert inference["plain"]["correct"] == correct(weights_file)
    assert inference["mean_supervision_steps"]["ours"] < inference["mean_supervision_steps"]["plain"]
