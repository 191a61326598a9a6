"""Fronts, budgets, training shared out, seeds as one: each against a plain loop or a planted answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import run
from harness.books.prices import table
from harness.books.training import FREE, UNKNOWN, amortised, model_flops, training_of
from harness.contracts import Attempt, Budget, Parameters, SolverCard, TaskView, Usage
from harness.errors import UserError
from harness.scores.blocks import block_of
from harness.scores.budget import BudgetCurve, CurvePoint, at_budget, curves_of
from harness.scores.front import costs_of, front_of
from harness.scores.seeds import by_configuration, merged
from harness.scores.statistics import Score
from harness.scores.values import load
from tests.fakes import Counting

H100 = "NVIDIA H100 80GB HBM3"


@dataclass(frozen=True, kw_only=True)
class Skilled:
    """Solves a share of the puzzles, those of low rank first, at a price; more effort, a larger share."""

    share: float = 0.5
    effort: int = 1
    price: float | None = 1.0
    size: int | None = 100
    noise: float = 0.0
    seed: int | None = None
    regime: str = "1,000 puzzles"

    @property
    def card(self) -> SolverCard:
        training = {"regime": self.regime, "seed": self.seed or 0}
        return SolverCard(
            name="skilled", kind="net", parameters=Parameters(core=self.size), training=training,
            exposure={"regime": self.regime},
        )  # fmt: skip

    def solve(self, task: TaskView, puzzles: Any, budget: Budget) -> Any:
        rng = np.random.default_rng([budget.seed, self.seed or 0])
        for n, puzzle in enumerate(puzzles):
            right = task.methods["search"](puzzle, rng)
            good = (n + 0.5) / len(puzzles) + rng.normal() * self.noise < self.share * self.effort
            cost = None if self.price is None else self.price * self.effort
            yield Attempt(
                puzzle_id=puzzle.id,
                answer=right if good else right + 1,
                usage=Usage(usd=cost, flops=None if cost is None else 1e9 * cost, device_seconds=cost),
            )


def values(tmp_path: Path, *solvers: Skilled, **options: Any) -> list[Any]:
    more = {"limit": 40, "results_dir": tmp_path} | options
    return [load(run(Counting(), solver, **more).folder) for solver in solvers]


def test_the_front_is_what_no_other_row_beats_and_says_how_sure_it_is(tmp_path: Path) -> None:
    runs = values(
        tmp_path,
        Skilled(share=0.2, price=1.0),
        Skilled(share=0.9, price=10.0),
        Skilled(share=0.5, price=20.0),  # dearer and worse than the second
        Skilled(share=0.925, price=11.0),  # one puzzle more than the second
        Skilled(share=0.6, price=None),
    )
    found = front_of(runs, "usd")
    assert found.unknown == (runs[4].name,)
    assert [row.cost for row in found.rows] == [1.0, 10.0, 11.0, 20.0]
    assert [row.on_front for row in found.rows] == [True, True, True, False]
    assert [row.share for row in found.rows][::3] == [1.0, 0.0]
    # the third solves the second's puzzles and one more: it leads where that one is drawn
    assert found.rows[2].share == pytest.approx(1 - (1 - 1 / 40) ** 40, abs=0.04)
    assert found == front_of(runs, "usd"), "seeded"


def test_equal_rows_are_both_on_the_front(tmp_path: Path) -> None:
    runs = values(tmp_path, Skilled(regime="a"), Skilled(regime="b"))
    assert [(row.on_front, row.share) for row in front_of(runs, "core").rows] == [(True, 1.0)] * 2


def test_a_front_of_other_puzzles_or_an_unknown_cost_is_refused(tmp_path: Path) -> None:
    one, *_ = values(tmp_path, Skilled())
    other, *_ = values(tmp_path, Skilled(), seed=1)
    with pytest.raises(UserError, match="different puzzles"):
        front_of([one, other], "usd")
    with pytest.raises(UserError, match="No cost 'weight'"):
        front_of([one], "weight")
    assert front_of([], "usd").rows == ()


def point(cost: float, score: float) -> CurvePoint:
    return CurvePoint(
        cost=cost, score=Score(score=score, low=score - 0.1, high=score + 0.1, n=9), at="", run="r"
    )


def test_a_curve_is_read_between_its_points_and_nowhere_else() -> None:
    curve = BudgetCurve(solver="s", by="depth", points=(point(1.0, 0.2), point(100.0, 0.6)))
    between = at_budget(curve, 10.0)  # half way in the logarithm
    assert between.where == "between"
    assert between.score is not None
    assert (between.score.score, between.score.low, between.score.high) == pytest.approx((0.4, 0.3, 0.5))
    assert (at_budget(curve, 0.5).score, at_budget(curve, 0.5).where) == (None, "below")
    assert (at_budget(curve, 101).score, at_budget(curve, 101).where) == (None, "above")
    assert at_budget(curve, 100.0).where == "measured"
    free = BudgetCurve(solver="s", by="", points=(point(0.0, 0.2), point(4.0, 0.6)))
    assert at_budget(free, 1.0).score == Score(
        score=pytest.approx(0.3), low=pytest.approx(0.2), high=pytest.approx(0.4), n=9
    )  # type: ignore[arg-type]


def test_runs_that_differ_in_one_option_are_one_curve(tmp_path: Path) -> None:
    runs = values(
        tmp_path, Skilled(share=0.2), Skilled(share=0.2, effort=2), Skilled(share=0.2, effort=4), Skilled()
    )
    by = {curve.by: curve for curve in curves_of(runs, "usd")}
    assert [(p.cost, p.score.score, p.at) for p in by["effort"].points] == [
        (1.0, 0.2, "effort=1"),
        (2.0, 0.4, "effort=2"),
        (4.0, 0.8, "effort=4"),
    ]
    assert at_budget(by["effort"], 3.0).where == "between"
    assert set(by) == {"effort", "share"}, "the last differs from the first in its share"
    with pytest.raises(UserError, match="No budget 'tokens'"):
        curves_of(runs, "tokens")


def test_training_is_priced_by_its_device_and_shared_out() -> None:
    prices = table()
    card = SolverCard(
        name="trm", kind="net",
        training={"training_flops": 1e18, "seconds": 7200.0, "device": H100, "processes": 2},
    )  # fmt: skip
    hourly = prices.usd_per_device_hour(H100)
    assert hourly is not None
    found = training_of(card, prices)
    assert (found.flops, found.usd) == (1e18, pytest.approx(4 * hourly))
    assert amortised(0.5, found.usd, 1000) == pytest.approx(0.5 + 4 * hourly / 1000)
    assert amortised(None, 1.0, 5) is None
    longer = replace(card, training={**card.training, "started_from": {"training": dict(card.training)}})
    assert training_of(longer, prices).flops == 2e18
    assert training_of(replace(card, training={**card.training, "started_from": {}}), prices) == UNKNOWN
    assert training_of(SolverCard(name="search", kind="exact"), prices) == FREE
    assert training_of(SolverCard(name="m", kind="llm"), prices) == UNKNOWN


def test_a_models_flops_are_estimated_from_its_active_parameters() -> None:
    card = SolverCard(name="llm", kind="llm", parameters=Parameters(stored=671, active=37))
    assert model_flops(card, 1000.0) == 74_000.0
    assert model_flops(card, 1000.0, 400.0) == 44_400.0
    assert model_flops(card, None) is None
    assert model_flops(replace(card, parameters=Parameters(stored=671)), 1000.0) is None
    assert model_flops(replace(card, kind="net"), 1000.0) is None


def test_seeds_of_one_configuration_are_one_row_with_the_spread_between_them(tmp_path: Path) -> None:
    runs = [values(tmp_path, Skilled(noise=0.3, seed=s), seed=0)[0] for s in range(3)] + values(
        tmp_path, Skilled(share=0.9)
    )
    groups = by_configuration({r.name: r.record for r in runs})
    assert sorted(map(len, groups)) == [1, 3]
    three = next(group for group in groups if len(group) == 3)
    found = merged([r for r in runs if r.name in three])
    scores = [r.score.score for r in runs[:3]]
    assert found.score.score == pytest.approx(np.mean(scores))
    assert found.spread == pytest.approx(np.std(scores, ddof=1))
    assert (found.least, found.most) == (min(scores), max(scores))
    # the same forty puzzles three times are not a hundred and twenty
    alone = runs[0].score
    assert found.score.high - found.score.low > 0.6 * (alone.high - alone.low)


def test_seeds_that_draw_other_puzzles_are_pooled(tmp_path: Path) -> None:
    runs = [values(tmp_path, Skilled(noise=0.3), seed=s)[0] for s in range(4)]
    (group,) = by_configuration({r.name: r.record for r in runs})
    assert len(group) == 4
    found = merged(runs)
    assert found.score.n == 160
    assert found.score.high - found.score.low < 0.6 * (runs[0].score.high - runs[0].score.low)


def test_what_keeps_runs_out_of_one_ranking_is_said(tmp_path: Path) -> None:
    one, other = values(tmp_path, Skilled(), Skilled(regime="all there are"))
    fewer, *_ = values(tmp_path, Skilled(), limit=10)
    blocks = [block_of(r.record) for r in (one, other, fewer)]
    assert blocks[1].differs_from(blocks[0]) == ("training: all there are",)
    (differs,) = blocks[2].differs_from(blocks[0])
    assert differs.startswith("puzzles: 10 of test (")
    asked = SolverCard(name="llm", kind="llm", prompt="3, cot")
    cards = [
        block_of(replace(one.record, card=replace(asked, prompt=p))) for p in ("3, cot", "3, direct", None)
    ]
    assert cards[1].differs_from(cards[0]) == ("prompt: 3, direct",)
    assert cards[2].differs_from(cards[0]) == ("prompt: not recorded",)


def test_the_cost_of_a_puzzle_is_all_that_was_spent_on_it(tmp_path: Path) -> None:
    one, free = values(tmp_path, Skilled(price=2.0), Skilled(price=None))
    assert costs_of(one, "usd") == dict.fromkeys(one.values, 2.0)
    assert costs_of(free, "usd") is None
    assert costs_of(one, "core") == dict.fromkeys(one.values, 100.0)
