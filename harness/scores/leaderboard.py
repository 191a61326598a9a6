"""One row per run, side by side, and the numbers that others have published."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.books.prices import table as price_table
from harness.books.training import amortised, model_flops, training_of
from harness.errors import DepthbenchError
from harness.records.find import left_out, scan
from harness.records.folder import RunFolder
from harness.records.schema import DepthScore, RunRecord, Summary
from harness.scores.blocks import Block, block_of
from harness.scores.seeds import by_configuration, merged
from harness.scores.summary import summary_of
from harness.scores.values import load

PUBLISHED = Path(__file__).parent / "published.csv"


@dataclass(frozen=True, kw_only=True)
class Row:
    """The leaderboard row of one run; None is unknown. The fields are the columns of `--format json`.

    block: what all rows share that may be ranked with this one. seeds, spread: of a row that merges several
    runs, whose costs are then means; runs holds their names, `run` is the newest. flops_estimated: the FLOPs
    are those of a language model, by its size and tokens. amortised: a puzzle's cost with its share of the
    training, where that was asked for.
    """

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
    block: Block
    exposure: Mapping[str, Any]  # what of the evaluation data the solver has seen, from its card
    flops_estimated: bool = False
    usd_per_device_hour: float | None = None  # of the run's device, by the newest prices
    training_flops: float | None = None
    training_usd: float | None = None
    amortised_over: int | None = None  # puzzles
    usd_per_puzzle_amortised: float | None = None
    flops_per_puzzle_amortised: float | None = None
    seeds: tuple[str, ...] = ()
    spread: float | None = None  # standard deviation of the seeds' scores
    runs: tuple[str, ...] = ()

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


@dataclass(frozen=True, kw_only=True)
class RankedBlock:
    """Rows that may be ranked, best first. differs: what sets them apart from the block before, of the same
    task; empty for the first.
    """

    block: Block
    differs: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def placed(self) -> list[tuple[int, Row]]:
        """The rows with their places; of one score, one place."""
        first: dict[float | None, int] = {}
        return [(first.setdefault(row.score, place), row) for place, row in enumerate(self.rows, 1)]


def rows(
    results_dir: str | Path | None = None,
    *,
    task: str | None = None,
    solver: str | None = None,
    amortise: int | None = None,
    merge: bool = False,
    runs: Collection[str] | None = None,
) -> tuple[list[Row], list[str]]:
    """Return (rows, block by block, best first in each; one sentence for each run that cannot be read).

    runs: only the folders of these names. merge: runs that differ in a seed alone are one row. amortise:
    puzzles over which training is spread.
    """
    found: dict[str, tuple[RunFolder, RunRecord, Row]] = {}
    problems = []
    for run in scan(results_dir):
        if runs is not None and run.folder.name not in runs:
            continue
        if run.record is None:
            problems.append(run.problem)
        elif task in (None, run.record.task.name) and solver in (None, run.record.solver.name):
            try:
                row = row_of(run.folder, run.record, summary_of(run.folder, run.record), amortise=amortise)
                found[row.run] = (run.folder, run.record, row)
            except DepthbenchError as error:
                problems.append(left_out(run.folder, error))
    made = [row for _, _, row in found.values()]
    if merge:
        made = []
        for names in by_configuration({name: record for name, (_, record, _) in found.items()}):
            made += as_one([found[name][2] for name in names], [found[name][0] for name in names])
    return [row for block in ranked(made) for row in block.rows], [p for p in problems if p]


def ranked(found: Sequence[Row]) -> list[RankedBlock]:
    """Return rows in blocks: those of one task together, the block of the best row first."""
    members: dict[Block, list[Row]] = {}
    for row in sorted(found, key=lambda row: row.rank):
        members.setdefault(row.block, []).append(row)
    blocks: list[RankedBlock] = []
    for block, inside in sorted(members.items(), key=lambda item: item[1][0].rank):
        before = blocks[-1].block if blocks and blocks[-1].block.task == block.task else block
        blocks.append(RankedBlock(block=block, differs=block.differs_from(before), rows=tuple(inside)))
    return blocks


def as_one(of: list[Row], folders: Sequence[RunFolder]) -> list[Row]:
    """Return the rows of several seeds as one, if they are several and all have a score over all planned."""
    if len(of) == 1 or any(row.score is None for row in of):
        return of
    try:
        return [merged_row(of, folders)]
    except DepthbenchError:  # a headline over part of the puzzles
        return of


def merged_row(of: Sequence[Row], folders: Sequence[RunFolder]) -> Row:
    """Return the rows of several seeds, oldest first, as one."""
    several = merged([load(folder) for folder in folders])
    costs: dict[str, Any] = {}
    for name in COSTS:
        for end in ("", "_at_least"):
            costs[f"{name}_per_puzzle{end}"] = _mean([getattr(row, f"{name}_per_puzzle{end}") for row in of])
    for name in ("usd_per_puzzle_amortised", "flops_per_puzzle_amortised", "training_usd", "training_flops"):
        costs[name] = _mean([getattr(row, name) for row in of])
    newest = of[-1]
    blocks = {row.block for row in of}
    puzzles = " and ".join(sorted({block.puzzles for block in blocks}))
    return replace(
        newest,
        **costs,
        score=several.score.score,
        low=several.score.low,
        high=several.score.high,
        metrics={name: _mean([row.metrics.get(name) for row in of]) for name in newest.metrics},
        planned=sum(row.planned for row in of),
        puzzles=sum(row.puzzles for row in of),
        complete=all(row.complete for row in of),
        outcomes={kind: sum(row.outcomes[kind] for row in of) for kind in newest.outcomes},
        depth_curve=None,
        depth_scores=None,
        mean_depth=_mean([row.mean_depth for row in of]),
        block=replace(newest.block, puzzles=puzzles),
        seeds=several.seeds,
        spread=several.spread,
        runs=several.runs,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def row_of(folder: RunFolder, record: RunRecord, summary: Summary, *, amortise: int | None = None) -> Row:
    """Return the leaderboard row of one run."""
    headline, card, prices = summary.headline, record.card, price_table()
    costs: dict[str, Any] = {}
    for name in COSTS:
        costs[f"{name}_per_puzzle"] = summary.costs[name].per_puzzle
        costs[f"{name}_per_puzzle_at_least"] = summary.costs[name].per_puzzle_at_least
    estimate = model_flops(
        card, summary.costs["tokens"].per_puzzle, summary.costs["cached_tokens"].per_puzzle
    )
    estimated = costs["flops_per_puzzle"] is None and estimate is not None
    if estimated:
        costs["flops_per_puzzle"] = estimate
    training = training_of(card, prices)
    if amortise is not None:
        costs |= {
            "amortised_over": amortise,
            "usd_per_puzzle_amortised": amortised(costs["usd_per_puzzle"], training.usd, amortise),
            "flops_per_puzzle_amortised": amortised(costs["flops_per_puzzle"], training.flops, amortise),
        }
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
        block=block_of(record),
        exposure=card.exposure,
        flops_estimated=estimated,
        usd_per_device_hour=prices.usd_per_device_hour(record.device),
        training_flops=training.flops,
        training_usd=training.usd,
        runs=(folder.name,),
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
