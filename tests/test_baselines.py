"""The solvers random, copy-input and search, played on the tasks through the same contract as every other
solver.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from harness.contracts import Budget, Item, Outcome, Puzzle, Solver
from harness.errors import UserError
from harness.running.view import View
from solvers.baselines import CopyInput, Random, Search
from tasks.arc.public import Arc1
from tasks.maze.generated import Maze, MazeUnique
from tasks.sudoku.generated import Sudoku

SOLVERS: list[Solver] = [Random(), CopyInput(), Search()]
TASKS = [Sudoku(size=4), Sudoku(size=9), Maze(), MazeUnique()]


def load(task: Any, count: int) -> list[Item]:
    items: list[Item] = task.load(split=task.splits[0], seed=0, limit=count, data_dir=None)
    return items


def score(solver: Solver, task: Any, count: int = 30) -> float:
    items = load(task, count)
    keys = {puzzle.id: (puzzle, key) for puzzle, key in items}
    attempts = list(solver.solve(task, [puzzle for puzzle, _ in items], Budget()))
    assert {attempt.puzzle_id for attempt in attempts} == set(keys)
    assert {attempt.outcome for attempt in attempts} == {Outcome.ANSWERED}
    return sum(task.judge(*keys[attempt.puzzle_id], attempt.answer).correct for attempt in attempts) / count


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.family)
def test_search_solves_everything_and_the_baselines_nothing(task: Any) -> None:
    assert score(Search(), task) == 1.0
    assert score(Random(), task) == pytest.approx(task.chance, abs=1e-3)
    assert score(CopyInput(), task) == 0.0


def test_arc_is_copied_twice_per_input_and_not_solved_by_it() -> None:
    items = load(Arc1(), 40)
    attempts = list(CopyInput().solve(Arc1(), [puzzle for puzzle, _ in items], Budget(attempts=2)))
    assert len(attempts) == 80
    assert all(
        attempt.answer == puzzle.payload["test"]
        for attempt, puzzle in zip(attempts[::2], [p for p, _ in items], strict=True)
    )
    keys = {puzzle.id: key for puzzle, key in items}
    assert not any(
        Arc1().judge(items[0][0], keys[attempt.puzzle_id], attempt.answer).correct for attempt in attempts
    )


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: solver.card.name)
def test_recorded_pairs_are_not_played_again_and_the_others_are_the_same(solver: Solver) -> None:
    task = Sudoku(size=4)
    puzzles = [puzzle for puzzle, _ in load(task, 6)]
    budget = Budget(attempts=3)
    whole = {(a.puzzle_id, a.attempt): a.answer for a in solver.solve(task, puzzles, budget)}
    assert len(whole) == 18
    done = frozenset(list(whole)[:7])
    rest = {
        (a.puzzle_id, a.attempt): a.answer
        for a in solver.solve(task, puzzles[::-1], Budget(attempts=3, done=done))
    }
    assert rest == {pair: answer for pair, answer in whole.items() if pair not in done}


def test_random_answers_differ_between_seeds_and_attempts() -> None:
    task = Sudoku(size=9)
    puzzles = [puzzle for puzzle, _ in load(task, 3)]
    answers = [
        str(a.answer) for seed in (0, 1) for a in Random().solve(task, puzzles, Budget(attempts=2, seed=seed))
    ]
    assert len(set(answers)) == 12


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: solver.card.name)
def test_seconds_are_booked_and_what_is_unknown_stays_unknown(solver: Solver) -> None:
    task = Sudoku(size=4)
    for attempt in solver.solve(task, [puzzle for puzzle, _ in load(task, 3)], Budget()):
        assert attempt.usage.wall_seconds is not None
        assert attempt.usage.wall_seconds > 0
        assert attempt.usage.device_seconds == attempt.usage.wall_seconds
        assert (attempt.usage.flops, attempt.usage.usd, attempt.usage.output_tokens) == (None, None, None)


def test_cards_say_what_kind_they_are_and_that_they_have_no_parameters() -> None:
    assert [(s.card.name, s.card.kind) for s in SOLVERS] == [
        ("random", "baseline"),
        ("copy-input", "baseline"),
        ("search", "exact"),
    ]
    assert all(
        (s.card.parameters.core, s.card.parameters.stored, s.card.deterministic) == (0, 0, True)
        for s in SOLVERS
    )


def test_a_puzzle_without_solution_is_an_outcome_and_says_so() -> None:
    puzzle = Puzzle(id="p", group="p", split="test", payload={"grid": [[1, 1, 0, 0]] + [[0] * 4] * 3})
    (attempt,) = Search().solve(Sudoku(size=4), [puzzle], Budget())
    assert attempt.answer is None
    assert attempt.outcome is Outcome.REFUSED
    assert attempt.detail == {"reason": "search found no answer"}


def test_search_refuses_a_task_without_an_exact_method_before_the_first_answer() -> None:
    with pytest.raises(UserError, match=r"arc1 has no method 'search'\. It offers random"):
        next(iter(Search().solve(Arc1(), [puzzle for puzzle, _ in load(Arc1(), 1)], Budget())))


@dataclass(frozen=True)
class Doubling:
    """Somebody else's task: no grids, but an exact method."""

    name = family = "doubling"
    version = "1"
    attempts = 1
    grid = None

    def search(self, puzzle: Puzzle) -> int:
        return 2 * int(puzzle.payload["number"])


def test_search_works_for_a_plugin_and_copy_input_says_why_it_does_not() -> None:
    puzzles = [Puzzle(id=str(n), group=str(n), split="test", payload={"number": n}) for n in range(3)]
    plugin: Any = View(Doubling())  # type: ignore[arg-type]
    assert [attempt.answer for attempt in Search().solve(plugin, puzzles, Budget())] == [0, 2, 4]
    with pytest.raises(UserError, match=r"copy-input cannot play 'doubling'.*'random' plays every task"):
        next(iter(CopyInput().solve(plugin, puzzles, Budget())))
