"""Play a study: check every run before the first, the cheapest first, under one cap, and note what became of
each.

A study resumes because its runs do: the same command plans them again, reads those that are complete and goes
on with the others. `study.json` only says which runs belong to it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from harness.books.ledger import spent
from harness.capabilities import Bounded, DecidedByTask, Previews
from harness.contracts import Solver, SolverCard, Task
from harness.errors import DepthbenchError, UserError, did_you_mean
from harness.records.find import results_folder, runs_folder
from harness.records.folder import RunFolder
from harness.records.jsonlines import dumps, read_object, write_atomically
from harness.records.schema import AttemptRecord, RunSpec
from harness.running import executor as executors
from harness.running.plan import create, plan_run
from harness.running.runner import Progress, RunInterrupted, RunResult, execute
from harness.running.view import View
from harness.studies.spec import Study, name_of, read

SCHEMA = 1
DEAREST = {"baseline": 0, "exact": 1, "net": 2}  # what is played first costs least; anything else last
SAMPLED = 50  # prompts whose length is measured for an estimate


@dataclass
class Part:
    """One run of a study: what is asked for, and what became of it."""

    spec: RunSpec
    state: str = "waiting"  # then running, done, stopped or failed
    result: RunResult | None = None
    error: str | None = None
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = name_of(self.spec)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a run would ask for. `usd` is an upper bound; None is unknown."""

    name: str
    kind: str
    attempts: int
    recorded: int
    prompt_tokens: float | None
    usd: float | None


class Watcher(Protocol):
    """Something that is told how a study goes."""

    def begins(self, parts: Sequence[Part], at: int) -> Progress | None:
        """Return what watches this one run."""
        ...

    def ended(self, parts: Sequence[Part], at: int) -> None: ...


def checked(study: Study, results_dir: str | Path | None = None) -> list[Part]:
    """Build the task and the solver of every run and return the runs, cheapest first. Raises UserError for
    the first that cannot be.
    """
    tasks: dict[str, Task] = {}
    found: list[tuple[tuple[Any, ...], Part]] = []
    for place, spec in enumerate(study.runs(results_dir)):
        executors.check(spec)
        part = Part(spec)
        try:
            task = _task(tasks, spec)
            solver = _solver(spec, task)
        except UserError as error:
            raise UserError(
                f"The run {part.name}: {error.what}", rule=error.rule, next_step=error.next_step
            ) from error
        found.append(((*_cost(solver), place), part))
    return [part for _, part in sorted(found, key=lambda pair: pair[0])]


def estimates(parts: Sequence[Part]) -> Iterator[Estimate]:
    """Yield what each run would ask for, without asking for it or writing anything."""
    for part in parts:
        plan = plan_run(part.spec)
        solver = plan.solver
        recorded = len(plan.folder.attempts(light=True)) if plan.folder.exists() else 0
        tokens = usd = None
        if isinstance(solver, Previews):
            view = View(plan.task)
            puzzles = [puzzle for puzzle, _ in list(plan.items.values())[:SAMPLED]]
            counts = [solver.count_tokens(solver.preview(view, puzzle)) for puzzle in puzzles]
            tokens = math.fsum(counts) / len(counts) * plan.planned
            if isinstance(solver, Bounded) and (most := solver.most_usd(tokens / plan.planned)) is not None:
                usd = most * plan.planned
        elif not _may_cost(solver):
            usd = 0.0
        yield Estimate(
            name=part.name,
            kind=solver.card.kind,
            attempts=plan.planned,
            recorded=min(recorded, plan.planned),
            prompt_tokens=tokens,
            usd=usd,
        )


def study(
    source: Study | str | Path,
    *,
    results_dir: str | Path | None = None,
    watcher: Watcher | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Part]:
    """Play every run of a study, or go on with it; return the runs with what became of each.

    source: a `Study`, its TOML file, or the name of one that ships. A run that fails is noted and the
    others go on. Raises UserError before anything starts if a run cannot be built, RunInterrupted on Ctrl-C:
    what is recorded is kept and the same call goes on.
    """
    asked = source if isinstance(source, Study) else read(source)
    parts = checked(asked, results_dir)
    until = None if asked.max_hours is None else clock() + 3600 * asked.max_hours
    over = f"the {asked.max_hours} hours of the study are over"
    note = _Notes(asked, parts, results_dir)
    with ExitStack() as open_:
        executor = open_.enter_context(executors.opened(parts[0].spec))
        for at, part in enumerate(parts):
            if until is not None and clock() >= until:
                part.state, part.error = "stopped", over
                continue
            part.state = "running"
            deadline = _Deadline(watcher.begins(parts, at) if watcher else None, until, clock)
            try:
                _play(part, note, asked, executor, deadline)
            except RunInterrupted as interrupted:
                part.state, part.result = "stopped", interrupted.result
                if not deadline.over:
                    raise
                part.error = over
            except (DepthbenchError, OSError) as error:
                part.state, part.error = "failed", str(error)
            except Exception as error:  # a fault of a plug-in must not take the other runs down
                part.state, part.error = "failed", f"{type(error).__name__}: {error}"
            finally:
                note.write()
            if watcher:
                watcher.ended(parts, at)
    return parts


def runs_of(name: str, results_dir: str | Path | None = None) -> list[RunFolder]:
    """Return the run folders of a study that was played, in its order. Raises UserError for no such study."""
    path = _notes(name, results_dir)
    if not path.is_file():
        known = sorted(found.stem for found in path.parent.glob("*.json")) if path.parent.is_dir() else []
        raise UserError(
            f"No study {name!r} in {path.parent}.",
            rule=did_you_mean(name, known) if known else "No study was played there.",
            next_step="`bench study FILE.toml` plays one.",
        )
    found = read_object(path)
    if found.get("schema") != SCHEMA or not isinstance(found.get("runs"), list):
        raise UserError(f"{path} is no study of this version.", next_step="Play the study again.")
    runs = runs_folder(results_dir)
    return [RunFolder(runs / run["run"]) for run in found["runs"] if isinstance(run, dict) and run.get("run")]


def _play(part: Part, note: _Notes, study: Study, executor: Any, progress: Progress) -> None:
    plan = plan_run(part.spec)
    folder = RunFolder(plan.folder.path)
    if _may_cost(plan.solver) and study.max_cost_usd is not None:
        elsewhere = note.spent(besides=plan.folder.name)
        left = study.max_cost_usd - elsewhere
        if left <= 0 and not (folder.exists() and RunResult(folder).complete):
            raise UserError(
                f"The ${study.max_cost_usd:g} of the study are spent.", next_step="Raise max_cost to go on."
            )
        plan.spec = replace(plan.spec, max_cost_usd=max(left, 1e-12))
    note.folders[part.name] = plan.folder.name
    if _may_cost(plan.solver):
        note.priced.add(plan.folder.name)
    note.write()  # before the run: a kill leaves it named
    part.result = execute(plan, progress, executor)
    part.state = "done" if part.result.complete else "stopped"
    if part.state == "stopped":
        left_over = part.result.summary.planned - part.result.summary.recorded
        part.error = f"{left_over:,} attempts were not made"


class _Notes:
    """`study.json`: which runs belong to a study."""

    def __init__(self, study: Study, parts: Sequence[Part], results_dir: str | Path | None) -> None:
        self.study, self.parts, self.results_dir = study, parts, results_dir
        self.path = _notes(study.name, results_dir)
        self.folders: dict[str, str] = {}
        self.priced: set[str] = set()
        self._known: dict[str, tuple[int, float]] = {}
        with_names = read_object(self.path) if self.path.is_file() else {}
        names = {part.name for part in parts}
        for run in with_names.get("runs", ()):  # of an earlier session
            if isinstance(run, dict) and run.get("name") in names and run.get("run"):
                self.folders[run["name"]] = run["run"]
                if run.get("priced"):
                    self.priced.add(run["run"])

    def spent(self, *, besides: str) -> float:
        """Return the dollars that the study's other runs have spent, in this session and before."""
        return math.fsum(self._spent(name) for name in self.priced - {besides})

    def _spent(self, name: str) -> float:
        folder = RunFolder(runs_folder(self.results_dir) / name)
        if not folder.exists():
            return 0.0
        size = folder.attempts_path.stat().st_size if folder.attempts_path.exists() else 0
        if self._known.get(name, (-1, 0.0))[0] != size:
            self._known[name] = size, math.fsum(spent(attempt.usage) for attempt in folder.attempts())
        return self._known[name][1]

    def write(self) -> None:
        """Write what is known, whole or not at all."""
        runs = [
            {
                "name": part.name,
                "run": self.folders.get(part.name),
                "priced": self.folders.get(part.name) in self.priced,
                "state": part.state,
                "error": part.error,
            }
            for part in self.parts
        ]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        asked = {k: v for k, v in asdict(self.study).items() if v is not None}
        write_atomically(self.path, dumps({"schema": SCHEMA, "study": asked, "runs": runs}, indent=2))


class _Deadline:
    """A progress that ends the run under way when the time is over."""

    def __init__(self, inner: Progress | None, until: float | None, clock: Callable[[], float]) -> None:
        self.inner, self.until, self.clock, self.over = inner, until, clock, False

    def start(self, *, planned: int, recorded: int, where: Path) -> None:
        if self.inner:
            self.inner.start(planned=planned, recorded=recorded, where=where)

    def advance(self, attempt: AttemptRecord) -> None:
        if self.inner:
            self.inner.advance(attempt)
        if self.until is not None and self.clock() >= self.until:
            self.over = True
            raise KeyboardInterrupt  # the runner keeps what is recorded and ends the run

    def stop(self) -> None:
        if self.inner:
            self.inner.stop()


def _notes(name: str, results_dir: str | Path | None) -> Path:
    if not name or Path(name).name != name or name.startswith("."):
        raise UserError(f"{name!r} cannot be the name of a study.", rule="It becomes the name of a file.")
    return results_folder(results_dir) / "studies" / f"{name}.json"


def _task(made: dict[str, Task], spec: RunSpec) -> Task:
    name = f"{spec.task} {sorted((spec.task_options or {}).items())}"
    if name not in made:
        made[name] = create("task", spec.task, spec.task_options)
    task = made[name]
    if spec.split is not None and spec.split not in task.splits:
        raise UserError(f"the task has no split {spec.split!r}.", rule=did_you_mean(spec.split, task.splits))
    return task


def _solver(spec: RunSpec, task: Task) -> Solver:
    solver: Solver = create("solver", spec.solver, spec.solver_options)
    if isinstance(solver, DecidedByTask):
        solver = solver.for_task(View(task))
    return solver


def _may_cost(solver: Solver) -> bool:
    """Say whether a solver may ask somebody who is paid: all but those known to ask nobody."""
    return solver.card.kind not in DEAREST


def _cost(solver: Solver) -> tuple[float, ...]:
    """Return what runs are ordered by: kind, then the size of the net or the price of the model."""
    card: SolverCard = solver.card
    price = getattr(solver, "price", None)
    return (
        DEAREST.get(card.kind, len(DEAREST)),
        float(card.parameters.core or 0),
        float(price.output) if price is not None else 0.0,
    )
