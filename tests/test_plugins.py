"""Tasks and solvers of others: found by entry point or by file, and a broken one harms nobody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness import registry
from harness.cli.main import dispatch
from harness.errors import UserError
from tests.fakes import EXAMPLES


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that puts a distribution on the path: modules by name, entry points as text."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(distribution: str, entry_points: str, **modules: str) -> None:
        for module, code in modules.items():
            (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(entry_points)

    return put


def test_a_plugin_task_is_listed_and_runs(
    install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = (EXAMPLES / "counting.py").read_text()
    install("count-pack", "[depthbench.tasks]\ncounting = count_plugin:Counting\n", count_plugin=code)
    assert dispatch(["list", "tasks"]) == 0
    assert "Continue an arithmetic sequence" in capsys.readouterr().out
    entry = next(e for e in registry.catalogue("task") if e.name == "counting")
    assert (entry.summary, entry.origin) == ("Continue an arithmetic sequence", "count-pack 1.2")
    arguments = [
        "--task",
        "counting",
        "--solver",
        "search",
        "--limit",
        "3",
        "--results-dir",
        str(tmp_path / "r"),
    ]
    assert dispatch(["run", *arguments]) == 0
    assert "100.0 %" in capsys.readouterr().out


@pytest.mark.parametrize("code", ["import no_such_module_anywhere", "raise RuntimeError('boom')", "x = ("])
def test_a_plugin_that_raises_on_import_is_named_and_breaks_nothing_else(
    install, code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install("bad-pack", "[depthbench.solvers]\nbad = bad_plugin:Solver\n", bad_plugin=code)
    assert dispatch(["list", "solvers"]) == 0
    shown = capsys.readouterr().out
    assert "BROKEN" in shown
    assert "bad-pack 1.2" in shown
    assert dispatch(["list", "recipes"]) == 0
    assert "trm-sudoku-small" in capsys.readouterr().out
    results = ["--results-dir", str(tmp_path / "r")]
    assert dispatch(["run", "--task", "sudoku", "--solver", "search", "--limit", "2", *results]) == 0
    assert dispatch(["run", "--task", "sudoku", "--solver", "bad", "--limit", "2", *results]) == 2
    assert "The solver 'bad' of bad-pack 1.2 cannot be loaded" in capsys.readouterr().err


def test_a_name_that_is_taken_is_refused_and_other_names_work(
    install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("rival", "[depthbench.tasks]\nsudoku = rival_plugin:Sudoku\n", rival_plugin="class Sudoku: ...")
    with pytest.raises(UserError, match=r"task name 'sudoku' is claimed by depthbench and rival 1\.2"):
        registry.find("task", "sudoku")
    assert registry.find("task", "maze")
    assert dispatch(["list", "tasks"]) == 0
    assert "BROKEN: The task name 'sudoku' is claimed" in capsys.readouterr().out


def test_two_plugins_of_one_name_are_refused(install) -> None:
    install("one", "[depthbench.solvers]\nx = one_plugin:X\n", one_plugin="class X: ...")
    install("two", "[depthbench.solvers]\nx = two_plugin:X\n", two_plugin="class X: ...")
    with pytest.raises(UserError, match=r"claimed by (one 1\.2 and two|two 1\.2 and one)"):
        registry.find("solver", "x")


def test_a_file_is_a_plugin_and_its_content_is_part_of_the_configuration(tmp_path: Path) -> None:
    solver = tmp_path / "mine.py"
    solver.write_text((EXAMPLES / "repeat_last.py").read_text())
    command = [
        "run",
        "--task",
        f"{EXAMPLES / 'counting.py'}:Counting",
        "--solver",
        f"{solver}:RepeatLast",
        "--limit",
        "2",
    ]
    command += ["--results-dir", str(tmp_path / "r")]
    assert dispatch(command) == 0
    assert dispatch(command) == 0
    assert len(list((tmp_path / "r" / "runs").iterdir())) == 1
    solver.write_text(solver.read_text() + "# changed\n")
    assert dispatch(command) == 0
    assert len(list((tmp_path / "r" / "runs").iterdir())) == 2


def test_a_file_that_cannot_be_loaded_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("1 / 0")
    with pytest.raises(UserError, match=r"bad\.py cannot be loaded: ZeroDivisionError"):
        registry.find("solver", f"{tmp_path / 'bad.py'}:X")


@pytest.mark.parametrize(
    ("page", "example"),
    [
        ("adding-a-task.md", "counting.py"),
        ("adding-a-solver.md", "repeat_last.py"),
        ("adding-a-net.md", "refiner.py"),
    ],
)
def test_the_code_of_the_how_to_pages_is_the_tested_file(page: str, example: str) -> None:
    assert (EXAMPLES / example).read_text() in (EXAMPLES.parent / page).read_text()


def test_a_registered_place_exists_for_every_name() -> None:
    code = (
        "from harness import registry\n"
        "for kind in registry.OURS:\n"
        "    for name in registry.OURS[kind]:\n"
        "        assert callable(registry.find(kind, name)), name\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
