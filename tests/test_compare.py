"""Two runs on the same puzzles: the paired test, its interval, and what cannot be compared."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from harness import run
from harness.cli.main import dispatch
from harness.contracts import Metric
from harness.errors import UserError
from harness.scores import compare as comparing
from harness.scores.compare import compare
from harness.scores.paired import difference
from tests.fakes import Counting, Lottery, RepeatLast, TwoTries
from tests.test_leaderboard_budget import Skilled


def folders(tmp_path: Path, *solvers: Any, **options: Any) -> list[Any]:
    return [run(Counting(), solver, results_dir=tmp_path, **options).folder for solver in solvers]


def test_the_pairs_counts_add_up_and_the_test_is_the_binomial_one(tmp_path: Path) -> None:
    lottery, repeat = folders(tmp_path, Lottery(), RepeatLast(), limit=60)
    (pair,) = compare([lottery, repeat])
    solved = {a.puzzle for a in lottery.attempts() if a.outcome == "correct"}
    also = {a.puzzle for a in repeat.attempts() if a.outcome == "correct"}
    assert (pair.shared, pair.planned) == (60, (60, 60))
    assert (pair.both, pair.first_alone, pair.second_alone, pair.neither) == (
        len(solved & also),
        len(solved - also),
        len(also - solved),
        60 - len(solved | also),
    )
    assert pair.difference == pytest.approx((len(solved) - len(also)) / 60)
    alone = (len(solved - also), len(also - solved))
    assert pair.p == pytest.approx(binomtest(alone[0], sum(alone)).pvalue, abs=1e-12)
    assert pair.holm == pair.p  # one pair
    assert pair.low <= pair.difference <= pair.high


def test_three_runs_are_three_pairs_with_adjusted_probabilities(tmp_path: Path) -> None:
    found = compare(folders(tmp_path, Lottery(), Lottery(failing=False), RepeatLast(), limit=40))
    assert len(found) == 3
    ordered = sorted(found, key=lambda pair: pair.p or 0.0)
    assert ordered[0].holm == pytest.approx(min(1.0, 3 * (ordered[0].p or 0.0)))
    assert all((pair.holm or 0.0) >= (pair.p or 0.0) for pair in found)


def test_runs_that_share_some_puzzles_are_compared_on_those(tmp_path: Path) -> None:
    four = {"size": 4}
    small = run("sudoku", "search", task_options=four, limit=10, results_dir=tmp_path).folder
    large = run("sudoku", "random", task_options=four, limit=25, results_dir=tmp_path).folder
    (pair,) = compare([small, large])
    assert (pair.shared, pair.planned) == (10, (10, 25))
    easy = {**four, "difficulty": "easy"}
    other = run("sudoku", "search", task_options=easy, limit=10, results_dir=tmp_path).folder
    with pytest.raises(UserError, match=r"share no puzzle\. 10 have the same name and hold something else"):
        compare([small, other])


@dataclass(frozen=True, kw_only=True)
class Mended(Counting):
    """The counting task, one puzzle of which was mended without a new version."""

    mended: bool = True
    shown_by = frozenset({"mended"})

    def load(self, **options: Any) -> list[Any]:
        items = super().load(**options)
        (puzzle, key), rest = items[0], items[1:]
        return [(replace(puzzle, payload={"sequence": [1, 2, 3]}), key), *rest] if self.mended else items


def test_puzzles_of_one_name_and_other_content_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = f"{__file__}:Mended"  # found again by its file
    both = [
        run(task, "search", task_options={"mended": m}, limit=6, results_dir=tmp_path).folder
        for m in (True, False)
    ]
    (pair,) = compare(both)
    assert (pair.shared, pair.planned, pair.other_content) == (5, (6, 6), 1)
    assert dispatch(["compare", *(f.name for f in both), "--results-dir", str(tmp_path)]) == 0
    assert "1 puzzle of the same name but of other content left out" in capsys.readouterr().out


def test_another_training_is_said(tmp_path: Path) -> None:
    runs = [run(Counting(), Skilled(regime=r), limit=6, results_dir=tmp_path).folder for r in ("few", "many")]
    assert compare(runs)[0].apart == ("training: few against many",)


@dataclass(frozen=True, kw_only=True)
class Newer(Counting):
    version = "99"


def test_what_cannot_be_compared_says_why(tmp_path: Path) -> None:
    (one,) = folders(tmp_path, Lottery(), limit=5)
    other_seed = run(Counting(), Lottery(), limit=5, seed=1, results_dir=tmp_path).folder
    other_task = run(TwoTries(), Lottery(), limit=5, results_dir=tmp_path).folder
    newer = run(Newer(), Lottery(), limit=5, results_dir=tmp_path).folder
    for others, words in (
        ([], "One run was named"),
        ([one], "was named twice"),
        ([other_seed], "share no puzzle"),
        ([other_task], "is of counting version 2, .* is of|of two-tries version"),
        ([newer], "of counting version 99"),
    ):
        with pytest.raises(UserError, match=words):
            compare([one, *others])


def test_nothing_solved_and_everything_solved_are_sane(tmp_path: Path) -> None:
    all_right = run(Counting(), "search", limit=8, results_dir=tmp_path).folder
    none_right = run(Counting(), RepeatLast(), limit=8, results_dir=tmp_path).folder
    (pair,) = compare([all_right, none_right])
    assert (pair.difference, pair.low, pair.high) == (1.0, 1.0, 1.0)
    assert pair.p == pytest.approx(2 * 0.5**8)
    assert pair.needed is None  # every puzzle says the same


def test_the_interval_covers_the_true_difference_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    metric, hits, trials = Metric(name="solved"), 0, 200
    for _ in range(trials):
        first = (rng.random(120) < 0.6).astype(float)
        second = np.where(rng.random(120) < 0.7, first, (rng.random(120) < 0.4).astype(float))
        truth = 0.6 - (0.7 * 0.6 + 0.3 * 0.4)
        groups = [str(i) for i in range(120)]
        _, found = difference(groups, first, second, metric.over)
        hits += found.low <= truth <= found.high
    assert 0.90 <= hits / trials <= 0.99  # 95 % and four standard errors of 200 trials


def test_groups_widen_the_interval_where_their_members_go_together() -> None:
    rng = np.random.default_rng(1)
    per_group = (rng.random(40) < 0.5).astype(float)
    first, second = np.repeat(per_group, 5), np.zeros(200)
    groups = [str(i // 5) for i in range(200)]
    alone = difference([str(i) for i in range(200)], first, second, "puzzle")
    together = difference(groups, first, second, "puzzle")
    assert together[1].high - together[1].low > 1.8 * (alone[1].high - alone[1].low)


def test_the_number_of_puzzles_said_to_be_needed_finds_the_difference_as_often_as_said() -> None:
    rng = np.random.default_rng(2)

    def draw(n: int) -> tuple[Any, Any]:
        first = (rng.random(n) < 0.55).astype(float)
        return first, np.where(rng.random(n) < 0.8, first, (rng.random(n) < 0.3).astype(float))

    first, second = draw(20_000)
    needed = comparing._needed([str(i) for i in range(20_000)], first - second)
    assert needed is not None
    found = 0
    for _ in range(300):
        a, b = draw(needed)
        counts = [int(n.sum()) for n in ((a > b), (b > a))]
        found += comparing._mcnemar([0, *counts, 0]) < 0.05
    assert 0.68 <= found / 300 <= 0.90  # 0.8, less what an exact test keeps back


@pytest.mark.parametrize(("alone", "of"), [(49, 50), (9, 10), (30, 40), (1, 50), (1, 5000)])
def test_the_number_needed_is_statsmodels_where_that_converges_and_never_fails(alone: int, of: int) -> None:
    gaps = np.array([1.0] * alone + [0.0] * (of - alone))
    needed = comparing._needed([str(i) for i in range(of)], gaps)
    effect = gaps.mean() / gaps.std()
    exact = ((1.959963984540054 + 0.8416212335729143) / effect) ** 2  # without the other tail
    assert needed == pytest.approx(max(2.0, exact), abs=1.5)


def test_a_difference_of_rounding_errors_is_none() -> None:
    gaps = np.array([1 / 3, 1 / 3, -2 / 3, 0.1, 0.2, -0.3])
    assert gaps.mean() != 0
    assert comparing._needed([str(i) for i in range(6)], gaps) is None


def test_the_command_prints_one_row_a_pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f.path.name for f in folders(tmp_path, Lottery(), RepeatLast(), limit=12)]
    assert dispatch(["compare", *names, "--results-dir", str(tmp_path)]) == 0
    assert "McNemar" in capsys.readouterr().out
    assert dispatch(["compare", *names, "--results-dir", str(tmp_path), "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["shared"] == 12
    assert dispatch(["compare", names[0], "--results-dir", str(tmp_path)]) == 2
