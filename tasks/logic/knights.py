"""Knights and knaves: knights always tell the truth, knaves always lie. Who is what?

The kind of puzzle is Raymond Smullyan's ("What Is the Name of This Book?", 1978); as a test of language
models with a dial it is known from arXiv 2410.23123. Statements and names here are our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from harness import own
from harness.base import Belongs, Drawn
from harness.contracts import Answer, GridCodec, Key, Puzzle, Unparsed
from harness.errors import UserError
from tasks.logic.identity import refined
from tasks.logic.knights_grid import COUNTS, KNAVE, KNIGHT, PAIRS, WIDTH, KnightsGrid, Statement
from tasks.logic.text import named_words
from tasks.shared.reading import read_words
from tasks.shared.ruled import Check, RuledTask
from tasks.shared.text_answers import parse_reply

if TYPE_CHECKING:
    import numpy as np
    from rich.console import RenderableType

DEEPEST = 8  # statements in one another, in a file
NAMES = ("Ada", "Bela", "Chike", "Dunya", "Emre", "Freya", "Goran", "Hana", "Idris", "Jana", "Kofi", "Lena")


@dataclass(frozen=True, kw_only=True)
class KnightsKnaves(RuledTask):
    """Knights and knaves: n people, a statement each, one solution

    The payload is {"people": names, "statements": one of each person}; an answer is "knight" or "knave" for
    each person, in order. Statements say what somebody is, that two such claims hold together, that one of
    them does, that one follows from the other, that both are true or both false, that such a pair is not so,
    or how many knights there are.

    A puzzle's `difficulty` is the number of claims in all statements. Verdict numbers: `feasible`;
    `constraints`, the share of people whose statement fits what they are said to be.
    """

    people: int = 5  # who speak

    name = "knights-knaves"

    def __post_init__(self) -> None:
        if self.file is not None:
            object.__setattr__(self, "people", own.one_size(self.file, _people))
            return
        if not 2 <= self.people <= len(NAMES):
            raise UserError(f"people={self.people}.", rule=f"2 to {len(NAMES)} people.")

    @property
    def family(self) -> str:
        return f"knights-knaves-{self.people}"

    @property
    def chance(self) -> float:
        return 2.0**-self.people

    @cached_property
    def grid(self) -> GridCodec | None:
        """None for a file with statements longer than those that are drawn: nets have no room for them."""
        if self.file is not None and max(own.measured(self.file, _longest)) >= WIDTH:
            return None
        return KnightsGrid(self.people)

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        n = self.people
        truth = int(rng.integers(2**n))  # bit i: person i is a knight
        statements: list[Statement] = []
        for i in range(n):
            statement = _draw_statement(n, rng)
            while bool(table(statement, n) >> truth & 1) != bool(truth >> i & 1):
                statement = _draw_statement(n, rng)
            statements.append(statement)
        if consistent(statements, n) != 1 << truth:  # the proof that every puzzle comes with
            return None
        identity = f"{n} " + refined([0] * n, lambda i, colours: _described(i, statements, colours))
        if not belongs(identity):
            return None
        return Drawn(
            identity=identity,
            payload={"people": list(NAMES[:n]), "statements": statements},
            answers=(_words(truth, n),),
            difficulty=float(sum(_claims(statement) for statement in statements)),
        )

    def check(self, puzzle: Puzzle, answer: Answer) -> Check:
        people, n = puzzle.payload["people"], len(puzzle.payload["people"])
        words = read_words(answer, n, (KNIGHT, KNAVE))
        if isinstance(words, str):
            return Check.malformed(words)
        check = Check()
        truth = sum((word == KNIGHT) << i for i, word in enumerate(words))
        for i, statement in enumerate(puzzle.payload["statements"]):
            says = bool(table(statement, n) >> truth & 1)
            otherwise = f"{people[i]} would be a {words[i]} and say something {'true' if says else 'false'}"
            check.rule("statements", says == (words[i] == KNIGHT), otherwise)
        return check

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Toss a coin for everyone."""
        n = len(puzzle.payload["people"])
        return _words(int(rng.integers(2**n)), n)

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Take all for knights, then change the one that mends most, as long as that mends anything."""
        n, statements = len(puzzle.payload["people"]), puzzle.payload["statements"]
        fits = [_agreement(statement, i, n) for i, statement in enumerate(statements)]

        def kept(truth: int) -> int:
            return sum(fit >> truth & 1 for fit in fits)

        truth = 2**n - 1
        while (best := max((truth ^ (1 << i) for i in range(n)), key=kept)) and kept(best) > kept(truth):
            truth = best
        return _words(truth, n)

    def search(self, puzzle: Puzzle) -> Answer | None:
        """Read the solution off the truth tables: the first, if there are several."""
        n = len(puzzle.payload["people"])
        left = consistent(puzzle.payload["statements"], n)
        return _words((left & -left).bit_length() - 1, n) if left else None

    def prompt(self, puzzle: Puzzle) -> str:
        people = puzzle.payload["people"]
        said = "\n".join(
            f'{name} says: "{sentence(statement, people)}"'
            for name, statement in zip(people, puzzle.payload["statements"], strict=True)
        )
        return (
            f"{len(people)} people live on an island: {', '.join(people)}. Each is a knight or a knave. "
            'All that a knight says is true, all that a knave says is false. "A or B" is also true if both '
            'are; "if A then B" is false only if A is true and B is not.\n\n'
            f"{said}\n\nThere is exactly one way this can be. Say what each of them is, one line for each "
            "person in the order above, the name, a colon, and knight or knave, inside a fenced block marked "
            "answer. For two people it might be:\n```answer\nAda: knave\nBela: knight\n```"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        kinds = dict.fromkeys(puzzle.payload["people"], (KNIGHT, KNAVE))
        return parse_reply(reply, named_words(kinds, 1))

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        """List who says what and what the answer takes them for; with a key green where right, else red."""
        from rich.text import Text

        people = puzzle.payload["people"]
        check = None if answer is None else self.check(puzzle, answer)
        if check is not None and "form" in check.asked:
            return Text(f"no kind for each person: {check.broken[0]}", style="red")
        text = Text()
        for i, (name, statement) in enumerate(zip(people, puzzle.payload["statements"], strict=True)):
            text.append(f"{name:6}", style="bold")
            if answer is not None:
                right = key is None or answer[i] == key.answers[0][i]
                text.append(
                    f"{answer[i]:7}", style="blue" if key is None else "green" if right else "bold red"
                )
            text.append(f"“{sentence(statement, people)}”\n")
        return text


def _people(payload: Mapping[str, Any]) -> int:
    """Return how many people speak. Raises ValueError for what is no puzzle."""
    people, statements = payload["people"], payload["statements"]
    if not isinstance(people, list) or not all(isinstance(name, str) and name for name in people):
        raise ValueError("people is no list of names")
    if not 2 <= len(people) == len(set(people)) <= len(NAMES) or len(statements) != len(people):
        raise ValueError(f"it is not of 2 to {len(NAMES)} people with different names, each with a statement")
    for statement in statements:
        _whole(statement, len(people), 0)
    return len(people)


def _whole(statement: Any, n: int, depth: int) -> int:
    """Return how many words a statement takes in prefix notation. Raises ValueError for what is none."""
    if depth > DEEPEST or not isinstance(statement, list) or not statement:
        raise ValueError(f"{str(statement)[:60]} is no statement, or has more than {DEEPEST} in one another")
    head, *parts = statement
    if head == "is" and len(parts) == 2 and type(parts[0]) is int and 0 <= parts[0] < n:
        if parts[1] in (KNIGHT, KNAVE):
            return 1
    elif head in COUNTS and len(parts) == 1 and type(parts[0]) is int and 0 <= parts[0] <= n:
        return 2
    elif (head == "not" and len(parts) == 1) or (head in PAIRS and len(parts) == 2):
        return 1 + sum(_whole(part, n, depth + 1) for part in parts)
    raise ValueError(f"{str(statement)[:60]} is no statement about people 0 to {n - 1}")


def _longest(payload: Mapping[str, Any]) -> int:
    return max(_whole(statement, len(payload["people"]), 0) for statement in payload["statements"])


def _draw_statement(n: int, rng: np.random.Generator) -> Statement:
    def claim(other_than: int = -1) -> Statement:
        person = int(rng.integers(n))
        while person == other_than:
            person = int(rng.integers(n))
        return ["is", person, (KNIGHT, KNAVE)[int(rng.integers(2))]]

    form = int(rng.integers(8))
    if form < 2:
        return claim()
    if form == 2:
        return [COUNTS[int(rng.integers(3))], int(rng.integers(n + 1))]
    first = claim()
    pair = [PAIRS[int(rng.integers(4))], first, claim(first[1])]
    return ["not", pair] if form == 3 else pair


def table(statement: Statement, n: int) -> int:
    """Return the truth table: bit w says whether the statement is true where bit i of w says that person i is
    a knight.
    """
    everything = _all(n)
    head = str(statement[0])
    if head == "is":
        knights = _knights(statement[1], n)
        return knights if statement[2] == KNIGHT else everything & ~knights
    if head in COUNTS:
        return _counted(head, statement[1], n)
    one = table(statement[1], n)
    if head == "not":
        return everything & ~one
    other = table(statement[2], n)
    if head == "and":
        return one & other
    if head == "or":
        return one | other
    return everything & (~one | other) if head == "if" else everything & ~(one ^ other)


def _all(n: int) -> int:
    return (1 << (1 << n)) - 1


@cache
def _knights(person: int, n: int) -> int:
    return sum(1 << world for world in range(1 << n) if world >> person & 1)


@cache
def _counted(how: str, number: int, n: int) -> int:
    """Return the worlds with exactly, at least or at most so many knights."""

    def holds(knights: int) -> bool:
        return (
            knights == number
            if how == "exactly"
            else (knights > number) == (how == "at least") or (knights == number)
        )

    return sum(1 << world for world in range(1 << n) if holds(world.bit_count()))


def _agreement(statement: Statement, speaker: int, n: int) -> int:
    """Return the worlds in which the speaker may say so."""
    return _all(n) & ~(table(statement, n) ^ _knights(speaker, n))


def consistent(statements: list[Statement], n: int) -> int:
    """Return the worlds in which everybody may say what they do."""
    left = _all(n)
    for speaker, statement in enumerate(statements):
        left &= _agreement(statement, speaker, n)
    return left


def _words(truth: int, n: int) -> list[str]:
    return [KNIGHT if truth >> i & 1 else KNAVE for i in range(n)]


def _claims(statement: Statement) -> int:
    return 1 if statement[0] in ("is", *COUNTS) else sum(_claims(part) for part in statement[1:])


def _described(person: int, statements: list[Statement], colours: Any) -> Any:
    """Describe a person by what they say and by who says what of them, people named by their colours."""

    def seen(statement: Statement, marked: int) -> str:
        head = statement[0]
        if head == "is":
            return f"is {colours[statement[1]]}{'*' * (statement[1] == marked)} {statement[2]}"
        if head in COUNTS:
            return f"{head} {statement[1]}"
        parts = [seen(part, marked) for part in statement[1:]]
        return f"{head}({', '.join(parts if head == 'if' else sorted(parts))})"

    of_them = [
        (colours[i], seen(statement, person))
        for i, statement in enumerate(statements)
        if _mentions(statement, person)
    ]
    return seen(statements[person], person), sorted(of_them)


def _mentions(statement: Statement, person: int) -> bool:
    if statement[0] == "is":
        return bool(statement[1] == person)
    return statement[0] not in COUNTS and any(_mentions(part, person) for part in statement[1:])


def sentence(statement: Statement, people: list[str]) -> str:
    """Return a statement in words."""
    said = _said(statement, people)
    return f"{said[0].upper()}{said[1:]}."


def _said(statement: Statement, people: list[str]) -> str:
    head = statement[0]
    if head == "is":
        return f"{people[statement[1]]} is a {statement[2]}"
    if head in COUNTS:
        return f"{head} {statement[1]} of the {len(people)} of us are knights"
    if head == "not":
        return f"it is false that {_said(statement[1], people)}"
    one, other = (_said(part, people) for part in statement[1:])
    if head == "same":
        return f"{one} if and only if {other}"
    return f"if {one}, then {other}" if head == "if" else f"{one} {head} {other}"
