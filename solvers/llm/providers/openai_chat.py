"""Chat completions through the openai package: OpenAI itself, and every server that speaks the protocol
(`base_url`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from solvers.llm import models
from solvers.llm.keys import own_headers_only
from solvers.llm.models.names import OPENAI_URL
from solvers.llm.protocol import Call, CallError, Endpoint, Reply, member
from solvers.llm.providers.adapting import BACKGROUND, MOST_LEARNED, STREAMED, Adapting
from solvers.llm.providers.completion import read_completion
from solvers.llm.transport.failures import failure, status_failure
from solvers.llm.transport.http import http_client, httpx_of, json_body
from solvers.llm.transport.streamed import lines_of

KEY = "OPENAI_API_KEY"
SDK = "openai"
UNSUPPORTED: tuple[str, ...] = ("thinking_tokens", "prompt_caching")


class OpenAIChat:
    """POST /chat/completions. Reference: https://platform.openai.com/docs/api-reference/chat/create"""

    path = "/chat/completions"

    def __init__(self, endpoint: Endpoint) -> None:
        import openai

        self._response = httpx_of(openai).Response
        url = endpoint.base_url or OPENAI_URL
        limit = models.find(endpoint.model).limit_name(endpoint.model, endpoint.base_url)
        self._adapting = Adapting(stream=endpoint.stream, limit=limit)
        with own_headers_only(url, OPENAI_URL):
            self._client = openai.AsyncOpenAI(
                base_url=url,
                api_key=endpoint.key or "none",
                default_headers=dict(endpoint.headers),
                max_retries=0,
                timeout=None,
                http_client=http_client(openai, endpoint.max_connections, url),
            )

    async def call(self, call: Call) -> Reply:
        for last in (False,) * MOST_LEARNED + (True,):
            whole = self.body(call) | self._streaming()
            sent = self._adapting.fit(whole)
            try:
                reply = self.read(await self._send(sent, call))
            except Exception as error:
                if (failed := failure(error)) is None:
                    raise
                if not last and self._adapting.learn(failed, sent):
                    continue
                raise failed from error
            break
        return replace(reply, notes={**reply.notes, **self._adapting.notes(whole)})

    async def _send(self, body: dict[str, Any], call: Call) -> dict[str, Any]:
        options: Any = STREAMED if body.get("stream") else BACKGROUND if body.get("background") else {}
        return json_body(
            await self._client.post(self.path, body=body, cast_to=self._response, options=options)
        )

    def _streaming(self) -> dict[str, Any]:
        return {"stream": True, "stream_options": {"include_usage": True}} if self._adapting.stream else {}

    def body(self, call: Call) -> dict[str, Any]:
        options = {
            str(self._adapting.limit): call.max_tokens,
            "temperature": call.temperature,
            "top_p": call.top_p,
            "seed": call.seed,
            "stop": call.stop and list(call.stop),
            "reasoning_effort": call.reasoning_effort,
        }
        body = {"model": call.model, "messages": list(call.messages)}
        return body | {k: v for k, v in options.items() if v is not None} | dict(call.extra_body or {})

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
                for line in map(json.loads, lines_of(content.content)):
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
