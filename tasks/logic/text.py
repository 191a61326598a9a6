"""Answer forms of the logic puzzles."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from tasks.shared.text_answers import AnswerForm, lines_pattern


@cache
def digit_rows(height: int, width: int) -> AnswerForm:
    """Rows of digits, with or without blanks between the digits."""

    def read(candidate: str) -> list[list[int]] | None:
        lines = [[int(c) for c in line if c.isdigit()] for line in candidate.split("\n")]
        return lines if len(lines) == height and all(len(line) == width for line in lines) else None

    return AnswerForm(
        words=f"grid of {height} lines of {width} digits",
        pattern=lines_pattern(r"[0-9](?:[ \t]*+[0-9])*+"),
        whole_lines=True,
        read=read,
    )


@cache
def symbol_rows(height: int, width: int, symbols: str) -> AnswerForm:
    """Rows of symbols without blanks between them."""

    def read(candidate: str) -> list[str] | None:
        lines = [line.strip() for line in candidate.split("\n")]
        return lines if len(lines) == height else None

    return AnswerForm(
        words=f"board of {height} lines of {width} characters from {symbols}",
        pattern=lines_pattern(f"[{re.escape(symbols)}]{{{width}}}+"),
        whole_lines=True,
        read=read,
    )


@cache
def number_list(count: int) -> AnswerForm:
    """So many whole numbers on one line, separated by blanks or commas."""

    def read(candidate: str) -> list[int] | None:
        numbers = [int(word) for word in re.findall(r"\d+", candidate)]
        return numbers if len(numbers) == count else None

    return AnswerForm(
        words=f"line of {count} whole numbers",
        pattern=r"[0-9]{1,9}(?:(?:[ \t]++,?+|,)[ \t]*+[0-9]{1,9})*+",
        whole_lines=True,
        read=read,
    )


def named_rows(names: Mapping[str, Sequence[str]]) -> AnswerForm:
    """A line for each name, in order: the name, a colon, as many of its words as it has."""

    def row(name: str, words: Sequence[str]) -> str:
        word = "(?:" + "|".join(map(re.escape, sorted(words, key=len, reverse=True))) + r")(?!\w)"
        return rf"(?i:{re.escape(name)})[ \t]*+:[ \t]*+{word}(?:(?:[ \t]++,?+|,)[ \t]*+{word}){{{len(words) - 1}}}"

    def read(candidate: str) -> list[list[str]]:
        return [re.split(r"[ \t,]+", line.partition(":")[2].strip()) for line in candidate.split("\n")]

    return AnswerForm(
        words="table of a line for each of " + ", ".join(names),
        pattern=r"[ \t]*+\n[ \t]*+".join(row(name, words) for name, words in names.items()),
        whole_lines=True,
        read=read,
    )
