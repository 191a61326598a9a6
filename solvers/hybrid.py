"""Two solvers in a row: the second is asked where the first is doubted, from scratch or from its answer.

bench run --task sudoku --solver hybrid -S first=greedy -S then=trm
bench run --task sudoku --solver hybrid -S first=llm -S first.model=… -S then=trm -S mode=refine
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from harness import registry
from harness.books import prices
from harness.books.ledger import device_usd, spent
from harness.capabilities import DecidedByTask, Refines, SlowToImport
from harness.contracts import (
    Attempt,
    Budget,
    Outcome,
    Parameters,
    Puzzle,
    Solver,
    SolverCard,
    TaskView,
    Usage,
)
from harness.errors import RunError, UserError
from harness.records.folder import RunFolder
from harness.records.jsonlines import sha256_of

Pair = tuple[str, int]
Signal = Literal["halt_score", "votes"]
TOGETHER = 64
"""Doubted attempts that the second solver is asked for at a time: nets want batches, a record wants lines."""
NO_CALLS = Usage(
    input_tokens=0, cached_tokens=0, output_tokens=0, reasoning_tokens=0, charged_usd=0.0, retries=0
)
"""What a solver that asks no model is known not to use."""


@dataclass(frozen=True, kw_only=True)
class Hybrid:
    """Two solvers in a row: a cascade, or propose and refine.

    first, then: solvers by name, their options inside: -S first.model=…. mode: "cascade", `then` starts from
    scratch; "refine", `then` is a net that starts from the answer of `first`. doubt: what `then` is asked
    for. Always where there is no answer, or one that breaks the task's rules; beyond that, where the rules
    say all (`rules`), the halting score (`halt_score`) or the share of votes (`votes`) of `first` is below
    the threshold, or for every puzzle (`always`). threshold: given, or chosen on validated_on, a run of
    `first` on the validation split. An attempt at a puzzle is doubted by itself; its costs are those of both.
    """

    first: Mapping[str, str]
    then: Mapping[str, str]
    mode: Literal["cascade", "refine"] = "cascade"
    doubt: Literal["rules", "halt_score", "votes", "always"] = "rules"
    threshold: float | None = None  # of halt_score or votes; below it `then` is asked
    validated_on: Path | None = None  # run folder of `first` on the validation split, to choose the threshold
    _members: tuple[Solver, Solver] = field(init=False, repr=False, compare=False)
    _chosen: Mapping[str, Any] = field(init=False, default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        given = [name for name in ("threshold", "validated_on") if getattr(self, name) is not None]
        if self.doubt in ("rules", "always") and given:
            raise UserError(
                f"{given[0]} was given with doubt={self.doubt}.",
                rule="A threshold is of a signal: halt_score or votes.",
                next_step=f"Give -S doubt=halt_score, say, or leave {given[0]} out.",
            )
        if self.doubt not in ("rules", "always") and len(given) != 1:
            raise UserError(
                f"doubt={self.doubt} needs a threshold, and {' and '.join(given) or 'none'} was given.",
                rule="It is chosen on the validation split, never on the puzzles that count.",
                next_step="Run the first solver with --split validation and give -S validated_on=RUN_FOLDER.",
            )
        made = tuple(_member(role, getattr(self, role)) for role in ("first", "then"))
        object.__setattr__(self, "_members", made)

    def for_task(self, task: TaskView) -> Hybrid:
        """Return the hybrid whose members are decided for the task, and its threshold chosen."""
        ready = replace(self)
        members = tuple(
            _about(role, member.for_task, task) if isinstance(member, DecidedByTask) else member
            for role, member in zip(("first", "then"), self._members, strict=True)
        )
        if self.mode == "refine":
            then = members[1]
            if not isinstance(then, Refines):
                raise UserError(
                    f"then={self.then['name']} cannot start from an answer.",
                    rule="mode=refine needs a net that was trained to.",
                    next_step="Give -S mode=cascade, or -S then=trm with weights of trm-sudoku-refine.",
                )
            _about("then", then.check_refines)
        object.__setattr__(ready, "_members", members)
        if self.doubt in ("halt_score", "votes"):
            object.__setattr__(ready, "_chosen", self._threshold(task, members[0].card))
        return ready

    @property
    def slow_imports(self) -> tuple[str, ...]:
        """What its members take long to import."""
        return tuple(p for m in self._members if isinstance(m, SlowToImport) for p in m.slow_imports)

    @property
    def card(self) -> SolverCard:
        one, two = (member.card for member in self._members)
        hashes = [card.weights_sha256 for card in (one, two)]
        both = {"first": one, "then": two}
        return SolverCard(
            name="hybrid",
            kind="hybrid",
            parameters=_sum_of(one.parameters, two.parameters),
            model=f"{one.model or one.name} then {two.model or two.name}",
            weights_sha256=sha256_of([*hashes, dict(self._chosen)]) if any(hashes) or self._chosen else None,
            training={r: dict(c.training) for r, c in both.items() if c.training}
            | ({"threshold": dict(self._chosen)} if self._chosen else {}),
            exposure={r: dict(c.exposure) for r, c in both.items() if c.exposure},
            device=" and ".join(dict.fromkeys(c.device for c in (one, two) if c.device)) or None,
            deterministic=one.deterministic and two.deterministic,
        )

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        """Yield the first solver's attempts as they come where they are trusted, the others when the second
        has been asked. Where the first stops early (a cost cap, an outage) its doubted ones are still asked.
        """
        if self.doubt in ("halt_score", "votes") and not self._chosen:
            yield from self.for_task(task).solve(task, puzzles, budget)
            return
        self._check_puzzles(puzzles)
        first, then = self._members
        _about(
            "then", lambda: list(then.solve(task, [], budget))
        )  # one that cannot play says so before any cost
        known = {puzzle.id: puzzle for puzzle in puzzles}
        priced = _Priced([member.card for member in self._members])
        waiting: list[tuple[Attempt, str]] = []
        stopped: RunError | None = None
        found = first.solve(task, puzzles, budget)
        try:
            for attempt in found:
                booked = replace(attempt, usage=priced.complete(attempt.usage, 0))
                reason = self._reason(task, known[attempt.puzzle_id], booked)
                if reason is None:
                    yield replace(booked, detail={**booked.detail, "asked": ["first"]})
                    continue
                waiting.append((booked, reason))
                if len(waiting) >= TOGETHER:
                    yield from self._ask(task, known, budget, waiting, priced)
                    waiting = []
        except UserError as error:
            raise _of_member("first", error) from error
        except RunError as error:
            stopped = error
        finally:
            if isinstance(found, Generator):
                found.close()  # it may hold connections
        if waiting:
            yield from self._ask(task, known, budget, waiting, priced)
        if stopped is not None:
            raise stopped

    def _ask(
        self,
        task: TaskView,
        known: Mapping[str, Puzzle],
        budget: Budget,
        waiting: Sequence[tuple[Attempt, str]],
        priced: _Priced,
    ) -> Iterator[Attempt]:
        """Ask the second solver for doubted attempts; yield each with both costs."""
        doubted = {(attempt.puzzle_id, attempt.attempt): (attempt, why) for attempt, why in waiting}
        ids = list(dict.fromkeys(puzzle for puzzle, _ in doubted))
        puzzles = [known[i] for i in ids]
        done = frozenset((i, k) for i in ids for k in range(budget.attempts)) - doubted.keys()
        inner = replace(budget, done=done, spent_usd=budget.spent_usd + priced.charged)
        then = self._members[1]
        if self.mode == "refine" and isinstance(then, Refines):
            proposals = {p: a.answer for p, (a, _) in doubted.items() if a.outcome is Outcome.ANSWERED}
            found = then.refine(task, puzzles, inner, proposals)
        else:
            found = then.solve(task, puzzles, inner)
        for attempt in found:
            before, why = doubted[attempt.puzzle_id, attempt.attempt]
            yield _joined(before, replace(attempt, usage=priced.complete(attempt.usage, 1)), why)

    def _reason(self, task: TaskView, puzzle: Puzzle, attempt: Attempt) -> str | None:
        """Return why an attempt of the first solver is doubted; None to trust it."""
        if attempt.outcome is not Outcome.ANSWERED:
            return f"no answer: {attempt.outcome}"
        broken = task.violations(puzzle, attempt.answer)
        if broken:
            return f"breaks a rule: {broken[0]}"
        if self.doubt == "always":
            return "always asked"
        if self.doubt == "rules":
            if broken is None:
                raise UserError(
                    f"The rules of {task.name} cannot tell a right answer: doubt=rules would doubt none.",
                    next_step="Give -S doubt=votes, halt_score or always.",
                )
            return None
        seen, least = _signal(self.doubt, attempt.samples, attempt.detail), self._chosen["value"]
        if seen is None:
            raise UserError(
                f"first={self.first['name']} gives no {self.doubt}.",
                rule="A net has a halt_score; what votes over several samples has votes.",
                next_step="Give -S first.samples=8, say, or another -S doubt.",
            )
        return f"{self.doubt} {seen:.4g} below {least:.4g}" if seen < least else None

    def _threshold(self, task: TaskView, first: SolverCard) -> dict[str, Any]:
        """Return the threshold and where it is from, for the card."""
        if self.validated_on is None:
            return {"signal": self.doubt, "value": self.threshold, "chosen": "given by hand"}
        folder = RunFolder(self.validated_on)
        if not folder.exists():
            raise UserError(
                f"{self.validated_on} is no run folder.", next_step="Name a folder of results/runs."
            )
        record = folder.record()
        wrong = [
            f"{what} {theirs}, not {ours}"
            for what, theirs, ours in (
                ("the task", record.task.name, task.name),
                ("the split", record.split, "validation"),
                ("the solver", record.solver.name, first.name),
                ("weights of SHA-256", record.card.weights_sha256, first.weights_sha256),
                ("the model", record.card.model, first.model),
            )
            if theirs != ours
        ]
        if wrong:
            raise UserError(
                f"{self.validated_on} is a run of {wrong[0]}.",
                rule="A threshold is chosen on a run of the first solver on the task's validation split.",
                next_step="Run the first solver alone with --split validation, the same options and weights.",
            )
        seen = [
            (score, a.outcome is Outcome.CORRECT)
            for a in folder.attempts()
            if a.answered and (score := _signal(self.doubt, a.samples, a.detail)) is not None
        ]
        if not seen:
            raise UserError(f"No attempt in {self.validated_on} has {self.doubt}.")
        value, right = best_threshold(seen)
        return {
            "signal": self.doubt,
            "value": value,
            "chosen": f"on run {folder.name}, split validation: {right} of {len(seen)} attempts are rightly "
            "trusted or rightly doubted",
            "puzzles_sha256": record.task.puzzles_sha256,
        }

    def _check_puzzles(self, puzzles: Sequence[Puzzle]) -> None:
        if self.validated_on is not None and any(puzzle.split == "validation" for puzzle in puzzles):
            raise UserError(
                f"The threshold was chosen on {self.validated_on.name}; these puzzles are of the same split.",
                rule="What chose a threshold does not judge it.",
                next_step="Run on the test split.",
            )


def best_threshold(seen: Sequence[tuple[float, bool]]) -> tuple[float, int]:
    """Return the threshold at which most answers are rightly trusted (right, at or above) or rightly doubted
    (wrong, below), the lowest such, and how many those are. seen: (signal, whether right) of each answer.
    """
    ordered = sorted(seen)
    best, most = ordered[0][0], sum(right for _, right in ordered)
    count = most
    for n, (score, right) in enumerate(ordered):
        count += -1 if right else 1  # from here on it is below
        following = ordered[n + 1][0] if n + 1 < len(ordered) else math.nextafter(score, math.inf)
        if following > score and count > most:
            best, most = following, count
    return best, most


def _signal(name: str, samples: int | None, detail: Mapping[str, Any]) -> float | None:
    """Return how sure a solver was: its halting logit, or the share of its samples that voted for the
    answer.
    """
    if name == "halt_score":
        return detail.get("halt_score")
    votes = detail.get("votes")
    return None if votes is None or not samples or samples < 2 else votes / samples


class _Priced:
    """Completes usages with what is known not to have been used and the price of device time, and adds up
    what was charged.
    """

    def __init__(self, cards: Sequence[SolverCard]) -> None:
        table = prices.table(prices.dates()[-1])
        self._hourly = [table.usd_per_device_hour(card.device) for card in cards]
        self._asks = [card.kind in ("llm", "hybrid") for card in cards]
        self.charged = 0.0

    def complete(self, usage: Usage, member: int) -> Usage:
        if not self._asks[member]:
            unused = {n: v for n, v in vars(NO_CALLS).items() if v is not None and getattr(usage, n) is None}
            usage = replace(usage, **unused)
        if usage.usd is None:
            usage = replace(usage, usd=device_usd(usage, self._hourly[member]))
        self.charged += spent(usage)
        return usage


def _joined(first: Attempt, then: Attempt, why: str) -> Attempt:
    """Return the second solver's attempt, or the first's where only that has an answer, with both costs."""
    chosen = first if then.outcome is not Outcome.ANSWERED and first.outcome is Outcome.ANSWERED else then
    other, role = (then, "then") if chosen is first else (first, "first")
    told: dict[str, Any] = {"outcome": str(other.outcome), **other.detail}
    if other.answer is not None:
        told["answer"] = other.answer
    detail = {**chosen.detail, "asked": ["first", "then"], "doubt": why, role: told}
    reply = chosen.reply if chosen.reply is not None else other.reply
    return replace(chosen, usage=first.usage + then.usage, reply=reply, detail=detail)


def _sum_of(one: Parameters, two: Parameters) -> Parameters:
    """Return both ledgers in one; a number that one of them does not know is unknown."""
    sums: dict[str, Any] = {}
    for f in fields(Parameters):
        a, b = getattr(one, f.name), getattr(two, f.name)
        if f.name == "source":
            sums[f.name] = "; ".join(s for s in (a, b) if s) or None
        else:
            sums[f.name] = None if a is None or b is None else a + b
    return Parameters(**sums)


def _member(role: str, options: Mapping[str, str]) -> Solver:
    """Build a member from its name and options."""
    rest = dict(options)
    name = rest.pop("name", None)
    if not name:
        raise UserError(f"{role} names no solver.", next_step=f"Give -S {role}=NAME: `bench list solvers`.")
    if name == "hybrid":
        raise UserError(f"{role} is a hybrid.", rule="A hybrid is of two solvers that are none.")
    made: Solver = _about(role, registry.create, "solver", name, rest)
    return made


def _about(role: str, call: Callable[..., Any], *arguments: Any) -> Any:
    """Call; say of which member the user's mistake is."""
    try:
        return call(*arguments)
    except UserError as error:
        raise _of_member(role, error) from error


def _of_member(role: str, error: UserError) -> UserError:
    return UserError(f"{role}: {error.what}", rule=error.rule, next_step=error.next_step)
