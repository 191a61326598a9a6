"""The books of a run: what one puzzle cost, over every call that was made for it, failed and repeated ones
included.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

COUNTED = (
    "wall_seconds", "device_seconds", "passes", "flops", "input_tokens", "cached_tokens", "output_tokens",
    "reasoning_tokens", "usd", "retries", "joules",
)  # fmt: skip


def seconds(usage: dict[str, float]) -> float | None:
    """Return the time an attempt kept its solver busy: its share of device time where that is measured,
    else its latency.
    """
    return usage.get("device_seconds", usage.get("wall_seconds"))


def tokens(usage: dict[str, float]) -> float | None:
    """Return input plus output tokens."""
    read, written = usage.get("input_tokens"), usage.get("output_tokens")
    return None if read is None or written is None else read + written


def device_usd(usage: Mapping[str, float], usd_per_device_hour: float | None) -> float | None:
    """Return what an attempt's device time costs; None if the time or the price is unknown."""
    device_seconds = usage.get("device_seconds")
    return (
        None
        if device_seconds is None or usd_per_device_hour is None
        else device_seconds / 3600 * usd_per_device_hour
    )


def costs(usages: Sequence[dict[str, float]], puzzles: int) -> dict[str, Any]:
    """Return {quantity: {total, per_puzzle, per_puzzle_at_least}} over the `puzzles` that ran.

    A quantity unknown for one usage is unknown (None) in sum; `per_puzzle_at_least` is then what the known
    ones add up to.
    """
    columns = {name: [usage[name] for usage in usages if name in usage] for name in COUNTED}
    for name, derive in (("seconds", seconds), ("tokens", tokens)):
        columns[name] = [value for usage in usages if (value := derive(usage)) is not None]
    return {
        name: _cost(values, complete=len(values) == len(usages), puzzles=puzzles)
        for name, values in columns.items()
    }


def _cost(values: list[float], *, complete: bool, puzzles: int) -> dict[str, float | None]:
    if not values or not puzzles:
        return {"total": None, "per_puzzle": None, "per_puzzle_at_least": None}
    total = math.fsum(values)  # exactly rounded, so the order of lines does not matter
    return {
        "total": total if complete else None,
        "per_puzzle": total / puzzles if complete else None,
        "per_puzzle_at_least": total / puzzles,
    }
