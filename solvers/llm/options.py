"""The options of the LLM solver, and what they must be like. docs/llm.md says what each does."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.errors import UserError, did_you_mean
from solvers.llm import prompts, strategies
from solvers.llm.keys import check_base_url, check_options, read_headers
from solvers.llm.models.names import Service, service_of
from solvers.llm.providers import PROVIDERS, TAKEN_BY

OURS = ("model", "messages", "input", "stream", "background", "max_tokens")
"""Members of a request that have an option or are the harness's own: `extra_body` may not set them."""


DAY = 24 * 3600.0


@dataclass(frozen=True, kw_only=True)
class LlmOptions:
    """A model behind an API. Options left out are the server's own defaults."""

    model: str  # as the provider names it; local/NAME runs one here
    provider: str | None = None  # None: as the model's name says, else "openai"
    base_url: str | None = None  # of the server; none: the provider's own
    # name of the environment variable that holds the key
    api_key_env: str | None = field(default=None, compare=False)
    strategy: str = "cot"  # a style, a sampling, or STYLE+SAMPLING: see solvers/llm/strategies
    samples: int | None = None  # replies per attempt, of self-consistency, votes and best-of-n
    rounds: int | None = None  # replies per attempt, of refine
    examples: Path | None = None  # JSON file of solved puzzles, of few-shot
    program_seconds: float | None = None  # time limit of a program, of code
    sandbox: Literal["off"] | None = None  # of code: "off" runs the model's programs without walls
    prompt: str = prompts.DEFAULT  # the words: see `bench list prompts`
    system: str | None = None  # a system prompt before it
    temperature: float | None = None  # of sampling; none: the server's default, as for the next ones
    top_p: float | None = None  # the share of likely tokens that are sampled from
    max_tokens: int | None = None  # of a reply, reasoning included
    stop: tuple[str, ...] | None = None  # texts at which the model is stopped
    reasoning_effort: str | None = None  # such as low or high, sent as it is
    thinking_tokens: int | None = None  # that a reply may spend on reasoning
    thinking: Literal["adaptive", "off"] | None = None  # of Anthropic's models
    # ask the provider to keep the prompt for the next call, where it must be asked
    prompt_caching: bool | None = None
    seed: int | None = None  # sent to the server, varied per attempt and sample; None sends none
    extra_body: Mapping[str, Any] | None = None  # added to each request as it is: JSON, or extra_body.NAME=…
    extra_headers: Mapping[str, Any] | None = None  # HTTP headers, the same way; $NAME is a variable's value
    stream: bool | None = None  # take replies piece by piece: an hour of reasoning outlives idle time-outs
    background: bool | None = None  # openai-responses: start, and ask now and then whether it is done
    timeout: float = 600.0  # seconds per request; left at 600, a day where it may rightly take hours
    puzzle_timeout: float | None = None  # seconds per attempt, all requests and retries together
    max_retries: int = 8  # further tries of a request after transient failures
    batch: bool = False  # use the provider's batch API: half the price, hours of waiting
    cache: bool = field(default=True, compare=False)  # keep replies, and use kept ones
    usd_per_million_input: float | None = None  # a price of your own, in place of the price table's
    usd_per_million_output: float | None = None  # the same of the reply

    def __post_init__(self) -> None:
        for name in ("extra_body", "extra_headers"):
            object.__setattr__(self, name, _mapping(name, getattr(self, name)))
        self._check_names()
        self._check_numbers()
        check_base_url(self.base_url)
        check_options(vars(self))
        strategies.build(self.strategy, vars(self))
        fits = prompts.find(self.prompt).styles
        if fits and strategies.split(self.strategy)[0] not in fits:
            raise UserError(
                f"The prompt {self.prompt!r} does not go with the strategy {self.strategy!r}.",
                rule=f"It is for {' and '.join(fits)}.",
            )
        read_headers(self.extra_headers)
        if taken := sorted(set(self.extra_body or {}) & set(OURS)):
            raise UserError(f"extra_body sets {', '.join(taken)}.", rule="These have options of their own.")

    def _check_names(self) -> None:
        for name in ("model", "provider", "base_url", "system", "reasoning_effort"):
            text = getattr(self, name) or ""
            if any(0xD800 <= ord(c) <= 0xDFFF for c in text):
                shown = text.encode("utf-8", "replace").decode()
                raise UserError(f"{name}={shown!r} is no text.", rule="It holds half of a character.")
        if not self.model.strip():
            raise UserError("model is empty.", next_step="Give -S model=NAME.")
        if "," in self.model and self.provider != "replay" and not self.model.startswith("local/"):
            raise UserError(
                f"model={self.model!r} names several models.",
                rule="A run has one.",
                next_step="`bench study` runs several models, efforts and tasks under one cap, in one table.",
            )
        if self.provider_name not in PROVIDERS:
            raise UserError(
                f"Unknown provider {self.provider!r}.", rule=did_you_mean(self.provider_name, PROVIDERS)
            )
        for option, providers in TAKEN_BY.items():
            if getattr(self, option) is not None and self.provider_name not in providers:
                raise UserError(
                    f"The provider {self.provider_name!r} has no {option}.",
                    rule=f"An option that would have no effect is refused; {', '.join(providers)} take it.",
                    next_step=f"Leave -S {option} out.",
                )
        if self.thinking is not None and self.thinking_tokens is not None:
            raise UserError("thinking and thinking_tokens exclude each other.", next_step="Leave one out.")
        if self.background and self.stream:
            raise UserError("background and stream exclude each other.", next_step="Leave one out.")

    def _check_numbers(self) -> None:
        for name in ("timeout", "puzzle_timeout"):
            if (seconds := getattr(self, name)) is not None and not 0 < seconds < math.inf:
                raise UserError(
                    f"{name}={seconds} is not a time in seconds.",
                    rule="It must be greater than 0, and finite.",
                )
        for name in ("max_tokens", "thinking_tokens"):
            if (tokens := getattr(self, name)) is not None and tokens < 1:
                raise UserError(f"{name}={tokens} leaves nothing to say.", rule="It must be at least 1.")
        for name, most in (("temperature", 100.0), ("top_p", 1.0)):
            if (value := getattr(self, name)) is not None and not 0 <= value <= most:
                raise UserError(f"{name}={value} is not a value for it.", rule=f"It is from 0 to {most:g}.")
        for name in ("usd_per_million_input", "usd_per_million_output"):
            if (price := getattr(self, name)) is not None and not 0 <= price < math.inf:
                raise UserError(f"{name}={price} is not a price.", rule="It is 0 or more US dollars.")
        if (self.usd_per_million_input is None) != (self.usd_per_million_output is None):
            raise UserError(
                "One of usd_per_million_input and usd_per_million_output is missing.",
                rule="Give both or neither.",
            )
        if self.max_retries < 0:
            raise UserError(f"max_retries={self.max_retries} is negative.", rule="It must be at least 0.")

    @property
    def service(self) -> Service:
        """Who is asked: what the options say, else what the model's name says."""
        if self.provider is None and self.base_url is None:
            return service_of(self.model)
        named = "local" if self.model.startswith("local/") else "openai"
        return Service(provider=self.provider or named, base_url=self.base_url, model=self.model)

    @property
    def seconds_per_request(self) -> float:
        """The limit of one request: an answer may take hours where it is streamed, fetched later, or thought
        out by the processor of this machine.
        """
        patient = self.stream or self.background or self.provider_name == "local"
        return DAY if patient and self.timeout == 600.0 else self.timeout

    @property
    def provider_name(self) -> str:
        return self.service.provider


def _mapping(name: str, value: Any) -> dict[str, Any] | None:
    """Read a JSON object: as a mapping, as text, or gathered from `-S name.member=value`."""
    if isinstance(value, Mapping) and list(value) == ["name"] and str(value["name"]).lstrip().startswith("{"):
        value = value["name"]  # how an option with options of its own is given text
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise UserError(
            f"{name}={value!r} is not JSON: {error}.", next_step=f"""For example -S '{name}={{"a": 1}}'."""
        ) from None
    if found is None:
        return None
    if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
        raise UserError(f"{name}={value!r} is not a JSON object.")
    if name == "extra_headers":
        return {key: str(inner) for key, inner in found.items()}
    return {key: _scalar(inner) for key, inner in found.items()}


def _scalar(value: Any) -> Any:
    """Read the text of `-S extra_body.top_k=20` as the number it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
