"""Why a model stopped, by the word its provider has for it.

A finish reason is one of: "stop" (the model was done), "length" (cut off by a limit), "refusal" (it declined,
or a filter cut it off), or a failure of the service, whose text is no reply at all.
"""

from __future__ import annotations

from typing import Literal, cast

from harness.contracts import Outcome
from solvers.llm.protocol import CallError, Tokens

Finish = Literal["stop", "length", "refusal"]

STOP, LENGTH, REFUSAL, BROKEN, FILTERED = "stop", "length", "refusal", "broken", "filtered"

CHAT = {  # chat completions, OpenAI's and those of everyone who speaks the protocol
    "stop": STOP, "eos": STOP, "eos_token": STOP, "end": STOP, "end_turn": STOP, "stop_sequence": STOP,
    "complete": STOP, "completed": STOP, "normal": STOP, "tool_calls": STOP, "function_call": STOP,
    "length": LENGTH, "max_tokens": LENGTH, "max_output_tokens": LENGTH,
    "model_length": LENGTH,  # Mistral: the context is full
    "model_context_window_exceeded": LENGTH, "context_length": LENGTH, "context_window_exceeded": LENGTH,
    "content_filter": REFUSAL, "refusal": REFUSAL,
    "safety": FILTERED, "recitation": FILTERED, "blocklist": FILTERED, "prohibited_content": FILTERED,
    "spii": FILTERED, "sensitive": FILTERED, "guardrail_intervened": FILTERED, "content_filtered": FILTERED,
    "moderation": FILTERED,
    "error": BROKEN,  # OpenRouter, Mistral, Cohere
    "insufficient_system_resource": BROKEN,  # DeepSeek
    "abort": BROKEN, "aborted": BROKEN,  # vLLM, SGLang
    "cancelled": BROKEN, "canceled": BROKEN, "timeout": BROKEN, "network_error": BROKEN, "failed": BROKEN,
    "internal_error": BROKEN, "engine_error": BROKEN, "overloaded": BROKEN, "error_toxic": FILTERED,
    "malformed_function_call": BROKEN, "malformed_response": BROKEN, "other": BROKEN,
}  # fmt: skip
MESSAGES = {  # Anthropic
    "end_turn": STOP, "stop_sequence": STOP, "tool_use": STOP,
    "max_tokens": LENGTH, "model_context_window_exceeded": LENGTH,
    "refusal": REFUSAL,
    "pause_turn": BROKEN, "error": BROKEN,
}  # fmt: skip
RESPONSES = {  # OpenAI's responses: `incomplete_details.reason`
    "completed": STOP, "max_output_tokens": LENGTH, "max_tokens": LENGTH, "content_filter": REFUSAL,
}  # fmt: skip


def read_finish(table: dict[str, str], reason: object, tokens: Tokens) -> tuple[Finish, dict[str, str]]:
    """Return what a finish reason means, and a note if it is unknown to us.

    Raises `CallError` for a failure of the service, to be tried again, and for a filter's cut, which is a
    refusal. Both were charged for what `tokens` says.
    """
    word = str(reason).strip().lower() if reason is not None else ""
    kind = table.get(word) or table.get(word.partition(":")[0].strip() if ":" in word else "")
    if kind in (REFUSAL, FILTERED) and (":" in word or kind == FILTERED):
        raise CallError(
            f"the provider's filter cut the reply off ({reason})",
            outcome=Outcome.REFUSED, may_cost=not known(tokens), tokens=tokens, own=True,
        )  # fmt: skip
    if kind == BROKEN:
        raise CallError(
            f"the service broke the reply off (finish reason {reason!r})",
            retryable=True, may_cost=not known(tokens), tokens=tokens,
        )  # fmt: skip
    if kind is None:
        return "stop", {"finish_reason": str(reason)[:100] if word else "none given"}
    return cast(Finish, kind), {}  # the three that are left


def known(tokens: Tokens) -> bool:
    """Say whether a charge is known: then nothing about it is lost."""
    return tokens.input is not None and tokens.output is not None
