"""Odd surroundings: other encodings, closed or full streams, no home, an install nobody may write."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.fakes import EXAMPLES

ROOMS = ("harness", "solvers", "tasks", "benchmarks", "scripts", "experiments")
COUNTING = ["--task", f"{EXAMPLES / 'counting.py'}:Counting", "--limit", "12"]
LOTTERY = [*COUNTING, "--solver", f"{Path(__file__).parent / 'fakes.py'}:Lottery"]


def without_encoding() -> Iterator[str]:
    """Yield the places in our code that read or write text and leave its encoding to the machine."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                owner = getattr(getattr(node.func, "value", None), "id", "")
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                if name == "read_text" and any(not isinstance(value, ast.Constant) for value in node.args):
                    continue  # a function of ours
                told = [
                    value.value for value in (*node.args, *given.values()) if isinstance(value, ast.Constant)
                ]
                opens = (
                    name == "open"
                    and owner != "os"
                    and any(re.fullmatch(r"[rwax]t?\+?", str(w)) for w in told)
                )
                reads = name == "open" and isinstance(node.func, ast.Name) and len(node.args) == 1
                text = name in ("read_text", "write_text") or opens or (reads and "mode" not in given)
                piped = getattr(given.get("text"), "value", None) is True
                if (
                    (text or piped)
                    and "encoding" not in given
                    and not {"utf-8", "utf-8-sig"} & set(map(str, told))
                ):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}"


def test_no_text_file_is_read_or_written_in_the_encoding_of_the_machine() -> None:
    assert not list(without_encoding()), "give encoding="


def bench(*words: str, cwd: Path, shell: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Run `bench`; `shell` is what a shell adds behind the command, such as `>&-`."""
    command = [sys.executable, "-m", "depthbench", *words]
    whole = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    return subprocess.run(
        ["sh", "-c", f"{shlex.join(command)} {shell}"], cwd=cwd, env=whole, capture_output=True, text=True,
        encoding="utf-8", errors="replace",
    )  # fmt: skip


def recorded(folder: Path) -> int:
    (lines,) = (folder / "results" / "runs").rglob("attempts.jsonl")
    return len(lines.read_text(encoding="utf-8").splitlines())


def in_one_process(
    commands: list[list[str]], cwd: Path, before: str = "", options: tuple[str, ...] = (), **env: str
) -> subprocess.CompletedProcess[str]:
    """Run commands one after another, as `bench` would each, after some code; stop where one fails."""
    code = (
        f"{before}\nimport sys; from harness.cli import streams; from harness.cli.main import dispatch\n"
        f"streams.prepare()\nfor words in {commands!r}:\n"
        "    if dispatch(words): sys.exit(f'{words} failed')\nsys.exit(streams.finish(0))"
    )
    return subprocess.run(
        [sys.executable, *options, "-c", code], cwd=cwd, capture_output=True, text=True, encoding="utf-8",
        errors="replace", env={**os.environ, "PYTHONPATH": str(ROOT), **env},
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "ascii:strict"])
def test_what_the_output_cannot_hold_is_written_plainly(tmp_path: Path, encoding: str) -> None:
    commands = [
        ["run", *LOTTERY], ["leaderboard"], ["leaderboard", "--published"], ["list", "tasks"],
        ["list", "recipes"], ["show", "lottery"], ["task", "show", "sudoku", "-T", "size=4"],
        ["task", "show", "maze"], ["run", "--help"], ["leaderboard", "--format", "csv"],
    ]  # fmt: skip
    done = in_one_process(commands, tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    if encoding.startswith("ascii"):
        assert "30x30" in done.stdout
        shown = bench("list", "tasks", "--format", "json", cwd=tmp_path, PYTHONIOENCODING=encoding).stdout
        assert "30\\u00d730" in shown
        assert "30×30" in str(json.loads(shown)), "nothing is lost for a machine"


@pytest.mark.parametrize("locale", ["C", "en_US.ISO-8859-1"])
def test_the_locale_changes_nothing(tmp_path: Path, locale: str) -> None:
    env = {"LC_ALL": locale, "LANG": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert bench("run", *LOTTERY, cwd=tmp_path, **env).returncode == 0
    done = bench("leaderboard", "--published", "--format", "json", cwd=tmp_path, **env)
    assert (done.returncode, done.stderr) == (0, "")
    usual = bench("leaderboard", "--published", "--format", "json", cwd=tmp_path)
    assert json.loads(done.stdout) == json.loads(usual.stdout)


def test_nothing_of_ours_leaves_an_encoding_to_python(tmp_path: Path) -> None:
    strict = "error', category=EncodingWarning, module=r'(harness|solvers|tasks)\\b"
    weights = next((ROOT / "solvers").rglob("trm-sudoku-6x6.safetensors"))
    commands = [
        ["run", *LOTTERY], ["leaderboard", "--published"], ["show", "lottery"], ["score", "lottery"],
        ["reprice"], ["run", "--task", "sudoku", "--solver", "trm", "--limit", "2"],
        ["weights", "show", str(weights)],
    ]  # fmt: skip
    before = f"import warnings; warnings.filterwarnings('{strict}')"
    done = in_one_process(commands, tmp_path, before, ("-X", "warn_default_encoding"))
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a shell's redirections")
@pytest.mark.parametrize("shell", [">&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_a_run_whose_streams_are_closed_or_full_records_everything(tmp_path: Path, shell: str) -> None:
    done = bench("run", *LOTTERY, cwd=tmp_path, shell=shell)
    assert done.returncode == 0, done.stderr
    assert recorded(tmp_path) == 12
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "words", [["leaderboard", "--published"], ["list", "tasks"], ["--help"], ["--version"]]
)
def test_an_output_that_is_full_is_said_in_one_sentence(tmp_path: Path, words: list[str]) -> None:
    done = bench(*words, cwd=tmp_path, shell=">/dev/full")
    assert done.returncode == 1
    assert done.stderr == "bench: Standard output cannot be written: No space left on device.\n"


@pytest.mark.skipif(os.name == "nt", reason="a shell's pipe")
@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_a_reader_that_leaves_is_no_error_to_tell(tmp_path: Path, form: str) -> None:
    done = bench("leaderboard", "--published", "--format", form, cwd=tmp_path, shell="| head -1")
    assert (done.returncode, done.stderr) == (0, "")
    assert bench("run", *LOTTERY, cwd=tmp_path, shell="| true").returncode == 0
    assert recorded(tmp_path) == 12


NOBODY = """
import os, pwd
for name in ("HOME", "XDG_CACHE_HOME", "DEPTHBENCH_CACHE"):
    os.environ.pop(name, None)
def nobody(*user): raise KeyError(user)
pwd.getpwuid = pwd.getpwnam = nobody
"""


@pytest.mark.skipif(os.name == "nt", reason="no user ids")
def test_a_user_without_home_and_name_is_a_user(tmp_path: Path) -> None:
    (tmp_path / "replies.json").write_text('{"test-0-0": "1"}', encoding="utf-8")
    train = ["train", "--task", "sudoku", "-T", "size=4", "--solver", "trm", "--recipe", "trm-sudoku-tiny"]
    few = ("optimiser_steps=1", "batch_size=4", "train_items=4", "validation_items=0")
    commands = [
        ["list", "tasks"], ["run", *LOTTERY], ["run", "--task", "sudoku", "--solver", "trm", "--limit", "2"],
        ["cache", "list"], ["weights", "list"], ["task", "show", "maze"], ["leaderboard"],
        ["run", *COUNTING, "--solver", "llm", "-S", "model=replies.json", "-S", "provider=replay"],
        [*train, *(word for option in few for word in ("-R", option))],
    ]  # fmt: skip
    done = in_one_process(commands, tmp_path, NOBODY, TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.name == "nt", reason="no user ids")
@pytest.mark.parametrize("option", ["--results-dir", "--data-dir"])
def test_a_home_that_nobody_knows_is_a_mistake_to_tell(tmp_path: Path, option: str) -> None:
    done = in_one_process([["run", *LOTTERY, option, "~/x"]], tmp_path, NOBODY)
    assert "Traceback" not in done.stderr
    assert "bench: " in done.stderr
