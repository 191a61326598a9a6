"""Write leaderboard rows as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.cli import tables, units
from harness.cli.options import Format
from harness.cli.tables import Column, Layout, Section
from harness.contracts import Outcome
from harness.errors import UserError, did_you_mean
from harness.records.schema import DepthScore, MetricScore, Summary
from harness.scores.leaderboard import Row, failures, published, ranked

TASK = Column("task", 0, wraps=True, least=10)
SOLVER = Column("solver", 0, wraps=True, least=24)
SCORE = Column("score", 0, right=True)
INTERVAL = Column("95 %", 0, "interval of the score in per cent", right=True)
PLACE = Column("rank", 0, "in its block; the line before a block says what sets it apart", right=True)
SPREAD = Column("±seeds", 0, "standard deviation between seeds", right=True, spare=True)
COLUMNS = (
    TASK,
    SOLVER,
    PLACE,
    Column("kind", 7),
    Column("metric", 6, "which score, the task's headline"),
    SCORE,
    INTERVAL,
    SPREAD,
    Column("seeds", 2, "runs merged", right=True, spare=True),
    Column("planned", 2, "attempts, the score's denominator", right=True),
    Column("failed", 2, "attempts without an answer", right=True),
    Column("failures", 11, "their kinds", wraps=True, least=14),
    Column("core", 5, "parameters that every pass uses", right=True),
    Column("stored", 10, "parameters in the file", right=True),
    Column("FLOPs/puzzle", 8, "≈ by a model's size and tokens", right=True),
    Column("time/puzzle", 3, "on the device where known, else until the answer", right=True),
    Column("tokens/puzzle", 9, right=True),
    Column("$/puzzle", 4, right=True),
    Column("$ + training", 4, "a puzzle with its share of training", right=True, spare=True),
    Column("FLOPs + training", 8, "a puzzle with its share of training", right=True, spare=True),
    Column("$/device-hour", 12, right=True),
    Column("trained on", 13, "its training regime and what it has seen", wraps=True, least=24),
    Column("prompt", 14, wraps=True, least=16),
    Column("run", 1, "its name for `bench show`"),
)
JOINED = (
    TASK,
    SOLVER,
    Column("rank", 0, "among your runs on the same puzzles; published numbers stand apart and have none"),
    SCORE,
    INTERVAL,
    Column("metric", 1),
    Column("evidence", 2),
    Column("regime", 3, wraps=True, least=24),
    Column("source", 4, wraps=True, least=28),
    Column("core", 5, "parameters that every pass uses", wraps=True, least=16),
)
FILES = (".jsonl", ".json", ".csv", ".txt", ".safetensors", ".py")
EVIDENCE = (
    "evidence: P, read in the paper; A, in its abstract; R, in a repository, model card or page of its "
    "authors; D, in a copy of a data file; S, second-hand, in a text that quotes the source"
)


def write(rows: Sequence[Row], form: Format, layout: Layout | None = None) -> None:
    """Write leaderboard rows to standard output, in the blocks in which they may be ranked."""
    blocks = ranked(rows)
    lines: list[list[str]] = []
    records: list[dict[str, Any]] = []
    for number, block in enumerate(blocks, 1):
        if block.differs:
            lines.append(Section(f"apart from those above by {'; '.join(block.differs)}"))
        for place, row in block.placed:
            lines.append(cells(row, place))
            records.append(asdict(row) | {"rank": place, "ranked_in": number, "differs": block.differs})
    tables.write(COLUMNS, lines, records, form, layout)


def cells(row: Row, place: int | None = None) -> list[str]:
    """Return the row as text, with its place in its block; unknown is –, a bound ≥, an estimate ≈."""
    flops = _cost(row, "flops", units.quantity)
    return [
        puzzles_of(row),
        solver_of(row),
        "–" if place is None else str(place),
        row.kind,
        row.metric,
        *_score_of(row),
        "–" if row.spread is None else f"{100 * row.spread:.1f}",
        str(len(row.seeds)) if row.seeds else "–",
        f"{row.planned:,}",
        f"{sum(n for kind, n in row.outcomes.items() if kind not in ('correct', 'wrong')) or '–'}",
        failures(row.outcomes),
        units.parameters(row.core_parameters),
        units.parameters(row.stored_parameters),
        f"≈{flops}" if row.flops_estimated else flops,
        _cost(row, "seconds", units.seconds),
        _cost(row, "tokens", units.quantity),
        _cost(row, "usd", units.usd),
        units.usd(row.usd_per_puzzle_amortised),
        ("≈" if row.flops_estimated and row.flops_per_puzzle_amortised is not None else "")
        + units.quantity(row.flops_per_puzzle_amortised),
        units.usd(row.usd_per_device_hour),
        row.block.training,
        row.block.prompt,
        row.run.rpartition("_")[2],  # enough for `bench show`
    ]


def puzzles_of(row: Row) -> str:
    """Return the task with what is not at its default."""
    return (
        _with_options(row.task, row.task_options)
        + ("" if row.split == row.default_split else f" {row.split}")
        + (f" seed={row.seed}" if row.seed and not row.seeds else "")
    )


def _score_of(row: Row) -> tuple[str, str]:
    return _score(row) if row.outcomes[Outcome.NOT_RUN] < row.planned else ("not run", "–")


def _score(found: Row | MetricScore | DepthScore) -> tuple[str, str]:
    return units.share(found.score), units.span(found.low, found.high)


def _cost(row: Row, name: str, written: Any) -> str:
    known, least = (getattr(row, f"{name}_per_puzzle{end}") for end in ("", "_at_least"))
    return str(written(known) if known is not None or least is None else "≥" + written(least))


def solver_of(row: Row) -> str:
    """Return the solver with its options; of recorded replies whose they are, not which file holds them."""
    if row.solver == "imported" and row.model:
        return f"imported {row.model}"
    asked = ", ".join(f"{name} asked {n:,}×" for name, n in (row.asked or {}).items())
    return _with_options(row.solver, row.solver_options) + (f" ({asked})" if asked else "")


def _with_options(name: str, options: Mapping[str, Any]) -> str:
    return " ".join([name, *(f"{key}={_value(value)}" for key, value in options.items())])


def _value(value: Any) -> str:
    """Write an option's value; of a file its name, which tells runs apart as its folders seldom do."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    if isinstance(value, Mapping):  # a solver within a solver: its name, then its options
        inner = {key: of for key, of in value.items() if key != "name"}
        return f"({_with_options(str(value.get('name')), inner)})" if inner else str(value.get("name"))
    return value.rpartition("/")[2] if isinstance(value, str) and value.endswith(FILES) else str(value)


def write_details(summary: Summary) -> None:
    """Write every metric and the depth curve of one run to standard output; nothing if nothing was
    attempted.
    """
    if not summary.recorded:
        return
    scores = [[metric.name, *_score(metric), _of(metric)] for metric in summary.metrics]
    curve = [[depth, *_score(found), f"{found.n:,}"] for depth, found in (summary.depth_scores or {}).items()]
    for first, rows in (("metric", scores), ("depth", curve)):
        if rows:
            columns = (Column(first, 0), SCORE, Column("95 %", 0, right=True), Column("of", 0, right=True))
            print()
            tables.write(columns, rows, (), Format.TABLE)


def _of(metric: MetricScore) -> str:
    """Return what a score is a mean over: all that was planned, or those of it that are feasible, say."""
    return f"{metric.n:,}" if metric.among is None else f"{metric.n:,} of {metric.planned:,} {metric.among}"


def write_joined(rows: Sequence[Row], task: str | None, form: Format, layout: Layout | None = None) -> None:
    """Write runs and the numbers of `published.csv` in one table: side by side, never in one ranking."""
    claims = published(task)
    if not rows and not claims:
        known = {row["task"] for row in published()}
        raise UserError(f"No published number is of the task {task!r}.", rule=did_you_mean(str(task), known))
    lines: list[list[str]] = []
    records: list[dict[str, Any]] = []
    for name in sorted({row.task for row in rows} | {claim["task"] for claim in claims}):
        own = [row for row in rows if row.task == name]
        theirs = sorted(
            (c for c in claims if c["task"] == name), key=lambda c: (c["metric"], -float(c["score"]))
        )
        lines += _ranked(own)
        if own and theirs:
            lines.append(
                Section("published, of other puzzles and prompts than yours unless their source says so")
            )
        lines += map(_claim, theirs)
        records += [{"origin": "run", **asdict(row)} for row in own] + [
            {"origin": "published", **c} for c in theirs
        ]
    tables.write(JOINED, lines, records, form, layout)
    if form is Format.TABLE:
        tables.note(EVIDENCE)


def _ranked(rows: Sequence[Row]) -> Iterator[list[str]]:
    """Yield runs with their rank in their block."""
    for block in ranked(rows):
        if block.differs:
            yield Section(f"apart from those above by {'; '.join(block.differs)}")
        for place, row in block.placed:
            who = solver_of(row)
            core, source = units.parameters(row.core_parameters), f"run {row.run.rpartition('_')[2]}"
            regime = row.block.training
            yield [puzzles_of(row), who, str(place), *_score_of(row), row.metric, "–", regime, source, core]


def _claim(row: Mapping[str, str]) -> list[str]:
    known = (row["metric"], row["evidence"], row["regime"], row["source"], row["core_parameters"])
    return [row["task"], row["model"], "–", f"{row['score']} %", "–", *known]
