"""Dated price tables: what a model's tokens and an hour of a device cost, in USD, on the day the table was
made.

A table is `YYYY-MM-DD.json` in this folder, made by scripts/make_price_table.py. What no table lists costs
`None`: unknown, not 0 and not a guess. Devices are priced as one can rent them, on demand, without
commitment; each entry says where and when.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.errors import UserError, did_you_mean

FOLDER = Path(__file__).parent

VENDORS = {
    "api.anthropic.com": "anthropic",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.openai.com": "openai",
    "api.together.xyz": "together_ai",
    "api.x.ai": "xai",
    "generativelanguage.googleapis.com": "gemini",
    "openrouter.ai": "openrouter",
}
"""Who sells the models behind an address, by the name the table uses."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """The price of one model, all in USD per million tokens."""

    input: float
    output: float
    cached: float | None = None  # input read from the provider's prompt cache; None: no reduction known
    cache_write: float | None = None  # input written to it
    batch_input: float | None = None
    batch_cached: float | None = None
    batch_output: float | None = None
    up_to_input_tokens: int | None = None  # longer requests cost more; their price is not in the table

    def usd(
        self,
        *,
        input_tokens: int | None,
        output_tokens: int | None,
        cached_tokens: int | None = None,
        cache_write_tokens: int = 0,
        batch: bool = False,
    ) -> float | None:
        """Return what one request cost; None if its tokens or the price of such a request are unknown.

        Cached and cache-writing tokens are counted in `input_tokens`, reasoning tokens in `output_tokens`.
        """
        if (
            input_tokens is None
            or output_tokens is None
            or input_tokens > (self.up_to_input_tokens or input_tokens)
        ):
            return None
        rate_in, rate_out = (self.batch_input, self.batch_output) if batch else (self.input, self.output)
        if rate_in is None or rate_out is None:
            return None
        rate_cached = self.batch_cached if batch else self.cached
        cached = min(cached_tokens or 0, input_tokens)
        plain = max(0, input_tokens - cached - cache_write_tokens)
        # a batch reduces what is written to the cache as it does the rest
        write = rate_in * (self.cache_write or self.input) / self.input if self.input else 0.0
        million = (
            plain * rate_in
            + cached * (rate_cached or rate_in)
            + cache_write_tokens * write
            + output_tokens * rate_out
        )
        return million / 1e6


@dataclass(frozen=True, kw_only=True)
class PriceTable:
    """One dated table."""

    date: str
    source: str
    models: dict[str, dict[str, float]] = field(repr=False)
    # device (a name, * for any letters), usd_per_hour, what, source, read, via
    devices: list[dict[str, Any]] = field(repr=False)

    def find(self, model: str, *, provider: str, base_url: str | None) -> Price | None:
        """Return the price of a model bought from a provider, or from whoever sits at a base URL; None if
        it is not listed.
        """
        vendor = _vendor(provider, base_url)
        if vendor is None:
            return None
        # these stand in the table as the vendor writes them
        bare_names = vendor in ("anthropic", "openai", "litellm")
        entry = self.models.get(model if bare_names else f"{vendor}/{model}")
        if entry is None and vendor == "litellm" and model.partition("/")[0] in ("anthropic", "openai"):
            entry = self.models.get(model.partition("/")[2])
        if entry is None:
            return None
        tier = entry.get("up_to_input_tokens")
        rest = {name: value for name, value in entry.items() if name != "up_to_input_tokens"}
        return Price(**rest, up_to_input_tokens=int(tier) if tier is not None else None)

    def usd_per_device_hour(self, device: str | None) -> float | None:
        """Return what an hour of a device costs, by the name a solver's card gives it; None if it is not
        listed.

        A GPU has the name torch gives it. A CPU is "cpu", one thread, or "CPU, 4 threads"; a thread is priced
        as one vCPU.
        """
        threads = re.fullmatch(r"(?i)cpu(?:, (\d+) threads)?", device or "")
        name, count = ("cpu", int(threads[1] or 1)) if threads else (device or "", 1)
        return next(
            (count * float(d["usd_per_hour"]) for d in self.devices if fnmatchcase(name, d["device"])), None
        )


def dates() -> list[str]:
    """List the dates of the tables, oldest first."""
    return sorted(path.stem for path in FOLDER.glob("????-??-??.json"))


@cache
def table(date: str | None = None) -> PriceTable:
    """Read the table of a date; the newest if None."""
    known = dates()
    if date is not None and date not in known:
        raise UserError(f"No price table of {date!r}.", rule=did_you_mean(date, known))
    body = json.loads((FOLDER / f"{date or known[-1]}.json").read_text("utf-8"))
    return PriceTable(**{name: body[name] for name in ("date", "source", "models", "devices")})


def _vendor(provider: str, base_url: str | None) -> str | None:
    if base_url is not None:
        return VENDORS.get(urlsplit(base_url).hostname or "")
    return {
        "openai": "openai",
        "openai-responses": "openai",
        "anthropic": "anthropic",
        "litellm": "litellm",
    }.get(provider)
