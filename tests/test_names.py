"""Other people's tasks, solvers and harness: Depthbench works beside them, or names the file in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.ours import NAMES
from harness.registry import load_file
from tests.conftest import ROOT

LISTS = ["list", "tasks"]


def python(
    *words: str, cwd: Path, path: tuple[Path, ...] = (ROOT,), **env: str
) -> subprocess.CompletedProcess[str]:
    whole = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), **env}
    return subprocess.run([sys.executable, *words], cwd=cwd, env=whole, capture_output=True, text=True)


def take(name: str, folder: Path, *, kind: str) -> Path:
    """Make a user's own module of a name; return its file."""
    file = folder / f"{name}.py" if kind == "file" else folder / name / "__init__.py"
    if kind == "namespace":
        file = folder / name / "mine.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("MINE = True\n", encoding="utf-8")
    return file


@pytest.mark.parametrize("kind", ["folder", "file", "namespace"])
@pytest.mark.parametrize(
    "form",
    [("-m", "depthbench"), ("-P", "-m", "depthbench"), ("-m", "torch.distributed.run", "-m", "depthbench")],
    ids=["module", "safe", "torchrun"],
)
def test_it_works_beside_ones_own_folders_of_these_names(
    tmp_path: Path, form: tuple[str, ...], kind: str
) -> None:
    if "torch.distributed.run" in form and kind != "folder":
        pytest.skip("one kind is enough for what takes long to start")
    for name in NAMES:
        take(name, tmp_path, kind=kind)
    done = python(*form, *LISTS, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "sudoku-extreme" in done.stdout


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_the_module_within_works_beside_ones_own_tasks_and_solvers(tmp_path: Path, kind: str) -> None:
    for name in ("tasks", "solvers"):
        take(name, tmp_path, kind=kind)
    done = python("-m", "harness.cli.main", "task", "show", "sudoku", "-T", "size=4", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Reference answer" in done.stdout


@pytest.mark.parametrize("kind", ["folder", "file"])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_taken_on_the_path_is_one_sentence_with_the_file(tmp_path: Path, name: str, kind: str) -> None:
    file = take(name, tmp_path / "theirs", kind=kind)
    script = tmp_path / "script.py"  # as the console script, whose folder is not the working directory
    script.write_text("from depthbench import main\nmain()\n", encoding="utf-8")
    for form in (["-m", "depthbench"], [str(script)]):
        done = python(*form, *LISTS, cwd=tmp_path / "theirs", path=(tmp_path / "theirs", ROOT))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"bench: The name {name!r} is taken by {file}. ")
        assert f"Take {tmp_path / 'theirs'} off PYTHONPATH" in done.stderr
        assert done.stderr.count("\n") == 1


def test_an_installed_distribution_that_has_the_name_is_named(tmp_path: Path) -> None:
    file = take("tasks", tmp_path / "site", kind="folder")
    info = tmp_path / "site" / "others-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n", encoding="utf-8")
    (info / "RECORD").write_text("tasks/__init__.py,,\n", encoding="utf-8")
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); import depthbench; depthbench.main()"
    done = python("-c", code, cwd=tmp_path)
    assert done.returncode == 2
    assert f"is taken by {file}" in done.stderr
    assert "Uninstall 'others'" in done.stderr


def test_from_python_beside_ones_own_tasks_the_file_is_named(tmp_path: Path) -> None:
    file = take("tasks", tmp_path, kind="folder")
    script = tmp_path / "mine.py"
    code = "import tasks\nfrom harness import run\nrun(task='sudoku', solver='search', limit=1)\n"
    script.write_text(code, encoding="utf-8")
    done = python(str(script), cwd=tmp_path)
    assert f"UserError: The name 'tasks' is taken by {file}" in done.stderr
    assert "Rename it" in done.stderr


def test_a_plug_in_that_wants_its_own_tasks_is_told_whose_they_are(tmp_path: Path) -> None:
    file = tmp_path / "plug.py"
    file.write_text("import tasks.of_mine\n", encoding="utf-8")
    with pytest.raises(
        UserError, match=r"harness, solvers, tasks are Depthbench's own packages\. Name yours"
    ):
        load_file(file)


def test_a_working_directory_that_is_gone_is_no_hindrance(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    code = f"import os; gone = {str(gone)!r}; os.mkdir(gone); os.chdir(gone); os.rmdir(gone); import sys; "
    start = "import depthbench; sys.argv = ['bench', 'list', 'tasks']; depthbench.main()"
    # as the script `bench` starts: CPython 3.13.0 itself fails after a bare -c that finds no folder
    done = python("-P", "-c", code + start, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
