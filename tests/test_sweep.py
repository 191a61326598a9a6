"""Sweeps: one command, a folder for each point, one curve; failures and Ctrl-C lose nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli import sweep as cli
from harness.cli.main import dispatch
from harness.errors import UserError
from harness.running.sweep import Sweep, points

MOODY = '''
from dataclasses import dataclass
from harness.contracts import Attempt, SolverCard

@dataclass(frozen=True, kw_only=True)
class Moody:
    """Answer by search, and do as `mood` says."""

    mood: str = "good"

    @property
    def card(self):
        return SolverCard(name="moody", kind="baseline")

    def solve(self, task, puzzles, budget):
        from pathlib import Path
        for puzzle in puzzles:
            for attempt in budget.wanted(puzzle.id):
                if self.mood == "bad":
                    raise ValueError("in a bad mood")
                if self.mood == "away" and not Path("back").exists() and puzzle is puzzles[1]:
                    raise KeyboardInterrupt
                answer = task.methods["search"](puzzle, None)
                yield Attempt(puzzle_id=puzzle.id, attempt=attempt, answer=answer)
'''


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEPTHBENCH_RESULTS", raising=False)
    (tmp_path / "moody.py").write_text(MOODY)


def bench(*more: str, solver: str = "search") -> int:
    return dispatch(["run", "--task", "word-problem", "--solver", solver, "--limit", "3", *more])


def runs() -> list[Path]:
    return sorted(path for path in Path("results/runs").iterdir() if path.is_dir())


def as_json(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_a_sweep_over_a_tasks_option_is_a_folder_for_each_value_and_one_curve(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bench("--sweep", "steps=4,8,16", "--format", "json") == 0
    found = as_json(capsys)
    assert [record["at"] for record in found] == [{"steps": "4"}, {"steps": "8"}, {"steps": "16"}]
    assert [record["row"]["score"] for record in found] == [1.0, 1.0, 1.0]
    assert [record["row"]["task_options"].get("steps", 16) for record in found] == [4, 8, 16]
    assert {record["row"]["run"] for record in found} == {path.name for path in runs()}


def test_two_sweeps_make_a_grid_of_every_pair(capsys: pytest.CaptureFixture[str]) -> None:
    more = ("--sweep", "steps=4,8", "--sweep", "S.name=search,greedy")
    assert bench(*more, solver="method") == 0
    out = capsys.readouterr().out
    assert len(runs()) == 4
    grid = out[out.index("steps ↓") :].splitlines()
    assert "S.name →" in grid[0]
    assert grid[0].split()[-2:] == ["search", "greedy"]
    assert [line.split()[:2] for line in grid[-2:]] == [["4", "100.0"], ["8", "100.0"]]


def test_the_same_command_runs_nothing_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--sweep", "steps=4,8") == 0
    before = [(path / "attempts.jsonl").read_bytes() for path in runs()]
    assert bench("--sweep", "steps=4,8") == 0
    assert [(path / "attempts.jsonl").read_bytes() for path in runs()] == before
    assert "3 of 3 attempts are recorded, complete" in capsys.readouterr().err


def test_a_value_that_the_task_refuses_stops_the_sweep_before_anything_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bench("--sweep", "steps=4,8,100000") == 2
    err = capsys.readouterr().err
    assert "The point steps=100000 of the sweep" in err
    assert "2 to 180" in err
    assert not Path("results").exists()


def test_a_point_that_fails_loses_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--sweep", "S.mood=good,bad,fine", "--format", "json", solver="./moody.py:Moody") == 1
    done = capsys.readouterr()
    found = json.loads(done.out)
    assert [record["row"] and record["row"]["score"] for record in found] == [1.0, None, 1.0]
    assert "in a bad mood" in found[1]["error"]
    assert "the point S.mood=bad failed" in done.err
    assert bench("--sweep", "S.mood=good,bad,fine", solver="./moody.py:Moody") == 1
    assert "failed" in capsys.readouterr().out


def test_ctrl_c_shows_what_there_is_and_the_same_command_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    command = ("--sweep", "S.mood=good,away,fine", "--format", "json")
    assert bench(*command, solver="./moody.py:Moody") == 130
    done = capsys.readouterr()
    assert [record["row"]["outcomes"]["not_run"] for record in json.loads(done.out)] == [0, 2]
    assert "interrupted in point 2 of 3" in done.err
    Path("back").touch()
    assert bench(*command, solver="./moody.py:Moody") == 0
    assert [record["row"]["score"] for record in as_json(capsys)] == [1.0, 1.0, 1.0]
    assert len(runs()) == 3


def test_a_terminal_gets_bars(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert bench("--sweep", "steps=4,8") == 0
    bars = [line for line in capsys.readouterr().out.splitlines() if "█" in line]
    assert [line.split()[0] for line in bars] == ["steps=4", "steps=8"]
    assert all(len(line) <= 80 for line in bars)


def test_a_bar_is_as_long_as_its_score() -> None:
    for eighths in range(8 * cli.BAR + 1):
        bar = cli._bar("x", eighths / (8 * cli.BAR))[25 : 25 + cli.BAR]
        assert len(bar) == cli.BAR
        assert bar.count("█") == eighths // 8
        assert (bar.rstrip("·")[-1:] not in ("█", "")) == (eighths % 8 > 0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("steps", "cannot be read"),
        ("=4", "cannot be read"),
        ("steps=", "cannot be read"),
        ("steps=4,,8", "cannot be read"),
        ("X.steps=4", "cannot be read"),
        (".steps=4", "cannot be read"),
        ("steps=4,8,4", "the value 4 twice"),
    ],
)
def test_a_sweep_that_cannot_be_read_says_why(text: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        Sweep.read(text)


def test_an_option_has_its_values_from_one_place() -> None:
    with pytest.raises(UserError, match="-T steps is given beside --sweep steps"):
        points([Sweep.read("T.steps=4,8")], {"steps": "4"}, {})
    with pytest.raises(UserError, match=r"--sweep S\.depth is given twice"):
        points([Sweep.read("S.depth=1"), Sweep.read("S.depth=2")], {}, {})
    with pytest.raises(UserError, match="3 sweeps"):
        points([Sweep.read(f"{name}=1") for name in "abc"], {}, {})


def test_a_dry_run_shows_one_run() -> None:
    assert bench("--sweep", "steps=4", "--dry-run") == 2
