"""What each attempt of a run holds, as arrays, and what that is worth to a metric: the arithmetic of
summaries.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.contracts import Metric
from harness.records.columns import Columns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Group = tuple["tuple[int, ...]", "NDArray[np.intp]", "NDArray[np.intp] | None"]
"""Attempts with the same depths: the depths, which attempts (k,), and their points (k, depths) among the
points of all traces; None for attempts without a trace, which hold their answer from their one depth on.
"""


@dataclass(frozen=True, kw_only=True)
class Held:
    """The numbers of k attempts, no two of one pair, in the order of the plan."""

    place: NDArray[np.int32]  # (k,), of the puzzle
    attempt: NDArray[np.int32]
    known: NDArray[np.bool_]  # whether there are numbers
    numbers: dict[str, NDArray[np.float64]]  # (k,) each, NaN where there is none

    def number(self, name: str) -> NDArray[np.float64]:
        """Return one of the numbers, (k,)."""
        import numpy as np

        return self.numbers[name] if name in self.numbers else np.full(len(self.place), np.nan)


def values_of(metric: Metric, held: Held, puzzles: int, tries: int) -> NDArray[np.float64]:
    """Return what each of the planned puzzles is worth, (puzzles,): `summary.value_of`; NaN if it is
    unknown.
    """
    import numpy as np

    chosen = held.known.copy()
    if metric.among is not None:
        chosen &= held.number(metric.among) >= 1
    if metric.of == "first":
        chosen &= held.attempt == 0
    place, values = held.place[chosen], held.number(metric.number)[chosen]
    worth = np.full(puzzles, np.nan)
    if metric.of == "mean":
        starts = np.flatnonzero(np.diff(place, prepend=-1))
        ends = np.flatnonzero(np.diff(place, append=-1)) + 1  # none, too, where nothing was judged yet
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            missing = max(0, tries - (end - start)) if metric.among is None else 0
            total = math.fsum(values[start:end].tolist()) + metric.missing * missing
            worth[place[start]] = total / (end - start + missing)
        return worth
    (np.fmin if metric.better == "low" else np.fmax).at(worth, place, values)
    return worth


def traces_of(lines: Columns, last: NDArray[np.intp]) -> list[Group]:
    """Group the attempts whose lines are `last` by the depths of their traces."""
    import numpy as np

    first = np.searchsorted(lines.trace_line, last, "left")
    counts = np.searchsorted(lines.trace_line, last, "right") - first
    groups: list[Group] = []
    for count in np.unique(counts).tolist():
        these = np.flatnonzero(counts == count)
        if count == 0:
            own = lines.depth[last[these]]
            ends = np.unique(own[~np.isnan(own)])
            groups += [((int(depth),), these[own == depth], None) for depth in ends]
            continue
        points = first[these][:, None] + np.arange(count)
        depths = lines.trace_depth[points]
        kinds, which = np.unique(depths, axis=0, return_inverse=True)
        for n, kind in enumerate(kinds):
            mine = which.reshape(-1) == n
            groups.append((tuple(kind.tolist()), these[mine], points[mine]))
    return groups


def held_at(
    metric: Metric, lines: Columns, last: NDArray[np.intp], groups: Sequence[Group], depths: Sequence[int]
) -> list[Held]:
    """Return what the attempts hold after each of the depths: the last numbers known until then."""
    import numpy as np

    names = [name for name in (metric.number, metric.among) if name is not None]
    size = (len(depths), len(last))
    known = np.zeros(size, dtype=np.bool_)
    values = {name: np.full(size, np.nan) for name in names}
    for trace, these, points in groups:
        for row, depth in enumerate(depths):
            for step in (n for n, reached in enumerate(trace) if reached <= depth):
                if points is None:
                    rows, judged = last[these], lines.judged[last[these]]
                else:
                    rows, judged = points[:, step], lines.trace_judged[points[:, step]]
                target = these[judged]
                known[row, target] = True
                for name in names:
                    source = lines.numbers if points is None else lines.trace_numbers
                    if name in source:
                        values[name][row, target] = source[name][rows[judged]]
    return [
        Held(
            place=lines.place[last],
            attempt=lines.attempt[last],
            known=known[row],
            numbers={name: values[name][row] for name in names},
        )
        for row in range(len(depths))
    ]
