"""`bench run --solver llm` from outside: killed and resumed, capped and continued, and never a key in
sight.
"""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from solvers.llm.reply_cache import default_path, unpacked
from tests import warm
from tests.llm_server import Behaviour, LlmServer, rate_limited

BENCH = [sys.executable, "-m", "harness.cli.main"]
CLUES = re.compile(r"^[.\d]{4}$", re.MULTILINE)
PLANTED = "sk-planted-0123456789"


def solution(prompt: str) -> str:
    """Solve the 4×4 Sudoku of a prompt by trying."""
    cells = [int(c) if c != "." else 0 for c in "".join(CLUES.findall(prompt)[-4:])]

    def search(at: int) -> bool:
        if at == 16:
            return True
        if cells[at]:
            return search(at + 1)
        r, c = divmod(at, 4)
        seen = {
            cells[i]
            for i in range(16)
            if i // 4 == r or i % 4 == c or (i // 8 == r // 2 and i % 4 // 2 == c // 2)
        }
        for digit in {1, 2, 3, 4} - seen:
            cells[at] = digit
            if search(at + 1):
                return True
        cells[at] = 0
        return False

    assert search(0)
    return "\n".join("".join(map(str, cells[row * 4 : row * 4 + 4])) for row in range(4))


def well(body: dict[str, Any], _nth: int) -> Behaviour:
    return Behaviour(text=f"```answer\n{solution(body['messages'][0]['content'])}\n```", delay=0.005)


def faulty(body: dict[str, Any], nth: int) -> Behaviour:
    trouble = sum(map(ord, body["messages"][0]["content"])) % 8
    if nth == 0 and trouble < 3:
        return (rate_limited("0.02"), Behaviour(status=500, raw=b"{}"), Behaviour(cut_after=30))[trouble]
    if trouble == 3:
        return Behaviour(text="I give up.")
    return well(body, nth)


def command(server: LlmServer, results: Path, limit: int, *more: str) -> list[str]:
    run = [
        *BENCH,
        "run",
        "--task",
        "sudoku",
        "-T",
        "size=4",
        "-T",
        "difficulty=easy",
        "--solver",
        "llm",
        "--limit",
        str(limit),
    ]
    return [
        *run,
        "-S",
        "model=m",
        "-S",
        f"base_url={server.url}",
        "--results-dir",
        str(results),
        "--format",
        "json",
        *more,
    ]


def records(results: Path) -> list[dict[str, Any]]:
    (lines,) = results.glob("runs/*/attempts.jsonl")
    return [json.loads(line) for line in lines.read_text().splitlines()]


def test_a_run_killed_again_and_again_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 200
    with LlmServer(faulty) as server:
        quiet = warm.run(
            command(server, tmp_path / "quiet", count), check=True, capture_output=True, text=True
        )
        server.seen.clear()
        server.requests.clear()
        monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "other-cache"))
        for more in (1, 40, 80):
            run = warm.Popen(
                command(server, tmp_path / "killed", count),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            wanted = len(server.requests) + more
            while len(server.requests) < wanted:
                assert run.poll() is None
                time.sleep(0.002)
            run.kill()
            assert run.wait(10) == -signal.SIGKILL
        last = warm.run(
            command(server, tmp_path / "killed", count), check=True, capture_output=True, text=True
        )
        lines = records(tmp_path / "killed")
        assert len({line["puzzle"] for line in lines}) == len(lines) == count
        (one,), (other,) = json.loads(quiet.stdout), json.loads(last.stdout)
        same = (
            "task",
            "solver",
            "metric",
            "score",
            "low",
            "high",
            "planned",
            "outcomes",
            "tokens_per_puzzle",
        )
        assert {k: one[k] for k in same} == {k: other[k] for k in same}
        requests = len(server.requests)
        warm.run(command(server, tmp_path / "killed", count, "--fresh"), check=True, capture_output=True)
        assert len(server.requests) == requests  # a fresh run after it is all cache


def test_max_cost_stops_the_run_says_what_is_left_and_a_higher_cap_goes_on(tmp_path: Path) -> None:
    price = ("-S", "usd_per_million_input=100", "-S", "usd_per_million_output=200")  # $0.0025 a reply
    with LlmServer(well) as server:
        line = command(server, tmp_path, 100, *price)
        first = warm.run([*line, "--max-cost", "0.05"], capture_output=True, text=True)
        assert first.returncode == 1
        assert "The cost cap of $0.05 is reached" in first.stderr
        assert "Of 100 attempts 20 were made, and 80 are left" in first.stderr
        assert sum(r["usage"]["usd"] for r in records(tmp_path)) == pytest.approx(0.05)
        second = warm.run([*line, "--max-cost", "1"], capture_output=True, text=True)
        assert second.returncode == 0, second.stderr
        assert len(records(tmp_path)) == len(server.requests) == 100
        (row,) = json.loads(second.stdout)
        assert row["usd_per_puzzle"] == pytest.approx(0.0025)


@pytest.mark.parametrize(
    "server_does", ["answers", "refuses the key and quotes it", "fails and quotes the key"]
)
def test_a_key_is_sent_and_appears_nowhere_else(
    server_does: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED_KEY", PLANTED)
    quoting = json.dumps({"error": {"message": f"Incorrect API key provided: {PLANTED}"}}).encode()
    what = {
        "answers": Behaviour(text=f"Your key is {PLANTED}."),
        "refuses the key and quotes it": Behaviour(status=401, raw=quoting),
        "fails and quotes the key": Behaviour(status=400, raw=quoting),
    }[server_does]
    with LlmServer(what) as server:
        done = warm.run(
            command(server, tmp_path, 3, "-S", "api_key_env=PLANTED_KEY"), capture_output=True, text=True
        )
        assert server.headers[0]["authorization"] == f"Bearer {PLANTED}"
    assert done.returncode == (0 if server_does == "answers" else 2)
    assert PLANTED not in done.stdout + done.stderr
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written or server_does != "answers"
    for path in written:
        assert PLANTED.encode() not in path.read_bytes(), path
    if server_does == "answers":
        with sqlite3.connect(default_path()) as db:
            kept = [unpacked(value) for (value,) in db.execute("select value from replies")]
        db.close()
        assert len(kept) == 3
        assert all(b"Your key is [key]." in value for value in kept)


def test_a_crash_inside_a_provider_shows_a_traceback_without_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED_KEY", PLANTED)
    program = (
        "import sys, openai; openai.AsyncOpenAI.post = None\n"
        "from harness.cli.main import main\nmain(sys.argv[1:])"
    )
    with LlmServer(Behaviour()) as server:
        line = command(server, tmp_path, 1, "-S", "api_key_env=PLANTED_KEY")
        done = warm.run([sys.executable, "-c", program, *line[len(BENCH) :]], capture_output=True, text=True)
    # a bug is no outcome: it keeps its traceback
    assert "TypeError: 'NoneType' object is not callable" in done.stderr
    assert "the same command resumes" in done.stderr
    assert PLANTED not in done.stderr + done.stdout


def test_escape_sequences_in_a_reply_never_reach_the_terminal(tmp_path: Path) -> None:
    with LlmServer(Behaviour(text="\x1b]0;owned\x07\x1b[2Jhello \x9b31m\u202ereply")) as server:
        warm.run(command(server, tmp_path, 1), check=True, capture_output=True)
    (folder,) = tmp_path.glob("runs/*")
    name = records(tmp_path)[0]["puzzle"]
    shown = warm.run(
        [*BENCH, "show", str(folder), "--sample-id", name], check=True, capture_output=True, text=True
    ).stdout
    assert "hello" in shown
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)


def test_ctrl_c_keeps_what_came_in_and_the_same_command_goes_on(tmp_path: Path) -> None:
    def slow(body: dict[str, Any], nth: int) -> Behaviour:
        return replace(well(body, nth), delay=0.1)

    with LlmServer(slow) as server:
        line = command(server, tmp_path, 40, "--max-connections", "4")
        run = warm.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while len(server.requests) < 8:
            assert run.poll() is None
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=30)
        assert run.returncode == 130
        assert "press Ctrl-C again" in errors
        done = len(records(tmp_path))
        assert done == len(server.requests) < 40  # what was in flight came in, nothing new was asked
        warm.run(line, check=True, capture_output=True)
        assert len(records(tmp_path)) == len(server.requests) == 40
