"""What the questions of reasoning-gym look like, and which puzzle of which task of ours each is.

A reader takes a question apart and returns our payload with the reference answer, as far as one can be told:
where the source gives none, or one of many, the task's exact search supplies one. Where the source asks for
another form of answer than we do, `as_ours` writes a reply's answer in our form, changing nothing else.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.contracts import Answer, Unparsed
from tasks.shared.forms import json_value
from tasks.shared.reasoning_gym_logic import knights, knights_as_ours, zebra
from tasks.shared.text_answers import parse_reply

Payload = dict[str, Any]
Read = tuple[Payload, tuple[Answer, ...]]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """How one of the source's data sets maps onto a task of ours.

    read: (question, expected answer) -> payload, answers as far as they can be told; raises ValueError or
    LookupError for a question of another form. as_ours: (reply, payload, question) -> its answer as our task
    asks for it, None if it has none in the source's form.
    """

    task: str
    read: Callable[[str, str], Read]
    as_ours: Callable[[str, Payload, str], str | None] | None = None


def _grid(text: str, size: int) -> list[list[int]]:
    cells = [0 if c == "_" else int(c) for c in re.findall(r"[_\d]", text)]
    if len(cells) != size * size:
        raise ValueError(f"{len(cells)} cells, not {size * size}")
    return [cells[i : i + size] for i in range(0, len(cells), size)]


def _sudoku(size: int) -> Callable[[str, str], Read]:
    board = re.compile(rf"^(?:[_\d](?: [_\d]){{{size - 1}}}\s*$\s*){{{size}}}", re.MULTILINE)

    def read(question: str, expected: str) -> Read:
        found = board.search(question)
        if found is None:
            raise ValueError("it shows no board")
        return {"grid": _grid(found[0], size)}, (_grid(expected, size),)

    return read


def _futoshiki(question: str, expected: str) -> Read:
    """Read digits four columns apart with < and > between, and lines of ∧ (the upper is less) and ∨."""
    lines = question.partition("puzzle:\n\n")[2].partition("\n\nEnsure")[0].split("\n")
    size = (len(lines) + 1) // 2
    less = []
    for y, line in enumerate(lines):
        for x, sign in enumerate(line):
            if sign in "<>∧∨":
                one, other = [y // 2, x // 4], [y // 2 + y % 2, x // 4 + (1 - y % 2)]
                less.append([*one, *other] if sign in "<∧" else [*other, *one])
    less.sort(key=lambda pair: (min(pair[:2], pair[2:]), max(pair[:2], pair[2:])))
    return {"grid": _grid("\n".join(lines[::2]), size), "less": less}, (_grid(expected, size),)


def _queens(question: str, expected: str) -> Read:
    """Read a board of _ and Q. The reference is one of many completions."""

    def board(text: str) -> list[str]:
        rows = re.findall(r"^[_Q](?: [_Q])+$", text, re.MULTILINE)
        return [row.replace(" ", "").replace("_", ".") for row in rows]

    return {"rows": board(question)}, (board(expected),)


def _queens_as_ours(text: str, *_: object) -> str:
    return text.replace("_", ".")


def _graph(question: str, expected: str) -> Read:  # noqa: ARG001 - the source has no reference
    """Read vertices counted from 0, pairs and colours counted from 1."""
    parts = [re.search(rf"{name}: (\[.*\])", question) for name in ("Vertices", "Edges", "Possible colors")]
    vertices, edges, colours = (ast.literal_eval(part[1]) for part in parts if part)
    if vertices != list(range(len(vertices))) or colours != list(range(1, len(colours) + 1)):
        raise ValueError("its vertices or colours are not counted up")
    pairs = sorted(sorted([a + 1, b + 1]) for a, b in edges)
    return {"vertices": len(vertices), "colours": len(colours), "edges": pairs}, ()


def _graph_as_ours(text: str, payload: Payload, _: str) -> str | None:
    """Write {"0": 1, …} as the colours in the order of the vertices."""
    names = [str(vertex) for vertex in range(payload["vertices"])]

    def shape(value: Any) -> Answer | None:
        if not isinstance(value, dict) or set(value) != set(names):
            return None
        colours = [
            int(c) if isinstance(c, str) and c.isascii() and c.isdigit() else c for c in value.values()
        ]
        fits = all(type(colour) is int and 1 <= colour <= payload["colours"] for colour in colours)
        return [dict(zip(value, colours, strict=True))[name] for name in names] if fits else None

    answer = parse_reply(text, json_value("JSON map of vertices to colours", shape))
    return None if isinstance(answer, Unparsed) else marked(" ".join(map(str, answer)))


def _life(question: str, expected: str) -> Read:
    """Read the last list of the question; the first is an example."""
    steps = re.search(r"after (\d+) steps? of simulation", question)
    board = question[question.rindex("[[") :]
    if steps is None:
        raise ValueError("it says no number of steps")
    rows = json.JSONDecoder().raw_decode(board)[0]  # a full stop follows
    return {"rows": rows, "steps": int(steps[1])}, (json.loads(expected),)


def _arc(question: str, expected: str) -> Read:
    """Read examples and a test input as rows of digits; in arc_1d a grid is a row on its title's line."""
    shown, _, test = question.partition("Below is a test input grid.")
    grids = [_digits(text) for text in re.split(r"(?:Input|Output): *", shown)[1:]]
    train = [{"input": one, "output": other} for one, other in zip(grids[::2], grids[1::2], strict=True)]
    return {"train": train, "test": _digits(test.partition("Input:")[2])}, (_digits(expected),)


def _digits(text: str) -> list[list[int]]:
    """Return the first lines of digits of a text as rows."""
    rows = re.match(r"\s*((?:[0-9](?: [0-9])* *(?:\n|\Z))+)", text)
    if rows is None:
        raise ValueError(f"{text.strip()[:40]!r} is no grid")
    return [[int(cell) for cell in line.split()] for line in rows[1].splitlines()]


ROWS = re.compile(r"(?:^[ \t`*]*[0-9](?:[ ,]+[0-9])*[ \t`*]*(?:\n|\Z))+", re.MULTILINE)


def _arc_as_ours(text: str, *_: object) -> str | None:
    """Mark the last lines of digits of a reply without tags; ours asks for JSON."""
    if re.search("</answer>", text, re.IGNORECASE) or not (found := ROWS.findall(text)):
        return None
    return marked(found[-1].strip("\n"))


def _maze(question: str, expected: str) -> Read:
    """Read a drawing in any characters, named by its legend (a backtick may be one). Moves are asked for."""
    found = re.search(
        r"from '(.)' \(start\) to '(.)' \(goal\):\s+```\n(.*)\n```\nLegend: '(.)' = Wall, '(.)' = Passage",
        question,
        re.DOTALL,
    )
    if found is None:
        raise ValueError("it draws no maze")
    start, goal, drawing, wall, passage = found.groups()
    symbols = {start: "S", goal: "G", wall: "#", passage: " "}
    rows = ["".join(symbols[cell] for cell in row) for row in drawing.split("\n")]
    return {"rows": rows, "asked": "moves"}, (int(expected),)


def _hanoi(question: str, expected: str) -> Read:
    """Read disks, pegs, from and to; a move of the reference names its disk, ours is a pair of pegs."""
    found = re.search(
        r"with (\d+) disks and (\d+) pegs\.\s+Move all disks from Peg (\d+) to Peg (\d+)", question
    )
    if found is None:
        raise ValueError("it names no disks and pegs")
    disks, pegs, start, goal = map(int, found.groups())
    payload = {"start": [start] * disks, "goal": [goal] * disks} | ({} if pegs == 3 else {"pegs": pegs})
    plan = [[int(a), int(b)] for a, b in re.findall(r"from Peg (\d+) to Peg (\d+)", expected)]
    return payload, (plan,)


def _numbers(question: str, expected: str) -> Read:  # noqa: ARG001 - the references of an earlier set are rounded
    """Read decimals and the direction; 17 and 17.00 are the same number."""
    found = re.search(r"in (ascending|descending) order: ([-+0-9., ]+)", question)
    if found is None:
        raise ValueError("it lists no numbers")
    numbers: list[float] = [float(n) if "." in n else int(n) for n in re.split(r", *", found[2].strip(" ,"))]
    down = found[1] == "descending"
    payload: Payload = {"numbers": numbers} | ({"descending": True} if down else {})
    return payload, (sorted(numbers, reverse=down),)


def _numbers_as_ours(text: str, *_: object) -> str:
    """Turn the single quotes that the source asks for into those of JSON."""
    return text.replace("'", '"')


def marked(answer: str) -> str:
    """Return an answer as our prompts ask for it."""
    return f"```answer\n{answer}\n```"


DATASETS: dict[str, Dataset] = {
    "sudoku": Dataset(task="sudoku", read=_sudoku(9)),
    "mini_sudoku": Dataset(task="sudoku", read=_sudoku(4)),
    "futoshiki": Dataset(task="futoshiki", read=_futoshiki),
    "n_queens": Dataset(task="n-queens", read=_queens, as_ours=_queens_as_ours),
    "graph_color": Dataset(task="graph-colouring", read=_graph, as_ours=_graph_as_ours),
    "game_of_life": Dataset(task="game-of-life", read=_life),
    "arc_agi": Dataset(task="arc1", read=_arc, as_ours=_arc_as_ours),
    "rearc": Dataset(task="arc1", read=_arc, as_ours=_arc_as_ours),
    "arc_1d": Dataset(task="arc1", read=_arc, as_ours=_arc_as_ours),
    "maze": Dataset(task="maze", read=_maze),
    "tower_of_hanoi": Dataset(task="hanoi", read=_hanoi),
    "number_sorting": Dataset(task="sorting", read=_numbers, as_ours=_numbers_as_ours),
    "knights_knaves": Dataset(task="knights-knaves", read=knights, as_ours=knights_as_ours),
    "zebra_puzzles": Dataset(task="zebra", read=zebra),
}
"""By the name of the source's file."""
