"""Run a solver on a task: plan, minus what is recorded, solve, judge, record, summarise.

The solver sees a `View` of the task and the puzzles; keys stay here.
"""

from __future__ import annotations

import functools
import inspect
import math
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol

from harness.books import prices
from harness.books.ledger import device_usd, spent
from harness.contracts import Attempt, Budget, Outcome, Task, TracePoint, Usage
from harness.errors import RunError, UserError
from harness.judging import judged_again, judged_samples, rules_broken, verdict
from harness.records import migrate
from harness.records.decode import DamagedError
from harness.records.folder import RunFolder
from harness.records.normal import json_value, normal, same
from harness.records.schema import (
    OUTCOMES,
    AttemptRecord,
    Line,
    RunRecord,
    RunSpec,
    Summary,
    TraceRecord,
)
from harness.running.executor import Executor, opened
from harness.running.executor import check as check_executor
from harness.running.plan import Plan, items_of, plan_run, recreate_task
from harness.running.shards import ending
from harness.scores import summary as summaries

if TYPE_CHECKING:
    import pandas as pd

FAILURES = frozenset({Outcome.TIMED_OUT, Outcome.PROVIDER_ERROR})
"""Outcomes that say nothing about the solver's answer: these `retry_on_error` runs again and
`fail_on_error` counts.
"""
YIELDED = frozenset({Outcome.ANSWERED, *OUTCOMES} - {Outcome.CORRECT, Outcome.WRONG, Outcome.NOT_RUN})
"""Outcomes that a solver may yield."""


class Progress(Protocol):
    """Something that is told how a run goes."""

    def start(self, *, planned: int, recorded: int, where: Path) -> None: ...
    def advance(self, attempt: AttemptRecord) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True)
class RunResult:
    """A run on disk, finished or not."""

    folder: RunFolder

    @property
    def path(self) -> Path:
        return self.folder.path

    @cached_property
    def record(self) -> RunRecord:
        """What the run is."""
        return self.folder.record()

    @cached_property
    def summary(self) -> Summary:
        """Outcomes, scores and costs."""
        return summaries.summary_of(self.folder, self.record)

    @property
    def complete(self) -> bool:
        return self.summary.complete

    @cached_property
    def attempts(self) -> pd.DataFrame:
        """One row per recorded attempt: puzzle, attempt, outcome, the verdict's numbers, usage.*, depth,
        samples, answer.
        """
        from harness.scores.frames import attempts_frame

        return attempts_frame(self.record, self.folder.attempts())

    @cached_property
    def elapsed_seconds(self) -> float:
        """Wall time of all sessions of the run."""
        return self.folder.elapsed_seconds(self.folder.attempts(light=True))


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C during a run; `result` is what was recorded until then."""

    def __init__(self, result: RunResult) -> None:
        self.result = result


P = ParamSpec("P")


def _as(spec: Callable[P, RunSpec]) -> Callable[[Callable[[RunSpec], RunResult]], Callable[P, RunResult]]:
    """Make a function of a `RunSpec` one of the arguments of a `RunSpec`, which are written there alone."""

    def decorate(function: Callable[[RunSpec], RunResult]) -> Callable[P, RunResult]:
        def call(*args: P.args, **kwargs: P.kwargs) -> RunResult:
            return function(spec(*args, **kwargs))

        functools.update_wrapper(call, function)
        del call.__wrapped__  # type: ignore[attr-defined]  # its parameters are not those of `function`
        call.__signature__ = inspect.signature(spec).replace(return_annotation="RunResult")  # type: ignore[attr-defined]
        return call

    return decorate


@_as(RunSpec)
def run(spec: RunSpec) -> RunResult:
    """Run a solver on a task, or resume the run of the same configuration; return what is recorded.

    Takes the arguments of `RunSpec`: `run("sudoku", "search", limit=20)`. Raises UserError for a mistake in
    them, RunError when the run cannot go on, RunInterrupted on Ctrl-C.
    """
    return execute(plan_run(spec))


def execute(plan: Plan, progress: Progress | None = None, executor: Executor | None = None) -> RunResult:
    """Do what is planned and not recorded yet; a run that is complete is only read.

    executor: one that is open already, to serve several runs; else the one the spec asks for.
    """
    check_executor(plan.spec)
    folder, result = plan.folder, RunResult(plan.folder)
    if folder.exists():
        plan.record = folder.record()
        attempts = folder.attempts()
        if len(_done(plan, attempts)) == plan.planned:
            _tell(progress, plan, plan.planned)
            return result
    with nullcontext(executor) if executor else opened(plan.spec) as by:
        by.prepare(plan)
        return _execute(plan, by, progress)


def _execute(plan: Plan, executor: Executor, progress: Progress | None) -> RunResult:
    folder, result = plan.folder, RunResult(plan.folder)
    plan.make_folder()
    with folder.lock():
        new = plan.begin()
        attempts = folder.attempts()
        done = _done(plan, attempts)
        try:
            with _telling(progress, plan, len(done)):
                if len(done) < plan.planned:
                    _session(plan, executor, _budget(plan, attempts, done), progress)
        except KeyboardInterrupt:
            raise RunInterrupted(result) from None
        except UserError:
            if new and not folder.attempts(light=True):
                plan.discard()  # the solver refused the task: nothing ran
            raise
        except Exception as error:
            error.add_note(f"What was recorded is kept in {folder.path}; the same command resumes.")
            raise
        finally:
            if folder.attempts_path.exists():
                summaries.rebuild(folder, plan.record)
    return result


def _done(plan: Plan, attempts: Sequence[AttemptRecord]) -> frozenset[tuple[str, int]]:
    """Return the pairs that are recorded and not to be tried again."""
    last = summaries.last_attempts(plan.record, attempts, where=str(plan.folder.attempts_path))
    again = bool(plan.spec.retry_on_error)
    return frozenset(pair for pair, a in last.items() if not (again and a.outcome in FAILURES))


def _budget(plan: Plan, attempts: Sequence[AttemptRecord], done: frozenset[tuple[str, int]]) -> Budget:
    return Budget(
        attempts=plan.record.attempts_per_puzzle,
        seed=plan.spec.seed,
        done=done,
        max_connections=plan.spec.max_connections,
        max_cost_usd=plan.spec.max_cost_usd,
        retry_on_error=plan.spec.retry_on_error,
        spent_usd=math.fsum(spent(attempt.usage) for attempt in attempts),
    )


@contextmanager
def _telling(progress: Progress | None, plan: Plan, recorded: int) -> Iterator[None]:
    if progress is None:
        yield
        return
    progress.start(planned=plan.planned, recorded=recorded, where=plan.folder.path)
    try:
        yield
    finally:
        progress.stop()


def _tell(progress: Progress | None, plan: Plan, recorded: int) -> None:
    with _telling(progress, plan, recorded):
        pass


def score(
    run: str | Path | RunFolder, *, task: Task | None = None, data_dir: str | Path | None = None
) -> RunResult:
    """Judge every recorded answer again with the task as it is now, without running the solver, and
    summarise anew.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder(Path(run))
    record = folder.record()
    task = task or recreate_task(record)
    items = {puzzle.id: (puzzle, key) for puzzle, key in items_of(task, record, data_dir)}
    with folder.lock():
        attempts = folder.attempts()
        summaries.last_attempts(record, attempts, where=str(folder.attempts_path))  # only what was planned
        verdicts = [judged_again(task, *items[a.puzzle], a, record.metrics) for a in attempts]
        folder.write_verdicts(task.version, verdicts)
        summaries.rebuild(folder, record)
    return RunResult(folder)


def _session(plan: Plan, executor: Executor, budget: Budget, progress: Progress | None) -> None:
    """Take attempts from the solver until it has no more; record each before taking the next."""
    seen = set(budget.done)
    failed = 0
    folder = plan.folder
    limit = plan.spec.fail_on_error
    allowed = None if limit is None else limit * (plan.planned if limit < 1 else 1)
    folder.note_session(
        "start", pid=os.getpid(), host=socket.gethostname(), recorded=len(seen), **executor.facts()
    )
    puzzles = [puzzle for puzzle, _ in plan.items.values()]
    table = prices.table(plan.record.environment.price_table)
    hourly = table.usd_per_device_hour(executor.device(plan))
    attempts: Iterator[Attempt] = iter(executor.solve(plan, puzzles, budget))
    try:
        with folder.recorder() as file, ending(attempts):
            for attempt in attempts:
                judged, line = _judged(plan, attempt, seen, hourly)
                file.append(line)
                seen.add((judged.puzzle, judged.attempt))
                if progress:
                    progress.advance(judged)
                if judged.outcome not in FAILURES:
                    continue
                failed += 1
                if allowed is not None and failed >= allowed:
                    raise RunError(
                        f"{failed} attempt{'s' * (failed > 1)} failed, the last with {judged.outcome} "
                        f"{judged.detail}.",
                        rule=f"--fail-on-error stops at {allowed:g}.",
                        next_step=(
                            f"What is recorded in {folder.path} is kept; --retry-on-error runs the "
                            "failed ones again."
                        ),
                    )
    finally:
        with suppress(RunError):  # a disk too full for this line has been reported already
            folder.note_session("end", recorded=len(seen))


def _judged(
    plan: Plan, attempt: Attempt, seen: set[tuple[str, int]], usd_per_device_hour: float | None
) -> tuple[AttemptRecord, Line]:
    """Check that the plan asked for this attempt, bring its answers into their normal form, judge them, and
    return the record and its line.
    """
    if not isinstance(attempt, Attempt):
        raise _fault(plan, f"yielded {type(attempt).__name__} {attempt!r} where an Attempt belongs")
    pair = (attempt.puzzle_id, attempt.attempt)

    def plain(value: Any, read: Callable[[Any], Any] = json_value) -> Any:
        """Return what may be recorded of a value, or say what is wrong with the solver."""
        try:
            return read(value)
        except ValueError as error:
            raise _fault(plan, f"yielded something that is not JSON for {pair}: {error}") from None

    if not isinstance(attempt.puzzle_id, str) or attempt.puzzle_id not in plan.items:
        raise _fault(plan, f"yielded an attempt at the unknown puzzle {attempt.puzzle_id!r}")
    most = plan.record.attempts_per_puzzle
    if type(number := plain(attempt.attempt)) is not int or not 0 <= number < most:
        raise _fault(plan, f"yielded attempt {pair}, but attempts are 0 to {most - 1}")
    if pair in seen:
        raise _fault(plan, f"yielded attempt {pair} twice, or again although it is recorded")
    if not isinstance(attempt.outcome, str) or attempt.outcome not in YIELDED:
        raise _fault(
            plan, f"yielded the outcome {str(attempt.outcome)!r} for {pair}, which only the runner may give"
        )
    if attempt.outcome == Outcome.ANSWERED and attempt.answer is None:
        raise _fault(plan, f"yielded {pair} as answered without an answer")
    if not isinstance(attempt.usage, Usage):
        raise _fault(plan, f"yielded {pair} with {attempt.usage!r} where a Usage belongs")
    for point in attempt.trace:
        if not isinstance(point, TracePoint):
            raise _fault(plan, f"yielded {pair} with {point!r} where a TracePoint belongs")

    puzzle, key = plan.items[attempt.puzzle_id]
    metrics = plan.record.metrics
    usage = Usage(**plain(vars(attempt.usage)))
    if usage.usd is None:
        usage = replace(usage, usd=device_usd(usage, usd_per_device_hour))
    trace: list[TraceRecord] = []
    for point in attempt.trace:
        answer = plain(point.answer, normal)
        if trace and same(answer, trace[-1].answer):  # an unchanged answer is not judged again
            numbers = trace[-1].numbers
        else:
            _, numbers = verdict(plan.task, puzzle, key, answer, metrics)
        score = plain(point.halt_score)
        trace.append(TraceRecord(depth=plain(point.depth), answer=answer, numbers=numbers, halt_score=score))
    record = AttemptRecord(
        puzzle=puzzle.id,
        attempt=int(attempt.attempt),
        outcome=Outcome(attempt.outcome),
        usage=usage,
        depth=plain(attempt.depth),
        samples=plain(attempt.samples),
        at=round(time.time(), 3),
        trace=tuple(trace),
        candidates=judged_samples(
            plan.task, puzzle, key, [(s.score, plain(s.answer, normal)) for s in attempt.candidates], metrics
        ),
        reply=plain(attempt.reply),
        detail=plain(attempt.detail or {}),
    )
    if attempt.outcome == Outcome.ANSWERED:
        answer = plain(attempt.answer, normal)
        outcome, numbers = verdict(plan.task, puzzle, key, answer, metrics)
        broken = rules_broken(plan.task, puzzle, answer) if most > 1 else None
        record = replace(record, outcome=outcome, answer=answer, numbers=numbers, broken=broken)
    line = record.line()
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
