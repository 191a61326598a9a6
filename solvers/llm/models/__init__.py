"""What is known of a model beside its price: limits, parameter names, style of thinking, published size.

The dated table `YYYY-MM-DD.json` is made from litellm's by `python scripts/make_model_table.py`; published
sizes, each with its source, stand in `parameters.json`. A user's own TOML file, named by `DEPTHBENCH_MODELS`,
overrides and adds, a table a model:

    [my-model]
    context = 32768             # tokens of prompt and reply together
    output = 8192               # tokens of a reply
    limit = "max_tokens"        # what the server calls the limit: max_tokens or max_completion_tokens
    sampling = true             # takes temperature and top_p
    thinking = "adaptive"       # or "budget", "both"
    input_usd = 0.5             # per million tokens
    output_usd = 2.0
    cached_usd = 0.05
    parameters = 8_000_000_000
    active = 1_000_000_000
    source = "where the parameters are published"

A model that no table knows gets the defaults of the protocol.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from harness.books.prices import Price, table
from harness.contracts import Parameters
from harness.errors import UserError, did_you_mean
from harness.folders import expanded

FOLDER = Path(__file__).parent
VARIABLE = "DEPTHBENCH_MODELS"
REASONING = re.compile(r"(?:o\d|gpt-(?:[5-9]|\d\d)|codex-)(?!\w*-chat)")
"""OpenAI's reasoning models: they know `max_completion_tokens` alone, and no temperature."""
OPENAI_HOSTS = ("api.openai.com", "openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com")


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model. `None` is unknown."""

    context: int | None = None
    output: int | None = None
    limit: Literal["max_tokens", "max_completion_tokens"] | None = None
    sampling: bool | None = None
    thinking: Literal["adaptive", "budget", "both"] | None = None
    input_usd: float | None = None
    output_usd: float | None = None
    cached_usd: float | None = None
    parameters: int | None = None
    active: int | None = None
    source: str | None = None

    def limit_name(self, model: str, base_url: str | None) -> str:
        """Return what this model's server calls the limit of a reply: by model and maker, not by whether an
        address was given.
        """
        if self.limit is not None:
            return self.limit
        host = urlsplit(base_url).hostname or "" if base_url else "api.openai.com"
        if not any(host == own or host.endswith("." + own) for own in OPENAI_HOSTS):
            return "max_tokens"  # other servers know the older name only
        newer = host == "api.openai.com" or REASONING.match(model.rpartition("/")[2])
        return "max_completion_tokens" if newer else "max_tokens"

    @property
    def ledger(self) -> Parameters:
        return Parameters(stored=self.parameters, active=self.active, source=self.source)


def find(model: str, vendor: str | None = None) -> Model:
    """Return what is known of a model, the user's own word first."""
    name = model.rpartition("/")[2]
    known: dict[str, Any] = {}
    for place in (f"{vendor}/{model}", model, name):
        known = known or models().get(place, {})
    for pattern, size in sizes():
        if pattern.fullmatch(name.lower()):
            known = {**known, **size}
            break
    return Model(**{**known, **own().get(model, own().get(name, {}))})


def price(model: str, *, provider: str, base_url: str | None) -> Price | None:
    """Return the price of a model's tokens: the user's own word, else the newest price table; None if
    unknown.
    """
    mine = own().get(model, {})
    if "input_usd" in mine:
        return Price(input=mine["input_usd"], output=mine["output_usd"], cached=mine.get("cached_usd"))
    return table().find(model, provider=provider, base_url=base_url)


@cache
def date() -> str:
    """Return the date of the newest table."""
    return max(path.stem for path in FOLDER.glob("????-??-??.json"))


@cache
def models() -> dict[str, dict[str, Any]]:
    """Read the newest table of the project."""
    found: dict[str, dict[str, Any]] = json.loads((FOLDER / f"{date()}.json").read_text("utf-8"))["models"]
    return found


@cache
def sizes() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """Read the published parameter counts: a pattern of names, and what it says."""
    rows = json.loads((FOLDER / "parameters.json").read_text("utf-8"))["models"]
    return [(re.compile(row.pop("name")), row) for row in rows]


def own() -> dict[str, dict[str, Any]]:
    """Read the user's own file, if `DEPTHBENCH_MODELS` names one. Raises UserError for a mistake in it."""
    path = os.environ.get(VARIABLE)
    return _read_own(expanded(path)) if path else {}


@cache
def _read_own(path: Path) -> dict[str, dict[str, Any]]:
    try:
        body = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"The models of {VARIABLE}={str(path)!r} cannot be read: {error}.",
            rule="It is a TOML file with a table for each model.",
        ) from None
    known = {f.name for f in fields(Model)}
    for name, entry in body.items():
        if not isinstance(entry, dict):
            raise UserError(
                f"{path}: {name!r} is not a table.", rule='A model is [name], or ["vendor/name"].'
            )
        for key, value in entry.items():
            if key not in known:
                raise UserError(f"{path}: {name!r} has no {key!r}.", rule=did_you_mean(key, known))
            if not _fits(key, value):
                raise UserError(
                    f"{path}: {key} = {value!r} of {name!r} is not a value for it.", rule=RULES[key]
                )
        if ("input_usd" in entry) != ("output_usd" in entry):
            raise UserError(
                f"{path}: {name!r} has one of input_usd and output_usd.", rule="Give both or neither."
            )
    return body


RULES = {
    **dict.fromkeys(("context", "output", "parameters", "active"), "It takes a whole number above 0."),
    **dict.fromkeys(
        ("input_usd", "output_usd", "cached_usd"), "It takes US dollars per million tokens, 0 or more."
    ),
    "limit": "It takes max_tokens or max_completion_tokens.",
    "sampling": "It takes true or false.",
    "thinking": "It takes adaptive, budget or both.",
    "source": "It takes text.",
}


def _fits(key: str, value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key.endswith("_usd"):
        return number and 0 <= value < float("inf")
    if key in ("context", "output", "parameters", "active"):
        return number and isinstance(value, int) and value > 0
    allowed: dict[str, tuple[Any, ...]] = {
        "limit": ("max_tokens", "max_completion_tokens"),
        "sampling": (True, False),
        "thinking": ("adaptive", "budget", "both"),
    }
    return isinstance(value, str) if key == "source" else value in allowed[key] and type(value) is not int
