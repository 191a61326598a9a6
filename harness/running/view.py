"""The part of a task that a solver is handed: what `TaskView` names, and no way from there to the keys."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import registry
from harness.base import methods_of
from harness.contracts import Task, TaskView

SHOWN = frozenset(name for name in vars(TaskView) if not name.startswith("_"))
OLDER = {"search": "search", "random_answer": "random"}
HIDDEN = ("load", "judge", "item", "between", "draw", "training_groups")
"""Members of a task that make or hold answers; the copy behind a view has them replaced by a refusal."""


class View:
    """What a solver is handed of a task: the attributes of `TaskView`, `spelling` (how it is asked for on the
    command line, for errors), and nothing else.

    What it shows is a copy of the task that cannot load or judge, so that not even a bound method leads to
    the keys. It can be pickled, for solvers that work in processes of their own.
    """

    __slots__ = ("_again", "_shown")

    def __init__(self, task: Task) -> None:
        object.__setattr__(self, "_shown", _without_keys(task))
        object.__setattr__(self, "_again", _recipe(task))

    def __getattr__(self, name: str) -> Any:
        if name in OLDER:  # for solvers older than `Task.methods`
            return self._older(name)
        if name == "spelling":
            return spelled(object.__getattribute__(self, "_shown"))
        if name not in SHOWN:
            raise AttributeError(
                f"a solver may not use {name!r} of a task: it is shown {', '.join(sorted(SHOWN))}"
            )
        shown = object.__getattribute__(self, "_shown")
        if name == "methods":
            return {method: _unbound(play) for method, play in methods_of(shown).items()}
        found = getattr(shown, name)
        return _unbound(found) if callable(found) and name != "grid" else found

    def _older(self, name: str) -> Callable[..., Any]:
        method = self.methods[OLDER[name]]
        return lambda puzzle, rng=None: method(puzzle, rng)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a solver may not change a task: {name}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (object.__getattribute__(self, "_again"),)


def spelled(task: Any) -> str:
    """Return how a task is asked for on the command line: --task NAME, and a -T for each changed option."""
    place = registry.loaded_from(task)
    words = [f"--task {task.name if place is None else ':'.join(place)}"]
    for field in dataclasses.fields(task) if dataclasses.is_dataclass(task) else ():
        value = getattr(task, field.name)
        if field.init and value != field.default:
            text = ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
            words.append(f"-T {field.name}={text.lower() if isinstance(value, bool) else text}")
    return " ".join(words)


def _without_keys(task: Task) -> Any:
    """Return a copy of the task whose class refuses to load and to judge."""
    shown = copy.copy(task)
    refusals = {name: _refusal(name) for name in HIDDEN if hasattr(task, name)}
    kind = type(task)
    object.__setattr__(
        shown, "__class__", type(kind.__name__, (kind,), {**refusals, "__module__": kind.__module__})
    )
    return shown


def _unbound(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls the method and does not hold the object it belongs to as `__self__`."""

    @functools.wraps(method)
    def call(*arguments: Any) -> Any:
        return method(*arguments)

    del call.__wrapped__
    return call


def _refusal(name: str) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> Any:
        raise AttributeError(f"a solver may not use {name!r} of a task: it would see the answers")

    return refuse


def _recipe(task: Task) -> tuple[Any, ...]:
    """Return how to make the task again in another process: its file and class if it comes from one."""
    module = registry.loaded_from(task)
    return (task, None, None) if module is None else (None, module, dict(vars(task)))


def _rebuilt(recipe: tuple[Any, ...]) -> View:
    task, place, state = recipe
    if place is not None:
        module: Any = registry.load_file(Path(place[0]))
        kind = functools.reduce(getattr, place[1].split("."), module)
        task = object.__new__(kind)
        task.__dict__.update(state)
    return View(task)
