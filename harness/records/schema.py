"""What a run is (`RunSpec`) and what stands in its folder, as frozen dataclasses. Read after contracts.py.

| file | holds | versioned by |
|---|---|---|
| `run.json` | one `RunRecord` | `SCHEMA` |
| `puzzles.jsonl` | the puzzles of the plan, many a line: `Planned` | by `run.json` |
| `index/` | `Columns` of `attempts.jsonl`, derived; see index.py | its own |
| `attempts.jsonl` | an `AttemptRecord` a line | `SCHEMA`, in each line |
| `verdicts.jsonl` | a head, then a `VerdictRecord` a line | `SCHEMA`, in its head |
| `sessions.jsonl` | a `SessionRecord` a line | |
| `summary.json` | one `Summary`, but for what a clock told | `SUMMARY_SCHEMA`; others are derived again |
| `measured.json` | the costs that a clock told | with `summary.json` |

How older folders become these records stands in migrate.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.contracts import Answer, Metric, Outcome, Solver, SolverCard, Task, Usage
from harness.records.normal import same
from harness.records.planned import Planned

SCHEMA = 3
SUMMARY_SCHEMA = 7
MOST_ANSWERS = 64  # different ones among an attempt's candidates that are kept; all are judged
Line = dict[str, Any]
OUTCOMES = tuple(outcome for outcome in Outcome if outcome is not Outcome.ANSWERED)
"""What an attempt can have come to, in the order in which they are shown; they sum to the number planned."""


@dataclass(frozen=True)
class RunSpec:
    """One run as it is asked for. The only list of a run's arguments: `harness.run` takes what stands here.

    task, solver: registered names, `path/to/file.py:Class`, or objects. split: None is the task's first.
    limit: the first so many puzzles. sample_ids: these puzzles alone. fresh: start anew beside an earlier
    run. fail_on_error: stop when this many attempts failed (below 1: this share of those planned).
    retry_on_error: let a failed attempt be tried so many times more, recorded failures included. attempts:
    tries at each puzzle, in place of the task's own number; their mean and their best are then both scored.
    workers: so many processes of this machine, or actors of Ray, make the attempts, in place of this one.
    ray: the address of a Ray cluster, or "local" to start one here. Neither is part of what the run is.
    """

    task: str | Task
    solver: str | Solver
    _: KW_ONLY
    task_options: Mapping[str, Any] | None = None
    solver_options: Mapping[str, Any] | None = None
    split: str | None = None
    seed: int = 0
    limit: int | None = None
    sample_ids: Sequence[str] = ()
    data_dir: str | Path | None = None
    results_dir: str | Path | None = None
    fresh: bool = False
    max_connections: int | None = None
    max_cost_usd: float | None = None
    fail_on_error: float | None = None
    retry_on_error: int | None = None
    attempts: int | None = None
    workers: int | None = None
    ray: str | None = None


@dataclass(frozen=True, kw_only=True)
class TaskRecord:
    """The task of a run, and the very puzzles it made."""

    name: str
    version: str
    options: Mapping[str, Any]  # all, defaults included
    changed: Mapping[str, Any]  # those that are not at their default
    reference: str  # how to find it again: a registered name, a file, or module:class
    puzzles_sha256: str
    keys_sha256: str
    source_sha256: str | None = None  # of the file it came from


@dataclass(frozen=True, kw_only=True)
class SolverRecord:
    """The solver of a run, by name; who it is stands on its card."""

    name: str
    options: Mapping[str, Any]
    changed: Mapping[str, Any]
    reference: str
    weights_sha256: str | None = None
    source_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The software and the machine; unknown is None."""

    git_commit: str | None = None
    git_dirty: bool | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    price_table: str | None = None  # date of the prices in the lines
    python: str | None = None
    machine: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """`run.json`: everything that decides the numbers of a run, and what it planned."""

    schema: int
    hash: str  # of what decides an answer or a verdict; names the folder
    created: str  # UTC
    task: TaskRecord
    solver: SolverRecord
    split: str
    seed: int
    limit: int | None = None
    sample_ids: tuple[str, ...] = ()
    default_split: str
    attempts_per_puzzle: int
    attempts_asked: int | None = None  # where it is not the task's own number
    metrics: tuple[Metric, ...]  # the first is the headline
    chance: float
    data_revision: str
    card: SolverCard
    device: str | None = None
    environment: Environment = field(default_factory=Environment)  # its fields stand flat in the file
    puzzles: Planned

    @property
    def planned(self) -> int:
        """Attempts planned."""
        return self.puzzles.count * self.attempts_per_puzzle


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceRecord:
    """The answer held after `depth` supervision steps, its verdict's numbers, and how sure the solver was."""

    depth: int
    answer: Answer | None = None
    numbers: Mapping[str, float] | None = None
    halt_score: float | None = None  # lines of before 2026-11-30 have none


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleRecord:
    """One of the K answers that an attempt was chosen from.

    ballot: the number of the first of them with the same answer; None: it held none. numbers: of its verdict.
    broken: rules of the puzzle that it breaks, told without the key; None where rules cannot tell. answer: of
    the first with it, None for the others and beyond `MOST_ANSWERS` different ones.
    """

    ballot: int | None = None
    score: float | None = None  # the solver's own, the greater the surer
    numbers: Mapping[str, float] | None = None
    broken: int | None = None
    answer: Answer | None = None


@dataclass(frozen=True, kw_only=True)
class AttemptRecord:
    """One recorded attempt, judged."""

    puzzle: str
    attempt: int
    outcome: Outcome
    numbers: Mapping[str, float] | None = None  # of the verdict, `correct` first; None: not judged
    usage: Usage = field(default_factory=Usage)
    depth: int | None = None
    samples: int | None = None
    at: float = 0.0  # seconds since 1970
    trace: tuple[TraceRecord, ...] = ()
    candidates: tuple[SampleRecord, ...] = ()
    broken: int | None = None  # rules of the puzzle that the answer breaks, where attempts are many
    answer: Answer | None = None
    reply: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def answered(self) -> bool:
        """Whether there is an answer that was judged."""
        return self.outcome is Outcome.CORRECT or self.outcome is Outcome.WRONG

    def line(self) -> Line:
        """Return the line that holds this record: unknown fields are left out, and so is an answer of the
        trace that is the one before.
        """
        found: Line = {
            "schema": SCHEMA,
            "puzzle": self.puzzle,
            "attempt": self.attempt,
            "outcome": str(self.outcome),
            "numbers": None if self.numbers is None else dict(self.numbers),
            "usage": known(self.usage) or None,
            "depth": self.depth,
            "samples": self.samples,
            "at": self.at,
            "trace": list(_trace_lines(self.trace)) or None,
            "candidates": [sample_line(n, c) for n, c in enumerate(self.candidates)] or None,
            "broken": self.broken,
            "answer": self.answer,
            "reply": self.reply,
            "detail": dict(self.detail) or None,
        }
        return {name: value for name, value in found.items() if value is not None}


def known(usage: Usage) -> dict[str, float]:
    """Return the quantities that are known, by name."""
    return {name: value for name, value in vars(usage).items() if value is not None}


def _trace_lines(trace: Sequence[TraceRecord]) -> Iterator[Line]:
    before: TraceRecord | None = None
    for point in trace:
        line: Line = {"depth": point.depth}
        if before is None or not same(point.answer, before.answer):
            line["answer"] = point.answer
        if before is None or "answer" in line or point.numbers != before.numbers:
            line["numbers"] = point.numbers
        if point.halt_score is not None:
            line["halt_score"] = point.halt_score
        yield line
        before = point


def sample_line(number: int, sample: SampleRecord) -> Line:
    """Return one candidate; of an answer that came before only which one it is."""
    found: Line = {"score": sample.score}
    if sample.ballot is not None and sample.ballot != number:
        found["as"] = sample.ballot
    elif sample.ballot is not None:
        found |= {"numbers": sample.numbers, "broken": sample.broken, "answer": sample.answer}
    return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictRecord:
    """The judgement of one recorded attempt by a later `bench score`."""

    puzzle: str | None  # None in schema 1, whose n-th verdict is of the n-th attempt
    attempt: int | None
    outcome: Outcome
    numbers: Mapping[str, float] | None = None
    trace: tuple[Mapping[str, float], ...] = ()
    candidates: tuple[SampleRecord, ...] = ()  # without answers; () where none was judged again
    broken: int | None = None


@dataclass(frozen=True, kw_only=True)
class SessionRecord:
    """The start or the end of a session that wrote to the folder."""

    event: str  # "start" or "end"
    at: float
    pid: int | None = None
    host: str | None = None
    recorded: int | None = None  # attempts at that moment


@dataclass(frozen=True, kw_only=True)
class MetricScore:
    """One metric's score with its 95 % interval, over `n` of the `planned` units.

    The two differ for a metric `among` some of them only; where that leaves none, the score is None: unknown.
    """

    name: str
    score: float | None
    low: float | None
    high: float | None
    n: int
    planned: int  # puzzles or groups
    better: str = "high"
    among: str | None = None


@dataclass(frozen=True, kw_only=True)
class DepthScore:
    """The headline score of the answers held at one depth."""

    score: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a run spent of one quantity. None: unknown for some attempt; `per_puzzle_at_least` is then what
    the known ones add up to.
    """

    total: float | None = None
    per_puzzle: float | None = None
    per_puzzle_at_least: float | None = None


@dataclass(frozen=True, kw_only=True)
class Summary:
    """`summary.json`: derived from `run.json` and the lines alone."""

    schema: int = SUMMARY_SCHEMA
    lines: int
    planned: int
    puzzles: int
    complete: bool
    outcomes: Mapping[str, int]  # by name, in the order of `OUTCOMES`; they sum to `planned`
    metrics: tuple[MetricScore, ...]
    depth_curve: Mapping[str, float | None] | None  # by depth
    depth_scores: Mapping[str, DepthScore] | None
    mean_depth: float | None
    costs: Mapping[str, Cost]  # by quantity
    asked: Mapping[str, int] | None = None  # attempts for which each member of a hybrid was asked

    @property
    def headline(self) -> MetricScore:
        return self.metrics[0]

    @property
    def recorded(self) -> int:
        """Attempts that have an outcome."""
        return self.planned - self.outcomes[Outcome.NOT_RUN]


def as_json(record: Any) -> Line:
    """Return a record as the JSON object of its file."""
    found: Line = {}
    for name, value in asdict(record).items():
        if name == "environment":
            found |= value
        elif isinstance(value, Planned):
            found[name] = {"count": value.count}
        else:
            found[name] = value
    return found
