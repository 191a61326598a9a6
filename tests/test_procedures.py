"""Procedures with a depth dial: right by other means than their own, hard to fool, one split never another's.

Marked slow: the same at full size (10,000 mutated answers a family, 100,000 items a family).
"""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import math
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from math import comb
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from harness import registry
from harness.base import methods_of
from harness.contracts import Unparsed
from harness.errors import UserError
from harness.randomness import generator
from tasks.procedures import automaton, blocks_world, game_of_life, hanoi, river_crossing

COMPUTED = [
    ("word-problem", {}),
    ("word-problem", {"group": "s3", "steps": 20}),
    ("word-problem", {"group": "z60", "steps": 64}),
    ("prefix-sums", {}),
    ("prefix-sums", {"modulus": 10, "steps": 128}),
    ("sorting", {}),
    ("automaton", {}),
    ("automaton", {"rule": 90, "steps": 20}),
    ("automaton", {"rule": 30, "steps": 32}),
    ("game-of-life", {}),
    ("iterated-map", {"steps": 32}),
    ("fixed-point", {}),
    ("fixed-point", {"method": "descent", "steps": 48}),
    ("hanoi-state", {}),
]
PLANNED = [
    ("hanoi", {}),
    ("hanoi", {"steps": 40}),
    ("blocks-world", {}),
    ("blocks-world", {"blocks": 6, "steps": 7}),
    ("river-crossing", {}),
    ("river-crossing", {"steps": 9}),
]
EVERY = [*COMPUTED, *PLANNED]
NAMES = sorted({name for name, _ in EVERY})


def task_of(name: str, **options: Any) -> Any:
    return registry.create("task", name, options)


@cache
def some(name: str, options: str, n: int, split: str = "test", seed: int = 0) -> tuple[Any, list[Any]]:
    task = task_of(name, **json.loads(options))
    if name == "river-crossing":
        return task, task.load(split=split, seed=seed, limit=None, data_dir=None)[:n]
    return task, task.load(split=split, seed=seed, limit=n, data_dir=None)


def sample(family: tuple[str, dict[str, Any]], n: int = 20, **where: Any) -> tuple[Any, list[Any]]:
    return some(family[0], json.dumps(family[1]), n, **where)


every = pytest.mark.parametrize("family", EVERY, ids=str)
computed = pytest.mark.parametrize("family", COMPUTED, ids=str)
planned = pytest.mark.parametrize("family", PLANNED, ids=str)


# What is right, by other means


@every
def test_search_is_right_and_an_item_takes_the_steps_it_says(family: tuple[str, dict[str, Any]]) -> None:
    task, items = sample(family, 60)
    for puzzle, key in items:
        found = methods_of(task)["search"](puzzle, generator("search"))
        assert found == key.answers[0]
        assert task.judge(puzzle, key, found).correct
        assert puzzle.difficulty == task.steps


@every
def test_training_items_take_every_number_of_steps_up_to_the_most(family: tuple[str, dict[str, Any]]) -> None:
    task, items = sample(family, 60, split="train")
    steps = {puzzle.difficulty for puzzle, _ in items}
    assert steps <= set(range(task.least, task.train_steps + 1))
    assert len(steps) > min(task.train_steps, 8) // 2


def test_products_of_permutations_are_those_of_sympy() -> None:
    from sympy.combinatorics import Permutation

    for group in ("s5", "s3"):
        _, items = some("word-problem", json.dumps({"group": group}), 20)
        for puzzle, key in items:
            total = Permutation(list(range(int(group[1]))))
            for name, said in zip(puzzle.payload["elements"], key.answers[0], strict=True):
                total = total * Permutation([int(digit) - 1 for digit in str(name)])
                assert said == int("".join(str(total(i) + 1) for i in range(int(group[1]))))


def test_rule_90_draws_pascals_triangle_and_rule_30_its_published_centre() -> None:
    width, middle = 79, 39
    row = 1 << middle
    for k in range(30):
        cells = [row >> (middle + d) & 1 for d in range(-k, k + 1)]
        assert cells == [comb(k, (k + d) // 2) % 2 if (k + d) % 2 == 0 else 0 for d in range(-k, k + 1)]
        row = automaton.step(row, 90, width)
    row, centre = 1 << middle, []
    for _ in range(22):
        centre.append(row >> middle & 1)
        row = automaton.step(row, 30, width)
    assert centre == [1, 1, 0, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 0]  # OEIS A051023


@pytest.mark.parametrize("rule", [110, 90, 30])
def test_a_row_of_an_automaton_is_its_table_cell_by_cell(rule: int) -> None:
    rng = generator("cells", rule)
    for width in (8, 29, 80):
        cells = rng.integers(0, 2, width).tolist()
        after = automaton.step(int("".join(map(str, cells)), 2), rule, width)
        around = [(cells[i - 1], cells[i], cells[(i + 1) % width]) for i in range(width)]
        expected = [rule >> (4 * left + 2 * here + right) & 1 for left, here, right in around]
        assert [int(bit) for bit in f"{after:0{width}b}"] == expected


def test_a_glider_moves_one_cell_down_and_right_in_four_generations() -> None:
    board = np.zeros((8, 8), dtype=np.int8)
    board[[0, 1, 2, 2, 2], [1, 2, 0, 1, 2]] = 1
    after = board
    for _ in range(4):
        after = game_of_life.generation(after)
    assert (after == np.roll(board, (1, 1), (0, 1))).all()


def test_an_iterated_map_is_its_closed_form() -> None:
    _, items = some("iterated-map", '{"steps": 50}', 40)
    for puzzle, key in items:
        a, c, x, k = (puzzle.payload[name] for name in ("a", "c", "x", "steps"))
        assert key.answers[0] == [(pow(a, k, 97) * x + c * (pow(a, k, 97) - 1) * pow(a - 1, -1, 97)) % 97]


def test_newton_comes_to_the_root_and_descent_to_the_least_value() -> None:
    from tasks.procedures.fixed_point import step

    for given in (1, 2, 1999, 123_456, 999_999):
        x = 999_999
        for _ in range(40):
            x = min(x, step("newton", x, given, 0))
        assert abs(x - math.isqrt(given * 1000)) <= 1
        for _ in range(2000):
            x = step("descent", max(x, given), given, 10)
        assert 0 <= x - given < 10  # below 10 the change, a tenth, is rounded down to nothing


def test_bubble_sort_takes_as_many_passes_as_an_item_says() -> None:
    for steps in (1, 5, 23):
        _, items = some("sorting", json.dumps({"steps": steps, "length": 24}), 20)
        for puzzle, _ in items:
            numbers, passes = list(puzzle.payload["numbers"]), 0
            while numbers != sorted(numbers):
                for i in range(len(numbers) - 1):
                    numbers[i : i + 2] = sorted(numbers[i : i + 2])
                passes += 1
            assert passes == steps


def test_the_whole_tower_takes_two_to_the_n_less_one_moves_and_no_state_is_farther() -> None:
    for n in range(2, 8):
        far = hanoi.distances((3,) * n, 2**n)
        assert len(far) == 3**n
        assert far[(1,) * n] == max(far.values()) == 2**n - 1


def test_blocks_have_as_many_states_as_is_known_and_plans_as_short_as_breadth_first_search_finds() -> None:
    known = {3: 13, 4: 73, 5: 501}  # OEIS A000262
    for n, count in known.items():
        far: dict[Any, dict[Any, int]] = {}
        states: list[Any] = [(0,) * n]
        for state in states:
            for move in blocks_world.all_moves(n):
                after = blocks_world.moved(state, *move)
                if after is not None and after not in far:
                    far[after] = {}
                    states.append(after)
        assert len(set(states)) == count
    states = sorted(set(states))
    rng = generator("blocks")
    for goal in [states[i] for i in rng.integers(0, len(states), 6)]:
        distance, layer = {goal: 0}, [goal]
        while layer:
            fresh = []
            for state in layer:
                for block, target in blocks_world.all_moves(5):
                    after = blocks_world.moved(state, block, target)  # every move can be taken back
                    if after is not None and after not in distance:
                        distance[after] = distance[state] + 1
                        fresh.append(after)
            layer = fresh
        for start in states:
            plan = blocks_world.shortest(start, goal, 12)
            assert plan is not None
            assert len(plan) == distance[start]
            state = start
            for move in plan:  # no move before this one comes nearer
                nearer = [
                    m
                    for m in blocks_world.all_moves(5)
                    if distance.get(blocks_world.moved(state, *m), 99) < distance[state]
                ]
                assert move == nearer[0]
                state = blocks_world.moved(state, *move)  # type: ignore[assignment]


def test_the_river_takes_the_crossings_that_breadth_first_search_is_known_to_find() -> None:
    known = {2: [1, 5, 11], 3: [1, 3, 5, 9, 11], 4: [1, 1, 3, 5, 7, 9]}
    for boat, crossings in known.items():
        for pairs, expected in enumerate(crossings, start=1):
            far = river_crossing.distances(pairs, boat, ((1,) * (2 * pairs), 1))
            assert far[(0,) * (2 * pairs), 0] == expected
        over = len(crossings) + 1
        if boat < 4:  # with one pair more the party never arrives
            assert ((1,) * (2 * over), 1) not in river_crossing.neighbours(over, boat)


# Verifiers


def after_hanoi(state: list[int], move: Any) -> list[int] | None:
    """Move a disk by the rules of the tower, written once more."""
    source, target = move
    on = {peg: [disk for disk, where in enumerate(state) if where == peg] for peg in (1, 2, 3)}
    if source == target or not on[source] or (on[target] and min(on[target]) < min(on[source])):
        return None
    return [target if disk == min(on[source]) else where for disk, where in enumerate(state)]


def after_blocks(state: list[int], move: Any) -> list[int] | None:
    block, target = move
    if any(below == block for below in state) or state[block - 1] == target:
        return None
    if target and any(below == target for below in state):
        return None
    return [target if i == block - 1 else below for i, below in enumerate(state)]


def plan_is_right(name: str, payload: Any, plan: Any) -> bool:
    if name == "river-crossing":
        return crossing_is_right(payload, plan)
    state = list(payload["start"])
    for move in plan:
        after = (after_hanoi if name == "hanoi" else after_blocks)(state, move)
        if after is None:
            return False
        state = after
    return state == payload["goal"]


def crossing_is_right(payload: Any, plan: Any) -> bool:
    people = [f"{kind}{i + 1}" for i in range(len(payload["start"]) // 2) for kind in "CA"]
    where, boat = dict(zip(people, payload["start"], strict=True)), payload["start_boat"]

    def quarrel(group: list[str]) -> bool:
        return any(
            c[0] == "C" and f"A{c[1:]}" not in group and any(a[0] == "A" for a in group) for c in group
        )

    for crossing in plan:
        if not 1 <= len(crossing) <= payload["boat"] or any(where[p] != boat for p in crossing):
            return False
        boat = 1 - boat
        where |= dict.fromkeys(crossing, boat)
        banks = [[p for p in people if where[p] == bank] for bank in (0, 1)]
        if any(map(quarrel, [crossing, *banks])):
            return False
    return [where[p] for p in people] == payload["goal"] and boat == payload["goal_boat"]


@pytest.mark.parametrize(
    ("name", "options", "longest"),
    [("hanoi", {"disks": 4, "steps": 3}, 5), ("blocks-world", {"blocks": 4, "steps": 2, "train_steps": 2}, 3),
     ("river-crossing", {"steps": 1}, 3)],
)  # fmt: skip
def test_a_plan_is_right_exactly_if_brute_force_says_so_be_it_short_or_long(
    name: str, options: dict[str, Any], longest: int
) -> None:
    task = task_of(name, **options)
    items = task.load(split="test", seed=1, limit=20 if name == "river-crossing" else 4, data_dir=None)
    seen: set[int] = set()
    for puzzle, key in items:
        if len(task.moves(puzzle.payload)) > 21:
            continue
        for length in range(1, longest + 1):
            for plan in product(task.moves(puzzle.payload), repeat=length):
                right = plan_is_right(name, puzzle.payload, plan)
                verdict = task.judge(puzzle, key, [list(move) for move in plan])
                assert verdict.correct == right
                assert verdict.numbers["optimal"] == (right and length == puzzle.difficulty)
                seen |= {length} if right else set()
    assert len(seen) > 1  # shortest plans and longer ones


def mutated(task: Any, puzzle: Any, answer: Any, rng: np.random.Generator) -> Any:
    """Return an answer changed in one place: a number, a place, a move, a length."""
    answer = copy.deepcopy(answer)
    i = int(rng.integers(len(answer)))
    if hasattr(task, "moves"):
        ways = task.moves(puzzle.payload)
        move = list(ways[int(rng.integers(len(ways)))])
        kind = int(rng.integers(4))
        if kind == 0:
            answer[i] = move
        elif kind == 1:
            answer.insert(i, move)
        elif kind == 2:
            del answer[i]
        else:
            j = int(rng.integers(len(answer)))
            answer[i], answer[j] = answer[j], answer[i]
        return answer
    if isinstance(answer[i], list):
        j = int(rng.integers(len(answer[i])))
        answer[i][j] = 1 - answer[i][j]
        return answer
    allowed = task.allowed(puzzle.payload)
    answer[i] = int(rng.choice([v for v in allowed[:300] if v != answer[i]]))
    return answer


def check_mutated(family: tuple[str, dict[str, Any]], times: int) -> None:
    task, items = sample(family, 50)
    rng = generator("mutate", family[0])
    for turn in range(times):
        puzzle, key = items[turn % len(items)]
        answer = mutated(task, puzzle, key.answers[0], rng)
        right = answer == key.answers[0]
        if family in PLANNED:
            right = bool(answer) and plan_is_right(family[0], puzzle.payload, answer)
        verdict, broken = task.judge(puzzle, key, answer), task.violations(puzzle, answer)
        assert verdict.correct == right
        assert (verdict.numbers["constraints"] == 1) == (verdict.numbers["feasible"] == 1) == right
        assert bool(broken) == (not right)
        assert all(isinstance(rule, str) and len(rule) > 8 for rule in broken)


@every
def test_a_mutated_answer_is_wrong_and_the_broken_rule_is_named(family: tuple[str, dict[str, Any]]) -> None:
    check_mutated(family, 200)


@pytest.mark.slow
@every
def test_ten_thousand_mutated_answers_are_wrong(family: tuple[str, dict[str, Any]]) -> None:
    check_mutated(family, 10_000)


GARBAGE: list[Any] = [
    None, True, 7, 1.5, "", "1 2 3", [], {}, [[]], [None], [True] * 16, ["x"] * 16, [1e400] * 16,
    [float("nan")] * 16, [10**400] * 16, [-1] * 16, [[1, 2]] * 16, [[1, 1]], [[1, 2, 3]], [["C9"]],
    [["C1", "C1"]], [[0, 0]], [[1.0, 2.0]], [[True, 2]], [{}], [[[1, 2]]], ["C1"], [["C1", 5]],
    [0] * 1_000_000, [[1, 2]] * 100_000, ["x" * 5_000_000], "1 " * 2_500_000, [["A1"] * 100_000],
]  # fmt: skip


@every
def test_what_is_no_answer_is_wrong_with_its_reason(family: tuple[str, dict[str, Any]]) -> None:
    task, items = sample(family, 2)
    puzzle, key = items[0]
    for answer in GARBAGE:
        verdict = task.judge(puzzle, key, answer)
        broken = task.violations(puzzle, answer)
        assert not verdict.correct
        assert verdict.numbers["constraints"] < 1
        assert broken
        assert all(len(rule) < 200 for rule in broken)
        task.render(puzzle, answer, key)


@every
def test_replies_of_any_size_without_an_answer_are_unparsed(family: tuple[str, dict[str, Any]]) -> None:
    task, items = sample(family, 2)
    puzzle, _ = items[0]
    for reply in ("", "I do not know.", "```answer\nNaN 1e400\n```", "x" * 1_000_000, "7 " * 400_000 + "x",
                  "[" * 100_000, "```answer\n" + "12 " * 2_000 + "\n```"):  # fmt: skip
        assert isinstance(task.parse(reply, puzzle), Unparsed), reply[:40]


# Splits, seeds, dials


def identities(task: Any, split: str, seed: int, n: int) -> Iterator[str]:
    """Yield what tells puzzles apart, whatever the dial steps: all of a payload but what steps decide."""
    for puzzle, _ in task.load(split=split, seed=seed, limit=n, data_dir=None):
        yield json.dumps(dict(puzzle.payload))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "river-crossing"])
def test_splits_and_neighbouring_seeds_share_no_puzzle(name: str) -> None:
    check_splits(task_of(name), 40)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name != "river-crossing"])
def test_a_hundred_thousand_items_share_none_across_splits(name: str) -> None:
    check_splits(task_of(name), 25_000)


def check_splits(task: Any, n: int) -> None:
    shown = [
        set(identities(task, split, seed, n))
        for split, seed in [("test", 0), ("train", 0), ("validation", 0), ("test", 1)]
    ]
    for i, one in enumerate(shown):
        assert len(one) > n // 2
        for other in shown[:i]:
            assert not one & other


def test_the_river_has_each_of_its_puzzles_in_one_place() -> None:
    found: list[str] = []
    for crossings in (5, 8):
        for split in ("test", "train", "validation"):
            for parity in (0, 1):
                found += [known[0] for known in river_crossing.held(split, parity, crossings, crossings)]
    assert len(found) == len(set(found)) == sum(len(river_crossing.puzzles(k)) for k in (5, 8))
    task = task_of("river-crossing")
    items = task.load(split="test", seed=0, limit=None, data_dir=None)
    assert len(items) == len(river_crossing.held("test", 0, 5, 5))
    assert len({json.dumps(dict(puzzle.payload)) for puzzle, _ in items}) == len(items)
    with pytest.raises(UserError, match=rf"holds {len(items)}\b"):
        task.load(split="test", seed=0, limit=len(items) + 1, data_dir=None)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("hanoi", {"disks": 3, "steps": 7, "train_steps": 7}),
        ("word-problem", {"group": "s3", "steps": 4, "train_steps": 4}),
        ("prefix-sums", {"steps": 8}),
        ("automaton", {"width": 8}),
    ],
)
def test_a_space_too_small_for_what_is_asked_is_refused_with_what_it_holds(
    name: str, options: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=r"1,000 items .* leave about \d.*There are [\d,]+ puzzles in all"):
        task_of(name, **options).load(split="test", seed=0, limit=None, data_dir=None)


@every
def test_a_renamed_puzzle_is_the_same_puzzle(family: tuple[str, dict[str, Any]]) -> None:
    rng = generator("renamed")
    if family[0] == "hanoi":
        for puzzle, _ in sample(family, 10)[1]:
            names = dict(zip((1, 2, 3), (rng.permutation(3) + 1).tolist(), strict=True))
            states = [tuple(puzzle.payload[which]) for which in ("start", "goal")]
            moved = [tuple(names[peg] for peg in state) for state in states]
            assert hanoi.renamed(*states) == hanoi.renamed(*moved)
            assert hanoi.renamed(*states) != hanoi.renamed(*reversed(states))
    elif family[0] == "blocks-world":
        for puzzle, _ in sample(family, 10)[1]:
            n = len(puzzle.payload["start"])
            numbers = [0, *(rng.permutation(n) + 1).tolist()]
            states = [tuple(puzzle.payload[which]) for which in ("start", "goal")]
            moved = [blocks_world._renumbered(state, numbers) for state in states]
            assert blocks_world.invariant(*states) == blocks_world.invariant(*moved)  # type: ignore[arg-type]
    elif family[0] == "game-of-life":
        table = game_of_life.copies(8)
        assert len({bytes(row.astype(np.uint8)) for row in table}) == 512
        for puzzle, _ in sample(family, 5)[1]:
            board = np.array(puzzle.payload["rows"])
            moved = board.ravel()[table[int(rng.integers(512))]]
            least = [
                min(bytes(copied.astype(np.uint8)) for copied in b[table]) for b in (board.ravel(), moved)
            ]
            assert least[0] == least[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_new_option_changes_no_existing_puzzle(name: str) -> None:
    task = task_of(name)
    fields = [("added", int, dataclasses.field(default=3))]
    later = dataclasses.make_dataclass("Later", fields, bases=(type(task),), frozen=True, kw_only=True)
    for split in task.splits:
        loaded = [t.load(split=split, seed=2, limit=5, data_dir=None) for t in (task, later())]
        assert loaded[0] == loaded[1]


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("word-problem", {"group": "a5"}, "'a5'.*s3, s5, z60"),
        ("word-problem", {"steps": 1}, "2 to 180"),
        ("word-problem", {"group": "z60", "train_steps": 901}, "2 to 900"),
        ("prefix-sums", {"modulus": 1}, "2 to 250"),
        ("prefix-sums", {"steps": 901}, "8 to 900"),
        ("sorting", {"steps": 24}, "1 to 23"),
        ("sorting", {"length": 251}, "4 to 250"),
        ("automaton", {"rule": 54}, "110, 90 and 30"),
        ("automaton", {"width": 7}, "8 to 80"),
        ("automaton", {"steps": 872}, "1 to 871"),
        ("game-of-life", {"size": 25}, "6 to 24"),
        ("game-of-life", {"alive": float("nan")}, "nan"),
        ("game-of-life", {"alive": 0.95}, r"0\.1 to 0\.9"),
        ("game-of-life", {"steps": 17}, "1 to 16"),
        ("iterated-map", {"modulus": 251}, "11 to 250"),
        ("iterated-map", {"steps": 0}, "1 to 77"),
        ("fixed-point", {"method": "bisection"}, "'bisection'.*descent, newton"),
        ("fixed-point", {"steps": 17}, "1 to 16"),
        ("hanoi", {"disks": 3, "steps": 8, "train_steps": 7}, "1 to 7"),
        ("hanoi", {"disks": 13}, "2 to 12"),
        ("hanoi-state", {"steps": 256}, "1 to 255"),
        ("blocks-world", {"blocks": 13}, "4 to 12"),
        ("blocks-world", {"steps": 10}, "1 to 9"),
        ("river-crossing", {"steps": 14}, "1 to 13"),
    ],
)
def test_a_dial_out_of_range_says_its_range(name: str, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        task_of(name, **options)


# What is shown


@every
def test_a_drawing_fits_80_columns(family: tuple[str, dict[str, Any]]) -> None:
    task, items = sample(family, 5)
    for puzzle, key in items:
        for shown in (task.render(puzzle), *(task.render(puzzle, m(task, puzzle), key) for m in METHODS)):
            console = Console(width=200, record=True, file=io.StringIO())
            console.print(shown)
            assert max(map(len, console.export_text().splitlines())) <= 80


METHODS: list[Callable[[Any, Any], Any]] = [
    lambda task, puzzle: methods_of(task)["search"](puzzle, generator("draw")),
    lambda task, puzzle: methods_of(task)["greedy"](puzzle, generator("draw")),
    lambda task, puzzle: methods_of(task)["random"](puzzle, generator("draw")),
]


@every
def test_a_prompt_holds_no_solution(family: tuple[str, dict[str, Any]]) -> None:
    task, items = sample(family, 5)
    for puzzle, key in items:
        parsed = task.parse(task.prompt(puzzle), puzzle)
        assert isinstance(parsed, Unparsed) or not task.judge(puzzle, key, parsed).correct


@every
def test_tokens_fit_a_canvas_of_900_and_300_symbols_and_give_the_answer_back(
    family: tuple[str, dict[str, Any]],
) -> None:
    task, items = sample(family, 10)
    grid = task.grid
    assert grid.length <= 900
    assert grid.vocab_size <= 300
    for puzzle, key in items:
        label = grid.encode_answer(puzzle, key.answers[0])
        assert (label >= 0).any()
        assert grid.decode(np.where(label < 0, 0, label), puzzle) == key.answers[0]
        noise = generator("noise", puzzle.id).integers(0, grid.vocab_size, grid.length)
        assert isinstance(task.judge(puzzle, key, grid.decode(noise, puzzle)).correct, bool)


@pytest.mark.parametrize(
    ("name", "options"),
    [("word-problem", {"steps": 180}), ("word-problem", {"group": "z60", "steps": 900}),
     ("prefix-sums", {"modulus": 250, "steps": 900}), ("sorting", {"length": 250}),
     ("automaton", {"width": 80, "steps": 820}), ("game-of-life", {"size": 24, "steps": 48}),
     ("iterated-map", {"modulus": 250, "steps": 200}), ("fixed-point", {"method": "descent", "steps": 128}),
     ("hanoi", {"disks": 12, "steps": 255}), ("hanoi-state", {"disks": 12, "steps": 255}),
     ("blocks-world", {"blocks": 12, "steps": 13}), ("river-crossing", {"steps": 13})],
)  # fmt: skip
def test_the_largest_dials_fit_the_canvas_too(name: str, options: dict[str, Any]) -> None:
    grid = task_of(name, **options).grid
    assert grid.length <= 900
    assert grid.vocab_size <= 300


@pytest.mark.parametrize("name", NAMES)
def test_more_steps_make_the_canvas_longer_and_move_nothing_on_it(name: str) -> None:
    task = task_of(name)
    short, long = (
        dataclasses.replace(task, steps=task.train_steps + more, train_steps=task.train_steps).grid
        for more in (0, 1)
    )
    puzzle, key = task.load(split="train", seed=0, limit=1, data_dir=None)[0]
    for make in (lambda g: g.encode(puzzle), lambda g: g.encode_answer(puzzle, key.answers[0])):
        assert (make(short) == make(long)[: short.length]).all()
    assert short.vocab_size == long.vocab_size
