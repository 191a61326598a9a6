"""Options of the LLM solver: values that make no sense, addresses and proxies of every form, models by
name, the table of models and the user's own, prompts, and parameters a server turns out not to take.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.books.prices import Price
from harness.contracts import Attempt, Budget, Outcome
from harness.errors import UserError
from solvers.llm import models, prompts
from solvers.llm.books.estimate import least_tokens
from solvers.llm.models.names import service_of
from solvers.llm.solver import LlmSolver
from solvers.llm.transport.proxies import bypassed, proxy_for
from tests import warm
from tests.llm_server import Behaviour, LlmServer
from tests.llm_task import EchoTask, answer_block, number_in, puzzles

BLOCK = answer_block(0)
BENCH = [sys.executable, "-m", "harness.cli.main"]


def solve(url: str, **options: Any) -> Attempt:
    solver = LlmSolver(**({"model": "m", "base_url": url, "max_retries": 0, "cache": False} | options))
    (attempt,) = solver.solve(EchoTask(), puzzles(1), Budget())
    return attempt


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temperature": math.nan}, "temperature=nan"),
        ({"temperature": -0.1}, "temperature=-0.1"),
        ({"top_p": 1.1}, "top_p=1.1"),
        ({"timeout": math.nan}, "timeout=nan"),
        ({"timeout": math.inf}, "timeout=inf"),
        ({"puzzle_timeout": math.inf}, "puzzle_timeout=inf"),
        ({"usd_per_million_input": math.nan, "usd_per_million_output": 1.0}, "usd_per_million_input=nan"),
        ({"usd_per_million_input": 1.0, "usd_per_million_output": -1.0}, "usd_per_million_output=-1.0"),
        ({"usd_per_million_input": math.inf, "usd_per_million_output": 1.0}, "usd_per_million_input=inf"),
        ({"usd_per_million_input": 1.0}, "One of"),
        ({"model": "a,b,c"}, r"names several models.*`bench study`"),
        ({"model": ""}, "model is empty"),
        ({"model": "m\ud800"}, "half of a character"),
        ({"system": "\udfff"}, "half of a character"),
        ({"extra_body": "{"}, "is not JSON"),
        ({"extra_body": "[1]"}, "is not a JSON object"),
        ({"extra_body": {"model": "x"}}, "extra_body sets model"),
        ({"prompt": "arc-prise"}, "Did you mean 'arc-prize'"),
        ({"prompt": "arc-prize", "strategy": "code", "program_seconds": 1.0}, "does not go with"),
        ({"provider": "anthropic", "background": True}, "has no background"),
        ({"provider": "replay", "stream": True}, "has no stream"),
        ({"thinking": "adaptive"}, "has no thinking"),
        ({"provider": "openai-responses", "background": True, "stream": True}, "exclude each other"),
        ({"provider": "anthropic", "thinking": "off", "thinking_tokens": 5}, "exclude each other"),
    ],
)
def test_values_that_make_no_sense_are_refused_with_the_value(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        LlmSolver(**({"model": "m"} | options))
    str(refused.value).encode()


@pytest.mark.parametrize("cap", [math.nan, 0.0, -1.0])
def test_a_cap_that_is_none_is_refused(cap: float) -> None:
    solver = LlmSolver(model="m", usd_per_million_input=1.0, usd_per_million_output=1.0)
    with pytest.raises(UserError, match="cost cap"):
        solver.solve(EchoTask(), puzzles(1), Budget(max_cost_usd=cap))


def test_a_price_of_nothing_is_a_price() -> None:
    free = Price(input=0.0, output=0.0, cache_write=1.0)
    assert free.usd(input_tokens=5, output_tokens=5, cached_tokens=9, cache_write_tokens=3) == 0
    with LlmServer(Behaviour(text=BLOCK)) as server:
        attempt = solve(server.url, usd_per_million_input=0.0, usd_per_million_output=0.0)
    assert attempt.usage.usd == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:99999/v1",
        "http://127.0.0.1:0/v1",
        "http://127.0.0.1:http/v1",
        "http://[::1/v1",
        "http://::1:8000/v1",
        "http://[nonsense]/v1",
        "ftp://host/v1",
        "//host/v1",
        "http://ho st/v1",
        "http://host/v1\n",
        "http://me:pass-word@host:abc/v1",
        "http://höst/v1",
    ],
)
def test_an_address_that_is_none_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(UserError, match="base_url") as refused:
        LlmSolver(model="m", base_url=url)
    assert "pass-word" not in str(refused.value)


def ipv6() -> bool:
    import socket

    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not ipv6(), reason="this machine has no ::1")
def test_an_ipv6_address_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LlmServer, "host", "::1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "[::1]")
    with LlmServer(Behaviour(text=BLOCK)) as server:
        assert solve(f"http://[::1]:{server.port}/v1").answer == 0


def clear_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("provider", ["openai", "openai-responses", "anthropic", "litellm"])
@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("socks://127.0.0.1:1080", "kind socks://"),
        ("socks5h://me:pass-word@127.0.0.1:1080", "kind socks5h://"),
        ("http://127.0.0.1:99999", "Port out of range"),
        ("http://", "names no host"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_one_sentence(
    provider: str, proxy: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear_proxies(monkeypatch)
    monkeypatch.setenv("ALL_PROXY", proxy)
    with LlmServer() as server:
        with pytest.raises(UserError, match=words) as refused:
            solve(server.url, provider=provider, model="openai/m", max_tokens=9)
        assert "pass-word" not in str(refused.value)
        monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.0/8,[::1]")
        server.script = lambda _body, _nth: Behaviour(text=BLOCK)
        assert solve(server.url, provider=provider, model="openai/m", max_tokens=9).answer == 0


def test_a_request_goes_through_the_proxy_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    clear_proxies(monkeypatch)
    with LlmServer(Behaviour(text=BLOCK)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert solve("http://models.example/v1").answer == 0
        assert proxy.paths == ["POST http://models.example/v1/chat/completions"]


@pytest.mark.parametrize(
    ("host", "listed", "direct"),
    [
        ("::1", "[::1]", True),
        ("::1", "::1", True),
        ("::1", "[::1]:8080", False),
        ("127.0.0.1", "127.0.0.0/8", True),
        ("api.example.org", ".example.org", True),
        ("api.example.org", "example.org", True),
        ("api.example.org", "*.example.org", True),
        ("badexample.org", "example.org", False),
        ("host", "host:443", True),
        ("host", "host:80", False),
        ("host", "*", True),
        ("host", "", False),
        ("host", ",,", False),
    ],
)
def test_hosts_that_no_proxy_lists_go_direct(host: str, listed: str, direct: bool) -> None:
    assert bypassed(host, 443, listed) is direct


def test_a_proxy_may_be_written_without_its_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    clear_proxies(monkeypatch)
    monkeypatch.setenv("https_proxy", "proxy:3128")
    assert proxy_for("https://api.openai.com/v1") == "http://proxy:3128"
    assert proxy_for("http://api.openai.com/v1") is None


@pytest.mark.parametrize(
    ("model", "provider", "host", "key", "asked"),
    [
        ("claude-opus-4-5", "anthropic", None, None, "claude-opus-4-5"),
        ("gemini-2.5-pro", "openai", "generativelanguage.googleapis.com", "GEMINI_API_KEY", "gemini-2.5-pro"),
        ("grok-4", "openai", "api.x.ai", "XAI_API_KEY", "grok-4"),
        ("deepseek-chat", "openai", "api.deepseek.com", "DEEPSEEK_API_KEY", "deepseek-chat"),
        ("mistral-large-latest", "openai", "api.mistral.ai", "MISTRAL_API_KEY", "mistral-large-latest"),
        ("openrouter/qwen/qwen3-32b", "openai", "openrouter.ai", "OPENROUTER_API_KEY", "qwen/qwen3-32b"),
        ("anthropic/claude-opus-4-5", "anthropic", None, None, "claude-opus-4-5"),
        ("openai/gpt-5", "openai", None, None, "gpt-5"),
        ("gpt-5", "openai", None, None, "gpt-5"),
        ("o3", "openai", None, None, "o3"),
        ("meta-llama/Llama-3.1-8B-Instruct", "openai", None, None, "meta-llama/Llama-3.1-8B-Instruct"),
        ("local/smollm2", "local", None, None, "local/smollm2"),
    ],
)
def test_a_models_name_says_who_serves_it(
    model: str, provider: str, host: str | None, key: str | None, asked: str
) -> None:
    found = service_of(model)
    assert (found.provider, found.key, found.model) == (provider, key, asked)
    assert (host in str(found.base_url)) if host else found.base_url is None


def test_what_is_said_outranks_what_a_name_says(monkeypatch: pytest.MonkeyPatch) -> None:
    said = LlmSolver(model="claude-opus-4-5", base_url="http://127.0.0.1:9/v1").service
    assert (said.provider, said.base_url, said.key) == ("openai", "http://127.0.0.1:9/v1", None)
    monkeypatch.delenv("XAI_API_KEY", raising=False)
    with pytest.raises(UserError, match="No API key in XAI_API_KEY"):
        LlmSolver(model="grok-4").solve(EchoTask(), puzzles(1), Budget())
    assert LlmSolver(model="gemini-2.5-pro").price is not None


@pytest.mark.parametrize(
    ("model", "url", "name"),
    [
        ("o3", None, "max_completion_tokens"),
        ("gpt-4o", "https://api.openai.com/v1", "max_completion_tokens"),
        ("gpt-5-mini", "https://x.openai.azure.com/openai/v1", "max_completion_tokens"),
        ("gpt-4o", "https://x.openai.azure.com/openai/v1", "max_tokens"),
        ("gpt-5", "http://127.0.0.1:8000/v1", "max_tokens"),
        ("qwen3", "http://127.0.0.1:8000/v1", "max_tokens"),
    ],
)
def test_the_limit_of_a_reply_has_the_name_its_model_knows(model: str, url: str | None, name: str) -> None:
    assert models.find(model).limit_name(model, url) == name


def picky(name: str, words: str) -> Any:
    def script(body: dict[str, Any], _nth: int) -> Behaviour:
        if name in body:
            return Behaviour(status=400, raw=json.dumps({"error": {"message": words}}).encode())
        return Behaviour(text=answer_block(number_in(body)))

    return script


@pytest.mark.parametrize(
    ("name", "words", "left_out"),
    [
        ("temperature", "Unsupported value: 'temperature' does not support 0.5 with this model.", True),
        ("temperature", "`temperature` is deprecated for this model.", True),
        ("temperature", "`temperature` may only be set to 1 when thinking is enabled.", True),
        ("top_p", "`temperature` and `top_p` cannot both be specified for this model.", True),
        ("seed", "Unrecognized request argument supplied: seed", True),
        ("top_p", "Unsupported parameter: 'top_p' is not supported with this model.", True),
        ("max_tokens", "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", False),
    ],
)
def test_a_parameter_that_is_refused_is_left_out_or_renamed_and_said_so(
    name: str, words: str, left_out: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    options = {"temperature": 0.5, "seed": 1, "top_p": 0.9, "max_tokens": 50}
    with LlmServer(picky(name, words)) as server:
        solver = LlmSolver(model="m", base_url=server.url, **options)  # type: ignore[arg-type]
        found = list(solver.solve(EchoTask(), puzzles(30), Budget(max_connections=8)))
        assert len(server.requests) == 31  # one finds out for all
    assert all(a.outcome is Outcome.ANSWERED for a in found)
    assert {tuple(a.detail.get("left_out", ())) for a in found} == {(name,) if left_out else ()}
    assert ("left out" in capfd.readouterr().err) is left_out
    if not left_out:
        assert server.requests[-1]["max_completion_tokens"] == 50


def test_a_value_out_of_range_is_no_refused_parameter() -> None:
    with LlmServer(picky("temperature", "temperature must be at most 2")) as server:
        attempt = solve(server.url, temperature=2.5)
        assert len(server.requests) == 1
    assert attempt.outcome is Outcome.PROVIDER_ERROR


@pytest.mark.parametrize("tail", ["/v1", "/v1/", "", "/"])
def test_anthropics_address_may_hold_its_version_or_not(tail: str) -> None:
    with LlmServer(Behaviour(text=BLOCK)) as server:
        url = server.url.removesuffix("/v1") + tail
        assert solve(url, provider="anthropic", max_tokens=9).answer == 0
        assert server.paths == ["POST /v1/messages"]


@pytest.mark.parametrize(
    ("model", "options", "thinking"),
    [
        ("claude-opus-4-7", {"reasoning_effort": "high"}, {"type": "adaptive"}),
        ("claude-opus-4-7", {"thinking_tokens": 2000}, {"type": "adaptive"}),
        ("claude-opus-4-6", {"thinking_tokens": 2000}, {"type": "enabled", "budget_tokens": 2000}),
        ("claude-opus-4-5", {"thinking_tokens": 2000}, {"type": "enabled", "budget_tokens": 2000}),
        ("claude-opus-4-5", {"reasoning_effort": "high"}, None),
        ("m", {"thinking": "off"}, {"type": "disabled"}),
        ("m", {"thinking": "adaptive"}, {"type": "adaptive"}),
    ],
)
def test_a_model_thinks_in_the_style_it_knows(
    model: str, options: dict[str, Any], thinking: dict[str, Any] | None
) -> None:
    with LlmServer(Behaviour(text=BLOCK)) as server:
        solve(server.url, provider="anthropic", model=model, max_tokens=9000, **options)
    assert server.requests[0].get("thinking") == thinking


@pytest.mark.parametrize("provider", ["openai", "openai-responses", "anthropic", "litellm"])
def test_system_prompt_and_further_options_reach_the_server(provider: str) -> None:
    stop = {} if provider == "openai-responses" else {"stop": ("END", "FIN")}
    with LlmServer(Behaviour(text=BLOCK)) as server:
        solve(
            server.url, provider=provider, model="openai/m", max_tokens=9, system="Be brief.", top_p=0.5,
            extra_body={"top_k": 20}, extra_headers={"X-Trace": "7"}, **stop,
        )  # fmt: skip
    (sent,) = server.requests
    said = sent.get("messages") or sent["input"]
    assert (sent["top_p"], sent["top_k"], server.headers[0]["x-trace"]) == (0.5, 20, "7")
    assert said[-1]["content"].startswith("Puzzle p0")
    assert sent["system"] == "Be brief." if provider == "anthropic" else said[0]["content"] == "Be brief."
    if stop:
        assert sent["stop_sequences" if provider == "anthropic" else "stop"] == ["END", "FIN"]


def test_new_options_left_out_keep_the_replies_that_were_paid_for_before_them() -> None:
    from solvers.llm.protocol import Call

    before = {"model", "messages", "max_tokens", "temperature", "seed", "reasoning_effort", "thinking_tokens",
              "prompt_caching", "puzzle_id", "attempt", "sample"}  # fmt: skip
    assert set(Call(model="m", messages=()).identity()) == before
    assert Call(model="m", messages=(), top_p=0.5).identity()["top_p"] == 0.5


def test_the_users_own_table_outranks_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "models.toml"
    path.write_text(
        '[qwen3]\nlimit = "max_completion_tokens"\ninput_usd = 1\noutput_usd = 2\nparameters = 7\n'
        'source = "me"\noutput = 100\n["claude-opus-4-7"]\nthinking = "budget"\n'
    )
    monkeypatch.setenv("DEPTHBENCH_MODELS", str(path))
    solver = LlmSolver(model="qwen3", base_url="http://127.0.0.1:9/v1")
    assert solver.price == Price(input=1, output=2)
    assert (solver.card.parameters.stored, solver.card.parameters.source) == (7, "me")
    assert solver.most_usd(50) == pytest.approx((50 * 1 + 100 * 2) / 1e6)
    assert models.find("qwen3").limit_name("qwen3", solver.base_url) == "max_completion_tokens"
    claude = models.find("claude-opus-4-7")
    assert (claude.thinking, claude.output) == ("budget", 128_000)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[m]\nlimits = 1", "Did you mean 'limit'"),
        ("[m]\ncontext = -1", "context = -1"),
        ("[m]\ninput_usd = nan\noutput_usd = 1", "input_usd = nan"),
        ("[m]\ninput_usd = 1", "Give both or neither"),
        ("m = 1", "is not a table"),
        ("[", "cannot be read"),
    ],
)
def test_a_mistake_in_the_users_own_table_is_named(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models.toml").write_text(text)
    monkeypatch.setenv("DEPTHBENCH_MODELS", str(tmp_path / "models.toml"))
    with pytest.raises(UserError, match=words):
        _ = LlmSolver(model="m").price


def test_the_table_of_models_is_dated_and_every_published_size_has_its_source() -> None:
    assert models.date() == json.loads((models.FOLDER / f"{models.date()}.json").read_text())["date"]
    for name in list(models.models())[::50]:
        models.find(name)
    for pattern, row in models.sizes():
        assert row["source"], pattern
        assert 0 < row["active"] <= row["parameters"], pattern
    assert models.find("openrouter/qwen/qwen3-235b-a22b").active == 22_000_000_000


@pytest.mark.parametrize(
    "text",
    [
        "Fill this 4x4 Sudoku.\n. . 3 4\n3 4 . .\n",
        "word " * 50,
        json.dumps([[0, 1], [2, 3]] * 20),
    ],
)
def test_the_least_number_of_tokens_is_no_more_than_a_tokenizer_counts(text: str) -> None:
    pytest.importorskip("litellm")
    counted = LlmSolver(model="gpt-4o").count_tokens(text)
    assert counted * 0.5 <= least_tokens(text) <= counted * 1.25


def test_the_prompt_of_arc_prize_has_its_published_form_and_scores_say_so() -> None:
    prompt = prompts.find("arc-prize")
    pair = {"input": [[1, 2]], "output": [[2], [1]]}
    text = prompt.question({"train": [pair, pair], "test": [[3, 4]]})
    marks = [
        "--Training Examples--", "--Example 0--", "INPUT:", "[[1, 2]]", "OUTPUT:", "[[2], [1]]",
        "--Example 1--", "--End of Training Examples--", "--Test Input--", "[[3, 4]]",
        "--End of Test Input--", "Your response:",
    ]  # fmt: skip
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)
    assert prompt.label == "arc-prize/1"
    assert prompt.source.startswith("https://")
    with pytest.raises(UserError, match="is not for 'echo'"):
        solve_nothing(LlmSolver(model="m", base_url="http://127.0.0.1:9/v1", prompt="arc-prize"))


def solve_nothing(solver: LlmSolver) -> None:
    solver.preview(EchoTask(), puzzles(1)[0])


def test_a_run_with_another_prompt_sends_it_and_records_its_version(tmp_path: Path) -> None:
    line = ["run", "--task", "arc1", "--solver", "llm", "--limit", "1", "-S", "prompt=arc-prize"]
    with LlmServer(Behaviour(text="[[1]]")) as server:
        where = ["-S", "model=m", "-S", f"base_url={server.url}", "--results-dir", str(tmp_path)]
        warm.run([*BENCH, *line, *where], check=True, capture_output=True)
    assert "--End of Test Input--\n\nYour response:" in server.requests[0]["messages"][0]["content"]
    (lines,) = tmp_path.glob("runs/*/attempts.jsonl")
    records = [json.loads(text) for text in lines.read_text().splitlines()]
    assert {record["detail"]["prompt_version"] for record in records} == {"arc-prize/1"}
    assert {record["outcome"] for record in records} <= {"wrong", "correct"}


def test_threads_and_loops_are_gone_after_a_refused_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    before = threading.active_count()
    clear_proxies(monkeypatch)
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:1")
    with pytest.raises(UserError):
        solve("http://127.0.0.1:9/v1")
    assert threading.active_count() == before
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
