"""Which figures a report has."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report import cells, curves
from harness.report.content import Dial, PuzzleSet, Section
from harness.report.plots import Figure


def figures_of(section: Section, block: PuzzleSet | None) -> Iterator[Figure]:
    """Yield the figures of a block, or those that a task's blocks share."""
    if block is None:
        by_option: dict[tuple[str, str], list[Dial]] = {}
        for dial in section.dials:
            by_option.setdefault((dial.of, dial.option), []).append(dial)
        yield from (curves.against_dial(of) for of in by_option.values())
        yield from (cells.grid(dial) for dial in section.grids)
        return
    made = [curves.against_cost(block, cost) for cost in curves.COSTS]
    made += [
        curves.against_depth(block),
        curves.against_difficulty(block),
        cells.outcomes(block),
        cells.pairs(block),
    ]
    yield from (figure for figure in made if figure is not None)
