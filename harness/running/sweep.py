"""Sweeps: the same run at every value of a dial, a folder for each point.

`--sweep steps=4,8,16` goes over an option of the task, `--sweep S.depth=1,2,4` over one of the solver; two
sweeps are every pair of values. All points are built before the first runs, so a value that no task or solver
takes stops the sweep before anything is spent. A point that fails later is kept as failed, and the others go
on; the same command resumes every point where it stood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from harness.capabilities import DecidedByTask
from harness.contracts import Solver, Task
from harness.errors import DepthbenchError, UserError
from harness.running.plan import create
from harness.running.runner import RunResult
from harness.running.view import View

MOST = 2  # a curve or a grid; with three dials nobody sees anything


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One dial and its values, as text."""

    flag: str  # "-T" or "-S"
    option: str
    values: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.option if self.flag == "-T" else f"S.{self.option}"

    @classmethod
    def read(cls, text: str) -> Sweep:
        """Read `steps=4,8`, `T.steps=4,8` or `S.depth=1,2`."""
        name, equals, listed = text.partition("=")
        values = tuple(part.strip() for part in listed.split(","))
        side, dot, option = name.strip().rpartition(".")
        if not equals or not option or side not in ("", "T", "S") or (dot and not side) or "" in values:
            raise UserError(
                f"--sweep {text!r} cannot be read.",
                rule="It is OPTION=VALUE,VALUE,… of the task, or S.OPTION=… of the solver.",
                next_step="Give --sweep steps=4,8,16, say.",
            )
        if len(set(values)) < len(values):
            twice = next(v for v in values if values.count(v) > 1)
            raise UserError(f"--sweep {text!r} names the value {twice} twice.", rule="A point is run once.")
        return cls(flag="-S" if side == "S" else "-T", option=option.replace("-", "_"), values=values)


@dataclass(frozen=True, kw_only=True)
class Point:
    """One run of a sweep: the value of each dial by its name, and the options that make it."""

    at: Mapping[str, str]
    task_options: Mapping[str, Any]
    solver_options: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Done:
    """What became of a point: its run, or why there is none."""

    point: Point
    result: RunResult | None = None
    error: str | None = None


def points(
    sweeps: Sequence[Sweep], task_options: Mapping[str, Any], solver_options: Mapping[str, Any]
) -> list[Point]:
    """Return every combination, the last sweep fastest. Raises UserError for an option given twice."""
    if len(sweeps) > MOST:
        raise UserError(f"{len(sweeps)} sweeps were given.", rule=f"At most {MOST} make one grid.")
    fixed = {"-T": task_options, "-S": solver_options}
    for i, sweep in enumerate(sweeps):
        if sweep.option in fixed[sweep.flag]:
            raise UserError(
                f"{sweep.flag} {sweep.option} is given beside --sweep {sweep.name}.",
                rule="A swept option has its values from the sweep.",
                next_step=f"Leave {sweep.flag} {sweep.option} out.",
            )
        if any(sweep.name == other.name for other in sweeps[:i]):
            raise UserError(f"--sweep {sweep.name} is given twice.", rule="List all its values in one.")
    made = []
    for values in product(*(sweep.values for sweep in sweeps)):
        chosen = list(zip(sweeps, values, strict=True))
        made.append(
            Point(
                at={sweep.name: value for sweep, value in chosen},
                task_options=dict(task_options) | {s.option: v for s, v in chosen if s.flag == "-T"},
                solver_options=dict(solver_options) | {s.option: v for s, v in chosen if s.flag == "-S"},
            )
        )
    return made


def check(points: Sequence[Point], task: str | Task, solver: str | Solver) -> None:
    """Build the task and the solver of every point; raise UserError for the first that cannot be."""
    for point in points:
        try:
            made = create("task", task, point.task_options)
            playing = create("solver", solver, point.solver_options)
            if isinstance(playing, DecidedByTask):
                playing.for_task(View(made))
        except UserError as error:
            at = ", ".join(f"{name}={value}" for name, value in point.at.items())
            raise UserError(
                f"The point {at} of the sweep: {error.what}", rule=error.rule, next_step=error.next_step
            ) from error


def run_points(points: Sequence[Point], one: Callable[[Point], RunResult]) -> Iterator[Done]:
    """Run point after point; what one raises is its own failure. Ctrl-C ends the sweep."""
    for point in points:
        try:
            yield Done(point=point, result=one(point))
        except (DepthbenchError, OSError) as error:
            yield Done(point=point, error=str(error))
        except Exception as error:  # a fault of a plug-in must not take the other points down
            yield Done(point=point, error=f"{type(error).__name__}: {error}")
