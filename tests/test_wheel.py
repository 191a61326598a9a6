"""The wheel holds what the checkout holds, and works where there is no checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("harness", "solvers", "tasks")
EASY = ["--task", "sudoku", "-T", "size=4", "--limit", "5"]
COMMANDS = (
    ["--version"], ["--help"], ["list", "tasks"], ["list", "solvers"], ["list", "recipes"],
    ["list", "options", "--task", "maze", "--solver", "trm"], ["task", "show", "sudoku", "-T", "size=4"],
    ["run", *EASY, "--solver", "search"], ["run", *EASY, "--solver", "random"],
    ["run", "--task", "sudoku", "--limit", "5", "--solver", "trm"],
    ["run", "--task", "arc1", "--solver", "copy-input", "--limit", "3"],
    ["leaderboard"], ["leaderboard", "--published"], ["show", "search"], ["score", "search"],
    ["reprice", "--usd-per-device-hour", "2"], ["export", "arc1"], ["cache", "list"],
    ["weights", "show", "{weights}"], ["weights", "list"],
    ["train", "--task", "sudoku", "-T", "size=4", "--solver", "trm", "--recipe", "trm-sudoku-tiny",
     "-R", "optimiser_steps=2", "-R", "batch_size=8", "-R", "train_items=16", "-R", "validation_items=0"],
)  # fmt: skip


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel of this checkout, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (made,) = folder.iterdir()
    return made


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    here = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert here <= held
    assert {name for name in held - here if ".dist-info/" not in name} == {"depthbench.py"}
    for needed in ("harness/scores/published.csv", *(f"{package}/py.typed" for package in PACKAGES)):
        assert needed in held
    assert any(name.startswith("harness/books/prices/") and name.endswith(".json") for name in held)
    assert any(name.endswith(".safetensors") for name in held)


def test_an_editable_install_points_at_the_checkout_and_copies_no_module(tmp_path: Path) -> None:
    code = f"from hatchling.build import build_editable; print(build_editable({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    (made,) = tmp_path.iterdir()
    with zipfile.ZipFile(made) as archive:
        held = archive.namelist()
        assert not [name for name in held if name.endswith(".py")]  # a copy would stand beside no package
        (pointer,) = (name for name in held if name.endswith(".pth"))
        assert {Path(line) for line in archive.read(pointer).decode().split()} == {ROOT}


def test_the_command_that_this_environment_installed_starts() -> None:
    command = Path(sys.executable).with_name("bench")
    if not command.is_file():
        pytest.skip("bench is not installed beside this Python: pip install -e .")
    done = subprocess.run([str(command), "--version"], capture_output=True, text=True, encoding="utf-8")
    assert done.stdout.startswith("depthbench "), done.stderr


def test_the_version_is_said_once_and_the_pythons_are_those_that_are_tested() -> None:
    import harness

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dynamic"] == ["version"]
    assert project["scripts"]["bench"] == "depthbench:main"
    assert harness.__version__.count(".") == 2
    for minor in (11, 12, 13):
        assert f"Programming Language :: Python :: 3.{minor}" in project["classifiers"]


def python_of(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def bench(environment: Path, words: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the installed `bench` where no checkout is in sight."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "DEPTHBENCH"))}
    clean["DEPTHBENCH_CACHE"] = str(cwd / "cache")
    command = [str(python_of(environment).with_name("bench")), *words]
    return subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True)


def weights_in(environment: Path) -> str:
    return str(next(environment.rglob("trm-sudoku-6x6.safetensors")))


def test_what_is_installed_from_it_finds_its_files_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "venv"
    venv.create(place, with_pip=False)
    install = ["--python", str(python_of(place)), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([sys.executable, "-m", "pip", *install, str(wheel)], check=True, capture_output=True)
    (site,) = place.rglob("site-packages")
    borrowed = sysconfig.get_path("purelib")  # the packages that this one needs, but not its .pth files
    (site / "borrowed.pth").write_text(f"{borrowed}\n", encoding="utf-8")
    for words in (["leaderboard", "--published"],
                  ["run", "--task", "sudoku", "--solver", "trm", "--limit", "3"],
                  ["reprice"], ["new", "task", "odd"]):  # fmt: skip
        done = bench(place, words, tmp_path)
        assert done.returncode == 0, (words, done.stderr)
    code = "import harness, solvers, tasks; print(*(m.__file__ for m in (harness, solvers, tasks)))"
    found = subprocess.run(
        [python_of(place), "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTHON")},
    )  # fmt: skip
    assert all(Path(file).is_relative_to(place.resolve()) for file in found.stdout.split())


@pytest.mark.slow
def test_every_command_works_in_a_fresh_environment(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "venv"
    venv.create(place, with_pip=False)
    install = ["--python", str(python_of(place)), "install", "--quiet", "--disable-pip-version-check"]
    constraints = os.environ.get("DEPTHBENCH_TEST_CONSTRAINTS", str(ROOT / "constraints.txt"))
    subprocess.run(
        [sys.executable, "-m", "pip", *install, "--constraint", constraints, str(wheel)],
        check=True,
        cwd=tmp_path,
    )
    for words in COMMANDS:
        done = bench(place, [word.format(weights=weights_in(place)) for word in words], tmp_path)
        assert done.returncode == 0, (words, done.stderr)
        assert "Warning" not in done.stderr, (words, done.stderr)
