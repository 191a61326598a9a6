"""Run a solver on a task: plan, minus what is recorded, solve, judge, record, summarise.

The solver sees a `View` of the task and the puzzles; keys stay here.
"""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness.books import prices
from harness.books.ledger import device_usd
from harness.contracts import CORRECT, Attempt, Budget, Key, Outcome, Puzzle, Solver, Task, Verdict
from harness.errors import RunError, UserError
from harness.records.folder import Appender, Line, RunFolder, attempt_line, verdict_numbers
from harness.running.plan import Plan, items_of, plan_run, recreate_task
from harness.running.view import View
from harness.scores import summary as summaries

if TYPE_CHECKING:
    import pandas as pd

FAILURES = frozenset({Outcome.TIMED_OUT, Outcome.PROVIDER_ERROR})
"""Outcomes that say nothing about the solver's answer: these `retry_on_error` runs again and
`fail_on_error` counts.
"""


class Progress(Protocol):
    """Something that is told how a run goes."""

    def start(self, *, planned: int, recorded: int, where: Path) -> None: ...
    def advance(self, line: Line) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True)
class RunResult:
    """A run on disk, finished or not."""

    folder: RunFolder

    @property
    def path(self) -> Path:
        return self.folder.path

    @cached_property
    def config(self) -> dict[str, Any]:
        return self.folder.config()

    @cached_property
    def summary(self) -> dict[str, Any]:
        return summaries.summary_of(self.folder, self.config)

    @property
    def complete(self) -> bool:
        return bool(self.summary["complete"])

    @cached_property
    def attempts(self) -> pd.DataFrame:
        """One row per recorded attempt: puzzle, attempt, outcome, the verdict's numbers, usage.*, depth,
        samples, answer.
        """
        from harness.scores.leaderboard import attempts_frame

        return attempts_frame(self.config, self.folder.lines())

    @cached_property
    def elapsed_seconds(self) -> float:
        """Wall time of all sessions of the run."""
        return self.folder.elapsed_seconds(self.folder.lines())


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C during a run; `result` is what was recorded until then."""

    def __init__(self, result: RunResult) -> None:
        self.result = result


def run(
    task: str | Task,
    solver: str | Solver,
    *,
    task_options: dict[str, Any] | None = None,
    solver_options: dict[str, Any] | None = None,
    split: str | None = None,
    seed: int = 0,
    limit: int | None = None,
    sample_ids: Sequence[str] = (),
    data_dir: str | Path | None = None,
    results_dir: str | Path | None = None,
    fresh: bool = False,
    max_connections: int | None = None,
    max_cost_usd: float | None = None,
    fail_on_error: float | None = None,
    retry_on_error: int | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Run a solver on a task, or resume the run of the same configuration; return what is recorded.

    task, solver: registered names, `path/to/file.py:Class`, or objects. split: None is the task's first.
    limit: first so many puzzles. fresh: start anew beside an earlier run. fail_on_error: stop when this many
    attempts failed (below 1: this share of those planned). retry_on_error: let a failed attempt be tried so
    many times more, recorded failures included. Raises UserError for a mistake in the arguments, RunError
    when the run cannot go on, RunInterrupted on Ctrl-C.
    """
    plan = plan_run(
        task=task, solver=solver, task_options=task_options, solver_options=solver_options, split=split,
        seed=seed,
        limit=limit, sample_ids=sample_ids, data_dir=data_dir, results_dir=results_dir, fresh=fresh,
    )  # fmt: skip
    if fail_on_error is not None and not fail_on_error > 0:
        raise UserError(f"fail_on_error={fail_on_error} is not a limit.", rule="It must be greater than 0.")
    if retry_on_error is not None and retry_on_error < 0:
        raise UserError(f"retry_on_error={retry_on_error} is negative.", rule="It must be at least 0.")
    folder, result = plan.folder, RunResult(plan.folder)
    with folder.lock():
        plan.record()
        lines = folder.lines()
        last = summaries.last_lines(plan.config, lines, where=str(folder.attempts_path))
        done = frozenset(
            p for p, line in last.items() if not (retry_on_error and line["outcome"] in FAILURES)
        )
        if progress:
            progress.start(planned=plan.planned, recorded=len(done), where=folder.path)
        try:
            if len(done) < plan.planned:
                budget = Budget(
                    attempts=plan.task.attempts, seed=seed, done=done, max_connections=max_connections,
                    max_cost_usd=max_cost_usd, retry_on_error=retry_on_error,
                    spent_usd=math.fsum(line.get("usage", {}).get("usd", 0.0) for line in lines),
                )  # fmt: skip
                allowed = (
                    None
                    if fail_on_error is None
                    else fail_on_error * (plan.planned if fail_on_error < 1 else 1)
                )
                _session(plan, budget, allowed, progress)
        except KeyboardInterrupt:
            raise RunInterrupted(result) from None
        except UserError:
            if plan.created and not folder.lines():
                plan.discard()  # the solver refused the task: nothing ran
            raise
        except Exception as error:
            error.add_note(f"What was recorded is kept in {folder.path}; the same command resumes.")
            raise
        finally:
            if progress:
                progress.stop()
            if folder.attempts_path.exists():
                summaries.rebuild(folder, plan.config)
    return result


def score(
    run: str | Path | RunFolder, *, task: Task | None = None, data_dir: str | Path | None = None
) -> RunResult:
    """Judge every recorded answer again with the task as it is now, without running the solver, and
    summarise anew.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder(Path(run))
    config = folder.config()
    task = task or recreate_task(config)
    items = {puzzle.id: (puzzle, key) for puzzle, key in items_of(task, config, data_dir)}
    with folder.lock():
        lines = folder.lines()
        head = {"schema": 1, "task_version": task.version, "lines": len(lines)}
        verdicts = [head, *(_judged_again(task, *items[line["puzzle"]], line) for line in lines)]
        with Appender(scratch := folder.path / ".verdicts.jsonl") as file:
            for verdict in verdicts:
                file.append(verdict)
        scratch.replace(folder.verdicts_path)
        summaries.rebuild(folder, config)
    return RunResult(folder)


def _session(plan: Plan, budget: Budget, allowed: float | None, progress: Progress | None) -> None:
    """Take attempts from the solver until it has no more; record each before taking the next."""
    seen = set(budget.done)
    failed = 0
    folder = plan.folder
    folder.note_session("start", pid=os.getpid(), host=socket.gethostname(), recorded=len(seen))
    puzzles = [puzzle for puzzle, _ in plan.items.values()]
    hourly = prices.table(plan.config["price_table"]).usd_per_device_hour(plan.solver.card.device)
    attempts: Iterator[Attempt] = iter(plan.solver.solve(View(plan.task), puzzles, budget))
    try:
        with Appender(folder.attempts_path) as file, _closing(attempts):
            for attempt in attempts:
                line = _judged(plan, attempt, seen)
                usage = line.get("usage", {})
                if "usd" not in usage and (usd := device_usd(usage, hourly)) is not None:
                    usage["usd"] = usd
                try:
                    file.append(line)
                except (TypeError, ValueError) as error:
                    raise _fault(
                        plan, f"yielded something that is not JSON for {attempt.puzzle_id!r}: {error}"
                    ) from error
                seen.add((attempt.puzzle_id, attempt.attempt))
                if progress:
                    progress.advance(line)
                if line["outcome"] not in FAILURES:
                    continue
                failed += 1
                if allowed is not None and failed >= allowed:
                    raise RunError(
                        f"{failed} attempt{'s' * (failed > 1)} failed, the last with {line['outcome']} "
                        f"{line.get('detail', {})}.",
                        rule=f"--fail-on-error stops at {allowed:g}.",
                        next_step=(
                            f"What is recorded in {folder.path} is kept; --retry-on-error runs the "
                            "failed ones again."
                        ),
                    )
    finally:
        with suppress(RunError):  # a disk too full for this line has been reported already
            folder.note_session("end", recorded=len(seen))


@contextmanager
def _closing(attempts: Iterator[Attempt]) -> Iterator[None]:
    """End a generator in time: a solver may hold connections or processes."""
    try:
        yield
    finally:
        if hasattr(attempts, "close"):
            attempts.close()


def _judged(plan: Plan, attempt: Attempt, seen: set[tuple[str, int]]) -> Line:
    """Check that the plan asked for this attempt, judge it, and return its line."""
    if not isinstance(attempt, Attempt):
        raise _fault(plan, f"yielded {type(attempt).__name__} {attempt!r} where an Attempt belongs")
    pair = (attempt.puzzle_id, attempt.attempt)
    if attempt.puzzle_id not in plan.items:
        raise _fault(plan, f"yielded an attempt at the unknown puzzle {attempt.puzzle_id!r}")
    if not 0 <= attempt.attempt < plan.task.attempts:
        raise _fault(plan, f"yielded attempt {pair}, but attempts are 0 to {plan.task.attempts - 1}")
    if pair in seen:
        raise _fault(plan, f"yielded attempt {pair} twice, or again although it is recorded")
    if attempt.outcome in (Outcome.CORRECT, Outcome.WRONG, Outcome.NOT_RUN):
        raise _fault(
            plan, f"yielded the outcome {str(attempt.outcome)!r} for {pair}, which only the runner may give"
        )
    if attempt.outcome is Outcome.ANSWERED and attempt.answer is None:
        raise _fault(plan, f"yielded {pair} as answered without an answer")
    puzzle, key = plan.items[attempt.puzzle_id]
    trace: list[Line] = []
    answer: Any = None
    for point in attempt.trace:
        entry: Line = {"depth": point.depth}
        if point.answer != answer or not trace:  # unchanged answers are not written again
            answer = point.answer
            entry |= {"answer": answer, "numbers": verdict_numbers(_verdict(plan.task, puzzle, key, answer))}
        trace.append(entry)
    if attempt.outcome is not Outcome.ANSWERED:
        return attempt_line(attempt, attempt.outcome, None, trace)
    verdict = _verdict(plan.task, puzzle, key, attempt.answer)
    return attempt_line(attempt, Outcome.CORRECT if verdict.correct else Outcome.WRONG, verdict, trace)


def _verdict(task: Task, puzzle: Puzzle, key: Key, answer: Any) -> Verdict:
    verdict = task.judge(puzzle, key, answer)
    for metric in task.metrics:
        if metric.number != CORRECT and metric.number not in verdict.numbers:
            raise RunError(
                f"The task {task.name!r} judged {puzzle.id!r} without the number {metric.number!r}.",
                rule=f"That is a fault of the task: its metric {metric.name!r} is made of that number.",
            )
    return verdict


def _judged_again(task: Task, puzzle: Puzzle, key: Key, line: Line) -> Line:
    found: Line = {"outcome": line["outcome"]}
    if line["outcome"] in (Outcome.CORRECT, Outcome.WRONG):
        verdict = _verdict(task, puzzle, key, line["answer"])
        found |= {
            "outcome": str(Outcome.CORRECT if verdict.correct else Outcome.WRONG),
            "numbers": verdict_numbers(verdict),
        }
    answer: Any = None
    for point in line.get("trace", ()):
        answer = point.get("answer", answer)
        found.setdefault("trace", []).append(verdict_numbers(_verdict(task, puzzle, key, answer)))
    return found


def _fault(plan: Plan, what: str) -> RunError:
    return RunError(
        f"The solver {plan.config['solver']['reference']!r} {what}.",
        rule="That is a fault of the solver: it must yield each wanted (puzzle, attempt) pair once.",
        next_step=f"What was recorded before is kept in {plan.folder.path}.",
    )
