"""Scores against something: cost, depth, or the dial of a task or of a solver."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.cli import units
from harness.report import plots
from harness.report.content import Block, Dial, Entry, depths, shortened
from harness.report.labels import Point, placed
from harness.report.plots import HEIGHT, LINES, WIDTH, Figure

BANDS = "Bands are 95 % intervals."


@dataclass(frozen=True, kw_only=True)
class Cost:
    """A quantity that scores are drawn against. form: of the numbers on its axis, as d3-format takes it."""

    name: str
    title: str
    field: str  # of `Row`
    form: str
    written: Callable[[float | None], str]

    def of(self, entry: Entry) -> float | None:
        """Return what a run spent of it; None is unknown."""
        value: float | None = getattr(entry.row, self.field)
        return value


COSTS = (
    Cost(name="parameters", title="parameters that every pass uses", field="core_parameters", form="~s",
         written=units.quantity),
    Cost(name="flops", title="FLOPs a puzzle", field="flops_per_puzzle", form="~s", written=units.quantity),
    Cost(name="dollars", title="US dollars a puzzle", field="usd_per_puzzle", form="$~g", written=units.usd),
    Cost(name="seconds", title="seconds a puzzle", field="seconds_per_puzzle", form="~g",
         written=units.seconds),
)  # fmt: skip


def against_cost(block: Block, cost: Cost) -> Figure | None:
    """Draw the score of each run against what a puzzle cost it; None below two runs that know it."""
    import altair as alt

    known = [e for e in block.entries if e.scored and (cost.of(e) or 0) > 0]
    if len(known) < 2:
        return None
    values = [
        plots.scored(e) | {"x": cost.of(e), "told": f"{plots.scored(e)['told']}, {cost.written(cost.of(e))}"}
        for e in known
    ]
    low, high = _decades([value["x"] for value in values])
    ends = plots.domain(values)
    kinds = [kind for kind in plots.KINDS if any(value["kind"] == kind for value in values)]
    x = alt.X("x:Q", title=cost.title, scale=alt.Scale(type="log", domain=[low, high], nice=False),
              axis=alt.Axis(format=cost.form, values=_ticks(low, high)))  # fmt: skip
    colour = alt.Color("kind:N", title=None, legend=alt.Legend(columns=4),
                       scale=alt.Scale(domain=kinds, range=[plots.KINDS[k] for k in kinds]))  # fmt: skip
    shape = alt.Shape("kind:N", title=None,
                      scale=alt.Scale(domain=kinds, range=[plots.SHAPES[k] for k in kinds]))  # fmt: skip
    base = alt.Chart(plots.data(values)).encode(x=x, color=colour)
    bars = base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(
        y=plots.score_axis("low", block.entries[0].row.metric, ends), y2="high:Q", description="told:N"
    )
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(
        y="score:Q", shape=shape, description="told:N"
    )
    names = alt.Chart(plots.data(_labels(values, (low, high), ends))).mark_text(
        align="left", baseline="middle", color=plots.INK
    )
    zero = [e.name for e in block.entries if e.scored and cost.of(e) == 0]
    unknown = [e.name for e in block.entries if e.scored and cost.of(e) is None]
    return plots.figure(
        f"score-{cost.name}", f"Score against {cost.title}",
        "Dots are scores, bars their 95 % intervals; the axis below is logarithmic.",
        alt.layer(bars, dots, names.encode(x="x:Q", y="y:Q", text="label:N")),
        (("run", cost.title, "score", "low", "high", "planned"),
         [[v[k] for k in ("run", "x", "score", "low", "high", "n")] for v in values]),
        [f"Not drawn: {plots.several(names)} ({why})."
         for names, why in ((zero, "0, which no logarithmic axis has"), (unknown, "not known")) if names],
    )  # fmt: skip


def against_depth(block: Block) -> Figure | None:
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
        plots.left(watched, "curves"), doubling=all(value["x"] > 0 for value in values),
    )  # fmt: skip


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
