"""`bench analyse`: one run by difficulty, along its depth, and over its samples."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import tables, units
from harness.cli.options import Format, FormatOption, ResultsDir
from harness.cli.tables import Column

if TYPE_CHECKING:
    from harness.scores.depths import DepthCurve
    from harness.scores.paired import Difference
    from harness.scores.samples import Samples
    from harness.scores.statistics import Score
    from harness.scores.strata import Strata, Stratum
    from harness.scores.values import RunValues

SCORE = Column("score", 0, right=True)
INTERVAL = Column("95 %", 0, right=True)
LOST_SHOWN = 10  # puzzles named; JSON has all


def analyse(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs, as for bench show.")],
    results_dir: ResultsDir = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> None:
    """Show what a run scores by difficulty, at each depth, with k of its samples: as far as it has them."""
    from harness.records.find import find_run
    from harness.scores.values import load

    loaded = [load(find_run(name, results_dir), light=False) for name in runs]
    found = [(run, *_parts(run)) for run in loaded]
    if format in (Format.JSON, Format.CSV):
        records: list[dict[str, Any]] = [
            {
                "run": run.name,
                "score": asdict(run.score),
                "strata": asdict(strata)["strata"],
                "depths": None if depths is None else asdict(depths),
                "samples": None if samples is None else asdict(samples),
            }
            for run, strata, depths, samples in found
        ]
        tables.write((), [], records, format)
        return
    for number, (run, strata, depths, samples) in enumerate(found):
        if format is Format.TABLE:
            print("\n" * (number > 0), end="")
            tables.note(f"{run.name}: {run.metric.name} {scored(run.score)}")
        _write_strata(strata, format)
        if depths is not None:
            _write_depths(depths, format)
        if samples is not None:
            _write_samples(samples, format)
        if format is Format.TABLE and depths is None and samples is None:
            print()
            tables.note(
                "It holds neither answers along the way (-S depths=1,2,4,8,16 -S halt=never, of nets) nor "
                "samples that were chosen from (-S samples=8, --attempts 8)."
            )


def _parts(run: RunValues) -> tuple[Strata, DepthCurve | None, Samples | None]:
    from harness.errors import UserError
    from harness.scores.depths import depths_of
    from harness.scores.samples import samples_of
    from harness.scores.strata import strata_of

    depths, samples = None, None
    if any(attempt.trace for attempt in run.counted.values()):
        depths = depths_of(run)
    with suppress(UserError):  # one answer a puzzle
        samples = samples_of(run)
    return strata_of(run), depths, samples


def _write_strata(found: Strata, form: Format) -> None:
    if not found.strata:
        return
    rows = [
        [
            _difficulty(s),
            f"{s.puzzles:,}",
            f"{s.answered:,}",
            units.share(s.score.score),
            units.span(s.score.low, s.score.high),
            "–" if s.mean_depth is None else f"{s.mean_depth:.1f}",
        ]
        for s in found.strata
    ]
    columns = (
        Column("difficulty", 0, right=True),
        Column("puzzles", 0, right=True),
        Column("answered", 1, right=True),
        SCORE,
        INTERVAL,
        Column("depth", 1, "supervision steps, mean", right=True, spare=True),
    )
    _table(columns, rows, form)


def _write_depths(found: DepthCurve, form: Format) -> None:
    rows = [
        [
            str(p.depth),
            units.share(p.score.score),
            units.span(p.score.low, p.score.high),
            f"+{p.gained:,}",
            f"-{p.lost:,}" if p.lost else "0",
        ]
        for p in found.points
    ]
    columns = (
        Column("depth", 0, right=True),
        SCORE,
        INTERVAL,
        Column("gained", 0, right=True),
        Column("lost", 0, right=True),
    )
    _table(columns, rows, form)
    if form is Format.TABLE:
        named = ", ".join(
            f"{lost.puzzle} (right at {','.join(map(str, lost.right_at))})"
            for lost in found.lost[:LOST_SHOWN]
        )
        more = f", and {len(found.lost) - LOST_SHOWN} more" if len(found.lost) > LOST_SHOWN else ""
        tables.note(
            f"Right at some depth {scored(found.ever)}, at the last {scored(found.final)}. "
            "Right and lost again: " + (f"{len(found.lost)}: {named}{more}." if found.lost else "none.")
        )


def _write_samples(found: Samples, form: Format) -> None:
    ways: list[tuple[str, Score | None]] = [
        ("mean single", found.mean_single),
        ("vote", found.vote),
        ("best by its own score", found.own),
        ("best by the rules", found.rules),
        *((f"pass@{k}", score) for k, score in found.pass_at.items()),
    ]
    rows = [
        [name, *("––" if s is None else (units.share(s.score), units.span(s.low, s.high)))]
        for name, s in ways
    ]
    _table((Column("chosen by", 0), SCORE, INTERVAL), rows, form)
    if form is Format.TABLE:
        start = "own score" if found.chosen == "own" else "vote (there is no own score)"
        brought = gap(found.generation_verification_gap)
        rest = "–" if found.verifier_gap is None else gap(found.verifier_gap)
        tables.note(
            f"{counted(found, short=False)} samples a puzzle"
            + (
                ", ended early: no fair draw, so the first of each is the mean single. "
                if found.early
                else ". "
            )
            + f"Generation-verification gap, {start} less mean single: {brought}. "
            f"Verifier gap, rules less that: {rest}."
        )


def counted(found: Samples, *, short: bool = True) -> str:
    """Say how many samples a puzzle has, and in short that sampling ended early."""
    fewest, most = found.k
    return (f"{most}" if fewest == most else f"{fewest} to {most}") + (", early" * (found.early and short))


def _table(columns: tuple[Column, ...], rows: list[list[str]], form: Format) -> None:
    print()
    tables.write(columns, rows, (), form)


def _difficulty(stratum: Stratum) -> str:
    if stratum.least is None or stratum.most is None:
        return "unknown"
    low, high = f"{stratum.least:g}", f"{stratum.most:g}"
    return low if low == high else f"{low} to {high}"


def scored(score: Score) -> str:
    return f"{units.share(score.score)} ({units.span(score.low, score.high)})"


def gap(found: Difference) -> str:
    return f"{100 * found.value:+.1f} points ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
