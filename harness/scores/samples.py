"""What K samples a puzzle are worth: pass@k, four ways to choose among them, and the gaps between those.

*mean single*: one sample alone. *vote*: the answer most samples agree on. *own*: the sample the solver itself
is surest of. *rules*: the sample that breaks fewest rules of the puzzle, told without the key. Own (where
there is no own score: vote) minus mean single is the generation-verification gap (Song et al., arXiv
2412.02674); rules minus own is what a perfect verifier would still add.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.contracts import Metric
from harness.errors import UserError
from harness.records.schema import AttemptRecord, SampleRecord
from harness.scores.paired import Difference, difference
from harness.scores.statistics import Score
from harness.scores.values import RunValues

Pool = Sequence[SampleRecord]


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The samples of one run, each score with its 95 % interval over what was planned.

    k: samples of a puzzle, the fewest and the most. early: their number differs, as where sampling ended at a
    good answer; then samples are no fair draw, the first of each puzzle alone is the mean single, and pass@k
    is known for k = 1 only. pass_at: by k (Chen et al., arXiv 2107.03374, equation 1; of a number that is not
    0 or 1 the expected best of k). None: not known, as an own score of models that give none. chosen: what
    the gaps start from, "own" or "vote".
    """

    run: str
    metric: str
    puzzles: int
    k: tuple[int, int]
    early: bool
    pass_at: Mapping[str, Score]
    mean_single: Score
    vote: Score
    own: Score | None
    rules: Score | None
    chosen: str
    generation_verification_gap: Difference
    verifier_gap: Difference | None


def samples_of(run: RunValues) -> Samples:
    """Return what the samples of a run are worth. Raises UserError for a run of one sample a puzzle."""
    pools, metric = pools_of(run), run.metric
    sizes = {len(pool) for of in pools.values() for pool in of}
    fewest, most = min(sizes), max(sizes)
    early = fewest < most

    def scored(value: Callable[[Pool, Metric], float]) -> dict[str, float]:
        return {
            name: _mean([value(pool, metric) for pool in of]) if of else metric.missing
            for name, of in pools.items()
        }

    single = scored(_first if early else _single)
    ways: dict[str, dict[str, float] | None] = {"single": single, "vote": scored(voted)}
    every = [pool for of in pools.values() for pool in of]
    ways["own"] = scored(surest) if all(_all_known(pool, "score") for pool in every) else None
    ways["rules"] = scored(most_lawful) if all(_all_known(pool, "broken") for pool in every) else None
    known = {name: run.score_of(values) for name, values in ways.items() if values is not None}
    pass_at = {"1": known["single"]}
    if not early:

        def best(k: int) -> dict[str, float]:
            return scored(lambda pool, of: expected_best(_values(pool, of), k, of.better))

        pass_at = {str(k): run.score_of(best(k)) for k in _counts(fewest)}
    chosen = "vote" if ways["own"] is None else "own"
    return Samples(
        run=run.name,
        metric=metric.name,
        puzzles=len(pools),
        k=(fewest, most),
        early=early,
        pass_at=pass_at,
        mean_single=known["single"],
        vote=known["vote"],
        own=known.get("own"),
        rules=known.get("rules"),
        chosen=chosen,
        generation_verification_gap=_gap(run, ways[chosen] or {}, single),
        verifier_gap=None if ways["rules"] is None else _gap(run, ways["rules"], ways[chosen] or {}),
    )


def vote_curve(run: RunValues, *, subsets: int = 200) -> dict[int, Score]:
    """Return the expected score of a vote over k of the samples, k = 1, 2, 4, … K: the mean over random
    subsets, seeded. Empty where the numbers of samples differ.
    """
    import numpy as np

    pools = pools_of(run)
    sizes = {len(pool) for of in pools.values() for pool in of}
    if len(sizes) != 1:
        return {}
    (size,) = sizes
    rng = np.random.default_rng(0)
    drawn = [rng.permutation(size).tolist() for _ in range(subsets)]
    curve = {}
    for k in _counts(size):
        chosen = [sorted(order[:k]) for order in drawn] if k < size else [list(range(size))]
        values = {
            name: _mean([voted([pool[i] for i in some], run.metric) for pool in of for some in chosen])
            if of
            else run.metric.missing
            for name, of in pools.items()
        }
        curve[k] = run.score_of(values)
    return curve


def pools_of(run: RunValues) -> dict[str, list[Pool]]:
    """Return the samples of every planned puzzle: the candidates its attempts were chosen from, or the
    attempts themselves where each is a sample. Raises UserError for a run that has neither.
    """
    pools: dict[str, list[Pool]] = {name: [] for name in run.values}
    for (puzzle, _), attempt in run.counted.items():
        if attempt.candidates:
            pools[puzzle].append(attempt.candidates)
    if any(pools.values()):
        return pools
    tries = run.record.attempts_per_puzzle
    ranked = any(attempt.samples is not None for attempt in run.counted.values())
    if tries < 2 or ranked or not run.counted:
        raise UserError(
            f"{run.name} holds one answer a puzzle."
            if not ranked or tries < 2
            else f"{run.name} holds the chosen answers alone.",
            rule="This needs the samples that were chosen from; runs made before they were kept have none.",
            next_step="Run with -S samples=8, say, or with --attempts 8.",
        )
    for puzzle in pools:
        attempts = [run.counted.get((puzzle, k)) for k in range(tries)]
        if any(attempts):
            pools[puzzle].append(_as_samples(attempts))
    return pools


def _as_samples(attempts: Sequence[AttemptRecord | None]) -> Pool:
    """Return attempts as samples; one that has no answer, or was not made, is a sample without."""
    ballots: dict[str, int] = {}
    found = []
    for number, attempt in enumerate(attempts):
        if attempt is None or not attempt.answered:
            found.append(SampleRecord())
            continue
        ballot = ballots.setdefault(repr(attempt.answer), number)
        found.append(SampleRecord(ballot=ballot, numbers=attempt.numbers, broken=attempt.broken))
    return found


def expected_best(values: Sequence[float], k: int, better: str = "high") -> float:
    """Return the expected best of k values drawn without replacement; of 0 and 1 that is the unbiased pass@k,
    1 - C(n-c, k) / C(n, k).
    """
    n = len(values)
    if not 1 <= k <= n:
        raise ValueError(f"k is {k}, of {n} values")
    best_first = sorted(values, reverse=better == "high")
    # the i-th best (from 0) is the best of the k drawn with C(n-1-i, k-1) / C(n, k)
    total = math.comb(n, k)
    return math.fsum(
        value * (math.comb(n - 1 - i, k - 1) / total) for i, value in enumerate(best_first[: n - k + 1])
    )


def voted(pool: Pool, metric: Metric) -> float:
    """Return the value of the answer with most votes; of equal ones that of the higher mean own score, put
    through the logistic function, then the first.
    """
    votes: dict[int, list[float | None]] = {}
    for sample in pool:
        if sample.ballot is not None:
            votes.setdefault(sample.ballot, []).append(sample.score)
    if not votes:
        return metric.missing
    first = {sample.ballot: sample for sample in reversed(pool)}
    best = max(votes, key=lambda ballot: (len(votes[ballot]), _mean_sureness(votes[ballot])))
    return _value(first[best], metric)


def surest(pool: Pool, metric: Metric) -> float:
    """Return the value of the sample with the highest own score, the first of equal ones."""
    answered = [sample for sample in pool if sample.ballot is not None]
    return _value(max(answered, key=lambda s: s.score or 0.0), metric) if answered else metric.missing


def most_lawful(pool: Pool, metric: Metric) -> float:
    """Return the value of the sample that breaks fewest rules, the first of equal ones."""
    answered = [sample for sample in pool if sample.ballot is not None]
    return _value(min(answered, key=lambda s: s.broken or 0), metric) if answered else metric.missing


def _single(pool: Pool, metric: Metric) -> float:
    return _mean(_values(pool, metric))


def _first(pool: Pool, metric: Metric) -> float:
    return _value(pool[0], metric)


def _values(pool: Pool, metric: Metric) -> list[float]:
    return [_value(sample, metric) for sample in pool]


def _value(sample: SampleRecord, metric: Metric) -> float:
    return metric.missing if sample.numbers is None else float(sample.numbers[metric.number])


def _all_known(pool: Pool, name: str) -> bool:
    return all(getattr(sample, name) is not None for sample in pool if sample.ballot is not None)


def _mean_sureness(scores: Sequence[float | None]) -> float:
    known = [score for score in scores if score is not None]
    if len(known) < len(scores):
        return 0.0
    return _mean([1 / (1 + math.exp(-s)) if s > 0 else math.exp(s) / (1 + math.exp(s)) for s in known])


def _counts(most: int) -> list[int]:
    """Return 1, 2, 4, … and the most."""
    return sorted({*(2**i for i in range(most.bit_length()) if 2**i <= most), most})


def _gap(run: RunValues, one: Mapping[str, float], other: Mapping[str, float]) -> Difference:
    import numpy as np

    groups = [run.groups[name] for name in other]
    first, second = (np.array([values[name] for name in other]) for values in (one, other))
    return difference(groups, first, second, run.metric.over)[1]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
