"""Read a message of Anthropic's messages API."""

from __future__ import annotations

from typing import Any

from solvers.llm.protocol import CallError, Reply, Tokens, count, member
from solvers.llm.transport.finish import MESSAGES, read_finish
from solvers.llm.transport.http import charged, error_inside, text_of


def read_message(body: dict[str, Any]) -> Reply:
    """Read a message; thinking blocks are no part of the text."""
    content, usage = body.get("content"), body.get("usage")
    plain, written, cached = (
        count(member(usage, name))
        for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    )
    tokens = Tokens(
        # theirs leaves out what the cache did
        input=None if plain is None else plain + (written or 0) + (cached or 0),
        cached=cached,
        output=count(member(usage, "output_tokens")),
        reasoning=count(member(usage, "output_tokens_details", "thinking_tokens")),
        cache_write=written,
    )
    if body.get("error"):
        raise charged(error_inside(body), tokens)
    if not isinstance(content, list):
        raise charged(CallError("the reply holds no content", retryable=True), tokens)
    finish, notes = read_finish(MESSAGES, body.get("stop_reason"), tokens)
    thoughts = [{"text": member(p, "thinking")} for p in content if member(p, "type") == "thinking"]
    return Reply(
        text=text_of([part for part in content if member(part, "type") == "text"]),
        finish=finish,
        tokens=tokens,
        model=body.get("model") if isinstance(body.get("model"), str) else None,
        reasoning=text_of(thoughts),
        notes=notes,
    )
