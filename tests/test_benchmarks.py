"""The benchmarks that count answers, against the solver's own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import registry
from harness.contracts import Budget
from solvers.nets.weights import files as weights

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
PUZZLES = 30


@pytest.fixture(scope="module")
def shallow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 6×6 weights as a net that was trained with one supervision step of one cycle: fast, and often
    wrong.
    """
    net = weights.load(weights.SHIPPED / "trm-sudoku-6x6.safetensors").net
    config = vars(net.config) | {"halt_max_steps": 1, "H_cycles": 1}
    made = weights.build("trm", config)
    path = tmp_path_factory.mktemp("weights") / "shallow.safetensors"
    weights.save(path, net_name="trm", net=made, state=net.state_dict(), record={}, dtype=torch.float32)
    return path


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


def test_depth_or_votes_counts_what_the_solver_answers(shallow: Path) -> None:
    done = run("depth_or_votes.py", "--weights", shallow, "--task", "sudoku", "-T", "difficulty=hard",
    "--puzzles", PUZZLES,
               "--steps", 2, "--noise", 0.5, "--device", "cpu")  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = {
        (line["arm"], line["select"], line["steps"]): line
        for line in map(json.loads, done.stdout.splitlines())
    }
    assert len(lines) == 2 + 2 * 3 * 2
    assert {line["planned"] for line in lines.values()} == {PUZZLES}
    found = {where: line["correct"] for where, line in lines.items()}
    assert 0 < found["depth", "one", 1] < PUZZLES
    for depth in (1, 2):
        assert found["depth", "one", depth] == correct(shallow, depth=depth)
    for select in ("vote", "halt"):
        assert found["symmetries", select, 2] == correct(
            shallow, depth=1, samples=2, augment=True, select=select
        )
        assert found["noise 0.5", select, 2] == correct(shallow, depth=1, samples=2, noise=0.5, select=select)
    for (_, _, steps), line in lines.items():
        gained = line["solved_here_only"] - line["solved_by_depth_only"]
        assert gained == line["correct"] - found["depth", "one", steps]
    assert found["symmetries", "any", 2] >= found["symmetries", "vote", 2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "maze-unique"], r"is for 8 symbols in 36 cells"),
        (["--task", "sudoku", "--puzzles", 0], "0 puzzles"),
        (["--task", "sudoku", "--steps", 0], "--steps 0"),
        (["--task", "sudoku", "--noise", "much"], "invalid float value: 'much'"),
    ],
)
def test_depth_or_votes_refuses_what_makes_no_sense(shallow: Path, words: list[object], message: str) -> None:
    done = run("depth_or_votes.py", "--weights", shallow, "--puzzles", 3, *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_accuracy_curve_counts_what_the_solver_answers_and_goes_on_where_it_stopped(
    shallow: Path,
) -> None:
    words = ("accuracy_curve.py", shallow, "--task", "sudoku", "-T", "difficulty=hard", "--puzzles", PUZZLES,
             "--depths", "1,2", "--device", "cpu")  # fmt: skip
    first = run(*words)
    assert first.returncode == 0, first.stderr
    (line,) = [json.loads(line) for line in (shallow.parent / "curve.jsonl").read_text().splitlines()]
    assert line["right"] == [correct(shallow, depth=depth) for depth in (1, 2)]
    assert run(*words).stdout == first.stdout
    # what is scored is not scored again
    assert len((shallow.parent / "curve.jsonl").read_text().splitlines()) == 1


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
