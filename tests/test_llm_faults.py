"""A thousand puzzles against a server that misbehaves in every way we know of: nothing is lost, misnamed
or misbilled.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from harness.contracts import Budget, Outcome
from harness.errors import RunError
from solvers.llm.books.booking import HEAD, TAIL
from solvers.llm.solver import LlmSolver
from solvers.llm.transport.limits import Breaker
from tests.llm_server import Behaviour, LlmServer, rate_limited
from tests.llm_task import EchoTask, answer_block, number_in, puzzles

COUNT = 1000
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x1b[31m\x00\u202e"

ONCE = {  # what goes wrong the first time only: the retry brings the answer
    0: rate_limited("0.05"),
    1: Behaviour(status=500, raw=b"oops"),
    2: Behaviour(cut_after=60),
    3: Behaviour(raw=b'{"choices": [{"message": {"content": "```ans'),
    4: Behaviour(raw=b"<html>bad gateway</html>", content_type="text/html"),
    5: Behaviour(raw=b'{"error": {"message": "overloaded", "type": "server_error"}}'),
    6: Behaviour(status=529, raw=b'{"type": "error", "error": {"type": "overloaded_error"}}'),
}
ALWAYS = {  # what never gets better
    7: (Behaviour(status=500, raw=b"oops"), Outcome.PROVIDER_ERROR),
    8: (Behaviour(cut_after=0), Outcome.PROVIDER_ERROR),
    9: (Behaviour(raw=b'{"choices": [{"mess'), Outcome.PROVIDER_ERROR),
    10: (Behaviour(text=""), Outcome.UNPARSED),
    11: (Behaviour(text=None), Outcome.UNPARSED),
    12: (Behaviour(text="I was about to say ```answer\n4", finish_reason="length"), Outcome.TRUNCATED),
    13: (Behaviour(text=None, refusal="No."), Outcome.REFUSED),
    14: (Behaviour(text="Sorry", finish_reason="content_filter"), Outcome.REFUSED),
    15: (Behaviour(hang=True), Outcome.TIMED_OUT),
    16: (Behaviour(raw=b'{"error": {"message": "no", "code": 400}}'), Outcome.PROVIDER_ERROR),
    17: (Behaviour(text=ESCAPES + "nothing"), Outcome.UNPARSED),
}
BIG, ESCAPED, HANG, KINDS = 18, 19, 15, 24
FEW = 10 * KINDS  # the slow troubles happen to puzzles below this number only


def script(body: dict[str, Any], nth: int) -> Behaviour:
    n = number_in(body)
    kind = n % KINDS
    if kind in ALWAYS and (kind != HANG or n < FEW):
        return ALWAYS[kind][0]
    if kind in ONCE and nth == 0:
        return ONCE[kind]
    padding = "x" * 5_000_000 if kind == BIG and n < FEW else ESCAPES if kind == ESCAPED else ""
    return Behaviour(text=padding + answer_block(n), completion_tokens=n)


def test_a_thousand_puzzles_complete_with_the_right_outcome_and_the_servers_own_bill() -> None:
    with LlmServer(script) as server:
        server.keep_log = False
        solver = LlmSolver(model="m", base_url=server.url, timeout=3.0, max_retries=2)
        budget = Budget(max_connections=64)
        first = list(solver.solve(EchoTask(), puzzles(COUNT), budget))
        assert sorted(int(a.puzzle_id[1:]) for a in first) == list(range(COUNT))
        for attempt in first:
            n = int(attempt.puzzle_id[1:])
            kind = n % KINDS
            troubled = kind in ALWAYS and (kind != HANG or n < FEW)
            assert attempt.outcome is (ALWAYS[kind][1] if troubled else Outcome.ANSWERED), (kind, attempt)
            if attempt.outcome is Outcome.ANSWERED:
                assert attempt.answer == n  # never another puzzle's answer
            assert attempt.usage.retries == (1 if kind in ONCE else 2 if kind in (7, 8, 9) else 0), (
                kind,
                attempt,
            )
            json.dumps([attempt.answer, attempt.reply, dict(attempt.detail)], ensure_ascii=False).encode()
            assert len(attempt.reply or "") < HEAD + TAIL + 100
        assert sum(a.usage.input_tokens or 0 for a in first) == server.billed["prompt_tokens"]
        assert sum(a.usage.output_tokens or 0 for a in first) == server.billed["completion_tokens"]
        assert sum(a.usage.cached_tokens or 0 for a in first) == server.billed["cached_tokens"]
        assert sum(a.usage.reasoning_tokens or 0 for a in first) == server.billed["reasoning_tokens"]
        unknown = {int(a.puzzle_id[1:]) % KINDS for a in first if a.usage.output_tokens is None}
        # no usage ever came, though the model may have worked; elsewhere it is known
        assert unknown == {8, 9, 15}

        answered_before = Counter(server.seen)
        second = {a.puzzle_id: a for a in solver.solve(EchoTask(), puzzles(COUNT), budget)}
        asked_again = {
            number_in({"messages": key}) % KINDS for key, n in server.seen.items() if n > answered_before[key]
        }
    assert asked_again == {7, 8, 9, 15, 16}  # failures only: whatever the server replied is kept
    for attempt in first:
        again = second[attempt.puzzle_id]
        assert (again.outcome, again.answer, again.reply) == (attempt.outcome, attempt.answer, attempt.reply)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait milliseconds where a real outage is waited out for minutes."""
    monkeypatch.setattr(Breaker, "PAUSE", 0.01)
    monkeypatch.setattr(Breaker, "PATIENCE", 3.0)


@pytest.mark.usefixtures("hurried")
def test_an_outage_pauses_the_run_instead_of_failing_every_puzzle() -> None:
    down = {"left": 20}

    def flaky(body: dict[str, Any], _nth: int) -> Behaviour:
        if down["left"]:
            down["left"] -= 1
            return Behaviour(status=503, raw=b"{}")
        return Behaviour(text=answer_block(number_in(body)))

    with LlmServer(flaky) as server:
        solver = LlmSolver(model="m", base_url=server.url, max_retries=8)
        found = Counter(a.outcome for a in solver.solve(EchoTask(), puzzles(100), Budget(max_connections=16)))
    assert found == {Outcome.ANSWERED: 100}


@pytest.mark.usefixtures("hurried")
def test_an_outage_that_does_not_end_stops_the_run_and_leaves_the_rest_not_run() -> None:
    found: list[Outcome] = []
    solver = LlmSolver(model="m", base_url="http://127.0.0.1:1/v1", max_retries=3)
    with (
        LlmServer(Behaviour(status=503, raw=b"{}")) as server,
        pytest.raises(RunError, match=r"failing for .* minutes, last with: HTTP 503"),
    ):
        found.extend(
            a.outcome
            for a in replace(solver, base_url=server.url).solve(
                EchoTask(), puzzles(1000), Budget(max_connections=16)
            )
        )
    assert set(found) <= {Outcome.PROVIDER_ERROR}
    assert len(found) < 100
