"""`bench new`: what it writes runs, is tested and keeps the rules before a line of it was changed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from harness import run, scaffold
from harness.cli.main import dispatch
from harness.errors import UserError
from tests.conftest import ROOT

MADE = [("task", "mirror-row", "MirrorRow"), ("solver", "lucky-draw", "LuckyDraw")]


@pytest.mark.parametrize(("kind", "name", "made"), MADE)
def test_a_new_package_keeps_the_rules_at_once(
    kind: str, name: str, made: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / name
    assert dispatch(["new", kind, name, "--into", str(folder)]) == 0
    place = f"{folder / name.replace('-', '_') / kind}.py:{made}"
    assert dispatch(["check", kind, place, *(["-T", "size=4"] if kind == "solver" else [])]) == 0
    assert "all kept" in capsys.readouterr().out
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, attribute = project["entry-points"][f"depthbench.{kind}s"][name].partition(":")
    assert (folder / f"{module.replace('.', '/')}.py").exists()
    assert attribute == made


@pytest.mark.parametrize(("kind", "name"), [words[:2] for words in MADE])
def test_the_test_of_a_new_package_passes(kind: str, name: str, tmp_path: Path) -> None:
    scaffold.write(kind, name, tmp_path / name)  # type: ignore[arg-type]
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(
        words,
        cwd=tmp_path / name,
        env={"PYTHONPATH": f"{ROOT}:{tmp_path / name}", "PATH": "/usr/bin:/bin"},
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_new_task_is_played_by_its_methods(tmp_path: Path) -> None:
    scaffold.write("task", "mirror-row", tmp_path / "new")
    task = f"{tmp_path}/new/mirror_row/task.py:MirrorRow"
    scores = {
        solver: run(task=task, solver=solver, limit=20, results_dir=tmp_path).summary.metrics
        for solver in ("search", "random", "greedy")
    }
    assert [found[0].score for found in scores.values()] == [1, 0, 0]


@pytest.mark.parametrize("name", ["row", "row-of-four-2", "a1"])
@pytest.mark.parametrize("kind", ["task", "solver"])
def test_what_is_written_is_python(kind: str, name: str, tmp_path: Path) -> None:
    for path in scaffold.write(kind, name, tmp_path / name):  # type: ignore[arg-type]
        text = path.read_text(encoding="utf-8")
        assert "$" not in text
        assert max(map(len, text.splitlines())) <= 130
        if path.suffix == ".py":
            compile(text, str(path), "exec")
            assert max(map(len, text.splitlines())) <= 110


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("sudoku", "There is a task 'sudoku' already"),
        ("Sudoku", "cannot be the name of a task"),
        ("a" * 41, "at most 40"),
        ("../evil", "cannot be the name"),
        ("", "cannot be the name"),
        ("json", "module of that name"),
        ("harness", "module of that name"),
        ("class", "a word of Python"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=told):
        scaffold.write("task", name, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="is there already"):
        scaffold.write("solver", "lucky-draw", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
