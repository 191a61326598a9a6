"""Two data sets of reasoning-gym in words, knights and knaves and zebra puzzles: sentences become clues."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harness.contracts import Answer

Payload = dict[str, Any]
Read = tuple[Payload, tuple[Answer, ...]]

NAME = r"[A-Z][a-z]+"
SAID = re.compile(  # who says what: before the words, after them, or reported
    rf"(?:In a statement by |According to |As |In )?(?P<before>{NAME})(?:'s words| [a-z ]+?)?[:,] "
    r'"(?P<one>[^"]+)"\.?'
    rf'|"(?P<two>[^"]+?),?" (?:- )?(?P<after>{NAME})(?: [a-z]+)?\.'
    rf"|(?P<reporting>{NAME}) [a-z ]+? that (?P<three>[^\"]+?)\.(?= |$)"
)
NAMES = {  # of the attributes, by how the source announces them
    "Each person has a unique name": "name",
    "The people are of nationalities": "nationality",
    "People use different phone models": "phone",
    "Each person has a favorite drink": "drink",
    "Everyone has something different for lunch": "lunch",
    "Each person has a favorite color": "colour",
    "Each mother is accompanied by their child": "child",
    "Everyone has a favorite smoothie": "smoothie",
    "They all have a different favorite flower": "flower",
    "The people keep different animals": "animal",
    "Everyone has a different favorite cigar": "cigar",
}
OTHERWISE = {"brit": "british", "horse": "horses"}  # how a clue calls a value
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


def knights(question: str, expected: str) -> Read:
    """Read who says what. Truth-tellers and liars have other names each time."""
    told = re.search(
        r"inhabited only by (\w+?)s and (\w+?)s\. .*? inhabitants: (.*?)\. (.*) So who is", question
    )
    if told is None:
        raise ValueError("it tells of no inhabitants")
    knight, knave, listed, rest = told.groups()
    people = re.findall(NAME, listed)
    kinds = {knight: "knight", knave: "knave"}
    said: dict[str, list[Any]] = {}
    for match in SAID.finditer(rest):
        who = match["before"] or match["after"] or match["reporting"]
        words = match["one"] or match["two"] or match["three"]
        said[who] = _Statement(words.strip(" .,"), people, kinds).read()
    if list(said) != people:
        raise ValueError(f"{', '.join(people)} speak, and {', '.join(said) or 'nobody'} was understood")
    answer = [kinds[re.search(rf"{name} is an? (\w+)", expected)[1]] for name in people]  # type: ignore[index]
    return {"people": people, "statements": [said[name] for name in people]}, (answer,)


class _Statement:
    """A statement in words, taken apart: claims, brackets, and, or, if … then, if and only if, not."""

    def __init__(self, words: str, people: list[str], kinds: dict[str, str]) -> None:
        self.people, self.kinds = people, kinds
        self.tokens = re.findall(r"[()]|it is not the case that|if and only if|\w+ is an? \w+|\w+", words)

    def read(self) -> list[Any]:
        found = self._whole()
        if self.tokens:
            raise ValueError(f"{' '.join(self.tokens)[:40]!r} follows a whole statement")
        return found

    def _whole(self) -> list[Any]:
        if self._next("it is not the case that"):
            return ["not", self._part()]
        if self._next("if"):
            first = self._part()
            if not self._next("then"):
                raise ValueError("an if has no then")
            return ["if", first, self._part()]
        found = self._part()
        while self.tokens and self.tokens[0] in ("and", "or", "if and only if"):
            head = self.tokens.pop(0)
            found = ["same" if head.startswith("if") else head, found, self._part()]
        return found

    def _part(self) -> list[Any]:
        if self._next("("):
            found = self._whole()
            if not self._next(")"):
                raise ValueError("a bracket is not closed")
            return found
        claim = re.fullmatch(r"(\w+) is an? (\w+)", self.tokens.pop(0) if self.tokens else "")
        if claim is None or claim[1] not in self.people or claim[2] not in self.kinds:
            raise ValueError(f"{claim[0] if claim else 'something'!r} is no claim about somebody")
        return ["is", self.people.index(claim[1]), self.kinds[claim[2]]]

    def _next(self, token: str) -> bool:
        if self.tokens and self.tokens[0] == token:
            self.tokens.pop(0)
            return True
        return False


def knights_as_ours(text: str, payload: Payload, question: str) -> str:
    """Write "Ada is a sage, and Bela is a fool" as lines of ours, wherever it stands."""
    told = re.search(r"inhabited only by (\w+?)s and (\w+?)s\.", question)
    if told is None:
        return text
    kinds = {told[1].lower(): "knight", told[2].lower(): "knave"}
    dress = r"[*_`\s]*+"
    word = "|".join(kinds)
    each = [
        rf"{name}{dress}(?:is{dress}(?:an?{dress})?|:{dress})(?i:({word})){dress}"
        for name in payload["people"]
    ]
    between = r"[,.;]?(?: and)?[*_`\s-]*"
    whole = re.compile("[*_`]*" + between.join(each))

    def lines(match: re.Match[str]) -> str:
        pairs = zip(payload["people"], match.groups(), strict=True)
        return "\n" + "\n".join(f"{name}: {kinds[kind.lower()]}" for name, kind in pairs) + "\n"

    return whole.sub(lines, text)


def zebra(question: str, expected: str) -> Read:
    """Read attributes, clues of four kinds, and which name is asked for."""
    listed = re.findall(r"^ - (.+?): (.+)$", question, re.MULTILINE)
    attributes = {NAMES[title]: values.split(", ") for title, values in listed}
    asked = re.search(r"What is Name of the person who lives in House (\d+)", question)
    if asked is None or "name" not in attributes:
        raise ValueError("it asks for no name")
    clues = [_clue(line, attributes) for line in re.findall(r"^\d+\. (.+)\.$", question, re.MULTILINE)]
    houses = len(attributes["name"])
    place = [list(attributes).index("name"), int(asked[1]) - 1]
    return {"houses": houses, "attributes": attributes, "clues": clues, "asked": place}, (expected.strip(),)


def _clue(words: str, attributes: dict[str, list[str]]) -> list[Any]:
    words = words.lower()
    if found := re.fullmatch(rf"(.+) is in the ({'|'.join(ORDINALS)}) house", words):
        return ["at", *_value(found[1], attributes), ORDINALS.index(found[2])]
    if found := re.fullmatch(r"(.+) is directly left of (.+)", words):
        return ["left", *_value(found[1], attributes), *_value(found[2], attributes)]
    if found := re.fullmatch(r"(.+) and (.+) are next to each other", words):
        return ["next", *_value(found[1], attributes), *_value(found[2], attributes)]
    for one, other in _halves(words):  # "the person who is a pizza lover is bob": at which "is"?
        try:
            return ["same", *_value(one, attributes), *_value(other, attributes)]
        except ValueError:
            continue
    raise ValueError(f"the clue {words!r} is of no known kind")


def _halves(words: str) -> Iterator[tuple[str, str]]:
    for found in re.finditer(r" is ", words):
        yield words[: found.start()], words[found.end() :]


def _value(words: str, attributes: dict[str, list[str]]) -> list[int]:
    """Return the attribute and value that words name: the longest value in them; a child is always said to be
    one. Raises ValueError for none or two.
    """
    of_child = "child" in words or "mother" in words
    found = [
        (len(value), [a, v])
        for a, (name, values) in enumerate(attributes.items())
        for v, value in enumerate(values)
        if (name == "child") == of_child
        and re.search(rf"\b{re.escape(OTHERWISE.get(value.lower(), value.lower()))}\b", words)
    ]
    longest = max(found, default=(0, []))
    if not longest[1] or len(words.split()) > 10:
        raise ValueError(f"{words!r} names no value")
    return longest[1]
