"""The books of one attempt: every request it made, what they cost, and what became of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from harness.contracts import Answer, Outcome, Unparsed, Usage
from solvers.llm.protocol import Reply

HEAD, TAIL = 4_000, 12_000
"""A record keeps this many characters of a longer reply: its start, and its end, where the answer stands."""


@dataclass(kw_only=True)
class Tally:
    """Collects the replies and retries of one attempt."""

    replies: list[Reply] = field(default_factory=list)
    retries: int = 0
    lost: int = 0  # replies that never arrived whole, though the model may have been at work
    usd: float | None = None
    paid_usd: float | None = None  # of usd, for replies that were not in our own cache
    _live_since: float | None = None
    _live_until: float = 0.0

    def sending(self) -> None:
        if self._live_since is None:
            self._live_since = perf_counter()

    def received(self, reply: Reply, usd: float | None) -> None:
        self.replies.append(
            Reply(
                text="",
                finish=reply.finish,
                tokens=reply.tokens,
                model=reply.model,
                seconds=reply.seconds,
                cached=reply.cached,
            )
        )
        if usd is not None:
            self.usd = (self.usd or 0.0) + usd
            if not reply.cached:
                self.paid_usd = (self.paid_usd or 0.0) + usd
        self.stopped()

    def failed(self, *, may_cost: bool) -> None:
        self.lost += may_cost
        self.stopped()

    def stopped(self) -> None:
        self._live_until = perf_counter()

    def usage(self) -> Usage:
        """Sum what is known. Replies read from the response cache count as what they cost when they were
        made.
        """

        nothing = None if self.replies or self.lost else 0  # requests the server turned down cost nothing

        def total(name: str) -> int | None:
            known = [n for r in self.replies if (n := getattr(r.tokens, name)) is not None]
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
        )

    def detail(self) -> dict[str, Any]:
        """What a reader of the record needs beside the usage: models that answered, cached and uncounted
        replies.
        """
        models = sorted({r.model for r in self.replies if r.model})
        found: dict[str, Any] = {"model": models[0] if len(models) == 1 else models} if models else {}
        if cached := sum(r.cached for r in self.replies):
            found["cached_replies"] = cached
        if written := sum(r.tokens.cache_write or 0 for r in self.replies):
            found["cache_write_tokens"] = written
        if uncounted := self.lost + sum(
            r.tokens.input is None or r.tokens.output is None for r in self.replies
        ):
            found["replies_without_usage"] = uncounted  # their tokens are missing from the usage
        return found


def outcome_of(reply: Reply, answer: Answer | Unparsed) -> Outcome:
    """Name what one reply is worth: a well-formed answer counts however the reply ended."""
    if not isinstance(answer, Unparsed):
        return Outcome.ANSWERED
    return {"refusal": Outcome.REFUSED, "length": Outcome.TRUNCATED, "stop": Outcome.UNPARSED}[reply.finish]


def shorten(text: str) -> tuple[str, dict[str, Any]]:
    """Cut a reply to what a record may hold; the detail keeps its length and the SHA-256 of all of it."""
    detail = {
        "reply_sha256": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        "reply_characters": len(text),
    }
    if len(text) <= HEAD + TAIL:
        return text, detail
    return f"{text[:HEAD]}\n[… {len(text) - HEAD - TAIL} characters left out …]\n{text[-TAIL:]}", detail
