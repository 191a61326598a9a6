"""What training cost, spread over puzzles, and what a model's pass costs where only its size is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.books.prices import PriceTable
from harness.contracts import SolverCard


@dataclass(frozen=True, kw_only=True)
class Training:
    """What making a solver cost, the weights it started from included. None: unknown."""

    flops: float | None
    usd: float | None


FREE = Training(flops=0.0, usd=0.0)
"""Solvers that are not trained."""
UNKNOWN = Training(flops=None, usd=None)


def training_of(card: SolverCard, table: PriceTable) -> Training:
    """Return what training cost: seconds of its device at the table's price. Of models behind an API nobody
    says it.
    """
    if card.kind in ("exact", "baseline"):
        return FREE
    return _trained(card.training, table) if card.kind == "net" else UNKNOWN


def _trained(said: Mapping[str, Any], table: PriceTable) -> Training:
    """Read the training record of weights: `training_flops`, `seconds`, `device`, `processes`."""
    if not said:
        return UNKNOWN
    flops, seconds = _number(said.get("training_flops")), _number(said.get("seconds"))
    device = said.get("device")
    hourly = table.usd_per_device_hour(device) if isinstance(device, str) else None
    devices = _number(said.get("processes")) or 1.0
    usd = None if seconds is None or hourly is None else seconds / 3600 * hourly * devices
    before = said.get("started_from")
    if not isinstance(before, Mapping):
        return Training(flops=flops, usd=usd)
    first = _trained(before.get("training") or {}, table)
    return Training(flops=_sum(flops, first.flops), usd=_sum(usd, first.usd))


def amortised(per_puzzle: float | None, training: float | None, puzzles: int) -> float | None:
    """Return the cost of a puzzle with its share of training, spread over so many puzzles; None if either is
    unknown.
    """
    return None if per_puzzle is None or training is None else per_puzzle + training / puzzles


def model_flops(card: SolverCard, tokens: float | None, cached: float | None = None) -> float | None:
    """Estimate a language model's FLOPs: 2 times the parameters a token touches, times the tokens that went
    through it (Kaplan et al., arXiv 2001.08361, section 2.1, without attention). Input read from a cache is
    not computed again. None where the active parameters, or the tokens, are not known.
    """
    if card.kind != "llm" or card.parameters.active is None or tokens is None:
        return None
    return 2.0 * card.parameters.active * max(0.0, tokens - (cached or 0.0))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
