"""Judge answers against the key: that of an attempt, those along its trace, and the candidates it was chosen
from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.contracts import CORRECT, Answer, Key, Metric, Outcome, Puzzle, Task
from harness.errors import RunError
from harness.records import migrate
from harness.records.normal import json_value, normal
from harness.records.schema import MOST_ANSWERS, AttemptRecord, SampleRecord, VerdictRecord


def verdict(
    task: Task, puzzle: Puzzle, key: Key, answer: Any, metrics: Sequence[Metric]
) -> tuple[Outcome, dict[str, float]]:
    """Judge an answer: whether it is correct, and the verdict's numbers, `correct` first, with every one that
    the metrics of the run are made of.
    """
    found = task.judge(puzzle, key, answer)
    for metric in metrics:
        for number in (metric.number, metric.among):
            if number not in (None, CORRECT) and number not in found.numbers:
                raise RunError(
                    f"The task {task.name!r} judged {puzzle.id!r} without the number {number!r}.",
                    rule=f"That is a fault of the task: its metric {metric.name!r} is made of that number.",
                )
    outcome = Outcome.CORRECT if found.correct else Outcome.WRONG
    try:
        numbers = {CORRECT: float(found.correct), **json_value(found.numbers)}
        migrate.check_numbers(numbers)
    except ValueError as error:
        raise RunError(
            f"The task {task.name!r} judged {puzzle.id!r} by numbers that are none: {error}.",
            rule="That is a fault of the task: the numbers of a verdict are finite.",
        ) from None
    return outcome, numbers


def rules_broken(task: Task, puzzle: Puzzle, answer: Answer) -> int | None:
    """Return how many rules of the puzzle an answer breaks; None where rules cannot tell."""
    try:
        found = task.violations(puzzle, answer)
    except Exception:  # of a plug-in that does not expect this answer: rules cannot tell, and the run goes on
        return None
    return None if found is None else len(found)


def judged_samples(
    task: Task,
    puzzle: Puzzle,
    key: Key,
    samples: Sequence[tuple[float | None, Answer | None]],
    metrics: Sequence[Metric],
) -> tuple[SampleRecord, ...]:
    """Judge the candidates of an attempt, (own score, answer in normal form or None), equal answers once."""
    ballots: dict[str, int] = {}
    found: list[SampleRecord] = []
    for number, (score, answer) in enumerate(samples):
        if answer is None:
            found.append(SampleRecord(score=score))
            continue
        ballot = ballots.setdefault(repr(answer), number)
        if ballot < number:
            first = found[ballot]
            found.append(SampleRecord(ballot=ballot, score=score, numbers=first.numbers, broken=first.broken))
            continue
        _, numbers = verdict(task, puzzle, key, answer, metrics)
        found.append(
            SampleRecord(
                ballot=number,
                score=score,
                numbers=numbers,
                broken=rules_broken(task, puzzle, answer),
                answer=answer if len(ballots) <= MOST_ANSWERS else None,
            )
        )
    return tuple(found)


def judged_again(
    task: Task, puzzle: Puzzle, key: Key, attempt: AttemptRecord, metrics: Sequence[Metric]
) -> VerdictRecord:
    """Judge a recorded attempt by the task as it is now."""
    outcome, numbers, broken = attempt.outcome, None, attempt.broken
    if attempt.answered:
        answer = normal(attempt.answer)
        outcome, numbers = verdict(task, puzzle, key, answer, metrics)
        broken = None if broken is None else rules_broken(task, puzzle, answer)
    trace = tuple(verdict(task, puzzle, key, normal(p.answer), metrics)[1] for p in attempt.trace)
    samples: list[SampleRecord] = []
    for number, sample in enumerate(attempt.candidates):
        if sample.ballot is not None and sample.ballot < number:
            first = samples[sample.ballot]
            samples.append(replace(sample, numbers=first.numbers, broken=first.broken))
        elif sample.answer is None:  # none, or one too many to be kept: its recorded verdict stands
            samples.append(sample)
        else:
            again = normal(sample.answer)
            _, judged = verdict(task, puzzle, key, again, metrics)
            broken_now = rules_broken(task, puzzle, again)
            samples.append(replace(sample, numbers=judged, broken=broken_now, answer=None))
    return VerdictRecord(
        puzzle=attempt.puzzle,
        attempt=attempt.attempt,
        outcome=outcome,
        numbers=numbers,
        trace=trace,
        candidates=tuple(samples),
        broken=broken,
    )
