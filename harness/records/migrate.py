"""Lines and objects of run folders, of every schema there was, into today's records.

Schema 1 (November 2026) differs from schema 2: its hash counted options at their default; an answered line
without `answer` answered `[]`; a verdict did not name its attempt but had its line's number. Schema 3,
today's, differs from schema 2 in `run.json` alone, which listed the puzzles that now stand in
`puzzles.jsonl`. `candidates` and `broken` came to schema 2 later: a line without them is of a solver, or a
version, that did not tell them, and an older version passes over them.

A folder whose schema is newer than this version is refused, with a sentence; nothing else is.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeVar

from harness.contracts import Outcome, Usage
from harness.records.decode import DamagedError, decode, shown
from harness.records.planned import Planned, inline
from harness.records.schema import (
    OUTCOMES,
    SCHEMA,
    SUMMARY_SCHEMA,
    AttemptRecord,
    Environment,
    Line,
    RunRecord,
    SampleRecord,
    SessionRecord,
    Summary,
    TraceRecord,
    VerdictRecord,
)

T = TypeVar("T")
_OUTCOMES = {str(outcome): outcome for outcome in OUTCOMES if outcome is not Outcome.NOT_RUN}
_USAGE: dict[str, Any] = vars(Usage())
_NUMBERS = frozenset({int, float})
_SCHEMAS = frozenset(range(1, SCHEMA + 1))
COUNTED = 1 << 31  # what columns hold
MOST = 1e100  # in size: what is larger, or infinite, was never measured


def run_record(found: Line, puzzles: Path) -> RunRecord:
    """Return what `run.json` says; `puzzles` is the file that lists its puzzles, if it does not. Raises
    DamagedError for anything else than a run's.
    """
    schema = check_schema(found)
    listed = found.get("puzzles")
    if schema < 3:
        planned = inline(listed)
    elif type(listed) is dict and type(listed.get("count")) is int and listed["count"] >= 0:
        planned = Planned(path=puzzles, count=listed["count"])
    else:
        raise DamagedError(f"run.json.puzzles is {shown(listed)}, and has no count")
    environment = decode(Environment, found, "run.json")
    record = decode(RunRecord, {**found, "environment": vars(environment), "puzzles": planned}, "run.json")
    if not record.metrics:
        raise DamagedError("run.json.metrics is empty")
    if record.attempts_per_puzzle < 1:
        raise DamagedError(f"run.json.attempts_per_puzzle is {record.attempts_per_puzzle}")
    return record


def check_schema(found: Line) -> int:
    """Return the schema of a file or a line; raises DamagedError if it is none that this version reads."""
    schema = found.get("schema")
    if type(schema) is not int or schema < 1:
        raise DamagedError(
            "it has no schema" if schema is None else f"its schema is {shown(schema)}, which is none"
        )
    if schema > SCHEMA:
        raise DamagedError(f"its schema is {schema}, newer than {SCHEMA}, which this version reads")
    return schema


def attempt_record(line: Line, *, light: bool = False) -> AttemptRecord:
    """Return a line of `attempts.jsonl`. light: without answer, reply and detail (but who was asked), which
    scores do not need.

    Written out by hand, because a summary of 100,000 lines waits for it.
    """
    get = line.get
    if type(schema := get("schema")) is not int or schema not in _SCHEMAS:
        check_schema(line)
    puzzle, attempt, outcome, numbers = get("puzzle"), get("attempt"), get("outcome"), get("numbers")
    if type(puzzle) is not str or type(attempt) is not int or attempt < 0:
        raise DamagedError(f"it is of puzzle {shown(puzzle)}, attempt {shown(attempt)}")
    if type(outcome) is not str or outcome not in _OUTCOMES:
        raise DamagedError(f"its outcome is {shown(outcome)}")
    depth, samples, at, reply = get("depth"), get("samples"), get("at", 0.0), get("reply")
    if type(at) not in _NUMBERS or not -MOST < at < MOST or not (_is_count(depth) and _is_count(samples)):
        raise DamagedError(f"its depth, samples or time is {shown((depth, samples, at))}")
    if reply is not None and type(reply) is not str:
        raise DamagedError(f"its reply is {shown(reply)}")
    kind = _OUTCOMES[outcome]
    if numbers is not None:
        check_numbers(numbers)
    elif kind is Outcome.CORRECT or kind is Outcome.WRONG:
        raise DamagedError(f"it is {outcome} without a verdict's numbers")
    answer, detail = None, get("detail")
    if light:
        detail = {"asked": detail["asked"]} if type(detail) is dict and "asked" in detail else None
    else:
        answer = get("answer")
        if answer is None and (kind is Outcome.CORRECT or kind is Outcome.WRONG):
            answer = []  # schema 1 left an empty answer out
        if detail is not None and type(detail) is not dict:
            raise DamagedError(f"its detail is {shown(detail)}")
    trace, candidates = get("trace"), get("candidates")
    return made(
        AttemptRecord,
        {
            "puzzle": puzzle,
            "attempt": attempt,
            "outcome": kind,
            "numbers": numbers,
            "usage": _usage(get("usage")),
            "depth": depth,
            "samples": samples,
            "at": at,
            "trace": () if trace is None else _trace(trace),
            "candidates": () if candidates is None else _samples(candidates, light=light),
            "broken": get("broken") if type(get("broken")) is int else None,
            "answer": answer,
            "reply": None if light else reply,
            "detail": detail or {},
        },
    )


def verdict_record(line: Line) -> VerdictRecord:
    """Return a line of `verdicts.jsonl`."""
    puzzle, attempt, outcome, numbers = (line.get(n) for n in ("puzzle", "attempt", "outcome", "numbers"))
    trace = line.get("trace", [])
    if type(outcome) is not str or outcome not in _OUTCOMES or type(trace) is not list:
        raise DamagedError(f"its outcome is {shown(outcome)}")
    for each in ([] if numbers is None else [numbers]) + trace:
        check_numbers(each)
    return VerdictRecord(
        puzzle=puzzle, attempt=attempt, outcome=_OUTCOMES[outcome], numbers=numbers, trace=tuple(trace),
        candidates=_samples(line.get("candidates", []), light=True),
        broken=line.get("broken") if type(line.get("broken")) is int else None,
    )  # fmt: skip


def session_record(line: Line) -> SessionRecord:
    """Return a line of `sessions.jsonl`."""
    return decode(SessionRecord, line, "it")


def summary(found: Line) -> Summary | None:
    """Return a stored summary; None if it is of another schema or not one: it can be derived again."""
    if found.get("schema") != SUMMARY_SCHEMA:
        return None
    try:
        return decode(Summary, found, "summary.json")
    except DamagedError:
        return None


def _is_count(number: Any) -> bool:
    return number is None or (type(number) is int and 0 <= number < COUNTED)


def _are_measured(numbers: Collection[Any]) -> bool:
    return not numbers or (
        set(map(type, numbers)) <= _NUMBERS and max(numbers) < MOST and min(numbers) > -MOST
    )


def made(kind: type[T], fields: dict[str, Any]) -> T:
    """Make a frozen dataclass of all its fields, three times as fast as calling it does."""
    record = object.__new__(kind)
    record.__dict__.update(fields)
    return record


def check_numbers(numbers: Any) -> None:
    """Raise DamagedError for what cannot be the numbers of a verdict."""
    if type(numbers) is not dict or not _are_measured(numbers.values()):
        raise DamagedError(f"its numbers are {shown(numbers)}")


def _usage(found: Any) -> Usage:
    if found is None:
        return Usage()
    if type(found) is not dict or not _are_measured(found.values()):
        raise DamagedError(f"its usage is {shown(found)}")
    if not found.keys() <= _USAGE.keys():  # quantities that this version does not book
        found = {name: value for name, value in found.items() if name in _USAGE}
    return made(Usage, {**_USAGE, **found})


def _trace(found: Any) -> tuple[TraceRecord, ...]:
    """Return the points of a trace; an answer that is left out is the one before."""
    if type(found) is not list:
        raise DamagedError(f"its trace is {shown(found)}")
    points = []
    answer, numbers = None, None
    for point in found:
        if type(point) is not dict or point.get("depth") is None or not _is_count(point["depth"]):
            raise DamagedError(f"its trace holds {shown(point)}")
        answer = point.get("answer", answer)
        numbers = point.get("numbers", numbers)
        if numbers is not None:
            check_numbers(numbers)
        score = point.get("halt_score")
        if score is not None and not _are_measured((score,)):
            raise DamagedError(f"its trace has the halting score {shown(score)}")
        points.append(TraceRecord(depth=point["depth"], answer=answer, numbers=numbers, halt_score=score))
    return tuple(points)


def _samples(found: Any, *, light: bool) -> tuple[SampleRecord, ...]:
    """Return the candidates of an attempt; one that says `as` has the verdict of that one."""
    if type(found) is not list:
        raise DamagedError(f"its candidates are {shown(found)}")
    samples: list[SampleRecord] = []
    for number, line in enumerate(found):
        if type(line) is not dict:
            raise DamagedError(f"its candidates hold {shown(line)}")
        ballot, score = line.get("as"), line.get("score")
        if score is not None and not _are_measured((score,)):
            raise DamagedError(f"its candidate {number} has the score {shown(score)}")
        if ballot is not None:
            if type(ballot) is not int or not 0 <= ballot < number or samples[ballot].ballot != ballot:
                raise DamagedError(f"its candidate {number} is as {shown(ballot)}")
            first = samples[ballot]
            samples.append(
                SampleRecord(ballot=ballot, score=score, numbers=first.numbers, broken=first.broken)
            )
            continue
        numbers, broken = line.get("numbers"), line.get("broken")
        if numbers is not None:
            check_numbers(numbers)
        if broken is not None and (type(broken) is not int or broken < 0):
            raise DamagedError(f"its candidate {number} breaks {shown(broken)} rules")
        samples.append(
            SampleRecord(
                ballot=None if numbers is None else number,
                score=score,
                numbers=numbers,
                broken=broken,
                answer=None if light else line.get("answer"),
            )
        )
    return tuple(samples)
