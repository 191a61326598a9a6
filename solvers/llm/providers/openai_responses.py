"""The responses API through the openai package."""

from __future__ import annotations

from typing import Any

from solvers.llm.protocol import Call, CallError, Reply, Tokens, count, member
from solvers.llm.providers.openai_chat import KEY, SDK, OpenAIChat
from solvers.llm.transport import text_of

__all__ = ["KEY", "SDK", "UNSUPPORTED", "OpenAIResponses"]
UNSUPPORTED = ("seed", "thinking_tokens", "prompt_caching")


class OpenAIResponses(OpenAIChat):
    """POST /responses. Reference: https://platform.openai.com/docs/api-reference/responses/create"""

    path = "/responses"

    def body(self, call: Call) -> dict[str, Any]:
        options = {
            "max_output_tokens": call.max_tokens,
            "temperature": call.temperature,
            "reasoning": None if call.reasoning_effort is None else {"effort": call.reasoning_effort},
        }
        needed: dict[str, Any] = {"model": call.model, "input": list(call.messages), "store": False}
        return needed | {name: value for name, value in options.items() if value is not None}

    def read(self, body: dict[str, Any]) -> Reply:
        output = body.get("output")
        if not isinstance(output, list) or body.get("status") not in ("completed", "incomplete"):
            raise CallError(f"the response is {body.get('status')!r} and holds no output", retryable=True)
        parts = [
            part
            for item in output
            if member(item, "type") == "message"
            for part in member(item, "content") or []
        ]
        refusals = [text for part in parts if isinstance(text := member(part, "refusal"), str)]
        reason = member(body.get("incomplete_details"), "reason")
        refused = bool(refusals) or reason == "content_filter"
        usage = body.get("usage")
        return Reply(
            text=text_of(parts) or " ".join(refusals),
            finish="refusal" if refused else "length" if reason == "max_output_tokens" else "stop",
            tokens=Tokens(
                input=count(member(usage, "input_tokens")),
                cached=count(member(usage, "input_tokens_details", "cached_tokens")),
                output=count(member(usage, "output_tokens")),
                reasoning=count(member(usage, "output_tokens_details", "reasoning_tokens")),
            ),
            model=body.get("model") if isinstance(body.get("model"), str) else None,
        )
