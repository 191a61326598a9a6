"""Batch APIs: one submission for a whole run, half the price, and a stopped run finds its batch again."""

from __future__ import annotations

import json
import re
import sys
import time
from typing import Any

import pytest

from harness.books.prices import Price
from harness.contracts import Attempt, Budget, Outcome
from harness.errors import UserError
from solvers.llm.batch import Batched
from solvers.llm.solver import LlmSolver
from solvers.llm.transport import http as transport
from tests import warm
from tests.llm_server import Behaviour, LlmServer
from tests.llm_task import EchoTask, answer_block, number_in, puzzles

GONE = Behaviour(status=404, raw=b'{"error": {"message": "no such batch"}}')


class BatchServer:
    """The batch endpoints of openai and anthropic, kept in memory; a batch ends when it has been asked for
    `polls` times.
    """

    def __init__(self, server: LlmServer, polls: int = 2, unmade: tuple[str, str] = ("expired", "")) -> None:
        self.polls = polls
        self.status, self.unmade = unmade  # how the batch ends, and a digit of the requests never made
        self.files: list[list[dict[str, Any]]] = []
        self.asked: list[int] = []
        self.refuse = False
        self.gone = "none"  # the end of the id of a batch that is not there any more
        server.routes |= {
            "/v1/files": self.file,
            "/v1/batches": self.openai,
            "/v1/messages/batches": self.anthropic,
        }

    def reply(self, n: int, path: str, request: dict[str, Any]) -> bytes:
        return Behaviour(text=answer_block(n), cached_tokens=0).body(request, path)

    def file(self, _request: dict[str, Any], headers: dict[str, str], raw: bytes) -> Behaviour:
        if headers[":method"] == "POST":
            lines = [json.loads(line) for line in re.findall(rb"^\{.*\}", raw, re.MULTILINE)]
            self.files.append(lines)
            self.asked.append(0)
            return Behaviour(raw=json.dumps({"id": f"file-{len(self.files) - 1}", "object": "file"}).encode())
        kind, number = re.findall(r"/files/(\w+)-(\d+)/content", headers[":path"])[0]
        out = []
        for line in self.files[int(number)]:
            n = number_in(line["body"])
            if self.unmade and self.unmade in str(n):
                code = f"batch_{self.status}"
                error = {"code": code, "message": "This request was not made."}
                if kind == "errors":
                    out.append({"custom_id": line["custom_id"], "response": None, "error": error})
                continue
            if n == 3 and kind == "errors":
                out.append(
                    {
                        "custom_id": line["custom_id"],
                        "response": {"status_code": 400, "body": {"error": {"message": "bad"}}},
                    }
                )
            if n not in (3, 4) and kind == "output":
                body = json.loads(self.reply(n, "/chat/completions", line["body"]))
                out.append(
                    {
                        "custom_id": line["custom_id"],
                        "response": {"status_code": 200, "body": body},
                        "error": None,
                    }
                )
        return Behaviour(raw="\n".join(map(json.dumps, reversed(out))).encode())

    def openai(self, request: dict[str, Any], headers: dict[str, str], _raw: bytes) -> Behaviour:
        if headers[":method"] == "POST":
            number = request["input_file_id"].removeprefix("file-")
            assert (request["endpoint"], request["completion_window"]) == ("/v1/chat/completions", "24h")
            return Behaviour(raw=json.dumps({"id": f"batch-{number}", "status": "validating"}).encode())
        if headers[":path"].endswith(self.gone):
            return GONE
        number = int(headers[":path"].rpartition("-")[2])
        self.asked[number] += 1
        state: dict[str, Any] = {"id": f"batch-{number}", "status": "in_progress"}
        if self.refuse:
            state |= {"status": "failed", "errors": {"data": [{"message": "no such model"}]}}
        elif self.asked[number] > self.polls:
            state |= {
                "status": self.status if self.unmade else "completed",
                "output_file_id": f"output-{number}",
                "error_file_id": f"errors-{number}",
            }
        return Behaviour(raw=json.dumps(state).encode())

    def anthropic(self, request: dict[str, Any], headers: dict[str, str], _raw: bytes) -> Behaviour:
        if headers[":method"] == "POST":
            self.files.append(request["requests"])
            self.asked.append(0)
            return Behaviour(
                raw=json.dumps(
                    {"id": f"b-{len(self.files) - 1}", "processing_status": "in_progress"}
                ).encode()
            )
        if headers[":path"].endswith(self.gone):
            return GONE
        number = int(re.findall(r"/b-(\d+)", headers[":path"])[0])
        if not headers[":path"].endswith("/results"):
            self.asked[number] += 1
            done = self.asked[number] > self.polls
            return Behaviour(
                raw=json.dumps(
                    {"id": f"b-{number}", "processing_status": "ended" if done else "in_progress"}
                ).encode()
            )
        out = []
        for line in self.files[number]:
            n = number_in(line["params"])
            result: dict[str, Any] = {"type": "expired"}
            if self.unmade and self.unmade in str(n):
                result = {"type": self.status.replace("ll", "l")}  # anthropic spells it canceled
            elif n == 3:
                result = {"type": "errored", "error": {"type": "error", "error": {"message": "bad"}}}
            elif n != 4:
                result = {
                    "type": "succeeded",
                    "message": json.loads(self.reply(n, "/messages", line["params"])),
                }
            out.append({"custom_id": line["custom_id"], "result": result})
        return Behaviour(raw="\n".join(map(json.dumps, reversed(out))).encode())


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Batched, "LINGER", 0.2)
    monkeypatch.setattr(Batched, "POLL", 0.05)


def solver(provider: str, server: LlmServer, **options: Any) -> LlmSolver:
    url = server.url.removesuffix("/v1") if provider == "anthropic" else server.url
    more: dict[str, Any] = {"max_tokens": 50} if provider == "anthropic" else {}
    return LlmSolver(
        **{
            "model": "m",
            "provider": provider,
            "base_url": url,
            "batch": True,
            "max_retries": 0,
            **more,
            **options,
        }
    )


def solve(llm: LlmSolver, count: int) -> dict[str, Attempt]:
    return {a.puzzle_id: a for a in llm.solve(EchoTask(), puzzles(count), Budget())}


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_run_is_one_batch_and_every_request_gets_its_own_result(provider: str) -> None:
    with LlmServer() as server:
        batches = BatchServer(server)
        found = solve(solver(provider, server), 50)
        assert [len(file) for file in batches.files] == [50]
        assert not server.requests  # nothing went the dear way
    for n in range(50):
        attempt = found[f"p{n}"]
        if n in (3, 4):
            assert attempt.outcome is Outcome.PROVIDER_ERROR
            assert attempt.usage.output_tokens == 0
        else:
            assert attempt.answer == n
            assert (attempt.usage.input_tokens, attempt.usage.output_tokens) == (11, 7)
        assert attempt.detail["batch"] is True
    assert "bad" in found["p3"].detail["error"]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_the_limit_on_one_reply_does_not_hold_for_the_file_of_all_results(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_BYTES", 1000)
    with LlmServer() as server:
        BatchServer(server)
        assert solve(solver(provider, server), 20)["p7"].answer == 7
    monkeypatch.setattr(transport, "MAX_BATCH_BYTES", 1000)
    with LlmServer() as server:
        BatchServer(server)
        attempt = solve(solver(provider, server, cache=False), 20)["p7"]
    assert attempt.outcome is Outcome.PROVIDER_ERROR
    assert "longer than 1000 bytes" in attempt.detail["error"]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_what_an_ended_batch_never_made_is_a_failure_without_cost_and_is_asked_again(
    status: str, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    price = Price(input=1e6, output=1e6, batch_input=1e6, batch_output=1e6)
    monkeypatch.setattr(LlmSolver, "price", price)
    with LlmServer() as server:
        batches = BatchServer(server, unmade=(status, "1"))
        llm = solver(provider, server)
        first = solve(llm, 12)
        failed = {name for name, a in first.items() if a.outcome is Outcome.PROVIDER_ERROR}
        assert failed == {"p1", "p10", "p11", "p3", "p4"}  # 3 and 4 were made, and failed
        for name in ("p1", "p10", "p11"):
            assert first[name].usage.usd == 0.0
            assert status[:6] in first[name].detail["error"]
        assert first["p7"].usage.usd == pytest.approx(11 + 7)
        batches.unmade = ""
        done = frozenset((name, 0) for name in first if name not in failed)
        again = list(llm.solve(EchoTask(), puzzles(12), Budget(done=done)))
    assert {a.puzzle_id: a.answer for a in again if a.answer is not None} == {"p1": 1, "p10": 10, "p11": 11}
    assert [len(file) for file in batches.files] == [12, 5]


PROGRAM = """
import sys
from harness.contracts import Budget
from solvers.llm.batch import Batched
from solvers.llm.solver import LlmSolver
from tests.llm_task import EchoTask, puzzles

Batched.LINGER, Batched.POLL = 0.2, 0.05
options = {"model": "m", "provider": sys.argv[1], "base_url": sys.argv[2]}
options |= {"batch": True, "cache": False, "max_retries": 0}
list(LlmSolver(**options, max_tokens=50).solve(EchoTask(), puzzles(20), Budget()))
"""


def kill_while_waiting(provider: str, llm: LlmSolver, batches: BatchServer) -> None:
    """Start a run of 20 in a process of its own, and kill it while its batch is at work."""
    before, batches.polls = len(batches.asked), 10**9
    killed = warm.Popen([sys.executable, "-c", PROGRAM, provider, str(llm.base_url)])
    while len(batches.asked) == before or not batches.asked[before]:
        assert killed.poll() is None
        time.sleep(0.05)
    killed.kill()
    killed.wait(10)
    batches.polls = 0


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_killed_run_waits_for_the_batch_it_had_submitted(provider: str) -> None:
    with LlmServer() as server:
        batches = BatchServer(server)
        llm = solver(provider, server, cache=False, max_tokens=50)
        kill_while_waiting(provider, llm, batches)
        assert solve(llm, 8)["p7"].answer == 7
        assert len(batches.files) == 1
        # that part of it is done with: without a cache, asking anew is a new one; the rest is still there
        assert solve(llm, 20)["p19"].answer == 19
        assert [len(file) for file in batches.files] == [20, 8]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_batch_that_the_server_has_forgotten_since_the_kill_is_sent_anew(provider: str) -> None:
    with LlmServer() as server:
        batches = BatchServer(server)
        llm = solver(provider, server, cache=False, max_tokens=50)
        kill_while_waiting(provider, llm, batches)
        batches.gone = "-0"
        assert solve(llm, 20)["p7"].answer == 7
        assert [len(file) for file in batches.files] == [20, 20]


def test_a_batch_costs_what_the_batch_price_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        LlmSolver, "price", Price(input=1000.0, output=2000.0, batch_input=500.0, batch_output=1000.0)
    )
    with LlmServer() as server:
        BatchServer(server)
        found = solve(solver("openai", server), 2)
    assert found["p0"].usage.usd == pytest.approx((11 * 500 + 7 * 1000) / 1e6)


def test_a_batch_that_is_refused_stops_the_run() -> None:
    with LlmServer() as server:
        BatchServer(server).refuse = True
        with pytest.raises(UserError, match="no such model"):
            solve(solver("openai", server), 5)
        batches = BatchServer(server)  # whatever was wrong is mended: the refused batch is not waited for
        assert solve(solver("openai", server), 5)["p0"].answer == 0
        assert len(batches.files) == 1


@pytest.mark.parametrize(
    ("options", "budget", "words"),
    [
        ({"model": "local/smollm2"}, Budget(), "has no batch API"),
        ({"model": "gpt-5-nano", "api_key_env": "SOME_KEY"}, Budget(max_cost_usd=1.0), "cannot be kept"),
    ],
)
def test_what_a_batch_cannot_do_is_refused(
    options: dict[str, Any], budget: Budget, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "x")
    with pytest.raises(UserError, match=words):
        LlmSolver(batch=True, **options).solve(EchoTask(), puzzles(1), budget)
