"""A paid model asked by several workers: one cost cap, one rate limit, and a dead worker is reckoned with."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from harness import run
from harness.contracts import Budget
from harness.errors import RunError, UserError
from harness.records.find import scan
from harness.records.folder import RunFolder
from solvers.llm.books.leased import OnePurse
from solvers.llm.books.purse import Purse
from solvers.llm.solver import LlmSolver
from solvers.llm.transport.limits import AdaptiveLimit
from tests.fakes import Counting
from tests.llm_server import Behaviour, LlmServer
from tests.llm_task import answer_block

COST = (11 * 1000 + 7 * 2000) / 1e6  # of one reply of the test server at the prices below: $0.025
OPTIONS = {"usd_per_million_input": 1000.0, "usd_per_million_output": 2000.0, "model": "m", "cache": False}


def right(_body: dict[str, Any], _nth: int) -> Behaviour:
    return Behaviour(text=answer_block(1), delay=0.05)


def only(results: Path) -> RunFolder:
    (found,) = scan(results)
    return found.folder


def test_four_workers_keep_one_cap_within_the_calls_in_flight_and_a_higher_one_goes_on(
    tmp_path: Path,
) -> None:
    with LlmServer(right) as server:
        asked: dict[str, Any] = {
            "solver": "llm", "solver_options": {**OPTIONS, "base_url": server.url}, "limit": 60,
            "results_dir": tmp_path, "workers": 4, "max_connections": 6,
        }  # fmt: skip
        with pytest.raises(RunError, match=r"cost cap of \$0.501 is reached"):
            run(Counting(), max_cost_usd=20 * COST + 0.001, **asked)
        first = only(tmp_path).attempts()
        assert len(server.requests) == len(first) == 20
        with pytest.raises(RunError, match="is reached"):
            run(Counting(), max_cost_usd=30 * COST + 0.001, **asked | {"workers": 2})
        assert len(only(tmp_path).attempts()) == len(server.requests) == 30
        result = run(Counting(), **asked | {"workers": None})
    assert result.complete
    assert len({a.puzzle for a in result.folder.attempts()}) == 60
    assert result.summary.outcomes["wrong"] == 60


def test_a_storm_of_429_slows_all_workers_down_together(tmp_path: Path) -> None:
    after: list[int] = []  # requests that are open when one comes after the storm

    def script(_body: dict[str, Any], _nth: int) -> Behaviour:
        if server.count <= 24:
            return Behaviour(status=429, raw=b'{"error": {"message": "slow down"}}', delay=0.05)
        after.append(server.open)
        return Behaviour(text=answer_block(1), delay=0.05)

    with LlmServer(script) as server:
        result = run(
            Counting(), "llm", solver_options={"model": "m", "base_url": server.url, "cache": False,
            "max_retries": 30}, limit=40, results_dir=tmp_path, workers=2, max_connections=16,
        )  # fmt: skip
    assert result.summary.outcomes["wrong"] == 40
    assert max(after[:10]) <= 8


def test_the_limit_of_all_workers_together_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    with LlmServer(right) as server:
        result = run(
            Counting(), "llm", solver_options={"model": "m", "base_url": server.url, "cache": False},
            limit=40, results_dir=tmp_path, workers=2, max_connections=3,
        )  # fmt: skip
        assert result.complete
        assert server.most_open <= 3


def test_a_cap_that_cannot_be_kept_is_refused_before_a_worker_asks_anything(tmp_path: Path) -> None:
    with LlmServer(right) as server, pytest.raises(UserError, match="needs a price"):
        run(
            Counting(), "llm", solver_options={"model": "m", "base_url": server.url}, limit=4,
            results_dir=tmp_path, workers=2, max_cost_usd=0.05,
        )  # fmt: skip
    assert server.requests == []
    assert not list(tmp_path.rglob("run.json"))


def test_what_a_dead_worker_had_under_way_is_reckoned_and_its_places_are_free_again() -> None:
    async def play() -> tuple[float, int]:
        state = OnePurse(Purse(10.0, 0.0), AdaptiveLimit(2))
        await state.ask(1, "purse.start")
        await state.ask(1, "limit.take")
        await state.ask(1, "purse.pay", 2.0)
        await state.ask(1, "limit.give_back")
        await state.ask(1, "purse.finish", 2.0)
        for _ in range(2):
            await state.ask(1, "purse.start")
            await state.ask(1, "limit.take")
        await state.lost(1)
        places = [await asyncio.wait_for(state.ask(2, "limit.take"), 1) for _ in range(2)]
        return state.purse.spent, len(places)

    assert asyncio.run(play()) == (6.0, 2)


def test_a_halved_limit_is_halved_for_every_worker() -> None:
    async def play() -> float:
        state = OnePurse(Purse(None, 0.0), AdaptiveLimit(16))
        generation = await state.ask(1, "limit.take")
        same = await state.ask(2, "limit.take")
        await state.ask(1, "limit.rate_limited", generation)
        await state.ask(2, "limit.rate_limited", same)  # sent before the halving: not halved again
        return state.limit.limit

    assert asyncio.run(play()) == 8.0


def test_the_solver_s_shared_state_starts_from_what_is_spent() -> None:
    state = LlmSolver(**OPTIONS).shared(Budget(max_cost_usd=1.0, spent_usd=0.25, max_connections=5))
    assert (state.purse.cap, state.purse.spent, state.limit.ceiling) == (1.0, 0.25, 5)
