"""What all plots share: how they look, and the form in which a plot carries its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.cli import units
from harness.report.entries import Entry
from harness.scores.leaderboard import Row
from harness.scores.statistics import Score

if TYPE_CHECKING:
    import altair as alt

    from harness.records.schema import DepthScore

WIDTH, HEIGHT = 320, 220  # of the plotting area in CSS pixels: with its axis it fits a page of 400
LINES = 8  # curves in one plot
INK, FAINT, GRID, PAPER = "#1f2933", "#5b6673", "#d5dae0", "#fffffe"  # page.css gives each its dark form
KINDS = {
    "net": "#0072b2", "llm": "#d55e00", "hybrid": "#a23b72", "exact": "#00805a", "baseline": "#6b7280"
}  # fmt: skip
SHAPES = {
    "net": "circle", "llm": "square", "hybrid": "cross", "exact": "diamond", "baseline": "triangle-up"
}  # fmt: skip
CURVES = ("#0072b2", "#d55e00", "#00805a", "#a23b72", "#8a6d00", "#4b3fa7", "#6b7280", "#b3261e")
CONFIG: dict[str, Any] = {
    "background": None,
    "font": "Liberation Sans, Arial, Helvetica, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK, "titleColor": INK, "gridColor": GRID, "domainColor": FAINT, "tickColor": FAINT,
        "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "labelLimit": 200,
    },
    "legend": {
        "labelColor": INK, "titleColor": INK, "labelFontSize": 11, "titleFontSize": 11, "labelLimit": 300,
        "orient": "bottom", "columns": 1, "symbolOpacity": 1,
    },
    "text": {"fontSize": 11},
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One plot. spec: Vega-Lite. columns, rows: its numbers, unrounded. notes: what it leaves out."""

    name: str  # of its file
    title: str
    says: str  # how to read it
    spec: Mapping[str, Any]
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    notes: tuple[str, ...] = ()


def figure(
    name: str,
    title: str,
    says: str,
    chart: Any,
    table: tuple[Sequence[str], Iterable[Sequence[Any]]],
    notes: Sequence[str] = (),
    *,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> Figure:
    """Return a chart of Altair as a figure of this size."""
    spec = chart.properties(width=width, height=height).to_dict()
    spec["config"] = CONFIG
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80]
    columns, rows = table
    return Figure(name=slug, title=title, says=says, spec=spec, columns=tuple(columns),
                  rows=tuple(map(tuple, rows)), notes=tuple(notes))  # fmt: skip


def data(values: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    """Return rows as a chart's data."""
    import altair as alt

    return alt.InlineData(values=[dict(value) for value in values])


def scored(entry: Entry) -> dict[str, Any]:
    """Return the score of a run as a chart's row; told: what a pointer over its mark is told."""
    row = entry.row
    return {
        "run": entry.name, "short": entry.short, "kind": row.kind, "score": row.score, "low": row.low,
        "high": row.high, "n": row.planned, "told": f"{entry.name}: {told(row)}",
    }  # fmt: skip


def told(found: Row | DepthScore | Score) -> str:
    """Say a score with its interval."""
    return f"{units.share(found.score)} ({units.span(found.low, found.high)})"


def domain(values: Iterable[Mapping[str, Any]]) -> tuple[float, float]:
    """Return the range of the axis of scores: all of 0 to 1, unless a score lies outside."""
    ends = [v for value in values for v in (value["low"], value["high"]) if v is not None]
    return min(0.0, *ends), max(1.0, *ends)


def score_axis(field: str, metric: str, ends: tuple[float, float]) -> alt.Y:
    """Return the axis of scores."""
    import altair as alt

    return alt.Y(
        f"{field}:Q", title=metric, scale=alt.Scale(domain=list(ends), nice=False), axis=alt.Axis(format="~%")
    )


def several(names: Sequence[str], most: int = 6) -> str:
    """Return names in a list that a sentence can hold."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def left(found: Sequence[Any], what: str, most: int = LINES) -> list[str]:
    """Say that a plot holds the first ones only, where it does."""
    return [f"The first {most} of {len(found)} {what} are drawn."] if len(found) > most else []
