"""What a study is, and its TOML file.

max_cost = 5.0          # US dollars, all runs together; also max_hours, workers, ray, data_dir
seeds = [0, 1, 2]
limit = 200             # puzzles a run; also split, attempts, max_connections, retry_on_error

[[task]]
name = "automaton"
T.steps = [1, 2, 4]     # a list is a dial: a run for each of its values
limit = 100             # of this task alone

[[solver]]
name = "looped"
S.depth = [1, 4, 16]
seeds = [0]             # of this solver alone

[[exclude]]             # every run that fits all of it is left out
solver = "looped"
T.steps = 4
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import product
from pathlib import Path
from typing import Any

from harness.errors import UserError, did_you_mean
from harness.records.schema import RunSpec

SHIPPED = Path(__file__).parent / "shipped"
MOST_RUNS = 10_000
Values = Mapping[str, Any]  # option: its value, or a list of them


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A task or a solver of a study, with its options; a list of values is a dial."""

    name: str
    options: Values = field(default_factory=dict)
    limit: int | None = None
    split: str | None = None
    attempts: int | None = None
    seeds: Sequence[int] | None = None

    def points(self) -> Iterator[dict[str, Any]]:
        """Yield the options of each point, the last dial fastest."""
        values = [value if isinstance(value, list | tuple) else [value] for value in self.options.values()]
        for chosen in product(*values):
            yield dict(zip(self.options, chosen, strict=True))


@dataclass(frozen=True, kw_only=True)
class Study:
    """Tasks × solvers × seeds × dials, less what is excluded.

    exclude: mappings of `task`, `solver`, `seed`, `T.option`, `S.option` to the value that a run must have to
    be left out. max_cost_usd: of all runs together. max_hours: no attempt begins later than that.
    """

    name: str
    tasks: Sequence[Entry]
    solvers: Sequence[Entry]
    seeds: Sequence[int] = (0,)
    exclude: Sequence[Mapping[str, Any]] = ()
    max_cost_usd: float | None = None
    max_hours: float | None = None
    limit: int | None = None
    split: str | None = None
    attempts: int | None = None
    max_connections: int | None = None
    retry_on_error: int | None = None
    workers: int | None = None
    ray: str | None = None
    data_dir: str | None = None

    def __post_init__(self) -> None:
        for noun, given in (("task", self.tasks), ("solver", self.solvers)):
            if not given:
                raise UserError(f"The study {self.name!r} has no {noun}.", next_step=f"Add a [[{noun}]].")
        for noun, limit in (("max_cost", self.max_cost_usd), ("max_hours", self.max_hours)):
            if limit is not None and not 0 < limit < float("inf"):
                raise UserError(f"{noun} = {limit} is no limit.", rule="It must be greater than 0.")
        for seeds in (self.seeds, *(entry.seeds for entry in (*self.tasks, *self.solvers) if entry.seeds)):
            _check_seeds(seeds)

    def runs(self, results_dir: str | Path | None = None) -> list[RunSpec]:
        """Return every run, in the order of the file. Raises UserError for one that stands in it twice."""
        made: dict[str, RunSpec] = {}
        idle = set(range(len(self.exclude)))  # rules that no run has fitted yet
        for task, solver in product(self.tasks, self.solvers):
            seeds = solver.seeds or task.seeds or self.seeds
            for options, play, seed in product(task.points(), solver.points(), seeds):
                spec = RunSpec(
                    task.name,
                    solver.name,
                    task_options=options,
                    solver_options=play,
                    seed=seed,
                    split=solver.split or task.split or self.split,
                    limit=solver.limit or task.limit or self.limit,
                    attempts=solver.attempts or task.attempts or self.attempts,
                    max_connections=self.max_connections,
                    retry_on_error=self.retry_on_error,
                    workers=self.workers,
                    ray=self.ray,
                    data_dir=self.data_dir,
                    results_dir=results_dir,
                )
                name = name_of(spec)
                facts = _facts(spec)
                fits = [n for n, rule in enumerate(self.exclude) if rule.items() <= facts.items()]
                if fits:
                    idle.difference_update(fits)
                    continue
                if name in made:
                    raise UserError(f"The run {name} stands twice in the study {self.name!r}.")
                made[name] = spec
                if len(made) > MOST_RUNS:
                    raise UserError(
                        f"The study {self.name!r} has more than {MOST_RUNS:,} runs.",
                        next_step="Make it several studies.",
                    )
        if idle:
            rule = dict(self.exclude[min(idle)])
            raise UserError(
                f"[[exclude]] {rule} of the study {self.name!r} fits none of its runs.",
                rule="It names values as they stand in the study: task, solver, seed, T.option, S.option.",
                next_step="Mend it or leave it out.",
            )
        if not made:
            raise UserError(f"The study {self.name!r} excludes all of its runs.")
        return list(made.values())


def name_of(spec: RunSpec) -> str:
    """Say which run of a study it is: "sudoku size=4 · trm depth=1 · seed 0"."""
    parts = [
        " ".join([str(name), *(f"{option}={value}" for option, value in (options or {}).items())])
        for name, options in ((spec.task, spec.task_options), (spec.solver, spec.solver_options))
    ]
    return " · ".join([*parts, f"seed {spec.seed}"])


def read(source: str | Path) -> Study:
    """Read a study's file, or one that ships with the project, by its name. Raises UserError."""
    path = Path(source)
    if not path.is_file() and not path.suffix:
        path = SHIPPED / f"{source}.toml"
    if not path.is_file():
        shipped = sorted(found.stem for found in SHIPPED.glob("*.toml"))
        raise UserError(
            f"There is no study {str(source)!r}.",
            rule="It is a TOML file, or one of those that ship: " + ", ".join(shipped) + ".",
        )
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path} cannot be read: {error}.", rule="A study is a TOML file.") from error
    try:
        return _study(found, path.stem)
    except UserError as error:
        raise UserError(f"{path}: {error.what}", rule=error.rule, next_step=error.next_step) from None


KINDS: dict[str, type | tuple[type, ...]] = {
    "name": str, "split": str, "ray": str, "data_dir": str,
    "max_cost": (int, float), "max_hours": (int, float),
    "limit": int, "attempts": int, "max_connections": int, "retry_on_error": int, "workers": int,
    "seeds": list, "task": list, "solver": list, "exclude": list, "T": dict, "S": dict,
}  # fmt: skip
OF_A_STUDY = {f.name for f in fields(Study)} - {"tasks", "solvers", "max_cost_usd"} | {
    "task",
    "solver",
    "max_cost",
}
OF_AN_ENTRY = {f.name for f in fields(Entry)} - {"options"}


def _study(found: Mapping[str, Any], name: str) -> Study:
    _check(found, OF_A_STUDY, "a study")
    words: dict[str, Any] = {"name": name} | dict(found)
    words["max_cost_usd"] = words.pop("max_cost", None)
    words["tasks"] = [_entry(e, "task", "T") for e in words.pop("task", ())]
    words["solvers"] = [_entry(e, "solver", "S") for e in words.pop("solver", ())]
    words["exclude"] = [_rule(rule) for rule in found.get("exclude", ())]
    return Study(**words)


def _entry(found: Any, noun: str, flag: str) -> Entry:
    if not isinstance(found, dict):
        raise UserError(f"{noun} = {found!r} is not a table.", rule=f"It is written [[{noun}]].")
    _check(found, OF_AN_ENTRY | {flag}, f"a [[{noun}]]")
    if not found.get("name"):
        raise UserError(f"A [[{noun}]] has no name.", rule="It says which, as --task and --solver do.")
    words = dict(found)
    options = dict(_flat(words.pop(flag, {})))
    if dial := next((option for option, value in options.items() if value == []), None):
        raise UserError(f"{flag}.{dial} of {found['name']!r} has no value.", rule="A dial has one or more.")
    for option, value in options.items():
        if isinstance(value, list) and len({str(v) for v in value}) < len(value):
            raise UserError(f"{flag}.{option} of {found['name']!r} has a value twice: {value}.")
    return Entry(options=options, **words)


def _rule(found: Any) -> dict[str, str]:
    if not isinstance(found, dict) or not found:
        raise UserError(
            f"exclude = {found!r} excludes nothing.", rule="It is a table [[exclude]] with values."
        )
    _check(found, {"task", "solver", "seed", "T", "S"}, "an [[exclude]]", kinds={})
    return {name: str(value) for name, value in _flat(found)}


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted name, value): options may be nested."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _check(
    found: Mapping[str, Any], known: set[str], what: str, kinds: Mapping[str, Any] | None = None
) -> None:
    for name, value in found.items():
        if name not in known:
            raise UserError(f"{name!r} is nothing that {what} has.", rule=did_you_mean(name, known, show=20))
        kind = (KINDS if kinds is None else kinds).get(name, object)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not object):
            wanted = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
            raise UserError(f"{name} = {value!r} is of the wrong kind.", rule=f"It is of the kind {wanted}.")


def _check_seeds(seeds: Sequence[int]) -> None:
    for seed in seeds:
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise UserError(f"The seed {seed!r} is none.", rule="Seeds are whole numbers, 0 or more.")
    if twice := [seed for seed in seeds if list(seeds).count(seed) > 1]:
        raise UserError(f"The seed {twice[0]} stands twice in {list(seeds)}.", rule="A run is made once.")
    if not seeds:
        raise UserError("seeds = [] leaves no run.", next_step="Leave seeds out for seed 0.")


def _facts(spec: RunSpec) -> dict[str, str]:
    """Return what an exclusion may ask of a run, as text."""
    return {
        "task": str(spec.task),
        "solver": str(spec.solver),
        "seed": str(spec.seed),
        **{f"T.{name}": str(value) for name, value in (spec.task_options or {}).items()},
        **{f"S.{name}": str(value) for name, value in (spec.solver_options or {}).items()},
    }
