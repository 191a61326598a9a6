"""Every provider through its real SDK against a loopback server: same outcomes, same books, each with its
own wire format.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.contracts import Attempt, Budget, Outcome
from harness.errors import UserError
from solvers.llm.providers import PROVIDERS
from solvers.llm.solver import LlmSolver
from tests.llm_server import Behaviour, LlmServer, rate_limited
from tests.llm_task import EchoTask, answer_block, number_in, puzzles

ONLINE = {
    "openai": {},
    "openai-responses": {},
    "anthropic": {"max_tokens": 50},
    "litellm": {"model": "openai/m"},
}
FILTERED = (
    b'{"error": {"message": "invalid_request_error: content_policy_violation", '
    b'"code": "content_policy_violation"}}'
)
BLOCK = answer_block(0)


def solve(provider: str, server: LlmServer, count: int = 1, **options: Any) -> list[Attempt]:
    url = server.url.removesuffix("/v1") if provider == "anthropic" else server.url
    merged = {
        "model": "m",
        "provider": provider,
        "base_url": url,
        "max_retries": 1,
        **ONLINE[provider],
        **options,
    }
    return list(LlmSolver(**merged).solve(EchoTask(), puzzles(count), Budget(max_connections=4)))


@pytest.mark.parametrize("provider", ONLINE)
def test_a_provider_answers_and_reports_every_token(provider: str) -> None:
    with LlmServer(lambda body, _nth: Behaviour(text=answer_block(number_in(body)))) as server:
        found = solve(provider, server, 5)
    # and never the -1 of hidden reasoning
    assert {a.puzzle_id: a.answer for a in found} == {f"p{n}": n for n in range(5)}
    for attempt in found:
        used = attempt.usage
        assert (used.input_tokens, used.cached_tokens, used.output_tokens, used.reasoning_tokens) == (
            11,
            3,
            7,
            2,
        )
        assert attempt.detail["model"] in ("m", "openai/m")
        assert attempt.detail.get("cache_write_tokens") == (2 if provider == "anthropic" else None)


@pytest.mark.parametrize("provider", ONLINE)
@pytest.mark.parametrize(
    ("what", "outcome"),
    [
        (Behaviour(text="cut", finish_reason="length"), Outcome.TRUNCATED),
        (Behaviour(text="no", finish_reason="content_filter"), Outcome.REFUSED),
        (Behaviour(text=None, refusal="I must not."), Outcome.REFUSED),
        (Behaviour(text=""), Outcome.UNPARSED),
        (Behaviour(hang=True), Outcome.TIMED_OUT),
        (Behaviour(status=500, raw=b'{"error": {"message": "boom"}}'), Outcome.PROVIDER_ERROR),
        (Behaviour(status=400, raw=b'{"error": {"message": "bad"}}'), Outcome.PROVIDER_ERROR),
        (Behaviour(status=400, raw=FILTERED), Outcome.REFUSED),
        (rate_limited("0"), Outcome.PROVIDER_ERROR),
        (Behaviour(cut_after=30), Outcome.PROVIDER_ERROR),
        (Behaviour(raw=b"{}"), Outcome.PROVIDER_ERROR),
    ],
)
def test_a_provider_tells_failures_apart(provider: str, what: Behaviour, outcome: Outcome) -> None:
    with LlmServer(what) as server:
        (attempt,) = solve(provider, server, timeout=0.6 if what.hang else 30.0)
    assert attempt.outcome is outcome, attempt
    assert attempt.answer is None


@pytest.mark.parametrize("provider", ONLINE)
def test_a_provider_waits_as_long_as_the_server_asks(provider: str) -> None:
    with LlmServer(lambda _body, nth: rate_limited("0.4") if nth == 0 else Behaviour(text=BLOCK)) as server:
        (attempt,) = solve(provider, server)
        assert len(server.requests) == 2  # the SDK itself retries nothing
    assert attempt.outcome is Outcome.ANSWERED
    assert attempt.usage.retries == 1
    assert (attempt.usage.wall_seconds or 0) >= 0.4


@pytest.mark.parametrize("provider", ONLINE)
def test_a_refused_key_stops_the_run(provider: str) -> None:
    refused = Behaviour(status=401, raw=b'{"error": {"message": "bad key"}}')
    with LlmServer(refused) as server, pytest.raises(UserError, match="bad key"):
        solve(provider, server, 100)


@pytest.mark.parametrize(
    ("provider", "options", "sent"),
    [
        (
            "openai-responses",
            {"max_tokens": 9, "reasoning_effort": "low"},
            {"max_output_tokens": 9, "reasoning": {"effort": "low"}},
        ),
        ("openai-responses", {"temperature": 0.5}, {"temperature": 0.5, "store": False}),
        (
            "anthropic",
            {"thinking_tokens": 1024, "max_tokens": 2000, "prompt_caching": True},
            {
                "thinking": {"type": "enabled", "budget_tokens": 1024},
                "max_tokens": 2000,
                "cache_control": {"type": "ephemeral"},
            },
        ),
        ("anthropic", {"reasoning_effort": "high"}, {"output_config": {"effort": "high"}}),
        ("litellm", {"max_tokens": 9, "temperature": 0.5}, {"max_tokens": 9, "temperature": 0.5}),
    ],
)
def test_options_reach_each_wire_format(provider: str, options: dict[str, Any], sent: dict[str, Any]) -> None:
    with LlmServer(Behaviour(text=BLOCK)) as server:
        solve(provider, server, **options)
        assert server.requests[0] | sent == server.requests[0]


@pytest.mark.parametrize(
    ("provider", "options", "words"),
    [
        ("openai", {"thinking_tokens": 5}, "has no thinking_tokens"),
        ("openai-responses", {"seed": 5}, "has no seed"),
        ("anthropic", {"max_tokens": 5, "seed": 5}, "has no seed"),
        ("anthropic", {}, "needs max_tokens"),
        ("litellm", {"prompt_caching": True}, "has no prompt_caching"),
        ("replay", {"temperature": 0.5}, "has no temperature"),
        ("local", {"reasoning_effort": "low"}, "has no reasoning_effort"),
    ],
)
def test_an_option_a_provider_cannot_honour_is_refused(
    provider: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        LlmSolver(model="local/smollm2", provider=provider, **options).solve(EchoTask(), puzzles(1), Budget())


def test_litellm_without_a_vendor_in_the_models_name_says_so() -> None:
    with pytest.raises(UserError, match="LLM Provider NOT provided"):
        list(LlmSolver(model="m", provider="litellm").solve(EchoTask(), puzzles(2), Budget()))


def test_replies_are_replayed_from_a_json_file(tmp_path: Path) -> None:
    path = tmp_path / "replies.json"
    path.write_text(json.dumps({"p0": BLOCK, "p1": ["none here", answer_block(1)]}))
    solver = LlmSolver(model=str(path), provider="replay")
    found = {(a.puzzle_id, a.attempt): a for a in solver.solve(EchoTask(), puzzles(2), Budget(attempts=2))}
    outcomes = {pair: attempt.outcome for pair, attempt in found.items()}
    assert outcomes == {
        ("p0", 0): Outcome.ANSWERED,
        ("p0", 1): Outcome.PROVIDER_ERROR,  # only one reply is recorded
        ("p1", 0): Outcome.UNPARSED,
        ("p1", 1): Outcome.ANSWERED,
    }
    assert found["p0", 0].usage.output_tokens is None


def test_a_recorded_run_is_replayed_with_its_outcomes_and_tokens(tmp_path: Path) -> None:
    bench = [
        sys.executable,
        "-m",
        "harness.cli.main",
        "run",
        "--task",
        "sudoku",
        "-T",
        "size=4",
        "--limit",
        "6",
        "--solver",
        "llm",
    ]

    def script(_body: dict[str, Any], _nth: int) -> Behaviour:
        kind = len(server.seen) % 3
        return (
            Behaviour(text="cut", finish_reason="length"),
            Behaviour(text=None, refusal="No."),
            Behaviour(status=400, raw=b"{}"),
        )[kind]

    def lines(folder: str) -> dict[str, dict[str, Any]]:
        (path,) = (tmp_path / folder).glob("runs/*/attempts.jsonl")
        return {line["puzzle"]: line for line in map(json.loads, path.read_text().splitlines())}

    with LlmServer(script) as server:
        live = ["-S", "model=m", "-S", f"base_url={server.url}", "--results-dir", str(tmp_path / "live")]
        subprocess.run([*bench, *live], check=True, capture_output=True)
    (folder,) = (tmp_path / "live").glob("runs/*")
    again = ["-S", f"model={folder}", "-S", "provider=replay", "--results-dir", str(tmp_path / "again")]
    subprocess.run([*bench, *again], check=True, capture_output=True)
    first, second = lines("live"), lines("again")
    assert {line["outcome"] for line in first.values()} == {"truncated", "refused", "provider_error"}
    for name, line in first.items():
        assert second[name]["outcome"] == line["outcome"]
        assert second[name]["usage"].get("output_tokens") == line["usage"].get("output_tokens")
        assert second[name].get("reply") == line.get("reply")


@pytest.mark.parametrize("text", ["", "[1]", '{"p0": 3}', "{}"])
def test_a_file_that_holds_no_replies_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UserError, match=r"x\.json"):
        list(
            LlmSolver(model=str(tmp_path / "x.json"), provider="replay").solve(
                EchoTask(), puzzles(1), Budget()
            )
        )


def test_every_provider_is_short_and_imports_its_sdk_late() -> None:
    root = Path(__file__).parent.parent
    for place in PROVIDERS.values():
        source = (root / (place.partition(":")[0].replace(".", "/") + ".py")).read_text()
        assert len(source.splitlines()) <= 150, place
    modules = ", ".join(f"'{place.partition(':')[0]}'" for place in PROVIDERS.values())
    heavy = "{'openai', 'anthropic', 'litellm', 'httpx', 'httpx2', 'aiohttp', 'llama_cpp'}"
    check = (
        f"import importlib, sys\nfor m in ({modules}): importlib.import_module(m)\n"
        f"print({heavy} & set(sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout
        == "set()\n"
    )
