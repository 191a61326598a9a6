"""Run a solver on a task: plan, minus what is recorded, solve, judge, record, summarise.

The solver sees a `View` of the task and the puzzles; keys stay here.
"""

from __future__ import annotations

import functools
import inspect
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, Protocol

from harness.books import prices
from harness.books.ledger import column_spent
from harness.contracts import Attempt, Budget, Outcome, Task
from harness.errors import RunError, UserError
from harness.judging import judged_again
from harness.records import packed
from harness.records.columns import CODES, Columns
from harness.records.folder import RunFolder
from harness.records.schema import (
    AttemptRecord,
    RunRecord,
    RunSpec,
    Summary,
)
from harness.running.checking import judged
from harness.running.collector import collector_rarer
from harness.running.executor import Executor, opened
from harness.running.executor import check as check_executor
from harness.running.items import Pairs
from harness.running.plan import Plan, items_of, plan_run, recreate_task
from harness.scores import summary as summaries
from harness.workers.shards import ending

if TYPE_CHECKING:
    import pandas as pd

FAILURES = frozenset({Outcome.TIMED_OUT, Outcome.PROVIDER_ERROR})
"""Outcomes that say nothing about the solver's answer: these `retry_on_error` runs again and
`fail_on_error` counts.
"""


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
        return self.folder.elapsed_seconds(self.folder.columns(self.record).at.tolist())


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
        if len(_done(plan, folder.columns(plan.record))) == plan.planned:
            _tell(progress, plan, plan.planned)
            return result
    with nullcontext(executor) if executor else opened(plan.spec) as by:
        by.prepare(plan)
        return _execute(plan, by, progress)


def _execute(plan: Plan, executor: Executor, progress: Progress | None) -> RunResult:
    folder, result = plan.folder, RunResult(plan.folder)
    plan.make_folder()
    with folder.lock():
        packed.unpack(folder.path)
        new = plan.begin()
        lines = folder.columns(plan.record)
        done = _done(plan, lines)
        try:
            with _telling(progress, plan, len(done)):
                if len(done) < plan.planned:
                    _session(plan, executor, _budget(plan, lines, done), progress)
        except KeyboardInterrupt:
            raise RunInterrupted(result) from None
        except UserError:
            if new and not len(folder.columns(plan.record)):
                plan.discard()  # the solver refused the task: nothing ran
            raise
        except Exception as error:
            error.add_note(f"What was recorded is kept in {folder.path}; the same command resumes.")
            raise
        finally:
            plan.items.let_go()
            if folder.attempts_path.exists():
                summaries.rebuild(folder, plan.record)
    return result


def _done(plan: Plan, lines: Columns) -> Pairs:
    """Return the pairs that are recorded and not to be tried again."""
    import numpy as np

    found = Pairs(plan.record.puzzles, plan.record.attempts_per_puzzle)
    last = lines.last(plan.record.attempts_per_puzzle)
    if plan.spec.retry_on_error:
        last = last[~np.isin(lines.outcome[last], [CODES[outcome] for outcome in FAILURES])]
    found.flags[lines.place[last], lines.attempt[last]] = True
    return found


def _budget(plan: Plan, lines: Columns, done: Pairs) -> Budget:
    return Budget(
        attempts=plan.record.attempts_per_puzzle,
        seed=plan.spec.seed,
        done=done,
        max_connections=plan.spec.max_connections,
        max_cost_usd=plan.spec.max_cost_usd,
        retry_on_error=plan.spec.retry_on_error,
        spent_usd=column_spent(lines.usage),
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
    assert isinstance(budget.done, Pairs)
    seen = budget.done.copy()
    recorded = len(seen)
    failed = 0
    folder = plan.folder
    limit = plan.spec.fail_on_error
    allowed = None if limit is None else limit * (plan.planned if limit < 1 else 1)
    folder.note_session(
        "start", pid=os.getpid(), host=socket.gethostname(), recorded=recorded, **executor.facts()
    )
    table = prices.table(plan.record.environment.price_table)
    hourly = table.usd_per_device_hour(executor.device(plan))
    attempts: Iterator[Attempt] = iter(executor.solve(plan, plan.items.puzzles, budget))
    try:
        with collector_rarer(), folder.recorder(plan.record.puzzles.place) as file, ending(attempts):
            for attempt in attempts:
                record, line = judged(plan, attempt, seen, hourly)
                file.record(record, line)
                seen.add((record.puzzle, record.attempt))
                recorded += 1
                if progress:
                    progress.advance(record)
                if record.outcome not in FAILURES:
                    continue
                failed += 1
                if allowed is not None and failed >= allowed:
                    raise RunError(
                        f"{failed} attempt{'s' * (failed > 1)} failed, the last with {record.outcome} "
                        f"{record.detail}.",
                        rule=f"--fail-on-error stops at {allowed:g}.",
                        next_step=(
                            f"What is recorded in {folder.path} is kept; --retry-on-error runs the "
                            "failed ones again."
                        ),
                    )
    finally:
        with suppress(RunError):  # a disk too full for this line has been reported already
            folder.note_session("end", recorded=recorded)
