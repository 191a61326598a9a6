"""Intervals and tests against scipy and statsmodels, and against the truth they are about."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, bootstrap
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from harness.scores import compare as comparing
from harness.scores.paired import RESAMPLES, difference
from harness.scores.statistics import cluster_variance, estimate, wilson


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_is_statsmodels(case: tuple[int, int]) -> None:
    solved, n = case
    found = estimate([1.0] * solved + [0.0] * (n - solved))
    told = proportion_confint(solved, n, method="wilson")
    assert (found.low, found.high) == pytest.approx(told, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 8), st.floats(0, 1)), min_size=3, max_size=60))
def test_the_variance_over_clusters_is_that_of_a_regression_on_a_constant(
    rows: list[tuple[int, float]],
) -> None:
    clusters, values = [str(c) for c, _ in rows], [v for _, v in rows]
    if len(set(clusters)) < 2:
        return
    told = OLS(np.array(values), np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": np.unique(clusters, return_inverse=True)[1]}
    )
    assert cluster_variance(values, clusters) == pytest.approx(float(told.cov_params()[0, 0]), abs=1e-12)


def test_the_effective_size_is_the_published_one_where_many_clusters_tell() -> None:
    rng = np.random.default_rng(0)
    shared = rng.beta(1, 1, 5000)
    values = (rng.random((5000, 4)) < shared[:, None]).astype(float).ravel().tolist()
    clusters = [i // 4 for i in range(20_000)]
    mean = float(np.mean(values))
    size = mean * (1 - mean) / cluster_variance(values, clusters)
    found = estimate(values, clusters)
    assert (found.low, found.high) == pytest.approx(wilson(mean, size), abs=1e-5)


def test_values_that_are_all_alike_have_a_narrow_interval_and_one_alone_a_wide_one() -> None:
    found = estimate([0.7] * 200)
    assert 0.69 < found.low < 0.7 < found.high < 0.71
    nearly = estimate([0.7] * 100 + [0.701] * 100)
    assert nearly.high - nearly.low == pytest.approx(found.high - found.low, rel=0.1)
    one = estimate([0.7])
    assert one.high - one.low > 0.5
    right_and_wrong = estimate([0.0, 1.0] * 50, [i // 2 for i in range(100)])  # every group half right
    assert right_and_wrong.high - right_and_wrong.low < 0.05


@pytest.mark.parametrize("n", [50, 200])
@pytest.mark.parametrize("p", [0.05, 0.5, 0.95])
def test_wilsons_interval_covers_the_truth_in_95_of_100_cases(n: int, p: float) -> None:
    covered = 0.0  # exactly: over every outcome there is
    for solved in range(n + 1):
        found = estimate([1.0] * solved + [0.0] * (n - solved))
        covered += float(binom.pmf(solved, n, p)) * (found.low <= p <= found.high)
    assert 0.93 <= covered <= 0.97


def clustered(rng: Any, n: int, members: int, p: float, shared: float) -> tuple[list[float], list[int]]:
    """Draw n puzzles in groups whose members go together: `shared` is their intra-class correlation."""
    odds = (1 - shared) / shared
    chance = rng.beta(p * odds, (1 - p) * odds, n // members)
    values = (rng.random((n // members, members)) < chance[:, None]).astype(float)
    return values.ravel().tolist(), [i // members for i in range(n)]


def coverage(n: int, members: int, p: float, shared: float, trials: int) -> float:
    rng, hits = np.random.default_rng([n, members, int(100 * p), int(100 * shared)]), 0
    for _ in range(trials):
        values, groups = clustered(rng, n, members, p, shared)
        found = estimate(values, groups)
        hits += found.low <= p <= found.high
    return hits / trials


@pytest.mark.parametrize("p", [0.05, 0.5])
def test_the_interval_over_groups_covers_the_truth(p: float) -> None:
    assert 0.92 <= coverage(200, 4, p, 0.2, 600) <= 0.98  # 0.93 to 0.97, and a standard error


@pytest.mark.slow
@pytest.mark.parametrize("p", [0.05, 0.5, 0.95])
@pytest.mark.parametrize(("n", "members"), [(50, 2), (200, 2), (200, 4)])
@pytest.mark.parametrize("shared", [0.05, 0.1, 0.3])
def test_the_interval_over_groups_covers_the_truth_in_93_to_97_of_100_cases(
    n: int, members: int, p: float, shared: float
) -> None:
    assert 0.926 <= coverage(n, members, p, shared, 4000) <= 0.974  # and a standard error


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemars_test_is_statsmodels_and_scipys(first: int, second: int) -> None:
    found = comparing._mcnemar([7, first, second, 3])
    assert found == pytest.approx(float(mcnemar([[7, first], [second, 3]], exact=True).pvalue), abs=1e-12)
    if first + second:
        assert found == pytest.approx(binomtest(first, first + second).pvalue, abs=1e-12)


def test_holms_adjustment_is_statsmodels() -> None:
    tests = [0.01, 0.04, 0.03, 0.2]
    told = multipletests(tests, method="holm")[1]
    ordered = sorted(range(4), key=lambda i: tests[i])
    running, plain = 0.0, [0.0] * 4
    for place, i in enumerate(ordered):  # Holm 1979, by hand
        running = max(running, min(1.0, (4 - place) * tests[i]))
        plain[i] = running
    assert plain == pytest.approx(list(told), abs=1e-12)


def test_the_paired_interval_is_scipys_bootstrap_of_the_mean() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.random(80), rng.random(80)
    _, found = difference([str(i) for i in range(80)], first, second, "puzzle")
    told = bootstrap(
        (first - second,), np.mean, n_resamples=RESAMPLES, method="percentile", vectorized=True,
        rng=np.random.default_rng(0), batch=256,
    ).confidence_interval  # fmt: skip
    assert (found.low, found.high) == pytest.approx((told.low, told.high), abs=1e-12)


def planted(rng: Any, n: int, gained: float, lost: float) -> list[int]:
    """Draw a two-by-two table of n puzzles, of which the first alone solves `gained`, the second `lost`."""
    return list(rng.multinomial(n, [0.3, gained, lost, 0.7 - gained - lost]))


@pytest.mark.parametrize(("gained", "lost"), [(0.12, 0.04), (0.25, 0.15), (0.06, 0.01)])
def test_a_planted_difference_is_found_with_the_power_that_was_said(gained: float, lost: float) -> None:
    rng = np.random.default_rng(7)
    many = 50_000
    gaps = np.zeros(many)
    gaps[: int(gained * many)], gaps[-int(lost * many) :] = 1.0, -1.0
    needed = comparing._needed([str(i) for i in range(many)], gaps)
    assert needed is not None
    found = sum(comparing._mcnemar(planted(rng, needed, gained, lost)) < 0.05 for _ in range(400)) / 400
    assert 0.70 <= found <= 0.88  # 0.8, of an exact test a little less, and three standard errors
    third = sum(comparing._mcnemar(planted(rng, needed // 3, gained, lost)) < 0.05 for _ in range(400)) / 400
    assert third < 0.55


def test_without_a_difference_the_test_seldom_finds_one() -> None:
    rng = np.random.default_rng(8)
    found = sum(comparing._mcnemar(planted(rng, 150, 0.1, 0.1)) < 0.05 for _ in range(1000)) / 1000
    assert found <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)


@pytest.mark.slow
def test_of_many_pairs_without_a_difference_holm_finds_one_in_at_most_a_twentieth() -> None:
    rng, any_found, trials = np.random.default_rng(9), 0, 300
    for _ in range(trials):
        runs = (rng.random((4, 80)) < 0.5).astype(int)
        tables = [
            [0, int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum()), 0]
            for a, b in itertools.combinations(runs, 2)
        ]
        adjusted = multipletests([comparing._mcnemar(t) for t in tables], method="holm")[1]
        any_found += bool((adjusted < 0.05).any())
    assert any_found / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)
