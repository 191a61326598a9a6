"""The optimisation families against brute force, two general solvers and a published optimum; bad answers."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from harness.base import GeneratedTask
from harness.contracts import Answer, Item, Key, Puzzle, Unparsed
from harness.errors import UserError
from harness.randomness import generator
from harness.registry import create
from harness.testing import check_task
from tasks.optimisation.assignment import Assignment
from tasks.optimisation.independent_set import IndependentSet
from tasks.optimisation.integer_programs import PROGRAMS, solve_cp_sat, solve_highs
from tasks.optimisation.jobshop import JobShop
from tasks.optimisation.knapsack import Knapsack
from tasks.optimisation.max_cut import MaxCut
from tasks.optimisation.objective import FROZEN, OptimisationTask, frozen_rows
from tasks.optimisation.tsp import Tsp

TASKS: list[OptimisationTask] = [
    Knapsack(),
    IndependentSet(),
    MaxCut(),
    Assignment(),
    Tsp(),
    JobShop(),
    JobShop(size=5),
]
by_name = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.frozen_name)


def load(task: OptimisationTask, count: int, split: str = "train", seed: int = 0) -> list[Item]:
    return task.load(split=split, seed=seed, limit=count, data_dir=None)


# ----- by brute force: every answer there is, the rules and the objective written down once more


def knapsack_value(p: Any, x: Answer) -> float | None:
    weight = sum(w * taken for w, taken in zip(p["weights"], x, strict=True))
    return (
        sum(v * taken for v, taken in zip(p["values"], x, strict=True)) if weight <= p["capacity"] else None
    )


def independent_value(p: Any, x: Answer) -> float | None:
    chosen = [(r, c) for r, row in enumerate(x) for c, v in enumerate(row) if v]
    touching = any(abs(complex(*a) - complex(*b)) < 1.5 for a, b in itertools.combinations(chosen, 2))
    return None if touching else sum(p["weights"][r][c] for r, c in chosen)


def cut_value(p: Any, x: Answer) -> float | None:
    return sum(
        p["weights"][i][j] for i, j in itertools.combinations(range(len(x)), 2) if {x[i], x[j]} == {0, 1}
    )


def assignment_value(p: Any, x: Answer) -> float | None:
    used = np.zeros(len(p["capacity"]))
    for job, agent in enumerate(x):
        used[agent - 1] += p["hours"][agent - 1][job]
    return None if (used > p["capacity"]).any() else sum(p["costs"][a - 1][j] for j, a in enumerate(x))


def tour_value(p: Any, x: Answer) -> float | None:
    if set(x) != set(range(1, len(x) + 1)):
        return None
    at = [complex(*p["cities"][city - 1]) for city in x]
    return sum(abs(a - b) for a, b in zip(at, at[1:] + at[:1], strict=True))


def schedule_value(p: Any, x: Answer) -> float | None:
    busy: set[tuple[str, int, int]] = set()
    for j, (machines, minutes) in enumerate(zip(p["machines"], p["minutes"], strict=True)):
        for k, (machine, length) in enumerate(zip(machines, minutes, strict=True)):
            if k and x[j][k] < x[j][k - 1] + minutes[k - 1]:
                return None
            for t in range(x[j][k], x[j][k] + length):
                if ("machine", machine, t) in busy:
                    return None
                busy.add(("machine", machine, t))
    return max(row[-1] + minutes[-1] for row, minutes in zip(x, p["minutes"], strict=True))


def squares(n: int, top: int) -> Callable[[], Iterator[Answer]]:
    return lambda: (
        [list(flat[i : i + n]) for i in range(0, n * n, n)]
        for flat in itertools.product(range(top + 1), repeat=n * n)
    )


def lists(n: int, low: int, high: int) -> Callable[[], Iterator[Answer]]:
    return lambda: map(list, itertools.product(range(low, high + 1), repeat=n))


SMALL: list[
    tuple[OptimisationTask, Callable[[], Iterator[Answer]], Callable[[Any, Answer], float | None]]
] = [
    (Knapsack(items=9, max_weight=9), lists(9, 0, 1), knapsack_value),
    (Knapsack(items=9, max_weight=9, kind="strong"), lists(9, 0, 1), knapsack_value),
    (IndependentSet(size=3, max_weight=4), squares(3, 1), independent_value),
    (MaxCut(nodes=7, max_weight=2), lists(7, 0, 1), cut_value),
    (Assignment(jobs=6), lists(6, 1, 3), assignment_value),
    (Tsp(cities=5, side=4), lists(5, 1, 5), tour_value),
    (JobShop(size=2, longest=3), squares(2, 7), schedule_value),
]


@pytest.mark.parametrize(
    ("task", "answers", "value"), SMALL, ids=[f"{t.name}-{t.dials()}" for t, _, _ in SMALL]
)
def test_brute_force_finds_the_same_feasible_answers_the_same_optimum_and_the_same_label(
    task: OptimisationTask,
    answers: Callable[[], Iterator[Answer]],
    value: Callable[[Any, Answer], float | None],
) -> None:
    for puzzle, key in load(task, 6):
        best, label = None, None
        for answer in answers():
            worth = value(puzzle.payload, answer)
            verdict = task.judge(puzzle, key, answer)
            assert verdict.numbers["feasible"] == (worth is not None)
            assert (verdict.numbers["constraints"] == 1) == (worth is not None)
            assert (task.violations(puzzle, answer) == []) == (worth is not None)
            if worth is None:
                continue
            assert task.value(puzzle.payload, answer) == pytest.approx(worth, abs=1e-9)
            ahead = best is None or (worth > best + 1e-9 if task.sense == "max" else worth < best - 1e-9)
            if ahead:
                best, label = worth, answer
        assert key.optimum == pytest.approx(best, abs=1e-9)
        assert key.answers == (label,)
        assert task.search(puzzle) == label


def least_start_times(p: Any, most: int, starts: list[int]) -> list[int] | None:
    """Set one start time after the other, the smallest first, going back where none fits."""
    machines, minutes = p["machines"], p["minutes"]
    if len(starts) == 9:
        return starts
    j, k = divmod(len(starts), 3)
    for t in range(starts[-1] + minutes[j][k - 1] if k else 0, most - sum(minutes[j][k:]) + 1):
        clear = all(
            t + minutes[j][k] <= s or s + minutes[i // 3][i % 3] <= t
            for i, s in enumerate(starts)
            if machines[i // 3][i % 3] == machines[j][k]
        )
        if clear and (found := least_start_times(p, most, [*starts, t])):
            return found
    return None


def test_the_schedule_of_least_start_times_is_found_on_three_machines_too() -> None:
    for puzzle, key in load(JobShop(size=3, longest=4), 20):
        assert key.optimum is not None
        found = least_start_times(puzzle.payload, int(key.optimum), [])
        assert list(itertools.chain.from_iterable(key.answers[0])) == found
        assert least_start_times(puzzle.payload, int(key.optimum) - 1, []) is None  # no schedule is shorter


def test_the_classic_job_shop_of_fisher_and_thompson_takes_55_minutes() -> None:
    rows = """2 1 0 3 1 6 3 7 5 3 4 6
              1 8 2 5 4 10 5 10 0 10 3 4
              2 5 3 4 5 8 0 9 1 1 4 7
              1 5 0 5 2 5 3 3 4 8 5 9
              2 9 1 3 4 5 5 4 0 3 3 1
              1 3 3 3 5 9 0 10 4 4 2 1"""
    jobs = [list(map(int, row.split())) for row in rows.split("\n")]
    payload = {
        "machines": [[m + 1 for m in job[0::2]] for job in jobs],
        "minutes": [job[1::2] for job in jobs],
    }
    answer, makespan = JobShop(size=6, longest=10).solve(payload)
    assert makespan == 55 == schedule_value(payload, answer)


# ----- the frozen test sets


@by_name
def test_the_frozen_set_is_what_is_generated_and_search_has_no_gap_on_any_of_it(
    task: OptimisationTask,
) -> None:
    items = load(task, 1000, "test")
    assert items[:40] == [GeneratedTask.item(task, "test", 0, index) for index in range(40)]
    assert len(frozen_rows(task.frozen_name)) == 1000
    assert (FROZEN / f"{task.frozen_name}.json.xz").stat().st_size <= 300_000
    for puzzle, key in items:
        answer = task.search(puzzle)
        assert answer == key.answers[0]
        verdict = task.judge(puzzle, key, answer)
        assert verdict.correct
        assert verdict.numbers["gap"] == 0


@by_name
def test_past_the_frozen_items_and_under_other_seeds_items_are_generated(task: OptimisationTask) -> None:
    (puzzle, _), (other, _) = task.item("test", 0, 1000), task.item("test", 2, 0)
    assert (puzzle.id, other.id) == ("test-0-1000", "test-2-0")
    assert puzzle.payload not in [row["payload"] for row in frozen_rows(task.frozen_name)]


@by_name
@pytest.mark.parametrize("solver", [solve_cp_sat, solve_highs])
def test_general_solvers_agree_on_the_optimum(task: OptimisationTask, solver: Any) -> None:
    pytest.importorskip("ortools", reason="pip install 'depthbench[optimisation]' for OR-tools")
    pytest.importorskip("highspy", reason="pip install 'depthbench[optimisation]' for HiGHS")
    for puzzle, key in load(task, 3):
        answer = solver(PROGRAMS[task.name](puzzle.payload))
        assert task.judge(puzzle, key, answer).numbers["gap"] == pytest.approx(0, abs=1e-7)


def test_general_solvers_say_that_nothing_is_feasible() -> None:
    pytest.importorskip("ortools", reason="pip install 'depthbench[optimisation]' for OR-tools")
    pytest.importorskip("highspy", reason="pip install 'depthbench[optimisation]' for HiGHS")
    payload = {"costs": [[1, 1], [1, 1]], "hours": [[9, 9], [9, 9]], "capacity": [5, 5]}
    program = PROGRAMS["assignment"](payload)
    assert solve_cp_sat(program) is solve_highs(program) is Assignment().solve(payload) is None


# ----- copies


@by_name
def test_labels_of_symmetric_copies_are_computed_anew(task: OptimisationTask) -> None:
    assert task.grid is not None
    assert task.grid.symmetries(np.random.default_rng(0), 4) is None
    moved = 0
    for puzzle, key in load(task, 5):
        pairs = task.grid.variants(puzzle, key)
        copies = task.copies(puzzle.payload)
        assert len(pairs) == len(copies) > 1
        assert (pairs[0][0] == task.grid.encode(puzzle)).all()
        assert (pairs[0][1] == task.grid.encode_answer(puzzle, key.answers[0])).all()
        for payload, (tokens, label) in zip(copies, pairs, strict=True):
            copy = dataclasses.replace(puzzle, payload=payload)
            answer = task.grid.decode(np.where(label < 0, 0, label), copy)
            assert (tokens == task.grid.encode(copy)).all()
            assert answer == task.search(copy)
            assert task.judge(copy, key, answer).correct  # a copy has the same optimum
            moved += answer != key.answers[0]
    assert moved


@by_name
def test_copies_share_their_identity_and_other_instances_do_not(task: OptimisationTask) -> None:
    payloads = [puzzle.payload for puzzle, _ in load(task, 30)]
    assert all(task.identity(copy) == task.identity(p) for p in payloads for copy in task.copies(p))
    assert len({task.identity(p) for p in payloads}) == len(payloads)


def test_renumbering_by_any_order_keeps_the_identity() -> None:
    rng = np.random.default_rng(3)
    for (cut, _), (shop, _), (bag, _) in zip(
        *(load(t, 8) for t in (MaxCut(), JobShop(), Knapsack())), strict=True
    ):
        order = rng.permutation(12)
        weights = np.array(cut.payload["weights"])[np.ix_(order, order)].tolist()
        assert MaxCut().identity({"weights": weights}) == MaxCut().identity(cut.payload)
        jobs, names = rng.permutation(4), rng.permutation(4) + 1
        renamed = {
            "machines": [[int(names[m - 1]) for m in shop.payload["machines"][j]] for j in jobs],
            "minutes": [shop.payload["minutes"][j] for j in jobs],
        }
        assert JobShop().identity(renamed) == JobShop().identity(shop.payload)
        items = rng.permutation(16)
        shuffled = {k: [bag.payload[k][i] for i in items] for k in ("weights", "values")}
        assert Knapsack().identity(shuffled) == Knapsack().identity(bag.payload)


@pytest.mark.slow
@by_name
def test_splits_share_nothing_in_a_hundred_thousand_items_and_neighbouring_seeds_neither(
    task: OptimisationTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(task), "solve", lambda *_: ([], 1.0))  # items are told apart unsolved
    monkeypatch.setattr(type(task), "_greedy_gap", lambda *_: 0.0)
    seen: dict[str, tuple[str, int]] = {}
    for split in ("train", "test", "validation"):
        for seed, count in ((0, 25_000), (1, 10_000)):
            for index in range(count):
                payload = GeneratedTask.item(task, split, seed, index)[0].payload
                where = seen.setdefault(task.identity(payload), (split, seed))
                assert where == (split, seed)
    assert len(seen) > 100_000 * 0.99


# ----- verdicts


def test_the_gap_is_a_share_of_the_optimum_and_infeasible_answers_count_all_of_it() -> None:
    task = Knapsack()
    payload = {"weights": [5, 4, 3], "values": [50, 40, 1], "capacity": 9}
    puzzle = Puzzle(id="k", group="k", split="test", payload=payload)
    key = Key(answers=([1, 1, 0],), optimum=90.0)
    numbers = task.judge(puzzle, key, [1, 0, 0]).numbers
    assert numbers["gap"] == numbers["gap_all"] == pytest.approx(40 / 90)
    assert numbers["feasible"] == 1
    assert numbers["optimal_5%"] == 0
    for answer in ([1, 1, 1], "garbage"):
        verdict = task.judge(puzzle, key, answer)
        assert not verdict.correct
        assert verdict.numbers["gap_all"] == 1
        assert verdict.numbers["feasible"] == 0
    long = Tsp(cities=4, side=12).judge(
        dataclasses.replace(puzzle, payload={"cities": [[0, 0], [11, 0], [0, 1], [11, 1]]}),
        Key(answers=([1, 2, 4, 3],), optimum=24.0),
        [1, 4, 3, 2],
    )
    assert long.numbers["gap"] == pytest.approx((22 + 2 * math.hypot(11, 1)) / 24 - 1)
    late = JobShop(size=2).judge(
        dataclasses.replace(puzzle, payload={"machines": [[1, 2], [2, 1]], "minutes": [[1, 1], [1, 1]]}),
        Key(answers=([[0, 1], [0, 1]],), optimum=2.0),
        [[0, 1], [0, 9]],
    )
    assert late.numbers["gap"] == 4
    assert late.numbers["gap_all"] == 1  # no worse than an infeasible answer


@pytest.mark.parametrize(
    ("gap", "expected"), [(0, (1, 1, 1)), (5e-4, (0, 1, 1)), (0.04, (0, 0, 1)), (0.06, (0, 0, 0))]
)
def test_optimal_is_printed_at_three_thresholds(gap: float, expected: tuple[int, int, int]) -> None:
    task = Knapsack()
    puzzle, _ = load(task, 1)[0]
    verdict = task.verdict(task.check(puzzle, [0] * 16), gap)
    assert (verdict.correct, verdict.numbers["optimal_0.1%"], verdict.numbers["optimal_5%"]) == expected


def broken(
    task: OptimisationTask, puzzle: Puzzle, answer: Answer, rng: np.random.Generator
) -> tuple[Answer, str]:
    """Return the answer with one rule broken, and words that the rule's name holds."""
    p = puzzle.payload
    flat = json.loads(json.dumps(answer))
    if rng.random() < 0.2:  # of the wrong form
        bad = [None, 3.5, "1", True, 10**6, -1, [1]][int(rng.integers(7))]
        row = flat[int(rng.integers(len(flat)))] if isinstance(flat[0], list) else flat
        row[int(rng.integers(len(row)))] = bad
        return flat, "is no whole number from"
    if rng.random() < 0.1:
        return flat[:-1], "list of" if isinstance(flat[0], list) else "are asked for"
    match task.name:
        case "knapsack":
            while knapsack_value(p, flat) is not None:
                flat[int(rng.integers(len(flat)))] = 1
            return flat, "the bag carries"
        case "independent-set":
            r, c = rng.integers(1, 8, 2).tolist()
            flat[r][c] = flat[r + 1][c - 1] = 1
            return flat, f"row {r + 1}, column {c + 1} and row {r + 2}, column {c} touch"
        case "max-cut":
            return [*flat, 0], "are asked for"
        case "assignment":
            agent = int(rng.integers(1, 4))
            return [agent] * len(flat), f"agent {agent} works"
        case "tsp":
            i, j = rng.choice(len(flat), 2, replace=False).tolist()
            flat[i] = flat[j]
            return flat, f"city {flat[j]} is visited 2 times"
        case _:
            j, k = int(rng.integers(len(flat))), int(rng.integers(1, len(flat)))
            flat[j][k] = flat[j][k - 1]
            return flat, f"operation {k + 1} of job {j + 1} starts at {flat[j][k]}"


@by_name
@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_answers_that_break_a_rule_are_wrong_and_the_rule_is_named(
    task: OptimisationTask, count: int
) -> None:
    rng = np.random.default_rng(7)
    items = load(task, 50, "test")
    for n in range(count):
        puzzle, key = items[n % len(items)]
        answer, words = broken(task, puzzle, key.answers[0], rng)
        found = task.check(puzzle, answer)
        assert any(words in fault for fault in found.broken), (answer, found.broken)
        assert found.share < 1
        assert not task.judge(puzzle, key, answer).correct


@by_name
def test_an_answer_as_long_as_five_million_characters_is_refused_with_the_reason(
    task: OptimisationTask,
) -> None:
    puzzle, key = load(task, 1)[0]
    for answer in (
        [1] * 2_000_000,
        ["1" * 5_000_000],
        "1" * 5_000_000,
        [[0] * 2_000_000] * 9,
        10**4000,
        [10**4000],
    ):
        assert not task.judge(puzzle, key, answer).correct
        assert all(len(fault) < 200 for fault in task.violations(puzzle, answer) or [""])
    reply = task.parse("```answer\n[" + "1, " * 200_000 + "1]\n```", puzzle)
    assert isinstance(reply, Unparsed)


@by_name
@pytest.mark.parametrize("bad", ["NaN", "1e400", "-1", "1.5", "null", "true", "99999999999999999999"])
def test_what_is_no_number_of_an_answer_is_unparsed_or_wrong(task: OptimisationTask, bad: str) -> None:
    puzzle, key = load(task, 1)[0]
    text = json.dumps(key.answers[0])
    assert task.parse(f"```answer\n{text}\n```", puzzle) == key.answers[0]
    for digit in "0123456789":
        if digit in text:
            read = task.parse(f"```answer\n{text.replace(digit, bad, 1)}\n```", puzzle)
            assert isinstance(read, Unparsed) or not task.judge(puzzle, key, read).correct


@by_name
def test_drawings_fit_80_columns_and_say_what_an_answer_is_worth(task: OptimisationTask) -> None:
    for puzzle, key in load(task, 5):
        for answer in (None, key.answers[0], task.greedy(puzzle), "garbage", [1]):
            out = io.StringIO()
            console = Console(file=out, width=200)
            console.print(task.render(puzzle, answer, key), markup=False)
            assert max(map(len, out.getvalue().splitlines())) <= 80
            if answer == key.answers[0]:
                assert "gap 0.00 %" in out.getvalue()


@by_name
def test_the_prompt_shows_the_form_by_an_example_that_is_no_answer(task: OptimisationTask) -> None:
    puzzle, _ = load(task, 1)[0]
    prompt = task.prompt(puzzle)
    assert prompt.endswith("```")
    assert isinstance(task.parse(prompt, puzzle), Unparsed)


@by_name
def test_greedy_and_random_answers_are_well_formed_and_below_search(task: OptimisationTask) -> None:
    gaps: dict[str, list[float]] = {"greedy": [], "random": []}
    for puzzle, key in load(task, 40):
        for name, values in gaps.items():
            answer = task.methods[name](puzzle, generator("t", puzzle.id))
            assert "form" not in (found := task.check(puzzle, answer)).asked or found.feasible
            values.append(task.judge(puzzle, key, answer).numbers["gap_all"])
    assert 0 < np.mean(gaps["greedy"]) < np.mean(gaps["random"])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("knapsack", {"items": 1}),
        ("knapsack", {"kind": "weird"}),
        ("independent-set", {"size": 13}),
        ("max-cut", {"nodes": 17}),
        ("max-cut", {"density": 0}),
        ("assignment", {"agents": 5}),
        ("assignment", {"room": 0.1}),
        ("tsp", {"side": 3, "cities": 9}),
        ("tsp", {"cities": 3}),
        ("jobshop", {"size": 7}),
        ("jobshop", {"longest": 0}),
    ],
    ids=str,
)
def test_a_dial_outside_its_range_is_refused_with_its_value(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=str(next(reversed(options)))):
        create("task", name, options)


def test_dials_at_the_ends_of_their_ranges_make_puzzles() -> None:
    tasks: list[OptimisationTask] = [
        Knapsack(items=40, max_weight=1000),
        Knapsack(items=2, max_weight=2),
        IndependentSet(size=12, max_weight=1),
        MaxCut(nodes=16, density=1),
        Assignment(jobs=15, agents=4),
        Tsp(cities=13, side=20),
        JobShop(size=6, longest=25),
    ]
    for task in tasks:
        puzzle, key = load(task, 1)[0]
        assert task.judge(puzzle, key, task.search(puzzle)).correct
        assert task.grid is None or (task.grid.length <= 900 and task.grid.vocab_size <= 300)


def test_only_dials_enter_the_seed_not_what_a_family_says_of_all_its_puzzles() -> None:
    assert create("task", "opf", {"mode": "setpoints", "form": "json"}).dials() == ""
    assert create("task", "opf", {"case": 30}).dials() == "case=30"
    assert all(create("task", task.name).dials() == "" for task in TASKS)


@by_name
def test_puzzles_of_ones_own_are_read_searched_and_scored_against_what_search_finds(
    task: OptimisationTask, tmp_path: Path
) -> None:
    items = load(task, 3)
    file = tmp_path / "own.jsonl"
    file.write_text("".join(json.dumps({"payload": dict(puzzle.payload)}) + "\n" for puzzle, _ in items))
    own = dataclasses.replace(task, file=file)
    for (puzzle, key), (_, made) in zip(load(own, 3, "test"), items, strict=True):
        assert key.answers == made.answers
        assert own.judge(puzzle, key, key.answers[0]).correct
        greedy = own.judge(puzzle, key, own.greedy(puzzle)).numbers
        assert greedy == task.judge(puzzle, made, task.greedy(puzzle)).numbers
        own.render(puzzle, key.answers[0], key)


@pytest.mark.parametrize(
    ("name", "payload", "words"),
    [
        ("tsp", {"cities": [[x, y] for x in range(10) for y in range(10)]}, "100 cities"),
        ("max-cut", {"weights": [[1] * 40] * 40}, "40 nodes"),
        ("independent-set", {"weights": [[1] * 40] * 40}, "40 columns"),
        (
            "knapsack",
            {"weights": [1], "values": [1], "capacity": 10**12},
            "1000000000000 items times capacity",
        ),
        ("knapsack", {"weights": [1, 2], "values": [1], "capacity": 2}, "is no puzzle of knapsack"),
        (
            "assignment",
            {"costs": [[1, 2]], "hours": [[1]], "capacity": [1]},
            "not of the same agents",
        ),
        ("jobshop", {"machines": [[1, 2]], "minutes": [[1]]}, "not of the same operations"),
        ("jobshop", {}, "is no puzzle of jobshop"),
        ("opf", {"case": 14, "loads": [], "removed": "branch 99"}, "the network has no branch 99"),
        ("opf", {"case": 14, "loads": [[99, 1, 1]], "removed": None}, "is no puzzle of opf"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_instance_of_ones_own_that_cannot_be_used_is_refused_with_the_reason(
    name: str, payload: dict[str, Any], words: str, tmp_path: Path
) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text(json.dumps({"payload": payload}) + "\n")
    with pytest.raises(UserError, match=words):
        create("task", name, {"file": file}).load(split="test", seed=0, limit=None, data_dir=None)


@pytest.mark.parametrize(
    "task",
    [
        Knapsack(items=5),
        Knapsack(kind="strong", items=10),
        IndependentSet(size=2),
        MaxCut(nodes=5, max_weight=1),
        Assignment(jobs=4, agents=2, room=1.5),
        Tsp(cities=4, side=4),
        JobShop(size=3),
        JobShop(size=5),
    ],
    ids=lambda task: task.frozen_name,
)
def test_other_dials_keep_the_rules_of_the_contracts_chance_among_them(task: OptimisationTask) -> None:
    check_task(task, puzzles=4)
