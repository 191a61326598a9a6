"""`bench compare`: two or more runs, puzzle by puzzle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Format, FormatOption, ResultsDir

if TYPE_CHECKING:
    from harness.scores.compare import Pair

COLUMNS = ("first", "second", "shared", "scores", "difference", "95 %", "alone", "p", "Holm", "verdict")


def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN RUN...", help="Two runs or more, as for bench show.")
    ],
    merge_seeds: Annotated[
        bool,
        typer.Option("--merge-seeds", help="Runs that differ in a seed alone are one, the mean of them."),
    ] = False,
    results_dir: ResultsDir = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> None:
    """Test whether runs differ on the puzzles they share: McNemar's exact test, paired bootstrap, Holm."""
    from dataclasses import asdict

    from harness.cli import tables
    from harness.records.find import find_run
    from harness.scores import compare as comparing

    pairs = comparing.compare([find_run(name, results_dir) for name in runs], merge=merge_seeds)
    tables.write(COLUMNS, [cells(pair) for pair in pairs], [asdict(pair) for pair in pairs], format)
    if format is Format.TABLE:
        tables.note(
            f"{pairs[0].metric}; difference: first minus second, in points, with a paired bootstrap over "
            "groups; "
            f"alone: puzzles only the first, only the second solved; p: {tests(pairs)}; Holm: p "
            "adjusted "
            "for all pairs"
        )
        for pair in pairs:
            several = [
                f"{_short(name)} stands for {n} seeds"
                for name, n in zip((pair.first, pair.second), pair.seeds, strict=True)
                if n > 1
            ]
            if pair.other_content or pair.apart or several:
                n = pair.other_content
                others = f"{n:,} puzzle{'s' * (n > 1)} of the same name but of other content left out"
                told = [*several, *[others] * bool(n), *pair.apart]
                tables.note(f"{_short(pair.first)} and {_short(pair.second)}: {'; '.join(told)}")


def cells(pair: Pair) -> list[str]:
    """Return a pair as text, a value for each of `COLUMNS`."""
    scale = 100
    alone = "–" if pair.first_alone is None else f"{pair.first_alone} : {pair.second_alone}"
    return [
        _short(pair.first),
        _short(pair.second),
        f"{pair.shared:,}"
        if set(pair.planned) == {pair.shared}
        else f"{pair.shared:,} of {max(pair.planned):,}",
        f"{scale * pair.scores[0]:.1f} : {scale * pair.scores[1]:.1f} %",
        f"{scale * pair.difference:+.1f}",
        f"{scale * pair.low:+.1f} to {scale * pair.high:+.1f}",
        alone,
        probability(pair.p),
        probability(pair.holm),
        verdict(pair),
    ]


def tests(pairs: Sequence[Pair]) -> str:
    """Say which tests the p of these pairs are of."""
    solved = "McNemar's exact test"
    if all(pair.first_alone is not None for pair in pairs):
        return solved
    flips = "a test that flips the signs of the differences"
    if all(pair.first_alone is None for pair in pairs):
        return flips
    return f"{solved}; where a value is no yes or no, {flips}"


def verdict(pair: Pair) -> str:
    """Say what the test of a pair says."""
    if pair.separated:
        return "they differ"
    if pair.needed is None:
        return "no difference seen"
    if pair.needed <= pair.shared:
        return "not separated"
    return f"too few puzzles: about {pair.needed:,} would be needed"


def probability(p: float | None) -> str:
    """Write a probability; – where there is none."""
    return "–" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def _short(name: str) -> str:
    """Return a run's name without its date."""
    return name.split("_", 1)[1] if name[:4].isdigit() and "_" in name else name
