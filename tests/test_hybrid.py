"""Two solvers in a row: who is asked, what it costs, what is told of it, and which mistakes are named."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness import registry, run
from harness.cli.main import dispatch
from harness.contracts import Attempt, Budget, Outcome, Puzzle, SolverCard, TaskView, Usage
from harness.errors import RunError, UserError
from harness.running.view import View
from harness.testing import check_solver
from solvers.hybrid import Hybrid, best_threshold
from tasks.sudoku.generated import Sudoku
from tests.fakes import Lottery, TwoTries

FOUR = Sudoku(size=4)
A_SECOND = Usage(wall_seconds=1.0, device_seconds=1.0, passes=2, flops=10.0)
LOTTERY = f"{Path(__file__).parent / 'fakes.py'}:Lottery"


def items(task: Any = FOUR, n: int = 6, split: str = "test") -> list[Any]:
    found: list[Any] = task.load(split=split, seed=0, limit=n, data_dir=None)
    return found


def answers(hybrid: Any, task: Any = FOUR, n: int = 6, **budget: Any) -> dict[tuple[str, int], Attempt]:
    puzzles = [puzzle for puzzle, _ in items(task, n)]
    budget = {"attempts": task.attempts} | budget
    view = View(task)
    return {(a.puzzle_id, a.attempt): a for a in hybrid.for_task(view).solve(view, puzzles, Budget(**budget))}


@dataclass(frozen=True, kw_only=True)
class Says:
    """Answers by the exact search on some puzzles, breaks a rule or refuses on others; votes as told."""

    right: frozenset[int] = frozenset()
    refuses: frozenset[int] = frozenset()
    votes: tuple[int, ...] = ()
    stops_at: int | None = None
    kind: Any = "net"
    usage: Usage = A_SECOND

    @property
    def card(self) -> SolverCard:
        return SolverCard(name="says", kind=self.kind, device="cpu", weights_sha256="5a" * 32)

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        for n, puzzle in enumerate(puzzles):
            if n == self.stops_at:
                raise RunError("The cap is reached.")
            for k in budget.wanted(puzzle.id):
                answer = task.methods["search"](puzzle, None)  # type: ignore[arg-type]
                detail: dict[str, Any] = (
                    {"votes": self.votes[n], "halt_score": float(n)} if self.votes else {}
                )
                common: dict[str, Any] = {"attempt": k, "usage": self.usage, "samples": 8, "detail": detail}
                if n in self.refuses:
                    yield Attempt(puzzle_id=puzzle.id, outcome=Outcome.REFUSED, **common)
                else:
                    wrong = [row[::-1] for row in answer]
                    yield Attempt(puzzle_id=puzzle.id, answer=answer if n in self.right else wrong, **common)


def of(first: Any, then: Any, **options: Any) -> Hybrid:
    """Return a hybrid of two objects."""
    made = Hybrid(first={"name": "random"}, then={"name": "random"}, **options)
    object.__setattr__(made, "for_task", lambda task: _ready(made, first, then, task))
    return made


def _ready(made: Hybrid, first: Any, then: Any, task: Any) -> Hybrid:
    object.__setattr__(made, "_members", (first, then))
    ready = Hybrid.for_task(made, task)
    object.__setattr__(ready, "_members", (first, then))
    return ready


def test_only_doubted_answers_are_asked_again_and_every_attempt_says_who_was_asked() -> None:
    first, then = Says(right=frozenset({0, 1}), refuses=frozenset({5})), Says(right=frozenset(range(6)))
    found = list(answers(of(first, then)).values())
    assert [a.detail["asked"] for a in found] == [["first"]] * 2 + [["first", "then"]] * 4
    assert all(a.outcome is Outcome.ANSWERED for a in found)
    assert all(FOUR.judge(*item, a.answer).correct for item, a in zip(items(), found, strict=True))
    assert found[2].detail["doubt"].startswith("breaks a rule: ")
    assert found[2].detail["first"]["answer"] != found[2].answer
    assert found[5].detail["doubt"] == "no answer: refused"
    assert found[5].detail["first"] == {"outcome": "refused"}


def test_costs_are_those_of_both_and_what_is_unknown_stays_so() -> None:
    asked = Usage(wall_seconds=2.0, input_tokens=10, output_tokens=5, usd=0.5, passes=1, retries=1)
    first, then = Says(right=frozenset({0}), kind="llm", usage=asked), Says(right=frozenset(range(6)))
    found = list(answers(of(first, then)).values())
    assert (found[0].usage, found[1].usage.input_tokens) == (asked, 10)
    both = found[1].usage
    assert (both.wall_seconds, both.output_tokens, both.passes, both.retries) == (3.0, 5, 3, 1)
    assert both.usd == pytest.approx(0.5, abs=0.01)  # and a second of a processor
    assert both.usd > 0.5  # type: ignore[operator]
    assert both.flops is None  # of the model behind an API
    two_nets = next(iter(answers(of(Says(), Says())).values())).usage
    assert (two_nets.flops, two_nets.device_seconds, two_nets.input_tokens) == (20.0, 2.0, 0)


def test_an_answer_of_the_first_stays_where_the_second_has_none() -> None:
    found = answers(of(Says(), Says(refuses=frozenset(range(6)))))
    assert all(
        a.outcome is Outcome.ANSWERED and a.detail["then"]["outcome"] == "refused" for a in found.values()
    )
    neither = answers(of(Says(refuses=frozenset(range(6))), Says(refuses=frozenset(range(6)))))
    assert {a.outcome for a in neither.values()} == {Outcome.REFUSED}


def test_votes_and_halting_scores_below_the_threshold_are_doubted() -> None:
    first = Says(right=frozenset(range(6)), votes=(8, 7, 6, 5, 4, 3))
    for doubt, threshold, doubted in (
        ("votes", 0.65, [3, 4, 5]),
        ("halt_score", 2.0, [0, 1]),
        ("votes", 0.0, []),
    ):
        found = list(answers(of(first, Says(), doubt=doubt, threshold=threshold)).values())
        asked = {a.puzzle_id for a in found if "then" in a.detail["asked"]}
        assert [n for n, (puzzle, _) in enumerate(items()) if puzzle.id in asked] == doubted
    always = answers(of(first, Says(), doubt="always")).values()
    assert {a.detail["doubt"] for a in always} == {"always asked"}
    with pytest.raises(UserError, match="first=random gives no votes"):
        answers(of(Says(right=frozenset(range(6))), Says(), doubt="votes", threshold=0.5))


def test_rules_that_cannot_tell_are_no_doubt() -> None:
    with pytest.raises(UserError, match=r"rules of two-tries cannot tell.*doubt=votes"):
        answers(of(Lottery(failing=False), Lottery()), TwoTries())


def test_a_first_that_stops_early_leaves_its_doubted_answers_asked() -> None:
    hybrid = of(Says(right=frozenset({0}), stops_at=3), Says(right=frozenset(range(6))))
    view = View(FOUR)
    seen: list[Any] = []
    found = (a.detail["asked"] for a in hybrid.for_task(view).solve(view, [p for p, _ in items()], Budget()))
    with pytest.raises(RunError, match="cap is reached"):
        seen.extend(found)
    assert seen == [["first"], ["first", "then"], ["first", "then"]]


def test_the_second_is_told_what_the_first_has_spent() -> None:
    told: list[Budget] = []

    @dataclass(frozen=True, kw_only=True)
    class Listens(Says):
        def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
            told.append(budget)
            return super().solve(task, puzzles, budget)

    dear = Usage(usd=0.5, charged_usd=0.25)
    answers(of(Says(kind="llm", usage=dear), Listens()), spent_usd=1.0, max_cost_usd=9.0)
    assert (told[-1].spent_usd, told[-1].max_cost_usd) == (1.0 + 6 * 0.25, 9.0)


@pytest.mark.parametrize("first", ["random", "search", LOTTERY])
def test_a_hybrid_keeps_the_rules_of_solvers(first: str) -> None:
    task: Any = TwoTries() if first == LOTTERY else FOUR
    doubt = "always" if first == LOTTERY else "rules"
    made = registry.create("solver", "hybrid", {"first": first, "then": "search", "doubt": doubt})
    attempts = check_solver(made, task)
    assert all(attempt.outcome is Outcome.ANSWERED for attempt in attempts)


def test_a_run_shows_how_often_each_was_asked_and_resumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"first": "random", "then": "search"}
    whole = run(
        "sudoku", "hybrid", task_options={"size": 4}, solver_options=options, limit=8, results_dir=tmp_path
    )
    assert whole.summary.headline.score == 1.0
    assert whole.summary.asked == {"first": 8, "then": 8}
    file = whole.path / "attempts.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:3]))
    again = run(
        "sudoku", "hybrid", task_options={"size": 4}, solver_options=options, limit=8, results_dir=tmp_path
    )
    assert again.path == whole.path
    assert file.read_bytes().splitlines(keepends=True)[:3] == lines[:3]
    assert again.summary.asked == {"first": 8, "then": 8}
    assert again.summary.complete
    capsys.readouterr()
    assert dispatch(["leaderboard", "--results-dir", str(tmp_path), "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["kind"], row["model"], row["asked"]) == (
        "hybrid",
        "random then search",
        {"first": 8, "then": 8},
    )
    assert dispatch(["leaderboard", "--results-dir", str(tmp_path), "--format", "markdown"]) == 0
    assert "hybrid first=random then=search (first asked 8×, then asked 8×)" in capsys.readouterr().out


def test_recorded_replies_come_first_without_a_key(tmp_path: Path) -> None:
    replies = {}
    for n, (puzzle, key) in enumerate(items()):
        rows = key.answers[0] if n < 2 else [[1] * 4] * 4
        text = "\n".join(" ".join(map(str, row)) for row in rows)
        replies[puzzle.id] = f"```answer\n{text}\n```" if n < 5 else "I give up."
    (tmp_path / "replies.json").write_text(json.dumps(replies), encoding="utf-8")
    options = {
        "first": "llm", "first.provider": "replay", "first.model": str(tmp_path / "replies.json"),
        "then": "search",
    }  # fmt: skip
    task = {"size": 4}
    found = run("sudoku", "hybrid", task_options=task, solver_options=options, limit=6, results_dir=tmp_path)
    assert found.summary.headline.score == 1.0
    assert found.summary.asked == {"first": 6, "then": 4}
    assert [bool(a.reply) for a in found.folder.attempts()] == [True] * 6


def validation_run(tmp_path: Path, split: str = "validation", first: str = "trm") -> Path:
    options = {"samples": "3", "noise": "0.5", "device": "cpu", "depth": "1"} if first == "trm" else {}
    result = run(
        "sudoku",
        first,
        solver_options=options,
        split=split,
        limit=12,
        results_dir=tmp_path,
        task_options={"size": 6},
    )
    return result.path


def with_trm(**options: Any) -> Any:
    members = {
        "first": "trm",
        "first.samples": "3",
        "first.noise": "0.5",
        "first.depth": "1",
        "then": "search",
    }
    return registry.create("solver", "hybrid", members | options)


def test_a_threshold_is_chosen_on_validation_and_stands_on_the_card(tmp_path: Path) -> None:
    task = Sudoku(size=6)
    made = with_trm(doubt="halt_score", validated_on=str(validation_run(tmp_path)))
    card = made.for_task(View(task)).card
    told = card.training["threshold"]
    assert told["signal"] == "halt_score"
    assert "split validation: " in told["chosen"]
    by_hand = with_trm(doubt="halt_score", threshold=str(told["value"])).for_task(View(task)).card
    assert by_hand.training["threshold"]["chosen"] == "given by hand"
    assert by_hand.weights_sha256 != card.weights_sha256  # it decides answers, and so which run this is
    (puzzle, _), *_ = items(task, split="validation")
    with pytest.raises(UserError, match="What chose a threshold does not judge it"):
        list(made.for_task(View(task)).solve(View(task), [puzzle], Budget()))


@pytest.mark.parametrize(
    ("split", "first", "message"),
    [
        ("test", "trm", "the split test, not validation"),
        ("validation", "random", "the solver random, not trm"),
    ],
)
def test_a_run_that_is_no_validation_of_the_first_is_refused(
    tmp_path: Path, split: str, first: str, message: str
) -> None:
    folder = validation_run(tmp_path, split, first)
    with pytest.raises(UserError, match=message):
        with_trm(doubt="votes", validated_on=str(folder)).for_task(View(Sudoku(size=6)))


@pytest.mark.parametrize(
    ("seen", "threshold", "right"),
    [
        ([(1.0, False), (2.0, True), (3.0, True)], 2.0, 3),
        ([(1.0, True), (2.0, True)], 1.0, 2),  # nothing to doubt: the lowest seen, so nobody is asked
        ([(1.0, False), (1.0, True), (1.0, False)], pytest.approx(1.0), 2),
        ([(3.0, True), (1.0, False), (2.0, False), (0.5, True)], 3.0, 3),
    ],
)
def test_the_threshold_parts_right_from_wrong_as_well_as_one_number_can(
    seen: list[tuple[float, bool]], threshold: float, right: int
) -> None:
    found, count = best_threshold(seen)
    assert (found, count) == (threshold, right)
    assert sum(ok is (score >= found) for score, ok in seen) == right
    assert all(sum(ok is (score >= t) for score, ok in seen) <= right for t in (0.0, 0.7, 1.5, 2.5, 9.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"then": "search"}, r"needs a value for first\. Give -S first=VALUE"),
        ({"first": "greedi", "then": "search"}, "first: Unknown solver 'greedi'.*Did you mean 'greedy'"),
        ({"first": "hybrid", "then": "search"}, "first is a hybrid"),
        ({"first": "search", "then": "trm", "then.depht": "2"}, "then: .*no option 'depht'.*'depth'"),
        ({"first.samples": "2", "then": "search"}, "first names no solver.*-S first=NAME"),
        ({"first": "llm", "then": "search"}, "first: .*needs a value for model"),
        ({"first": "random", "then": "search", "threshold": "1"}, "threshold was given with doubt=rules"),
        (
            {"first": "random", "then": "search", "doubt": "votes"},
            "doubt=votes needs a threshold, and none was",
        ),
        ({"first": "random", "then": "search", "mode": "refine"}, "then=search cannot start from an answer"),
        ({"first": "random", "then": "trm"}, "then: No trm weights are shipped for sudoku-4x4.*-T size=4"),
        (
            {"first": "random", "then": "search", "doubt": "votes", "validated_on": "nowhere"},
            "is no run folder",
        ),
    ],
)
def test_mistakes_are_named_with_the_member_they_are_of(options: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        registry.create("solver", "hybrid", options).for_task(View(FOUR))


@pytest.mark.parametrize("role", ["first", "then"])
def test_a_member_that_cannot_play_the_task_says_so_before_anybody_is_asked(role: str) -> None:
    members = {"first": "random", "then": "random"} | {role: "greedy"}
    with pytest.raises(UserError, match=f"{role}: two-tries has no method 'greedy'"):
        answers(registry.create("solver", "hybrid", members), TwoTries(), 3)


def test_an_attempt_keeps_its_number_and_its_own_doubt() -> None:
    made = registry.create("solver", "hybrid", {"first": LOTTERY, "then": "random", "doubt": "always"})
    done = frozenset({(items(TwoTries(), 3)[0][0].id, 0)})
    found = answers(made, TwoTries(), 3, done=done)
    wanted = {(p.id, k) for p, _ in items(TwoTries(), 3) for k in (0, 1)} - done
    assert set(found) == wanted
    assert replace(made, doubt="always") == made
