"""Plots made of cells and bars: outcomes, every pair of runs, a dial against depth."""

from __future__ import annotations

from typing import Any

from harness.report import plots
from harness.report.content import Dial, PuzzleSet
from harness.report.entries import depths
from harness.report.plots import WIDTH, Figure

BARS = 40
OUTCOMES = {
    "correct": "#00805a", "wrong": "#d55e00", "unparsed": "#c98a00", "refused": "#a23b72",
    "truncated": "#4b3fa7", "timed_out": "#0072b2", "provider_error": "#5b6673", "not_run": "#c3cad2",
}  # fmt: skip
LOWEST, MIDDLE, HIGHEST = "#a63d00", "#f4f1ea", "#00508c"  # of cells; names are white on the ends
NAME = 150  # pixels of a run's name beside its row


def outcomes(block: PuzzleSet) -> Figure:
    """Draw what became of the planned attempts, a bar a run."""
    import altair as alt

    shown = block.entries[:BARS]
    values: list[dict[str, Any]] = [
        {"run": e.short, "outcome": kind, "n": n, "at": place,
         "told": f"{e.name}: {n:,} of {e.row.planned:,} {kind}"}
        for e in shown
        for place, (kind, n) in enumerate(e.row.outcomes.items())
        if n
    ]  # fmt: skip
    present = [kind for kind in OUTCOMES if any(value["outcome"] == kind for value in values)]
    names = list(dict.fromkeys(value["run"] for value in values))
    scale = alt.Scale(domain=present, range=[OUTCOMES[kind] for kind in present])
    colour = alt.Color("outcome:N", title=None, sort=present, legend=alt.Legend(columns=3), scale=scale)
    share = alt.Axis(format="%")
    chart = (
        alt.Chart(plots.data(values))
        .mark_bar(stroke=plots.PAPER, strokeWidth=1)
        .encode(
            y=alt.Y("run:N", sort=names, title=None, axis=alt.Axis(labelLimit=NAME)),
            x=alt.X("n:Q", stack="normalize", title="share of planned attempts", axis=share),
            color=colour,
            order="at:Q",
            description="told:N",
        )
    )
    return plots.figure(
        "outcomes", "What became of every planned attempt", "A bar is all attempts that were planned.", chart,
        (("run", "planned", *OUTCOMES),
         [(e.name, e.row.planned, *(e.row.outcomes.get(kind, 0) for kind in OUTCOMES)) for e in shown]),
        plots.left(block.entries, "runs", BARS), width=WIDTH - 100, height=max(30, 17 * len(names)),
    )  # fmt: skip


def pairs(block: PuzzleSet) -> Figure | None:
    """Draw the difference of every pair of runs, starred where the paired test tells them apart."""
    import altair as alt

    if not block.pairs:
        return None
    entries = {entry.folder.name: entry for entry in block.compared}
    name = {run: entry.name for run, entry in entries.items()}
    number = {entry.folder.name: str(place) for place, entry in enumerate(block.compared, start=1)}
    label = {run: f"{number[run]} {entry.short}" for run, entry in entries.items()}
    values: list[dict[str, Any]] = []
    for pair in block.pairs:
        told = (
            f"{name[pair.first]} minus {name[pair.second]}: {100 * pair.difference:+.1f} points "
            f"({100 * pair.low:+.1f} to {100 * pair.high:+.1f})"
        )
        star = "*" if pair.separated else ""
        for first, second, gap in (
            (pair.first, pair.second, pair.difference),
            (pair.second, pair.first, -pair.difference),
        ):
            values.append({"row": label[first], "column": number[second], "value": gap, "told": told,
                           "cell": f"{_points(gap)}{star}"})  # fmt: skip
    most = max(0.01, *(abs(value["value"]) for value in values))
    base = alt.Chart(plots.data(values)).encode(
        x=alt.X("column:N", sort=list(number.values()), title="minus run number",
                axis=alt.Axis(labelAngle=0, orient="top")),
        y=alt.Y("row:N", sort=list(label.values()), title=None, axis=alt.Axis(labelLimit=NAME)),
    )  # fmt: skip
    scored = sum(entry.scored for entry in block.entries)
    few = (
        f"{len(number)} of {scored} runs: the best of each kind, then the best of all. "
        "`bench compare` takes any."
    )
    return plots.figure(
        "pairs", "Every pair of runs, puzzle by puzzle",
        "Row minus column in points; a star: the paired test, adjusted for all pairs, tells them apart.",
        _coloured(base, [-most, 0, most], [LOWEST, MIDDLE, HIGHEST], 0.55 * most),
        (("first", "second", "difference", "low", "high"),
         [(name[p.first], name[p.second], p.difference, p.low, p.high) for p in block.pairs]),
        [few] if scored > len(number) else [], width=26 * len(number), height=20 * len(number),
    )  # fmt: skip


def _points(gap: float) -> str:
    """Write a difference in whole points; one that rounds to 0 has no sign."""
    text = f"{100 * gap:+.0f}"
    return "0" if text in ("+0", "-0") else text.replace("-", "−")


def grid(dial: Dial) -> Figure:
    """Draw the score over a task's option and supervision steps."""
    import altair as alt

    values: list[dict[str, Any]] = [
        {"row": f"{at:g}", "column": str(d), "value": s.score, "low": s.low, "high": s.high, "n": s.n,
         "cell": f"{100 * (s.score or 0):.0f}", "told": f"{dial.option} {at:g}, depth {d}: {plots.told(s)}"}
        for at, entry in dial.points
        for d, s in sorted(depths(entry).items())
    ]  # fmt: skip
    rows = list(dict.fromkeys(value["row"] for value in values))
    columns = sorted({value["column"] for value in values}, key=int)
    base = alt.Chart(plots.data(values)).encode(
        x=alt.X("column:N", sort=columns, title="supervision steps", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("row:N", sort=rows, title=dial.option),
    )
    return plots.figure(
        f"grid-{dial.option}-{dial.name}", f"{dial.option} and depth: {dial.name}",
        "Cells are scores in per cent.", _coloured(base, [0, 1], [MIDDLE, HIGHEST], 0.55),
        ((dial.option, "supervision steps", "score", "low", "high", "of"),
         [[v[k] for k in ("row", "column", "value", "low", "high", "n")] for v in values]),
        width=36 * len(columns), height=26 * len(rows),
    )  # fmt: skip


def _coloured(base: Any, ends: list[float], colours: list[str], dark: float) -> Any:
    """Return cells coloured by `value` with `cell` written in them, in white beyond `dark`."""
    import altair as alt

    cells = base.mark_rect(stroke=plots.PAPER).encode(
        color=alt.Color("value:Q", legend=None, scale=alt.Scale(domain=ends, range=colours, clamp=True)),
        description="told:N",
    )
    written = base.mark_text(fontSize=10).encode(
        text="cell:N",
        color=alt.condition(f"abs(datum.value) > {dark}", alt.value("#ffffff"), alt.value("#111111")),
    )
    return alt.layer(cells, written)
