"""Recorded lines as arrays: what summaries, budgets and resuming need of them, without their answers.

A million lines take about 100 MB in this form and 2.5 GB as records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from harness.contracts import Outcome, Usage
from harness.records.schema import OUTCOMES, AttemptRecord

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Place = Callable[[str], int | None]
"""Returns the place of a puzzle in the plan, None for one that was not planned."""
USAGE = tuple(field.name for field in fields(Usage))
CODES: dict[Outcome, int] = {outcome: code for code, outcome in enumerate(OUTCOMES)}


@dataclass(frozen=True, kw_only=True)
class Columns:
    """n recorded lines in the order of the file; what a line does not have is NaN.

    place: of the puzzle in the plan, -1 if it was not planned; outcome: its place in `OUTCOMES`; asked: how
    often each member of a hybrid was. The m points of all traces stand one after another, each with the
    number of its line.
    """

    place: NDArray[np.int32]  # (n,)
    attempt: NDArray[np.int32]
    outcome: NDArray[np.int8]
    judged: NDArray[np.bool_]  # whether there are a verdict's numbers
    at: NDArray[np.float64]  # seconds since 1970
    depth: NDArray[np.float64]
    numbers: dict[str, NDArray[np.float64]]  # (n,) each
    usage: dict[str, NDArray[np.float64]]  # (n,) each, without those that no line knows
    asked: dict[str, NDArray[np.float64]]  # (n,) each, without members that were never asked
    trace_line: NDArray[np.int32]  # (m,), ascending
    trace_depth: NDArray[np.int32]
    trace_judged: NDArray[np.bool_]
    trace_numbers: dict[str, NDArray[np.float64]]  # (m,) each

    def __len__(self) -> int:
        return len(self.place)

    def number(self, name: str) -> NDArray[np.float64]:
        """Return a number of the verdicts, (n,)."""
        return self.numbers[name] if name in self.numbers else _unknown(len(self))

    def known(self, name: str) -> NDArray[np.float64]:
        """Return a quantity of the usage, (n,)."""
        return self.usage[name] if name in self.usage else _unknown(len(self))

    def strange(self, attempts: int) -> int | None:
        """Return the first line whose puzzle was not planned, or not that often; None if there is none."""
        import numpy as np

        found = np.flatnonzero((self.place < 0) | (self.attempt >= attempts))
        return int(found[0]) if len(found) else None

    def last(self, attempts: int) -> NDArray[np.intp]:
        """Return the lines that count, in the order of the plan: the last of each (place, attempt)."""
        import numpy as np

        if not len(self):
            return np.zeros(0, dtype=np.intp)
        keys = self.place.astype(np.int64) * attempts + self.attempt
        if (keys[1:] > keys[:-1]).all():  # as one process writes them
            return np.arange(len(keys))
        order = np.argsort(keys, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(keys[order])), len(order) - 1)
        counted: NDArray[np.intp] = order[ends]
        return counted


def of_records(records: Iterable[AttemptRecord], place: Place) -> Columns:
    """Return records as columns."""
    import numpy as np

    rows = list(records)
    points = [(n, point) for n, record in enumerate(rows) for point in record.trace]
    usages = [vars(record.usage) for record in rows]
    usage = {}
    for name in USAGE:
        values = [one[name] for one in usages]
        if values.count(None) < len(values):
            usage[name] = _floats(values)
    return Columns(
        place=np.array([-1 if (p := place(r.puzzle)) is None else p for r in rows], dtype=np.int32),
        attempt=np.array([r.attempt for r in rows], dtype=np.int32),
        outcome=np.array([CODES[r.outcome] for r in rows], dtype=np.int8),
        judged=np.array([r.numbers is not None for r in rows], dtype=np.bool_),
        at=np.array([r.at for r in rows], dtype=np.float64),
        depth=_floats([r.depth for r in rows]),
        numbers=_by_name([r.numbers for r in rows]),
        usage=usage,
        asked=_by_name([_asked(r.detail.get("asked")) for r in rows]),
        trace_line=np.array([n for n, _ in points], dtype=np.int32),
        trace_depth=np.array([point.depth for _, point in points], dtype=np.int32),
        trace_judged=np.array([point.numbers is not None for _, point in points], dtype=np.bool_),
        trace_numbers=_by_name([point.numbers for _, point in points]),
    )


def joined(parts: list[Columns]) -> Columns:
    """Return parts of a file, one after another, as one. The list is emptied, and each array let go as soon
    as it is copied: both at once would be twice the memory.
    """
    import numpy as np

    if not parts:
        return of_records((), lambda _: None)
    if len(parts) == 1:
        return parts.pop()
    lines, points = ([len(getattr(part, name)) for part in parts] for name in ("place", "trace_line"))
    left = [dict(vars(part)) for part in parts]
    parts.clear()

    def plain(name: str) -> Any:
        return np.concatenate([part.pop(name) for part in left])

    def named(group: str, sizes: list[int]) -> dict[str, Any]:
        groups = [dict(part.pop(group)) for part in left]
        names = {name: None for found in groups for name in found}
        return {
            name: np.concatenate(
                [
                    found.pop(name) if name in found else _unknown(size)
                    for found, size in zip(groups, sizes, strict=True)
                ]
            )
            for name in names
        }

    starts = np.repeat(np.cumsum([0, *lines[:-1]]), points)
    return Columns(
        **{name: plain(name) for name in ("place", "attempt", "outcome", "judged", "at", "depth")},
        numbers=named("numbers", lines),
        usage=named("usage", lines),
        asked=named("asked", lines),
        trace_line=(plain("trace_line") + starts).astype(np.int32),
        trace_depth=plain("trace_depth"),
        trace_judged=plain("trace_judged"),
        trace_numbers=named("trace_numbers", points),
    )


def _asked(members: Any) -> dict[str, int] | None:
    return dict(Counter(map(str, members))) if isinstance(members, list) else None


def _floats(values: Sequence[float | None]) -> NDArray[np.float64]:
    import numpy as np

    return np.array(values, dtype=np.float64)  # None becomes NaN


def _unknown(n: int) -> NDArray[np.float64]:
    import numpy as np

    return np.full(n, np.nan)


def _by_name(numbers: Sequence[Any]) -> dict[str, NDArray[np.float64]]:
    names = {name: None for each in numbers if each for name in each}
    rows = [each or {} for each in numbers]
    return {name: _floats([row.get(name) for row in rows]) for name in names}
