"""The rows of a report: its runs, those that differ in a seed alone as one, each under a name of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cli.results import solver_of
from harness.cli.tables import visible
from harness.errors import DepthbenchError, UserError, did_you_mean
from harness.records.find import find_run, left_out, results_folder, scan
from harness.records.folder import RunFolder
from harness.records.schema import DepthScore, RunRecord
from harness.scores.leaderboard import Row, as_one, row_of
from harness.scores.seeds import by_configuration
from harness.scores.summary import summary_of

LONGEST = 26  # characters of a name inside a plot
Read = tuple[RunFolder, RunRecord, Row]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One run, or several that differ in a seed alone: the row of the leaderboard, and a name that no other
    of its task has. folder, record: of the newest; only its depths, difficulties and failures are shown.
    """

    folder: RunFolder
    record: RunRecord
    row: Row
    name: str
    short: str  # the name with its middle left out, for plots
    depth_scores: Mapping[str, DepthScore] | None  # of the newest
    runs: tuple[tuple[RunFolder, RunRecord], ...]  # all of them, oldest first

    @property
    def scored(self) -> bool:
        """Whether it has a score to show: something was attempted, and not every call failed."""
        return self.row.score is not None and self.row.outcomes["not_run"] < self.row.planned


def depths(entry: Entry) -> dict[int, DepthScore]:
    """Return the depth curve of a run, if it has two points or more."""
    found = {int(d): s for d, s in (entry.depth_scores or {}).items() if s.score is not None}
    return found if len(found) > 1 else {}


def read(
    runs: Sequence[str], *, task: str | None, results_dir: str | Path | None
) -> tuple[dict[str, list[Entry]], list[str]]:
    """Return (the rows by task, a sentence for each run that is left out). Raises UserError where nothing is
    left.
    """
    problems: list[str] = []
    found = list(_named(runs, results_dir) if runs else _all(task, results_dir, problems))
    if runs and task is not None:
        found = [pair for pair in found if pair[1].task.name == task]
    if not found:
        raise _nothing(runs, task, results_dir, problems)
    by_task: dict[str, list[Read]] = {}
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
    return {name: list(_entries(list(_seeds_as_one(of)))) for name, of in sorted(by_task.items())}, problems


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


def sets_of(runs: Sequence[tuple[RunFolder, RunRecord]]) -> tuple[str, ...]:
    """Return the hashes of the sets of puzzles that several seeds drew."""
    return tuple(sorted({record.task.puzzles_sha256 for _, record in runs}))


def _seeds_as_one(found: Sequence[Read]) -> Iterator[tuple[Row, list[Read]]]:
    """Yield rows with the runs they are made of: those that differ in a seed alone are one, as on the
    leaderboard.
    """
    by_name = {folder.name: (folder, record, row) for folder, record, row in found}
    for names in by_configuration({name: record for name, (_, record, _) in by_name.items()}):
        reads = [by_name[name] for name in names]
        for row in as_one([row for _, _, row in reads], [folder for folder, _, _ in reads]):
            yield row, [by_name[name] for name in row.runs]


def _entries(found: Sequence[tuple[Row, list[Read]]]) -> Iterator[Entry]:
    """Yield each row under a name of its own on these puzzles: its solver with options; with the end of the
    folder's name where two would have the same.
    """
    members = [tuple((folder, record) for folder, record, _ in reads) for _, reads in found]
    plain = [(visible(solver_of(row)), sets_of(runs)) for (row, _), runs in zip(found, members, strict=True)]
    brief = [(shortened(name), puzzles) for name, puzzles in plain]
    for (row, reads), runs, name, short in zip(found, members, plain, brief, strict=True):
        folder, record, newest = reads[-1]
        tail = visible(folder.name.rpartition("_")[2])
        yield Entry(
            folder=folder,
            record=record,
            row=row,
            name=name[0] if plain.count(name) == 1 else f"{name[0]} {tail}",
            short=short[0] if brief.count(short) == 1 else shortened(f"{name[0]} {tail}"),
            depth_scores=newest.depth_scores,
            runs=runs,
        )


def shortened(name: str) -> str:
    """Return a name that a plot has room for: its middle is left out, since runs often differ at the end."""
    keep = (LONGEST - 1) // 2
    return name if len(name) <= LONGEST else f"{name[:keep]}…{name[-keep:]}"
