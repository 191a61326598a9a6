"""A run books every planned attempt once, whatever the solver, the machine or the user does to it."""

from __future__ import annotations

import inspect
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pytest

from harness import run, score
from harness.cli.run import run as command
from harness.contracts import (
    Attempt,
    Budget,
    Key,
    Metric,
    Outcome,
    Puzzle,
    SolverCard,
    TaskView,
    Usage,
    Verdict,
)
from harness.errors import RunError, UserError
from harness.records.schema import RunSpec, as_json
from harness.running.runner import RunInterrupted
from harness.running.view import View
from tests import warm
from tests.fakes import Counting, Lottery, RepeatLast, TwoTries

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """Yields what a test tells it to; an exception in the script is raised."""

    script: tuple[Any, ...]
    seen: list[Budget] = field(default_factory=list, repr=False)

    @property
    def card(self) -> SolverCard:
        return SolverCard(name="scripted", kind="baseline")

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        self.seen.append(budget)
        for step in self.script:
            if isinstance(step, BaseException):
                raise step
            yield step


def at(number: int, **changes: Any) -> Attempt:
    return replace(Attempt(puzzle_id=f"test-0-{number}", answer=0), **changes)


def test_every_planned_attempt_has_an_outcome_and_they_sum_to_the_plan(tmp_path: Path) -> None:
    result = run(TwoTries(), Lottery(), limit=100, results_dir=tmp_path)
    outcomes = result.summary.outcomes
    assert sum(outcomes.values()) == result.summary.planned == 200
    assert all(outcomes[kind] for kind in outcomes if kind != "not_run")
    assert outcomes["not_run"] == 0
    assert result.complete


def test_what_is_never_yielded_is_not_run_and_counts_as_unsolved(tmp_path: Path) -> None:
    right = Counting().load(split="test", seed=0, limit=10, data_dir=None)[3][1].answers[0]
    result = run(Counting(), Scripted(script=(at(3, answer=right),)), limit=10, results_dir=tmp_path)
    assert result.summary.outcomes["not_run"] == 9
    assert result.summary.headline.score == 0.1
    assert not result.complete


def test_the_same_configuration_resumes_its_folder_and_fresh_starts_another(tmp_path: Path) -> None:
    first = run(Counting(), Lottery(), limit=5, results_dir=tmp_path)
    again = run(Counting(), Lottery(), limit=5, results_dir=tmp_path)
    fresh = run(Counting(), Lottery(), limit=5, results_dir=tmp_path, fresh=True)
    newest = run(Counting(), Lottery(), limit=5, results_dir=tmp_path)
    assert first.path == again.path != fresh.path == newest.path
    assert fresh.path.name.endswith("-2")
    assert len(again.attempts) == 5


@pytest.mark.parametrize(
    "change", [{"limit": 6}, {"seed": 1}, {"split": "train"}, {"solver": Lottery(failing=False)}]
)
def test_another_configuration_has_another_folder(tmp_path: Path, change: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"task": Counting(), "solver": Lottery(), "limit": 5, "results_dir": tmp_path}
    assert run(**usual).path != run(**usual | change).path


def test_a_run_moved_to_another_day_is_still_found(tmp_path: Path) -> None:
    first = run(Counting(), Lottery(), limit=5, results_dir=tmp_path)
    old = first.path.rename(first.path.with_name("1999-12-31" + first.path.name[10:]))
    assert run(Counting(), Lottery(), limit=5, results_dir=tmp_path).path == old


def test_the_run_folder_says_what_was_run(tmp_path: Path) -> None:
    record = run(TwoTries(shown=4), Lottery(), limit=3, seed=7, results_dir=tmp_path).record
    assert record.task.options == {"file": None, "shown": 4}
    assert (record.split, record.seed, record.attempts_per_puzzle) == ("test", 7, 2)
    assert record.card.parameters.core == 7
    assert record.puzzles.ids == ("test-7-0", "test-7-1", "test-7-2")
    assert len(record.task.puzzles_sha256) == len(record.hash) == 64
    assert {"numpy", "depthbench"} <= set(record.environment.packages)
    assert "answers" not in json.dumps(as_json(record))


def test_sample_ids_choose_puzzles_and_an_unknown_one_is_an_error(tmp_path: Path) -> None:
    result = run(Counting(), Lottery(), sample_ids=["test-0-8", "test-0-2"], results_dir=tmp_path)
    assert result.record.puzzles.ids == ("test-0-2", "test-0-8")
    with pytest.raises(UserError, match=r"no puzzle 'test-0-ten'\. Did you mean"):
        run(Counting(), Lottery(), sample_ids=["test-0-ten"], results_dir=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": 0}, "limit is 0"),
        ({"seed": -1}, "The seed is -1. It must be at least 0."),
        ({"split": "tset"}, "Did you mean 'test'"),
        ({"data_dir": "/no/such/folder"}, "data folder '/no/such/folder' does not exist"),
        ({"task_options": {"shown": 3}}, "Options were given for an object"),
        ({"fail_on_error": 0.0}, "must be greater than 0"),
        ({"retry_on_error": -1}, "must be at least 0"),
    ],
)
def test_a_mistake_in_the_arguments_is_said_before_anything_is_made(
    tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        run(Counting(), Lottery(), results_dir=tmp_path, **arguments)
    assert not list(tmp_path.rglob("attempts.jsonl"))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (at(77), "unknown puzzle 'test-0-77'"),
        (at(0), r"attempt \('test-0-0', 0\) twice"),
        (at(1, attempt=1), "but attempts are 0 to 0"),
        (at(1, outcome=Outcome.CORRECT), "'correct'.*only the runner"),
        (at(1, answer=None), "without an answer"),
        (at(1, answer={1, 2}), "not JSON"),
        (at(1, detail={"score": float("nan")}), "not JSON"),
        ("test-0-1", "where an Attempt belongs"),
    ],
)
def test_a_faulty_solver_is_named_and_what_it_did_before_is_kept(
    tmp_path: Path, fault: Any, message: str
) -> None:
    with pytest.raises(RunError, match=f"Scripted.*{message}") as stopped:
        run(Counting(), Scripted(script=(at(0), fault)), limit=5, results_dir=tmp_path)
    assert "fault of the solver" in str(stopped.value)
    (path,) = tmp_path.rglob("attempts.jsonl")
    assert [json.loads(line)["puzzle"] for line in path.read_text().splitlines()] == ["test-0-0"]
    assert json.loads((path.parent / "summary.json").read_text())["outcomes"]["not_run"] == 4


def test_a_task_whose_verdict_lacks_a_metric_is_named(tmp_path: Path) -> None:
    class Vague(Counting):
        metrics = (Metric(name="gap", number="gap"),)

    with pytest.raises(RunError, match="task 'counting' judged 'test-0-0' without the number 'gap'"):
        run(Vague(), RepeatLast(), limit=2, results_dir=tmp_path)


def test_a_solver_that_crashes_keeps_its_traceback_and_its_records(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as crash:
        run(
            Counting(),
            Scripted(script=(at(0), at(1), ZeroDivisionError("ouch"))),
            limit=5,
            results_dir=tmp_path,
        )
    assert "the same command resumes" in crash.value.__notes__[0]
    (path,) = tmp_path.rglob("attempts.jsonl")
    assert len(path.read_text().splitlines()) == 2


def test_a_solver_that_refuses_the_task_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot play"):
        run(Counting(), Scripted(script=(UserError("cannot play"),)), limit=5, results_dir=tmp_path)
    assert not list((tmp_path / "runs").iterdir())


def test_ctrl_c_keeps_what_is_recorded_and_the_run_goes_on_later(tmp_path: Path) -> None:
    script = Scripted(script=(at(0), at(1), KeyboardInterrupt()))
    with pytest.raises(RunInterrupted) as interrupted:
        run(Counting(), script, limit=5, results_dir=tmp_path)
    assert interrupted.value.result.summary.outcomes["not_run"] == 3
    with pytest.raises(RunError, match="again although it is recorded"):
        run(Counting(), script, limit=5, results_dir=tmp_path)
    assert script.seen[1].done == {("test-0-0", 0), ("test-0-1", 0)}


def test_retry_on_error_appends_a_new_line_that_counts_and_books_both(tmp_path: Path) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Flaky:
        calls: list[frozenset[tuple[str, int]]] = field(default_factory=list, repr=False, compare=False)

        @property
        def card(self) -> SolverCard:
            return SolverCard(name="flaky", kind="llm")

        def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
            self.calls.append(budget.done)
            for puzzle in puzzles:
                for k in budget.wanted(puzzle.id):
                    bad = len(self.calls) == 1 and puzzle.id == "test-0-1"
                    outcome = Outcome.PROVIDER_ERROR if bad else Outcome.ANSWERED
                    answer = None if bad else task.search(puzzle)
                    yield Attempt(
                        puzzle_id=puzzle.id, attempt=k, outcome=outcome, answer=answer, usage=Usage(usd=1.0)
                    )

    solver = Flaky()
    usual: dict[str, Any] = {"limit": 3, "results_dir": tmp_path}
    first = run(Counting(), solver, **usual)
    assert first.summary.outcomes | {"correct": 2, "provider_error": 1} == first.summary.outcomes
    assert run(Counting(), solver, **usual).summary.outcomes["provider_error"] == 1
    second = run(Counting(), solver, retry_on_error=1, **usual)
    assert solver.calls[1] == {("test-0-0", 0), ("test-0-2", 0)}
    assert second.summary.outcomes["correct"] == 3
    assert second.summary.costs["usd"].total == 4.0
    assert second.summary.costs["usd"].per_puzzle == pytest.approx(4 / 3)


@pytest.mark.parametrize(("limit", "recorded"), [(1, 1), (2, 2), (0.5, 2)])
def test_fail_on_error_stops_at_a_count_or_share_of_failures(
    tmp_path: Path, limit: float, recorded: int
) -> None:
    script = tuple(at(n, outcome=Outcome.TIMED_OUT, answer=None) for n in range(4))
    with pytest.raises(RunError, match=f"{recorded} attempts? failed, the last with timed_out"):
        run(Counting(), Scripted(script=script), limit=4, fail_on_error=limit, results_dir=tmp_path)
    (path,) = tmp_path.rglob("attempts.jsonl")
    assert len(path.read_text().splitlines()) == recorded


def test_limits_of_connections_and_money_reach_the_solver_with_what_is_spent(tmp_path: Path) -> None:
    script = Scripted(script=(at(0, usage=Usage(usd=0.25)), KeyboardInterrupt()))
    for _ in range(2):
        with pytest.raises((RunInterrupted, RunError)):
            run(
                Counting(),
                script,
                limit=3,
                max_connections=7,
                max_cost_usd=0.5,
                retry_on_error=2,
                results_dir=tmp_path,
            )
    first, second = script.seen
    assert (first.max_connections, first.max_cost_usd, first.retry_on_error, first.spent_usd) == (
        7,
        0.5,
        2,
        0.0,
    )
    assert second.spent_usd == 0.25


def test_a_solver_sees_the_view_of_a_task_and_nothing_else() -> None:
    view = View(Counting())
    assert (view.name, view.attempts) == ("counting", 1)
    for hidden in ("load", "judge", "render", "_item"):
        with pytest.raises(AttributeError, match="may not use"):
            getattr(view, hidden)
    with pytest.raises(AttributeError, match="may not change"):
        view.name = "other"


def test_puzzles_carry_no_answer_to_the_solver(tmp_path: Path) -> None:
    shown: list[Any] = []

    class Spy(RepeatLast):
        def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
            shown.extend([task, *puzzles])
            return super().solve(task, puzzles, budget)

    run(Counting(), Spy(), limit=5, results_dir=tmp_path)
    assert isinstance(shown[0], View)
    assert all(type(puzzle) is Puzzle for puzzle in shown[1:])


def test_a_summary_can_be_deleted_and_comes_back_to_the_byte(tmp_path: Path) -> None:
    result = run(TwoTries(), Lottery(), limit=50, results_dir=tmp_path)
    path = result.folder.summary_path
    before = path.read_bytes()
    path.unlink()
    assert run(TwoTries(), Lottery(), limit=50, results_dir=tmp_path).summary == result.summary
    assert path.read_bytes() == before


def test_depth_curve_carries_answers_forward_and_divides_by_the_plan(tmp_path: Path) -> None:
    result = run(Counting(), Lottery(failing=False), limit=60, results_dir=tmp_path)
    curve = result.summary.depth_curve
    assert curve == {"1": 0.0, "2": result.summary.headline.score}
    assert 0.4 < curve["2"] < 0.9


def test_rescoring_judges_recorded_answers_again_without_touching_them(tmp_path: Path) -> None:
    class Lenient(Counting):
        def judge(self, puzzle: Puzzle, key: Key, answer: Any) -> Verdict:
            return Verdict(correct=type(answer) is int and abs(answer - key.answers[0]) <= 1)

    result = run(Counting(), Lottery(), limit=60, results_dir=tmp_path)
    lines = result.folder.attempts_path.read_bytes()
    before = result.summary
    assert before.outcomes["wrong"] > 5
    after = score(result.path, task=Lenient()).summary
    assert after.outcomes["wrong"] == 0
    assert after.outcomes["correct"] == before.outcomes["correct"] + before.outcomes["wrong"]
    assert after.depth_curve == {"1": 0.0, "2": after.headline.score}
    assert result.folder.attempts_path.read_bytes() == lines
    assert score(result.path, task=Counting()).summary == before


def test_rescoring_refuses_other_puzzles_than_were_answered(tmp_path: Path) -> None:
    result = run(Counting(), Lottery(), limit=5, results_dir=tmp_path)
    with pytest.raises(UserError, match="makes other puzzles"):
        score(result.path, task=Counting(shown=5))


def test_attempts_come_as_a_frame(tmp_path: Path) -> None:
    frame = run(TwoTries(), Lottery(), limit=20, results_dir=tmp_path).attempts
    assert len(frame) == 40
    assert {"puzzle", "attempt", "outcome", "correct", "usage.usd", "depth", "answer"} <= set(frame.columns)
    assert set(frame.loc[frame.outcome == "correct", "correct"]) == {1.0}


VICTIM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.fakes import Lottery, TwoTries
from harness import run
run(TwoTries(), Lottery(seconds=float(sys.argv[3])), limit=int(sys.argv[4]), results_dir=sys.argv[2])
"""


@pytest.mark.parametrize(
    ("kills", "puzzles"), [(8, 300), pytest.param(25, 1000, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_a_run_killed_at_random_moments_ends_as_an_undisturbed_one(
    kills: int, puzzles: int, tmp_path: Path
) -> None:
    rng = random.Random(20260101)
    disturbed, undisturbed = (tmp_path / name for name in ("disturbed", "undisturbed"))
    command = [sys.executable, "-c", VICTIM, str(HERE.parent)]

    def recorded() -> int:
        return sum(path.read_bytes().count(b"\n") for path in disturbed.rglob("attempts.jsonl"))

    for kill in range(kills):
        words = [*command, str(disturbed), "0.001", str(puzzles)]
        victim = warm.Popen(words, stderr=subprocess.DEVNULL)
        if kill % 5 == 0:  # anywhere in start-up or soon after
            time.sleep(rng.uniform(0.0, 0.3))
        else:  # anywhere in the run
            wanted, deadline = recorded() + rng.randint(1, 40), time.monotonic() + 20
            while recorded() < wanted and time.monotonic() < deadline:
                time.sleep(rng.uniform(0.0, 0.002))
        victim.kill()
        assert victim.wait() == -signal.SIGKILL, "the run ended before enough kills: give it more puzzles"
    for results in (disturbed, undisturbed):
        warm.run([*command, str(results), "0", str(puzzles)], check=True)

    def lines(results: Path) -> list[dict[str, Any]]:
        (path,) = results.rglob("attempts.jsonl")
        return [
            {k: v for k, v in json.loads(line).items() if k != "at"} for line in path.read_text().splitlines()
        ]

    def summary(results: Path) -> bytes:
        (path,) = results.rglob("summary.json")
        return path.read_bytes()

    assert len(lines(disturbed)) == 2 * puzzles
    assert lines(disturbed) == lines(undisturbed)
    assert summary(disturbed) == summary(undisturbed)
    (sessions,) = disturbed.rglob("sessions.jsonl")
    starts = [json.loads(line)["recorded"] for line in sessions.read_text().splitlines() if '"start"' in line]
    assert len([n for n in starts if n]) >= kills // 2, "most sessions must have resumed"


def test_several_tries_at_a_puzzle_are_scored_by_their_mean_and_by_the_best(tmp_path: Path) -> None:
    result = run(Counting(), Lottery(failing=False), limit=40, attempts=3, results_dir=tmp_path)
    tries = [a.outcome is Outcome.CORRECT for a in result.folder.attempts()]
    assert len(tries) == 120
    names = [metric.name for metric in result.record.metrics]
    assert names[:2] == ["solved mean@3", "solved pass@3"]
    mean, best = result.summary.metrics[:2]
    assert mean.score == pytest.approx(sum(tries) / 120)
    solved = {a.puzzle for a in result.folder.attempts() if a.outcome is Outcome.CORRECT}
    assert best.score == pytest.approx(len(solved) / 40)
    assert (mean.n, best.n) == (40, 40)
    once = run(Counting(), Lottery(failing=False), limit=40, results_dir=tmp_path)
    assert once.path != result.path  # another run: it plans other attempts
    assert (
        run(Counting(), Lottery(failing=False), limit=40, attempts=3, results_dir=tmp_path).path
        == result.path
    )


def test_tries_must_be_at_least_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="attempts=0"):
        run(Counting(), Lottery(), limit=1, attempts=0, results_dir=tmp_path)


def test_the_arguments_of_a_run_are_written_once() -> None:
    shown = inspect.signature(run)
    assert list(shown.parameters) == [f.name for f in fields(RunSpec) if f.name != "_"]
    assert shown.parameters["seed"].default == 0
    assert "Run a solver on a task" in (run.__doc__ or "")
    with pytest.raises(TypeError, match="unexpected keyword argument 'limits'"):
        run(Counting(), Lottery(), limits=3)  # type: ignore[call-arg]


def test_the_command_line_has_every_argument_of_a_run() -> None:
    named = {
        "task_options": "task_option",
        "solver_options": "solver_option",
        "sample_ids": "sample_id",
        "max_cost_usd": "max_cost",
    }
    options = set(inspect.signature(command).parameters)
    assert {named.get(f.name, f.name) for f in fields(RunSpec)} <= options


def test_a_solver_that_gives_a_card_of_an_unknown_kind_is_told_so_before_anything_is_made(
    tmp_path: Path,
) -> None:
    class Odd(RepeatLast):
        @property
        def card(self) -> SolverCard:
            return SolverCard(name="odd", kind="oracle")  # type: ignore[arg-type]

    with pytest.raises(RunError, match=r"'odd' cannot be recorded.*'oracle', none of 'net', 'llm'"):
        run(Counting(), Odd(), limit=1, results_dir=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [float("nan"), float("inf"), "much", None])
def test_a_task_whose_verdict_holds_what_is_no_number_is_named(number: Any, tmp_path: Path) -> None:
    class Dreamy(Counting):
        def judge(self, puzzle: Puzzle, key: Key, answer: Any) -> Verdict:
            return Verdict(correct=False, numbers={"gap": number})

    with pytest.raises(RunError, match="task 'counting' judged 'test-0-0' by numbers that are none"):
        run(Dreamy(), RepeatLast(), limit=1, results_dir=tmp_path)


def test_judging_again_by_a_task_that_lacks_a_metric_of_the_run_changes_nothing(tmp_path: Path) -> None:
    class Measured(Counting):
        metrics = (Metric(name="gap", number="gap"),)

        def judge(self, puzzle: Puzzle, key: Key, answer: Any) -> Verdict:
            return Verdict(correct=False, numbers={"gap": 0.5})

    result = run(Measured(), RepeatLast(), limit=2, results_dir=tmp_path)
    with pytest.raises(RunError, match="without the number 'gap'"):
        score(result.folder, task=Counting())
    assert not result.folder.verdicts_path.exists()
    assert score(result.folder, task=Measured()).summary == result.summary


def test_a_limit_that_no_machine_could_generate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"It must be at most 1,000,000,000\. Leave it out"):
        run(Counting(), Lottery(), limit=10**40, results_dir=tmp_path)
