"""What the parts of the LLM solver say to one another: a `Call` goes to a `Provider`, a `Reply` or a
`CallError` comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol

from harness.contracts import Outcome
from harness.errors import ProviderError

Message = dict[str, str]  # {"role": "user" | "assistant" | "system", "content": text}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request to a model: all that changes the answer, nothing that does not."""

    model: str
    messages: tuple[Message, ...]
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    reasoning_effort: str | None = None
    thinking_tokens: int | None = None
    prompt_caching: bool | None = None
    puzzle_id: str = ""
    attempt: int = 0
    sample: int = 0  # samples of one attempt differ by this number, and repeats of one question by the two
    top_p: float | None = None
    stop: tuple[str, ...] | None = None
    extra_body: Mapping[str, Any] | None = None  # members added to the request as they are
    thinking: str | None = None  # "adaptive" or "off", of Anthropic's models

    def identity(self) -> dict[str, Any]:
        """Return what replies are kept under. Members younger than the cache are left out at their default,
        so that replies paid for before they existed are still found.
        """
        young = ("top_p", "stop", "extra_body", "thinking")
        return {name: value for name, value in vars(self).items() if name not in young or value is not None}


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Token counts as the server reported them. `None` is unknown."""

    input: int | None = None  # cached ones included
    cached: int | None = None
    output: int | None = None  # reasoning included
    reasoning: int | None = None
    # of input, those written to the provider's prompt cache at a price of their own
    cache_write: int | None = None
    usd: float | None = None  # what the server says it charges for the request


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A reply the model finished, was cut off in, or refused."""

    text: str
    finish: Literal["stop", "length", "refusal"] = "stop"
    tokens: Tokens = field(default_factory=Tokens)
    model: str | None = None  # as the server named it
    seconds: float = 0.0  # latency of the request
    cached: bool = False  # read from our own response cache: nothing was sent
    reasoning: str = ""  # what the server showed of the model's thinking; never part of the answer
    notes: Mapping[str, Any] = field(default_factory=dict)  # what a reader of the record must know beside it

    def stored(self) -> dict[str, Any]:
        """Return the JSON form that the response cache keeps."""
        body = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "cached"}
        return body | {"tokens": dict(vars(self.tokens)), "notes": dict(self.notes)}

    @classmethod
    def restored(cls, body: Mapping[str, Any]) -> Reply:
        """Read `stored` again, that of an older release included. Raises TypeError or KeyError if it is
        none.
        """
        known = {f.name for f in fields(cls)}
        kept = {name: value for name, value in body.items() if name in known}
        return cls(**(kept | {"tokens": Tokens(**body["tokens"]), "cached": True}))


class CallError(ProviderError):
    """One request failed.

    fatal: every other request would fail too (a wrong key, no such model, no credit). may_cost: the model may
    have worked, and been charged for, before the reply was lost; an HTTP error status says that it has not.
    outage: the server is down or overloaded, whatever it is asked. own: the puzzle itself is the reason (too
    long, flagged by a filter): says nothing about other requests. tokens: what the server reports to have
    charged for the failure.
    """

    def __init__(
        self,
        message: str,
        *,
        outcome: Outcome = Outcome.PROVIDER_ERROR,
        retryable: bool = False,
        rate_limited: bool = False,
        retry_after: float | None = None,
        fatal: bool = False,
        may_cost: bool = True,
        outage: bool = False,
        own: bool = False,
        tokens: Tokens | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.outcome, self.retryable, self.rate_limited = outcome, retryable, rate_limited
        self.retry_after, self.fatal, self.may_cost, self.outage = retry_after, fatal, may_cost, outage
        self.own, self.tokens, self.status = own, tokens, status


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where and how a provider connects. The key and the headers are kept out of every repr."""

    base_url: str | None = None
    key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # those the user asked for
    max_connections: int = 32
    timeout: float = 600.0  # seconds per request
    model: str = ""
    stream: bool = False  # ask for replies piece by piece, so that no idle connection is cut
    background: bool = False  # openai-responses: start, then ask now and then whether it is done
    run: str = ""  # tells apart what is asked alike: a hash of provider, address, prompt, task and seed


class Provider(Protocol):
    """A way to reach models. Implementations import their SDK in `__init__`, which runs inside the event
    loop.
    """

    def __init__(self, endpoint: Endpoint) -> None: ...

    async def call(self, call: Call) -> Reply:
        """Send one request. Raise `CallError` for anything but a reply; never retry."""
        ...

    async def close(self) -> None: ...


def count(value: Any) -> int | None:
    """Read a token count; anything but a whole number from 0 to 2⁵³ is unknown."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1 << 53 else None


def member(value: Any, *path: str) -> Any:
    """Walk nested mappings; None where a step is missing."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def clean(text: str) -> str:
    """Make a text storable: lone surrogates, which no file can hold, become "?"."""
    return text.encode("utf-8", "replace").decode()
