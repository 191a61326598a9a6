"""Scores against something: cost, depth, or the dial of a task or of a solver."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.cli import units
from harness.report import plots
from harness.report.content import Dial, PuzzleSet
from harness.report.entries import Entry, depths, shortened
from harness.report.labels import Point, placed
from harness.report.plots import HEIGHT, LINES, WIDTH, Figure

BANDS = "Bands are 95 % intervals."


@dataclass(frozen=True, kw_only=True)
class Cost:
    """A quantity that scores are drawn against. label: a Vega expression of a number on its axis."""

    axis: str  # of `front_of`
    name: str
    title: str
    label: str
    written: Callable[[float | None], str]


COSTS = (
    Cost(axis="active", name="parameters", title="parameters that one pass uses",
         label="replace(format(datum.value, '~s'), 'G', 'B')", written=units.parameters),
    Cost(axis="flops", name="flops", title="FLOPs a puzzle", label="format(datum.value, '~s')",
         written=units.quantity),
    Cost(axis="usd", name="dollars", title="US dollars a puzzle", label="format(datum.value, '$~g')",
         written=units.usd),
    Cost(axis="seconds", name="seconds", title="seconds a puzzle", label="format(datum.value, '~g')",
         written=units.seconds),
)  # fmt: skip


def against_cost(block: PuzzleSet, cost: Cost) -> Figure | None:
    """Draw the score of each run against what a puzzle cost it, and the Pareto front; None below two runs
    that know it.
    """
    import altair as alt

    front = block.fronts.get(cost.axis)
    known = [row for row in front.rows if row.cost > 0] if front else []
    if front is None or len(known) < 2:
        return None
    entries = {entry.folder.name: entry for entry in block.entries}
    values: list[dict[str, Any]] = [
        plots.scored(entry) | {
            "score": row.score.score, "low": row.score.low, "high": row.score.high, "n": row.score.n,
            "x": row.cost, "front": row.on_front, "share": row.share,
            "told": f"{entry.name}: {plots.told(row.score)}, {cost.written(row.cost)}; on the front in "
                    f"{units.share(row.share)} of resamples",
        }
        for row in known
        for entry in [entries[row.run]]
    ]  # fmt: skip
    low, high = _decades([value["x"] for value in values])
    ends = plots.domain(values)
    kinds = [kind for kind in plots.KINDS if any(value["kind"] == kind for value in values)]
    colours, shapes = ([of[kind] for kind in kinds] for of in (plots.KINDS, plots.SHAPES))
    x = alt.X(
        "x:Q", title=cost.title, scale=alt.Scale(type="log", domain=[low, high], nice=False),
        axis=alt.Axis(labelExpr=cost.label, values=_ticks(low, high)),
    )  # fmt: skip
    colour = alt.Color("kind:N", title=None, legend=alt.Legend(columns=4),
                       scale=alt.Scale(domain=kinds, range=colours))  # fmt: skip
    shape = alt.Shape("kind:N", title=None, scale=alt.Scale(domain=kinds, range=shapes))
    y = plots.score_axis("score", block.entries[0].row.metric, ends)
    base = alt.Chart(plots.data(values)).encode(x=x)
    bars = base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(
        y=plots.score_axis("low", block.entries[0].row.metric, ends), y2="high:Q", color=colour,
        description="told:N",
    )  # fmt: skip
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(
        y=y, color=colour, shape=shape, description="told:N"
    )
    line = alt.Chart(plots.data([value for value in values if value["front"]])).mark_line(
        interpolate="step-after", strokeDash=[4, 3], strokeWidth=1.2, color=plots.FAINT
    )
    names = alt.Chart(plots.data(_labels(values, (low, high), ends))).mark_text(
        align="left", baseline="middle", color=plots.INK
    )
    zero = [entries[row.run].name for row in front.rows if row.cost == 0]
    unknown = [entries[run].name for run in front.unknown]
    return plots.figure(
        f"score-{cost.name}", f"Score against {cost.title}",
        "Dots are scores, bars their 95 % intervals; the dashed line is the Pareto front, of runs that no "
        "other beats in both, those of cost 0 included. The axis below is logarithmic.",
        alt.layer(line.encode(x=x, y=y), bars, dots, names.encode(x="x:Q", y="y:Q", text="label:N")),
        (("run", cost.title, "score", "low", "high", "of", "on the front", "share of resamples"),
         [[v[k] for k in ("run", "x", "score", "low", "high", "n", "front", "share")] for v in values]),
        [f"Not drawn: {plots.several(names)} ({why})."
         for names, why in ((zero, "0, which no logarithmic axis has"), (unknown, "not known")) if names],
    )  # fmt: skip


def against_difficulty(block: PuzzleSet) -> Figure | None:
    """Draw the score by difficulty, in the task's own unit; None if the puzzles have none."""
    runs = [entry for entry in block.entries if entry.folder.name in block.strata]
    values: list[dict[str, Any]] = [
        {"run": e.name, "short": e.short, "x": (s.least + s.most) / 2, "score": s.score.score,
         "low": s.score.low, "high": s.score.high, "n": s.puzzles, "least": s.least, "most": s.most,
         "told": f"{e.name}, difficulty {s.least:g} to {s.most:g}: {plots.told(s.score)}"}
        for e in runs[:LINES]
        for s in block.strata[e.folder.name].strata
        if s.least is not None and s.most is not None
    ]  # fmt: skip
    if len({value["x"] for value in values}) < 2:
        return None
    return _curves(
        ("score-difficulty", "Score against difficulty"), "difficulty", values, runs[0].row.metric,
        f"Puzzles of like difficulty together, each drawn at the middle of its range. {BANDS}",
        plots.left(runs, "runs"),
    )  # fmt: skip


def against_depth(block: PuzzleSet) -> Figure | None:
    """Draw the score of the answers held after each supervision step; None if no run was watched."""
    watched = [e for e in block.entries if e.scored and depths(e)]
    if not watched:
        return None
    values: list[dict[str, Any]] = [
        {"run": e.name, "short": e.short, "x": d, "score": s.score, "low": s.low, "high": s.high,
         "n": s.n, "told": f"{e.name}, depth {d}: {plots.told(s)}"}
        for e in watched[:LINES]
        for d, s in sorted(depths(e).items())
    ]  # fmt: skip
    return _curves(
        ("score-depth", "Score against depth"), "supervision steps", values, watched[0].row.metric,
        f"The score of the answers held after so many supervision steps. {BANDS}",
        [*plots.left(watched, "curves"), *_lost(block, watched)],
        doubling=all(value["x"] > 0 for value in values),
    )  # fmt: skip


def _lost(block: PuzzleSet, watched: Sequence[Entry]) -> list[str]:
    found = [f"{e.name} {n:,}" for e in watched[:LINES] if (n := block.lost.get(e.folder.name, 0))]
    return (
        [f"Answers that were right at some depth and wrong at the last: {'; '.join(found)}."] if found else []
    )


def against_dial(dials: Sequence[Dial]) -> Figure:
    """Draw solvers along one option; the dials are of one option."""
    option, of = dials[0].option, dials[0].of
    values = [
        plots.scored(e) | {"run": dial.name, "short": shortened(dial.name), "x": at,
                           "told": f"{dial.name}, {option} {at:g}: {plots.told(e.row)}"}
        for dial in dials[:LINES]
        for at, e in dial.points
    ]  # fmt: skip
    return _curves(
        (f"score-{of}-{option}", f"Score against {option}"), f"{option}, option of the {of}", values,
        dials[0].points[0][1].row.metric, f"Each solver along {option}, all else equal. {BANDS}",
        plots.left(dials, "solvers"),
    )  # fmt: skip


def _curves(
    name: tuple[str, str], title: str, values: Sequence[Mapping[str, Any]], metric: str, says: str,
    notes: Sequence[str], *, doubling: bool = False,
) -> Figure:  # fmt: skip
    import altair as alt

    names = list(dict.fromkeys(value["short"] for value in values))
    scale = (
        alt.Scale(type="log", base=2, nice=False)
        if doubling
        else alt.Scale(zero=False, nice=False, padding=8)
    )
    places = sorted({value["x"] for value in values})
    at: dict[str, Any] = {"values": places} if len(places) < 12 else {}
    x = alt.X("x:Q", title=title, scale=scale, axis=alt.Axis(format="~g", grid=False, **at))
    colour = alt.Color("short:N", title=None, sort=names,
                       scale=alt.Scale(domain=names, range=list(plots.CURVES[: len(names)])))  # fmt: skip
    base = alt.Chart(plots.data(values)).encode(x=x, color=colour)
    y = plots.score_axis("score", metric, plots.domain(values))
    bands = base.mark_area(opacity=0.15, line=False).encode(
        y=plots.score_axis("low", metric, plots.domain(values)), y2="high:Q", description="short:N"
    )
    lines = base.mark_line(strokeWidth=2).encode(y=y, description="short:N")
    dots = base.mark_point(filled=True, size=40, opacity=1).encode(y=y, description="told:N")
    return plots.figure(
        *name, says, alt.layer(bands, lines, dots),
        (("run", title, "score", "low", "high", "of"),
         [[v[k] for k in ("run", "x", "score", "low", "high", "n")] for v in values]), notes,
    )  # fmt: skip


def _labels(
    values: Sequence[Mapping[str, Any]], ends: tuple[float, float], scores: tuple[float, float]
) -> list[dict[str, Any]]:
    """Return where names stand, in the units of the axes."""
    span, rise = math.log10(ends[1] / ends[0]), scores[1] - scores[0]
    points = [
        Point(x=math.log10(v["x"] / ends[0]) / span * WIDTH, y=(scores[1] - v["score"]) / rise * HEIGHT,
              text=v["short"])
        for v in values
    ]  # fmt: skip
    return [
        {"x": ends[0] * 10 ** (at.x / WIDTH * span), "y": scores[1] - at.y / HEIGHT * rise, "label": at.text}
        for at in placed(points, WIDTH, HEIGHT)
    ]


def _decades(values: Sequence[float]) -> tuple[float, float]:
    """Return the powers of ten around positive values, with some room at both ends."""
    return 10 ** math.floor(math.log10(min(values) / 1.5)), 10 ** math.ceil(math.log10(max(values) * 1.5))


def _ticks(low: float, high: float) -> list[float]:
    """Return powers of ten, at most about six."""
    first, last = round(math.log10(low)), round(math.log10(high))
    return [10.0**p for p in range(first, last + 1, max(1, math.ceil((last - first) / 6)))]
