"""Ready-made answer forms: what a family's `parse` hands to `parse_reply`.

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        return parse_reply(reply, digit_grid(9, 9, 1, 9))

`digit_grid` whole numbers in rows; `symbol_grid` characters in rows; `number_list` a list of whole numbers;
`json_value` a JSON list or object of your own shape; `line_list` lines of one pattern, such as moves;
`single` one number or word. All read what is unambiguous however it is laid out (lines, one line, JSON, a
Markdown table, bold or labelled rows, LaTeX arrays) and refuse what is incomplete. None judges: a number out
of range is no answer, a wrong one is.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from harness.contracts import Answer
from tasks.shared.json_values import last_values
from tasks.shared.text_answers import MOST_CANDIDATES, AnswerForm

DECORATION = ">|│┃║*`~_$•"  # around a row: quotes, tables, bold, code, formulas
GAPS = ",;|│┃║&<>"  # between cells; < and > are part of a Futoshiki's drawing
RULES = "-+|=:─━═│┃║┼╬╪╫┿╂╋╔╗╚╝╠╣╦╩╟╢╤╧┌┐└┘├┤┬┴┏┓┗┛┣┫┳┻∧∨^v \t"  # a line of these alone separates rows
LABEL = r"(?:[A-Za-z][^\n:]{0,60}+:[*_`]{0,3}+)?+"
ROW_LABEL = r"(?:(?i:rows?|line|r)[ \t]*+[0-9]{1,3}+[ \t]*+[*_`]{0,3}+[ \t]*+[:.)|\-=]++[*_`]{0,3}+)?+"


@cache
def digit_grid(rows: int, columns: int, lowest: int = 0, highest: int = 9) -> AnswerForm:
    """Rows of whole numbers from `lowest` (at least 0) to `highest`; the answer is a list of lists of int.

    Digits may stand without gaps where no number has two.
    """
    one = highest <= 9
    cell = f"[{lowest}-{highest}]" if one else f"(?<![0-9])[0-9]{{1,{len(str(highest))}}}+"

    def read_cell(text: Any) -> int | None:
        if isinstance(text, str):
            text = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
        return text if type(text) is int and lowest <= text <= highest else None

    words = f"grid of {rows} lines of {columns} {'digits' if one else 'numbers'} from {lowest} to {highest}"
    return _grid(rows, columns, cell, True, not one, "0123456789", read_cell, words, lambda cells: cells)


@cache
def symbol_grid(rows: int, columns: int, symbols: str) -> AnswerForm:
    """Rows of single characters out of `symbols` (none of them a blank); the answer is a list of strings."""
    cell = f"[{re.escape(symbols)}]"

    def read_cell(text: Any) -> str | None:
        return text if isinstance(text, str) and len(text) == 1 and text in symbols else None

    words = f"grid of {rows} lines of {columns} characters from {symbols}"
    return _grid(rows, columns, cell, False, False, symbols, read_cell, words, "".join)


def _grid(
    rows: int,
    columns: int,
    cell: str,
    loose: bool,
    cut_short: bool,
    symbols: str,
    read_cell: Callable[[Any], Any],
    words: str,
    join: Callable[[list[Any]], Any],
) -> AnswerForm:
    def class_of(characters: str) -> str:
        return re.escape("".join(c for c in characters if c not in symbols))

    gap = rf"(?:[ \t]*+(?:[{class_of(GAPS)}][ \t]*+)?+)"
    lead = rf"[ \t]*+(?:[{class_of(DECORATION + '-')}]++[ \t]*+)*+"
    trail = rf"[ \t]*+(?:[{class_of(DECORATION + ',;.' + chr(92))}]++[ \t]*+)*+(?=\n|\Z)"
    separator = rf"\n[{class_of(RULES)}]*+(?=\n)"

    apart = rf"[ \t]*+(?:[{class_of(GAPS)}]|(?<=[ \t]))[ \t]*+"

    def row(count: int) -> str:
        if loose:
            cells = rf"{cell}(?:{gap}{cell}){{{count - 1}}}+"
        else:  # a blank may stand for a cell: none between any two cells, or one between all
            cells = rf"{cell}(?:{cell}{{{count - 1}}}+|(?:{apart}{cell}){{{count - 1}}}+)"
        return rf"{ROW_LABEL}{lead}\[{{0,2}}+[ \t]*+{cells}[ \t]*+\]{{0,2}}+{trail}"

    rest = rf"(?:(?:{separator}){{0,3}}+\n{lead}{row(columns)})*+"
    flat = rf"{row(rows * columns)}|" if rows > 1 else ""
    run = rf"\n{lead}{LABEL}{lead}(?:{flat}{row(columns)}{rest})"
    runs_in = re.compile(run)
    cells_in = re.compile(cell)
    labelled = re.compile(rf"{lead}{LABEL}{lead}{ROW_LABEL}")
    only_rule = re.compile(rf"[{class_of(RULES)}]*+")
    longest = 100 * rows * (columns + 20)  # characters of a run: more rows than one grid has are no grid

    def from_values(found: list[Any]) -> Answer | None:
        """Read all cells, in their order."""
        cells = [read_cell(value) for value in found]
        if len(cells) != rows * columns or None in cells:
            return None
        return [join(cells[i : i + columns]) for i in range(0, len(cells), columns)]

    def from_lines(text: str) -> Answer | None:
        blocks: list[list[Any]] = [[]]
        for line in text[-longest:].split("\n"):
            if only_rule.fullmatch(line):
                blocks.append([])
                continue
            found = cells_in.findall(line, labelled.match(line).end())  # type: ignore[union-attr]
            if len(found) == rows * columns and rows > 1:
                return from_values(found)
            blocks[-1] += found
        if len(text) > longest:
            del blocks[0]
        whole = [block for block in blocks if len(block) == rows * columns]
        # two grids with a blank line between, or one grid with blank lines in it
        return from_values(whole[-1] if whole else [cell for block in blocks for cell in block])

    def from_json(value: Any) -> Answer | None:
        if isinstance(value, str):
            return read(value)
        if not isinstance(value, list):
            return None
        if len(value) == rows and all(isinstance(row, list) and len(row) == columns for row in value):
            return from_values([cell for row in value for cell in row])
        if len(value) == rows and all(isinstance(row, str) for row in value):
            return read("\n".join(value))
        return None

    def read(text: str) -> Answer | None:
        for value in last_values(text):
            if (answer := unwrapped(value, from_json)) is not None:
                return answer
        for match in last_matches(runs_in, text):
            if (answer := from_lines(match)) is not None:
                return answer
        return None

    return AnswerForm(words=words, lines=(run,), read=read, open_ended=cut_short)


@cache
def free_grid(rows: int, columns: int, lowest: int = 0, highest: int = 9) -> AnswerForm:
    """A grid of whole numbers from 0 to at most 9 whose size is part of the answer: 1 to `rows` equal rows of
    1 to `columns`. A JSON list of lists; inside a closed mark also lines of digits.
    """
    cell = f"[{lowest}-{highest}]"
    row = rf"[ \t|\[*`]*+{cell}(?:[ \t]*+[,|]?[ \t]*+{cell}){{0,{columns - 1}}}+[ \t|\],*`]*+"
    run_in = re.compile(rf"\n{row}(?=\n|\Z)(?:\n{row}(?=\n|\Z))*+")
    cell_in = re.compile(cell)

    def shape(value: Any) -> Answer | None:
        if not isinstance(value, list) or not 1 <= len(value) <= rows:
            return None
        if not all(isinstance(row, list) and len(row) == len(value[0]) for row in value):
            return None
        fits = all(type(cell) is int and lowest <= cell <= highest for row in value for cell in row)
        return value if fits and 1 <= len(value[0]) <= columns else None

    def read_lines(text: str) -> Answer | None:
        runs = last_matches(run_in, text)
        if len(runs) != 1 or runs[0].count("\n") > rows:
            return None
        return shape([[int(digit) for digit in cell_in.findall(line)] for line in runs[0][1:].split("\n")])

    words = f"JSON list of 1 to {rows} equal rows of 1 to {columns} numbers from {lowest} to {highest}"
    return replace(json_value(words, shape), read_marked=read_lines)


@cache
def number_list(least: int, most: int | None = None, lowest: int = 0, highest: int = 10**9) -> AnswerForm:
    """`least` (to `most`, if given) whole numbers from `lowest` to `highest`, as a JSON list or with commas
    or blanks between, in brackets or not, on a line of their own; the answer is a list of int.
    """
    top = least if most is None else most
    number = rf"[+-]?[0-9]{{1,{max(len(str(lowest)), len(str(highest)))}}}+(?![0-9.])"
    gap = r"(?:[ \t]*+[,;|&][ \t]*+|[ \t]++)"
    deco = r"[ \t]*+(?:[>|*`~_$•]++[ \t]*+)*+"
    more = rf"(?:{gap}{number}){{{max(least, 1) - 1},{max(top, 1) - 1}}}+"
    line = rf"\n{deco}{LABEL}{deco}[\[(]?{deco}{number}{more}{deco}[\])]?[,;.|*`~_$ \t]*+(?=\n|\Z)"
    lines_in = re.compile(line)
    numbers_in = re.compile(number)
    label = re.compile(rf"\n{deco}{LABEL}")

    def from_values(values: Any) -> Answer | None:
        fits = (
            isinstance(values, list)
            and least <= len(values) <= top
            and all(type(v) is int and lowest <= v <= highest for v in values)
        )
        return values if fits else None

    def read(text: str) -> Answer | None:
        for value in last_values(text):
            if (answer := unwrapped(value, from_values)) is not None:
                return answer
        for match in last_matches(lines_in, text):
            found = [int(n) for n in numbers_in.findall(label.sub("", match))]
            if (answer := from_values(found)) is not None:
                return answer
        return None

    many = f"{least}" if top == least else f"{least} to {top}"
    return AnswerForm(
        words=f"list of {many} whole numbers from {lowest} to {highest}",
        lines=(line,),
        read=read,
        open_ended=True,  # the last number may be cut short
    )


def json_value(words: str, shape: Callable[[Any], Answer | None]) -> AnswerForm:
    """A JSON list or object that `shape` turns into an answer, None if it is not of the wanted shape.

    Strict JSON: no NaN, no number beyond a float, no key twice, bounded in depth and size.
    """

    def read(text: str) -> Answer | None:
        for value in last_values(text):
            if (answer := unwrapped(value, shape)) is not None:
                return answer
        return None

    return AnswerForm(words=words, read=read)


def line_list(
    words: str, line: str, least: int, most: int, read_line: Callable[[str], Any] = str
) -> AnswerForm:
    """From `least` (at least 1) to `most` consecutive lines that match `line`, bulleted, numbered or not, or
    a JSON list of such strings; the answer is the list of what `read_line` makes of them.

    `line` is a regular expression without groups and anchors; it must not backtrack over long stretches.
    """
    number = r"(?:(?:(?i:step|move)[ \t]*+)?[0-9]{1,6}+[ \t]*+[:.)]++[ \t]*+)?+"
    bullet = rf"[ \t]*+(?:[>*•`|-]++[ \t]*+)*+{number}[*`]*+"
    one = rf"{bullet}(?:{line})[ \t]*+[*`,;.|]*+[ \t]*+"
    run = rf"\n{one}(?=\n|\Z)(?:\n(?:[ \t]*+\n)?+{one}(?=\n|\Z))*+"
    runs_in = re.compile(run)
    line_in = re.compile(rf"{bullet}(?P<line>{line})[ \t]*+[*`,;.|]*+[ \t]*+")

    def from_values(values: Any) -> Answer | None:
        if not isinstance(values, list) or not least <= len(values) <= most:
            return None
        matches = [line_in.fullmatch(value) if isinstance(value, str) else None for value in values]
        return [read_line(m["line"].strip()) for m in matches if m] if all(matches) else None

    def read(text: str) -> Answer | None:
        for value in last_values(text):
            if (answer := unwrapped(value, from_values)) is not None:
                return answer
        for match in last_matches(runs_in, text):
            if (answer := from_values([part for part in match.split("\n") if part.strip()])) is not None:
                return answer
        return None

    return AnswerForm(words=words, lines=(run,), read=read, open_ended=True)


def single(words: str, pattern: str, read: Callable[[str], Answer | None] = str) -> AnswerForm:
    """One number or word that matches `pattern`, the whole of a marked answer; without a mark, a line of its
    own or what follows "answer is" or "Answer:". `read` may still refuse it with None.
    """
    deco = r"(?:[ \t*`_$>\"'|]|\\\(|\\\[|\\text\{)*+"
    after = r"(?:[ \t*`_$\"'.|!]|\\\)|\\\]|\})*+"
    value = rf"{deco}(?P<value>{pattern}){after}(?=\n|\Z)"
    said = r"(?i:nswer|esult|olution|utput)\b(?:[ \t]++is\b)?+[ \t*`_]*+[:=]?+"
    alone, told = rf"\n{value}", rf"[AaRrSsOo](?<![A-Za-z].){said}{value}"
    patterns = [re.compile(alone), re.compile(told)]

    def from_value(value: Any) -> Answer | None:
        text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        return read(text) if re.fullmatch(pattern, text) else None

    def take(text: str) -> Answer | None:
        for value in last_values(text):
            if (answer := unwrapped(value, from_value)) is not None:
                return answer
        found = [match for pattern in patterns for match in pattern.finditer("\n" + text)]
        for match in sorted(found, key=lambda match: -match.end())[:MOST_CANDIDATES]:
            if (answer := read(match["value"])) is not None:
                return answer
        return None

    return AnswerForm(words=words, lines=(alone, told), read=take, open_ended=True)


def last_matches(pattern: re.Pattern[str], text: str) -> list[str]:
    """Return what matches a pattern that starts with a newline in a text that may not, the last first."""
    return [m[0] for m in reversed(deque(pattern.finditer("\n" + text), maxlen=MOST_CANDIDATES))]


def unwrapped(value: Any, read: Callable[[Any], Answer | None]) -> Answer | None:
    """Read a JSON value, or the one thing in an object such as {"answer": …, "why": …} that reads as an
    answer; None where two different ones do.
    """
    if (answer := read(value)) is not None or not isinstance(value, dict):
        return answer
    found: list[Answer] = []
    for part in _parts(value):
        if (answer := read(part)) is not None and answer not in found:
            found.append(answer)
    return found[0] if len(found) == 1 else None


def _parts(value: dict[str, Any]) -> Iterator[Any]:
    for part in value.values():
        yield part
        if isinstance(part, dict):
            yield from part.values()
