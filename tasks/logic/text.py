"""The answer form of puzzles that say something of each of several named things."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from tasks.shared.forms import last_matches, unwrapped
from tasks.shared.json_values import last_values
from tasks.shared.text_answers import AnswerForm

_DRESS = r"[ \t>|*_`•-]*+"  # quotes, bullets, tables, bold, code
_GAP = r"[ \t,;|&*_`]++"


def named_words(names: Mapping[str, Sequence[str]], count: int) -> AnswerForm:
    """A line for each name, in order: the name, a colon, `count` of the words it may have. The answer is a
    list of lists of words as they are spelt in `names`, or a list of words where `count` is 1.

    Also a JSON object by name, or a JSON list in order. Names and words are told apart whatever their case.
    """
    return _form(tuple((name, tuple(words)) for name, words in names.items()), count)


@cache
def _form(names: tuple[tuple[str, tuple[str, ...]], ...], count: int) -> AnswerForm:
    spelt = [{word.lower(): word for word in words} for _, words in names]

    def row(known: dict[str, str], words: Any) -> list[str] | None:
        words = [words] if isinstance(words, str) else words
        if not isinstance(words, list) or len(words) != count or not all(isinstance(w, str) for w in words):
            return None
        found = [known.get(word.strip().lower()) for word in words]
        return [word for word in found if word is not None] if None not in found else None

    def from_values(value: Any) -> Any:
        if isinstance(value, dict):
            by_name = {str(name).strip().lower(): words for name, words in value.items()}
            value = [by_name.get(name.lower()) for name, _ in names]
        if not isinstance(value, list) or len(value) != len(names):
            return None
        rows = [row(known, words) for known, words in zip(spelt, value, strict=True)]
        if None in rows:
            return None
        return [found[0] for found in rows if found] if count == 1 else rows

    def line(name: str, words: Sequence[str]) -> str:
        word = "(?:" + "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True)) + r")(?!\w)"
        more = rf"(?:{_GAP}{word}){{{count - 1}}}" if count > 1 else ""
        return rf"{_DRESS}(?i:{re.escape(name)}[ \t*_`]*+[:=|][ \t|*_`]*+{word}{more})[ \t,;.|*_`]*+"

    lines = [line(name, words) for name, words in names]
    block = r"\n" + r"\n(?:[ \t|:-]*+\n){0,2}".join(lines) + r"(?=\n|\Z)"
    block_in = re.compile(block)

    def read(text: str) -> Any:
        for value in last_values(text):
            if (answer := unwrapped(value, from_values)) is not None:
                return answer
        for match in last_matches(block_in, text):
            found = [part for part in match.split("\n") if part.strip(" \t|:-")]
            rows = [re.split(r"[:=|]", part.strip(" \t>|*_`•-"), maxsplit=1)[1] for part in found]
            return from_values([re.findall(r"[^\s,;|&*_`.]+", words) for words in rows])
        return None

    words = "table with a line for each of " + ", ".join(name for name, _ in names)
    return AnswerForm(words=words, lines=(block,), read=read)
