"""The books of one attempt: every request it made, what they cost, and what became of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

from harness.contracts import Answer, Outcome, Unparsed, Usage
from solvers.llm.protocol import Reply, Tokens

HEAD, TAIL = 4_000, 12_000
"""A record keeps this many characters of a longer reply: its start, and its end, where the answer stands."""
REASONING_HEAD, REASONING_TAIL = 2_000, 2_000
"""The same of the reasoning a server shows, which may be a hundred times as long."""

CALLS = 32_000
"""A record keeps about this many characters of all the replies of a sampling and their prompts."""


@dataclass(kw_only=True)
class Tally:
    """Collects the replies and retries of one attempt."""

    replies: list[Reply] = field(default_factory=list)
    charged: list[Tokens] = field(default_factory=list)  # of failures the server reported the tokens of
    retries: int = 0
    lost: int = 0  # replies that never arrived whole, though the model may have been at work
    calls: list[tuple[str, str]] = field(default_factory=list)  # what was asked last, and the reply
    usd: float | None = None
    new_usd: float = 0.0  # of usd, for replies that were not in our own cache
    lost_usd: float = 0.0  # what the lost replies are reckoned at, for the cost cap
    unpriced: int = 0  # of the lost replies, those that came before any had a price
    _live_since: float | None = None
    _live_until: float = 0.0

    def sending(self) -> None:
        if self._live_since is None:
            self._live_since = perf_counter()

    def received(self, reply: Reply, usd: float | None) -> None:
        self.replies.append(replace(reply, text="", reasoning=""))
        self._book(usd, new=not reply.cached)
        if usd is not None and not reply.cached:  # the first price there is
            self.lost_usd += self.unpriced * usd
            self.unpriced = 0
        self.stopped()

    def failed(self, *, may_cost: bool, tokens: Tokens | None = None, usd: float | None = None) -> None:
        """Book a request without a reply; `tokens` and `usd` if the server said what it charged all the
        same.
        """
        self.lost += may_cost
        if tokens is not None and tokens != Tokens():
            self.charged.append(tokens)
            self._book(usd, new=True)
        self.stopped()

    def reckon(self, usd: float | None) -> None:
        """Reckon a lost reply at so much; None until there is a price."""
        self.unpriced += usd is None
        self.lost_usd += usd or 0.0

    def stopped(self) -> None:
        self._live_until = perf_counter()

    @property
    def paid_usd(self) -> float | None:
        """Dollars newly spent, estimates for lost replies included; None if this attempt asked nothing
        new.
        """
        asked = any(not reply.cached for reply in self.replies) or self.charged or self.lost
        return self.new_usd + self.lost_usd if asked else None

    def usage(self) -> Usage:
        """Sum what is known. Replies read from the response cache count as what they cost when they were
        made.
        """
        nothing = (
            None if self.replies or self.charged or self.lost else 0
        )  # what is turned down costs nothing

        def total(name: str) -> int | None:
            counts = [getattr(tokens, name) for tokens in self._tokens()]
            known = [n for n in counts if n is not None]
            return sum(known) if known else nothing

        live = self._live_until - self._live_since if self._live_since is not None else 0.0
        return Usage(
            wall_seconds=live + sum(r.seconds for r in self.replies if r.cached),
            passes=float(len(self.replies)),
            input_tokens=total("input"),
            cached_tokens=total("cached"),
            output_tokens=total("output"),
            reasoning_tokens=total("reasoning"),
            usd=0.0 if self.usd is None and nothing == 0 else self.usd,
            retries=self.retries,
            lost_calls=self.uncounted,
            charged_usd=None if self.usd is None and nothing is None else self.new_usd + self.lost_usd,
        )

    @property
    def uncounted(self) -> int:
        """Replies whose tokens are missing from the usage, which is then a lower bound."""
        return self.lost + sum(t.input is None or t.output is None for t in self._tokens())

    def detail(self) -> dict[str, Any]:
        """What a reader of the record needs beside the usage: models that answered, cached and uncounted
        replies.
        """
        models = sorted({r.model for r in self.replies if r.model})
        found: dict[str, Any] = {"model": models[0] if len(models) == 1 else models} if models else {}
        for reply in self.replies:
            found |= reply.notes
        if cached := sum(r.cached for r in self.replies):
            found["cached_replies"] = cached
        if written := sum(t.cache_write or 0 for t in self._tokens()):
            found["cache_write_tokens"] = written
        said = [t.usd for t in self._tokens() if t.usd is not None]
        if said:
            found["server_usd"] = sum(said)  # as the server reckons: stands beside our own
        if self.uncounted:
            found["replies_without_usage"] = self.uncounted
        if len(self.calls) > 1:
            found["calls"] = self._told()
        return found

    def _told(self) -> list[dict[str, str]]:
        """Return each reply of a sampling with its prompt, where that is another than the one before, cut so
        that all of them together are no longer than `CALLS`.
        """
        share = max(200, CALLS // len(self.calls) // 4)
        told, before = [], None
        for prompt, reply in self.calls:
            asked = {"prompt": _cut(prompt, share, share)} if prompt != before else {}
            told.append({**asked, "reply": _cut(reply, share, share)})
            before = prompt
        return told

    def _tokens(self) -> list[Tokens]:
        return [*(reply.tokens for reply in self.replies), *self.charged]

    def _book(self, usd: float | None, *, new: bool) -> None:
        if usd is not None:
            self.usd = (self.usd or 0.0) + usd
            self.new_usd += usd if new else 0.0


def outcome_of(reply: Reply, answer: Answer | Unparsed) -> Outcome:
    """Name what one reply is worth: a well-formed answer counts unless the reply is a refusal."""
    if reply.finish == "refusal":
        return Outcome.REFUSED
    if not isinstance(answer, Unparsed):
        return Outcome.ANSWERED
    return {"length": Outcome.TRUNCATED, "stop": Outcome.UNPARSED}[reply.finish]


def shorten(text: str) -> tuple[str, dict[str, Any]]:
    """Cut a reply to what a record may hold; the detail keeps its length and the SHA-256 of all of it."""
    return _cut(text, HEAD, TAIL), _measures("reply", text)


def shorten_reasoning(text: str) -> dict[str, Any]:
    """Return the part of a reasoning text that a record keeps, with its length and the SHA-256 of all of
    it.
    """
    if not text:
        return {}
    return {"reasoning": _cut(text, REASONING_HEAD, REASONING_TAIL), **_measures("reasoning", text)}


def _measures(name: str, text: str) -> dict[str, Any]:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return {f"{name}_sha256": digest, f"{name}_characters": len(text)}


def _cut(text: str, head: int, tail: int) -> str:
    if len(text) <= head + tail:
        return text
    return f"{text[:head]}\n[… {len(text) - head - tail} characters left out …]\n{text[-tail:]}"
