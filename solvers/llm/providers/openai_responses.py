"""The responses API through the openai package, at once or in the background."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from harness.contracts import Outcome
from solvers.llm.protocol import Call, CallError, Endpoint, Reply, Tokens, count, member
from solvers.llm.providers.openai_chat import KEY, SDK, OpenAIChat
from solvers.llm.reply_cache import JobBook, key_of
from solvers.llm.transport.failures import failure
from solvers.llm.transport.finish import RESPONSES, read_finish
from solvers.llm.transport.http import charged, error_inside, read_json, text_of

__all__ = ["KEY", "SDK", "UNSUPPORTED", "OpenAIResponses"]
UNSUPPORTED = ("seed", "thinking_tokens", "prompt_caching")
UNDER_WAY = ("queued", "in_progress")
DONE = ("completed", "incomplete")
ASKED: Any = {"timeout": 60.0}  # seconds; of a question whether a response is done


class OpenAIResponses(OpenAIChat):
    """POST /responses. Reference: https://platform.openai.com/docs/api-reference/responses/create"""

    path = "/responses"
    POLL = 5.0  # seconds between questions in the background
    LOST_POLLS = 20  # questions in a row without an answer, after which a response in the background is lost

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._background, self._run = endpoint.background, endpoint.run
        self._book = JobBook() if endpoint.background else None
        self._done: list[str] = []  # names of calls whose replies came, forgotten when they are kept

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
        needed = {"model": call.model, "input": list(call.messages), "store": self._background}
        given = {name: value for name, value in options.items() if value is not None}
        return needed | given | dict(call.extra_body or {})

    async def _send(self, body: dict[str, Any], call: Call) -> dict[str, Any]:
        """In the background: start a response, or find the one that a killed run started, and wait for it."""
        if self._book is None:
            return await super()._send(body, call)
        name = key_of({"where": self._run, "call": asdict(call)}).hex()
        response: dict[str, Any] | None = None
        if (kept := self._book.find(name)) is not None:
            response = await self._wait(kept, name, known=True)
        if response is None:
            response = await super()._send(body, call)
            if response.get("status") in UNDER_WAY and isinstance(job := response.get("id"), str):
                self._book.add(job, [name])
                response = await self._wait(job, name) or {}
        if _holds_output(response):
            self._done.append(name)
        else:
            self._book.forget([name])  # another try is a new one
        return response

    async def _wait(self, response_id: str, name: str, *, known: bool = False) -> dict[str, Any] | None:
        """Ask for a response until it is done; None if it is of an earlier run and no longer there."""
        assert self._book is not None
        path, lost = f"/responses/{quote(response_id, safe='')}", 0
        try:
            while True:
                await asyncio.sleep(0 if known else self.POLL)
                try:
                    response = read_json(await self._client.get(path, cast_to=self._response, options=ASKED))
                    if not isinstance(response.get("status"), str):
                        raise error_inside(response)
                    if response["status"] not in UNDER_WAY:
                        return response
                    lost = 0
                except Exception as error:
                    if (failed := failure(error)) is None:
                        raise
                    missing, lost = failed.status == 404, lost + 1
                    if missing and known:
                        return None
                    # one just made may show up late, and a question may get lost
                    again = missing or failed.retryable or failed.outcome is Outcome.TIMED_OUT
                    if not again or lost >= self.LOST_POLLS:
                        raise  # it may go on all the same: the next try asks for it again
                known = False
        except asyncio.CancelledError:  # nobody waits any more: it need not go on
            self._book.forget([name])
            with suppress(Exception):
                await asyncio.wait_for(
                    asyncio.shield(self._client.post(f"{path}/cancel", cast_to=self._response)), 5
                )
            raise

    async def close(self) -> None:
        if self._book is not None:  # the replies are kept by now
            self._book.forget(self._done)
            self._book.close()
        await super().close()

    def read(self, body: dict[str, Any]) -> Reply:
        output: Any = body.get("output")
        usage = body.get("usage")
        tokens = Tokens(
            input=count(member(usage, "input_tokens")),
            cached=count(member(usage, "input_tokens_details", "cached_tokens")),
            output=count(member(usage, "output_tokens")),
            reasoning=count(member(usage, "output_tokens_details", "reasoning_tokens")),
        )
        if body.get("error"):
            raise charged(error_inside(body), tokens)
        if not _holds_output(body):
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


def _holds_output(body: dict[str, Any]) -> bool:
    return isinstance(body.get("output"), list) and body.get("status") in DONE and not body.get("error")


def _parts(output: Any, kind: str, name: str) -> list[Any]:
    items = [item for item in output if member(item, "type") == kind]
    return [part for item in items if isinstance(found := member(item, name), list) for part in found]
