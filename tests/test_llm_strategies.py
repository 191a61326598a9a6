"""Ways to spend calls on a puzzle: each asks what it says, books every call, and never looks at the key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.contracts import Attempt, Budget, Outcome, Puzzle
from harness.errors import UserError
from solvers.llm.solver import LlmSolver
from solvers.llm.strategies.few_shot import shortened
from tests.llm_server import Behaviour, LlmServer, Script
from tests.llm_task import EchoTask, answer_block, number_in, puzzles


def replies(*texts: str | Behaviour) -> Script:
    """Answer the requests in the order they come; the last reply repeats."""
    sent = iter(range(10**9))

    def script(_body: dict[str, Any], _nth: int) -> Behaviour:
        what = texts[min(next(sent), len(texts) - 1)]
        return Behaviour(text=what) if isinstance(what, str) else what

    return script


def solve(script: Script, task: Any = None, **options: Any) -> tuple[Attempt, list[dict[str, Any]]]:
    with LlmServer(script) as server:
        solver = LlmSolver(model="m", base_url=server.url, max_retries=0, **options)
        (attempt,) = solver.solve(task or EchoTask(), puzzles(1), Budget(max_connections=1))
        return attempt, server.requests


# the puzzle is 0: even answers keep its rules, odd ones do not
A, B, C = answer_block(4), answer_block(6), answer_block(3)
FAILS = Behaviour(status=400, raw=b"{}")
REFUSES = Behaviour(text=None, refusal="No.")


def test_self_consistency_takes_the_most_frequent_answer_and_books_every_call() -> None:
    attempt, requests = solve(
        replies(A, B, "nothing", B, A, B), strategy="self-consistency", samples=6, temperature=1.0
    )
    assert (attempt.outcome, attempt.answer, attempt.samples) == (Outcome.ANSWERED, 6, 6)
    assert (
        attempt.detail["votes"],
        attempt.detail["valid_samples"],
        attempt.detail["different_answers"],
    ) == (3, 5, 2)
    assert attempt.usage.passes == len(requests) == 6
    assert attempt.usage.output_tokens == 6 * 7


def test_a_tied_vote_goes_to_the_answer_seen_first() -> None:
    assert solve(replies(B, A), strategy="self-consistency", samples=2)[0].answer == 6


def test_samples_that_fail_do_not_vote_and_all_failing_is_no_wrong_answer() -> None:
    attempt, _ = solve(replies(FAILS, A, FAILS), strategy="self-consistency", samples=3)
    assert (attempt.answer, attempt.samples, attempt.usage.passes) == (4, 3, 1)
    attempt, _ = solve(replies(FAILS, REFUSES, REFUSES), strategy="self-consistency", samples=3)
    assert (attempt.outcome, attempt.answer) == (Outcome.REFUSED, None)
    attempt, _ = solve(replies(FAILS), strategy="self-consistency", samples=3)
    assert attempt.outcome is Outcome.PROVIDER_ERROR


def test_best_of_n_stops_at_the_first_answer_that_keeps_the_rules() -> None:
    attempt, requests = solve(replies(C, "nothing", A, B), strategy="best-of-n", samples=8)
    assert (attempt.answer, attempt.samples, attempt.detail["violations"]) == (4, 3, 0)
    assert attempt.usage.passes == len(requests) == 3


def test_an_answers_own_score_of_best_of_n_is_minus_the_rules_it_breaks() -> None:
    attempt, _ = solve(replies(C, "nothing", A, B), strategy="best-of-n", samples=8)
    assert [sample.score for sample in attempt.candidates][1:] == [None, 0.0]
    assert (attempt.candidates[0].score or 0.0) < 0
    voted, _ = solve(replies(C, A), strategy="self-consistency", samples=2)
    assert [sample.score for sample in voted.candidates] == [None, None], "a vote has none"


def test_best_of_n_falls_back_on_the_answer_that_breaks_fewest_rules() -> None:
    attempt, requests = solve(replies("nothing", C), strategy="best-of-n", samples=3)
    assert (attempt.outcome, attempt.answer, attempt.samples, attempt.detail["violations"]) == (
        Outcome.ANSWERED,
        3,
        3,
        1,
    )
    assert len(requests) == 3
    attempt, _ = solve(replies("nothing"), strategy="best-of-n", samples=2)
    assert (attempt.outcome, attempt.answer) == (Outcome.UNPARSED, None)


def test_refine_sends_the_complaint_back_and_stops_when_the_rules_are_kept() -> None:
    attempt, requests = solve(replies(C, "nothing", A), strategy="refine", rounds=5)
    assert (attempt.answer, attempt.depth, attempt.usage.passes, attempt.detail["violations"]) == (4, 3, 3, 0)
    assert [len(r["messages"]) for r in requests] == [1, 3, 5]
    second, third = requests[1]["messages"], requests[2]["messages"]
    assert second[1] == {"role": "assistant", "content": C}
    assert "3 has the wrong parity" in second[2]["content"]
    assert "No answer could be read from your reply: no answer block" in third[4]["content"]


def test_refine_keeps_the_last_answer_when_the_rounds_are_used_up() -> None:
    attempt, requests = solve(replies(C, answer_block(5), "nothing"), strategy="refine", rounds=3)
    assert (attempt.outcome, attempt.answer, attempt.depth, len(requests)) == (Outcome.ANSWERED, 5, 3, 3)
    attempt, requests = solve(replies(REFUSES), strategy="refine", rounds=3)
    assert (attempt.outcome, len(requests)) == (Outcome.REFUSED, 1)


@dataclass(frozen=True, kw_only=True)
class Lawless(EchoTask):
    """A task whose rules cannot tell a right answer, as ARC's cannot."""

    def violations(self, puzzle: Puzzle, answer: int) -> list[str] | None:
        return None


@pytest.mark.parametrize(
    "options", [{"strategy": "best-of-n", "samples": 2}, {"strategy": "refine", "rounds": 2}]
)
def test_a_task_without_checkable_rules_is_told_so(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="do not say whether an answer is right"):
        solve(replies(A), task=Lawless(), **options)


def test_few_shot_puts_the_examples_first_and_refuses_the_puzzle_itself(tmp_path: Path) -> None:
    path = tmp_path / "shots.json"
    path.write_text(json.dumps([{"prompt": "Puzzle p99: say 99.", "reply": answer_block(99)}]))
    attempt, requests = solve(replies(A), strategy="few-shot", examples=path)
    assert attempt.answer == 4
    sent = requests[0]["messages"]
    assert [m["role"] for m in sent] == ["user", "assistant", "user"]
    assert sent[1]["content"] == answer_block(99)
    assert "Puzzle p0" in sent[2]["content"]
    path.write_text(json.dumps([{"prompt": EchoTask().prompt(puzzles(1)[0]), "reply": A}]))
    with pytest.raises(UserError, match="hold the puzzle p0 itself"):
        solve(replies(A), strategy="few-shot", examples=path)


def test_brief_examples_state_the_rules_once_and_then_only_what_is_each_puzzles_own(tmp_path: Path) -> None:
    path = tmp_path / "shots.json"

    @dataclass(frozen=True, kw_only=True)
    class Long(EchoTask):
        def prompt(self, puzzle: Puzzle) -> str:
            number = puzzle.payload["n"]
            return f"Say a number.\n\nPuzzle {puzzle.id}:\n{number}\n\nPut it in a block."

    shots = [Puzzle(id=f"p{n}", group="g", split="train", payload={"n": n}) for n in (11, 12)]
    path.write_text(
        json.dumps(
            [{"prompt": Long().prompt(shot), "reply": answer_block(shot.payload["n"])} for shot in shots]
        )
    )
    _, requests = solve(replies(A), task=Long(), strategy="few-shot", examples=path, prompt="brief")
    assert [m["content"] for m in requests[0]["messages"]] == [
        "Say a number.\n\nPuzzle p11:\n11\n\nPut it in a block.",
        answer_block(11),
        "Puzzle p12:\n12",
        answer_block(12),
        "Puzzle p0:\n0",
    ]


@pytest.mark.parametrize(
    ("prompts", "short"),
    [
        (["a\nx\nz", "a\ny\nz"], ["y"]),
        (["x", "y"], ["y"]),
        (["a\nx", "b\nx"], ["b"]),
        (["a\nb", "a\nb\nb"], ["b"]),  # nothing is left out twice
        (["a\nb\nb", "a\nb"], [""]),
        (["a", "a\nq", "a\nr\ns"], ["q", "r\ns"]),
    ],
)
def test_the_lines_a_prompt_shares_with_all_are_left_out(prompts: list[str], short: list[str]) -> None:
    assert shortened(prompts) == [prompts[0], *short]


def test_brief_is_for_examples_alone() -> None:
    with pytest.raises(UserError, match=r"'brief' does not go with the strategy 'cot'.*It is for few-shot"):
        LlmSolver(model="m", prompt="brief")


@pytest.mark.parametrize("text", ["", "[]", "{}", '[{"prompt": "x"}]', '[{"prompt": "x", "reply": 3}]'])
def test_a_file_that_holds_no_examples_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "shots.json").write_text(text)
    with pytest.raises(UserError, match=r"shots\.json"):
        LlmSolver(model="m", strategy="few-shot", examples=tmp_path / "shots.json")


def test_styles_and_samplings_combine() -> None:
    direct, _ = solve(replies(A), strategy="direct+best-of-n", samples=1)
    assert direct.samples == 1
    (_, one), (_, other) = (
        solve(replies(A), strategy="direct+refine", rounds=1),
        solve(replies(A), strategy="cot+refine", rounds=1),
    )
    assert one[0]["messages"] != other[0]["messages"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strategy": "self-consistency"}, "needs samples"),
        ({"strategy": "refine"}, "needs rounds"),
        ({"strategy": "few-shot"}, "needs examples"),
        ({"strategy": "cot", "samples": 3}, "has no samples"),
        ({"strategy": "best-of-n", "samples": 0}, "samples=0"),
        ({"strategy": "refine+cot", "rounds": 2}, "cannot be read"),
    ],
)
def test_options_that_do_not_fit_a_strategy_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        LlmSolver(model="m", **options)


def test_samples_of_one_question_are_cached_apart() -> None:
    with LlmServer(replies(A, B, A)) as server:
        for _ in range(2):
            solver = LlmSolver(model="m", base_url=server.url, strategy="self-consistency", samples=3, seed=1)
            (attempt,) = solver.solve(EchoTask(), puzzles(1), Budget())
            assert attempt.answer == 4
            assert attempt.detail["votes"] == 2
        assert len(server.requests) == 3
        assert len({request["seed"] for request in server.requests}) == 3


def test_votes_give_each_attempt_the_next_answer_of_one_pool() -> None:
    said = {"p0": [5, 7, 5, 7, 5, 9], "p1": [3, 3, 3, 3, 3, 3]}

    def script(body: dict[str, Any], nth: int) -> Behaviour:
        return Behaviour(text=answer_block(said[f"p{number_in(body)}"][nth]))

    with LlmServer(script) as server:
        solver = LlmSolver(model="m", base_url=server.url, strategy="votes", samples=6)
        budget = Budget(attempts=2, max_connections=1)
        found = {(a.puzzle_id, a.attempt): a for a in solver.solve(EchoTask(), puzzles(2), budget)}
        assert len(server.requests) == 12  # the attempts share their replies
        later = Budget(attempts=2, done=frozenset({("p0", 0), ("p1", 0), ("p1", 1)}))
        (second,) = solver.solve(EchoTask(), puzzles(2), later)
        assert len(server.requests) == 12  # kept ones serve an attempt that was left
    assert {pair: a.answer for pair, a in found.items()} == {
        ("p0", 0): 5,
        ("p0", 1): 7,
        ("p1", 0): 3,
        ("p1", 1): 3,
    }
    assert second.answer == 7
    assert [found["p0", k].detail["votes"] for k in range(2)] == [3, 2]
    assert [found["p0", k].samples for k in range(2)] == [6, 6]
    assert sum(found["p0", k].usage.output_tokens or 0 for k in range(2)) == 6 * 7


def test_every_reply_of_a_search_is_recorded_with_its_prompt_and_cut_to_what_a_record_may_hold() -> None:
    def script(body: dict[str, Any], _nth: int) -> Behaviour:
        round_ = len(body["messages"]) // 2
        return Behaviour(text=f"round {round_} " + "x" * 50_000 + answer_block(0 if round_ == 2 else 1))

    with LlmServer(script) as server:
        solver = LlmSolver(model="m", base_url=server.url, strategy="refine", rounds=3)
        (attempt,) = solver.solve(EchoTask(), puzzles(1), Budget())
    calls = attempt.detail["calls"]
    assert [call["reply"][:8] for call in calls] == ["round 0 ", "round 1 ", "round 2 "]
    assert calls[0]["prompt"].startswith("Puzzle p0")
    assert calls[1]["prompt"] == calls[2].get("prompt", calls[1]["prompt"])
    assert "breaks the rules" in calls[1]["prompt"]
    assert len(json.dumps(calls)) < 40_000
