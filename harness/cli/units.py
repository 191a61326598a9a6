"""Numbers in units that a person reads; – is unknown."""

from __future__ import annotations

import math

PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
LEAST_USD = 1e-6  # below it an amount is only said to be smaller


def quantity(value: float | None) -> str:
    """Write a number in three digits with k, M, G, T, P, E."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return str(value)
    for factor, letter in PREFIXES:
        if abs(value) >= factor * (1 - 5e-4):  # 999,500 and more is 1M in three digits
            return f"{_digits(value / factor)}{letter}"
    return _digits(value)


def parameters(value: float | None) -> str:
    """Write a number of parameters, whose thousand millions are billions: 37B."""
    return quantity(value).replace("G", "B")


def share(value: float | None) -> str:
    """Write a share of one as a percentage with one decimal."""
    return "–" if value is None else f"{100 * value:.1f} %"


def span(low: float | None, high: float | None) -> str:
    """Write an interval of shares, in per cent."""
    return "–" if low is None or high is None else f"{100 * low:.1f}–{100 * high:.1f}"


def seconds(value: float | None) -> str:
    """Write a time: µs, ms, s, min, h or d, whichever keeps the number short."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return f"{value} s"
    if value == 0:
        return "0 s"
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if abs(value) >= size * (2 if size >= 60 else 1 - 5e-4):
            return f"{_digits(value / size)} {unit}"
    return f"{_digits(value / 1e-6)} µs" if abs(value) >= 1e-8 else "<0.01 µs"


def usd(value: float | None) -> str:
    """Write dollars: $12.30, $0.00042, <$0.000001."""
    if value is None:
        return "–"
    if value == 0:
        return "$0"
    if not math.isfinite(value):
        return f"${value}"
    sign = "-" if value < 0 else ""
    value = abs(value)
    if value < LEAST_USD:
        return f"{sign}<${LEAST_USD:.6f}"
    if value >= 1:
        return f"{sign}${value:,.2f}"
    return f"{sign}${value:.{1 - math.floor(math.log10(value))}f}"


def _digits(value: float) -> str:
    """Write three significant digits, never with an exponent."""
    if value == 0 or abs(value) >= 1000:
        return f"{value:.0f}"
    text = f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
