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
from harness.errors import DepthbenchError, UserError, did_you_mean
from harness.records.find import find_run, left_out, results_folder, scan
from harness.records.folder import RunFolder
from harness.records.schema import DepthScore, RunRecord
from harness.scores.compare import Pair, compare
from harness.scores.depths import depths_of
from harness.scores.front import Front, front_of
from harness.scores.leaderboard import RankedBlock, Row, ranked, row_of
from harness.scores.strata import Strata, strata_of
from harness.scores.summary import summary_of
from harness.scores.values import RunValues, load

LONGEST = 26  # characters of a name inside a plot
AXES = ("core", "flops", "usd", "seconds")  # of `front_of`, that scores are drawn against
COMPARED = 10  # runs of a block whose pairs are tested: all pairs of 100 runs would be 4,950 tests


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One run: its record, its leaderboard row and a name that no other run of its task has."""

    folder: RunFolder
    record: RunRecord
    row: Row
    name: str
    short: str  # the name with its middle left out, for plots

    @property
    def scored(self) -> bool:
        """Whether it has a score to show: something was attempted, and not every call failed."""
        return self.row.score is not None and self.row.outcomes["not_run"] < self.row.planned


@dataclass(frozen=True, kw_only=True)
class PuzzleSet:
    """Runs on the very same puzzles, judged by the same number: they may be compared. The best first.

    ranked: those of the same training, prompt and attempts, best first; only they have ranks. fronts: by
    axis. strata: by run, where its puzzles have difficulties. lost: by run, answers right at some depth and
    wrong at the last.
    """

    puzzles: str  # the task with its options, as the leaderboard says it
    entries: tuple[Entry, ...]
    ranked: tuple[RankedBlock, ...]
    fronts: Mapping[str, Front]
    strata: Mapping[str, Strata]
    lost: Mapping[str, int]
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


def depths(entry: Entry) -> dict[int, DepthScore]:
    """Return the depth curve of a run, if it has two points or more."""
    found = {int(d): s for d, s in (entry.row.depth_scores or {}).items() if s.score is not None}
    return found if len(found) > 1 else {}


def gather(runs: Sequence[str], *, task: str | None, results_dir: str | Path | None) -> Content:
    """Read the named runs, or all of a results folder. Raises UserError where there is nothing to report."""
    problems: list[str] = []
    found = list(_named(runs, results_dir) if runs else _all(task, results_dir, problems))
    if runs and task is not None:
        found = [pair for pair in found if pair[1].task.name == task]
    if not found:
        raise _nothing(runs, task, results_dir, problems)
    by_task: dict[str, list[tuple[RunFolder, RunRecord, Row]]] = {}
    for folder, record in found:
        try:
            row = row_of(folder, record, summary_of(folder, record))
        except DepthbenchError as error:
            if runs:
                raise
            problems.append(left_out(folder, error))
            continue
        by_task.setdefault(row.task, []).append((folder, record, row))
    if not by_task:
        raise _nothing(runs, task, results_dir, problems)
    return Content(
        sections=tuple(_section(name, of) for name, of in sorted(by_task.items())),
        problems=tuple(visible(problem) for problem in problems),
    )


def _named(runs: Sequence[str], results_dir: str | Path | None) -> Iterator[tuple[RunFolder, RunRecord]]:
    seen = set()
    for name in runs:
        folder = find_run(name, results_dir)
        if folder.path.resolve() not in seen:  # named twice is one run
            seen.add(folder.path.resolve())
            yield folder, folder.record()


def _all(
    task: str | None, results_dir: str | Path | None, problems: list[str]
) -> Iterator[tuple[RunFolder, RunRecord]]:
    for run in scan(results_dir):
        if run.record is None:
            problems.append(run.problem or "")
        elif task in (None, run.record.task.name):
            yield run.folder, run.record


def _nothing(
    runs: Sequence[str], task: str | None, results_dir: str | Path | None, problems: Sequence[str]
) -> UserError:
    if problems:
        return UserError(f"No run can be read. {problems[0]}")
    folder = results_folder(results_dir)
    known = {run.record.task.name for run in scan(results_dir) if run.record is not None}
    if task is not None and (known or runs):
        named = "None of the runs named is" if runs else f"No run in {folder} is"
        return UserError(f"{named} of the task {task!r}.", rule="" if runs else did_you_mean(task, known))
    return UserError(f"No run in {folder}.", next_step="`bench run --task sudoku --solver search` makes one.")


def _section(task: str, found: Sequence[tuple[RunFolder, RunRecord, Row]]) -> Section:
    entries = list(_entries(found))
    by_puzzles: dict[Any, list[Entry]] = {}
    for entry in entries:
        by_puzzles.setdefault(_puzzles(entry), []).append(entry)
    blocks = [_set(sorted(of, key=lambda e: e.row.rank[3:])) for of in by_puzzles.values()]
    blocks.sort(key=lambda block: (-len(block.entries), block.puzzles))
    return Section(task=task, sets=tuple(blocks), dials=tuple(_dials(entries)))


def _puzzles(entry: Entry) -> tuple[Any, ...]:
    """Return what runs must have in common to be ranked: the puzzles, their version, and the headline."""
    task, metric = entry.record.task, entry.record.metrics[0]
    return task.version, task.puzzles_sha256, metric.number, metric.over, metric.better, metric.among


def _entries(found: Sequence[tuple[RunFolder, RunRecord, Row]]) -> Iterator[Entry]:
    """Yield each run under a name of its own on these puzzles: its solver with options; with the end of the
    folder's name where two would have the same.
    """
    plain = [(visible(solver_of(row)), record.task.puzzles_sha256) for _, record, row in found]
    brief = [(shortened(name), puzzles) for name, puzzles in plain]
    for (folder, record, row), name, short in zip(found, plain, brief, strict=True):
        tail = visible(folder.name.rpartition("_")[2])
        yield Entry(
            folder=folder,
            record=record,
            row=row,
            name=name[0] if plain.count(name) == 1 else f"{name[0]} {tail}",
            short=short[0] if brief.count(short) == 1 else shortened(f"{name[0]} {tail}"),
        )


def shortened(name: str) -> str:
    """Return a name that a plot has room for: its middle is left out, since runs often differ at the end."""
    keep = (LONGEST - 1) // 2
    return name if len(name) <= LONGEST else f"{name[:keep]}…{name[-keep:]}"


def _set(entries: Sequence[Entry]) -> PuzzleSet:
    scored = [entry for entry in entries if entry.scored]
    values = list(_values(scored))
    strata = {run.name: found for run in values if len((found := strata_of(run)).strata) > 1}
    watched = [run for run in values if any(attempt.trace for attempt in run.counted.values())]
    pairs, unpaired = _pairs(scored)
    return PuzzleSet(
        puzzles=visible(puzzles_of(entries[0].row)),
        entries=tuple(entries),
        ranked=tuple(ranked([entry.row for entry in entries])),
        fronts={axis: front_of(values, axis) for axis in AXES} if values else {},
        strata=strata,
        lost={run.name: len(depths_of(run).lost) for run in watched},
        pairs=pairs,
        unpaired=unpaired,
    )


def _values(entries: Sequence[Entry]) -> Iterator[RunValues]:
    """Yield the puzzles' values of each run; those of a headline over part of the puzzles have none."""
    for entry in entries:
        with suppress(DepthbenchError):
            yield load(entry.folder)


def _pairs(scored: Sequence[Entry]) -> tuple[tuple[Pair, ...], str]:
    """Return the pairs, or why there are none."""
    chosen = _chosen(scored)
    if len(chosen) < 2:
        return (), "a pair is of two runs with a score"
    try:
        return tuple(compare([entry.folder for entry in chosen])), ""
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
