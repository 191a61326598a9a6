"""What a task's prompt and parse must keep."""

from __future__ import annotations

import re
from typing import Any

from harness.base import methods_of
from harness.contracts import Answer, Item, Puzzle, Task, Unparsed
from harness.randomness import generator
from harness.testing.answers import Writer, other_sizes, shape, size
from harness.testing.report import Report, copied, is_json

JUNK_REPLIES = (
    "",
    " ",
    "I do not know.",
    "```answer\n```",
    "\\boxed{}",
    "<think>1 2 3",
    "\x00\x1b[31m",
    "[" * 5000,
    "```answer\n[[",
    "\ud800",
    "{" * 5000,
    "9" * 5000,
)
ANSWER_BLOCK = re.compile(r"^[ \t]*```answer\b", re.MULTILINE)


def check_texts(report: Report, task: Task, items: list[Item], write: Writer) -> None:
    prompts = set()
    fixed = _one_size(task, items)
    for puzzle, key in items:
        before = copied(puzzle)
        with report.total("prompt is total", puzzle.id):
            prompt = task.prompt(puzzle)
        report.rule(isinstance(prompt, str) and prompt.strip(), "a prompt says something", puzzle.id)
        report.rule(task.prompt(puzzle) == prompt, "the same puzzle has the same prompt", puzzle.id)
        report.rule(
            ANSWER_BLOCK.search(prompt), "a prompt asks for a fenced block marked answer", prompt[-80:]
        )
        prompts.add(prompt)
        _check_parse(report, task, puzzle, key.answers[0], write)
        _check_forms(report, task, puzzle, key.answers[0], write, fixed)
        report.rule(puzzle == before, "prompt and parse do not change the puzzle", puzzle.id)
    report.rule(len(prompts) > 1 or len(items) == 1, "different puzzles have different prompts")


def _one_size(task: Task, items: list[Item]) -> bool:
    """Return whether all answers to a puzzle are of one size, as far as can be told from outside: they fill
    the canvas of the grid codec, and random ones too are as large as the reference.
    """
    draw, grid = methods_of(task).get("random"), task.grid
    return (
        draw is not None
        and grid is not None
        and all(
            size(key.answers[0]) == grid.length
            and shape(draw(puzzle, generator("forms", task.name, puzzle.id))) == shape(key.answers[0])
            for puzzle, key in items
        )
    )


def _check_parse(report: Report, task: Task, puzzle: Puzzle, answer: Answer, write: Writer) -> None:
    def parse(reply: Any) -> Answer | Unparsed:
        with report.total("parse is total", reply):
            found = task.parse(reply, puzzle)
        fit = isinstance(found, Unparsed) or is_json(found)
        report.rule(fit, "parse gives an answer in JSON values, or Unparsed", found)
        return found

    written = write(puzzle, answer)
    texts = [written] if isinstance(written, str) else list(written)
    ways = [i for i, text in enumerate(texts) if parse(fenced(text)) == answer]
    report.rule(ways, "a reference answer in a fenced `answer` block is parsed", puzzle.id)
    text = texts[ways[0]]
    polite = f"Sure! I am happy to help. Step 1 of 3 took me a while.\n\n{fenced(text)}\nI hope that helps!"
    report.rule(parse(polite) == answer, "politeness around a marked answer changes nothing", puzzle.id)
    thought = f"<think>\n{fenced(text)}\n</think>\nI give up."
    report.rule(
        isinstance(parse(thought), Unparsed), "an answer inside think tags is not an answer", puzzle.id
    )
    bare = parse(f"Sure! Here it is:\n\n{text}\n\nI hope that helps!")
    report.rule(
        isinstance(bare, Unparsed) or bare == answer, "an unmarked answer is read whole or not at all", bare
    )
    cut = parse(f"```answer\n{text[: len(text) // 2]}")
    report.rule(isinstance(cut, Unparsed), "half an answer is no answer", cut)
    for junk in JUNK_REPLIES:
        report.rule(isinstance(parse(junk), Unparsed), "junk holds no answer", junk[:40])


def _check_forms(
    report: Report, task: Task, puzzle: Puzzle, answer: Answer, write: Writer, fixed: bool
) -> None:
    """What methods answer is well-formed; what is of another size is not, where all are of one size."""

    def read(value: Answer) -> list[Answer | Unparsed]:
        text = write(puzzle, value)
        return [task.parse(fenced(t), puzzle) for t in ([text] if isinstance(text, str) else text)]

    for name, method in methods_of(task).items():
        drawn = method(puzzle, generator("forms", task.name, puzzle.id))
        if drawn is None:
            continue
        whole = type(drawn) is type(answer) and (name not in ("random", "search") or drawn in read(drawn))
        report.rule(whole, f"the method {name} gives well-formed answers", drawn)
    for other in other_sizes(answer) if fixed else ():
        found = [a for a in read(other) if not isinstance(a, Unparsed)]
        report.rule(not found, "an answer of another size is not parsed", other)


def fenced(text: str) -> str:
    return f"```answer\n{text}\n```"
