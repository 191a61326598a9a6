"""The responses API through the openai package, at once or in the background."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from solvers.llm.protocol import Call, CallError, Endpoint, Reply, Tokens, count, member
from solvers.llm.providers.openai_chat import KEY, SDK, OpenAIChat
from solvers.llm.transport.failures import failure
from solvers.llm.transport.finish import RESPONSES, read_finish
from solvers.llm.transport.http import charged, error_inside, json_body, text_of

__all__ = ["KEY", "SDK", "UNSUPPORTED", "OpenAIResponses"]
UNSUPPORTED = ("seed", "thinking_tokens", "prompt_caching")
UNDER_WAY = ("queued", "in_progress")


class OpenAIResponses(OpenAIChat):
    """POST /responses. Reference: https://platform.openai.com/docs/api-reference/responses/create"""

    path = "/responses"
    POLL = 5.0  # seconds between questions in the background
    LOST_POLLS = 20  # questions in a row without an answer, after which a response in the background is lost

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._background = endpoint.background

    def _streaming(self) -> dict[str, Any]:
        return {"stream": True} if self._adapting.stream else {}

    def body(self, call: Call) -> dict[str, Any]:
        options = {
            "max_output_tokens": call.max_tokens,
            "temperature": call.temperature,
            "top_p": call.top_p,
            "reasoning": None if call.reasoning_effort is None else {"effort": call.reasoning_effort},
            # what runs in the background must be stored to be asked for
            "background": True if self._background else None,
        }
        needed: dict[str, Any] = {
            "model": call.model,
            "input": list(call.messages),
            "store": self._background,
        }
        return (
            needed
            | {name: value for name, value in options.items() if value is not None}
            | dict(call.extra_body or {})
        )

    async def _send(self, body: dict[str, Any]) -> dict[str, Any]:
        response = await super()._send(body)
        if not self._background or response.get("status") not in UNDER_WAY:
            return response
        path = f"/responses/{response.get('id')}"
        lost = 0
        try:
            while response.get("status") in UNDER_WAY:
                await asyncio.sleep(self.POLL)
                try:
                    response = json_body(await self._client.get(path, cast_to=self._response))
                    lost = 0
                except Exception as error:
                    failed = failure(error)
                    lost += 1
                    if failed is None or not failed.retryable or lost >= self.LOST_POLLS:
                        raise
        except asyncio.CancelledError:  # nobody waits any more: it need not go on
            with suppress(Exception):
                await asyncio.wait_for(
                    asyncio.shield(self._client.post(f"{path}/cancel", cast_to=self._response)), 5
                )
            raise
        return response

    def read(self, body: dict[str, Any]) -> Reply:
        output, usage = body.get("output"), body.get("usage")
        tokens = Tokens(
            input=count(member(usage, "input_tokens")),
            cached=count(member(usage, "input_tokens_details", "cached_tokens")),
            output=count(member(usage, "output_tokens")),
            reasoning=count(member(usage, "output_tokens_details", "reasoning_tokens")),
        )
        if body.get("error"):
            raise charged(error_inside(body), tokens)
        if not isinstance(output, list) or body.get("status") not in ("completed", "incomplete"):
            lost = CallError(f"the response is {body.get('status')!r} and holds no output", retryable=True)
            raise charged(lost, tokens)
        reason = member(body.get("incomplete_details"), "reason") or body["status"]
        finish, notes = read_finish(RESPONSES, reason, tokens)
        parts = _parts(output, "message", "content")
        refusals = text_of([{"text": text} for part in parts if (text := member(part, "refusal"))])
        thoughts = [*_parts(output, "reasoning", "content"), *_parts(output, "reasoning", "summary")]
        return Reply(
            text=text_of(parts) or refusals,
            finish="refusal" if refusals else finish,
            tokens=tokens,
            model=body.get("model") if isinstance(body.get("model"), str) else None,
            reasoning=text_of(thoughts),
            notes=notes,
        )


def _parts(output: list[Any], kind: str, name: str) -> list[Any]:
    items = [item for item in output if member(item, "type") == kind]
    return [part for item in items if isinstance(found := member(item, name), list) for part in found]
