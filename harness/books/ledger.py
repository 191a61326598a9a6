"""The books of a run: what one puzzle cost, over every call that was made for it, failed and repeated ones
included.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter

from harness.contracts import Usage
from harness.records.schema import Cost

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


def spent(usage: Usage) -> float:
    """Return what an attempt took from a cost cap: what it newly charged, with what may have been; where
    nobody keeps that apart, its dollars.
    """
    return (usage.usd if usage.charged_usd is None else usage.charged_usd) or 0.0


def costs(usages: Sequence[Usage], puzzles: int) -> dict[str, Cost]:
    """Return the cost by quantity over the `puzzles` that ran.

    A quantity unknown for one usage is unknown (None) in sum; `per_puzzle_at_least` is then what the known
    ones add up to. Calls that were lost on the way are in no count of tokens and dollars.
    """
    lost = any(usage.lost_calls for usage in usages)
    columns: dict[str, list[float]] = {
        name: [value for value in map(attrgetter(name), usages) if value is not None] for name in COUNTED
    }
    for name, derive in (("seconds", seconds), ("tokens", tokens)):
        columns[name] = [value for usage in usages if (value := derive(usage)) is not None]
    return {
        name: _cost(
            values,
            complete=len(values) == len(usages) and not (lost and name in CHARGED),
            puzzles=puzzles,
        )
        for name, values in columns.items()
    }


def _cost(values: list[float], *, complete: bool, puzzles: int) -> Cost:
    if not values or not puzzles:
        return Cost()
    total = math.fsum(values)  # exactly rounded, so the order of lines does not matter
    return Cost(
        total=total if complete else None,
        per_puzzle=total / puzzles if complete else None,
        per_puzzle_at_least=total / puzzles,
    )
