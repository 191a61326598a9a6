"""The messages API through the anthropic package, with thinking budgets and prompt caching."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from solvers.llm.protocol import Call, CallError, Endpoint, Reply, Tokens, count, member
from solvers.llm.transport import failure, http_client, httpx_of, json_body, text_of

KEY = "ANTHROPIC_API_KEY"
SDK = "anthropic"
UNSUPPORTED = ("seed",)
NEEDED = ("max_tokens",)


class AnthropicMessages:
    """POST /v1/messages. Reference: https://docs.anthropic.com/en/api/messages"""

    def __init__(self, endpoint: Endpoint) -> None:
        import anthropic

        self._response = httpx_of(anthropic).Response
        self._client = anthropic.AsyncAnthropic(
            base_url=endpoint.base_url or "https://api.anthropic.com",
            api_key=endpoint.key or "none",
            max_retries=0,
            timeout=None,
            http_client=http_client(anthropic, endpoint.max_connections),
        )

    async def call(self, call: Call) -> Reply:
        try:
            response = await self._client.post("/v1/messages", body=self.body(call), cast_to=self._response)
            return self.read(json_body(response))
        except Exception as error:
            if (failed := failure(error)) is None:
                raise
            raise failed from error

    def body(self, call: Call) -> dict[str, Any]:
        options = {
            "temperature": call.temperature,
            "thinking": call.thinking_tokens and {"type": "enabled", "budget_tokens": call.thinking_tokens},
            "output_config": call.reasoning_effort and {"effort": call.reasoning_effort},
            "cache_control": {"type": "ephemeral"} if call.prompt_caching else None,
        }
        body: dict[str, Any] = {
            "model": call.model,
            "max_tokens": call.max_tokens,
            "messages": list(call.messages),
        }
        return body | {name: value for name, value in options.items() if value is not None}

    def read(self, body: dict[str, Any]) -> Reply:
        content = body.get("content")
        if not isinstance(content, list):
            raise CallError("the reply holds no content", retryable=True)
        reason = body.get("stop_reason")
        usage = body.get("usage")
        plain, written = (
            count(member(usage, "input_tokens")),
            count(member(usage, "cache_creation_input_tokens")),
        )
        cached = count(member(usage, "cache_read_input_tokens"))
        return Reply(
            text=text_of([part for part in content if member(part, "type") == "text"]),
            finish="refusal" if reason == "refusal" else "length" if reason in LENGTH else "stop",
            tokens=Tokens(
                # theirs leaves out what the cache did
                input=None if plain is None else plain + (written or 0) + (cached or 0),
                cached=cached,
                output=count(member(usage, "output_tokens")),
                reasoning=count(member(usage, "output_tokens_details", "thinking_tokens")),
                cache_write=written,
            ),
            model=body.get("model") if isinstance(body.get("model"), str) else None,
        )

    async def submit(self, calls: Sequence[tuple[str, Call]]) -> str:
        """Make a message batch: https://docs.anthropic.com/en/api/creating-message-batches"""
        requests = [{"custom_id": name, "params": self.body(call)} for name, call in calls]
        try:
            made = await self._client.post(
                "/v1/messages/batches", body={"requests": requests}, cast_to=self._response
            )
            return str(json_body(made)["id"])
        except Exception as error:
            raise failure(error) or error from error

    async def collect(self, batch: str) -> dict[str, Reply | CallError] | None:
        path = f"/v1/messages/batches/{batch}"
        try:
            state = json_body(await self._client.get(path, cast_to=self._response))
            if state.get("processing_status") != "ended":
                return None
            results = await self._client.get(f"{path}/results", cast_to=self._response)
            return {
                line["custom_id"]: self._result(line["result"])
                for line in map(json.loads, results.text.splitlines())
            }
        except Exception as error:
            raise failure(error) or error from error

    def _result(self, result: dict[str, Any]) -> Reply | CallError:
        if result.get("type") != "succeeded":  # errored, expired, canceled: none of them is charged
            return CallError(
                f"{result.get('type')}: {member(result, 'error', 'error', 'message') or ''}", may_cost=False
            )
        try:
            return self.read(result["message"])
        except CallError as error:
            return error

    async def close(self) -> None:
        await self._client.close()


LENGTH = ("max_tokens", "model_context_window_exceeded")
