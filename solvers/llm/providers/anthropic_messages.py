"""The messages API through the anthropic package, with thinking and prompt caching."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from solvers.llm import models
from solvers.llm.keys import own_headers_only
from solvers.llm.models.names import ANTHROPIC_URL
from solvers.llm.protocol import Call, CallError, Endpoint, Reply, member
from solvers.llm.providers.adapting import MOST_LEARNED, STREAMED, Adapting
from solvers.llm.providers.message import read_message
from solvers.llm.transport.failures import failure
from solvers.llm.transport.http import http_client, httpx_of, json_body
from solvers.llm.transport.streamed import lines_of

KEY = "ANTHROPIC_API_KEY"
SDK = "anthropic"
UNSUPPORTED = ("seed",)
NEEDED = ("max_tokens",)


class AnthropicMessages:
    """POST /v1/messages. Reference: https://docs.anthropic.com/en/api/messages"""

    def __init__(self, endpoint: Endpoint) -> None:
        import anthropic

        self._response = httpx_of(anthropic).Response
        # with the version or without: the path below brings it
        url = (endpoint.base_url or ANTHROPIC_URL).rstrip("/").removesuffix("/v1")
        self._style = models.find(endpoint.model).thinking
        self._adapting = Adapting(stream=endpoint.stream, adaptive=self._style == "adaptive")
        with own_headers_only(url, ANTHROPIC_URL):
            self._client = anthropic.AsyncAnthropic(
                base_url=url,
                api_key=endpoint.key or "none",
                default_headers=dict(endpoint.headers),
                max_retries=0,
                timeout=None,
                http_client=http_client(anthropic, endpoint.max_connections, url),
            )

    async def call(self, call: Call) -> Reply:
        for last in (False,) * MOST_LEARNED + (True,):
            whole = self.body(call) | ({"stream": True} if self._adapting.stream else {})
            sent = self._adapting.fit(whole)
            try:
                reply = self.read(await self._post("/v1/messages", sent))
            except Exception as error:
                if (failed := failure(error)) is None:
                    raise
                if not last and self._adapting.learn(failed, sent):
                    continue
                raise failed from error
            break
        notes = self._adapting.notes(whole)
        if call.thinking_tokens and self._adapting.adaptive:
            notes = {"left_out": [*notes.get("left_out", ()), "thinking_tokens"]}
        return replace(reply, notes={**reply.notes, **notes})

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        options: Any = STREAMED if "stream" in body else {}
        return json_body(await self._client.post(path, body=body, cast_to=self._response, options=options))

    def body(self, call: Call) -> dict[str, Any]:
        said = [message for message in call.messages if message["role"] != "system"]
        system = "\n\n".join(m["content"] for m in call.messages if m["role"] == "system")
        options = {
            "system": system or None,
            "temperature": call.temperature,
            "top_p": call.top_p,
            "stop_sequences": call.stop and list(call.stop),
            "thinking": self._thinking(call),
            "output_config": call.reasoning_effort and {"effort": call.reasoning_effort},
            "cache_control": {"type": "ephemeral"} if call.prompt_caching else None,
        }
        body: dict[str, Any] = {"model": call.model, "max_tokens": call.max_tokens, "messages": said}
        return (
            body
            | {n: value for n, value in options.items() if value is not None}
            | dict(call.extra_body or {})
        )

    def _thinking(self, call: Call) -> dict[str, Any] | None:
        """A budget of tokens, or the model's own measure where it knows no other or an effort is asked
        for.
        """
        if call.thinking == "off":
            return {"type": "disabled"}
        by_effort = call.reasoning_effort is not None and self._style is not None
        if call.thinking == "adaptive" or (call.thinking_tokens and self._adapting.adaptive):
            return {"type": "adaptive"}
        if call.thinking_tokens:
            return {"type": "enabled", "budget_tokens": call.thinking_tokens}
        return {"type": "adaptive"} if by_effort else None

    def read(self, body: dict[str, Any]) -> Reply:
        return read_message(body)

    async def submit(self, calls: Sequence[tuple[str, Call]]) -> str:
        """Make a message batch: https://docs.anthropic.com/en/api/creating-message-batches"""
        requests = [{"custom_id": name, "params": self.body(call)} for name, call in calls]
        try:
            return str((await self._post("/v1/messages/batches", {"requests": requests}))["id"])
        except Exception as error:
            raise failure(error) or error from error

    async def collect(self, batch: str) -> dict[str, Reply | CallError] | None:
        path = f"/v1/messages/batches/{batch}"
        try:
            state = json_body(await self._client.get(path, cast_to=self._response))
            if state.get("processing_status") != "ended":
                return None
            results = await self._client.get(f"{path}/results", cast_to=self._response)
            lines = map(json.loads, lines_of(results.content))
            return {line["custom_id"]: self._result(line["result"]) for line in lines}
        except Exception as error:
            raise failure(error) or error from error

    def _result(self, result: dict[str, Any]) -> Reply | CallError:
        if (kind := result.get("type")) != "succeeded":  # errored, expired, canceled: none is charged
            return CallError(f"{kind}: {member(result, 'error', 'error', 'message') or ''}", may_cost=False)
        try:
            return self.read(result["message"])
        except CallError as error:
            return error

    async def close(self) -> None:
        await self._client.close()
