"""`bench cache`, `bench reprice` and `bench run --dry-run`."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import harness
from harness import registry
from harness.books.prices import table
from harness.cli.main import dispatch
from harness.contracts import SolverCard
from solvers.baselines import Search
from tests import warm
from tests.conftest import ROOT
from tests.llm_server import Behaviour, LlmServer

GPT = "gpt-5-nano"


def bench(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert dispatch(list(words)) == code, capsys.readouterr()
    captured = capsys.readouterr()
    return captured.out if code == 0 else captured.err


def run(server: LlmServer, results: Path, *more: str) -> list[str]:
    base = [
        "run",
        "--task",
        "sudoku",
        "-T",
        "size=4",
        "--limit",
        "5",
        "--solver",
        "llm",
        "-S",
        f"model={GPT}",
    ]
    return [*base, "-S", f"base_url={server.url}", "--results-dir", str(results), "--format", "json", *more]


@pytest.fixture
def recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return a results folder with one run of five attempts, each of 11 input tokens, 3 of them cached,
    and 7 output tokens.
    """
    with LlmServer(Behaviour(text="no idea")) as server:
        bench(capsys, *run(server, tmp_path))
    return tmp_path


def test_kept_replies_are_listed_and_pruned_by_what_is_asked(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recorded
    (group,) = json.loads(bench(capsys, "cache", "list", "--format", "json"))
    assert (group["provider"], group["model"], group["task"], group["replies"]) == (
        "openai",
        GPT,
        "sudoku",
        5,
    )
    assert "needs a condition" in bench(capsys, "cache", "prune", code=2)
    assert "needs a condition" in bench(capsys, "cache", "prune", "--all", "--model", GPT, code=2)
    assert bench(capsys, "cache", "prune", "--model", "other").startswith("0 replies")
    assert bench(capsys, "cache", "prune", "--older-than", "1").startswith("0 replies")
    assert bench(capsys, "cache", "prune", "--task", "sudoku", "--model", GPT).startswith("5 replies")
    assert json.loads(bench(capsys, "cache", "list", "--format", "json")) == []


def edit_config(results: Path, **options: Any) -> str:
    (path,) = results.glob("runs/*/run.json")
    config = json.loads(path.read_text())
    config["solver"]["options"] |= options
    path.write_text(json.dumps(config))
    return str(path.parent)


def test_a_run_is_priced_anew_from_its_tokens(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (unknown,) = json.loads(bench(capsys, "reprice", "--results-dir", str(recorded), "--format", "json"))
    assert unknown["usd"] is unknown["usd_recorded"] is None  # nobody sells what runs on this machine
    assert unknown["attempts_not_priced"] == 5
    folder = edit_config(recorded, base_url=None)  # as if it had been OpenAI's
    (known,) = json.loads(bench(capsys, "reprice", folder, "--prices", "2026-11-22", "--format", "json"))
    price = table("2026-11-22").find(GPT, provider="openai", base_url=None)
    assert price is not None
    assert price.cached is not None
    each = (8 * price.input + 3 * price.cached + 7 * price.output) / 1e6
    assert known["usd"] == pytest.approx(5 * each)
    assert known["usd_per_puzzle"] == pytest.approx(each)
    assert known["prices"] == "2026-11-22"
    assert "No price table of '2020-01-01'" in bench(
        capsys, "reprice", folder, "--prices", "2020-01-01", code=2
    )


def test_an_attempt_without_tokens_leaves_the_sum_unknown(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = edit_config(recorded, base_url=None)
    path = Path(folder) / "attempts.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    del lines[2]["usage"]["output_tokens"]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (row,) = json.loads(bench(capsys, "reprice", folder, "--format", "json"))
    assert row["usd"] is None
    assert row["attempts_not_priced"] == 1


def test_device_time_is_priced_by_the_hour(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "run",
        "--task",
        "sudoku",
        "-T",
        "size=4",
        "--limit",
        "4",
        "--solver",
        "search",
        "--results-dir",
        str(tmp_path),
    ]
    hourly = table().usd_per_device_hour("cpu")
    assert hourly is not None
    (ran,) = json.loads(bench(capsys, *words, "--format", "json"))
    assert ran["usd_per_puzzle"] == pytest.approx(ran["device_seconds_per_puzzle"] / 3600 * hourly)
    (path,) = tmp_path.glob("runs/*/attempts.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line["usage"]["device_seconds"] = 9.0
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (row,) = json.loads(
        bench(capsys, "reprice", str(path.parent), "--usd-per-device-hour", "4", "--format", "json")
    )
    assert row["usd"] == pytest.approx(0.04)
    assert row["usd_per_puzzle"] == pytest.approx(0.01)
    assert row["prices"] == "$4/h"
    (row,) = json.loads(bench(capsys, "reprice", str(path.parent), "--format", "json"))
    assert row["usd"] == pytest.approx(0.01 * hourly)
    assert row["usd_recorded"] == pytest.approx(4 * ran["usd_per_puzzle"])
    assert row["prices"] == table().date


class OnAnAbacus(Search):
    device = "abacus"

    @property
    def card(self) -> SolverCard:
        return replace(super().card, device=self.device)


def test_time_on_a_device_that_nobody_lists_has_an_unknown_price(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = harness.run("sudoku", OnAnAbacus(), task_options={"size": 4}, limit=2, results_dir=tmp_path)
    assert (result.summary.costs["device_seconds"].total or 0) > 0
    assert result.summary.costs["usd"].total is None
    (row,) = json.loads(bench(capsys, "reprice", "--results-dir", str(tmp_path), "--format", "json"))
    assert row["usd"] is row["usd_recorded"] is None
    assert row["prices"] == "none known"
    (row,) = json.loads(
        bench(
            capsys,
            "reprice",
            "--results-dir",
            str(tmp_path),
            "--usd-per-device-hour",
            "4",
            "--format",
            "json",
        )
    )
    assert row["usd"] > 0


def test_a_run_that_goes_on_elsewhere_is_priced_where_it_goes_on(tmp_path: Path) -> None:
    harness.run("sudoku", OnAnAbacus(), task_options={"size": 4}, limit=2, results_dir=tmp_path)
    (path,) = tmp_path.glob("runs/*/attempts.jsonl")
    first = path.read_text().splitlines()[0]
    path.write_text(first + "\n")
    assert "usd" not in json.loads(first)["usage"]
    try:
        OnAnAbacus.device = "NVIDIA H100 80GB HBM3"
        harness.run("sudoku", OnAnAbacus(), task_options={"size": 4}, limit=2, results_dir=tmp_path)
    finally:
        OnAnAbacus.device = "abacus"
    before, after = map(json.loads, path.read_text().splitlines())
    assert "usd" not in before["usage"]
    hourly = table().usd_per_device_hour("NVIDIA H100 80GB HBM3")
    assert hourly is not None
    assert after["usage"]["usd"] == pytest.approx(after["usage"]["device_seconds"] / 3600 * hourly)


def test_a_dry_run_shows_prompts_and_says_unknown_until_there_is_an_earlier_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    price = ("-S", "usd_per_million_input=1000", "-S", "usd_per_million_output=1000")
    with LlmServer(Behaviour(text="no idea", cached_tokens=0)) as server:
        out = bench(capsys, *run(server, tmp_path, "--dry-run"))
        assert "4 lines of 4 digits" in out
        assert "```answer" in out
        assert "Price: unknown, no price is listed for 'gpt-5-nano'" in out
        out = bench(capsys, *run(server, tmp_path, *price, "--dry-run"))
        assert "5 attempts; first prompts of about" in out
        assert "Price: unknown, no earlier run" in out
        assert "The prompts alone cost about $" in out
        assert not server.requests
        assert not list(tmp_path.glob("runs/*"))
        bench(capsys, *run(server, tmp_path))
        out = bench(capsys, *run(server, tmp_path, *price, "--dry-run"))
        assert "Price: $0.09 to $0.09, by the cheapest and dearest tenth of 5 attempts" in out
        assert len(server.requests) == 5
    words = [
        "run",
        "--task",
        "sudoku",
        "-T",
        "size=4",
        "--limit",
        "4",
        "--solver",
        "search",
        "--results-dir",
        str(tmp_path),
    ]
    assert "asks no model" in bench(capsys, *words, "--dry-run", code=2)


@pytest.mark.parametrize("task", ["sudoku", "knights-knaves", "n-queens", "two-hop", "maze"])
def test_examples_are_solved_puzzles_of_the_train_split_in_a_form_that_is_read(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shots.json"
    bench(capsys, "examples", task, "--count", "3", "--out", str(file))
    found = registry.create("task", task)
    items = found.load(split="train", seed=0, limit=3, data_dir=None)
    shots = json.loads(file.read_text(encoding="utf-8"))
    for shot, (puzzle, key) in zip(shots, items, strict=True):
        assert shot["prompt"] == found.prompt(puzzle)
        assert found.judge(puzzle, key, found.parse(shot["reply"], puzzle)).correct
    assert "test" not in {puzzle.split for puzzle, _ in items}


def test_examples_of_what_is_tested_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = bench(capsys, "examples", "sudoku", "--split", "test", "--out", str(tmp_path / "x.json"), code=2)
    assert "is the one that is tested" in said
    assert not (tmp_path / "x.json").exists()


def test_every_task_is_asked_with_examples_of_its_own_and_every_outcome_is_booked(tmp_path: Path) -> None:
    with LlmServer(Behaviour(text="```answer\n1\n```")) as server:
        words = ["-S", "model=m", "-S", f"base_url={server.url}", "--puzzles", "3", "--shots", "2"]
        words += ["--results-dir", str(tmp_path), "--tasks", "knights-knaves", "prefix-sums", "no-such-task"]
        script = [sys.executable, str(ROOT / "experiments" / "every_task.py")]
        done = warm.run([*script, *words], capture_output=True, text=True, encoding="utf-8", cwd=ROOT)
        roles = [[message["role"] for message in request["messages"]] for request in server.requests]
    first, second, unknown = map(json.loads, done.stdout.splitlines())
    assert (first["planned"], first["outcomes"]) == (3, {"unparsed": 3})
    assert second["planned"] == sum(second["outcomes"].values()) == 3
    assert "no-such-task" in unknown["error"]
    assert roles == [["user", "assistant", "user", "assistant", "user"]] * 6
