"""Chat completions through the openai package: OpenAI itself, and every server that speaks the protocol
(`base_url`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from solvers.llm.protocol import Call, CallError, Endpoint, Reply, Tokens, count, member
from solvers.llm.transport import failure, http_client, httpx_of, json_body, status_failure, text_of

KEY = "OPENAI_API_KEY"
SDK = "openai"
UNSUPPORTED: tuple[str, ...] = ("thinking_tokens", "prompt_caching")


class OpenAIChat:
    """POST /chat/completions. Reference: https://platform.openai.com/docs/api-reference/chat/create"""

    path = "/chat/completions"

    def __init__(self, endpoint: Endpoint) -> None:
        import openai

        self._response = httpx_of(openai).Response
        self._is_openai = endpoint.base_url is None
        self._client = openai.AsyncOpenAI(
            base_url=endpoint.base_url or "https://api.openai.com/v1",
            api_key=endpoint.key or "none",
            max_retries=0,
            timeout=None,
            http_client=http_client(openai, endpoint.max_connections),
        )

    async def call(self, call: Call) -> Reply:
        try:
            response = await self._client.post(self.path, body=self.body(call), cast_to=self._response)
            return self.read(json_body(response))
        except Exception as error:
            if (failed := failure(error)) is None:
                raise
            raise failed from error

    def body(self, call: Call) -> dict[str, Any]:
        # other servers know the older name only
        limit = "max_completion_tokens" if self._is_openai else "max_tokens"
        options = {
            limit: call.max_tokens,
            "temperature": call.temperature,
            "seed": call.seed,
            "reasoning_effort": call.reasoning_effort,
        }
        return {"model": call.model, "messages": list(call.messages)} | {
            k: v for k, v in options.items() if v is not None
        }

    def read(self, body: dict[str, Any]) -> Reply:
        return read_completion(body)

    async def submit(self, calls: Sequence[tuple[str, Call]]) -> str:
        """Upload the calls as a file and make a batch of it: https://platform.openai.com/docs/guides/batch"""
        url = f"/v1{self.path}"
        lines = [
            json.dumps({"custom_id": n, "method": "POST", "url": url, "body": self.body(call)})
            for n, call in calls
        ]
        try:
            file = await self._client.files.create(
                file=("batch.jsonl", "\n".join(lines).encode()), purpose="batch"
            )
            wanted = {"input_file_id": file.id, "endpoint": url, "completion_window": "24h"}
            return str(
                json_body(await self._client.post("/batches", body=wanted, cast_to=self._response))["id"]
            )
        except Exception as error:
            raise failure(error) or error from error

    async def collect(self, batch: str) -> dict[str, Reply | CallError] | None:
        try:
            state = json_body(await self._client.get(f"/batches/{batch}", cast_to=self._response))
            if state.get("status") == "failed":
                raise CallError(f"the batch was refused: {state.get('errors')}", fatal=True, may_cost=False)
            if state.get("status") not in ("completed", "expired", "cancelled"):
                return None
            found: dict[str, Reply | CallError] = {}
            for file in filter(None, (state.get("output_file_id"), state.get("error_file_id"))):
                content = await self._client.get(f"/files/{file}/content", cast_to=self._response)
                for line in map(json.loads, content.text.splitlines()):
                    found[line["custom_id"]] = self._result(line)
        except Exception as error:
            raise failure(error) or error from error
        return found

    def _result(self, line: dict[str, Any]) -> Reply | CallError:
        if member(line, "response") is None and member(line, "error") is not None:
            # the batch expired or was cancelled before its turn came: not made, not charged
            why = f"{member(line, 'error', 'code')}: {member(line, 'error', 'message')}"
            return CallError(why, may_cost=False)
        status, body = member(line, "response", "status_code"), member(line, "response", "body")
        if status != 200:
            return status_failure(status if isinstance(status, int) else 500, body or line, {})
        try:
            return self.read(body)
        except CallError as error:
            return error

    async def close(self) -> None:
        await self._client.close()


def read_completion(body: dict[str, Any]) -> Reply:
    """Read a chat completion; hidden reasoning in fields of its own is no part of the text."""
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = member(choice, "message")
    if not isinstance(message, dict):
        raise CallError("the reply holds no message", retryable=True)
    reason = member(choice, "finish_reason")
    # the second is litellm's place
    refusal = message.get("refusal") or member(message, "provider_specific_fields", "refusal")
    refused = reason == "content_filter" or isinstance(refusal, str)
    return Reply(
        text=text_of(message.get("content")) or (refusal or "" if refused else ""),
        finish="refusal" if refused else "length" if reason == "length" else "stop",
        tokens=read_tokens(body.get("usage")),
        model=body.get("model") if isinstance(body.get("model"), str) else None,
    )


def read_tokens(usage: Any) -> Tokens:
    """Read a usage block of chat completions."""
    return Tokens(
        input=count(member(usage, "prompt_tokens")),
        cached=count(member(usage, "prompt_tokens_details", "cached_tokens")),
        output=count(member(usage, "completion_tokens")),
        reasoning=count(member(usage, "completion_tokens_details", "reasoning_tokens")),
    )
