"""Run folders of every age and in every state: old ones go on, damaged and foreign ones are left out by name,
and reading needs no right to write.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import run, score
from harness.cli.main import dispatch
from harness.contracts import Attempt, Budget, Puzzle, SolverCard, TaskView
from harness.errors import UserError
from harness.records.find import find_run, scan
from harness.records.folder import RunFolder
from harness.records.schema import SCHEMA, SUMMARY_SCHEMA
from harness.scores.summary import summary_of
from solvers.llm.providers.replay import read_replies
from tests.fakes import Counting, Lottery, RepeatLast

OLD = Path(__file__).parent / "fixtures" / "runs_schema_1"
COMMANDS = {
    "arc1_copy-input": "--task arc1 --solver copy-input --limit 3",
    "maze-unique_trm": "--task maze-unique --solver trm --limit 3",
    "maze_search": "--task maze --solver search --limit 3",
    "sudoku_llm": "--task sudoku -T size=4 --solver llm -S model=replies.json -S provider=replay --limit 4",
    "sudoku_random": "--task sudoku -T size=4 --solver random --limit 4",
    "sudoku_trm": "--task sudoku --solver trm -S depths=1,2,4 -S halt=never --limit 3",
}
"""What each committed folder was made with, by the middle of its name."""


@pytest.fixture
def old_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the committed folders, as the results folder of the current one."""
    monkeypatch.delenv("DEPTHBENCH_RESULTS", raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(OLD, tmp_path / "results" / "runs")
    shutil.copy(OLD / "replies.json", tmp_path)
    return tmp_path / "results"


def bench(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    found = dispatch(list(words))
    out, err = capsys.readouterr()
    assert found == code, err
    return out, err


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_of_schema_1_is_read_listed_shown_and_judged_again(
    name: str, old_runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = find_run(name, old_runs)
    before = [attempt.outcome for attempt in folder.attempts()]
    rows = {row["run"]: row for row in json.loads(bench(capsys, "leaderboard", "--format", "json")[0])}
    assert rows[folder.name]["outcomes"]["not_run"] == (2 if name == "sudoku_random" else 0)
    shown = json.loads(bench(capsys, "show", folder.name, "--format", "json")[0])
    assert [line["outcome"] for line in shown] == before
    assert len(before) == (2 if name == "sudoku_random" else rows[folder.name]["planned"])
    _, err = bench(capsys, "score", folder.name)
    assert f"{len(before)} recorded attempts judged again, 0 changed." in err
    assert [attempt.outcome for attempt in folder.attempts()] == before


@pytest.mark.parametrize("name", COMMANDS)
def test_the_same_command_goes_on_in_a_folder_of_schema_1(
    name: str, old_runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = find_run(name, old_runs)
    recorded = folder.attempts()
    lines = folder.attempts_path.read_bytes()
    _, err = bench(capsys, "run", *COMMANDS[name].split(), "--format", "json")
    assert folder.name in err
    assert len(list((old_runs / "runs").glob("20*"))) == len(COMMANDS)
    assert folder.attempts()[: len(recorded)] == recorded
    assert summary_of(folder).complete
    if name == "sudoku_random":  # it was stopped after two attempts of four, in the middle of a line
        whole = lines[: lines.rfind(b"\n") + 1]
        assert len(whole) < len(lines)
        added = folder.attempts_path.read_bytes().removeprefix(whole).splitlines()
        assert [json.loads(line)["schema"] for line in added] == [SCHEMA, SCHEMA]
    else:
        assert folder.attempts_path.read_bytes() == lines


def test_a_summary_of_an_older_schema_is_made_anew(old_runs: Path) -> None:
    folder = find_run("maze_search", old_runs)
    assert json.loads(folder.summary_path.read_bytes())["schema"] < SUMMARY_SCHEMA
    assert summary_of(folder).headline.score == 1.0
    assert json.loads(folder.summary_path.read_bytes())["schema"] == SUMMARY_SCHEMA


def test_an_answer_that_schema_1_left_out_was_the_empty_one(old_runs: Path) -> None:
    folder = find_run("arc1", old_runs)
    lines = [json.loads(line) for line in folder.attempts_path.read_bytes().splitlines()]
    del lines[0]["answer"]
    folder.attempts_path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert folder.attempts()[0].answer == []
    assert score(folder).summary.outcomes["wrong"] == 6


def test_an_old_answer_of_numbers_with_a_point_is_judged_as_whole_numbers(old_runs: Path) -> None:
    folder = find_run("sudoku_trm", old_runs)
    text = folder.attempts_path.read_text()
    floats = re.sub(r'"answer":(\[\[.*?\]\])', lambda m: '"answer":' + re.sub(r"(\d)", r"\1.0", m[1]), text)
    assert '"answer":[[1.0,' in floats
    folder.attempts_path.write_text(floats)
    assert score(folder).summary.outcomes["correct"] == 3
    assert "[[1.0," in folder.attempts_path.read_text(), "what was recorded stays as it was"


def test_sessions_that_cannot_be_read_cost_the_time_they_took_and_nothing_else(
    old_runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    find_run("maze_search", old_runs).sessions_path.write_bytes(b"\x00\xff\n[]\n")
    _, err = bench(capsys, "run", *COMMANDS["maze_search"].split())
    assert ": 0 s in all" in err


def solver_of(fields: dict[str, Any], **values: Any) -> Any:
    """Return a solver called "growing" with these options and their defaults."""

    class Growing:
        @property
        def card(self) -> SolverCard:
            return SolverCard(name="growing", kind="baseline")

        def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
            yield from (Attempt(puzzle_id=p.id, answer=0) for p in puzzles for _ in budget.wanted(p.id))

    Growing.__annotations__ = {name: type(value).__name__ for name, value in fields.items()}
    for name, value in fields.items():
        setattr(Growing, name, value)
    return dataclass(frozen=True, kw_only=True)(Growing)(**values)


def path_of(solver: Any, results: Path, task: Any = None) -> Path:
    return run(task or Counting(), solver, limit=2, results_dir=results).path


def test_an_option_that_is_added_or_removed_orphans_no_run(tmp_path: Path) -> None:
    first = path_of(solver_of({"size": 3}), tmp_path)
    assert path_of(solver_of({"size": 3, "new": 1}), tmp_path) == first
    other = path_of(solver_of({"size": 3, "new": 1}, new=2), tmp_path)
    assert other != first
    assert path_of(solver_of({"size": 3, "new": 1}), tmp_path) == first
    assert path_of(solver_of({}), tmp_path) == first
    assert path_of(solver_of({"size": 3, "new": 1}, new=2), tmp_path) == other


def test_an_option_whose_default_changes_is_another_run_and_the_old_value_finds_the_old_one(
    tmp_path: Path,
) -> None:
    first = path_of(solver_of({"size": 3}), tmp_path)
    assert path_of(solver_of({"size": 4}), tmp_path) != first
    assert path_of(solver_of({"size": 4}, size=3), tmp_path) == first


def test_a_dial_that_is_added_to_a_task_orphans_no_run(tmp_path: Path) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Later(Counting):
        backwards: bool = False

    first = path_of(RepeatLast(), tmp_path)
    assert path_of(RepeatLast(), tmp_path, Later()) == first
    assert path_of(RepeatLast(), tmp_path, Later(backwards=True)) != first


def test_fresh_is_the_newest_of_the_same_run_whatever_its_schema(old_runs: Path) -> None:
    again: dict[str, Any] = {"task_options": {"size": 4}, "limit": 4, "results_dir": old_runs}
    fresh = run("sudoku", "random", **again, fresh=True).path
    assert fresh.name not in {path.name for path in OLD.iterdir()}
    assert run("sudoku", "random", **again).path == fresh


def record(folder: Path, **changes: Any) -> None:
    found = json.loads((folder / "run.json").read_bytes())
    (folder / "run.json").write_text(json.dumps(found | changes))


def drop(folder: Path, *names: str) -> None:
    found = json.loads((folder / "run.json").read_bytes())
    at = found
    for name in names[:-1]:
        at = at[name]
    del at[names[-1]]
    (folder / "run.json").write_text(json.dumps(found))


def line(folder: Path, text: str) -> None:
    with (folder / "attempts.jsonl").open("a", encoding="utf-8", newline="\n") as file:
        file.write(text + "\n")


USUAL = '"schema":2,"puzzle":"test-0-0","attempt":0,"outcome":"correct"'
DAMAGES: dict[str, Callable[[Path], Any]] = {
    "an empty object": lambda f: (f / "run.json").write_text("{}"),
    "a list": lambda f: (f / "run.json").write_text("[1, 2]"),
    "no JSON": lambda f: (f / "run.json").write_text("not json"),
    "binary": lambda f: (f / "run.json").write_bytes(bytes(range(256))),
    "nothing": lambda f: (f / "run.json").write_bytes(b""),
    "nested too deep": lambda f: (f / "run.json").write_text("[" * 100_000),
    "another tool's": lambda f: (f / "run.json").write_text(
        '{"schema": 1, "version": 2, "status": "success", "eval": {"task": "x"}}'
    ),
    "no schema": lambda f: drop(f, "schema"),
    "a newer schema": lambda f: record(f, schema=SCHEMA + 1),
    "a schema that is none": lambda f: record(f, schema="two"),
    "no task": lambda f: drop(f, "task"),
    "no reference": lambda f: drop(f, "solver", "reference"),
    "a task that is a word": lambda f: record(f, task="counting"),
    "no puzzles": lambda f: drop(f, "puzzles"),
    "lists of different lengths": lambda f: record(f, puzzles={"ids": ["a", "b"], "difficulty": [None]}),
    "no metric": lambda f: record(f, metrics=[]),
    "an unknown kind of metric": lambda f: record(f, metrics=[{"name": "x", "over": "moon"}]),
    "a metric of a number nobody gave": lambda f: record(f, metrics=[{"name": "x", "number": "y"}]),
    "an infinite seed": lambda f: (f / "run.json").write_text(
        (f / "run.json").read_text().replace('"seed": 0', '"seed": 1e999')
    ),
    "no attempts": lambda f: record(f, attempts_per_puzzle=0),
    "a folder in its place": lambda f: ((f / "run.json").unlink(), (f / "run.json").mkdir()),
    "no run.json": lambda f: (f / "run.json").unlink(),
    "a line that is no JSON": lambda f: line(f, "rubbish"),
    "a line of a newer schema": lambda f: line(f, '{"schema":99}'),
    "a line that is a list": lambda f: line(f, "[]"),
    "a line without an attempt": lambda f: line(f, '{"schema":2,"puzzle":"test-0-0","outcome":"wrong"}'),
    "a line of no known outcome": lambda f: line(f, "{" + USUAL.replace("correct", "lucky") + "}"),
    "a line without numbers": lambda f: line(f, "{" + USUAL + "}"),
    "a line with numbers of words": lambda f: line(f, "{" + USUAL + ',"numbers":{"correct":"yes"}}'),
    "a line with infinite usage": lambda f: line(
        f, "{" + USUAL + ',"numbers":{"correct":1},"usage":{"usd":1e999}}'
    ),
    "a line with NaN": lambda f: line(f, "{" + USUAL + ',"numbers":{"correct":NaN}}'),
    "a line with a trace of words": lambda f: line(
        f, "{" + USUAL + ',"numbers":{"correct":1},"trace":["deep"]}'
    ),
    "a line of a puzzle that was not planned": lambda f: line(
        f, '{"schema":2,"puzzle":"stranger","attempt":0,"outcome":"refused"}'
    ),
    "binary attempts": lambda f: (f / "attempts.jsonl").write_bytes(bytes(range(256)) * 3),
    "verdicts of a newer schema": lambda f: (f / "verdicts.jsonl").write_text('{"schema": 99}\n'),
    "verdicts that are no JSON": lambda f: (f / "verdicts.jsonl").write_text("{}\nrubbish\n"),
}


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of a finished run, beside another in the results of the current folder."""
    monkeypatch.delenv("DEPTHBENCH_RESULTS", raising=False)
    monkeypatch.chdir(tmp_path)
    run(Counting(), RepeatLast(), limit=3, results_dir="results")
    return run(Counting(), Lottery(), limit=3, results_dir="results").path


LINES_ONLY = ("line", "metric of a number", "attempts", "verdicts")  # what only reading the lines shows


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_folder_is_left_out_by_name_and_takes_no_other_down(
    damage: str, beside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    DAMAGES[damage](beside)
    for words in (["leaderboard", "--format", "json"], ["reprice", "--format", "json"]):
        if words[0] == "reprice" and damage in (
            "a metric of a number nobody gave",
            "a line of a puzzle that was not planned",
        ):
            continue  # what was paid stands in the lines, whatever they scored
        out, err = bench(capsys, *words, code=1)
        assert f"Left out {beside.name}: " in err, words
        assert [row["solver"] for row in json.loads(out)] == ["repeat-last"], words
    if any(word in damage for word in LINES_ONLY):
        return
    assert [found.folder.name for found in scan("results") if found.problem] == [beside.name]
    for words in (["show", beside.name], ["score", beside.name], ["export", beside.name]):
        _, err = bench(capsys, *words, code=2)
        assert str(beside) in err, words
        assert "Traceback" not in err
    before = content(beside)
    usual = ["--task", f"{Path(__file__).parent.parent / 'docs/examples/counting.py'}:Counting"]
    _, err = bench(capsys, "run", *usual, "--solver", "search", "--limit", "2", "--format", "json")
    assert run(Counting(), Lottery(), limit=3, results_dir="results").path != beside
    assert content(beside) == before


@pytest.mark.parametrize("damage", [d for d in DAMAGES if d.startswith("a line")] + ["binary attempts"])
def test_replies_of_a_damaged_run_are_refused_with_a_sentence(damage: str, beside: Path) -> None:
    DAMAGES[damage](beside)
    if damage == "a line of a puzzle that was not planned":
        assert "stranger" in read_replies(beside)
        return
    with pytest.raises(UserError, match=r"attempts\.jsonl, line \d+ is"):
        read_replies(beside)


def test_folders_that_hold_nothing_of_ours_are_no_runs(
    beside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (beside.parent / "notes").mkdir()
    (beside.parent / "notes" / "readme.md").write_text("mine")
    (beside.parent / ".DS_Store").write_bytes(b"\x00")
    (beside.parent / "gone").symlink_to("nowhere")
    (beside.parent / "round").symlink_to("round")
    assert len(json.loads(bench(capsys, "leaderboard", "--format", "json")[0])) == 2


def bound(words: Sequence[str], *, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to which file permissions apply, though a superuser runs the tests."""

    def give_up_privileges() -> None:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            ctypes.CDLL(None).prctl(24, capability)  # PR_CAPBSET_DROP

    return subprocess.run(
        [sys.executable, "-m", "harness.cli.main", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        preexec_fn=give_up_privileges if os.geteuid() == 0 else None,
    )


@pytest.fixture
def read_only(beside: Path) -> Iterator[Path]:
    """Return a run in a results folder in which nothing may be written, with no summary stored."""
    words = ["--task", "sudoku", "-T", "size=4", "--solver", "copy-input", "--limit", "2"]
    assert dispatch(["run", *words]) == 0
    beside = find_run("copy-input").path
    (beside / "summary.json").unlink()
    everything = [beside.parent, *beside.parent.rglob("*")]
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield beside
    for path in everything:
        path.chmod(0o755)


def test_a_run_that_may_only_be_read_is_read_by_every_command_and_stays_as_it_is(read_only: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in read_only.parent.rglob("*")}
    for words in (
        ["leaderboard", "--format", "json"],
        ["show", read_only.name, "--format", "json"],
        ["reprice", "--format", "json"],
    ):
        done = bound(words)
        assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
        assert json.loads(done.stdout)
    for words in (
        ["score", read_only.name],
        ["run", "--task", "sudoku", "--solver", "search", "--limit", "1"],
    ):
        done = bound(words)
        assert done.returncode == 2, done.stderr
        assert "annot" in done.stderr  # be written, or be made
        assert "Permission denied" in done.stderr
        assert "Traceback" not in done.stderr
    assert {path: path.stat().st_mtime_ns for path in read_only.parent.rglob("*")} == before


@pytest.mark.parametrize("part", ["run.json", "attempts.jsonl", ""])
def test_what_may_not_be_read_is_left_out_by_name(part: str, beside: Path) -> None:
    target = beside / part
    mode = stat.S_IMODE(target.stat().st_mode)
    target.chmod(0)
    try:
        done = bound(["leaderboard", "--format", "json"])
    finally:
        target.chmod(mode)
    assert done.returncode == 1
    assert f"Left out {beside.name}: " in done.stderr
    assert "Permission denied" in done.stderr
    assert [row["solver"] for row in json.loads(done.stdout)] == ["repeat-last"]


def test_a_complete_run_needs_no_right_to_write_to_be_shown_by_its_own_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["run", "--task", "sudoku", "-T", "size=4", "--solver", "search", "--limit", "2"]
    assert dispatch(words) == 0
    runs = tmp_path / "results" / "runs"
    everything = [runs, *runs.rglob("*")]
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        done = bound([*words, "--format", "json"])
    finally:
        for path in everything:
            path.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["score"] == 1.0


NOBODY = """
import os, pwd, sys
def unknown(*_): raise KeyError("getpwuid(): uid not found")
pwd.getpwuid = pwd.getpwnam = unknown
os.environ.pop("HOME", None)
from harness.cli.main import dispatch
sys.exit(dispatch(sys.argv[1:]))
"""


def test_a_user_without_a_home_or_a_name_can_run_and_read(tmp_path: Path) -> None:
    def as_nobody(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", NOBODY, *words], capture_output=True, text=True, cwd=tmp_path
        )

    ran = as_nobody("run", "--task", "sudoku", "-T", "size=4", "--solver", "search", "--limit", "2")
    assert ran.returncode == 0, ran.stderr
    shown = as_nobody("leaderboard", "--format", "json")
    assert len(json.loads(shown.stdout)) == 1
    lost = as_nobody("leaderboard", "--results-dir", "~/results")
    assert (lost.returncode, lost.stderr.count("Traceback")) == (2, 0), lost.stderr


def test_a_dry_run_writes_nothing_and_removes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "replies.json").write_text('{"test-0-0": "no idea"}')
    words = [
        "run",
        "--task",
        "sudoku",
        "-T",
        "size=4",
        "--solver",
        "llm",
        "-S",
        "model=replies.json",
        "-S",
        "provider=replay",
        "--limit",
        "2",
    ]
    bench(capsys, *words, "--dry-run")
    assert [path.name for path in tmp_path.iterdir()] == ["replies.json"]
    bench(capsys, *words)
    (folder,) = (tmp_path / "results" / "runs").iterdir()
    before = content(folder)
    bench(capsys, *words, "--dry-run")
    assert content(folder) == before
    (folder.parent / "foreign").mkdir()
    (folder.parent / "foreign" / "run.json").write_text("{}")
    price = ["-S", "usd_per_million_input=1", "-S", "usd_per_million_output=1"]
    _, err = bench(capsys, *words, *price, "--dry-run")
    assert "Left out foreign: " in err


def test_a_summary_is_fresh_by_content_and_never_by_time(tmp_path: Path) -> None:
    folder = run(Counting(), Lottery(), limit=30, results_dir=tmp_path).folder
    assert folder.summary() is not None
    for path in folder.path.iterdir():
        os.utime(path, (0, 0) if path.name == "summary.json" else None)
    assert folder.summary() is not None, "later sources of the same content change nothing"
    text = folder.attempts_path.read_text()
    worse = text.replace('"outcome":"correct"', '"outcome":"refused"', 1)
    assert len(worse) == len(text)
    folder.attempts_path.write_text(worse)
    os.utime(folder.attempts_path, (0, 0))
    assert folder.summary() is None, "an edit of the same length is seen, whatever the clock says"
    assert summary_of(folder).outcomes["refused"] > 0
    folder.attempts_path.write_text(text)
    assert summary_of(folder).outcomes["refused"] == sum('"refused"' in line for line in text.split("\n"))
    score(folder, task=Counting())
    assert folder.summary() is not None
    folder.verdicts_path.unlink()
    assert folder.summary() is None, "verdicts that have gone are missed"


def test_a_summary_that_was_edited_is_not_believed(tmp_path: Path) -> None:
    folder = run(Counting(), Lottery(), limit=30, results_dir=tmp_path).folder
    found = json.loads(folder.summary_path.read_bytes())
    found["metrics"][0]["score"] = 1.0
    folder.summary_path.write_text(json.dumps(found))
    assert summary_of(folder).headline.score != 1.0


def test_a_copied_run_has_the_same_summary_byte_for_byte(tmp_path: Path) -> None:
    first = run(Counting(), Lottery(), limit=30, results_dir=tmp_path / "a").folder
    second = run(Counting(), Lottery(), limit=30, results_dir=tmp_path / "b").folder
    assert first.summary_path.read_bytes() == second.summary_path.read_bytes()
    copy = RunFolder(Path(shutil.copytree(first.path, tmp_path / "c" / "runs" / "copy")))
    assert copy.summary() == first.summary()


def test_a_verdict_belongs_to_its_attempt_even_if_lines_were_cut_off_since(tmp_path: Path) -> None:
    result = run(Counting(), Lottery(failing=False), limit=10, results_dir=tmp_path)
    score(result.folder, task=Counting())
    lines = result.folder.attempts_path.read_bytes().splitlines(keepends=True)
    result.folder.attempts_path.write_bytes(b"".join(lines[1:]))
    outcomes = [json.loads(line)["outcome"] for line in lines[1:]]
    assert [attempt.outcome for attempt in result.folder.attempts()] == outcomes


def test_an_install_that_may_only_be_read_works_without_a_home(tmp_path: Path) -> None:
    root, install = Path(__file__).resolve().parent.parent, tmp_path / "install"
    ignored = shutil.ignore_patterns("*.safetensors", "__pycache__")
    for package in ("harness", "solvers", "tasks"):
        shutil.copytree(root / package, install / package, ignore=ignored)
    everything = [install, *install.rglob("*")]
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    env = {
        "PYTHONPATH": str(install),
        "HOME": "/no/such/home",
        "DEPTHBENCH_RESULTS": str(tmp_path / "results"),
    }
    try:
        done = bound(
            [
                "run",
                "--task",
                "sudoku",
                "-T",
                "size=4",
                "--solver",
                "search",
                "--limit",
                "2",
                "--format",
                "json",
            ],
            env=env,
        )
    finally:
        for path in everything:
            path.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["score"] == 1.0
    assert not list(install.rglob("*.nbi")), "nothing was written into the install"
