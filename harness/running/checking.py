"""What a solver yields, checked and judged: the record of an attempt, or what is wrong with the solver."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from harness.books.ledger import device_usd
from harness.contracts import Attempt, Outcome, Sample, TracePoint, Usage
from harness.errors import RunError
from harness.judging import judged_samples, rules_broken, verdict
from harness.records import migrate
from harness.records.decode import DamagedError
from harness.records.normal import SMALL, json_value, normal, same
from harness.records.schema import OUTCOMES, AttemptRecord, Line, TraceRecord, known
from harness.running.items import Pairs
from harness.running.plan import Plan

NUMBERS = (float, int)
YIELDED = frozenset({Outcome.ANSWERED, *OUTCOMES} - {Outcome.CORRECT, Outcome.WRONG, Outcome.NOT_RUN})
"""Outcomes that a solver may yield."""
BARE = frozenset({"schema", "puzzle", "attempt", "outcome", "numbers", "usage", "at", "answer", "broken"})
"""Fields of a line that are looked at one by one as it is made; one that has others is read again to see."""
MANY = {"trace": TracePoint, "candidates": Sample}


def judged(
    plan: Plan, attempt: Attempt, seen: Pairs, usd_per_device_hour: float | None
) -> tuple[AttemptRecord, Line]:
    """Check that the plan asked for this attempt, bring its answers into their normal form, judge them, and
    return the record and its line.
    """
    if not isinstance(attempt, Attempt):
        raise _fault(plan, f"yielded {type(attempt).__name__} {attempt!r} where an Attempt belongs")
    pair = (attempt.puzzle_id, attempt.attempt)

    def plain(value: Any, read: Callable[[Any], Any] = json_value) -> Any:
        """Return what may be recorded of a value, or say what is wrong with the solver."""
        if value is None:
            return None
        try:
            return read(value)
        except ValueError as error:
            raise _fault(plan, f"yielded something that is not JSON for {pair}: {error}") from None

    if not isinstance(attempt.puzzle_id, str) or (item := plan.items.get(attempt.puzzle_id)) is None:
        raise _fault(plan, f"yielded an attempt at the unknown puzzle {attempt.puzzle_id!r}")
    puzzle, key = item
    most, number = plan.record.attempts_per_puzzle, attempt.attempt
    if type(number) is not int:
        number = plain(number)
    if type(number) is not int or not 0 <= number < most:
        raise _fault(plan, f"yielded attempt {pair}, but attempts are 0 to {most - 1}")
    if (attempt.puzzle_id, number) in seen:
        raise _fault(plan, f"yielded attempt {pair} twice, or again although it is recorded")
    if not isinstance(attempt.outcome, str) or attempt.outcome not in YIELDED:
        raise _fault(
            plan, f"yielded the outcome {str(attempt.outcome)!r} for {pair}, which only the runner may give"
        )
    if attempt.outcome == Outcome.ANSWERED and attempt.answer is None:
        raise _fault(plan, f"yielded {pair} as answered without an answer")
    if not isinstance(attempt.usage, Usage):
        raise _fault(plan, f"yielded {pair} with {attempt.usage!r} where a Usage belongs")
    for name, kind in MANY.items():
        if not isinstance(many := getattr(attempt, name), tuple | list):
            raise _fault(plan, f"yielded {pair} with the {name} {many!r} where a tuple belongs")
        for one in many:
            if not isinstance(one, kind):
                raise _fault(plan, f"yielded {pair} with {one!r} where a {kind.__name__} belongs")
    if type(attempt.detail) is not dict and not isinstance(attempt.detail, Mapping):
        raise _fault(plan, f"yielded {pair} with the detail {attempt.detail!r} where a mapping belongs")

    metrics = plan.record.metrics
    usage = attempt.usage
    usual = type(usage) is Usage
    for value in vars(usage).values():
        usual = usual and (value is None or (type(value) in NUMBERS and 0 <= value < SMALL))
    if not usual:
        usage = Usage(**plain(vars(usage)))
        for name, value in known(usage).items():
            if isinstance(value, NUMBERS) and value < 0:
                raise _fault(plan, f"yielded {pair} with {name} of {value}, below 0")
    if usage.usd is None and (usd := device_usd(usage, usd_per_device_hour)) is not None:
        usage = Usage(**{**vars(usage), "usd": usd})
    trace: list[TraceRecord] = []
    for point in attempt.trace:
        answer = plain(point.answer, normal)
        if trace and same(answer, trace[-1].answer):  # an unchanged answer is not judged again
            numbers = trace[-1].numbers
        else:
            _, numbers = verdict(plan.task, puzzle, key, answer, metrics)
        depth, score = plain(point.depth), plain(point.halt_score)
        if type(depth) is not int or (trace and depth <= trace[-1].depth):
            raise _fault(plan, f"yielded {pair} with a trace whose depths do not rise: {point!r}")
        trace.append(TraceRecord(depth=depth, answer=answer, numbers=numbers, halt_score=score))
    outcome, answer, found, broken = Outcome(attempt.outcome), None, None, None
    if outcome is Outcome.ANSWERED:
        answer = plain(attempt.answer, normal)
        outcome, found = verdict(plan.task, puzzle, key, answer, metrics)
        broken = rules_broken(plan.task, puzzle, answer) if most > 1 else None
    fields = {
        "puzzle": puzzle.id,
        "attempt": number,
        "outcome": outcome,
        "numbers": found,
        "usage": usage,
        "depth": plain(attempt.depth),
        "samples": plain(attempt.samples),
        "at": round(time.time(), 3),
        "trace": tuple(trace),
        "candidates": judged_samples(
            plan.task, puzzle, key, [(s.score, plain(s.answer, normal)) for s in attempt.candidates], metrics
        ),
        "answer": answer,
        "broken": broken,
        "reply": plain(attempt.reply),
        "detail": plain(attempt.detail) if attempt.detail else {},
    }
    record = migrate.made(AttemptRecord, fields)
    line = record.line()
    if not (usual and BARE.issuperset(line)):  # of what is bare everything has been looked at
        try:
            migrate.attempt_record(line)
        except DamagedError as error:
            raise _fault(plan, f"yielded {pair} in a form that cannot be read again: {error}") from None
    return record, line


def _fault(plan: Plan, what: str) -> RunError:
    return RunError(
        f"The solver {plan.record.solver.reference!r} {what}.",
        rule="That is a fault of the solver: it must yield each wanted (puzzle, attempt) pair once.",
        next_step=f"What was recorded before is kept in {plan.folder.path}.",
    )
