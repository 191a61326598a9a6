"""The part of a task that a solver is handed."""

from __future__ import annotations

from typing import Any

from harness.contracts import Task, TaskView

SHOWN = frozenset(name for name in vars(TaskView) if not name.startswith("_"))


class View:
    """What a solver is handed of a task: the attributes of `TaskView` and nothing else."""

    __slots__ = ("_task",)

    def __init__(self, task: Task) -> None:
        object.__setattr__(self, "_task", task)

    def __getattr__(self, name: str) -> Any:
        if name not in SHOWN:
            raise AttributeError(f"a solver may not use {name!r} of a task: it is shown {', '.join(sorted(SHOWN))}")
        return getattr(object.__getattribute__(self, "_task"), name)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a solver may not change a task: {name}")
