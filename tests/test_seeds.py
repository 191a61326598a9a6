"""Seeds of one configuration as one: against each other run, along cost, at a budget, on the report."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, permutation_test

from harness.cli.main import dispatch
from harness.errors import UserError
from harness.scores.budget import read_at
from harness.scores.compare import compare
from harness.scores.front import costs_of, front_of
from harness.scores.paired import sign_flips
from harness.scores.seeds import pooled, with_seeds_as_one
from harness.scores.values import load
from tests.fakes import Counting
from tests.test_leaderboard_budget import Skilled, values


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return three trainings of one net at two efforts, and another net, on the same forty puzzles."""
    folder = tmp_path_factory.mktemp("results")
    for seed in range(3):
        values(folder, Skilled(noise=0.3, seed=seed, share=0.4, price=1.0))
    values(folder, Skilled(share=0.9, price=5.0))
    return folder


def read(results: Path) -> list[Any]:
    from harness.records.find import folders

    runs = [load(folder) for folder in folders(results)]
    return sorted(runs, key=lambda run: (-run.record.solver.options["noise"], run.record.created, run.name))


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert dispatch([*words, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_pooled_seeds_hold_the_mean_of_every_puzzle_and_of_its_cost(results: Path) -> None:
    *three, other = read(results)
    one = pooled(three)
    for name in one.values:
        assert one.values[name] == pytest.approx(np.mean([run.values[name] for run in three]))
    assert one.score.score == pytest.approx(np.mean([run.score.score for run in three]))
    assert costs_of(one, "usd") == pytest.approx(dict.fromkeys(one.values, 1.0))
    assert [run.name for run in with_seeds_as_one([*three, other])] == [three[-1].name, other.name]


def test_the_front_takes_seeds_as_one_and_says_how_they_spread(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    *three, other = read(results)
    found = front_of([pooled(three), other], "usd")
    assert [row.run for row in found.rows] == [three[-1].name, other.name]
    scores = [run.score.score for run in three]
    assert found.rows[0].score.score == pytest.approx(np.mean(scores))
    assert found.rows[0].spread == pytest.approx(np.std(scores, ddof=1))
    rows = told(capsys, "leaderboard", "--front", "usd", "--results-dir", str(results))
    assert [(row["run"], row["spread"]) for row in rows] == [(r.run, r.spread) for r in found.rows]
    each = told(capsys, "leaderboard", "--front", "usd", "--each-seed", "--results-dir", str(results))
    assert len(each) == 4


def test_seeds_that_drew_other_puzzles_make_one_front(tmp_path: Path) -> None:
    for seed in (1, 0):
        values(tmp_path, Skilled(noise=0.3), seed=seed)
    for seed in (0, 1):  # the other way round
        values(tmp_path, Skilled(share=0.9, price=5.0), seed=seed)
    one, other = with_seeds_as_one(read(tmp_path))
    assert len({*one.values, *other.values}) == 80
    found = front_of([one, other], "usd")
    assert [row.score.n for row in found.rows] == [80, 80]
    assert found.rows[1].score.score == pytest.approx(np.mean([run.score.score for run in other.each]))
    (pair,) = compare(folders_of(tmp_path), merge=True)
    assert (pair.shared, pair.seeds) == (80, (2, 2))


def folders_of(results: Path) -> Any:
    from harness.records.find import folders

    return folders(results)


def test_at_a_budget_each_seed_is_read_off_its_own_curve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(3):
        for effort in (1, 2):
            values(tmp_path, Skilled(share=0.3, effort=effort, noise=0.2, seed=seed))
    runs = read(tmp_path)
    (found,) = read_at(runs, "usd", 1.5)
    by_effort: list[list[float]] = [[], []]
    for run in sorted(runs, key=lambda run: run.record.solver.options["seed"]):
        by_effort[run.record.solver.options["effort"] - 1].append(run.score.score)
    part = np.log(1.5) / np.log(2)
    each = [(1 - part) * low + part * high for low, high in zip(*by_effort, strict=True)]
    assert found.score is not None
    assert found.score.score == pytest.approx(np.mean(each))
    assert found.spread == pytest.approx(np.std(each, ddof=1))
    assert (found.where, len(found.seeds)) == ("between", 3)
    (outside,) = read_at(runs, "usd", 3.0)
    assert (outside.score, outside.where, len(outside.seeds)) == (None, "above", 3)
    assert len(read_at(runs, "usd", 1.5, merge=False)) == 3
    (row,) = told(capsys, "leaderboard", "--at-usd", "1.5", "--results-dir", str(tmp_path))
    assert row["score"]["score"] == found.score.score


def test_compared_as_one_seeds_are_tested_by_their_means(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    *three, other = read(results)
    words = ["compare", *(run.name for run in [*three, other]), "--results-dir", str(results)]
    assert len(told(capsys, *words)) == 6
    (pair,) = told(capsys, *words, "--merge-seeds")
    gaps = np.array([np.mean([run.values[n] for run in three]) - other.values[n] for n in other.values])
    assert pair["difference"] == pytest.approx(gaps.mean())
    assert pair["seeds"] == [3, 1]
    assert pair["p"] == pytest.approx(sign_flips(list(other.values), gaps))
    assert pair["holm"] == pair["p"]
    assert pair["first_alone"] is None
    assert dispatch([*words, "--merge-seeds"]) == 0
    assert "stands for 3 seeds" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(UserError, match="seeds of one configuration"):
        compare([folder for folder in folders_of(results) if folder.name != other.name], merge=True)


def test_the_test_by_signs_is_exact_for_few_and_keeps_its_level_for_many() -> None:
    few = np.array([1.0, 1.0, 1.0, -0.5, 0.25, 1 / 3, 0.0])
    names = [str(i) for i in range(len(few))]
    plain = permutation_test((few[:-1],), np.sum, permutation_type="samples", vectorized=False).pvalue
    assert sign_flips(names, few) == pytest.approx(float(plain), abs=1e-12)
    ones = np.array([1.0] * 9 + [-1.0])
    assert sign_flips([str(i) for i in range(10)], ones) == pytest.approx(binomtest(1, 10).pvalue, abs=1e-12)
    assert sign_flips(["a", "a"], np.array([1.0, -1.0])) == 1.0, "one group, whose gaps cancel"
    assert sign_flips(["a", "b"], np.array([1.0, 0.0])) == 1.0, "one group alone differs"
    rng = np.random.default_rng(11)
    trials = 250
    found = sum(sign_flips([str(i) for i in range(25)], rng.normal(0, 1, 25)) < 0.05 for _ in range(trials))
    assert found / trials <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)
    assert sign_flips([str(i) for i in range(25)], rng.normal(1, 1, 25)) < 0.01


def test_a_report_shows_seeds_as_one_row_with_their_spread(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("altair")
    out = tmp_path / "r.html"
    assert dispatch(["report", "--results-dir", str(results), "-o", str(out), "--examples", "0"]) == 0
    capsys.readouterr()
    page = out.read_text(encoding="utf-8")
    data = json.loads(re.findall(r'id="data">(.*?)</script>', page)[0])
    rows = told(capsys, "leaderboard", "--results-dir", str(results))
    assert {row["run"]: row for row in data["leaderboard"]} == {row["run"]: row for row in rows}
    spread = next(row["spread"] for row in rows if row["seeds"])
    assert f'data-value="{spread}"' in page
    assert "±seeds" in page
    (command,) = re.findall(r"bench compare ([^\n]*)\n", page)
    assert data["compare"] == told(capsys, "compare", *command.split(), "--results-dir", str(results))
    fronts = told(capsys, "leaderboard", "--front", "usd", "--results-dir", str(results))
    mine = [row for row in data["front"] if row["axis"] == "usd"]
    assert [{k: row[k] for k in mine[0]} for row in fronts] == mine
    assert "4 runs" not in page


def test_seeds_of_one_set_of_puzzles_are_ranked_with_a_run_of_one_seed(tmp_path: Path) -> None:
    from harness.scores.leaderboard import ranked, rows

    class Fixed(Counting):
        """A task whose puzzles no seed changes."""

        def load(self, *, split: str, seed: int, limit: int | None, data_dir: Any = None) -> Any:
            return super().load(split=split, seed=0, limit=limit, data_dir=data_dir)

    from harness import run

    for seed in (0, 1):
        run(Fixed(), Skilled(noise=0.3), limit=20, seed=seed, results_dir=tmp_path)
    run(Fixed(), Skilled(share=0.9), limit=20, results_dir=tmp_path)
    (block,) = ranked(rows(tmp_path, merge=True)[0])
    assert sorted(len(row.seeds) for row in block.rows) == [0, 2]
