"""Find tasks and solvers by name: our own from a literal table, others from entry points or a file path; imported when used."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal

from harness.errors import UserError, did_you_mean
from harness.options import build

Kind = Literal["task", "solver"]

OURS: dict[Kind, dict[str, str]] = {
    "task": {
        "arc1": "tasks.arc:Arc1",
        "arc2": "tasks.arc:Arc2",
        "maze": "tasks.maze:Maze",
        "maze-hard": "tasks.maze_hard:MazeHard",
        "maze-unique": "tasks.maze:MazeUnique",
        "sudoku": "tasks.sudoku:Sudoku",
        "sudoku-extreme": "tasks.sudoku_extreme:SudokuExtreme",
    },
    "solver": {
        "copy-input": "solvers.copy_input:CopyInput",
        "llm": "solvers.llm.solver:LlmSolver",
        "random": "solvers.random_baseline:RandomBaseline",
        "search": "solvers.search:Search",
        "trm": "solvers.nets.trm:TrmSolver",
    },
}


def names(kind: Kind) -> dict[str, str]:
    """Return every known name with its "module:attribute". A name that two places claim is refused."""
    table = dict(OURS[kind])
    for point in entry_points(group=f"depthbench.{kind}s"):
        if point.name in table:
            raise UserError(
                f"The {kind} name {point.name!r} of {_distribution(point)} already belongs to {table[point.name]}.",
                rule="A name may be registered once.",
                next_step="Uninstall one of them or rename its entry point.",
            )
        table[point.name] = point.value
    return table


def find(kind: Kind, name: str) -> Any:
    """Return the class or factory registered as `name`, or named by `path/to/file.py:Attribute`."""
    if ":" in name and name.rpartition(":")[0].endswith(".py"):
        return _from_file(kind, name)
    table = names(kind)
    if name not in table:
        raise UserError(f"Unknown {kind} {name!r}.", rule=did_you_mean(name, table), next_step=f"`bench list {kind}s` shows all.")
    module, _, attribute = table[name].partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:
        if name in OURS[kind]:
            raise
        point = next(p for p in entry_points(group=f"depthbench.{kind}s") if p.name == name)
        raise UserError(
            f"The {kind} {name!r} of {_distribution(point)} cannot be loaded: {type(error).__name__}: {error}.",
            rule=f"It names {point.value}.",
            next_step="Repair or uninstall that distribution; everything else still works.",
        ) from error


def create(kind: Kind, name: str, options: dict[str, Any] | None = None) -> Any:
    """Build the named task or solver; `options` are its fields, as values or as text from the command line."""
    return build(find(kind, name), options or {}, owner=f"{kind} {name!r}")


def _from_file(kind: Kind, name: str) -> Any:
    path_text, _, attribute = name.rpartition(":")
    path = Path(path_text).resolve()
    if not path.is_file():
        raise UserError(f"No file {path_text!r} for {kind} {name!r}.", rule="The form is path/to/file.py:ClassName.")
    module_name = f"depthbench_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None  # a .py file always has a loader
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses look their module up here
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise UserError(f"{path_text} cannot be loaded: {type(error).__name__}: {error}.", next_step="Mend the file.") from error
    if not hasattr(module, attribute):
        public = [n for n in vars(module) if not n.startswith("_")]
        raise UserError(f"{path_text} has no {attribute!r}.", rule=did_you_mean(attribute, public))
    return getattr(module, attribute)


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value
