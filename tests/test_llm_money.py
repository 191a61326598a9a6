"""Money: the price table, the books in dollars, the cost cap, and replies that are never paid for twice."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.books.prices import FOLDER, Price, dates, table
from harness.contracts import Attempt, Budget, Outcome
from harness.errors import RunError, UserError
from solvers.llm.reply_cache import ReplyCache, default_path, key_of
from solvers.llm.solver import LlmSolver
from tests.llm_server import Behaviour, LlmServer
from tests.llm_task import EchoTask, answer_block, number_in, puzzles

PRICED: dict[str, Any] = {"usd_per_million_input": 1000.0, "usd_per_million_output": 2000.0}
COST = (11 * 1000 + 7 * 2000) / 1e6  # of one reply of the test server: $0.025


def right(body: dict[str, Any], _nth: int) -> Behaviour:
    return Behaviour(text=answer_block(number_in(body)), delay=0.01)


def solver(server: LlmServer, **options: Any) -> LlmSolver:
    return LlmSolver(**({"model": "m", "base_url": server.url, "max_retries": 1} | options))


def collect(attempts: Any, into: list[Attempt]) -> str:
    try:
        into.extend(attempt for attempt in attempts)
    except RunError as stop:
        return str(stop)
    return ""


@pytest.mark.parametrize("connections", [1, 8])
def test_the_cost_cap_is_kept_within_the_calls_in_flight_and_a_higher_one_goes_on(connections: int) -> None:
    cap = 20 * COST + 0.001
    with LlmServer(right) as server:
        found: list[Attempt] = []
        budget = Budget(max_connections=connections, max_cost_usd=cap)
        words = collect(solver(server, **PRICED).solve(EchoTask(), puzzles(100), budget), found)
        spent = sum(a.usage.usd or 0 for a in found)
        assert "cost cap of $0.501 is reached: $0.5 spent" in words
        assert len(found) == len(server.requests) == 20
        assert spent == pytest.approx(20 * COST)
        done = frozenset((a.puzzle_id, a.attempt) for a in found)
        more: list[Attempt] = []
        higher = Budget(max_connections=connections, max_cost_usd=2 * cap, spent_usd=spent, done=done)
        words = collect(solver(server, **PRICED).solve(EchoTask(), puzzles(100), higher), more)
        assert len(more) == 20
        assert not done & {(a.puzzle_id, a.attempt) for a in more}


def test_dear_attempts_after_cheap_ones_overrun_the_cap_by_the_calls_in_flight_at_most() -> None:
    def script(body: dict[str, Any], _nth: int) -> Behaviour:
        n = number_in(body)
        return Behaviour(text=answer_block(n), delay=0.01, completion_tokens=7 if n < 10 else 700)

    with LlmServer(script) as server:
        found: list[Attempt] = []
        collect(
            solver(server, **PRICED).solve(
                EchoTask(), puzzles(200), Budget(max_connections=4, max_cost_usd=3.0)
            ),
            found,
        )
    dearest = max(a.usage.usd or 0 for a in found)
    assert sum(a.usage.usd or 0 for a in found) <= 3.0 + 4 * dearest


def test_a_cap_without_a_known_price_is_refused() -> None:
    with LlmServer(right) as server, pytest.raises(UserError, match="none is known for 'm'"):
        solver(server).solve(EchoTask(), puzzles(1), Budget(max_cost_usd=1.0))


def test_a_cap_that_cannot_be_kept_because_tokens_are_unreported_stops_the_run() -> None:
    with LlmServer(Behaviour(text=answer_block(0), usage=False)) as server:
        found: list[Attempt] = []
        words = collect(
            solver(server, **PRICED).solve(
                EchoTask(), puzzles(50), Budget(max_connections=4, max_cost_usd=1.0)
            ),
            found,
        )
    assert "did not report a reply's tokens" in words
    assert len(found) == 1
    assert found[0].usage.usd is None


def test_a_second_run_is_all_cache_and_its_books_are_those_of_the_first() -> None:
    with LlmServer(right) as server:
        first = {a.puzzle_id: a for a in solver(server, **PRICED).solve(EchoTask(), puzzles(20), Budget())}
        assert len(server.requests) == 20
        second = {a.puzzle_id: a for a in solver(server, **PRICED).solve(EchoTask(), puzzles(20), Budget())}
        assert len(server.requests) == 20
    for name, attempt in first.items():
        again = second[name]
        assert again.answer == attempt.answer
        assert again.reply == attempt.reply
        assert again.usage.usd == attempt.usage.usd == pytest.approx(COST)
        assert again.usage.input_tokens == attempt.usage.input_tokens
        assert again.usage.wall_seconds == pytest.approx(attempt.usage.wall_seconds, abs=0.05)
        assert again.detail["cached_replies"] == 1
        assert "cached_replies" not in attempt.detail


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"temperature": 0.1},
        {"max_tokens": 9},
        {"reasoning_effort": "low"},
        {"seed": 1},
        {"strategy": "direct"},
        {"budget": Budget(seed=1)},
        {"budget": Budget(attempts=2, done=frozenset({("p0", 0)}))},
        {"task": EchoTask(version="2")},
        {"task": EchoTask(family="other")},
        {"cache": False},
    ],
)
def test_the_cache_tells_apart_whatever_changes_an_answer(change: dict[str, Any]) -> None:
    budget, task = change.pop("budget", Budget()), change.pop("task", EchoTask())
    with LlmServer(right) as server:
        list(solver(server).solve(EchoTask(), puzzles(1), Budget()))
        list(solver(server, **change).solve(task, puzzles(1), budget))
        assert len(server.requests) == 2


def test_another_server_has_another_cache_entry_and_failures_have_none() -> None:
    with LlmServer(right) as one, LlmServer(Behaviour(status=400, raw=b"{}")) as two:
        list(solver(one).solve(EchoTask(), puzzles(1), Budget()))
        for _ in range(2):
            (attempt,) = solver(two).solve(EchoTask(), puzzles(1), Budget())
            assert attempt.outcome is Outcome.PROVIDER_ERROR
        assert len(two.requests) == 2


def test_the_cache_can_be_listed_and_pruned() -> None:
    cache = ReplyCache()
    for n in range(6):
        model, task = ("a", "b")[n % 2], ("x", "y", "z")[n // 2]
        cache.put(key_of({"n": n}), {"text": f"{n}"}, provider="openai", model=model, task=task)
    assert [(g.model, g.task, g.replies) for g in cache.groups()] == [(m, t, 1) for m in "ab" for t in "xyz"]
    assert cache.prune(model="a", task="x") == 1
    assert cache.prune(before=time.time() - 60) == 0
    assert cache.get(key_of({"n": 0})) is None
    assert cache.get(key_of({"n": 1})) == {"text": "1"}
    assert cache.prune(before=time.time() + 1) == 5
    assert cache.groups() == []
    cache.close()


def test_short_values_stand_as_they_are_long_ones_compressed_and_both_are_read_in_either_form() -> None:
    cache, values = ReplyCache(), [{"text": "ü" * n} for n in (0, 1, 300, 400, 100_000)]
    for n, value in enumerate(values):
        cache.put(key_of({"n": n}), value, provider="openai", model="a", task="x")
    sizes = [size for (size,) in cache._execute("select length(value) from replies")]
    assert max(sizes) < 3000
    assert [cache.get(key_of({"n": n})) for n in range(5)] == values
    for n, value in enumerate(values):  # as versions before wrote short ones
        packed = zlib.compress(json.dumps(value).encode(), 1)
        cache._execute("update replies set value = ? where key = ?", (packed, key_of({"n": n})))
    assert [cache.get(key_of({"n": n})) for n in range(5)] == values
    cache.close()


@pytest.mark.parametrize("damage", ["x'00'", "''", "7", "x'7b'", "'{'", "x'7b227d'", "'[1]'"])
def test_a_damaged_entry_is_asked_again(damage: str) -> None:
    with LlmServer(right) as server:
        list(solver(server).solve(EchoTask(), puzzles(1), Budget()))
        with sqlite3.connect(default_path()) as db:
            db.execute(f"update replies set value = {damage}")
        db.close()
        list(solver(server).solve(EchoTask(), puzzles(1), Budget()))
        assert len(server.requests) == 2


def damaged(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to look at" * 100)


def a_folder(path: Path) -> None:
    path.mkdir()


def a_file_for_a_folder(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("")


@pytest.mark.parametrize("trouble", [damaged, a_folder, a_file_for_a_folder])
def test_a_cache_that_cannot_be_opened_costs_the_cache_and_not_the_run(
    trouble: Callable[[Path], None], capfd: pytest.CaptureFixture[str]
) -> None:
    default_path().parent.mkdir(parents=True)
    trouble(default_path())
    with LlmServer(right) as server:
        found = list(solver(server).solve(EchoTask(), puzzles(30), Budget()))
    assert [a.outcome for a in found] == [Outcome.ANSWERED] * 30
    assert capfd.readouterr().err.count("cannot be opened") == 1
    with pytest.raises(UserError, match="cannot be opened"):  # who looks after the cache is told
        ReplyCache()


def test_a_disk_that_fills_up_under_the_cache_costs_the_cache_and_not_the_replies(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    opened = ReplyCache.__init__

    def small(self: ReplyCache, *args: Any, **more: Any) -> None:
        opened(self, *args, **more)
        pages = self._execute("pragma page_count")[0][0]
        self._execute(f"pragma max_page_count = {pages + 2}")

    monkeypatch.setattr(ReplyCache, "__init__", small)
    noise = "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(100))  # does not compress
    with LlmServer(lambda body, _nth: Behaviour(text=noise + answer_block(number_in(body)))) as server:
        found = list(solver(server).solve(EchoTask(), puzzles(30), Budget(max_connections=4)))
    assert {a.puzzle_id: a.answer for a in found} == {f"p{n}": n for n in range(30)}
    said = capfd.readouterr().err
    assert said.count("is full") == said.count("bench:") == 1


def test_a_cache_that_another_process_holds_is_waited_for_and_then_given_up(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("solvers.llm.reply_cache.BUSY_SECONDS", 0.1)
    ReplyCache().close()
    holder = sqlite3.connect(default_path(), isolation_level=None)
    holder.execute("begin exclusive")
    try:
        with LlmServer(right) as server:
            found = list(solver(server).solve(EchoTask(), puzzles(5), Budget()))
    finally:
        holder.close()
    assert [a.outcome for a in found] == [Outcome.ANSWERED] * 5
    assert capfd.readouterr().err.count("locked") == 1


def test_a_bill_follows_the_price_list_to_the_token() -> None:
    price = Price(
        input=5,
        output=25,
        cached=0.5,
        cache_write=6.25,
        batch_input=2.5,
        batch_output=12.5,
        batch_cached=0.25,
    )
    million = 1_000_000
    assert price.usd(input_tokens=million, output_tokens=million) == 30
    assert price.usd(input_tokens=million, output_tokens=0, cached_tokens=million) == 0.5
    assert price.usd(input_tokens=million, output_tokens=0, cache_write_tokens=million) == 6.25
    assert price.usd(input_tokens=million, output_tokens=million, batch=True) == 15
    assert price.usd(input_tokens=None, output_tokens=1) is None
    assert Price(input=1, output=1).usd(input_tokens=1, output_tokens=1, batch=True) is None
    assert Price(input=1, output=1, up_to_input_tokens=100).usd(input_tokens=101, output_tokens=1) is None


def test_the_price_table_is_dated_sourced_and_plausible() -> None:
    for date in dates():
        body = json.loads((FOLDER / f"{date}.json").read_text())
        assert body["date"] == date
        assert "litellm" in body["source"]
        for name, entry in body["models"].items():
            assert 0 < entry["input"] < 1000, name
            assert 0 < entry["output"] < 2000, name
            Price(**entry)
        for device in body["devices"]:
            assert 0 < device["usd_per_hour"] < 100, device
            assert device["read"] <= date
            assert device["source"].startswith("https://")
            assert device["via"].startswith("https://")
            assert device["what"]
    with pytest.raises(UserError, match="Did you mean"):
        table("2026-11-23")


def test_a_device_is_priced_by_its_name_and_an_unknown_one_is_unknown() -> None:
    hourly = table().usd_per_device_hour
    thread = hourly("cpu")
    assert thread is not None
    assert hourly("CPU, 1 threads") == thread
    assert hourly("CPU, 16 threads") == pytest.approx(16 * thread)
    # older drivers leave the maker out
    assert hourly("NVIDIA A100-SXM4-80GB") == hourly("A100-SXM4-80GB") is not None
    assert hourly("NVIDIA H100 80GB HBM3") is not None
    assert hourly("NVIDIA GH200 480GB MIG 1g.12gb") is None
    # a slice is not sold at the price of the whole
    assert hourly("NVIDIA H100 80GB HBM3 MIG 1g.10gb") is None
    assert hourly("NVIDIA L4") != hourly("NVIDIA L40S")
    assert hourly("mps") is hourly("none") is hourly("") is hourly(None) is None


def test_a_model_is_priced_by_who_sells_it_and_an_unknown_seller_is_unknown() -> None:
    find = table().find
    gpt = find("gpt-5", provider="openai", base_url=None)
    assert gpt is not None
    assert find("gpt-5", provider="openai", base_url="https://api.openai.com/v1") == gpt
    assert find("openai/gpt-5", provider="litellm", base_url=None) == gpt
    assert find("gpt-5", provider="openai", base_url="http://127.0.0.1:8000/v1") is None
    assert find("gpt-5", provider="replay", base_url=None) is None
    assert find("deepseek-chat", provider="openai", base_url="https://api.deepseek.com") is not None
    assert find("claude-opus-4-5", provider="anthropic", base_url=None) is not None
    assert find("no-such-model", provider="openai", base_url=None) is None
