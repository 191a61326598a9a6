"""Scores with 95 % intervals, from the values of the planned puzzles alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, kw_only=True)
class Score:
    """A mean over `n` planned units and its 95 % interval; without any unit the score is 0 and nothing is
    known.
    """

    score: float
    low: float
    high: float
    n: int


def estimate(
    values: Sequence[float] | NDArray[np.float64], clusters: Sequence[object] | None = None
) -> Score:
    """Return the mean of the values and its interval.

    Independent values of 0 and 1: the Wilson score interval. Other values in [0, 1], and values that come in
    clusters (the inputs of one ARC task): Wilson at the effective sample size n / D (Dean & Pagano 2015, J.
    Survey Statistics and Methodology 3:484), D the design effect by the cluster-robust variance. Where few
    clusters differ from the rest, D rests on those few: it is drawn towards half its range, as if one more
    cluster said so. Values outside [0, 1]: normal approximation.
    """
    import numpy as np

    n = len(values)
    if n == 0:
        return Score(score=0.0, low=0.0, high=1.0, n=0)
    found = np.ascontiguousarray(values, dtype=np.float64)  # a million of them are nothing unusual
    mean = math.fsum(found.data) / n
    solved_or_not = bool(((found == 0) | (found == 1)).all())
    if clusters is None and solved_or_not:
        low, high = wilson(mean, n)
        return Score(score=mean, low=low, high=high, n=n)
    if clusters is None:
        groups, variance = n, _variance_of_mean(found, mean)
    else:
        groups, variance = len(set(clusters)), cluster_variance(found.tolist(), clusters)
    if found.min() < 0 or found.max() > 1:
        half = Z * math.sqrt(variance)
        return Score(score=mean, low=mean - half, high=mean + half, n=n)
    spread = mean * (1 - mean)
    if groups == n and solved_or_not:
        size = float(n)
    elif spread <= 0:
        size = float(groups)
    else:
        telling = min(_clusters_with(found, clusters, above=0.0), _clusters_with(found, clusters, below=1.0))
        effect, half_way = variance * n / spread, (1 + n / groups) / 2
        size = n * (telling + 1) / (telling * effect + half_way)
    low, high = wilson(mean, size)
    return Score(score=mean, low=low, high=high, n=n)


def cluster_variance(values: Sequence[float], clusters: Sequence[object]) -> float:
    """Return the variance of the mean, robust to what members of a cluster share: that of a regression on a
    constant (Liang & Zeger 1986, Biometrika 73:13), times G / (G - 1) for G clusters.
    """
    n = len(values)
    mean = math.fsum(values) / n
    deviations: dict[object, float] = {}
    for unit, value in zip(clusters, values, strict=True):
        deviations[unit] = deviations.get(unit, 0.0) + value - mean
    groups = len(deviations)
    return math.fsum(d * d for d in deviations.values()) / n**2 * groups / max(1, groups - 1)


def _variance_of_mean(values: NDArray[np.float64], mean: float) -> float:
    """Return what `cluster_variance` does where each value is a cluster of its own."""
    n = len(values)
    deviations = values - mean
    return math.fsum((deviations * deviations).data) / n**2 * n / max(1, n - 1)


def _clusters_with(
    values: NDArray[np.float64],
    clusters: Sequence[object] | None,
    *,
    above: float = -1.0,
    below: float = 2.0,
) -> int:
    """Return how many clusters hold a value between two bounds; None: each value is one."""
    within = (above < values) & (values < below)
    if clusters is None:
        return int(within.sum())
    return len(set(itertools.compress(clusters, within.tolist())))


def wilson(share: float, size: float) -> tuple[float, float]:
    """Return the 95 % score interval of a share observed in `size` trials (Wilson 1927, J. Am. Stat.
    Assoc. 22:209).
    """
    centre = (share + Z**2 / (2 * size)) / (1 + Z**2 / size)
    half = Z / (1 + Z**2 / size) * math.sqrt(share * (1 - share) / size + Z**2 / (4 * size**2))
    return (0.0 if share == 0 else max(0.0, centre - half)), (1.0 if share == 1 else min(1.0, centre + half))
