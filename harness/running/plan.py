"""What a run will do: build task and solver, load the puzzles, say what the run is, find its folder.

Two runs are the same when everything is the same that can change an answer or a verdict: task, version,
options, puzzles and keys; solver, options, weights; split and seed. So the same command finds its folder
again whatever the day, and `--limit 400` of 400 puzzles is the same run as no limit. An option that one of
them does not know yet, or no longer, must be at its default in the other: a new one orphans no run before it.

Planning writes nothing: the folder is made when the run begins.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import registry
from harness.books import prices
from harness.capabilities import DecidedByTask, MadeByIndex, still_to_import
from harness.contracts import Item, Metric, Solver, Task
from harness.errors import RunError, UserError, did_you_mean
from harness.records import migrate
from harness.records.decode import DamagedError
from harness.records.find import runs_folder, scan
from harness.records.folder import RunFolder, plain
from harness.records.jsonlines import collector_paused, sha256_of
from harness.records.schema import (
    SCHEMA,
    RunRecord,
    RunSpec,
    SolverRecord,
    TaskRecord,
)
from harness.running import making, sets
from harness.running.environment import environment
from harness.running.items import Items, StoredItems
from harness.running.loading import Ahead, Wanted, load_items
from harness.running.view import View

MOST_PUZZLES = 10**9  # of one run; a generated task would go on for ever
MOST_ATTEMPTS = 10_000  # at a puzzle; the flags of all pairs are held in memory


@dataclass(kw_only=True)
class Plan:
    """One run, ready to start or to go on."""

    spec: RunSpec
    task: Task
    solver: Solver
    items: Items
    record: RunRecord
    folder: RunFolder  # of an earlier session, or still to be made
    left_out: tuple[str, ...] = ()  # folders that could not be read in search of an earlier session

    @property
    def planned(self) -> int:
        return self.record.planned

    def make_folder(self) -> None:
        """Make the folder unless it is there; it holds nothing yet."""
        try:
            self.folder.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"Cannot make the folder {self.folder.path}: {error.strerror}.",
                next_step="Choose another --results-dir.",
            ) from error

    def begin(self) -> bool:
        """Write run.json unless it is there; adopt it if it is. Return whether the run is new. Needs the
        lock.
        """
        if self.folder.exists():
            self.record = self.folder.record()
            return False
        self.folder.write_record(self.record)
        return True

    def discard(self) -> None:
        shutil.rmtree(self.folder.path)


@collector_paused()  # imports and puzzles: much is made, nothing thrown away
def plan_run(spec: RunSpec) -> Plan:
    """Build everything a run needs and find its folder. Raises UserError for a mistake in the spec."""
    _check(spec)
    task: Task = create("task", spec.task, spec.task_options)
    solver: Solver = create("solver", spec.solver, spec.solver_options)
    split = spec.split or task.splits[0]
    if split not in task.splits:
        raise UserError(
            f"The task {task.name!r} has no split {split!r}.", rule=did_you_mean(split, task.splits)
        )
    items, hashes = _items(spec, task, solver, split)
    if isinstance(solver, DecidedByTask):
        solver = solver.for_task(View(task))
    record = _record(spec, task, solver, split, items, hashes)
    folder, left_out = _folder(record, runs_folder(spec.results_dir), spec)
    return Plan(
        spec=spec,
        task=task,
        solver=solver,
        items=items,
        record=record,
        folder=folder,
        left_out=left_out,
    )


def _check(spec: RunSpec) -> None:
    if spec.limit is not None and spec.limit < 1:
        raise UserError(f"The limit is {spec.limit}.", rule="It must be at least 1.")
    if spec.limit is not None and spec.limit > MOST_PUZZLES:
        raise UserError(
            f"The limit is {spec.limit}.",
            rule=f"It must be at most {MOST_PUZZLES:,}.",
            next_step="Leave it out for the whole split.",
        )
    if spec.attempts is not None and not 1 <= spec.attempts <= MOST_ATTEMPTS:
        raise UserError(
            f"attempts={str(spec.attempts)[:30]}.",
            rule=f"It must be at least 1 and at most {MOST_ATTEMPTS:,}.",
        )
    if spec.seed < 0:
        raise UserError(f"The seed is {spec.seed}.", rule="It must be at least 0.")
    if spec.fail_on_error is not None and not spec.fail_on_error > 0:
        raise UserError(
            f"fail_on_error={spec.fail_on_error} is not a limit.", rule="It must be greater than 0."
        )
    if spec.retry_on_error is not None and spec.retry_on_error < 0:
        raise UserError(f"retry_on_error={spec.retry_on_error} is negative.", rule="It must be at least 0.")


def create(kind: registry.Kind, chosen: Any, options: Mapping[str, Any] | None) -> Any:
    """Build the task or solver that a spec names; an object is taken as it is."""
    if isinstance(chosen, str):
        return registry.create(kind, chosen, dict(options or {}))
    if options:
        raise UserError(
            "Options were given for an object.",
            rule=f"A {kind} object brings its own; options go with a name.",
        )
    return chosen


def _items(spec: RunSpec, task: Task, solver: Solver, split: str) -> tuple[Items, dict[str, Any]]:
    """Return the items and their hashes: those of a large generated set on disk, others in memory."""
    size = task.how_many(split, spec.limit) if isinstance(task, MadeByIndex) and not spec.sample_ids else None
    if size is None or size < sets.STORED_FROM:
        items = _loaded(spec, task, solver, split)
        return Items(items), _hashes(items)
    made = sets.stored(
        task,
        {"task": [task.name, task.version, _options(task)[0]], "split": split, "seed": spec.seed, "n": size},
        lambda: making.parts(spec, task, split, size),
    )
    return StoredItems(made), {"puzzles_sha256": made.puzzles_sha256, "keys_sha256": made.keys_sha256}


def _loaded(spec: RunSpec, task: Task, solver: Solver, split: str) -> list[Item]:
    """Load the puzzles; in a process beside this one while the solver's packages are imported."""
    wanted = Wanted(
        split=split, seed=spec.seed, limit=spec.limit, sample_ids=spec.sample_ids, data_dir=spec.data_dir
    )
    slow = still_to_import(solver)
    if isinstance(spec.task, str) and slow and still_to_import(task):
        with Ahead(spec.task, dict(spec.task_options or {}), wanted) as ahead:
            for package in slow:
                with suppress(Exception):  # said when it is used
                    importlib.import_module(package)
            return ahead.items() or load_items(task, **wanted)
    return load_items(task, **wanted)


def _record(
    spec: RunSpec, task: Task, solver: Solver, split: str, items: Items, hashes: Mapping[str, Any]
) -> RunRecord:
    """Say what the run is, in the very form in which it will be read again."""
    card = solver.card
    made = RunRecord(
        schema=SCHEMA,
        hash="",
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        task=TaskRecord(
            name=task.name, version=task.version, **_component("task", spec.task, task), **hashes
        ),
        solver=SolverRecord(
            name=card.name,
            weights_sha256=card.weights_sha256,
            **_component("solver", spec.solver, solver),
        ),
        split=split,
        seed=spec.seed,
        limit=spec.limit,
        sample_ids=tuple(spec.sample_ids),
        default_split=task.splits[0],
        attempts_per_puzzle=spec.attempts or task.attempts,
        attempts_asked=None if spec.attempts in (None, task.attempts) else spec.attempts,
        metrics=_metrics(task, spec.attempts),
        chance=task.chance,
        data_revision=task.data_revision,
        card=card,
        device=card.device,
        environment=environment(prices.dates()[-1]),
        puzzles=items.planned,
    )
    try:
        items.planned.check()
        record = dataclasses.replace(migrate.run_record(plain(made), Path()), puzzles=items.planned)
    except DamagedError as error:
        raise RunError(
            f"The task {task.name!r} or the solver {card.name!r} cannot be recorded: {error}.",
            rule="That is a fault of the one or the other: harness/contracts.py says what they are made of.",
        ) from None
    return dataclasses.replace(record, hash=sha256_of(_identity(record)))


def _metrics(task: Task, attempts: int | None) -> tuple[Metric, ...]:
    """Return the task's metrics; of several tries that were asked for both the mean and the best."""
    if attempts in (None, 1, task.attempts):
        return tuple(task.metrics)
    headline = task.metrics[0]
    return (
        dataclasses.replace(headline, name=f"{headline.name} mean@{attempts}", of="mean"),
        dataclasses.replace(headline, name=f"{headline.name} pass@{attempts}"),
        *task.metrics[1:],
    )


def _identity(record: RunRecord) -> dict[str, Any]:
    """Return what decides the numbers, options at their default left out."""
    task, solver = record.task, record.solver
    asked = record.attempts_asked
    return {
        "task": [task.name, task.version, task.changed, task.source_sha256],
        "puzzles": [task.puzzles_sha256, task.keys_sha256],
        "solver": [solver.name, solver.changed, solver.source_sha256, solver.weights_sha256],
        "split": record.split,
        "seed": record.seed,
        **({} if asked is None else {"attempts": asked}),
    }


def same_run(one: RunRecord, other: RunRecord) -> bool:
    """Say whether two records are of the same run, so that one goes on where the other stopped."""
    bare = [
        {**_identity(record), "task": record.task.version, "solver": record.solver.weights_sha256}
        for record in (one, other)
    ]
    return bare[0] == bare[1] and all(
        (a.name, a.source_sha256) == (b.name, b.source_sha256) and _same_options(a, b)
        for a, b in ((one.task, other.task), (one.solver, other.solver))
    )


def _same_options(one: TaskRecord | SolverRecord, other: TaskRecord | SolverRecord) -> bool:
    return all(
        one.options[name] == other.options[name]
        if name in one.options and name in other.options
        else name not in one.changed and name not in other.changed
        for name in {*one.options, *other.options}
    )


def _folder(record: RunRecord, runs: Path, spec: RunSpec) -> tuple[RunFolder, tuple[str, ...]]:
    """Return the newest folder of the same run, or where a new one goes, and what could not be read."""
    names = f"_{_slug(record.task.name)}_{_slug(record.solver.name)}_"
    found = list(scan(spec.results_dir, named=names))
    left_out = tuple(run.problem for run in found if run.problem)
    same = [
        (run.record.created, _number(run.folder.name), run.folder)
        for run in found
        if run.record and same_run(run.record, record)
    ]
    if same and not spec.fresh:
        return max(same, key=lambda run: run[:2])[2], left_out
    stem = f"{names}{record.hash[:8]}"
    taken = [_number(run.folder.name) for run in found if run.folder.name.partition(stem)[1]]
    suffix = f"-{max(taken) + 1}" if taken else ""
    return RunFolder(runs / f"{time.strftime('%Y-%m-%d')}{stem}{suffix}"), left_out


def _number(name: str) -> int:
    """Return which of the runs of one configuration a folder holds: the first has no suffix, then -2, -3."""
    suffix = re.search(r"_[0-9a-f]{8}-(\d+)$", name)
    return int(suffix[1]) if suffix else 1


def items_of(task: Task, record: RunRecord, data_dir: str | Path | None) -> list[Item]:
    """Load the very puzzles of a recorded run; keys may have been corrected since, puzzles may not."""
    items = load_items(
        task,
        split=record.split,
        seed=record.seed,
        limit=record.limit,
        sample_ids=record.sample_ids,
        data_dir=data_dir,
    )
    if _hashes(items)["puzzles_sha256"] != record.task.puzzles_sha256:
        raise UserError(
            f"The task {task.name!r} (version {task.version}) makes other puzzles than the run was made with"
            f" (version {record.task.version}).",
            rule="Answers can only be judged against the puzzles they were given to.",
            next_step="Use the data and version named in run.json, or run again.",
        )
    return items


def recreate_task(record: RunRecord) -> Task:
    """Build the task of a recorded run again."""
    task: Task = registry.create("task", record.task.reference, _from_json(record.task.options))
    return task


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.") or "unnamed"


def _hashes(items: Sequence[Item]) -> dict[str, Any]:
    puzzles = [(p.id, p.group, p.split, dict(p.payload), p.difficulty) for p, _ in items]
    return {
        "puzzles_sha256": sha256_of(puzzles),
        "keys_sha256": sha256_of([(k.answers, k.optimum) for _, k in items]),
    }


def _component(kind: registry.Kind, chosen: Any, made: Any) -> dict[str, Any]:
    """Return the part that the records of task and solver share."""
    options, defaults = _options(made)
    from_file = isinstance(chosen, str) and ".py:" in chosen
    source = sha256_of(Path(chosen.rpartition(":")[0]).read_text("utf-8", "replace")) if from_file else None
    return {
        "options": options,
        "changed": {name: value for name, value in options.items() if value != defaults.get(name, _NONE)},
        "reference": _reference(kind, chosen),
        "source_sha256": source,
    }


_NONE = object()


def _options(component: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options a component was built with, and the defaults of those that have one; fields hidden
    from its repr or from comparison are no options.
    """
    if not dataclasses.is_dataclass(component):
        return {}, {}
    values, defaults = {}, {}
    for f in dataclasses.fields(component):
        if not (f.init and f.repr and f.compare):
            continue
        values[f.name] = _json(getattr(component, f.name))
        if f.default is not dataclasses.MISSING:
            defaults[f.name] = _json(f.default)
        elif f.default_factory is not dataclasses.MISSING:
            defaults[f.name] = _json(f.default_factory())
    return values, defaults


def _json(value: Any) -> Any:
    """Return an option as JSON; what JSON has no form for as the text from which it can be read again."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _json(getattr(value, f.name)) for f in dataclasses.fields(value) if f.repr}
    if isinstance(value, Mapping):
        return {str(key): _json(of) for key, of in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(map(_json, value), key=repr)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _from_json(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


def _reference(kind: registry.Kind, chosen: str | object) -> str:
    """Return how to find a component again: its registered name or file, else module:class."""
    if isinstance(chosen, str):
        return chosen
    place = f"{type(chosen).__module__}:{type(chosen).__qualname__}"
    return next((name for name, value in registry.names(kind).items() if value == place), place)
