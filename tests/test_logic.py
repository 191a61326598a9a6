"""Logic puzzles: verifiers, searches and codecs against brute force that knows nothing of them."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from harness import registry
from harness.contracts import Answer, Item, Puzzle, Unparsed
from harness.errors import UserError
from harness.randomness import generator
from tasks.logic.colouring import ColouringGrid, GraphColouring
from tasks.logic.futoshiki import Futoshiki
from tasks.logic.futoshiki_grid import canonical, symmetry_group
from tasks.logic.knights import KnightsKnaves
from tasks.logic.queens import NQueens
from tasks.logic.zebra import Zebra

Payload = dict[str, Any]


def load(task: Any, count: int, split: str = "test", seed: int = 0) -> list[Item]:
    return task.load(split=split, seed=seed, limit=count, data_dir=None)  # type: ignore[no-any-return]


# --- brute force: every well-formed answer of a small puzzle, and a judge of its own for any size ---


@cache
def squares(n: int) -> list[Answer]:
    orders = list(itertools.permutations(range(1, n + 1)))
    return [
        [list(row) for row in rows]
        for rows in itertools.product(orders, repeat=n)
        if all(len(set(column)) == n for column in zip(*rows, strict=True))
    ]


def latin(payload: Payload) -> Iterator[Answer]:
    yield from squares(len(payload["grid"]))


def futoshiki_right(payload: Payload, answer: Answer) -> bool:
    n = len(payload["grid"])
    cells = {(r, c): answer[r][c] for r in range(n) for c in range(n)}
    everything = set(range(1, n + 1))
    lines = [{(i, j) for j in range(n)} for i in range(n)] + [{(j, i) for j in range(n)} for i in range(n)]
    return (
        all({cells[cell] for cell in line} == everything for line in lines)
        and all(payload["grid"][r][c] in (0, digit) for (r, c), digit in cells.items())
        and all(cells[r, c] < cells[s, d] for r, c, s, d in payload["less"])
    )


def boards(payload: Payload) -> Iterator[Answer]:
    rows = payload["rows"]
    for columns in itertools.product(range(len(rows)), repeat=len(rows)):
        placed = []
        for row, c in zip(rows, columns, strict=True):
            if "Q" in row:
                if row[c] != "Q":
                    break
                placed.append(row)
            elif row[c] == "#":
                break
            else:
                placed.append(row[:c] + "Q" + row[c + 1 :])
        else:
            yield placed


def queens_right(payload: Payload, answer: Answer) -> bool:
    squares = [
        (r, c, was, now)
        for r, (before, after) in enumerate(zip(payload["rows"], answer, strict=True))
        for c, (was, now) in enumerate(zip(before, after, strict=True))
    ]
    queens = [(r, c) for r, c, _, now in squares if now == "Q"]
    return (
        all(was == now or (was, now) == (".", "Q") for _, _, was, now in squares)
        and len(queens) == len(answer)
        and all(
            r != s and c != d and abs(r - s) != abs(c - d)
            for (r, c), (s, d) in itertools.combinations(queens, 2)
        )
    )


def colourings(payload: Payload) -> Iterator[Answer]:
    for colours in itertools.product(range(1, payload["colours"] + 1), repeat=payload["vertices"]):
        yield list(colours)


def colouring_right(payload: Payload, answer: Answer) -> bool:
    return not any(answer[a - 1] == answer[b - 1] for a, b in payload["edges"])


def arrangements(payload: Payload) -> Iterator[Answer]:
    orders = [list(itertools.permutations(values)) for values in payload["attributes"].values()]
    for rows in itertools.product(*orders):
        yield [list(row) for row in rows]


def zebra_right(payload: Payload, answer: Answer) -> bool:
    values = list(payload["attributes"].values())
    if any(sorted(row) != sorted(known) for row, known in zip(answer, values, strict=True)):
        return False

    def house(attribute: int, value: int) -> int:
        return int(answer[attribute].index(values[attribute][value]))

    def holds(kind: str, attribute: int, value: int, *rest: int) -> bool:
        a = house(attribute, value)
        b = rest[0] if len(rest) == 1 else house(*rest)
        return {
            "at": a == b, "not_at": a != b, "same": a == b, "apart": a != b, "left": b - a == 1,
            "next": abs(a - b) == 1, "before": a < b,
        }[kind]  # fmt: skip

    return all(holds(*clue) for clue in payload["clues"])


def kinds(payload: Payload) -> Iterator[Answer]:
    for answer in itertools.product(("knight", "knave"), repeat=len(payload["people"])):
        yield list(answer)


def knights_right(payload: Payload, answer: Answer) -> bool:
    knights = answer.count("knight")

    def true(statement: Any) -> bool:
        head, *rest = statement
        if head == "is":
            return bool(answer[rest[0]] == rest[1])
        if head in ("exactly", "at least", "at most"):
            low = rest[0] if head != "at most" else 0
            high = rest[0] if head != "at least" else len(answer)
            return low <= knights <= high
        parts = [true(part) for part in rest]
        return {
            "not": not parts[0], "and": all(parts), "or": any(parts), "if": parts[-1] or not parts[0],
            "same": len(set(parts)) == 1,
        }[head]  # fmt: skip

    return all(
        true(said) == (kind == "knight") for said, kind in zip(payload["statements"], answer, strict=True)
    )


@dataclass(frozen=True)
class Family:
    small: Any  # a task whose answers can be listed
    every: Callable[[Payload], Iterator[Answer]]
    right: Callable[[Payload, Answer], bool]
    usual: Any  # a task of the default size
    unique: bool = True


FAMILIES = {
    "futoshiki": Family(Futoshiki(size=4), latin, futoshiki_right, Futoshiki()),
    "n-queens": Family(NQueens(size=5, given=1, closed=4), boards, queens_right, NQueens(), unique=False),
    "graph-colouring": Family(
        GraphColouring(vertices=8, edges=12), colourings, colouring_right, GraphColouring(), unique=False
    ),
    "zebra": Family(Zebra(houses=3, attributes=3), arrangements, zebra_right, Zebra()),
    "knights-knaves": Family(KnightsKnaves(people=4), kinds, knights_right, KnightsKnaves()),
}
each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


@each_family
def test_the_verifier_accepts_just_what_brute_force_finds_and_search_finds_one(family: Family) -> None:
    for puzzle, key in load(family.small, 6):
        solutions = []
        for answer in family.every(dict(puzzle.payload)):
            right = family.right(dict(puzzle.payload), answer)
            verdict = family.small.judge(puzzle, key, answer)
            assert verdict.correct == right == (verdict.numbers["constraints"] == 1.0)
            assert verdict.numbers["feasible"] == right == (family.small.violations(puzzle, answer) == [])
            solutions += [answer] * right
        assert family.small.search(puzzle) in solutions
        assert key.answers[0] in solutions
        assert (len(solutions) == 1) or not family.unique
        if not family.unique:
            assert key.answers[0] == min(solutions, key=_order)


def _order(answer: Answer) -> Any:
    return [row.index("Q") for row in answer] if isinstance(answer[0], str) else answer


def mutated(answer: Answer, rng: np.random.Generator) -> Answer:
    """Change one or two entries of an answer to what stands elsewhere in it, or exchange them."""
    board = isinstance(answer[0], str) and set(answer[0]) <= set(".#Q")
    rows = [list(row) for row in answer] if board or isinstance(answer[0], list) else [list(answer)]
    for _ in range(int(rng.integers(1, 3))):
        line = rows[int(rng.integers(len(rows)))]
        i, j = rng.integers(len(line), size=2)
        if rng.random() < 0.5:
            line[i] = line[j]
        else:
            line[i], line[j] = line[j], line[i]
    if board:
        return ["".join(row) for row in rows]
    return rows if isinstance(answer[0], list) else rows[0]


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.slow)])
@each_family
def test_mutated_answers_are_judged_as_by_an_independent_checker_and_the_rule_is_named(
    family: Family, count: int
) -> None:
    items = load(family.usual, 50)
    broken = 0
    for turn in itertools.count():
        puzzle, key = items[turn % len(items)]
        answer = mutated(key.answers[0], generator("mutated", family.usual.name, turn))
        right = family.right(dict(puzzle.payload), answer)
        verdict, reasons = family.usual.judge(puzzle, key, answer), family.usual.violations(puzzle, answer)
        assert verdict.correct == right == (not reasons) == (verdict.numbers["constraints"] == 1.0)
        assert all(reasons)
        broken += not right
        if broken == count:
            break


WRONG_FORM = (
    None, 3, "x", [], [[]], {}, [None], [["a"] * 5] * 5, [[1.5] * 5] * 5, [[0] * 5] * 5, [[True] * 5] * 5,
    [[10**400] * 5] * 5, [[float("nan")] * 5] * 5, [[float("inf")] * 5] * 5, [1, 2, 3], [[1] * 6] * 5,
    ["Q" * 8] * 7, ["Q" * 9] * 8, ["Q......x"] * 8, [1e400] * 12, [0] * 12, [4] * 12, ["knight"] * 4,
    ["Knight"] * 5, ["knight"] * 6, [["Ada"] * 4] * 3, [["Ada"] * 4] * 4, [["Ada", "Bela", "Chike", 4]] * 4,
    "9" * 5_000_000, [1] * 2_500_000, [["x" * 1000] * 1000], [["x"] * 1_000_000] * 5,
)  # fmt: skip


@each_family
def test_an_answer_of_the_wrong_form_is_wrong_and_the_reason_is_short(family: Family) -> None:
    puzzle, key = load(family.usual, 1)[0]
    for answer in WRONG_FORM:
        verdict = family.usual.judge(puzzle, key, answer)
        reasons = family.usual.violations(puzzle, answer)
        assert not verdict.correct
        assert verdict.numbers["feasible"] == 0
        assert reasons
        assert all(len(reason) < 300 for reason in reasons)
        Console(width=80, file=io.StringIO()).print(family.usual.render(puzzle, answer, key))


@each_family
def test_whole_floats_are_whole_numbers(family: Family) -> None:
    puzzle, key = load(family.usual, 1)[0]
    answer = json.loads(json.dumps(key.answers[0]), parse_int=float)
    assert family.usual.judge(puzzle, key, answer).correct


@each_family
def test_drawings_fit_a_terminal_of_80_columns(family: Family) -> None:
    for puzzle, key in load(family.usual, 3):
        for shown in (
            family.usual.render(puzzle),
            family.usual.render(puzzle, key.answers[0], key),
            family.usual.render(puzzle, mutated(key.answers[0], generator("draw")), key),
        ):
            console = Console(width=200, record=True, file=io.StringIO())
            console.print(shown)
            assert max(len(line.rstrip()) for line in console.export_text().split("\n")) <= 80


@each_family
def test_the_prompt_holds_no_solution(family: Family) -> None:
    for puzzle, key in load(family.usual, 20):
        assert family.usual.parse(family.usual.prompt(puzzle), puzzle) != key.answers[0]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("futoshiki", {"size": 3}),
        ("futoshiki", {"size": 10}),
        ("futoshiki", {"difficulty": "brutal"}),
        ("n-queens", {"size": 13}),
        ("n-queens", {"size": 6, "given": 6}),
        ("n-queens", {"size": 6, "closed": 31}),
        ("graph-colouring", {"vertices": 31}),
        ("graph-colouring", {"edges": 0}),
        ("graph-colouring", {"vertices": 4, "edges": 6}),
        ("graph-colouring", {"colours": 1}),
        ("zebra", {"houses": 1}),
        ("zebra", {"attributes": 7}),
        ("zebra", {"spare": -1}),
        ("knights-knaves", {"people": 1}),
        ("knights-knaves", {"people": 13}),
    ],
)
def test_dials_out_of_range_are_the_users_mistake(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=str(list(options.values())[-1])):
        registry.create("task", name, options)


# --- Futoshiki ---


@pytest.mark.parametrize("difficulty", ["medium", "hard"])
def test_no_digit_and_no_inequality_of_a_futoshiki_can_be_spared(difficulty: Any) -> None:
    squares = list(latin({"grid": [[0] * 4] * 4}))
    for puzzle, _ in load(Futoshiki(size=4, difficulty=difficulty), 8):
        grid, less = puzzle.payload["grid"], puzzle.payload["less"]
        fewer = [{"grid": grid, "less": less[:i] + less[i + 1 :]} for i in range(len(less))]
        for r, c in zip(*np.nonzero(grid), strict=True):
            other = json.loads(json.dumps(grid))
            other[r][c] = 0
            fewer.append({"grid": other, "less": less})
        if difficulty == "medium":  # elimination alone would no longer do, though one solution may be left
            assert puzzle.difficulty == 0
            continue
        for payload in fewer:
            assert sum(futoshiki_right(payload, square) for square in squares) > 1


@pytest.mark.parametrize("size", range(4, 10))
def test_easy_futoshiki_shows_half_of_its_cells_and_needs_no_guess(size: int) -> None:
    for puzzle, _ in load(Futoshiki(size=size, difficulty="easy"), 3):
        assert np.count_nonzero(puzzle.payload["grid"]) == size * size // 2
        assert puzzle.difficulty == 0


def test_every_symmetry_of_futoshiki_keeps_a_solved_puzzle_solved_and_its_identity() -> None:
    n = 5
    task, group = Futoshiki(size=n), symmetry_group(n)
    assert len(group) == 16
    for puzzle, key in load(task, 4):
        tokens, label = task.grid.encode(puzzle), task.grid.encode_answer(puzzle, key.answers[0])
        identities = set()
        for copy, solved in zip(
            group.apply(np.tile(tokens, (16, 1))), group.apply(np.tile(label, (16, 1))), strict=True
        ):
            payload = board_of(copy, n)
            assert futoshiki_right(payload, task.grid.decode(np.where(solved < 0, 0, solved), puzzle))
            less = np.array(payload["less"]).reshape(-1, 2, 2) @ np.array([n, 1])
            identities.add(canonical(np.array(payload["grid"]).ravel(), less, n))
        assert len(identities) == 1


def board_of(tokens: Any, n: int) -> Payload:
    """Read a puzzle back from its tokens."""
    cells = tokens.reshape(2 * n - 1, 2 * n - 1)
    grid, less = [[0] * n for _ in range(n)], []
    for y, x in itertools.product(range(2 * n - 1), repeat=2):
        r, c, token = y // 2, x // 2, cells[y, x]
        if y % 2 == x % 2 == 0:
            grid[r][c] = max(0, int(token) - 6)
        elif token == 3:
            less.append([r, c, r, c + 1])
        elif token == 4:
            less.append([r, c + 1, r, c])
        elif token == 5:
            less.append([r, c, r + 1, c])
        elif token == 6:
            less.append([r + 1, c, r, c])
    return {"grid": grid, "less": less}


def test_a_futoshiki_is_shown_as_it_is_meant() -> None:
    payload = {"grid": [[1, 0], [0, 0]], "less": [[0, 0, 0, 1], [1, 1, 0, 1], [0, 0, 1, 0]]}
    task = Futoshiki(size=4)
    prompt = task.prompt(Puzzle(id="p", group="p", split="test", payload=payload))
    assert "1 < .\n^   v\n.   ." in prompt


# --- n-queens and graph colouring: labels are canonical in every copy ---


def test_every_variant_of_a_board_has_the_smallest_completion_as_its_label() -> None:
    task = NQueens(size=5, given=1, closed=5)
    for puzzle, key in load(task, 4):
        variants = task.grid.variants(puzzle, key)
        assert len(variants) == 8
        for tokens, label in variants:
            rows = task.grid.decode(tokens, puzzle)
            solutions = [board for board in boards({"rows": rows}) if queens_right({"rows": rows}, board)]
            assert task.grid.decode(label, puzzle) == min(solutions, key=_order)


def test_every_variant_of_a_graph_has_the_smallest_colouring_as_its_label() -> None:
    task = GraphColouring(vertices=6, edges=8)
    assert isinstance(task.grid, ColouringGrid)
    for puzzle, key in load(task, 4):
        for tokens, label in task.grid.variants(puzzle, key):
            matrix = tokens.reshape(6, 6)
            edges = [[int(a) + 1, int(b) + 1] for a, b in np.argwhere(matrix == 2) if a < b]
            assert (matrix == matrix.T).all()
            assert len(edges) == 8
            payload = {"vertices": 6, "colours": 3, "edges": edges}
            best = next(c for c in colourings(payload) if colouring_right(payload, c))
            assert task.grid.decode(np.where(label < 0, 0, label), puzzle) == best


def test_blocked_squares_do_not_shield_and_given_queens_stay() -> None:
    task = NQueens(size=4)
    rows = [".Q..", "....", "....", "...."]
    puzzle = Puzzle(id="p", group="p", split="test", payload={"rows": rows})
    assert task.search(puzzle) == [".Q..", "...Q", "Q...", "..Q."]
    moved = [".Q..", "...Q", "Q...", ".Q.."]
    assert any("column 2 holds 2 queens" in reason for reason in task.violations(puzzle, moved))
    lost = ["Q...", "...Q", "....", "..Q."]
    assert any("row 1, column 2 was 'Q'" in reason for reason in task.violations(puzzle, lost))


# --- zebra and knights: symmetries and minimality ---


def test_no_clue_of_a_zebra_puzzle_can_be_spared() -> None:
    for puzzle, _ in load(Zebra(houses=3, attributes=3), 6):
        clues = puzzle.payload["clues"]
        for i in range(len(clues)):
            payload = {**puzzle.payload, "clues": clues[:i] + clues[i + 1 :]}
            assert sum(zebra_right(payload, answer) for answer in arrangements(payload)) > 1


@pytest.mark.parametrize("task", [Zebra(houses=3, attributes=4), Zebra(), KnightsKnaves()], ids=str)
def test_a_symmetry_of_the_tokens_keeps_a_solved_puzzle_solved(task: Any) -> None:
    for puzzle, key in load(task, 6):
        rng = generator("symmetries", task.name, puzzle.id)
        symmetries = task.grid.symmetries(rng, 16)
        tokens = np.tile(task.grid.encode(puzzle), (16, 1))
        label = np.tile(task.grid.encode_answer(puzzle, key.answers[0]), (16, 1))
        for copy, solved in zip(symmetries.apply(tokens), symmetries.apply(label), strict=True):
            answer = task.grid.decode(np.where(solved < 0, 0, solved), puzzle)
            if isinstance(task, Zebra):
                payload = {**puzzle.payload, "clues": clues_of(copy, task)}
                assert zebra_right(payload, answer)
            else:
                payload = {**puzzle.payload, "statements": statements_of(copy, task)}
                assert knights_right(payload, answer)


def clues_of(tokens: Any, task: Zebra) -> list[Any]:
    """Read the clues back from their tokens; mirrored kinds turned round."""
    n, m = task.houses, task.attributes
    kinds = ("at", "not_at", "same", "apart", "left", "next", "before", "right", "after")
    clues = []
    for row in tokens.reshape(task.grid.height, task.grid.width)[m:]:
        if row[0] == 2:
            continue
        kind, one = kinds[row[0] - 3], divmod(int(row[1]) - 12 - n, n)
        if row[2] < 12 + n:
            clues.append([kind, *one, int(row[2]) - 12])
            continue
        other = divmod(int(row[2]) - 12 - n, n)
        if kind in ("right", "after"):
            kind, one, other = {"right": "left", "after": "before"}[kind], other, one
        clues.append([kind, *one, *other])
    return clues


def statements_of(tokens: Any, task: KnightsKnaves) -> list[Any]:
    """Read the statements back from their tokens."""
    n = task.people
    words = ("not", "and", "or", "if", "same", "exactly", "at least", "at most")

    def read(row: list[int]) -> Any:
        token = row.pop(0)
        if token >= 13 + n + 1:
            return ["is", (token - 14 - n) // 2, ("knight", "knave")[(token - 14 - n) % 2]]
        head = words[token - 5]
        if head in ("exactly", "at least", "at most"):
            return [head, row.pop(0) - 13]
        return [head, *(read(row) for _ in range(1 if head == "not" else 2))]

    return [read(row[1:].tolist()) for row in tokens.reshape(n, -1)]


# --- splits ---


@each_family
def test_neighbouring_seeds_and_splits_share_no_puzzle(family: Family) -> None:
    seen: dict[str, str] = {}
    for split in ("test", "train", "validation"):
        for seed in (0, 1):
            for puzzle, _ in load(family.small, 30, split, seed):
                text = json.dumps(dict(puzzle.payload), sort_keys=True)
                assert seen.setdefault(text, f"{split} {seed}") == f"{split} {seed}"


@pytest.mark.slow
@each_family
def test_no_puzzle_of_100_000_stands_in_two_splits_or_under_neighbouring_seeds(family: Family) -> None:
    seen: dict[str, str] = {}
    for split, seed in itertools.product(("test", "train", "validation"), (0, 1)):
        for puzzle, _ in load(family.small, 100_000 // 6, split, seed):
            text = json.dumps(dict(puzzle.payload), sort_keys=True)
            assert seen.setdefault(text, f"{split} {seed}") == f"{split} {seed}"


@pytest.mark.slow
@each_family
def test_search_is_right_on_the_whole_test_split(family: Family) -> None:
    items = load(family.usual, 1000)
    assert all(family.usual.judge(puzzle, key, family.usual.search(puzzle)).correct for puzzle, key in items)


@pytest.mark.parametrize("size", [4, 5, 6, 7, 8, 9])
def test_search_solves_futoshiki_of_every_size(size: int) -> None:
    task = Futoshiki(size=size)
    for puzzle, key in load(task, 2):
        assert task.search(puzzle) == key.answers[0]


# --- replies ---

SPELT = (
    "```answer\nAda: knave\nBela: knight\n```",
    "So I conclude:\n\nAda: knave\nBela: knight\n\nThat is all.",
    "**Ada**: Knave\n**Bela**: Knight",
    "- Ada: knave\n- Bela: knight",
    "| Ada | knave |\n|---|---|\n| Bela | knight |",
    '{"Ada": "knave", "Bela": "knight"}',
    '```answer\n["knave", "knight"]\n```',
    "First guess:\nAda: knight\nBela: knight\n\nBut that fails, so:\nAda: knave\nBela: knight",
)


@pytest.mark.parametrize("reply", SPELT)
def test_who_is_what_is_read_however_it_is_laid_out(reply: str) -> None:
    puzzle = load(KnightsKnaves(people=2), 1)[0][0]
    assert KnightsKnaves(people=2).parse(reply, puzzle) == ["knave", "knight"]


@pytest.mark.parametrize(
    "reply",
    [
        "Ada: knave",
        "Ada: knave\nBela: neither",
        "Bela: knight\nAda: knave",
        "Ada: knave\nBela: knight knave",
        "Ada is a knave, Bela a knight",
        '{"Ada": "knave"}',
        '["knave"]',
        "<think>Ada: knave\nBela: knight</think>",
    ],
)
def test_what_does_not_say_who_is_what_is_unparsed(reply: str) -> None:
    puzzle = load(KnightsKnaves(people=2), 1)[0][0]
    assert isinstance(KnightsKnaves(people=2).parse(reply, puzzle), Unparsed)


@pytest.mark.parametrize(
    "layout",
    ["{}: {}", "* **{}:** {}", "| {} | {} |", "{} = {}"],
)
def test_a_table_of_houses_is_read_however_it_is_laid_out(layout: str) -> None:
    task = Zebra()
    puzzle, key = load(task, 1)[0]
    for separator in (" ", ", ", " | "):
        lines = [
            layout.format(name, separator.join(row))
            for name, row in zip(puzzle.payload["attributes"], key.answers[0], strict=True)
        ]
        text = "\n".join(lines)
        assert task.parse(f"```answer\n{text}\n```", puzzle) == key.answers[0]
        assert task.parse(f"I found it.\n\n{text}\n\nDone.", puzzle) == key.answers[0]
        assert isinstance(task.parse("\n".join(lines[:-1]), puzzle), Unparsed)


# --- puzzles of your own ---


@each_family
def test_exported_puzzles_come_back_and_are_solved_without_their_answers(
    family: Family, tmp_path: Path
) -> None:
    items = load(family.usual, 3)
    file = tmp_path / "puzzles.jsonl"
    file.write_text("\n".join(json.dumps({"payload": dict(puzzle.payload)}) for puzzle, _ in items))
    own = load(replace(family.usual, file=file), 3)
    assert [dict(puzzle.payload) for puzzle, _ in own] == [dict(puzzle.payload) for puzzle, _ in items]
    assert all(family.right(dict(puzzle.payload), key.answers[0]) for puzzle, key in own)


ABCD = {name: ["w", "x", "y", "z"] for name in "abcd"}
BAD_PAYLOADS = {
    "futoshiki": [
        {"grid": [[9] * 5] * 5, "less": []}, {"grid": [[0] * 3] * 3, "less": []}, {"grid": [[0] * 5] * 5},
        {"grid": [[0] * 5] * 5, "less": [[0, 0, 9, 9]]}, {"grid": [[-7] * 5] * 5, "less": []},
        {"grid": [[1, 1, 0, 0, 0]] + [[0] * 5] * 4, "less": []},
        {"grid": [[0] * 5] * 5, "less": [[0, 0, 2, 0]]}, {"grid": [[0] * 5] * 4, "less": []},
    ],
    "n-queens": [{"rows": ["." * 13] * 13}, {"rows": ["." * 9] * 8},
        {"rows": ["#" * 8] * 8}, {"rows": [1]}, {"rows": ["QQ......"] * 8}],
    "graph-colouring": [
        {"vertices": 12, "colours": 3, "edges": [[1, 99]]}, {"vertices": 31, "colours": 3, "edges": [[1, 2]]},
        {"vertices": 12, "colours": 70, "edges": [[1, 2]]}, {"vertices": 12, "colours": 3, "edges": [[0, 1]]},
        {"vertices": 12, "colours": 3, "edges": [[a, b] for a in range(1, 5) for b in range(a + 1, 5)]},
    ],
    "zebra": [
        {"houses": 4, "attributes": {}, "clues": []},
        {"houses": 4, "attributes": {"a": ["b"] * 4}, "clues": [["at", 7, 7, 7]]},
        {"houses": 4, "attributes": ABCD, "clues": [["near", 0, 0, 1]]},
        {"houses": 4, "attributes": ABCD, "clues": [["at", 0, 0, 9]]},
    ],
    "knights-knaves": [
        {"people": ["A"] * 5, "statements": []},
        {"people": ["A", "B"], "statements": [["is", 0, "knave"]] * 2},
        {"people": list("ABCDE"), "statements": [["is", i, "knave"] for i in range(5)]},
        {"people": list("ABCDE"), "statements": [["is", 9, "knave"]] * 5},
        {"people": list("ABCDE"), "statements": [["perhaps", 1]] * 5},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "payload"), [(name, payload) for name, all_ in BAD_PAYLOADS.items() for payload in all_], ids=str
)
def test_a_file_with_what_is_no_puzzle_is_refused_with_its_line(
    name: str, payload: Payload, tmp_path: Path
) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(json.dumps({"payload": payload}))
    with pytest.raises(UserError, match=r"bad.jsonl, line 1"):
        load(replace(FAMILIES[name].usual, file=file), 1)
