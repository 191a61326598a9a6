"""The experiments: they count what the solver answers, and leave run folders."""

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
from tests import warm

EXPERIMENTS = Path(__file__).resolve().parent.parent / "experiments"
PUZZLES = 20


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
    return warm.run(
        [sys.executable, str(EXPERIMENTS / name), *map(str, words)], capture_output=True, text=True
    )


def correct(path: Path, **options: Any) -> int:
    """Return how many puzzles the solver itself gets right."""
    task = registry.create("task", "sudoku", {"difficulty": "hard"})
    items = task.load(split="test", seed=0, limit=PUZZLES, data_dir=None)
    solver = registry.create("solver", "trm", {"weights": path, "halt": "never", "device": "cpu", **options})
    item = {puzzle.id: (puzzle, key) for puzzle, key in items}
    attempts = solver.solve(task, [puzzle for puzzle, _ in items], Budget())
    return sum(task.judge(*item[attempt.puzzle_id], attempt.answer).correct for attempt in attempts)


def test_depth_or_votes_counts_what_the_solver_answers(shallow: Path, tmp_path: Path) -> None:
    done = run("depth_or_votes.py", "--weights", shallow, "--task", "sudoku", "-T", "difficulty=hard",
               "--puzzles", PUZZLES, "--steps", 2, "--noise", 0.5, "--select", "vote", "halt",
               "--device", "cpu", "--results-dir", tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = {
        (line["arm"], line["select"], line["steps"]): line
        for line in map(json.loads, done.stdout.splitlines())
    }
    assert len(lines) == 2 + 2 * 2
    assert {line["planned"] for line in lines.values()} == {PUZZLES}
    found = {where: line["correct"] for where, line in lines.items()}
    assert 0 < found["depth", "one", 1] < PUZZLES
    for depth in (1, 2):
        assert found["depth", "one", depth] == correct(shallow, depth=depth)
    assert found["symmetries", "vote", 2] == correct(shallow, depth=1, samples=2, augment=True, select="vote")
    assert found["noise 0.5", "halt", 2] == correct(shallow, depth=1, samples=2, noise=0.5, select="halt")
    for (_, _, steps), line in lines.items():
        gained = line["solved_here_only"] - line["solved_by_depth_only"]
        assert gained == line["correct"] - found["depth", "one", steps]
    folders = {path.name for path in (tmp_path / "runs").iterdir()}
    assert folders == {line["run"] for line in lines.values()}
    assert len(folders) == 1 + 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "maze-unique"], r"is for 8 symbols in 36 cells"),
        (["--task", "sudoku", "--puzzles", 0], "limit is 0"),
        (["--task", "sudoku", "--steps", 0], "--steps 0"),
        (["--task", "sudoku", "--noise", "much"], "invalid float value: 'much'"),
    ],
)
def test_depth_or_votes_refuses_what_makes_no_sense(
    shallow: Path, words: list[object], message: str, tmp_path: Path
) -> None:
    done = run("depth_or_votes.py", "--weights", shallow, "--puzzles", 3, "--results-dir", tmp_path, *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_accuracy_curve_counts_what_the_solver_answers_and_goes_on_where_it_stopped(
    shallow: Path, tmp_path: Path
) -> None:
    words = ("accuracy_curve.py", shallow, "--task", "sudoku", "-T", "difficulty=hard", "--puzzles", PUZZLES,
             "--depths", "1,2", "--device", "cpu", "--results-dir", tmp_path)  # fmt: skip
    first = run(*words)
    assert first.returncode == 0, first.stderr
    for depth in (1, 2):
        assert f"{depth}: {100 * correct(shallow, depth=depth) / PUZZLES:.1f} %" in first.stdout
    (folder,) = (tmp_path / "runs").iterdir()
    lines = (folder / "attempts.jsonl").read_bytes()
    assert run(*words).stdout == first.stdout
    assert (folder / "attempts.jsonl").read_bytes() == lines  # what is scored is not scored again


def test_recursion_or_scale_trains_equal_budgets_and_leaves_a_run_for_each_net(tmp_path: Path) -> None:
    done = run("recursion_or_scale.py", "--out", tmp_path / "training", "--results-dir", tmp_path,
               "--seeds", 1, "--teraflops", 0.01, "--train-items", 40,
               "--test-items", 5, "--threads", 1)  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [row["net"] for row in report["runs"]] == ["trm", "looped", "transformer"]
    assert len({row["parameters"] for row in report["runs"]}) <= 2  # to a latent
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {row["run"] for row in report["runs"]}
    assert report["pooled"]["looped depth 16"]["seeds"] == [report["runs"][1]["right"]["16"] / 5]
