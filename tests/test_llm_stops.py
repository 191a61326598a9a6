"""What ends a run, with one sentence: refusals of the account, failures that are all alike, nothing
listening, pauses too long to wait for, caps that cannot be kept.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.contracts import Attempt, Budget, Outcome
from harness.errors import RunError, UserError
from solvers.llm.solver import LlmSolver
from solvers.llm.transport.failures import status_failure
from solvers.llm.transport.limits import Sentinel
from tests import warm
from tests.llm_server import Behaviour, LlmServer
from tests.llm_task import EchoTask, answer_block, number_in, puzzles

BENCH = [sys.executable, "-m", "harness.cli.main"]
PRICE = {"usd_per_million_input": 1000.0, "usd_per_million_output": 2000.0}
COST = (11 * 1000 + 7 * 2000) / 1e6


def error(http_status: int, message: str, /, **more: Any) -> Behaviour:
    headers = more.pop("headers", {})
    return Behaviour(
        status=http_status, headers=headers, raw=json.dumps({"error": {"message": message, **more}}).encode()
    )


def right(body: dict[str, Any], _nth: int) -> Behaviour:
    return Behaviour(text=answer_block(number_in(body)))


def solve(server: LlmServer, count: int, budget: Budget | None = None, **options: Any) -> list[Attempt]:
    solver = LlmSolver(**({"model": "m", "base_url": server.url, "max_retries": 2} | options))
    return list(solver.solve(EchoTask(), puzzles(count), budget or Budget(max_connections=32)))


@pytest.mark.parametrize(
    "refusal",
    [
        error(400, "Your credit balance is too low to access the API.", type="invalid_request_error"),
        error(400, "You have reached your specified API usage limits. Access returns on 2026-12-01."),
        error(429, "You exceeded your current quota.", code="insufficient_quota"),
        error(403, "Key limit exceeded (total limit).", code=403),
        error(400, "API key not valid. Please pass a valid API key.", status="INVALID_ARGUMENT"),
        error(403, "Permission denied: your key may not use this model.", type="permission_error"),
        error(402, "Insufficient Balance"),
        error(404, "The model `m` does not exist", code="model_not_found"),
        error(400, "Unsupported value: 'reasoning_effort' does not support 'x' with this model.",
              code="unsupported_value"),
        error(422, "extra_forbidden: Extra inputs are not permitted"),
        error(200, "Incorrect API key provided", code=401),
    ],
)  # fmt: skip
def test_a_refusal_of_the_account_ends_the_run_at_its_first_request(refusal: Behaviour) -> None:
    with LlmServer(refusal) as server:
        with pytest.raises(UserError, match="refused the request: HTTP") as stopped:
            solve(server, 1000)
        assert len(server.requests) == 1
    assert "\n" not in str(stopped.value)


@pytest.mark.parametrize(
    ("refusal", "outcome"),
    [
        (error(400, "This model's maximum context length is 8192 tokens.", code="context_length_exceeded"),
         Outcome.PROVIDER_ERROR),
        (error(400, "prompt is too long: 210000 tokens > 200000 maximum"), Outcome.PROVIDER_ERROR),
        (error(403, "No", metadata={"reasons": ["violence"], "flagged_input": "x"}), Outcome.REFUSED),
        (error(400, "Invalid prompt: your prompt was flagged.", code="invalid_prompt"), Outcome.REFUSED),
        (error(400, "Content Exists Risk"), Outcome.REFUSED),
        (error(403, "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_X"), Outcome.REFUSED),
        (error(400, "The response was filtered", code="content_filter"), Outcome.REFUSED),
    ],
)  # fmt: skip
def test_what_concerns_one_puzzle_alone_lets_the_others_go_on(refusal: Behaviour, outcome: Outcome) -> None:
    with LlmServer(lambda body, nth: refusal if number_in(body) < 30 else right(body, nth)) as server:
        found = solve(server, 60)
    assert Counter(a.outcome for a in found) == {outcome: 30, Outcome.ANSWERED: 30}


def test_equal_refusals_that_nobody_knows_end_the_run_too() -> None:
    with LlmServer(lambda body, _nth: error(400, f"flux {number_in(body)} misaligned")) as server:
        with pytest.raises(UserError, match=f"turned {Sentinel.MOST} requests down alike: HTTP 400: flux"):
            solve(server, 1000)
        # one at a time, as none had come through
        assert len(server.requests) == Sentinel.MOST


def test_equal_refusals_after_replies_end_the_run_within_the_calls_in_flight() -> None:
    def script(body: dict[str, Any], nth: int) -> Behaviour:
        return right(body, nth) if number_in(body) < 100 else error(400, "flux misaligned")

    found: list[Attempt] = []
    with LlmServer(script) as server:
        solver = LlmSolver(model="m", base_url=server.url)
        with pytest.raises(UserError, match="alike"):
            found.extend(solver.solve(EchoTask(), puzzles(1000), Budget(max_connections=8)))
        assert 100 + Sentinel.MOST <= len(server.requests) <= 100 + Sentinel.MOST + 8
    assert sum(a.outcome is Outcome.ANSWERED for a in found) == 100


def test_refusals_with_replies_between_end_nothing() -> None:
    with LlmServer(
        lambda body, nth: right(body, nth) if number_in(body) % 2 else error(400, "flux")
    ) as server:
        found = solve(server, 200, Budget(max_connections=1))
    assert Counter(a.outcome for a in found) == {Outcome.PROVIDER_ERROR: 100, Outcome.ANSWERED: 100}


def test_a_large_run_sends_one_request_before_the_many() -> None:
    def script(body: dict[str, Any], _nth: int) -> Behaviour:
        return Behaviour(text=answer_block(number_in(body)), delay=0.2 if len(server.requests) == 1 else 0.02)

    with LlmServer(script) as server:
        solve(server, 100)
        assert server.first_alone > 0.15
        assert server.most_open > 1


def test_a_pause_of_an_hour_ends_the_run_and_the_rest_stays_not_run() -> None:
    hour = error(429, "come back later", headers={"Retry-After": "3600"})
    with LlmServer(hour) as server:
        with pytest.raises(RunError, match="asks to be left alone for 60 minutes") as stopped:
            solve(server, 1000)
        assert len(server.requests) == 1
    assert "1000 are left, not run" in str(stopped.value)


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        ({"message": "Rate limit reached. Please try again in 6m12.5s. Visit a page."}, {}, 372.5),
        ({"message": "Please try again in 250ms."}, {}, 0.25),
        ({"message": "Please retry after 20 seconds."}, {}, 20.0),
        ({"message": "Try again in 1 hour, 3 minutes"}, {}, 3780.0),
        ({"details": [{"@type": "x"}, {"retryDelay": "34.5s"}], "message": "Quota"}, {}, 34.5),
        ({"message": "Please try again in 6m"}, {"retry-after": "2"}, 2.0),
        ({"message": "Please try again in a while. 3 models are busy"}, {}, None),
        ({"message": "Try again. At most 5 messages a day"}, {}, None),
    ],
)
def test_a_pause_is_read_wherever_a_server_asks_for_it(
    body: dict[str, Any], headers: dict[str, str], seconds: float | None
) -> None:
    found = status_failure(429, [{"error": body}], headers).retry_after
    assert found == (seconds if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("provider", ["openai", "openai-responses", "anthropic", "litellm"])
def test_where_nothing_listens_no_puzzle_is_begun(provider: str) -> None:
    solver = LlmSolver(
        model="openai/m", provider=provider, base_url=f"http://127.0.0.1:{free_port()}/v1", max_tokens=9
    )
    with pytest.raises(UserError, match="Nothing listens at http"):
        list(solver.solve(EchoTask(), puzzles(5), Budget()))


def test_a_host_that_is_not_there_is_named() -> None:
    solver = LlmSolver(model="m", base_url="http://no-such-host.invalid/v1")
    with pytest.raises(UserError, match=r"host of http://no-such-host.invalid/v1 is not found"):
        list(solver.solve(EchoTask(), puzzles(5), Budget()))


def test_a_missing_key_of_litellm_is_named_before_the_first_puzzle(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    solver = LlmSolver(model="gemini/gemini-2.5-flash", provider="litellm")
    with pytest.raises(UserError, match=r"No API key in .*GEMINI_API_KEY"):
        list(solver.solve(EchoTask(), puzzles(5), Budget()))


def test_lost_replies_count_against_a_cap_at_the_dearest_so_far() -> None:
    """The server charges for each and resets every second connection."""
    charged = Counter[str]()

    def script(body: dict[str, Any], nth: int) -> Behaviour:
        charged["requests"] += 1
        if number_in(body) % 2 and nth == 0:
            return Behaviour(cut_after=60)
        return right(body, nth)

    with LlmServer(script) as server, pytest.raises(RunError, match="cost cap"):
        solve(server, 500, Budget(max_connections=4, max_cost_usd=20.5 * COST), **PRICE)
    assert charged["requests"] <= 21 + 4


def test_a_cap_is_not_passed_in_the_dark_when_no_reply_ever_arrives() -> None:
    with LlmServer(Behaviour(cut_after=60)) as server:
        with pytest.raises(RunError, match=r"lost on the way and may have been charged, so the cost cap"):
            solve(server, 500, Budget(max_connections=8, max_cost_usd=1.0), max_retries=8, **PRICE)
        assert len(server.requests) <= 4 + 8


def test_lost_replies_make_the_books_a_lower_bound_after_tries_that_succeeded_too() -> None:
    with LlmServer(lambda body, nth: Behaviour(cut_after=60) if nth == 0 else right(body, nth)) as server:
        (attempt,) = solve(server, 1, **PRICE)
    assert attempt.outcome is Outcome.ANSWERED
    assert (attempt.usage.output_tokens, attempt.usage.lost_calls) == (7, 1)
    # and what a cap has left after a resume heeds it: the lost one is reckoned as the other
    assert attempt.usage.usd == pytest.approx(COST)
    assert attempt.usage.charged_usd == pytest.approx(2 * COST)


def bench(results: Path, *more: str) -> subprocess.CompletedProcess[str]:
    line = ["run", "--task", "sudoku", "-T", "size=4", "-T", "difficulty=easy", "--solver", "llm"]
    return warm.run(
        [*BENCH, *line, "-S", "model=m", "--results-dir", str(results), *more],
        capture_output=True, text=True, env={**os.environ, "COLUMNS": "150"},
    )  # fmt: skip


def test_a_run_without_a_single_reply_shows_no_score_names_the_cause_once_and_fails(tmp_path: Path) -> None:
    with LlmServer(error(500, "boom")) as server:
        done = bench(tmp_path, "--limit", "4", "-S", f"base_url={server.url}", "-S", "max_retries=0")
    assert done.returncode == 1
    assert "0.0 %" not in done.stdout + done.stderr
    assert done.stderr.count("HTTP 500: boom") == 1
    assert "Traceback" not in done.stderr
    listed = warm.run([*BENCH, "leaderboard", "--results-dir", str(tmp_path)], capture_output=True, text=True)
    assert "0.0 %" not in listed.stdout


def test_a_resumed_run_has_under_its_cap_what_its_cached_replies_did_not_cost(tmp_path: Path) -> None:
    price = [f"-S{name}={value}" for name, value in PRICE.items()]
    with LlmServer(Behaviour(text="no answer")) as server:
        url = ("-S", f"base_url={server.url}")
        first = bench(tmp_path / "one", "--limit", "10", *url, *price, "--max-cost", "1")
        assert first.returncode == 0, first.stderr
        assert len(server.requests) == 10
        # the same questions in another folder are all kept replies: they spend nothing of its cap
        done = bench(tmp_path / "two", "--limit", "20", *url, *price, "--max-cost", str(12.5 * COST))
        assert done.returncode == 0, done.stderr
        assert len(server.requests) == 20
        left = bench(tmp_path / "two", "--limit", "20", *url, *price, "--max-cost", str(12.5 * COST))
        assert left.returncode == 0, left.stderr
