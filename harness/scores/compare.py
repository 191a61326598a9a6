"""Two runs, puzzle by puzzle: a paired test, a paired interval, and how many puzzles it would take.

The runs must be of one task in one version; compared are the puzzles that both planned and whose content is
the same. What was not answered counts as unsolved, as in every score.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.contracts import Metric
from harness.errors import DepthbenchError, UserError
from harness.records.folder import RunFolder
from harness.scores.blocks import block_of
from harness.scores.paired import LEVEL, difference, sign_flips, worst_of_groups
from harness.scores.seeds import with_seeds_as_one
from harness.scores.values import RunValues, load

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

POWER = 0.8  # at which the number of puzzles that would separate two runs is given


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two runs on the puzzles that they share. Differences are first minus second, in the metric's unit.

    both, first_alone, second_alone, neither: puzzles solved, where the values are solved or not (else
    None). p: McNemar's exact test of the two middle numbers (McNemar 1947, Psychometrika 12:153); of other
    values, as means over seeds are, of a test that flips the signs of the groups' differences. seeds: runs
    that each of the two is the mean of. low, high: 95 % interval of the difference, bootstrap over groups.
    holm: p adjusted for all pairs of the comparison (Holm 1979, Scand. J. Statist. 6:65). needed: puzzles
    at which a difference as large would be found with a probability of 0.8; None where there is none.
    other_content: puzzles of one name that hold something else in the two runs, left out. apart: what
    beside the solver differs: training, prompt.
    """

    first: str
    second: str
    metric: str
    planned: tuple[int, int]
    shared: int
    scores: tuple[float, float]
    difference: float
    low: float
    high: float
    both: int | None = None
    first_alone: int | None = None
    second_alone: int | None = None
    neither: int | None = None
    p: float | None = None
    holm: float | None = None
    needed: int | None = None
    other_content: int = 0
    apart: tuple[str, ...] = ()
    seeds: tuple[int, int] = (1, 1)

    @property
    def separated(self) -> bool:
        """Whether the two differ at the level of the tests, adjusted for all pairs."""
        if self.holm is not None:
            return self.holm < 1 - LEVEL
        return not self.low <= 0 <= self.high


def compare(folders: Sequence[RunFolder], *, merge: bool = False) -> list[Pair]:
    """Return every pair of the runs. merge: those that differ in a seed alone are one, each puzzle with the
    mean over its seeds. Raises UserError for runs that cannot be compared.
    """
    if len(folders) < 2:
        raise UserError("One run was named.", rule="A comparison is of two or more.")
    runs = [load(folder) for folder in folders]
    if twice := next(
        (a.name for a, b in itertools.combinations(folders, 2) if a.path.resolve() == b.path.resolve()), ""
    ):
        raise UserError(f"{twice} was named twice.", rule="A run does not differ from itself.")
    if merge:
        runs = with_seeds_as_one(runs)
        if len(runs) < 2:
            raise UserError(
                f"All {len(folders):,} runs are seeds of one configuration.",
                rule="Merged they are one, which differs from nothing.",
                next_step="Leave --merge-seeds out to compare the seeds with each other.",
            )
    return _adjusted([_pair(one, other) for one, other in itertools.combinations(runs, 2)])


def _pair(one: RunValues, other: RunValues) -> Pair:
    import numpy as np

    shared, other_content = _shared(one, other)
    metric = _common_metric(one, other)
    first, second = (np.array([run.values[name] for name in shared]) for run in (one, other))
    groups = [one.groups[name] for name in shared]
    scores, found_difference = difference(groups, first, second, metric.over)
    if metric.over == "strict":
        groups, first, second = worst_of_groups(groups, first, second)
    found = Pair(
        first=one.name,
        second=other.name,
        metric=metric.name,
        planned=(len(one.values), len(other.values)),
        shared=len(shared),
        scores=scores,
        difference=found_difference.value,
        low=found_difference.low,
        high=found_difference.high,
        needed=_needed(groups, first - second),
        other_content=other_content,
        apart=_apart(one, other),
        seeds=(len(one.each), len(other.each)),
    )
    if not np.isin(np.concatenate([first, second]), (0.0, 1.0)).all():
        return replace(found, p=sign_flips(groups, first - second))
    a, b = first > 0.5, second > 0.5
    counts = [int(n.sum()) for n in (a & b, a & ~b, ~a & b, ~a & ~b)]
    return replace(
        found,
        both=counts[0],
        first_alone=counts[1],
        second_alone=counts[2],
        neither=counts[3],
        p=_mcnemar(counts),
    )


def _apart(one: RunValues, other: RunValues) -> tuple[str, ...]:
    """Say what of training and prompt is not the same, first against second."""
    first, second = block_of(one.record), block_of(other.record)
    pairs = {"training": (first.training, second.training), "prompt": (first.prompt, second.prompt)}
    return tuple(f"{name}: {a} against {b}" for name, (a, b) in pairs.items() if a != b)


def _shared(one: RunValues, other: RunValues) -> tuple[list[str], int]:
    """Return the puzzles that both planned, each seen to be the same where the sets are not, and how many of
    the same name are not.
    """
    mine, theirs = one.record.task, other.record.task
    for what in ("name", "version"):
        if getattr(mine, what) != getattr(theirs, what):
            raise UserError(
                f"{one.name} is of {mine.name} version {mine.version}, "
                f"{other.name} of {theirs.name} version {theirs.version}.",
                rule="Only runs of one task in one version answer the same question.",
            )
    shared = [name for name in one.values if name in other.values]
    named = len(shared)
    if shared and one.puzzle_sets != other.puzzle_sets:
        if one.of or other.of:
            raise UserError(
                f"{one.name} and {other.name} are of seeds that drew other puzzles.",
                rule="Merged seeds are compared where both were given all of their puzzles.",
                next_step="Compare run with run, without --merge-seeds.",
            )
        contents = [_contents(run) for run in (one, other)]
        shared = [name for name in shared if contents[0][name] == contents[1][name]]
    if not shared:
        raise UserError(
            f"{one.name} and {other.name} share no puzzle."
            + (f" {named:,} have the same name and hold something else." if named else ""),
            rule="A paired comparison needs puzzles that both were given.",
            next_step="Run both on the same split, seed and options.",
        )
    return shared, named - len(shared)


def _contents(run: RunValues) -> dict[str, str]:
    """Return what each puzzle of a run holds, as text. Raises UserError where they cannot be made again."""
    import json

    from harness.running.plan import items_of, recreate_task

    try:
        items = items_of(recreate_task(run.record), run.record, None)
    except DepthbenchError as error:
        raise UserError(
            f"The puzzles of {run.name} cannot be made again: {error}",
            rule="Two sets that differ are compared puzzle by puzzle.",
        ) from error
    return {puzzle.id: json.dumps(dict(puzzle.payload), sort_keys=True) for puzzle, _ in items}


def _common_metric(one: RunValues, other: RunValues) -> Metric:
    mine, theirs = one.record.metrics[0], other.record.metrics[0]
    if (mine.number, mine.better, mine.over) != (theirs.number, theirs.better, theirs.over):
        raise UserError(
            f"{one.name} is scored by {mine.name!r}, {other.name} by {theirs.name!r}.",
            rule="Both must have the same headline.",
            next_step="`bench score` judges an older run by the task as it is now.",
        )
    return mine if mine.name == theirs.name else replace(mine, name=f"{mine.name} against {theirs.name}")


def _mcnemar(counts: Sequence[int]) -> float:
    from statsmodels.stats.contingency_tables import mcnemar

    return float(mcnemar([[counts[0], counts[1]], [counts[2], counts[3]]], exact=True).pvalue)


def _adjusted(pairs: list[Pair]) -> list[Pair]:
    from statsmodels.stats.multitest import multipletests

    tested = [pair.p for pair in pairs if pair.p is not None]
    if not tested:
        return pairs
    holm = iter(multipletests(tested, method="holm")[1].tolist())
    return [pair if pair.p is None else replace(pair, holm=next(holm)) for pair in pairs]


def _needed(groups: Sequence[str], gaps: NDArray[np.float64]) -> int | None:
    """Return how many puzzles would show such a difference with the power asked for, of two-sided tests.

    Puzzles of one group are taken as so many more puzzles, by the spread of the groups' means.
    """
    import numpy as np
    from scipy.optimize import brentq
    from statsmodels.stats.power import NormalIndPower

    mean = float(gaps.mean())
    place = {name: i for i, name in enumerate(dict.fromkeys(groups))}
    index = np.array([place[group] for group in groups])
    sums = np.bincount(index, weights=gaps - mean)
    spread = math.sqrt(float((sums**2).sum()) / len(gaps))
    if spread == 0 or abs(mean) < 1e-9 * spread:  # thirds do not sum to 0 exactly
        return None
    test, effect = NormalIndPower(), abs(mean) / spread

    def short_of(n: float) -> float:
        return float(test.power(effect, n, 1 - LEVEL, ratio=0)) - POWER

    if short_of(2) >= 0:  # so large a difference that any two puzzles show it
        return 2
    most = 4.0
    while short_of(most) < 0:
        most *= 2
    return math.ceil(float(brentq(short_of, 2, most)))
