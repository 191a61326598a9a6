"""Responses in the background: started once, asked for until they are done, found again after a kill."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import pytest

from harness.contracts import Attempt, Budget, Outcome
from solvers.llm.providers import adapting
from solvers.llm.providers.openai_responses import OpenAIResponses
from solvers.llm.solver import LlmSolver
from tests import warm
from tests.llm_server import Behaviour, LlmServer
from tests.llm_task import EchoTask, answer_block, number_in, puzzles


class Background:
    """The responses of a server that works in the background, each under its own id."""

    def __init__(self, server: LlmServer, *, polls: int = 2) -> None:
        self.polls = polls  # questions after which a response is done
        self.made: list[int] = []  # the puzzle of each
        self.asked: list[int] = []
        self.cancelled: list[int] = []
        self.ends = "completed"
        self.gone = False
        self.stumbles: list[Behaviour] = []  # answers to the first questions
        server.script = self.make
        server.routes["/v1/responses/"] = self.tell

    def make(self, request: dict[str, Any], _nth: int) -> Behaviour:
        assert request["background"] is request["store"] is True
        self.made.append(number_in(request))
        self.asked.append(0)
        return self._state(len(self.made) - 1, "queued")

    def tell(self, _request: dict[str, Any], headers: dict[str, str], _raw: bytes) -> Behaviour:
        name, _, what = headers[":path"].removeprefix("/v1/responses/resp_").partition("/")
        if what == "cancel":
            self.cancelled.append(int(name))
            return self._state(int(name), "cancelled")
        self.asked[int(name)] += 1
        if self.gone:
            return Behaviour(status=404, raw=b'{"error": {"message": "no such response"}}')
        if self.stumbles:
            return self.stumbles.pop(0)
        if self.asked[int(name)] <= self.polls:
            return self._state(int(name), "in_progress")
        if self.ends != "completed":
            return self._state(int(name), self.ends)
        done = json.loads(Behaviour(text=answer_block(self.made[int(name)])).body({}, "/v1/responses"))
        return Behaviour(raw=json.dumps(done | {"id": f"resp_{name}"}).encode())

    def _state(self, number: int, status: str) -> Behaviour:
        error = {"code": "server_error", "message": "went wrong"} if status == "failed" else None
        state = {"id": f"resp_{number}", "status": status, "output": [], "error": error}
        return Behaviour(raw=json.dumps(state).encode())


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OpenAIResponses, "POLL", 0.02)


def solve(server: LlmServer, count: int = 1, budget: Budget | None = None, **options: Any) -> list[Attempt]:
    given = {"provider": "openai-responses", "background": True, "max_retries": 1, **options}
    solver = LlmSolver(model="m", base_url=server.url, **given)
    return sorted(solver.solve(EchoTask(), puzzles(count), budget or Budget()), key=lambda a: a.puzzle_id)


PROGRAM = """
import sys
from harness.contracts import Budget
from solvers.llm.providers.openai_responses import OpenAIResponses
from solvers.llm.solver import LlmSolver
from tests.llm_task import EchoTask, puzzles

OpenAIResponses.POLL = 0.02
solver = LlmSolver(model="m", base_url=sys.argv[1], provider="openai-responses", background=True)
list(solver.solve(EchoTask(), puzzles(5), Budget()))
"""


def test_a_killed_run_fetches_the_responses_it_had_started() -> None:
    with LlmServer() as server:
        background = Background(server, polls=10**9)
        killed = warm.Popen([sys.executable, "-c", PROGRAM, server.url])
        while len(background.asked) < 5 or not all(background.asked):
            assert killed.poll() is None
            time.sleep(0.05)
        killed.kill()
        killed.wait(10)
        background.polls = 0
        found = solve(server, 5)
        assert sorted(background.made) == [0, 1, 2, 3, 4]  # nothing was started twice
        assert [attempt.answer for attempt in found] == [0, 1, 2, 3, 4]
        assert not background.cancelled
        # they are done with: without the cache, asking anew is a new response
        solve(server, 1, cache=False)
        assert len(background.made) == 6


def test_responses_of_another_seed_or_attempt_are_others() -> None:
    with LlmServer() as server:
        background = Background(server)
        solve(server, 1, cache=False)
        solve(server, 1, Budget(seed=1), cache=False)
        assert len(background.made) == 2


def test_a_response_that_the_server_has_forgotten_since_the_kill_is_started_anew() -> None:
    with LlmServer() as server:
        background = Background(server, polls=10**9)
        killed = warm.Popen([sys.executable, "-c", PROGRAM, server.url])
        while not background.asked or not background.asked[0]:
            assert killed.poll() is None
            time.sleep(0.05)
        killed.kill()
        killed.wait(10)
        known, background.polls = len(background.made), 0
        whole = background.tell

        def forgotten(request: dict[str, Any], headers: dict[str, str], raw: bytes) -> Behaviour:
            number = int(headers[":path"].rpartition("_")[2])
            background.gone = number < known
            return whole(request, headers, raw)

        server.routes["/v1/responses/"] = forgotten
        assert [attempt.answer for attempt in solve(server, 5)] == [0, 1, 2, 3, 4]
        assert len(background.made) == known + 5


def test_questions_may_get_lost_and_the_response_is_not_paid_for_twice() -> None:
    trouble = [
        Behaviour(status=503, raw=b"{}"),
        Behaviour(raw=b"<html>"),
        Behaviour(raw=b'{"error": {"message": "try later", "code": 502}}'),
        Behaviour(status=404, raw=b'{"error": {"message": "not yet"}}'),
    ]
    with LlmServer() as server:
        background = Background(server)
        background.stumbles = trouble
        (attempt,) = solve(server)
        assert (attempt.answer, attempt.usage.output_tokens, attempt.usage.retries) == (0, 7, 0)
        assert background.made == [0]


def test_more_lost_questions_than_are_borne_leave_the_response_for_the_next_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(OpenAIResponses, "LOST_POLLS", 3)
    with LlmServer() as server:
        background = Background(server)
        background.stumbles = [Behaviour(status=503, raw=b"{}")] * 4
        (attempt,) = solve(server)
        assert (attempt.answer, attempt.usage.retries, background.made) == (0, 1, [0])


def test_a_failed_response_is_started_anew_at_once() -> None:
    with LlmServer() as server:
        background = Background(server)
        background.ends = "failed"
        (attempt,) = solve(server)
        assert (attempt.outcome, len(background.made)) == (Outcome.PROVIDER_ERROR, 2)
        assert "went wrong" in attempt.detail["error"]
        assert background.asked == [3, 3]
        background.ends = "completed"
        (attempt,) = solve(server)
        assert (attempt.answer, len(background.made)) == (0, 3)


def test_a_response_nobody_waits_for_any_more_is_cancelled_and_forgotten() -> None:
    with LlmServer() as server:
        background = Background(server, polls=10**9)
        (attempt,) = solve(server, puzzle_timeout=0.5)
        assert (attempt.outcome, background.cancelled) == (Outcome.TIMED_OUT, [0])
        background.polls = 0
        (attempt,) = solve(server)
        assert (attempt.answer, len(background.made)) == (0, 2)


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({}, 600.0),
        ({"stream": True}, 86400.0),
        ({"provider": "openai-responses", "background": True}, 86400.0),
        ({"model": "local/m.gguf"}, 86400.0),
        ({"stream": True, "timeout": 5.0}, 5.0),
    ],
)
def test_what_may_take_hours_is_given_a_day_unless_told_otherwise(
    options: dict[str, Any], seconds: float
) -> None:
    assert LlmSolver(**{"model": "m", **options}).seconds_per_request == seconds


def test_a_stream_in_which_nothing_comes_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(adapting.STREAMED, "timeout", 0.3)
    with LlmServer(Behaviour(hang=True)) as server:
        given = {"background": None, "stream": True, "provider": "openai"}
        (attempt,) = solve(server, **given)
    assert attempt.outcome is Outcome.TIMED_OUT
    assert attempt.usage.lost_calls == 1
