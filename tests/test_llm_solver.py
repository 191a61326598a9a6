"""The LLM solver against a loopback server: each way a reply can go gives its own outcome, and the books
are the server's.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from itertools import islice
from typing import Any

import pytest

from harness.contracts import Attempt, Budget, Outcome
from harness.errors import UserError
from solvers.llm.bridge import stream
from solvers.llm.solver import LlmSolver
from tests import warm
from tests.llm_server import Behaviour, LlmServer, Script, rate_limited
from tests.llm_task import EchoTask, answer_block, number_in, puzzles


def solve(
    server: LlmServer, count: int = 1, budget: Budget | None = None, **options: Any
) -> dict[tuple[str, int], Attempt]:
    solver = LlmSolver(**({"model": "m", "base_url": server.url, "max_retries": 2} | options))
    attempts = list(solver.solve(EchoTask(), puzzles(count), budget or Budget(max_connections=8)))
    found = {(a.puzzle_id, a.attempt): a for a in attempts}
    assert len(found) == len(attempts)
    return found


def right(body: dict[str, Any], _nth: int) -> Behaviour:
    return Behaviour(text=answer_block(number_in(body)))


def test_every_attempt_is_answered_once_and_the_bill_is_the_servers_own() -> None:
    with LlmServer(right) as server:
        found = solve(server, 50, Budget(attempts=2, max_connections=8))
    assert {(f"p{n}", k) for n in range(50) for k in range(2)} == set(found)
    assert all(a.outcome is Outcome.ANSWERED and a.answer == int(a.puzzle_id[1:]) for a in found.values())
    assert sum(a.usage.input_tokens or 0 for a in found.values()) == server.billed["prompt_tokens"]
    assert sum(a.usage.output_tokens or 0 for a in found.values()) == server.billed["completion_tokens"]
    assert sum(a.usage.cached_tokens or 0 for a in found.values()) == server.billed["cached_tokens"]
    assert sum(a.usage.reasoning_tokens or 0 for a in found.values()) == server.billed["reasoning_tokens"]
    assert all(
        a.usage.passes == 1 and (a.usage.wall_seconds or 0) > 0 and a.usage.retries == 0
        for a in found.values()
    )


BLOCK = answer_block(0)


@pytest.mark.parametrize(
    ("what", "outcome", "words"),
    [
        (Behaviour(text=BLOCK), Outcome.ANSWERED, None),
        (Behaviour(text=BLOCK, finish_reason="length"), Outcome.TRUNCATED, "cut off at its length limit"),
        (Behaviour(text="I'm sorry, but I can't help with that."), Outcome.REFUSED, "no answer block"),
        (Behaviour(text="Let me th", finish_reason="length"), Outcome.TRUNCATED, "no answer block"),
        (Behaviour(text="I cannot say."), Outcome.UNPARSED, "no answer block"),
        (Behaviour(text=""), Outcome.UNPARSED, "no answer block"),
        (Behaviour(text=None), Outcome.UNPARSED, "no answer block"),
        (Behaviour(text=None, refusal="I must not."), Outcome.REFUSED, "no answer block"),
        (Behaviour(text=None, finish_reason="content_filter"), Outcome.REFUSED, "no answer block"),
        (Behaviour(hang=True), Outcome.TIMED_OUT, "no reply within 0.3 s"),
        (
            Behaviour(status=500, raw=b'{"error": {"message": "boom"}}'),
            Outcome.PROVIDER_ERROR,
            "HTTP 500: boom",
        ),
        (
            Behaviour(status=400, raw=b'{"error": {"message": "too long"}}'),
            Outcome.PROVIDER_ERROR,
            "HTTP 400: too long",
        ),
        (rate_limited("0"), Outcome.PROVIDER_ERROR, "HTTP 429: slow down"),
        (Behaviour(raw=b'{"choices": [{"mess'), Outcome.PROVIDER_ERROR, "not JSON"),
        (
            Behaviour(raw=b"<html>", content_type="text/html"),
            Outcome.PROVIDER_ERROR,
            "not JSON (text/html, 6 bytes)",
        ),
        (Behaviour(raw=b"[1]"), Outcome.PROVIDER_ERROR, "a JSON list"),
        (Behaviour(raw=b'{"choices": []}'), Outcome.PROVIDER_ERROR, "holds no message"),
        (
            Behaviour(raw=b'{"error": {"message": "overloaded", "code": 503}}'),
            Outcome.PROVIDER_ERROR,
            "HTTP 503: overloaded",
        ),
        (Behaviour(raw=b"[" * 100_000), Outcome.PROVIDER_ERROR, "not JSON"),
        (Behaviour(cut_after=40), Outcome.PROVIDER_ERROR, "connection failed"),
        (
            Behaviour(status=302, headers={"Location": "http://127.0.0.1:9/"}, raw=b""),
            Outcome.PROVIDER_ERROR,
            "HTTP 302",
        ),
    ],
)
def test_each_way_a_request_can_end_has_its_outcome(
    what: Behaviour, outcome: Outcome, words: str | None
) -> None:
    with LlmServer(what) as server:
        attempt = solve(server, timeout=0.3 if what.hang else 30.0, max_retries=1)["p0", 0]
    assert attempt.outcome is outcome
    assert (attempt.answer == 0) is (outcome is Outcome.ANSWERED)
    assert words is None or words in attempt.detail.get("reason", attempt.detail.get("error"))


@pytest.mark.parametrize(
    "trouble",
    [rate_limited("0.2"), Behaviour(status=500, raw=b"{}"), Behaviour(cut_after=40), Behaviour(raw=b"{")],
)
def test_a_transient_failure_is_tried_again_and_counted(trouble: Behaviour) -> None:
    def script(_body: dict[str, Any], nth: int) -> Behaviour:
        return trouble if nth == 0 else Behaviour(text=BLOCK)

    with LlmServer(script) as server:
        attempt = solve(server)["p0", 0]
    assert attempt.outcome is Outcome.ANSWERED
    assert (attempt.usage.retries, attempt.usage.passes) == (1, 1)
    if trouble.status == 429:
        assert (attempt.usage.wall_seconds or 0) >= 0.2


def test_retry_on_error_repeats_an_attempt_that_failed_for_good() -> None:
    def script(_body: dict[str, Any], nth: int) -> Behaviour:
        return Behaviour(hang=True) if nth == 0 else Behaviour(text=BLOCK)

    with LlmServer(script) as server:
        assert solve(server, timeout=1.0)["p0", 0].outcome is Outcome.TIMED_OUT
        server.seen.clear()
        assert (
            solve(server, timeout=1.0, budget=Budget(retry_on_error=1))["p0", 0].outcome is Outcome.ANSWERED
        )


def test_a_puzzle_has_its_own_time_limit_over_all_tries() -> None:
    with LlmServer(rate_limited("0.1")) as server:
        attempt = solve(server, puzzle_timeout=0.5, max_retries=100)["p0", 0]
    assert attempt.outcome is Outcome.TIMED_OUT
    assert attempt.detail["error"] == "no answer within 0.5 s"
    assert 0.4 < (attempt.usage.wall_seconds or 0) < 2


def test_usage_that_the_server_keeps_to_itself_stays_unknown() -> None:
    with LlmServer(Behaviour(text=BLOCK, usage=False)) as server:
        attempt = solve(server)["p0", 0]
    assert attempt.outcome is Outcome.ANSWERED
    assert attempt.usage.input_tokens is attempt.usage.output_tokens is attempt.usage.usd is None
    assert attempt.detail["replies_without_usage"] == 1


def test_a_long_reply_is_shortened_in_the_record_with_the_hash_of_all_of_it() -> None:
    import hashlib

    text = "x" * 5_000_000 + BLOCK
    with LlmServer(Behaviour(text=text)) as server:
        attempt = solve(server)["p0", 0]
    assert attempt.outcome is Outcome.ANSWERED
    assert attempt.reply is not None
    assert len(attempt.reply) < 20_000
    assert attempt.reply.endswith(BLOCK)
    assert attempt.detail["reply_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert attempt.detail["reply_characters"] == len(text)


def test_a_reply_that_no_file_can_hold_is_made_storable() -> None:
    with LlmServer(Behaviour(text="\ud800" + BLOCK)) as server:
        attempt = solve(server)["p0", 0]
    assert attempt.reply == "?" + BLOCK


def test_pairs_already_recorded_are_not_asked_again() -> None:
    with LlmServer(right) as server:
        found = solve(server, 3, Budget(attempts=2, done=frozenset({("p0", 0), ("p0", 1), ("p2", 1)})))
        assert set(found) == {("p1", 0), ("p1", 1), ("p2", 0)}
        assert len(server.requests) == 3


def test_options_reach_the_server_and_unset_ones_do_not() -> None:
    with LlmServer(Behaviour(text=BLOCK)) as server:
        solve(server, temperature=0.5, max_tokens=77, reasoning_effort="high", seed=3, strategy="direct")
        solve(server)
    sent, bare = server.requests
    assert (sent["temperature"], sent["max_tokens"], sent["reasoning_effort"]) == (0.5, 77, "high")
    assert isinstance(sent["seed"], int)
    assert set(bare) == {"model", "messages"}
    assert sent["messages"] != bare["messages"]


@pytest.mark.parametrize("status", [401, 402, 404])
def test_a_refused_key_or_unknown_model_stops_the_run_at_once(status: int) -> None:
    with LlmServer(Behaviour(status=status, raw=b'{"error": {"message": "no such thing"}}')) as server:
        with pytest.raises(UserError, match="no such thing"):
            solve(server, 1000)
        assert len(server.requests) < 50


def test_requests_in_flight_never_exceed_max_connections_and_halve_when_rate_limited() -> None:
    def script(body: dict[str, Any], nth: int) -> Behaviour:
        if nth == 0 and number_in(body) < 16:
            return rate_limited("0.01")
        return Behaviour(text=answer_block(number_in(body)), delay=0.02)

    with LlmServer(script) as server:
        found = solve(server, 100, Budget(max_connections=16))
        assert server.most_open <= 16
    assert all(a.outcome is Outcome.ANSWERED for a in found.values())


def test_closing_the_stream_early_cancels_what_is_in_flight_and_leaves_no_thread() -> None:
    before = threading.active_count()
    with LlmServer(
        lambda body, _nth: Behaviour(text=BLOCK) if number_in(body) == 0 else Behaviour(hang=True)
    ) as server:
        running = threading.active_count()
        attempts = LlmSolver(model="m", base_url=server.url).solve(
            EchoTask(), puzzles(10), Budget(max_connections=4)
        )
        assert next(iter(attempts)).puzzle_id == "p0"
        attempts.close()  # type: ignore[attr-defined]
        assert threading.active_count() == running
        for _ in range(100):
            if not server.open:
                break
            time.sleep(0.02)
        assert server.open == 0
    assert threading.active_count() == before


def test_a_slow_consumer_is_not_run_ahead_of() -> None:
    with LlmServer(right) as server:
        attempts = LlmSolver(model="m", base_url=server.url).solve(
            EchoTask(), puzzles(500), Budget(max_connections=5)
        )
        next(iter(attempts))
        time.sleep(0.4)
        assert len(server.requests) <= 16
        attempts.close()  # type: ignore[attr-defined]


PROGRAM = """
import sys
from harness.contracts import Budget
from solvers.llm.solver import LlmSolver
from tests.llm_task import EchoTask, puzzles

try:
    solver = LlmSolver(model="m", base_url=sys.argv[1])
    for attempt in solver.solve(EchoTask(), puzzles(1000), Budget(max_connections=4)):
        print(attempt.puzzle_id, flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_finishes_what_is_in_flight_and_a_second_one_does_not_wait(presses: int) -> None:
    def script(body: dict[str, Any], _nth: int) -> Behaviour:
        n = number_in(body)
        slow = 60.0 if presses == 2 else 1.0
        return Behaviour(text=answer_block(n), delay=0.0 if n == 0 else slow)

    with LlmServer(script) as server:
        child = warm.Popen(
            [sys.executable, "-c", PROGRAM, server.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "p0\n"
        while server.open < 4:
            assert child.poll() is None
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        assert child.stderr is not None
        assert "press Ctrl-C again" in child.stderr.readline() + child.stderr.readline()
        if presses == 2:
            child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=20)
    assert out.splitlines()[-1] == "interrupted"
    assert Counter(out.split())["interrupted"] == 1
    # the four in flight came in, nothing new was begun
    assert len(out.splitlines()) == (5 if presses == 1 else 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"provider": "opnai"}, "Did you mean 'openai'"),
        ({"strategy": "cto"}, "Did you mean 'cot'"),
        ({"strategy": "cot+direct"}, "cannot be read"),
        ({"base_url": "127.0.0.1:80"}, "not a web address"),
        ({"base_url": "http://me:secret@h/v1"}, "must have no user"),
        ({"timeout": 0.0}, "timeout=0.0"),
        ({"max_tokens": 0}, "max_tokens=0"),
        ({"max_retries": -1}, "max_retries=-1"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_sent(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words) as refused:
        LlmSolver(**({"model": "m"} | options))
    assert "secret" not in str(refused.value)


def test_without_a_key_or_a_base_url_the_user_is_told_how_to_give_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UserError, match="No API key in OPENAI_API_KEY"):
        LlmSolver(model="m").solve(EchoTask(), puzzles(1), Budget())


def test_the_openai_key_is_never_sent_to_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    monkeypatch.setenv("OTHER_KEY", "sk-other")
    with LlmServer(Behaviour(text=BLOCK)) as server:
        solve(server, cache=False)
        solve(server, cache=False, api_key_env="OTHER_KEY")
    assert [h["authorization"] for h in server.headers] == ["Bearer none", "Bearer sk-other"]


def test_the_record_of_an_attempt_is_plain_json() -> None:
    with LlmServer(right) as server:
        attempt = solve(server)["p0", 0]
    json.dumps([attempt.answer, dict(attempt.detail), attempt.reply])


def test_the_solver_brings_in_no_sdk_before_a_call_is_made() -> None:
    heavy = (
        "{'openai', 'httpx', 'httpx2', 'aiohttp', 'tenacity', 'anthropic', 'litellm', 'pydantic', 'numpy'}"
    )
    check = (
        f"import solvers.llm.solver as s, sys; s.LlmSolver(model='m').card; print({heavy} & set(sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout
        == "set()\n"
    )


def test_scripts_see_how_often_a_conversation_came_before() -> None:
    script: Script = lambda _body, nth: Behaviour(text=answer_block(nth))  # noqa: E731
    with LlmServer(script) as server:
        assert [a.answer for a in solve(server, budget=Budget(attempts=3, max_connections=1)).values()] == [
            0,
            1,
            2,
        ]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
def test_a_consumer_that_rests_is_not_run_ahead_of_and_gets_every_result(workers: int) -> None:
    begun: list[int] = []

    async def work(number: int) -> int:
        begun.append(number)
        await asyncio.sleep(0)
        return number

    async def nothing() -> None: ...

    results = stream(range(60), work, workers=workers, set_up=nothing, tear_down=nothing)
    first = list(islice(results, 9))
    time.sleep(0.1)
    assert len(begun) <= 9 + 2 * workers
    assert sorted([*first, *results]) == list(range(60))
