"""What the optimisation families share: an objective beside the rules, the gap to the proved optimum, frozen
test sets.

A family says how an instance is drawn (`instance`), what all its copies share (`identity`), its rules
(`check`), what an answer is worth (`value`) and how to solve it exactly (`solve`). Labels are the
lexicographically smallest optimum.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.base import Belongs, Drawn
from harness.contracts import CORRECT, Answer, Item, Key, Method, Metric, Puzzle, Verdict
from harness.errors import UserError, did_you_mean
from harness.randomness import generator
from tasks.shared.ruled import Check, RuledTask

if TYPE_CHECKING:
    import numpy as np

    from tasks.optimisation.integer_programs import IntegerProgram

Payload = Mapping[str, Any]
FROZEN = Path(__file__).parent / "frozen"
SCORES = (
    Metric(name="optimal"),
    Metric(name="optimal_0.1%", number="optimal_0.1%"),
    Metric(name="optimal_5%", number="optimal_5%"),
    Metric(name="feasible", number="feasible"),
    Metric(name="constraints", number="constraints"),
    Metric(name="gap", number="gap", better="low", missing=1.0, among="feasible"),
    Metric(name="gap_all", number="gap_all", better="low", missing=1.0),
)


class OptimisationTask(RuledTask):
    """A task with an objective. Beside those of `Check`, verdict numbers are:

    `gap`, how far the answer's value lies behind the optimum, as a share of it (1 where the answer is
    infeasible; its metric is over feasible answers alone); `gap_all`, the same with everything infeasible or
    worse counted as 1; `optimal_0.1%` and `optimal_5%`, feasible with a gap of at most so much. `correct` is
    feasible with no gap.
    """

    sense: ClassVar[Literal["min", "max"]]
    exact: ClassVar[float] = 1e-9  # the largest gap that counts as none
    measured: ClassVar[Mapping[str, float]] = {
        "": 0.0
    }  # what `random` scores, by the dials it was measured at
    metrics: tuple[Metric, ...] = SCORES

    @property
    def chance(self) -> float:
        """As measured at the dials of the frozen sets; at others estimated from a sample."""
        known = self.measured.get(self.dials())
        return _estimated_chance(self) if known is None else known

    def instance(self, rng: np.random.Generator) -> Payload | None:
        """Draw the payload of one instance; None to draw again."""
        raise NotImplementedError

    def identity(self, payload: Payload) -> str:
        """Return what all symmetric copies of an instance share."""
        raise NotImplementedError

    def solve(self, payload: Payload) -> tuple[Answer, float] | None:
        """Return the lexicographically smallest optimal answer and its value; None if nothing is feasible."""
        raise NotImplementedError

    def value(self, payload: Payload, answer: Answer) -> float:
        """Return the objective of a well-formed answer."""
        raise NotImplementedError

    def copies(self, payload: Payload) -> Sequence[Payload]:
        """Return symmetric copies of an instance to train on, itself first; each is solved anew for its
        label.
        """
        return [payload]

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Draw a well-formed answer."""
        raise NotImplementedError

    def greedy(self, puzzle: Puzzle) -> Answer | None:
        """Answer by the family's simple rule."""
        raise NotImplementedError

    def search(self, puzzle: Puzzle) -> Answer | None:
        """Return the lexicographically smallest optimum."""
        found = self.solve(puzzle.payload)
        return None if found is None else found[0]

    @property
    def methods(self) -> Mapping[str, Method]:
        """Beside `random`, `greedy` and `search`: the general solvers `cp-sat` and `highs` (extra
        `optimisation`).
        """
        from tasks.optimisation.integer_programs import PROGRAMS, SOLVERS

        def by(solver: Callable[[IntegerProgram], Answer | None]) -> Method:
            return lambda puzzle, rng: solver(PROGRAMS[self.name](puzzle.payload))  # noqa: ARG005

        general = SOLVERS if self.name in PROGRAMS else {}
        return {**super().methods, **{name: by(solver) for name, solver in general.items()}}

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        payload = self.instance(rng)
        if payload is None or not belongs(identity := self.identity(payload)):
            return None
        if (solved := self.solve(payload)) is None:
            return None
        answer, optimum = solved
        return Drawn(
            identity=identity,
            payload=payload,
            answers=(answer,),
            optimum=optimum,
            difficulty=self._greedy_gap(payload, optimum),
        )

    def item(self, split: str, seed: int, index: int) -> Item:
        """Return a frozen item where there is one (test split, seed 0), else generate it."""
        rows = frozen_rows(self.frozen_name) if (split, seed) == ("test", 0) else ()
        if index >= len(rows):
            return super().item(split, seed, index)
        row, name = rows[index], f"{split}-{seed}-{index}"
        puzzle = Puzzle(
            id=name, group=name, split=split, payload=row["payload"], difficulty=row["difficulty"]
        )
        return puzzle, Key(answers=(row["answer"],), optimum=row["optimum"])

    @property
    def frozen_name(self) -> str:
        """Name of the frozen test set of these dials, if there is one."""
        return f"{self.name},{dials}" if (dials := self.dials()) else self.name

    def judge(self, puzzle: Puzzle, key: Key, answer: Answer) -> Verdict:
        found = self.check(puzzle, answer)
        return self.verdict(found, self.gap(puzzle.payload, key, answer) if found.feasible else None)

    def gap(self, payload: Payload, key: Key, answer: Answer) -> float:
        """Return how far a feasible answer lies behind the optimum, as a share of it."""
        return behind(self.value(payload, answer), self.best_known(payload, key), self.sense)

    def best_known(self, payload: Payload, key: Key) -> float:
        """Return the optimum; where a file of own puzzles gives none, the value of its reference answer."""
        return self.value(payload, key.answers[0]) if key.optimum is None else key.optimum

    def verdict(self, found: Check, gap: float | None) -> Verdict:
        """Put the numbers together; `gap` is None where the answer is infeasible."""
        gap_all = 1.0 if gap is None else min(gap, 1.0)
        numbers = {
            "optimal_0.1%": float(gap is not None and gap <= 1e-3),
            "optimal_5%": float(gap is not None and gap <= 5e-2),
            **found.numbers(),
            "gap": 1.0 if gap is None else gap,
            "gap_all": gap_all,
        }
        absent = {m.number: m.missing for m in self.metrics if m.number not in (*numbers, CORRECT)}
        return Verdict(correct=gap is not None and gap <= self.exact, numbers=numbers | absent)

    def _greedy_gap(self, payload: Payload, optimum: float) -> float:
        """How far the greedy rule falls behind: the measure of difficulty of all these families."""
        puzzle = Puzzle(id="", group="", split="", payload=payload)
        answer = self.greedy(puzzle)
        if answer is None or not self.check(puzzle, answer).feasible:
            return 1.0
        return round(behind(self.value(payload, answer), optimum, self.sense), 6)

    def _one_of(self, known: Sequence[str], **dials: str) -> None:
        """Raise UserError for a dial that is none of the known words."""
        for name, value in dials.items():
            if value not in known:
                raise UserError(f"No {self.name} with {name}={value!r}.", rule=did_you_mean(value, known))

    def _within(self, low: float, high: float, **dials: float) -> None:
        """Raise UserError for a dial outside its range."""
        for name, value in dials.items():
            if not low <= value <= high:
                raise UserError(f"No {self.name} with {name}={value}.", rule=f"It is {low} to {high}.")


def behind(value: float, optimum: float, sense: Literal["min", "max"]) -> float:
    """Return how far a value lies behind the optimum, as a share of it; of 1 where the optimum is 0."""
    difference = value - optimum if sense == "min" else optimum - value
    return difference / (abs(optimum) or 1.0)


@cache
def _estimated_chance(task: OptimisationTask) -> float:
    """Return the share of random answers that are optimal, of 40 to each of 120 instances."""
    right = 0
    for index in range(120):
        puzzle, key = task.item("validation", 0, index)
        for draw in range(40):
            answer = task.random_answer(puzzle, generator("chance", task.name, index, draw))
            right += task.judge(puzzle, key, answer).correct
    return right / (120 * 40)


@cache
def frozen_rows(name: str) -> tuple[dict[str, Any], ...]:
    """Read a frozen test set; empty if there is none of this name."""
    file = FROZEN / f"{name}.json.xz"
    if not file.is_file():
        return ()
    return tuple(json.loads(lzma.decompress(file.read_bytes()))["rows"])


def at_most(most: int, number: int, what: str) -> None:
    """Raise ValueError for an instance, from a file of one's own, that the exact search is not made for."""
    if number > most:
        raise ValueError(f"{number} {what}; the exact search is made for at most {most}")


def numbers_fault(answer: Answer, count: int, low: int, high: int, what: str) -> str | None:
    """Say why an answer is not `count` whole numbers from `low` to `high`; None if it is."""
    if not isinstance(answer, list):
        return f"the answer is no list of {count} {what}"
    if len(answer) != count:
        return f"{len(answer):,} {what} where {count} are asked for"
    for place, number in enumerate(answer, start=1):
        if type(number) is not int or not low <= number <= high:
            return f"number {place} of {count}, {said(number)}, is no whole number from {low} to {high}"
    return None


def said(value: object) -> str:
    """Return a value as a message may show it, however large it is."""
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:40] + "…")
    if value is None or isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 10**18):
        return str(value)
    return f"a {type(value).__name__}"
