"""The books of a run: what one puzzle cost, over every call that was made for it, failed and repeated ones
included.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from harness.contracts import Usage
from harness.records.migrate import MOST
from harness.records.schema import Cost

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COUNTED = tuple(field.name for field in fields(Usage))
CHARGED = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "tokens", "usd")
"""What a call that was lost on the way adds to without being counted."""


def seconds(usage: Usage) -> float | None:
    """Return the time an attempt kept its solver busy: its share of device time where that is measured,
    else its latency.
    """
    return usage.wall_seconds if usage.device_seconds is None else usage.device_seconds


def tokens(usage: Usage) -> float | None:
    """Return input plus output tokens."""
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    return usage.input_tokens + usage.output_tokens


def device_usd(usage: Usage, usd_per_device_hour: float | None) -> float | None:
    """Return what an attempt's device time costs; None if the time or the price is unknown."""
    if usage.device_seconds is None or usd_per_device_hour is None:
        return None
    return usage.device_seconds / 3600 * usd_per_device_hour


def reported(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return what others report of a cost, by names of `Usage`, without what cannot be: what is negative,
    infinite, no number, or of another name is unknown.
    """
    return {
        name: value
        for name, value in usage.items()
        if name in COUNTED and type(value) in (int, float) and 0 <= value < MOST
    }


def spent(usage: Usage) -> float:
    """Return what an attempt took from a cost cap: what it newly charged, with what may have been; where
    nobody keeps that apart, its dollars.
    """
    return (usage.usd if usage.charged_usd is None else usage.charged_usd) or 0.0


def column_spent(usage: Mapping[str, NDArray[np.float64]]) -> float:
    """Return what attempts, whose usage is in columns, took from a cost cap together."""
    import numpy as np

    charged, usd = usage.get("charged_usd"), usage.get("usd")
    if charged is None or usd is None:
        found = usd if charged is None else charged
        return 0.0 if found is None else math.fsum(found[~np.isnan(found)].tolist())
    return math.fsum(np.nan_to_num(np.where(np.isnan(charged), usd, charged)).tolist())


def costs(usages: Sequence[Usage], puzzles: int) -> dict[str, Cost]:
    """Return the cost by quantity over the `puzzles` that ran.

    A quantity unknown for one usage is unknown (None) in sum; `per_puzzle_at_least` is then what the known
    ones add up to. Calls that were lost on the way are in no count of tokens and dollars.
    """
    import numpy as np

    columns = {
        name: np.array(
            [np.nan if (v := getattr(one, name)) is None else v for one in usages], dtype=np.float64
        )
        for name in COUNTED
    }
    return column_costs(columns, len(usages), puzzles)


def column_costs(usage: Mapping[str, NDArray[np.float64]], lines: int, puzzles: int) -> dict[str, Cost]:
    """Return the costs of so many lines whose usage is in columns, NaN where a line does not know."""
    import numpy as np

    columns = {name: usage[name] for name in COUNTED if name in usage}
    none = np.full(lines, np.nan)
    busy = columns.get("device_seconds", none)
    found = {name: columns.get(name, none) for name in COUNTED}
    found["seconds"] = np.where(np.isnan(busy), columns.get("wall_seconds", none), busy)
    found["tokens"] = columns.get("input_tokens", none) + columns.get("output_tokens", none)
    lost = bool((columns.get("lost_calls", none) > 0).any())
    costs = {}
    for name, column in found.items():
        values = column[~np.isnan(column)]
        complete = len(values) == lines and not (lost and name in CHARGED)
        costs[name] = _cost(values, complete=complete, puzzles=puzzles)
    return costs


def _cost(values: NDArray[np.float64], *, complete: bool, puzzles: int) -> Cost:
    if not len(values) or not puzzles:
        return Cost()
    total = math.fsum(values.data)  # exactly rounded, so the order of lines does not matter
    return Cost(
        total=total if complete else None,
        per_puzzle=total / puzzles if complete else None,
        per_puzzle_at_least=total / puzzles,
    )
