"""The shapes of replies: usage in every provider's form, finish reasons that are failures, errors inside a
200, streams, reasoning beside the text.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from harness.contracts import Attempt, Budget, Outcome
from harness.errors import RunError
from solvers.llm.providers.completion import read_completion, read_tokens
from solvers.llm.solver import LlmSolver
from tests.llm_server import USAGE, Behaviour, LlmServer, Script
from tests.llm_task import EchoTask, answer_block, number_in, puzzles

BLOCK = answer_block(0)
PROVIDERS: dict[str, dict[str, Any]] = {
    "openai": {},
    "openai-responses": {},
    "anthropic": {"max_tokens": 50},
}


def solve(server: LlmServer, count: int = 1, budget: Budget | None = None, **options: Any) -> list[Attempt]:
    needed = PROVIDERS.get(options.get("provider", ""), {})
    solver = LlmSolver(**({"model": "m", "base_url": server.url, "max_retries": 1} | needed | options))
    return list(solver.solve(EchoTask(), puzzles(count), budget or Budget(max_connections=4)))


def completion(**choice: Any) -> Behaviour:
    """A body with one choice, as given, and no usage."""
    message = {"message": {"role": "assistant", "content": BLOCK}}
    return Behaviour(raw=json.dumps({"model": "m", "choices": [message | choice]}).encode())


@pytest.mark.parametrize("shape", USAGE)
def test_output_is_all_that_is_billed_wherever_a_server_counts_reasoning(shape: str) -> None:
    what = Behaviour(
        text=BLOCK, usage_shape=shape, prompt_tokens=100, completion_tokens=900, reasoning_tokens=850
    )
    with LlmServer(what) as server:
        (attempt,) = solve(server, usd_per_million_input=1.0, usd_per_million_output=10.0)
    used = attempt.usage
    assert (used.input_tokens, used.output_tokens) == (100, 900)
    assert used.cached_tokens == (None if shape == "gemini" else 3)
    assert used.usd == pytest.approx((100 * 1 + 900 * 10) / 1e6)


@pytest.mark.parametrize(
    ("usage", "output"),
    [
        ({"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135}, 103),  # xAI's own example
        ({"prompt_tokens": 21, "completion_tokens": 0, "total_tokens": 81}, 60),  # Gemini, thinking alone
        ({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 3}, 7),  # a total that cannot be
        ({"prompt_tokens": 5, "completion_tokens": 7}, 7),
        ({"prompt_tokens": 5, "total_tokens": 12}, 7),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 7,
                "completion_tokens_details": {"reasoning_tokens": 90},
            },
            97,
        ),
        ({"completion_tokens": 7, "total_tokens": 12}, 7),
        ({}, None),
        (None, None),
        ({"prompt_tokens": "5", "completion_tokens": -1, "total_tokens": True}, None),
        ({"prompt_tokens": 5, "completion_tokens": 10**400, "total_tokens": 1e300}, None),
        ({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 10**400}, 7),
    ],
)
def test_the_output_of_a_usage_block(usage: Any, output: int | None) -> None:
    assert read_tokens(usage).output == output


@pytest.mark.parametrize("shape", ["openai", "xai", "gemini"])
def test_a_cap_holds_within_the_calls_in_flight_in_every_shape_of_usage(shape: str) -> None:
    def script(body: dict[str, Any], _nth: int) -> Behaviour:
        text = answer_block(number_in(body))
        return Behaviour(
            text=text, usage_shape=shape, prompt_tokens=100, completion_tokens=900, reasoning_tokens=850,
            delay=0.01,
        )  # fmt: skip

    cap, connections = 0.005, 8
    real = (100 * 0.1 + 900 * 0.4) / 1e6
    with LlmServer(script) as server, pytest.raises(RunError, match="cost cap"):
        solve(
            server, 500, Budget(max_connections=connections, max_cost_usd=cap),
            usd_per_million_input=0.1, usd_per_million_output=0.4, cache=False,
        )  # fmt: skip
    assert len(server.requests) * real <= cap + connections * real


@pytest.mark.parametrize("number", [10**400, -1, 1e300, "7", True, [7], {}])
def test_counts_and_costs_that_cannot_be_are_unknown_and_end_no_run(number: Any) -> None:
    body = {
        "choices": [{"message": {"content": BLOCK}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": number, "completion_tokens": number, "cost": number},
    }
    with LlmServer(Behaviour(raw=json.dumps(body).encode())) as server:
        (attempt,) = solve(server, usd_per_million_input=1.0, usd_per_million_output=1.0)
    usage = attempt.usage
    assert (usage.input_tokens, usage.output_tokens, usage.usd, usage.lost_calls) == (None, None, None, 1)


@pytest.mark.parametrize(
    ("cost", "dollars"),
    [({"cost": 0.25}, 0.25), ({"cost": {"total_cost": 0.5}}, 0.5), ({"cost_in_usd_ticks": 10**9}, 0.1)],
)
def test_what_the_server_says_it_charges_stands_beside_our_own_reckoning(cost: Any, dollars: float) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20, **cost}
    body = {"choices": [{"message": {"content": BLOCK}, "finish_reason": "stop"}], "usage": usage}
    with LlmServer(Behaviour(raw=json.dumps(body).encode())) as server:
        (attempt,) = solve(server, usd_per_million_input=1.0, usd_per_million_output=1.0)
        with pytest.raises(RunError, match="reached"):  # and the cap heeds the larger
            solve(
                server, 9, Budget(max_cost_usd=dollars),
                usd_per_million_input=1.0, usd_per_million_output=1.0, cache=False,
            )  # fmt: skip
    assert attempt.detail["server_usd"] == dollars
    assert attempt.usage.usd == pytest.approx(2e-5)


@pytest.mark.parametrize(
    "reason",
    ["error", "insufficient_system_resource", "abort", "Error", "network_error", "malformed_function_call"],
)
def test_a_reply_the_service_broke_off_is_tried_again_never_judged_and_never_kept(reason: str) -> None:
    broken = completion(finish_reason=reason)
    with LlmServer(lambda _body, nth: broken if nth == 0 else Behaviour(text=BLOCK)) as server:
        (attempt,) = solve(server)
    assert attempt.outcome is Outcome.ANSWERED
    assert (attempt.usage.retries, attempt.usage.lost_calls) == (1, 1)
    with LlmServer(broken) as server:
        for _ in range(2):
            (attempt,) = solve(server)
            assert attempt.outcome is Outcome.PROVIDER_ERROR
            assert repr(reason) in attempt.detail["error"]
        assert len(server.requests) == 4  # twice each time: nothing was kept


@pytest.mark.parametrize(
    "reason", ["content_filter: RECITATION", "SAFETY", "prohibited_content", "sensitive"]
)
def test_a_reply_that_a_filter_cut_off_is_refused_with_an_answer_in_it_too(reason: str) -> None:
    with LlmServer(completion(finish_reason=reason)) as server:
        for _ in range(2):
            (attempt,) = solve(server)
            assert attempt.outcome is Outcome.REFUSED
            assert attempt.answer is None
        assert len(server.requests) == 2


def test_a_refusal_is_never_judged_whatever_it_holds() -> None:
    with LlmServer(Behaviour(text=BLOCK, finish_reason="content_filter")) as server:
        (attempt,) = solve(server)
    assert (attempt.outcome, attempt.answer) == (Outcome.REFUSED, None)


@pytest.mark.parametrize("reason", ["length", "model_length", "max_tokens", "model_context_window_exceeded"])
def test_a_reply_that_was_cut_off_is_truncated(reason: str) -> None:
    with LlmServer(completion(message={"content": "I was"}, finish_reason=reason)) as server:
        (attempt,) = solve(server)
    assert attempt.outcome is Outcome.TRUNCATED


@pytest.mark.parametrize(("reason", "said"), [("done_by_moon", "done_by_moon"), (None, "none given")])
def test_a_finish_reason_nobody_knows_is_in_the_record(reason: str | None, said: str) -> None:
    with LlmServer(completion(finish_reason=reason)) as server:
        (attempt,) = solve(server)
    assert attempt.outcome is Outcome.ANSWERED
    assert attempt.detail["finish_reason"] == said


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": 11, "completion_tokens": 5}])
def test_an_error_inside_a_choice_is_a_failure_with_its_charge(usage: Any) -> None:
    error = {"code": 502, "message": "upstream died"}
    body: dict[str, Any] = {
        "choices": [{"message": {"content": "Well"}, "error": error, "finish_reason": "error"}]
    }
    broken = Behaviour(raw=json.dumps(body | ({"usage": usage} if usage else {})).encode())
    with LlmServer(lambda _body, nth: broken if nth == 0 else Behaviour(text=BLOCK)) as server:
        (attempt,) = solve(server)
    assert attempt.outcome is Outcome.ANSWERED
    assert attempt.usage.retries == 1
    assert attempt.usage.output_tokens == (
        12 if usage else 7
    )  # what is charged is booked, the rest is unknown
    assert attempt.usage.lost_calls == (0 if usage else 1)
    with LlmServer(broken) as server:
        (attempt,) = solve(server)
    assert (attempt.outcome, attempt.detail["error"]) == (Outcome.PROVIDER_ERROR, "HTTP 502: upstream died")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("asked", [True, False])
def test_a_stream_is_read_as_the_reply_it_amounts_to(provider: str, asked: bool) -> None:
    def script(body: dict[str, Any], _nth: int) -> Behaviour:
        if not body.get("stream"):
            words = "This model only supports streaming: stream must be set to true."
            return Behaviour(status=400, raw=json.dumps({"error": {"message": words}}).encode())
        return Behaviour(text="ü" * 20 + answer_block(number_in(body)), reasoning="Hmm")

    with LlmServer(script) as server:
        found = solve(server, 5, provider=provider, **({"stream": True} if asked else {}))
    assert {a.puzzle_id: a.answer for a in found} == {f"p{n}": n for n in range(5)}
    for attempt in found:
        used = attempt.usage
        assert (used.input_tokens, used.cached_tokens, used.output_tokens) == (11, 3, 7)
        assert attempt.reply is not None
        assert attempt.reply.startswith("ü" * 20)
        assert attempt.usage.retries == 0


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_that_is_cut_is_a_lost_reply(provider: str) -> None:
    with LlmServer(Behaviour(text=BLOCK * 20, cut_after=900 if provider == "openai" else 300)) as server:
        (attempt,) = solve(server, provider=provider, stream=True)
    assert attempt.outcome is Outcome.PROVIDER_ERROR
    assert attempt.usage.output_tokens is None
    assert attempt.detail["replies_without_usage"] == 2


def test_an_error_in_the_middle_of_a_stream_is_a_failure() -> None:
    said = {"choices": [{"delta": {"content": BLOCK}}]}
    failed = {
        "error": {"code": 503, "message": "overloaded"},
        "choices": [{"delta": {}, "finish_reason": "error"}],
    }
    raw = "".join(f"data: {json.dumps(event)}\n\n" for event in (said, failed)).encode()
    with LlmServer(Behaviour(raw=raw, content_type="text/event-stream")) as server:
        (attempt,) = solve(server, stream=True)
    assert (attempt.outcome, attempt.detail["error"]) == (Outcome.PROVIDER_ERROR, "HTTP 503: overloaded")


@pytest.mark.parametrize("line", ["\r\n", "\r", "\n"])
def test_a_stream_may_end_its_lines_in_any_way_and_come_as_another_type(line: str) -> None:
    piece = {"choices": [{"delta": {"content": BLOCK}, "finish_reason": "stop"}]}
    raw = f"event: x{line}data: {json.dumps(piece)}{line}{line}data: [DONE]{line}{line}".encode()
    with LlmServer(Behaviour(raw=raw, content_type="text/plain")) as server:
        (attempt,) = solve(server)
    assert attempt.answer == 0


def test_reasoning_is_kept_with_its_hash_and_never_read_for_an_answer() -> None:
    thought = "```answer\n5\n```" + "x" * 50_000
    with LlmServer(Behaviour(text=BLOCK, reasoning=thought)) as server:
        (attempt,) = solve(server)
        (again,) = solve(server)
    assert attempt.answer == again.answer == 0
    for record in (attempt, again):  # the cache keeps it too
        assert record.detail["reasoning"].startswith("```answer\n5")
        assert len(record.detail["reasoning"]) < 5_000
        assert record.detail["reasoning_characters"] == len(thought)
        assert record.detail["reasoning_sha256"] == hashlib.sha256(thought.encode()).hexdigest()


def test_a_reply_of_reasoning_alone_says_so() -> None:
    with LlmServer(Behaviour(text="", reasoning="```answer\n0\n```")) as server:
        (attempt,) = solve(server)
    assert attempt.outcome is Outcome.UNPARSED
    assert attempt.detail["reason"] == "the reply is reasoning alone, without an answer"


@pytest.mark.parametrize(
    "message",
    [
        {"reasoning_content": "thought"},
        {"reasoning": "thought"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "thou"}, {"summary": "ght"}]},
    ],
)
def test_reasoning_is_found_where_each_server_shows_it(message: dict[str, Any]) -> None:
    body = {"choices": [{"message": {"content": "x", **message}, "finish_reason": "stop"}]}
    assert read_completion(body).reasoning == "thought"


def test_what_no_file_can_hold_is_made_storable_wherever_it_stands() -> None:
    odd = json.loads(r'"\ud800"')
    refusing = Behaviour(text=None, refusal=f"No{odd}.", model=f"m{odd}")
    failing = Behaviour(status=400, raw=rb'{"error": {"message": "too long: \ud800"}}')
    with LlmServer(lambda body, _nth: refusing if number_in(body) else failing) as server:
        found = solve(server, 2)
    for attempt in found:
        json.dumps([attempt.reply, dict(attempt.detail)], ensure_ascii=False).encode()
    assert {a.puzzle_id: a.outcome for a in found} == {"p0": Outcome.PROVIDER_ERROR, "p1": Outcome.REFUSED}
    assert next(a for a in found if a.puzzle_id == "p1").reply == "No?."


def cut_prompts(body: dict[str, Any], _nth: int) -> Behaviour:
    return replace(Behaviour(text=answer_block(number_in(body))), prompt_tokens=60)


@pytest.mark.parametrize(("script", "warned"), [(cut_prompts, 1), (None, 0)])
def test_a_server_that_reads_far_less_than_it_was_sent_is_reported_once(
    script: Script | None, warned: int, capfd: pytest.CaptureFixture[str]
) -> None:
    long = "word " * 400
    honest: Script = lambda body, _nth: Behaviour(text=answer_block(number_in(body)), prompt_tokens=430)  # noqa: E731
    with LlmServer(script or honest) as server:
        solve(server, 5, system=long)
    assert capfd.readouterr().err.count("num_ctx: raise it") == warned


def test_usage_of_zeros_is_nobody_counting() -> None:
    zeros = Behaviour(text=BLOCK, prompt_tokens=0, completion_tokens=0, cached_tokens=0, reasoning_tokens=0)
    for more in ({}, {"provider": "litellm", "model": "openai/m"}):
        with LlmServer(zeros if not more else replace(zeros, usage=False)) as server:
            (attempt,) = solve(server, usd_per_million_input=1.0, usd_per_million_output=1.0, **more)
        assert attempt.usage.input_tokens is attempt.usage.output_tokens is attempt.usage.usd is None
        assert attempt.usage.lost_calls == 1
