"""A key goes to its own server and appears nowhere else: not in records, cache, output or tracebacks."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from harness.contracts import Budget
from harness.errors import UserError
from solvers.llm.keys import Redactor, find_key
from solvers.llm.reply_cache import default_path, unpacked
from solvers.llm.solver import LlmSolver
from tests import warm
from tests.llm_server import Behaviour, LlmServer
from tests.llm_task import EchoTask, puzzles

KEY = "sk-planted/0123+456789"
OTHER = "gm-other-9876543210"  # in the environment for another service, as litellm reads them
BENCH = [sys.executable, "-m", "harness.cli.main"]
BLOCK = "```answer\n0\n```"


def failing(status: int, message: str, **more: Any) -> Behaviour:
    return Behaviour(status=status, raw=json.dumps({"error": {"message": message, **more}}).encode())


def body(**members: Any) -> Behaviour:
    choice = {"message": {"content": "x"}, "finish_reason": "stop"}
    return Behaviour(raw=json.dumps({"choices": [choice], **members}).encode())


PLACES = {
    "a reply": Behaviour(text=f"Your key is {KEY}."),
    "a reply, percent-encoded": Behaviour(text=f"Your key is {quote(KEY, safe='')}."),
    "the key of another service in a reply": Behaviour(text=f"Its key is {OTHER}."),
    "a refusal": Behaviour(text=None, refusal=f"Not with {KEY}."),
    "the reasoning": Behaviour(text="x", reasoning=f"The key is {KEY}"),
    "the model's name": Behaviour(text="x", model=f"m-{KEY}"),
    "a finish reason": body(choices=[{"message": {"content": "x"}, "finish_reason": f"odd {KEY}"}]),
    "an error": failing(400, f"too long for {KEY}: maximum context length"),
    "an error that is tried again": failing(500, f"worker of {KEY} died"),
    "an error inside a 200": body(choices=[], error={"message": f"{KEY} upset us", "code": 500}),
    "an error inside a choice": body(
        choices=[
            {"message": {"content": ""}, "error": {"message": KEY, "code": 502}, "finish_reason": "error"}
        ]
    ),
    "a redirect": Behaviour(status=302, headers={"Location": f"http://127.0.0.1:9/?key={KEY}"}, raw=b""),
    "a body that is not JSON": Behaviour(raw=f"<html>{KEY}".encode(), content_type=f"text/html; k={KEY}"),
    "a cut reply": Behaviour(text=f"{KEY} and then", finish_reason="length"),
}


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED_KEY", KEY)
    monkeypatch.setenv("GEMINI_API_KEY", OTHER)


def bench(results: Path, server: LlmServer, limit: int, *more: str) -> subprocess.CompletedProcess[str]:
    run = ["run", "--task", "sudoku", "-T", "size=4", "--solver", "llm", "--limit", str(limit)]
    options = ["-S", "model=m", "-S", f"base_url={server.url}", "-S", "api_key_env=PLANTED_KEY"]
    where = ["-S", "max_retries=1", "--results-dir", str(results)]
    return warm.run([*BENCH, *run, *options, *where, *more], capture_output=True, text=True)


def written(folder: Path) -> bytes:
    """Everything on disk below a folder, what is compressed in the cache included."""
    found = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    if default_path().exists():
        with sqlite3.connect(default_path()) as db:
            found += [unpacked(value) for (value,) in db.execute("select value from replies")]
        db.close()
    return b"\n".join(found)


def clean(text: str | bytes) -> bool:
    raw = text if isinstance(text, bytes) else text.encode()
    secrets = (KEY, quote(KEY, safe=""), json.dumps(KEY)[1:-1], OTHER)
    return not any(secret.encode() in raw for secret in secrets)


@pytest.mark.parametrize("stream", [False, True])
def test_a_key_that_a_server_quotes_is_cut_out_wherever_it_stands(stream: bool, tmp_path: Path) -> None:
    places = list(PLACES.values())
    with LlmServer() as server:
        asked: dict[str, int] = {}

        def script(request: dict[str, Any], _nth: int) -> Behaviour:
            return places[asked.setdefault(str(request["messages"]), len(asked))]

        server.script = script
        done = bench(tmp_path, server, len(places), "--max-connections", "1", "-S", f"stream={stream}")
        assert {h["authorization"] for h in server.headers} == {f"Bearer {KEY}"}
    assert len(asked) == len(places)
    assert clean(done.stdout + done.stderr)
    everything = written(tmp_path)
    assert everything.count(b"[key]") >= len(places) - 2
    assert clean(everything)


@pytest.mark.parametrize("refusal", [failing(401, f"Incorrect API key provided: {KEY}"),
                                     failing(400, f"Your credit balance is too low, {KEY}")])  # fmt: skip
def test_a_refusal_that_ends_the_run_does_not_show_the_key(refusal: Behaviour, tmp_path: Path) -> None:
    with LlmServer(refusal) as server:
        done = bench(tmp_path, server, 3)
    assert done.returncode == 2
    assert "[key]" in done.stderr
    assert clean(done.stdout + done.stderr)
    assert clean(written(tmp_path))


def test_a_crash_shows_a_traceback_without_the_key(tmp_path: Path) -> None:
    program = (
        "import sys, openai\n"
        "async def post(self, *args, **more):\n"
        "    try:\n"
        "        raise KeyError({'authorization': [self.api_key]})\n"
        "    except KeyError as error:\n"
        "        raise TypeError(f'bad header {self.api_key}') from error\n"
        "openai.AsyncOpenAI.post = post\n"
        "from harness.cli.main import main\nmain(sys.argv[1:])"
    )
    with LlmServer() as server:
        line = ["run", "--task", "sudoku", "-T", "size=4", "--solver", "llm", "--limit", "1"]
        line += ["-S", "model=m", "-S", f"base_url={server.url}", "-S", "api_key_env=PLANTED_KEY"]
        done = warm.run(
            [sys.executable, "-c", program, *line, "--results-dir", str(tmp_path)],
            capture_output=True, text=True,
        )  # fmt: skip
    assert "TypeError: bad header [key]" in done.stderr
    assert "KeyError" in done.stderr
    assert clean(done.stdout + done.stderr)
    assert clean(written(tmp_path))


def test_a_key_that_litellm_reads_by_itself_is_cut_out_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with LlmServer(lambda _body, _nth: Behaviour(text=f"{KEY} {OTHER} {BLOCK}")) as server:
        monkeypatch.setenv("OPENAI_API_BASE", server.url)
        (attempt,) = LlmSolver(model="openai/m", provider="litellm").solve(EchoTask(), puzzles(1), Budget())
        assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert attempt.reply == f"[key] [key] {BLOCK}"


PROVIDERS = {"openai": "m", "openai-responses": "m", "anthropic": "m", "litellm": "openai/m"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_belongs_to_an_account_stays_with_its_own_provider(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Gate: secret-pass-1")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Gate: secret-pass-1")
    for name in ("OPENAI_ORG_ID", "OPENAI_ORGANIZATION", "OPENAI_PROJECT_ID", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, "account-id-1")
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("MY_ORG", "asked-for")
    with LlmServer(Behaviour(text=BLOCK)) as server:
        solver = LlmSolver(model=PROVIDERS[provider], provider=provider, base_url=server.url, max_tokens=9)
        list(solver.solve(EchoTask(), puzzles(1), Budget()))
        asked = replace(solver, extra_headers={"OpenAI-Organization": "$MY_ORG"}, cache=False)
        list(asked.solve(EchoTask(), puzzles(1), Budget()))
    plain, wanted = (json.dumps(headers) for headers in server.headers)
    assert "secret-pass-1" not in plain + wanted
    assert "account-id-1" not in plain + wanted
    assert KEY not in plain + wanted
    assert "asked-for" in wanted
    assert os.environ["OPENAI_CUSTOM_HEADERS"] == "X-Gate: secret-pass-1"  # ours to read, not to keep


@pytest.mark.parametrize("key", ["sk-a\nb", "sk-“quoted”", "sk-a\tb", "sk-\x00b", "ключ-0123"])
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", {**os.environ, "ODD_KEY": key})
    solver = LlmSolver(model="m", base_url="http://127.0.0.1:9/v1", api_key_env="ODD_KEY")
    with pytest.raises(UserError, match=r"The key in ODD_KEY holds the character 0x") as refused:
        solver.solve(EchoTask(), puzzles(1), Budget())
    assert key not in str(refused.value)


def test_blanks_and_line_ends_around_a_key_are_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODD_KEY", f" {KEY}\r\n")
    assert find_key("ODD_KEY", None, "http://127.0.0.1/v1") == KEY


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Authorization": "Bearer x"}, "the value of Authorization stands in the option"),
        ({"X-Api-Key": "x"}, "stands in the option"),
        ({"X-A": "$NOT_THERE"}, "nothing is in the variable 'NOT_THERE'"),
        ({"X A": "x"}, "is not the name of a header"),
        ({"X-A": "x\ny"}, "holds the character 0xa"),
    ],
)
def test_headers_that_cannot_be_sent_or_would_be_recorded_are_refused(
    headers: dict[str, str], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        LlmSolver(model="m", extra_headers=headers)


@pytest.mark.parametrize(
    "options",
    [
        {"system": "use sk-planted-1234 well"},
        {"extra_body": {"metadata": {"note": "sk-planted-1234"}}},
        {"stop": ("sk-planted-1234",)},
        {"reasoning_effort": "sk-planted-1234"},
        {"base_url": "http://127.0.0.1:1/sk-planted-1234/v1"},
    ],
)
def test_a_secret_of_the_environment_is_refused_in_any_option(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_VENDOR_API_KEY", "sk-planted-1234")
    with pytest.raises(UserError, match="holds a secret of the environment") as caught:
        LlmSolver(model="m", **options)
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize("name", ["api_key", "apikey", "access_token", "Authorization", "client_secret"])
def test_a_member_of_the_request_that_is_named_as_a_secret_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"the value of {name} stands in the option") as caught:
        LlmSolver(model="m", extra_body={"provider": [{name: "hidden"}]})
    assert "hidden" not in str(caught.value)
    LlmSolver(model="m", extra_body={"max_completion_tokens": 5, "prompt_cache_key": "x", "top_k": 3})


def test_words_and_numbers_in_the_environment_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "12345678")
    monkeypatch.setenv("OTHER_KEY", "password")
    assert Redactor([None])("12345678 password") == "12345678 password"
