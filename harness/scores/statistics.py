"""Scores with 95 % intervals, from the values of the planned puzzles alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

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


def estimate(values: Sequence[float], clusters: Sequence[str] | None = None) -> Score:
    """Return the mean of the values and its interval.

    Independent values of 0 and 1: the Wilson score interval. Other values in [0, 1], and values that come in
    clusters (the inputs of one ARC task): Wilson at the effective sample size p(1-p)/se², with the
    cluster-robust standard error (Dean & Pagano 2015, J. Survey Statistics and Methodology 3:484). Where all
    units have the same value between 0 and 1 there is no spread to go by: see `alike`. Values outside [0, 1]:
    normal approximation.
    """
    n = len(values)
    if n == 0:
        return Score(score=0.0, low=0.0, high=1.0, n=0)
    mean = math.fsum(values) / n
    deviations: dict[object, float] = {}
    for unit, value in zip(clusters or range(n), values, strict=True):
        deviations[unit] = deviations.get(unit, 0.0) + value - mean
    groups = len(deviations)
    variance = math.fsum(d * d for d in deviations.values()) / n**2  # of the mean
    if min(values) < 0 or max(values) > 1:
        half = Z * math.sqrt(variance * groups / max(1, groups - 1))
        return Score(score=mean, low=mean - half, high=mean + half, n=n)
    if groups == n and all(v in (0.0, 1.0) for v in values):
        size = float(n)
    else:
        variance *= groups / max(1, groups - 1)
        spread = mean * (1 - mean)
        if variance <= 1e-12 and spread > 1e-12:
            low, high = alike(mean, groups)
            return Score(score=mean, low=low, high=high, n=n)
        size = spread / variance if spread > 1e-12 else float(groups)
    low, high = wilson(mean, size)
    return Score(score=mean, low=low, high=high, n=n)


def wilson(share: float, size: float) -> tuple[float, float]:
    """Return the 95 % score interval of a share observed in `size` trials (Wilson 1927, J. Am. Stat.
    Assoc. 22:209).
    """
    centre = (share + Z**2 / (2 * size)) / (1 + Z**2 / size)
    half = Z / (1 + Z**2 / size) * math.sqrt(share * (1 - share) / size + Z**2 / (4 * size**2))
    return (0.0 if share == 0 else max(0.0, centre - half)), (1.0 if share == 1 else min(1.0, centre + half))


def alike(value: float, units: int) -> tuple[float, float]:
    """Return the 95 % interval of a mean in [0, 1] of which `units` were seen, all of this value.

    If a share q of all were others, none would be among those seen with probability (1 - q) ** units; q is
    the largest for which that is 2.5 %, and the others may be 0 or 1.
    """
    same: float = 0.025 ** (1 / units)
    return value * same, 1 - (1 - value) * same
