"""Puzzles loaded by a process of their own: the same items, and the same errors when it cannot."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.contracts import SolverCard
from harness.errors import UserError
from harness.records.schema import RunSpec
from harness.running import loading, plan
from harness.running.loading import Ahead, Wanted, load_items
from tasks.sudoku.generated import Sudoku

WANTED = Wanted(split="test", seed=3, limit=4, sample_ids=(), data_dir=None)
OPTIONS = {"size": "4"}


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "processors", lambda: 2)


def test_the_items_are_those_loaded_here() -> None:
    with Ahead("sudoku", OPTIONS, WANTED) as ahead:
        assert ahead.items() == load_items(Sudoku(size=4), **WANTED)


@pytest.mark.parametrize("task", ["sudoku", "no-such-task"])
def test_what_cannot_be_loaded_there_is_left_to_be_loaded_here(task: str) -> None:
    wanted: Wanted = {**WANTED, "split": "no-such-split"}
    with Ahead(task, OPTIONS, wanted) as ahead:
        assert ahead.items() is None


def test_one_processor_loads_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "processors", lambda: 1)
    with Ahead("sudoku", OPTIONS, WANTED) as ahead:
        assert ahead.items() is None


PRINTING = """
        import os
        print('making puzzles')
        os.system('echo making puzzles')
"""
LINEAR_ALGEBRA = """
        from scipy.linalg import det
        assert round(det([[2, 1], [1, 3]])) == 5
"""


@pytest.mark.parametrize("before", [PRINTING, LINEAR_ALGEBRA], ids=["prints", "uses linear algebra"])
def test_a_task_of_ones_own_is_loaded_there(tmp_path: Path, before: str) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "from tasks.sudoku.generated import Sudoku\n"
        "class Own(Sudoku):\n"
        f"    def load(self, **wanted):{before}"
        "        return super().load(**wanted)\n"
    )
    with Ahead(f"{file}:Own", OPTIONS, WANTED) as ahead:
        assert ahead.items() == load_items(Sudoku(size=4), **WANTED)


def test_leaving_early_ends_the_process() -> None:
    started: list[subprocess.Popen[bytes]] = []

    def leave() -> None:
        with Ahead("sudoku", OPTIONS, {**WANTED, "limit": 100_000}) as ahead:
            assert ahead._process is not None
            started.append(ahead._process)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    assert started[0].returncode == -signal.SIGKILL


@pytest.mark.parametrize("ending", ["os._exit(0)", "os.write(3, b'not a pickle'); os._exit(0)"])
def test_a_task_that_ends_the_process(tmp_path: Path, ending: str) -> None:
    file = tmp_path / "rude.py"
    file.write_text(
        "import os\nfrom tasks.sudoku.generated import Sudoku\nclass Rude(Sudoku):\n    def load(self, "
        f"**wanted):\n        {ending}\n"
    )
    with Ahead(f"{file}:Rude", OPTIONS, WANTED) as ahead:
        assert ahead.items() is None


def test_the_process_ends_with_the_one_that_asked() -> None:
    with Ahead("sudoku", OPTIONS, {**WANTED, "limit": 10_000_000}) as ahead:
        assert ahead._process is not None
        assert ahead._process.stdin is not None
        ahead._process.stdin.close()
        assert ahead._process.wait(60) == 1


def test_the_process_runs_the_code_of_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).resolve().parent.parent
    for file in (file for name in ("harness", "tasks") for file in (root / name).rglob("*.py")):
        copy = tmp_path / file.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text().replace('f"{split}-{seed}', 'f"new-{split}-{seed}'))
    monkeypatch.syspath_prepend(tmp_path)
    with Ahead("sudoku", OPTIONS, WANTED) as ahead:
        items = ahead.items()
    assert items is not None
    assert items[0][0].id.startswith("new-")


class Slow:
    """A solver that imports much."""

    card = SolverCard(name="slow", kind="baseline", deterministic=True)
    slow_imports = ("this_package_is_not_there", "imported_by_the_test")

    def solve(self, *_: Any) -> Any:
        return iter(())


@pytest.mark.parametrize("named", [True, False])
def test_a_plan_imports_ahead_and_holds_those_puzzles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    (tmp_path / "imported_by_the_test.py").write_text("loaded = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(Sudoku, "slow_imports", ("not_imported_yet",))  # whatever ran before this test
    here: list[object] = []
    monkeypatch.setattr(plan, "load_items", lambda *a, **k: here.append(a) or load_items(*a, **k))
    made = plan.plan_run(
        RunSpec(
            "sudoku" if named else Sudoku(size=4),
            Slow(),
            task_options=OPTIONS if named else None,
            results_dir=tmp_path,
            **{**WANTED, "split": None},
        )
    )
    assert list(made.items.values()) == load_items(Sudoku(size=4), **WANTED)
    assert ("imported_by_the_test" in sys.modules, len(here)) == ((True, 0) if named else (False, 1))
    sys.modules.pop("imported_by_the_test", None)


def test_a_mistake_reads_the_same(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no-such-puzzle"):
        plan.plan_run(
            RunSpec(
                "sudoku",
                Slow(),
                task_options=OPTIONS,
                results_dir=tmp_path,
                **{**WANTED, "sample_ids": ["no-such-puzzle"]},
            )
        )


def test_the_process_is_told_everything_on_standard_input() -> None:
    done = subprocess.run([sys.executable, "-P", "-m", loading.__name__], input=b"", capture_output=True)
    assert done.returncode
    assert b"EOFError" in done.stderr
