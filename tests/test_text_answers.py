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
from tasks.shared.forms import (
    digit_grid,
    json_value,
    line_list,
    number_list,
    single,
    symbol_grid,
)
from tasks.shared.json_values import read_json
from tasks.shared.reasoning import visible
from tasks.shared.text_answers import AnswerForm, parse_reply
from tasks.sudoku.generated import Sudoku

SUDOKU, MAZE, ARC = Sudoku(size=4), MazeUnique(height=5, width=5), Arc1()
ANY = Puzzle(
    id="any", group="any", split="test", payload={"rows": [" " * 5] * 5}
)  # parsing looks at the reply alone

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


NINE = [[(3 * (r % 3) + r // 3 + c) % 9 + 1 for c in range(9)] for r in range(9)]
LATEX = " \\\\\\hline\n".join(" & ".join(map(str, row)) for row in GRID)
TABLE = "\n".join("| " + " | ".join(map(str, row)) + " |" for row in GRID)
BOXED_ROWS = "\n".join(f"{row[0]} {row[1]} | {row[2]} {row[3]}" for row in GRID)


@pytest.mark.parametrize(
    "reply",
    [
        f"```answer\n```\n{lines(GRID)}\n```\n```",  # a fence in the fence
        f"```answer\n```text\n{lines(GRID)}\n```\n```",
        f"```answer\nHere is the grid:\n{lines(GRID)}\nEvery row is right.\n```",
        f"```answer\n{lines(GRID)}```",  # a closing fence glued to the last line
        f"````answer\n{lines(GRID)}\n````",
        f"~~~answer\n{lines(GRID)}\n~~~",
        f"> ```answer\n> {lines(GRID)}\n> ```".replace("\n", "\n> ").replace("> > ", "> "),
        f"<answer>{lines(GRID)}</answer>",
        f"<answer>\n{fenced(lines(GRID))}\n</answer>",
        f"{lines(OTHER)}\n<answer>\n{lines(GRID)}",  # finished, the tag never closed
        f"First <answer>{lines(OTHER)}</answer>, no: <answer>{lines(GRID)}</answer>\n{lines(OTHER)}",
        f"\x1b[1m```answer\n\x1b[32m{lines(GRID)}\x1b[0m\n```",
        lines(GRID, "\x1b[31m \x1b[0m"),
        "Solution: " + lines(GRID).replace("\n", ""),
        "**" + lines(GRID).replace("\n", "") + "**",
        "**Solution:** `" + lines(GRID).replace("\n", "") + "`",
        json.dumps({"solution": lines(GRID).replace("\n", "")}),
        "```json\n" + json.dumps({"answer": GRID, "explanation": "singles, [1, 2] and so on"}) + "\n```",
        json.dumps({"grid": ["".join(map(str, row)) for row in GRID]}, indent=2),
        f"[Final answer: {GRID}]",
        f"{lines(OTHER)}\n{lines(GRID).replace(chr(10), '')}",  # a corrected line below
        f"Draft: {lines(OTHER).replace(chr(10), '')}\n{lines(GRID)}",
        f"$$\\begin{{array}}{{|c|c|c|c|}}\\hline {LATEX} \\end{{array}}$$",
        f"\\boxed{{\\begin{{bmatrix}} {LATEX} \\end{{bmatrix}}}}",
        f"\\boxed{{\\text{{{lines(GRID, ' ')}}}}}",
        TABLE,
        TABLE.replace("\n", "\n|---|---|---|---|\n", 1),
        BOXED_ROWS.replace("\n2", "\n----+----\n2"),
        "\n".join(f"+---+\n{row}" for row in TABLE.split("\n")) + "\n+---+",
        "\n".join(f"Row {r}: {' '.join(map(str, row))}" for r, row in enumerate(GRID, 1)),
        "\n".join(f"- **Row {r}:** {', '.join(map(str, row))}" for r, row in enumerate(GRID, 1)),
        "\n".join(f"`{''.join(map(str, row))}`  " for row in GRID),
        "\n".join(f"[{' '.join(map(str, row))}]" for row in GRID),
        "1   2 < 3   4\n∧       ∨\n3   4   1   2\n\n2   1   4 > 3\n        v   ^\n4   3   2   1",  # Futoshiki
        f"[{str(GRID)[1:-1].replace('], [', '],' + chr(10) + '[')}]",
        lines(GRID).replace("\n", "\n\n"),
        lines(GRID[:2]) + "\n\n" + lines(GRID[2:]),
        lines(GRID, "\u00a0"),
        "\u200b" + lines(GRID, " \u200b").replace("\n", "\u2028"),
        lines(GRID).replace("\n", "\r"),
        f"{lines(GRID)}<|im_end|>",
        f"{lines(OTHER)}\n\n{lines(GRID)}",
        f"{lines(GRID)}\n\nI checked it twice. {lines(GRID)[:4]}",
    ],
)
def test_an_answer_is_read_however_it_is_marked_or_laid_out(reply: str) -> None:
    assert SUDOKU.parse(reply, ANY) == GRID


@pytest.mark.parametrize("gap", ["", " ", ", ", " | ", "|"])
def test_a_sudoku_of_nine_is_read_from_lines_or_from_one_line(gap: str) -> None:
    nine = Sudoku(size=9)
    for text in (lines(NINE, gap), "Solution: " + lines(NINE, gap).replace("\n", gap)):
        assert nine.parse(text, ANY) == NINE
        assert nine.parse(f"**{text}**", ANY) == NINE


@pytest.mark.parametrize(
    "reply",
    [
        f"[{GRID}]",  # a list of grids is no grid
        f"[{GRID}, {OTHER}]",
        f"[{GRID}, [[1, 2",  # cut inside a list of grids
        json.dumps({"first": GRID, "second": OTHER}),  # which of the two?
        '{"a": ' + str(GRID) + ', "a": 1}',
        lines(GRID).replace("1", "１"),
        lines(GRID).replace("1", "①"),
        lines(GRID).replace("1", "0"),
        lines(GRID).replace("\n", "\nthen\n"),
        lines(GRID).replace("1234", "1234 (clues)"),
        lines(GRID, " ").replace("4 3 2 1", "4 3 2"),
        lines(GRID[:2]) + "\n\n" + lines(GRID[:2]) + "\n\n" + lines(GRID[2:]),
        f"I tried this:\n{lines(GRID)}\nbut two rows clash, so I cannot find the solution.",
        f"The example is {GRID}. I cannot find the rule.",
        f"{fenced(lines(GRID[:3]))}\nthat is:\n{lines(GRID)}",
        f"<answer>?</answer>\n{lines(GRID)}",
    ],
)
def test_what_is_incomplete_or_ambiguous_is_no_answer(reply: str) -> None:
    assert isinstance(SUDOKU.parse(reply, ANY), Unparsed)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        *(
            (f"<{word}>", f"</{word}>")
            for word in ("think", "thinking", "reasoning", "thought", "reflection")
        ),
        *((f"<{word}>", f"</{word}>") for word in ("scratchpad", "analysis", "antThinking", "seed:think")),
        ("[THINK]", "[/THINK]"),
        ("◁think▷", "◁/think▷"),
        ("<|begin_of_thought|>", "<|end_of_thought|>\n<|begin_of_solution|>"),
        ("<|startofthought|>", "<|endofthought|>"),
        ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>"),
        ("<|inner_prefix|>", "<|inner_suffix|>"),
        ("<|think|>", "<|end|>"),
        ("<|channel>thought\n", "<channel|>"),
        ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
        ("<|channel|>analysis<|message|>", "<|end|>"),
        ("<|channel|>commentary to=x <|constrain|>json<|message|>", "<|call|>"),
        ("Here is my thought process:", "Here is my response:"),
        ("analysisWe try ", "assistantfinal"),
    ],
)
def test_what_public_models_think_is_no_answer(before: str, after: str) -> None:
    thought, said = fenced(lines(OTHER)), lines(GRID)
    assert SUDOKU.parse(f"{before}\n{thought}\n{after}\n{said}\n<|return|>", ANY) == GRID
    alone = SUDOKU.parse(f"{before}\n{thought}\n{after}", ANY)
    assert isinstance(alone, Unparsed)
    if not before.startswith("Here"):  # which anybody may say: a mark only with its partner
        cut = SUDOKU.parse(f"{before}\n{thought}\nso", ANY)
        assert cut == Unparsed(reason="the reply holds reasoning only")
    if before.startswith("<|channel|>") and "final" not in after:
        return  # how a message ends is no mark of reasoning by itself
    if after not in ("<|end|>", "assistantfinal"):
        assert SUDOKU.parse(f"{thought}\n{after}\n{said}", ANY) == GRID  # the server kept the opening mark


@pytest.mark.parametrize(
    "reply",
    [
        f"<think><think>{lines(OTHER)}</think>{lines(GRID)}",
        f"<think>\n<think>\n{lines(OTHER)}</think>{lines(GRID)}",
        f"I used <think> tags.\n{fenced(lines(GRID))}",
        f"Reasoning goes in `<think>` and the rest follows.\n{fenced(lines(GRID))}",
        f"<think>I should close with </think> tags. {lines(OTHER)}</think>{fenced(lines(GRID))}",
        f"<think>{lines(OTHER)}[/THINK]{lines(OTHER)}</think>{lines(GRID)}",
        f"Here's my thought process: rows first.\n{lines(GRID)}",
        f"{lines(GRID)}<|end|>",
    ],
)
def test_only_marks_of_reasoning_hide_and_only_what_they_enclose(reply: str) -> None:
    assert SUDOKU.parse(reply, ANY) == GRID


def test_visible_keeps_all_text_outside_of_the_marks() -> None:
    assert visible("a<think>b</think>c[THINK]d[/THINK]e") == "ace"
    assert visible("a <b> [c] Here it is <|end|>") == "a <b> [c] Here it is <|end|>"


MOVES = line_list("list of moves", r"[Mm]ove [1-9] from [ABC] to [ABC]", 1, 100)
WIDE = digit_grid(2, 3, 0, 25)
QUEENS = symbol_grid(2, 4, "Q.")
PAIR = json_value("pair of numbers", lambda v: v if isinstance(v, list) and len(v) == 2 else None)
MAP = json_value("map", lambda v: v if isinstance(v, dict) and set(v) == {"a", "b"} else None)
NUMBERS, FEW, WORD = number_list(4, None, 0, 99), number_list(1, 9), single("number", r"-?[0-9]{1,6}", int)


@pytest.mark.parametrize(
    ("form", "reply", "answer"),
    [
        (WIDE, "10 2 3\n4 25 6", [[10, 2, 3], [4, 25, 6]]),
        (WIDE, "| 10 | 2 | 3 |\n| 4 | 25 | 6 |", [[10, 2, 3], [4, 25, 6]]),
        (WIDE, "[[10, 2, 3], [4, 25, 6]]", [[10, 2, 3], [4, 25, 6]]),
        (WIDE, "1023\n4256", None),  # which numbers?
        (WIDE, "10 2 3\n4 26 6", None),
        (WIDE, "1.5 2 3\n4 5 6", None),
        (QUEENS, "Q . . .\n. . Q .", ["Q...", "..Q."]),
        (QUEENS, "```\nQ...\n..Q.\n```", ["Q...", "..Q."]),
        (QUEENS, '["Q...", "..Q."]', ["Q...", "..Q."]),
        (QUEENS, '[["Q", ".", ".", "."], [".", ".", "Q", "."]]', ["Q...", "..Q."]),
        (QUEENS, "Q...\n..Qx", None),
        (NUMBERS, "0, 1, 20, 3", [0, 1, 20, 3]),
        (NUMBERS, "The order is: [0, 1, 20, 3].", [0, 1, 20, 3]),
        (NUMBERS, "Answer: (0 1 20 3)", [0, 1, 20, 3]),
        (NUMBERS, '{"order": [0, 1, 20, 3]}', [0, 1, 20, 3]),
        (NUMBERS, "0 1 20", None),
        (NUMBERS, "```answer\n0 1 20 3", None),  # or 30, cut?
        (WIDE, "```answer\n10 2 3\n4 25 1", None),
        (NUMBERS, "0 1 20 3 4", None),
        (NUMBERS, "0 1 20 100", None),
        (NUMBERS, "0 1 20 3.5", None),
        (NUMBERS, "[0, 1, 20, true]", None),
        (NUMBERS, "[0, 1, 20, NaN]", None),
        (NUMBERS, "[0, 1, 20, 1e400]", None),
        (NUMBERS, "[[0, 1, 20, 3], [0, 1", None),
        (FEW, "```answer\n3 1 2\n```", [3, 1, 2]),
        (FEW, "```answer\n3 1", None),  # cut, or a shorter answer?
        (MOVES, "1. Move 1 from A to C\n2. Move 2 from A to B", ["Move 1 from A to C", "Move 2 from A to B"]),
        (MOVES, '["move 1 from A to C"]', ["move 1 from A to C"]),
        (MOVES, "<answer>- move 1 from A to C.</answer>", ["move 1 from A to C"]),
        (MOVES, "move 1 from A to D", None),
        (MOVES, "```answer\nmove 1 from A to B", None),
        (PAIR, "so [1, 2] it is", [1, 2]),
        (PAIR, "[1, 2, 3] and (1, 2)", None),
        (MAP, '```answer\n{"a": 1, "b": [2]}\n```', {"a": 1, "b": [2]}),
        (MAP, 'Result: {"answer": {"a": 1, "b": 2}}', {"a": 1, "b": 2}),
        (MAP, '{"a": 1, "b": 2, "a": 3}', None),
        (MAP, "{'a': 1, 'b': 2}", None),
        (WORD, "```answer\n42\n```", 42),
        (WORD, "12 + 30 is 42.\nThe answer is **42**.", 42),
        (WORD, "so \\boxed{42}", 42),
        (WORD, "$\\boxed{\\text{42}}$", 42),
        (WORD, '{"answer": 42}', 42),
        (WORD, "Final answer: -42", -42),
        (WORD, "12 + 30 is 42, I think", None),
        (WORD, "The answer is 42 or 43", None),
        (WORD, "```answer\n42 or 43\n```", None),
    ],
)
def test_the_ready_made_forms_read_what_is_whole_and_nothing_else(
    form: AnswerForm, reply: str, answer: object
) -> None:
    parsed = parse_reply(reply, form)
    assert isinstance(parsed, Unparsed) if answer is None else parsed == answer


@given(seed=st.integers(0, 10**6), gap=st.sampled_from(["", " ", ",", " | "]), cut=st.integers(0, 200))
def test_a_grid_is_read_whole_or_not_at_all(seed: int, gap: str, cut: int) -> None:
    rng = random.Random(seed)
    rows, columns = rng.randrange(2, 7), rng.randrange(2, 7)
    drawn = [[rng.randrange(10) for _ in range(columns)] for _ in range(rows)]
    form = digit_grid(rows, columns)
    text = lines(drawn, gap)
    assert parse_reply(text, form) == drawn
    part = parse_reply(fenced(text[: min(cut, len(text) - 1)]), form)
    assert isinstance(part, Unparsed)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=9
    )
)
def test_read_json_reads_what_json_writes_or_refuses_it(value: object) -> None:
    try:
        assert read_json(json.dumps(value)) == value
    except ValueError:
        assert "[[[[[" in json.dumps(value).replace(" ", "") or isinstance(value, int | list)


@pytest.mark.parametrize(
    "text",
    ["NaN", "[Infinity]", "1e400", "[1e999]", "[" * 99 + "]" * 99, '{"a": 1, "a": 1}', "9" * 400, "[1,]"],
)
def test_read_json_refuses_what_is_no_strict_json(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_json(text)


def test_of_millions_of_characters_only_the_last_are_searched_and_the_answer_among_them_found() -> None:
    junk = "[1, 2] so 1 2 3 4 {\n" * 100_000
    assert SUDOKU.parse(f"{junk}\n{lines(GRID)}", ANY) == GRID
    assert SUDOKU.parse(f"{junk}{fenced(lines(GRID))}", ANY) == GRID


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


def test_an_example_restated_by_a_reply_that_gives_up_is_no_answer() -> None:
    puzzle = ARC.load(split="evaluation", seed=0, limit=1, data_dir=None)[0][0]
    example = json.dumps(puzzle.payload["train"][0]["output"])
    for reply in (
        f"Example 1 gives {example}. I cannot find the rule.",
        f"I cannot find the rule. Example 1 gives {example}.",
        f"It was not possible to determine the rule; the examples end in {example}.",
    ):
        assert ARC.parse(reply, puzzle) == Unparsed(reason="the reply gives up")
    assert ARC.parse(f"It is as in example 1: {example}.", puzzle) == json.loads(example)
    assert ARC.parse(f"I could not see it at first. {fenced(example)}", puzzle) == json.loads(example)
    assert ARC.parse("I could not see it at first. It is [[1, 2]].", puzzle) == [[1, 2]]


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
                parts.append("." + rng.choice(["<think>", "<Thinking>", "<reasoning>"]))
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
