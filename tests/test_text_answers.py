"""How answers are read out of replies. The rules stand in tasks/shared/text_answers.py."""

from __future__ import annotations

import json
import random
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts import Puzzle, Unparsed
from tasks.arc.public import Arc1
from tasks.maze.generated import MazeUnique
from tasks.sudoku.generated import Sudoku

SUDOKU, MAZE, ARC = Sudoku(size=4), MazeUnique(height=5, width=5), Arc1()
ANY = Puzzle(id="any", group="any", split="test", payload={})  # parsing looks at the reply alone

GRID = [[1, 2, 3, 4], [3, 4, 1, 2], [2, 1, 4, 3], [4, 3, 2, 1]]
OTHER = [[4, 3, 2, 1], [2, 1, 4, 3], [3, 4, 1, 2], [1, 2, 3, 4]]


def lines(grid: list[list[int]], gap: str = "") -> str:
    return "\n".join(gap.join(map(str, row)) for row in grid)


def fenced(text: str, mark: str = "answer") -> str:
    return f"```{mark}\n{text}\n```"


@pytest.mark.parametrize(
    "reply",
    [
        lines(GRID),
        lines(GRID, " "),
        "  " + lines(GRID).replace("\n", "\n  "),
        lines(GRID).replace("\n", "\r\n"),
        lines(GRID).replace("\n", ""),  # all cells on one line
        f"Sure! Here is the solution:\n\n{lines(GRID)}\n\nHave a nice day.",
        fenced(lines(GRID)),
        fenced(lines(GRID), " Answer "),
        fenced("\n" + lines(GRID) + "\n"),
        f"The answer is \\boxed{{{lines(GRID)}}}.",
        f"<think>{lines(OTHER)}</think>{lines(GRID)}",
        f"{fenced(lines(OTHER))}</think>{lines(GRID)}",  # the server kept the opening tag
        f"<think>a<think>b</think>{lines(OTHER)}</think>{lines(GRID)}",
        f"{lines(GRID)}<THINK>\nwait: {fenced(lines(OTHER))}",  # never closed
        f"Draft:\n{lines(OTHER)}\nFinal:\n{lines(GRID)}",
        f"{fenced(lines(GRID))}\nCheck:\n{lines(OTHER)}",  # marked outranks unmarked
        f"\\boxed{{{lines(GRID)}}}\nCheck:\n{lines(OTHER)}",
        f"{fenced(lines(OTHER))}\nNo, rather\n{fenced(lines(GRID))}",  # the last marked one wins
        f"{fenced(lines(GRID))}\n{fenced('no')}",  # the last well-formed one
        f"so \\boxed{{3}} goes there and then\n{lines(GRID)}",  # a box in passing marks nothing
        f"```\n{lines(GRID)}\n```",
        f"```answer\n{lines(GRID)}",  # finished, but the fence never closed
        f"{lines(OTHER)}\n{fenced('Answer:' + lines(GRID))}",
        str(GRID),
    ],
)
def test_a_sudoku_answer_is_found(reply: str) -> None:
    assert SUDOKU.parse(reply, ANY) == GRID


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "empty"),
        ("I like this.", "holds no grid of 4 lines"),
        (f"<think>{lines(GRID)}", "reasoning only"),
        (lines(GRID[:3]), "holds no grid"),
        (lines(GRID).replace("4", "."), "holds no grid"),
        (lines(GRID).replace("4", "5"), "holds no grid"),
        (f"{lines(GRID)}\n{lines(GRID)}", "holds no grid"),  # eight lines in a row are no grid of four
        (f"{lines(GRID)}x", "holds no grid"),
        (f"{lines(OTHER)}\n{fenced('see above')}", "marked answer is no"),
    ],
)
def test_a_reply_without_a_well_formed_sudoku_answer_is_unparsed_with_the_reason(
    reply: str, reason: str
) -> None:
    parsed = SUDOKU.parse(reply, ANY)
    assert isinstance(parsed, Unparsed)
    assert reason in parsed.reason


def test_a_maze_answer_is_lines_with_dots_for_open_cells() -> None:
    drawn = "S#.#.\no#.#.\nooo#.\n##o#.\n..oG."
    rows = ["S# # ", "o# # ", "ooo# ", "##o# ", "  oG "]
    assert MAZE.parse(f"Here:\n{fenced(drawn)}", ANY) == rows
    assert MAZE.parse(f"Here:\n\n{drawn}\n", ANY) == rows
    assert isinstance(MAZE.parse(drawn.replace(".", " "), ANY), Unparsed)
    assert isinstance(MAZE.parse(fenced(drawn.replace("o", "O")), ANY), Unparsed)


@pytest.mark.parametrize(
    "reply",
    [
        "[[1, 2], [3, 0]]",
        "[\n  [1, 2],\n  [3, 0]\n]",
        "I think [[9]] at first, but it is [[1,2],[3,0]].",
        "[[1,2],[3,0]] is it. Not [[1,2],[3]] nor [[1, 10]] nor [1, 2] nor [[[1]]] nor [[[1]], [[2]], "
        "[[3]]] nor [[1, 2",
        "```answer\n[[1,2],[3,0]]\n```\nbecause [[5]]",
        "\\boxed{[[1,2],[3,0]]}",
    ],
)
def test_an_arc_answer_is_the_last_well_formed_json_grid(reply: str) -> None:
    assert ARC.parse(reply, ANY) == [[1, 2], [3, 0]]


@pytest.mark.parametrize(
    "reply", ["[[" + "1," * 30 + "1]]", "[[1.5]]", "[[true]]", "[[-1]]", "[[]]", "[]", "[['1']]", "[[1,]]"]
)
def test_what_is_no_arc_grid_is_unparsed(reply: str) -> None:
    assert isinstance(ARC.parse(reply, ANY), Unparsed)


@given(st.text() | st.text(alphabet="1234\n `answer<think>/\\boxed{}[],#.SGo"))
def test_no_text_makes_the_parsers_raise(text: str) -> None:
    for task in (SUDOKU, MAZE, ARC):
        parsed = task.parse(text, ANY)
        assert isinstance(parsed, Unparsed | list)


@pytest.mark.parametrize("reply", [None, 7, b"1234", ["1234"]])
def test_a_reply_that_is_no_text_is_unparsed(reply: object) -> None:
    assert isinstance(SUDOKU.parse(reply, ANY), Unparsed)  # type: ignore[arg-type]


@given(before=st.text(alphabet="ab .,:\n"), after=st.text(alphabet="ab .,:\n"), seed=st.integers(0, 10**6))
def test_an_answer_in_a_fence_survives_any_chatter_around_it(before: str, after: str, seed: int) -> None:
    import numpy as np

    drawn = np.random.default_rng(seed).integers(0, 10, (1 + seed % 30, 1 + seed % 7)).tolist()
    assert ARC.parse(f"{before}\n```answer\n{json.dumps(drawn)}\n```\n{after}", ANY) == drawn


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "[[",
        "[1,",
        "[[1],",
        "[[1],[1,2]]",
        "[ ",
        "1",
        "1 ",
        "1234\n",
        "#.SGo\n",
        "x",
        " ",
        "\n",
        ". \n",
        "```answer\n",
        "```answer\n```\n",
        "<think>",
        "</think>",
        "<think></think>",
        "\\boxed{",
        "\\boxed{ ",
    ],
)
def test_a_million_characters_of_junk_hold_no_answer_and_hang_nothing(piece: str) -> None:
    reply = piece * (1_000_000 // len(piece))
    for task in (SUDOKU, MAZE, ARC):
        assert isinstance(task.parse(reply, ANY), Unparsed)


@pytest.mark.slow
def test_a_hundred_thousand_replies_never_raise_hang_or_give_up_what_stands_inside_think_tags() -> None:
    """Random replies in which one answer is only ever thought and another only ever said."""
    rng = random.Random(0)
    said, thought = lines(GRID), lines(OTHER)
    chatter = [
        "so",
        "\n",
        "12",
        "1234\n",
        " ",
        "```",
        "```answer\n",
        "\\boxed{",
        "}",
        "[[1,2],[3,4]]",
        "#.S\nGoo\n",
        "\x00",
        "é",
    ]
    outcomes = Counter[str]()
    slowest = 0.0
    for _ in range(100_000):
        depth, parts = 0, []
        for _ in range(rng.randrange(12)):
            tag = rng.random()
            if tag < 0.15:
                parts.append(rng.choice(["<think>", "<Thinking>", "<reasoning>"]))
                depth += 1
            elif tag < 0.3 and depth:
                parts.append("</think>")
                depth -= 1
            elif tag < 0.5:
                answer = thought if depth else said
                parts.append(rng.choice([f"\n{answer}\n", f"\n{fenced(answer)}\n", f"\\boxed{{{answer}}}"]))
            else:
                parts.append(rng.choice(chatter))
        reply = "".join(parts)
        began = time.perf_counter()
        parsed = [task.parse(reply, ANY) for task in (SUDOKU, MAZE, ARC)]
        slowest = max(slowest, time.perf_counter() - began)
        assert all(isinstance(answer, Unparsed | list) for answer in parsed)
        assert parsed[0] != OTHER, reply
        outcomes["said" if parsed[0] == GRID else "unparsed"] += 1
    assert min(outcomes["said"], outcomes["unparsed"]) > 10_000  # both happen often, or nothing was tested
    assert slowest < 0.5
