"""What K samples are worth, by difficulty and along depth: against formulas and loops written anew."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import run
from harness import score as score_again
from harness.contracts import (
    Attempt,
    Budget,
    Key,
    Metric,
    Outcome,
    Puzzle,
    Sample,
    SolverCard,
    TaskView,
    TracePoint,
    Unparsed,
    Usage,
    Verdict,
)
from harness.errors import UserError
from harness.records.schema import SampleRecord
from harness.scores.depths import depths_of
from harness.scores.samples import expected_best, most_lawful, pools_of, samples_of, surest, vote_curve, voted
from harness.scores.strata import cuts, strata_of
from harness.scores.values import load
from solvers.llm.strategies.base import Candidate
from solvers.llm.strategies.self_consistency import ranked
from tests.fakes import Counting, Lottery

SOLVED = Metric(name="solved")


@given(
    st.lists(st.integers(0, 1), min_size=1, max_size=7), st.integers(1, 7), st.sampled_from(["high", "low"])
)
def test_the_expected_best_of_k_is_the_mean_over_all_subsets(values: list[int], k: int, better: str) -> None:
    k = min(k, len(values))
    best = max if better == "high" else min
    every = [best(some) for some in itertools.combinations(values, k)]
    assert expected_best([float(v) for v in values], k, better) == pytest.approx(np.mean(every), abs=1e-12)


def test_pass_at_k_is_the_published_product() -> None:
    for n, c, k in ((10, 3, 1), (10, 3, 5), (100, 1, 50), (8, 0, 3), (8, 8, 2)):
        # the numerically stable form that arXiv 2107.03374 gives as code
        told = 1.0 if n - c < k else 1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1))
        assert expected_best([1.0] * c + [0.0] * (n - c), k) == pytest.approx(told, abs=1e-12)


def sample(
    ballot: int | None, right: float = 0.0, score: float | None = None, broken: int = 0
) -> SampleRecord:
    numbers = None if ballot is None else {"correct": right}
    return SampleRecord(ballot=ballot, score=score, numbers=numbers, broken=broken)


def test_the_ways_to_choose_are_told_apart() -> None:
    pool = [
        sample(0, 0.0, 5.0, 2),
        sample(1, 1.0, 1.0, 0),
        sample(0, 0.0, -3.0, 2),
        sample(None),
        sample(4, 0.0, 9.0, 1),
    ]
    assert voted(pool, SOLVED) == 0.0
    assert surest(pool, SOLVED) == 0.0
    assert most_lawful(pool, SOLVED) == 1.0
    tie = [sample(0, 0.0, -1.0), sample(1, 1.0, 1.0)]
    assert voted(tie, SOLVED) == 1.0, "of equal votes the surer one"
    assert voted([sample(0, 1.0), sample(1, 0.0)], SOLVED) == 1.0, "and where none is surer the first"
    assert [way([sample(None)], SOLVED) for way in (voted, surest, most_lawful)] == [0.0] * 3


@dataclass(frozen=True, kw_only=True)
class Lawful(Counting):
    """The counting task, with its rule."""

    name = "lawful"

    def violations(self, puzzle: Puzzle, answer: Any) -> list[str]:
        return [] if answer == self.search(puzzle) else ["not the next number"]


class Harsh(Lawful):
    """The same puzzles, and no answer is right."""

    def judge(self, puzzle: Puzzle, key: Key, answer: Any) -> Verdict:
        return Verdict(correct=False)


@dataclass(frozen=True, kw_only=True)
class Guesses:
    """Draws `samples` answers, right or near by chance, and answers the one with most votes."""

    samples: int = 5
    scored: bool = True
    early: bool = False

    @property
    def card(self) -> SolverCard:
        return SolverCard(name="guesses", kind="net")

    def solve(self, task: TaskView, puzzles: Any, budget: Budget) -> Any:
        for puzzle in puzzles:
            rng = np.random.default_rng(int(puzzle.id.rpartition("-")[2]))
            right = task.methods["search"](puzzle, rng)
            drawn = [
                right if rng.random() < 0.4 else right + int(rng.integers(1, 4)) for _ in range(self.samples)
            ]
            if self.early:
                drawn = drawn[: next((i + 1 for i, d in enumerate(drawn) if d == right), self.samples)]
            scores = [float(d == right) + float(rng.normal()) for d in drawn]
            for attempt in budget.wanted(puzzle.id):
                yield Attempt(
                    puzzle_id=puzzle.id,
                    attempt=attempt,
                    answer=max(drawn, key=drawn.count),
                    samples=len(drawn),
                    candidates=tuple(
                        Sample(answer=d, score=s if self.scored else None)
                        for d, s in zip(drawn, scores, strict=True)
                    ),
                )


def test_the_four_numbers_of_a_run_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    folder = run(Lawful(), Guesses(), limit=40, results_dir=tmp_path).folder
    values = load(folder)
    found = samples_of(values)
    pools = {name: pool for name, (pool,) in pools_of(values).items()}
    rights = {name: [float((s.numbers or {})["correct"]) for s in pool] for name, pool in pools.items()}
    assert (found.k, found.early, found.puzzles) == ((5, 5), False, 40)
    assert found.mean_single.score == pytest.approx(np.mean([np.mean(r) for r in rights.values()]))
    assert found.pass_at["1"].score == pytest.approx(found.mean_single.score)
    assert found.pass_at["5"].score == pytest.approx(np.mean([max(r) for r in rights.values()]))
    surest_right = [r[int(np.argmax([s.score for s in pools[n]]))] for n, r in rights.items()]
    assert found.own is not None
    assert found.own.score == pytest.approx(np.mean(surest_right))
    assert found.rules is not None
    assert found.rules.score == found.pass_at["5"].score, "this task's rules are complete"
    gap = found.generation_verification_gap
    assert gap.value == pytest.approx(found.own.score - found.mean_single.score)
    assert gap.low <= gap.value <= gap.high
    assert found.verifier_gap is not None
    assert found.verifier_gap.value == pytest.approx(found.rules.score - found.own.score)
    curve = vote_curve(values)
    assert list(curve) == [1, 2, 4, 5]
    assert curve[5].score == found.vote.score
    assert curve[1].score == pytest.approx(found.mean_single.score, abs=0.05)


def test_without_own_scores_the_gap_starts_from_the_vote(tmp_path: Path) -> None:
    values = load(run(Lawful(), Guesses(scored=False), limit=30, results_dir=tmp_path).folder)
    found = samples_of(values)
    assert found.vote.score == values.score.score, "the solver votes too"
    assert (found.own, found.chosen) == (None, "vote")
    gap = found.generation_verification_gap.value
    assert gap == pytest.approx(found.vote.score - found.mean_single.score)


def test_samples_that_ended_early_are_no_fair_draw(tmp_path: Path) -> None:
    values = load(run(Lawful(), Guesses(early=True, samples=8), limit=30, results_dir=tmp_path).folder)
    found = samples_of(values)
    assert found.early
    assert list(found.pass_at) == ["1"]
    firsts = [(of[0][0].numbers or {})["correct"] for of in pools_of(values).values()]
    assert found.mean_single.score == pytest.approx(np.mean(firsts))
    assert vote_curve(values) == {}


def test_attempts_of_a_solver_that_draws_each_anew_are_samples(tmp_path: Path) -> None:
    folder = run(Lawful(), Lottery(failing=False), limit=20, attempts=4, results_dir=tmp_path).folder
    found = samples_of(load(folder, light=False))
    rights: dict[str, list[bool]] = {}
    for a in folder.attempts():
        rights.setdefault(a.puzzle, []).append(a.outcome == "correct")
    assert found.k == (4, 4)
    assert found.mean_single.score == pytest.approx(np.mean([np.mean(r) for r in rights.values()]))
    assert found.pass_at["4"].score == pytest.approx(np.mean([any(r) for r in rights.values()]))
    assert found.rules is not None


def test_one_answer_a_puzzle_has_no_samples(tmp_path: Path) -> None:
    values = load(run(Counting(), "search", limit=3, results_dir=tmp_path).folder)
    with pytest.raises(UserError, match="one answer a puzzle"):
        samples_of(values)
    with pytest.raises(UserError, match="no answers along the way"):
        depths_of(values)


def test_candidates_come_back_from_disk_as_they_were_and_are_judged_again(tmp_path: Path) -> None:
    result = run(Lawful(), Guesses(), limit=6, results_dir=tmp_path)
    before = [a.candidates for a in result.folder.attempts()]
    assert any(s.ballot != n for of in before for n, s in enumerate(of)), "some agree"
    for of in before:
        for n, s in enumerate(of):
            assert (s.answer is not None) == (s.ballot == n)
            assert s.numbers is not None
            assert (s.broken == 0) == (s.numbers["correct"] == 1.0)

    again = score_again(result.folder, task=Harsh()).folder.attempts()
    assert all(s.numbers == {"correct": 0.0} for a in again for s in a.candidates)
    assert [[(s.ballot, s.score, s.answer) for s in a.candidates] for a in again] == [
        [(s.ballot, s.score, s.answer) for s in of] for of in before
    ]


def test_strata_part_puzzles_by_difficulty_and_count_each_once(tmp_path: Path) -> None:
    values = load(run("sudoku", "search", task_options={"size": 4}, limit=25, results_dir=tmp_path).folder)
    found = strata_of(values)
    assert sum(s.puzzles for s in found.strata) == 25
    assert all(s.score.score == 1.0 for s in found.strata)
    levels = [s.least for s in found.strata]
    assert levels == sorted(levels)  # type: ignore[type-var]


@given(st.lists(st.integers(0, 40).map(float), max_size=80))
def test_cuts_never_part_equal_difficulties(levels: list[float]) -> None:
    found = cuts(sorted(levels))
    held = [level for low, high in found for level in levels if low <= level <= high]
    assert sorted(held) == sorted(levels)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(found))


@dataclass(frozen=True, kw_only=True)
class Wavers:
    """Right at depth 1 or 2, and sometimes no more at 4."""

    @property
    def card(self) -> SolverCard:
        return SolverCard(name="wavers", kind="net")

    def solve(self, task: TaskView, puzzles: list[Puzzle], budget: Budget) -> Any:
        plans = [(1, 1, 1), (0, 1, 0), (0, 0, 1), (1, 0, 0), (0, 0, 0)]
        for n, puzzle in enumerate(puzzles):
            right = task.methods["search"](puzzle, np.random.default_rng(0))
            answers = [right if ok else right + 1 for ok in plans[n % 5]]
            yield Attempt(
                puzzle_id=puzzle.id,
                answer=answers[-1],
                depth=4,
                usage=Usage(passes=4, flops=400.0, usd=4.0),
                trace=tuple(TracePoint(depth=d, answer=a) for d, a in zip((1, 2, 4), answers, strict=True)),
            )


def test_what_was_right_and_lost_again_is_named(tmp_path: Path) -> None:
    found = depths_of(load(run(Counting(), Wavers(), limit=10, results_dir=tmp_path).folder))
    assert [(p.depth, p.score.score, p.gained, p.lost) for p in found.points] == [
        (1, 0.4, 4, 0),
        (2, 0.4, 2, 2),
        (4, 0.4, 2, 2),
    ]
    assert [lost.right_at for lost in found.lost] == [(2,), (1,), (2,), (1,)]
    assert (found.final.score, found.ever.score) == (0.4, 0.8)


def test_the_rollouts_of_a_net_are_kept_with_their_halting_logits(tmp_path: Path) -> None:
    asked = {"samples": 4, "noise": 2.0, "depth": 1}
    folder = run("sudoku", "trm", limit=6, solver_options=asked, results_dir=tmp_path).folder
    attempts = folder.attempts()
    assert [len(a.candidates) for a in attempts] == [4] * 6
    assert all(s.score is not None and s.broken is not None for a in attempts for s in a.candidates)
    values = load(folder)
    found = samples_of(values)
    assert (found.vote.score, found.chosen) == (values.score.score, "own")
    assert found.rules is not None
    assert found.rules.score == found.pass_at["4"].score


def test_the_replies_of_a_model_are_kept_in_the_order_in_which_they_were_asked() -> None:
    def said(answer: Any, outcome: Outcome = Outcome.ANSWERED) -> Candidate:
        return Candidate(answer=answer, outcome=outcome, reply="")

    replies = [said(3), said(Unparsed(reason="?"), Outcome.UNPARSED), said(5), said(3)]
    first, second = ranked(replies)
    assert first.among == second.among == tuple(Sample(answer=a) for a in (3, None, 5, 3))
    assert (first.answer, first.samples) == (3, 4)
    (failed,) = ranked(replies[1:2])
    assert failed.among == (Sample(),)
