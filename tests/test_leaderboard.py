"""Scores, intervals and books: the denominator is the plan, unknown is unknown, and rows are quick to
make.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import leaderboard, run
from harness import score as score_again
from harness.books.ledger import costs
from harness.cli.main import dispatch
from harness.cli.results import write_details
from harness.contracts import Key, Metric, Outcome, Puzzle, SolverCard, Usage, Verdict
from harness.records.schema import (
    SCHEMA,
    AttemptRecord,
    Cost,
    Planned,
    RunRecord,
    SolverRecord,
    Summary,
    TaskRecord,
    TraceRecord,
)
from harness.scores.leaderboard import published, rows
from harness.scores.statistics import estimate
from harness.scores.summary import score_over, summarise
from tests.fakes import Counting, Lottery, RepeatLast, TwoTries


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_solved_puzzles_is_wilsons(case: tuple[int, int]) -> None:
    solved, n = case
    found = estimate([1.0] * solved + [0.0] * (n - solved))
    assert found.score == pytest.approx(solved / n)
    assert found.low <= found.score <= found.high
    # the rates that a score test at 5 % just does not reject (Wilson 1927)
    for bound in (found.low, found.high):
        assert (solved / n - bound) ** 2 == pytest.approx(1.959963985**2 * bound * (1 - bound) / n, abs=1e-9)


def test_the_interval_of_shares_agrees_with_a_bootstrap() -> None:
    values = np.random.default_rng(1).beta(2, 3, 300)
    found = estimate(list(values))
    means = np.random.default_rng(0).choice(values, (10_000, 300)).mean(axis=1)
    assert (found.low, found.high) == pytest.approx(np.quantile(means, (0.025, 0.975)), abs=0.004)


def test_the_interval_of_clustered_puzzles_covers_the_truth_as_often_as_it_says() -> None:
    rng, hits, plain_hits = np.random.default_rng(3), 0, 0
    for _ in range(400):
        shared = rng.beta(1, 1, 60)  # each group has its own difficulty; the mean is 0.5
        values = [float(v) for p in shared for v in rng.random(5) < p]
        groups = [str(i // 5) for i in range(300)]
        clustered, plain = estimate(values, groups), estimate(values)
        hits += clustered.low <= 0.5 <= clustered.high
        plain_hits += plain.low <= 0.5 <= plain.high
    assert 0.91 <= hits / 400 <= 0.98
    assert plain_hits / 400 < 0.90, "were the inputs of a group independent, this test would prove nothing"


def test_an_unbounded_number_has_a_symmetric_interval() -> None:
    found = estimate([-1.0, 0.0, 4.0, 5.0])
    assert found.score == 2.0
    assert found.high - 2.0 == pytest.approx(2.0 - found.low)
    assert found.high - 2.0 == pytest.approx(1.959964 * np.std([-1, 0, 4, 5], ddof=1) / 2, rel=1e-5)


def test_all_or_none_solved_still_leaves_doubt() -> None:
    assert estimate([0.0] * 20, ["a", "b"] * 10).high > 0.5  # two groups say little
    assert estimate([1.0] * 20).low > 0.8
    assert estimate([]).high == 1.0


@pytest.mark.parametrize(
    ("over", "expected"), [("puzzle", 3 / 5), ("group", (1 / 2 + 2 / 3) / 2), ("strict", 0.0)]
)
def test_the_three_ways_to_average(over: str, expected: float) -> None:
    assert score_over([1, 0, 1, 1, 0], ["a", "a", "b", "b", "b"], over).score == pytest.approx(expected)


SOLVED = Metric(name="solved")


def planned(
    ids: list[str],
    groups: list[str] | None = None,
    attempts: int = 1,
    metrics: tuple[Metric, ...] = (SOLVED,),
) -> RunRecord:
    """Return the record of a run that planned these puzzles."""
    chosen = {"name": "x", "options": {}, "changed": {}, "reference": "x"}
    return RunRecord(
        schema=SCHEMA,
        hash="0" * 64,
        created="2026-11-25T00:00:00Z",
        task=TaskRecord(version="1", puzzles_sha256="0", keys_sha256="0", **chosen),
        solver=SolverRecord(**chosen),
        split="test",
        seed=0,
        default_split="test",
        attempts_per_puzzle=attempts,
        metrics=metrics,
        chance=0.0,
        data_revision="generated",
        card=SolverCard(name="x", kind="net"),
        puzzles=Planned(
            ids=tuple(ids),
            groups=None if groups is None else tuple(groups),
            difficulty=(None,) * len(ids),
        ),
    )


def line(puzzle: str, right: float, k: int = 0, **more: Any) -> AttemptRecord:
    usual: dict[str, Any] = {"outcome": Outcome.CORRECT if right else Outcome.WRONG}
    return AttemptRecord(puzzle=puzzle, attempt=k, **usual | {"numbers": {"correct": right}} | more)


def test_either_attempt_may_solve_a_puzzle_and_missing_ones_count_against_it() -> None:
    found = summarise(
        planned(["a", "b", "c"], attempts=2), [line("a", 0.0), line("a", 1.0, 1), line("b", 0.0)]
    )
    assert found.headline.score == pytest.approx(1 / 3)
    assert (found.planned, found.outcomes["not_run"]) == (6, 3)


def test_the_depth_curve_holds_an_answer_until_it_is_replaced() -> None:
    def point(depth: int, right: float) -> TraceRecord:
        return TraceRecord(depth=depth, answer=0, numbers={"correct": right})

    lines = [
        line("a", 1.0, trace=(point(1, 0.0), point(2, 1.0)), depth=2),  # halts early and stays right
        # spoils it at last
        line("b", 0.0, trace=(point(1, 1.0), point(2, 1.0), point(4, 1.0), point(8, 0.0)), depth=8),
        line("c", 1.0, depth=4),  # kept no trace, so counts from where it ended
    ]
    found = summarise(planned(["a", "b", "c", "never ran"]), lines)
    assert found.depth_curve == {"1": 0.25, "2": 0.5, "4": 0.75, "8": 0.5}
    assert found.depth_scores is not None
    assert {depth: s.score for depth, s in found.depth_scores.items()} == found.depth_curve
    assert {s.n for s in found.depth_scores.values()} == {4}, "one denominator: what was planned"
    assert all(s.low < s.score < s.high for s in found.depth_scores.values())  # type: ignore[operator]
    assert found.depth_scores["8"] == found.depth_scores["2"]


def test_a_depth_at_which_some_puzzles_stopped_and_others_went_on_unseen_is_no_point_of_the_curve() -> None:
    def traced(puzzle: str, right: float, *depths: int) -> AttemptRecord:
        points = tuple(TraceRecord(depth=d, answer=0, numbers={"correct": right}) for d in depths)
        return line(puzzle, right, trace=points, depth=depths[-1])

    plan = planned(["a", "b", "c"])
    # 1, 2, 4 and 16 asked
    asked = [traced("a", 1.0, 1, 2, 3), traced("b", 1.0, 1, 2, 4, 16), traced("c", 0.0, 1)]
    assert list(summarise(plan, asked).depth_curve or {}) == ["1", "2", "4", "16"]
    # 4 and 16 asked, and all stopped before
    late = [traced("a", 1.0, 2), traced("b", 1.0, 3), traced("c", 0.0, 3)]
    assert list(summarise(plan, late).depth_curve or {}) == ["3"]


def test_a_cost_unknown_for_one_attempt_is_unknown_with_a_lower_bound() -> None:
    found = costs([Usage(usd=0.5, flops=10.0), Usage(usd=0.25)], puzzles=2)
    assert found["usd"] == Cost(total=0.75, per_puzzle=0.375, per_puzzle_at_least=0.375)
    assert found["flops"] == Cost(total=None, per_puzzle=None, per_puzzle_at_least=5.0)
    assert found["joules"] == Cost(total=None, per_puzzle=None, per_puzzle_at_least=None)


def test_seconds_are_device_time_where_known_else_latency_and_tokens_need_both_sides() -> None:
    found = costs(
        [Usage(wall_seconds=9.0, device_seconds=1.0), Usage(wall_seconds=3.0, input_tokens=5)], puzzles=1
    )
    assert found["seconds"].total == 4.0
    assert found["tokens"].total is None


def test_the_order_of_lines_changes_nothing() -> None:
    lines = [line(str(n), float(n % 2), usage=Usage(wall_seconds=0.1 * n, usd=1e-7 * n)) for n in range(50)]
    plan = planned([str(n) for n in range(50)])
    assert summarise(plan, lines) == summarise(plan, lines[::-1])


def test_the_leaderboard_is_a_frame_with_the_best_first_and_filters(tmp_path: Path) -> None:
    for solver in (Lottery(), Lottery(failing=False), RepeatLast()):
        run(Counting(), solver, limit=30, results_dir=tmp_path)
    run(TwoTries(), Lottery(), limit=30, results_dir=tmp_path)
    board = leaderboard(tmp_path)
    assert list(board.task) == ["counting"] * 3 + ["two-tries"]
    assert list(board.score[:3]) == sorted(board.score[:3], reverse=True)
    assert list(board.solver_options[:1]) == [{"failing": False}]
    assert len(leaderboard(tmp_path, task="two-tries")) == 1
    assert list(leaderboard(tmp_path, solver="repeat-last").planned) == [30]
    assert board.usd_per_puzzle.isna().sum() == 1  # repeat-last does not know money


def test_of_two_equal_scores_the_one_of_more_puzzles_stands_first(tmp_path: Path) -> None:
    for limit in (2, 30, 7):
        run(Counting(), RepeatLast(), limit=limit, results_dir=tmp_path)
    board = leaderboard(tmp_path)
    assert set(board.score) == {0.0}
    assert list(board.planned) == [30, 7, 2]


def test_a_stale_summary_is_not_believed(tmp_path: Path) -> None:
    result = run(Counting(), Lottery(), limit=30, results_dir=tmp_path)
    lines = result.folder.attempts_path.read_bytes().splitlines(keepends=True)
    result.folder.attempts_path.write_bytes(b"".join(lines[:20]))
    assert leaderboard(tmp_path).outcomes[0]["not_run"] == 10
    result.folder.summary_path.write_text("{")
    assert leaderboard(tmp_path).outcomes[0]["not_run"] == 10


def test_an_unreadable_run_is_warned_about_and_the_others_are_shown(tmp_path: Path) -> None:
    run(Counting(), Lottery(), limit=3, results_dir=tmp_path)
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "run.json").write_text("{")
    with pytest.warns(UserWarning, match=r"Left out broken: .*run\.json cannot be read"):
        assert len(leaderboard(tmp_path)) == 1


def test_lines_of_puzzles_that_were_not_planned_are_refused(tmp_path: Path) -> None:
    result = run(Counting(), Lottery(), limit=3, results_dir=tmp_path)
    with result.folder.attempts_path.open("a") as file:
        file.write(json.dumps(line("stranger", 1.0).line()) + "\n")
    with pytest.warns(UserWarning, match=r"\('stranger', 0\), which this run did not plan"):
        assert len(leaderboard(tmp_path)) == 0


def test_published_scores_of_public_and_hidden_arc_puzzles_are_never_one_metric() -> None:
    rows = [row for task in ("arc1", "arc2") for row in published(task)]
    assert {row["metric"].split()[0] for row in rows} == {"pass@1", "pass@2"}
    assert {row["metric"].split()[1] for row in rows} == {"public", "semi-private"}

    def score(model: str, metric: str) -> set[str]:
        return {r["score"] for r in published("arc1") if (r["model"], r["metric"]) == (model, metric)}

    # like for like
    assert "44.0" in score("TRM attention", "pass@2 public")
    assert score("Gemini 2.5 Pro 32K", "pass@2 public") == {"55.9"}
    assert score("TRM attention", "pass@2 semi-private") == {"40"}
    assert score("Gemini 2.5 Pro 32K", "pass@2 semi-private") == {"37.0"}


def test_every_published_number_has_a_source_and_a_way_it_was_read() -> None:
    for row in published():
        assert row["source"], row
        assert row["regime"], row
        assert row["evidence"] in {"P", "A", "R", "D", "S", "P/R", "P/S"}, row
        assert 0 <= float(row["score"]) <= 100, row


GAP = Metric(name="gap", number="gap", better="low", missing=1.0)
GAP_AMONG = Metric(name="gap_feasible", number="gap", better="low", missing=1.0, among="feasible")


def tour(puzzle: str, gap: float, k: int = 0, feasible: float = 1.0, **more: Any) -> AttemptRecord:
    return line(puzzle, 0.0, k, numbers={"correct": 0.0, "gap": gap, "feasible": feasible}, **more)


def test_where_low_is_better_the_best_attempt_is_the_lowest_and_a_missing_one_counts_the_worst() -> None:
    attempts = [tour("a", 0.5), tour("a", 0.25, 1), tour("b", 0.0, 1)]
    found = summarise(planned(["a", "b", "c"], attempts=2, metrics=(GAP,)), attempts).headline
    assert found.score == pytest.approx((0.25 + 0.0 + 1.0) / 3)
    assert (found.n, found.planned, found.better) == (3, 3, "low")
    high = replace(GAP, better="high", missing=0.0)
    assert summarise(planned(["a", "b", "c"], attempts=2, metrics=(high,)), attempts).headline.score == (
        pytest.approx((0.5 + 0.0 + 0.0) / 3)
    )


def test_a_metric_among_some_says_how_many_they_are_of_how_many() -> None:
    attempts = [tour("a", 0.5), tour("b", 0.0, feasible=0.0), tour("b", 0.1, 1), tour("c", 0.2, feasible=0.0)]
    plan = planned(["a", "b", "c", "d"], attempts=2, metrics=(SOLVED, GAP_AMONG))
    found = summarise(plan, attempts).metrics[1]
    assert found.score == pytest.approx((0.5 + 0.1) / 2), (
        "an infeasible attempt does not count, however short"
    )
    assert (found.n, found.planned, found.among) == (2, 4, "feasible")


def test_a_metric_among_none_is_unknown_and_not_the_best_there_is() -> None:
    plan = planned(["a", "b"], metrics=(GAP_AMONG,))
    found = summarise(plan, [tour("a", 0.0, feasible=0.0)])
    assert (found.headline.score, found.headline.low, found.headline.high, found.headline.n) == (
        None,
    ) * 3 + (0,)
    assert Summary(**vars(found)) == found
    traced = tour("a", 0.0, feasible=0.0, trace=(TraceRecord(depth=1, answer=0, numbers={"gap": 0.0}),))
    assert summarise(plan, [traced]).depth_curve == {"1": None}


def test_a_metric_among_groups_counts_groups() -> None:
    plan = planned(
        ["a1", "a2", "b1", "c1"], ["a", "a", "b", "c"], metrics=(replace(GAP_AMONG, over="group"),)
    )
    found = summarise(
        plan, [tour("a1", 0.2), tour("a2", 0.4), tour("b1", 0.6), tour("c1", 0.9, feasible=0.0)]
    )
    assert found.headline.score == pytest.approx((0.3 + 0.6) / 2)
    assert (found.headline.n, found.headline.planned) == (2, 3)


def test_the_depth_curve_of_a_low_metric_counts_the_worst_before_there_is_an_answer() -> None:
    def at(depth: int, gap: float) -> TraceRecord:
        return TraceRecord(depth=depth, answer=0, numbers={"correct": 0.0, "gap": gap, "feasible": 1.0})

    attempts = [
        tour("a", 0.2, trace=(at(1, 0.6), at(2, 0.2)), depth=2),
        tour("a", 0.4, 1, trace=(at(1, 0.4), at(2, 0.4)), depth=2),
        tour("b", 0.0, depth=2),
    ]
    found = summarise(planned(["a", "b"], attempts=2, metrics=(GAP,)), attempts)
    assert found.depth_curve == {"1": (0.4 + 1.0) / 2, "2": (0.2 + 0.0) / 2}


@dataclass(frozen=True, kw_only=True)
class Distance(Counting):
    """The counting task, scored by how far off the answer is, among those that are even."""

    name = "distance"
    metrics = (
        Metric(name="distance", number="distance", better="low", missing=100.0),
        Metric(name="distance_even", number="distance", better="low", missing=100.0, among="even"),
    )

    def judge(self, puzzle: Puzzle, key: Key, answer: Any) -> Verdict:
        off = abs(answer - key.answers[0]) if type(answer) is int else 100
        numbers = {"distance": float(off), "even": float(type(answer) is int and answer % 2 == 0)}
        return Verdict(correct=off == 0, numbers=numbers)


def test_where_low_is_better_the_lowest_stands_first_and_an_unknown_score_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for solver in (RepeatLast(), Lottery(failing=False), Lottery()):
        run(Distance(), solver, limit=12, results_dir=tmp_path)
    board = leaderboard(tmp_path)
    assert list(board.score) == sorted(board.score)
    assert set(board.better) == {"low"}
    assert dispatch(["leaderboard", "--results-dir", str(tmp_path), "--format", "json"]) == 0
    assert [row["score"] for row in json.loads(capsys.readouterr().out)] == list(board.score)
    unknown = replace(rows(tmp_path)[0][0], score=None)
    assert max([unknown, *rows(tmp_path)[0]], key=lambda row: row.rank) is unknown


def test_scoring_again_and_the_table_after_it_keep_the_direction_and_the_denominator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(Distance(), Lottery(), limit=12, results_dir=tmp_path)
    again = score_again(result.folder, task=Distance()).summary
    assert again == result.summary
    among = again.metrics[1]
    assert 0 < among.n < among.planned == 12
    write_details(again)
    assert f"{among.n} of 12 even" in capsys.readouterr().out


def test_a_run_of_which_nothing_counts_shows_no_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Odd(Distance):
        name = "odd"
        metrics = (replace(Distance.metrics[1], among="never"),)

        def judge(self, puzzle: Puzzle, key: Key, answer: Any) -> Verdict:
            return Verdict(correct=False, numbers={"distance": 0.0, "never": 0.0})

    result = run(Odd(), Lottery(), limit=5, results_dir=tmp_path)
    assert result.summary.headline.score is None
    for form in ("table", "json", "csv", "markdown", "latex"):
        assert dispatch(["leaderboard", "--results-dir", str(tmp_path), "--format", form]) == 0
    write_details(result.summary)
    assert "0 of 5 never" in capsys.readouterr().out


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2), st.floats(0, 1), st.booleans())))
def test_a_score_is_that_of_a_plain_loop(tries: list[tuple[str, int, float, bool]]) -> None:
    attempts = [tour(puzzle, gap, k, float(feasible)) for puzzle, k, gap, feasible in tries]
    found = summarise(planned(list("abc"), attempts=3, metrics=(GAP, GAP_AMONG)), attempts)
    counted = {(puzzle, k): (gap, feasible) for puzzle, k, gap, feasible in tries}
    lowest, lowest_feasible = [], []
    for name in "abc":
        own = [of for (puzzle, _), of in counted.items() if puzzle == name]
        lowest.append(min((gap for gap, _ in own), default=1.0))
        lowest_feasible += [min(gap for gap, feasible in own if feasible)] if any(f for _, f in own) else []
    assert found.metrics[0].score == pytest.approx(sum(lowest) / 3)
    assert found.metrics[1].n == len(lowest_feasible)
    if lowest_feasible:
        assert found.metrics[1].score == pytest.approx(sum(lowest_feasible) / len(lowest_feasible))


def test_the_first_attempt_alone_has_a_score_beside_the_best_of_two() -> None:
    first = Metric(name="solved_pass_1", of="first")
    attempts = [
        line("a", 1.0),
        line("b", 0.0),
        line("b", 1.0, 1),
        line("c", 1.0, 1),  # its first brought no answer
    ]
    plan = planned(["a", "b", "c", "d"], attempts=2, metrics=(SOLVED, first))
    assert [metric.score for metric in summarise(plan, attempts).metrics] == [0.75, 0.25]
