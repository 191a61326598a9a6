"""One row per run, side by side, and the numbers that others have published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DepthbenchError
from harness.records.find import left_out, scan
from harness.records.folder import RunFolder
from harness.records.schema import DepthScore, RunRecord, Summary
from harness.scores.summary import summary_of

PUBLISHED = Path(__file__).parent / "published.csv"


@dataclass(frozen=True, kw_only=True)
class Row:
    """The leaderboard row of one run; None is unknown. The fields are the columns of `--format json`."""

    run: str
    task: str
    task_options: Mapping[str, Any]  # those that are not at their default
    task_version: str
    split: str
    default_split: str
    seed: int
    solver: str
    solver_options: Mapping[str, Any]
    kind: str
    model: str | None
    metric: str  # the headline
    better: str  # "high" or "low"
    score: float | None
    low: float | None
    high: float | None
    chance: float
    metrics: Mapping[str, float | None]
    planned: int  # attempts
    puzzles: int
    complete: bool
    outcomes: Mapping[str, int]
    depth_curve: Mapping[str, float | None] | None
    depth_scores: Mapping[str, DepthScore] | None
    mean_depth: float | None
    asked: Mapping[str, int] | None  # attempts for which each member of a hybrid was asked
    core_parameters: int | None
    stored_parameters: int | None
    flops_per_puzzle: float | None
    flops_per_puzzle_at_least: float | None
    seconds_per_puzzle: float | None
    seconds_per_puzzle_at_least: float | None
    tokens_per_puzzle: float | None
    tokens_per_puzzle_at_least: float | None
    usd_per_puzzle: float | None
    usd_per_puzzle_at_least: float | None
    device_seconds_per_puzzle: float | None
    device_seconds_per_puzzle_at_least: float | None
    wall_seconds_per_puzzle: float | None
    wall_seconds_per_puzzle_at_least: float | None
    passes_per_puzzle: float | None
    passes_per_puzzle_at_least: float | None
    joules_per_puzzle: float | None
    joules_per_puzzle_at_least: float | None

    @property
    def rank(self) -> tuple[Any, ...]:
        """What rows are sorted by: those of one task together, the best score first, an unknown one last,
        of equal ones that of more puzzles first.
        """
        unknown = self.score is None
        worse = 0.0 if self.score is None else self.score if self.better == "low" else -self.score
        options = ",".join(f"{name}={value}" for name, value in self.task_options.items())
        return self.task, options, self.split, unknown, worse, -self.planned, self.run


COSTS = ("flops", "seconds", "tokens", "usd", "device_seconds", "wall_seconds", "passes", "joules")


def rows(
    results_dir: str | Path | None = None, *, task: str | None = None, solver: str | None = None
) -> tuple[list[Row], list[str]]:
    """Return (rows, best first within each task; one sentence for each run that cannot be read)."""
    found, problems = [], []
    for run in scan(results_dir):
        if run.record is None:
            problems.append(run.problem)
        elif task in (None, run.record.task.name) and solver in (None, run.record.solver.name):
            try:
                found.append(row_of(run.folder, run.record, summary_of(run.folder, run.record)))
            except DepthbenchError as error:
                problems.append(left_out(run.folder, error))
    return sorted(found, key=lambda row: row.rank), [problem for problem in problems if problem]


def row_of(folder: RunFolder, record: RunRecord, summary: Summary) -> Row:
    """Return the leaderboard row of one run."""
    headline, card = summary.headline, record.card
    costs = {}
    for name in COSTS:
        costs[f"{name}_per_puzzle"] = summary.costs[name].per_puzzle
        costs[f"{name}_per_puzzle_at_least"] = summary.costs[name].per_puzzle_at_least
    return Row(
        run=folder.name,
        task=record.task.name,
        task_options=record.task.changed,
        task_version=record.task.version,
        split=record.split,
        default_split=record.default_split,
        seed=record.seed,
        solver=record.solver.name,
        solver_options=record.solver.changed,
        kind=card.kind,
        model=card.model,
        metric=headline.name,
        better=headline.better,
        score=headline.score,
        low=headline.low,
        high=headline.high,
        chance=record.chance,
        metrics={metric.name: metric.score for metric in summary.metrics},
        planned=summary.planned,
        puzzles=summary.puzzles,
        complete=summary.complete,
        outcomes=summary.outcomes,
        depth_curve=summary.depth_curve,
        depth_scores=summary.depth_scores,
        mean_depth=summary.mean_depth,
        asked=summary.asked,
        core_parameters=card.parameters.core,
        stored_parameters=card.parameters.stored,
        **costs,
    )


def published(task: str | None = None) -> list[dict[str, str]]:
    """Return the rows of published.csv: numbers from the literature, with regime, source and how far they
    were checked.

    evidence: P, read in the paper; A, in its abstract; R, in a repository, model card or page of its authors;
    D, in a copy of a data file; S, second-hand: in a text that quotes the source. Public and semi-private ARC
    scores are different metrics: they are of different puzzles. n: puzzles, where known.
    """
    import csv

    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if task in (None, row["task"])]


def failures(outcomes: Mapping[str, int]) -> str:
    """Say which attempts have no answer, by kind: "3 timed_out, 1 refused"."""
    return ", ".join(f"{n} {kind}" for kind, n in _failed(outcomes)) or "–"


def _failed(outcomes: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    return ((kind, n) for kind, n in outcomes.items() if n and kind not in ("correct", "wrong"))
