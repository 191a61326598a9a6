"""What all procedures share: a dial for the number of sequential steps, and answers that are computed.

A net is trained on items of 1 to `train_steps` steps and tested on items of exactly `steps`, far beyond if
you like: the dial moves the test split alone. No puzzle's identity holds its number of steps, so that what
stands in one split with few steps stands in no other with many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from harness.contracts import Answer, Item, Key, Puzzle, Unparsed, Verdict
from harness.errors import UserError
from tasks.shared.forms import number_list
from tasks.shared.ruled import Check, RuledTask
from tasks.shared.text_answers import AnswerForm, parse_reply

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from rich.console import RenderableType

Payload = Mapping[str, Any]
COLUMNS = 80  # a drawing fits a terminal of so many
MANY = 1_000_000


def telling(symbols: int) -> int:
    """Return how many of a sequence's first symbols decide its split: enough for a million beginnings.

    Not all of them: a sequence of one split is the beginning of none in another.
    """
    return next(n for n in range(1, 64) if symbols**n >= MANY)


class Procedure(RuledTask):
    """A generated task whose items are done in a known least number of sequential steps: their difficulty.

    steps: sequential steps that an item of the test split takes. train_steps: the most that items of the
    other splits take, each its own number.
    """

    steps: int
    train_steps: int
    least: ClassVar[int] = 1

    def check_steps(self, most: int, why: str) -> None:
        """Raise UserError unless both dials lie between `least` and `most`."""
        for name in ("steps", "train_steps"):
            value = getattr(self, name)
            if not self.least <= value <= most:
                raise UserError(
                    f"{name} is {value} in {self.name}.",
                    rule=f"It is {self.least} to {most}: {why}.",
                    next_step=f"Give -T {name}={min(max(value, self.least), most)}, say.",
                )

    def check_dial(self, name: str, least: int, most: int, why: str = "") -> None:
        """Raise UserError unless a whole-number dial lies between its bounds."""
        value = getattr(self, name)
        if not least <= value <= most:
            raise UserError(
                f"{name} is {value} in {self.name}.",
                rule=f"It is {least} to {most}{': ' + why if why else ''}.",
                next_step=f"Give -T {name}={min(max(value, least), most)}, say.",
            )

    def check_share(self, name: str, least: float, most: float) -> None:
        """Raise UserError unless a dial lies between its bounds; NaN does not."""
        if not least <= getattr(self, name) <= most:
            raise UserError(
                f"{name} is {getattr(self, name)} in {self.name}.", rule=f"It is {least} to {most}."
            )

    def steps_of(self, rng: np.random.Generator, split: str) -> int:
        """Return how many steps the next item of a split takes."""
        return self.steps if split == "test" else int(rng.integers(self.least, self.train_steps + 1))

    @property
    def most_steps(self) -> int:
        """Steps that the canvas of a net has room for."""
        return max(self.steps, self.train_steps)

    def space(self, split: str) -> int | None:
        """Return how many puzzles there are, all splits together, where that may be too few."""
        return None

    def load(self, *, split: str, seed: int, limit: int | None, data_dir: Path | None) -> list[Item]:
        """Generate the first `limit` (`count` if None) items, or read a file's; UserError where there are not
        so many.
        """
        wanted = self.count if limit is None else limit
        if self.file is None and split in self.splits and (space := self.space(split)) is not None:
            held = space // (4 if split == "train" else 8)
            if wanted > held:
                raise UserError(
                    f"{wanted:,} items of the {split} split of {self.name} were asked for; "
                    f"{self.dials() or 'the default dials'} leave about {held:,}.",
                    rule=f"There are {space:,} puzzles in all; a split has its share, each seed a half.",
                    next_step=f"Give --limit {held}." if held else "Choose larger dials with -T.",
                )
        return super().load(split=split, seed=seed, limit=limit, data_dir=data_dir)


class Computed(Procedure):
    """A procedure with one right answer: whole numbers, each given by the rules.

    `constraints` is the share of the numbers that are right.
    """

    noun: ClassVar[str] = "value"
    kinds: ClassVar[tuple[type, ...]] = (int,)  # of number that an answer may hold

    @property
    def across(self) -> int:
        """How many numbers of an answer stand in a drawn line; 0: as many as fit."""
        return 0

    def values(self, payload: Payload) -> list[int]:
        """Carry the procedure out: the numbers that are asked for."""
        raise NotImplementedError

    def allowed(self, payload: Payload) -> Sequence[int]:
        """Return what a number of an answer may be."""
        raise NotImplementedError

    def asked(self, payload: Payload) -> int:
        """Return how many numbers an answer has."""
        raise NotImplementedError

    def rule_of(self, payload: Payload, index: int) -> str:
        """Name the rule that number `index` of an answer, from 0, breaks if it is wrong."""
        raise NotImplementedError

    def drawing(self, payload: Payload) -> str:
        """Draw the puzzle, at most 80 columns wide."""
        raise NotImplementedError

    def flat(self, answer: Answer) -> Answer:
        """Return an answer's numbers in a row; what is not of the right form as it is."""
        return answer

    def shaped(self, values: list[int]) -> Answer:
        """Return numbers in a row as an answer."""
        return values

    def fault(self, payload: Payload, answer: Answer) -> str | None:
        """Say why an answer is not of the right form; None if it is. Total."""
        n, answer = self.asked(payload), self.flat(answer)
        if not isinstance(answer, list):
            return f"not a list of {n} numbers"
        if len(answer) != n:
            return f"{len(answer):,} numbers where {n} are asked for"
        allowed = self.allowed(payload)
        for index, value in enumerate(answer):
            if type(value) not in self.kinds or value not in allowed:
                return f"{self.noun} {index + 1} is {str(value)[:40]}, which is none of {_span(allowed)}"
        return None

    def check(self, puzzle: Puzzle, answer: Answer) -> Check:
        if (fault := self.fault(puzzle.payload, answer)) is not None:
            return Check.malformed(fault)
        found = Check()
        for index, (mine, right) in enumerate(
            zip(self.flat(answer), self.values(puzzle.payload), strict=True)
        ):
            found.rule(
                "values",
                mine == right,
                "" if mine == right else f"{self.noun} {index + 1}: {self.rule_of(puzzle.payload, index)}",
            )
        return found

    def judge(self, puzzle: Puzzle, key: Key, answer: Answer) -> Verdict:
        found = self.check(puzzle, answer)
        last = "form" not in found.asked and self.flat(answer)[-1] == self.flat(key.answers[0])[-1]
        return Verdict(correct=found.feasible, numbers=found.numbers() | {"last": float(last)})

    def form(self, payload: Payload) -> AnswerForm:
        """Return how an answer stands in a reply: whole numbers in a row."""
        allowed = self.allowed(payload)
        ends = (allowed[0], allowed[-1]) if isinstance(allowed, range) else allowed  # one may hold millions
        numbers = number_list(self.asked(payload), None, min(0, *ends), max(ends))
        return replace(numbers, open_ended=True)  # the last number may be cut short

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        return parse_reply(reply, self.form(puzzle.payload))

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Draw every number from what it may be."""
        allowed = self.allowed(puzzle.payload)
        drawn = rng.integers(0, len(allowed), self.asked(puzzle.payload)).tolist()
        return self.shaped([int(allowed[i]) for i in drawn])

    def search(self, puzzle: Puzzle) -> Answer:
        """Carry the procedure out."""
        return self.shaped(self.values(puzzle.payload))

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        """Draw the puzzle; the answer below it, yellow, with a key green where it is right, else red."""
        from rich.text import Text

        text = Text(self.drawing(puzzle.payload))
        if answer is None:
            return text
        if (fault := self.fault(puzzle.payload, answer)) is not None:
            return text.append(f"\n{fault}", style="red")
        values = self.flat(answer)
        rights = None if key is None else self.flat(key.answers[0])
        width = max(len(str(value)) for value in values)
        each = self.across or COLUMNS // (width + 1)
        for index, value in enumerate(values):
            right = None if rights is None else rights[index] == value
            style = "yellow" if right is None else "green" if right else "red"
            text.append("\n" if index % each == 0 else " ").append(f"{value:>{width}}", style=style)
        return text


def _span(allowed: Sequence[int]) -> str:
    if isinstance(allowed, range):
        return f"{allowed[0]} to {allowed[-1]}"
    return f"{', '.join(map(str, allowed[:3]))}, … {allowed[-1]}"


def wrapped(values: Sequence[object], before: str = "") -> str:
    """Write values separated by blanks in lines of at most 80 columns."""
    import textwrap

    return textwrap.fill(before + " ".join(map(str, values)), COLUMNS)
