"""The difference of two scores on the same puzzles, with its interval: a paired bootstrap over groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL = 0.95  # of intervals; tests are at 1 - LEVEL
RESAMPLES = 9_999


@dataclass(frozen=True, kw_only=True)
class Difference:
    """First minus second, in the metric's unit, and its 95 % interval."""

    value: float
    low: float
    high: float


def difference(
    groups: Sequence[str],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    over: Literal["puzzle", "group", "strict"],
) -> tuple[tuple[float, float], Difference]:
    """Return both scores and their difference; values (n,) of the same n puzzles, and the group of each.

    Percentile bootstrap over groups (Efron & Tibshirani 1993, chapter 13), seeded. With one group, or where
    every group differs alike, resampling shows no spread: the interval is then the difference itself.
    """
    import numpy as np
    from scipy.stats import bootstrap

    if over == "strict":
        groups, first, second = worst_of_groups(groups, first, second)
    place = {name: i for i, name in enumerate(dict.fromkeys(groups))}
    index = np.array([place[group] for group in groups])
    sizes = np.bincount(index).astype(float)
    sums = [np.bincount(index, weights=values) for values in (first, second)]
    if over == "group":  # every group weighs the same
        sums, sizes = [total / sizes for total in sums], np.ones_like(sizes)
    scores = (float(sums[0].sum() / sizes.sum()), float(sums[1].sum() / sizes.sum()))
    gaps = sums[0] - sums[1]
    value = float(gaps.sum() / sizes.sum())
    if len(place) < 2 or np.ptp(gaps / sizes) == 0:
        return scores, Difference(value=value, low=value, high=value)

    def mean(drawn: NDArray[np.int64], axis: int) -> NDArray[np.float64]:
        found: NDArray[np.float64] = gaps[drawn].sum(axis=axis) / sizes[drawn].sum(axis=axis)
        return found

    interval = bootstrap(
        (np.arange(len(place)),), mean, n_resamples=RESAMPLES, confidence_level=LEVEL, method="percentile",
        vectorized=True, batch=256, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return scores, Difference(value=value, low=float(interval.low), high=float(interval.high))


def sign_flips(groups: Sequence[str], gaps: NDArray[np.float64]) -> float:
    """Return the two-sided p of no difference: how often the sum of the groups' gaps is as far from 0 where
    the sign of each is drawn (Fisher 1935, section 21); exact for few groups, else of seeded draws.
    """
    import numpy as np
    from scipy.stats import monte_carlo_test, permutation_test

    def total(drawn: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        found: NDArray[np.float64] = drawn.sum(axis=axis)
        return found

    place = {name: i for i, name in enumerate(dict.fromkeys(groups))}
    sums = np.bincount(np.array([place[group] for group in groups]), weights=gaps)
    sums = sums[np.abs(sums) > 1e-12]  # a gap of 0 has no sign
    if len(sums) < 2:  # either sign is as far from 0
        return 1.0
    if 2 ** len(sums) <= RESAMPLES:  # all of them
        exact = permutation_test((sums,), total, permutation_type="samples", vectorized=True, batch=256)
        return float(exact.pvalue)
    rng = np.random.default_rng(0)
    drawn = monte_carlo_test(
        sums,
        lambda size: rng.choice((-1.0, 1.0), size) * sums,
        total,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=256,
    )
    return float(drawn.pvalue)


def worst_of_groups(
    groups: Sequence[str], first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
    """Return one value a group: 1 where every puzzle of it is solved."""
    import numpy as np

    names = list(dict.fromkeys(groups))
    least = []
    for values in (first, second):
        worst = dict.fromkeys(names, 1.0)
        for group, value in zip(groups, values.tolist(), strict=True):
            worst[group] = min(worst[group], float(value >= 1))
        least.append(np.array([worst[name] for name in names]))
    return names, least[0], least[1]
