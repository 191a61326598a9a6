"""What a report says: runs in blocks that may be ranked together, their pairs, curves and cards.

Every number comes from the records' own scores (`harness.scores`); nothing is estimated here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.cli.results import puzzles_of, solver_of
from harness.cli.tables import visible
from harness.errors import DepthbenchError, UserError
from harness.records.folder import RunFolder
from harness.report.entries import Entry, depths, read, sets_of
from harness.scores.compare import Pair, compare
from harness.scores.depths import depths_of
from harness.scores.front import Front, front_of
from harness.scores.leaderboard import RankedBlock, ranked
from harness.scores.samples import Samples, samples_of
from harness.scores.seeds import pooled
from harness.scores.strata import Strata, strata_of
from harness.scores.values import RunValues, load

AXES = ("active", "flops", "usd", "seconds")  # of `front_of`, that scores are drawn against
COMPARED = 10  # runs of a block whose pairs are tested: all pairs of 100 runs would be 4,950 tests


@dataclass(frozen=True, kw_only=True)
class PuzzleSet:
    """Runs on the very same puzzles, judged by the same number: they may be compared. The best first.

    ranked: those of the same training, prompt and attempts, best first; only they have ranks. fronts: by
    axis. strata: by run, where its puzzles have difficulties. lost: by run, answers right at some depth and
    wrong at the last. samples: by run, where it has K of them a puzzle.
    """

    puzzles: str  # the task with its options, as the leaderboard says it
    entries: tuple[Entry, ...]
    ranked: tuple[RankedBlock, ...]
    fronts: Mapping[str, Front]
    strata: Mapping[str, Strata]
    lost: Mapping[str, int]
    samples: Mapping[str, Samples]
    pairs: tuple[Pair, ...] = ()
    unpaired: str = ""  # why there are no pairs

    @property
    def compared(self) -> tuple[Entry, ...]:
        """The runs that the pairs are of, best first."""
        names = {name for pair in self.pairs for name in (pair.first, pair.second)}
        return tuple(entry for entry in self.entries if entry.folder.name in names)


@dataclass(frozen=True, kw_only=True)
class Dial:
    """One solver along one numeric option, of the task or its own."""

    option: str
    of: str  # "task" or "solver"
    name: str  # the solver, without that option
    points: tuple[tuple[float, Entry], ...]  # ascending


@dataclass(frozen=True, kw_only=True)
class Section:
    """Everything of one task."""

    task: str
    sets: tuple[PuzzleSet, ...]
    dials: tuple[Dial, ...]

    @property
    def entries(self) -> Iterator[Entry]:
        return (entry for block in self.sets for entry in block.entries)

    @property
    def grids(self) -> tuple[Dial, ...]:
        """Dials of the task along which a solver was watched at several depths."""
        return tuple(d for d in self.dials if d.of == "task" and any(depths(e) for _, e in d.points))


@dataclass(frozen=True, kw_only=True)
class Content:
    """A whole report. problems: a sentence for each run that was left out."""

    sections: tuple[Section, ...]
    problems: tuple[str, ...]

    @property
    def entries(self) -> list[Entry]:
        return [entry for section in self.sections for entry in section.entries]


def gather(runs: Sequence[str], *, task: str | None, results_dir: str | Path | None) -> Content:
    """Read the named runs, or all of a results folder. Raises UserError where there is nothing to report."""
    by_task, problems = read(runs, task=task, results_dir=results_dir)
    return Content(
        sections=tuple(_section(name, of) for name, of in by_task.items()),
        problems=tuple(visible(problem) for problem in problems),
    )


def _section(task: str, entries: Sequence[Entry]) -> Section:
    by_puzzles: dict[Any, list[Entry]] = {}
    for entry in entries:
        by_puzzles.setdefault(_puzzles(entry), []).append(entry)
    blocks = [_set(sorted(of, key=lambda e: e.row.rank[3:])) for of in by_puzzles.values()]
    blocks.sort(key=lambda block: (-len(block.entries), block.puzzles))
    return Section(task=task, sets=tuple(blocks), dials=tuple(_dials(entries)))


def _puzzles(entry: Entry) -> tuple[Any, ...]:
    """Return what runs must have in common to be ranked: the puzzles, their version, and the headline."""
    task, metric = entry.record.task, entry.record.metrics[0]
    return task.version, sets_of(entry.runs), metric.number, metric.over, metric.better, metric.among


def _set(entries: Sequence[Entry]) -> PuzzleSet:
    scored = [entry for entry in entries if entry.scored]
    values = list(_values(scored))
    newest = [run.each[-1] for run in values]
    strata = {run.name: found for run in newest if len((found := strata_of(run)).strata) > 1}
    watched = [run for run in newest if any(attempt.trace for attempt in run.counted.values())]
    pairs, unpaired = _pairs(scored)
    row = entries[0].row
    if len({entry.row.seed for entry in entries}) > 1:  # other seeds of the very same puzzles
        row = replace(row, seed=0)
    return PuzzleSet(
        puzzles=visible(puzzles_of(row)),
        entries=tuple(entries),
        ranked=tuple(ranked([entry.row for entry in entries])),
        fronts={axis: front_of(values, axis) for axis in AXES} if values else {},
        strata=strata,
        lost={run.name: len(depths_of(run).lost) for run in watched},
        samples=dict(_samples(newest, {entry.folder.name: entry.folder for entry in entries})),
        pairs=pairs,
        unpaired=unpaired,
    )


def _values(entries: Sequence[Entry]) -> Iterator[RunValues]:
    """Yield the puzzles' values of each run; those of a headline over part of the puzzles have none."""
    for entry in entries:
        with suppress(DepthbenchError):
            runs = [load(folder) for folder, _ in entry.runs]
            yield pooled(runs) if len(runs) > 1 else runs[0]


def _samples(runs: Sequence[RunValues], folders: Mapping[str, RunFolder]) -> Iterator[tuple[str, Samples]]:
    """Yield what the samples of each run are worth, of those that have several a puzzle."""
    for run in runs:
        chosen_from = any(attempt.candidates for attempt in run.counted.values())
        if not chosen_from and run.record.attempts_per_puzzle < 2:
            continue
        with suppress(UserError):  # attempts that were chosen from samples nobody kept
            # attempts that are samples themselves need their answers: which are equal
            yield run.name, samples_of(run if chosen_from else load(folders[run.name], light=False))


def _pairs(scored: Sequence[Entry]) -> tuple[tuple[Pair, ...], str]:
    """Return the pairs, or why there are none."""
    chosen = _chosen(scored)
    if len(chosen) < 2:
        return (), "a pair is of two runs with a score"
    try:
        return tuple(compare([folder for entry in chosen for folder, _ in entry.runs], merge=True)), ""
    except DepthbenchError as error:
        return (), visible(str(error))


def _chosen(entries: Sequence[Entry]) -> list[Entry]:
    """Return at most `COMPARED` runs: the best of each kind, then the best of all."""
    of_kind: dict[str, Entry] = {}
    for entry in entries:
        of_kind.setdefault(entry.row.kind, entry)
    first = [*of_kind.values(), *(e for e in entries if e not in of_kind.values())][:COMPARED]
    return [entry for entry in entries if entry in first]


def _dials(entries: Sequence[Entry]) -> Iterator[Dial]:
    """Yield every solver along every numeric option in which some of its runs alone differ."""
    for of in ("task", "solver"):
        options = dict.fromkeys(name for e in entries for name, v in _options(e, of).items() if _number(v))
        for option in options:
            having = [e for e in entries if _number(_options(e, of).get(option))]
            same: dict[str, list[Entry]] = {}
            for entry in having:
                same.setdefault(_but(entry, of, option), []).append(entry)
            for group in same.values():
                points = _points(group, of, option)
                if len(points) > 1:
                    name = _without(points[0][1], of, option)
                    yield Dial(option=option, of=of, name=name, points=points)


def _points(group: Iterable[Entry], of: str, option: str) -> tuple[tuple[float, Entry], ...]:
    """Return one run a value, the one of most puzzles, ascending."""
    best: dict[float, Entry] = {}
    for entry in sorted(group, key=lambda e: (e.row.puzzles, e.folder.name)):
        if entry.scored:
            best[float(_options(entry, of)[option])] = entry
    return tuple(sorted(best.items()))


def _options(entry: Entry, of: str) -> Mapping[str, Any]:
    return entry.record.task.options if of == "task" else entry.record.solver.options


def _but(entry: Entry, of: str, option: str) -> str:
    """Return all that decides a run's numbers but one option, as text to group by."""
    record = entry.record
    task, solver = dict(record.task.options), dict(record.solver.options)
    (task if of == "task" else solver).pop(option)
    puzzles = record.task.puzzles_sha256 if of == "solver" else ""
    asked = (sorted(task.items()), record.task.version, record.split, record.seed, puzzles, record.metrics[0])
    return repr((asked, record.solver.name, sorted(solver.items()), record.solver.weights_sha256))


def _without(entry: Entry, of: str, option: str) -> str:
    """Return a solver's name along an option, with what else of the task is not at its default."""
    rest = {name: v for name, v in entry.row.task_options.items() if of == "solver" or name != option}
    solver = {name: v for name, v in entry.row.solver_options.items() if of == "task" or name != option}
    name = solver_of(replace(entry.row, solver_options=solver))
    return visible(" ".join([name, *(f"{option}={value}" for option, value in rest.items())]))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
