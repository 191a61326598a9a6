"""Twelve faults by three providers, 500 attempts each: outcomes, tokens and dollars are the server's own,
and a cap is never passed by more than the calls in flight.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from harness.contracts import Attempt, Budget, Outcome
from harness.errors import RunError
from solvers.llm.solver import LlmSolver
from tests.llm_server import Behaviour, LlmServer, Script, rate_limited
from tests.llm_task import EchoTask, answer_block, number_in, puzzles

pytestmark = pytest.mark.slow

COUNT, EVERY = 500, 5  # attempts, and every how many of them meets the fault
INPUT, OUTPUT = 3.0, 15.0  # dollars per million tokens
PROVIDERS = ("openai", "openai-responses", "anthropic")


def failing(status: int, message: str) -> Behaviour:
    return Behaviour(status=status, raw=json.dumps({"error": {"message": message}}).encode())


FAULTS: dict[str, tuple[Behaviour, bool, Outcome]] = {  # what, only the first time, what becomes of it
    "rate limit": (rate_limited("0.01"), True, Outcome.ANSWERED),
    "server error": (failing(500, "boom"), True, Outcome.ANSWERED),
    "overloaded": (failing(529, "overloaded"), True, Outcome.ANSWERED),
    "connection reset": (Behaviour(cut_after=60), True, Outcome.ANSWERED),
    "half a body": (Behaviour(raw=b'{"choices": [{"mess'), True, Outcome.ANSWERED),
    "error inside a 200": (
        Behaviour(raw=b'{"error": {"message": "overloaded", "code": 503}}'), True, Outcome.ANSWERED,
    ),
    "too long": (failing(400, "prompt is too long: context length"), False, Outcome.PROVIDER_ERROR),
    "filtered": (failing(400, "content_filter"), False, Outcome.REFUSED),
    "refusal": (Behaviour(text=None, refusal="No."), False, Outcome.REFUSED),
    "truncated": (Behaviour(text="I was about", finish_reason="length"), False, Outcome.TRUNCATED),
    "unparsed": (Behaviour(text="Seven, perhaps."), False, Outcome.UNPARSED),
    "hang": (Behaviour(hang=True), False, Outcome.TIMED_OUT),
}  # fmt: skip
LOST = {"connection reset": 1, "half a body": 1, "hang": 1}  # replies that may have been charged, a try


def script(fault: str) -> Script:
    what, once, _ = FAULTS[fault]

    def behave(body: dict[str, Any], nth: int) -> Behaviour:
        n = number_in(body)
        if n % EVERY == 0 and not (once and nth):
            return what
        return Behaviour(text=answer_block(n), completion_tokens=10 + n)

    return behave


def run(server: LlmServer, provider: str, budget: Budget, into: list[Attempt], **options: Any) -> None:
    needed = {"max_tokens": 2000, "timeout": 2.0, "max_retries": 2, "cache": False}
    price = {"usd_per_million_input": INPUT, "usd_per_million_output": OUTPUT}
    solver = LlmSolver(model="m", provider=provider, base_url=server.url, **(needed | price | options))  # type: ignore[arg-type]
    into.extend(solver.solve(EchoTask(), puzzles(COUNT), budget))


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("fault", FAULTS)
def test_outcomes_tokens_and_dollars_are_the_servers_own(fault: str, provider: str) -> None:
    _, once, outcome = FAULTS[fault]
    found: list[Attempt] = []
    with LlmServer(script(fault)) as server:
        run(server, provider, Budget(max_connections=64), found)
    assert len({a.puzzle_id for a in found}) == COUNT
    expected = Counter({Outcome.ANSWERED: COUNT})
    expected.subtract({Outcome.ANSWERED: COUNT // EVERY})
    expected.update({outcome: COUNT // EVERY})
    assert Counter(a.outcome for a in found) == expected
    for attempt in found:
        n = int(attempt.puzzle_id[1:])
        met = n % EVERY == 0
        assert attempt.answer == (n if attempt.outcome is Outcome.ANSWERED else None)
        assert attempt.usage.retries == (1 if met and once else 0)
        assert attempt.usage.lost_calls == (LOST.get(fault, 0) if met else 0)
        if met and fault == "hang":
            assert attempt.usage.usd is attempt.usage.output_tokens is None
    for ours, theirs in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")):
        assert sum(getattr(a.usage, ours) or 0 for a in found) == server.billed[theirs]
    billed = (server.billed["prompt_tokens"] * INPUT + server.billed["completion_tokens"] * OUTPUT) / 1e6
    cached = server.billed["cached_tokens"]
    assert cached > 0  # without a price of their own they cost as any input does
    assert sum(a.usage.usd or 0.0 for a in found) == pytest.approx(billed)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_cap_is_passed_by_no_more_than_the_calls_in_flight(fault: str, provider: str) -> None:
    connections, found = 16, list[Attempt]()
    dearest = (11 * INPUT + (10 + COUNT) * OUTPUT) / 1e6
    cap = 100 * (11 * INPUT + 110 * OUTPUT) / 1e6
    with LlmServer(script(fault)) as server, pytest.raises(RunError, match="cost cap"):
        run(server, provider, Budget(max_connections=connections, max_cost_usd=cap), found, timeout=0.5)
    billed = (server.billed["prompt_tokens"] * INPUT + server.billed["completion_tokens"] * OUTPUT) / 1e6
    lost = sum(a.usage.lost_calls or 0 for a in found)
    assert billed <= cap + connections * dearest
    # a server that charges for what it never delivered whole stays within it too
    assert billed + lost * (11 * INPUT + 17 * OUTPUT) / 1e6 <= cap + connections * dearest
