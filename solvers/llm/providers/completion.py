"""Read a chat completion, in the shapes that those who speak the protocol give it."""

from __future__ import annotations

from typing import Any

from solvers.llm.protocol import CallError, Reply, Tokens, count, member
from solvers.llm.transport.finish import CHAT, read_finish
from solvers.llm.transport.http import charged, error_inside, text_of

REASONING = ("reasoning_content", "reasoning", "thinking")  # DeepSeek, vLLM, llama.cpp; OpenRouter; Ollama


def read_completion(body: dict[str, Any]) -> Reply:
    """Read a chat completion; hidden reasoning in fields of its own is no part of the text."""
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    tokens = read_tokens(body.get("usage"))
    for holder in (choice, body):
        if member(holder, "error"):
            raise charged(error_inside(holder), tokens)
    message = member(choice, "message")
    if not isinstance(message, dict):
        raise charged(CallError("the reply holds no message", retryable=True), tokens)
    refusal = text_of(message.get("refusal") or member(message, "provider_specific_fields", "refusal"))
    finish, notes = read_finish(CHAT, member(choice, "finish_reason"), tokens)
    return Reply(
        text=text_of(message.get("content")) or refusal,
        finish="refusal" if refusal else finish,
        tokens=tokens,
        model=body.get("model") if isinstance(body.get("model"), str) else None,
        reasoning=_reasoning(message),
        notes=notes,
    )


def read_tokens(usage: Any) -> Tokens:
    """Read a usage block of chat completions.

    Reasoning stands beside `completion_tokens` at some (xAI), and in the total alone at others (Gemini): the
    output is the larger of the completion and what the total leaves for it.
    """
    prompt = count(member(usage, "prompt_tokens"))
    completion, total = count(member(usage, "completion_tokens")), count(member(usage, "total_tokens"))
    reasoning = count(member(usage, "completion_tokens_details", "reasoning_tokens"))
    if reasoning is None:
        reasoning = count(member(usage, "reasoning_tokens"))
    readings = [completion]
    if prompt is not None and total is not None and total >= prompt:
        readings.append(total - prompt)
    elif completion is not None and reasoning is not None and reasoning > completion:
        readings.append(completion + reasoning)  # more than all of it cannot be a part of it
    outputs = [reading for reading in readings if reading is not None]
    cached = [
        count(member(usage, *path))
        for path in (
            ("prompt_tokens_details", "cached_tokens"),
            ("prompt_cache_hit_tokens",),  # DeepSeek
            ("cached_tokens",),  # Moonshot
        )
    ]
    hit = next((n for n in cached if n is not None), None)
    return Tokens(
        input=prompt,
        cached=hit if hit is None or prompt is None else min(hit, prompt),
        output=max(outputs) if outputs else None,
        reasoning=reasoning,
        usd=_dollars(usage),
    )


def _dollars(usage: Any) -> float | None:
    """Return what the server says it charges: OpenRouter, Perplexity, xAI (in 1e-10 dollars)."""
    cost = member(usage, "cost")
    value = member(cost, "total_cost") if isinstance(cost, dict) else cost
    ticks = count(member(usage, "cost_in_usd_ticks"))
    if value is None and ticks is not None:
        value = ticks / 1e10
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 <= value < 1e12 else None


def _reasoning(message: dict[str, Any]) -> str:
    shown = next((text for name in REASONING if (text := text_of(message.get(name)))), "")
    details = message.get("reasoning_details")
    if shown or not isinstance(details, list):
        return shown
    parts = [member(part, "text") or member(part, "summary") for part in details]
    return text_of([{"text": part} for part in parts])
