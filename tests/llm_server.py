"""A model server on loopback for tests: speaks the chat-completions protocol and misbehaves per prompt, as
scripted.

A script is a function `(body, nth) -> Behaviour`: `body` is the request, `nth` how often this very
conversation came before. The server counts what it billed, so that a test can hold the books of a run against
it.

As a program it answers every prompt alike, at once: `python -m tests.llm_server --port 0 --reply TEXT
--seconds 600`; GET /stats says how many requests came and when, DELETE /stats forgets them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What the server does with one request. The default is a well-formed reply that says `text`."""

    text: str | None = "ok"
    finish_reason: str = "stop"
    refusal: str | None = None
    prompt_tokens: int = 11
    completion_tokens: int = 7
    cached_tokens: int = 3
    reasoning_tokens: int = 2
    usage: bool = True
    usage_shape: str = "openai"  # or "xai", "gemini", "deepseek": see USAGE
    reasoning: str | None = None  # shown beside the text
    model: str | None = None  # the name the server gives itself; None: as it was asked
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None  # sent as the body instead of a completion
    content_type: str = "application/json"
    cut_after: int | None = None  # bytes of the body sent before the connection is reset
    delay: float = 0.0  # seconds before answering
    hang: bool = False  # never answers

    def body(self, request: dict[str, Any], path: str) -> bytes:
        """Write the reply in the form of the API that was called."""
        if self.raw is not None:
            return self.raw
        if path.endswith("/messages"):
            return self._message(request)
        if path.endswith("/responses"):
            return self._response(request)
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.refusal is not None:
            message["refusal"] = self.refusal
        if self.reasoning is not None:
            message["reasoning_content"] = self.reasoning
        completion: dict[str, Any] = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": self.model or request.get("model", "m"),
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish_reason}],
        }
        if self.usage:
            completion["usage"] = USAGE[self.usage_shape](self)
        return json.dumps(completion).encode()

    def _message(self, request: dict[str, Any]) -> bytes:
        reasons = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
        reason = reasons.get(self.finish_reason, self.finish_reason)
        thought = [{"type": "thinking", "thinking": "```answer\n-1\n```", "signature": "s"}]
        message: dict[str, Any] = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": self.model or request.get("model"),
            "content": thought + ([{"type": "text", "text": self.text}] if self.text else []),
            "stop_reason": "refusal" if self.refusal else reason,
        }
        if self.usage:
            message["usage"] = {
                "input_tokens": self.prompt_tokens - self.cached_tokens - 2,
                "cache_read_input_tokens": self.cached_tokens,
                "cache_creation_input_tokens": 2,
                "output_tokens": self.completion_tokens,
                "output_tokens_details": {"thinking_tokens": self.reasoning_tokens},
            }
        return json.dumps(message).encode()

    def _response(self, request: dict[str, Any]) -> bytes:
        cut = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(self.finish_reason)
        said = (
            {"type": "refusal", "refusal": self.refusal}
            if self.refusal
            else {"type": "output_text", "text": self.text or ""}
        )
        reasoning = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "```answer\n-1\n```"}]}
        response: dict[str, Any] = {
            "id": "resp_1",
            "object": "response",
            "model": self.model or request.get("model"),
            "status": "incomplete" if cut else "completed",
            "incomplete_details": {"reason": cut} if cut else None,
            "output": [reasoning, {"type": "message", "role": "assistant", "content": [said]}],
        }
        if self.usage:
            response["usage"] = {
                "input_tokens": self.prompt_tokens,
                "input_tokens_details": {"cached_tokens": self.cached_tokens},
                "output_tokens": self.completion_tokens,
                "output_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
            }
        return json.dumps(response).encode()


def openai_usage(what: Behaviour) -> dict[str, Any]:
    return {
        "prompt_tokens": what.prompt_tokens,
        "completion_tokens": what.completion_tokens,
        "total_tokens": what.prompt_tokens + what.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": what.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": what.reasoning_tokens},
    }


def xai_usage(what: Behaviour) -> dict[str, Any]:
    """Reasoning stands beside the completion, and in the total."""
    plain = openai_usage(what)
    return plain | {"completion_tokens": what.completion_tokens - what.reasoning_tokens}


def gemini_usage(what: Behaviour) -> dict[str, Any]:
    """Reasoning stands in the total alone."""
    return {
        "prompt_tokens": what.prompt_tokens,
        "completion_tokens": what.completion_tokens - what.reasoning_tokens,
        "total_tokens": what.prompt_tokens + what.completion_tokens,
    }


def deepseek_usage(what: Behaviour) -> dict[str, Any]:
    """The cache has fields of its own."""
    plain = openai_usage(what)
    del plain["prompt_tokens_details"]
    missed = what.prompt_tokens - what.cached_tokens
    return plain | {"prompt_cache_hit_tokens": what.cached_tokens, "prompt_cache_miss_tokens": missed}


USAGE = {"openai": openai_usage, "xai": xai_usage, "gemini": gemini_usage, "deepseek": deepseek_usage}


def events(body: bytes, path: str) -> bytes:
    """Write a reply as the stream of events its API sends, a few letters at a time."""
    whole = json.loads(body)
    found: list[Any] = []
    if path.endswith("/messages"):
        usage = whole.pop("usage", {})
        began = {**usage, "output_tokens": 1} if usage else {}
        found.append({"type": "message_start", "message": {**whole, "content": [], "usage": began}})
        for index, block in enumerate(whole["content"]):
            name = "thinking" if block["type"] == "thinking" else "text"
            start = {"type": block["type"], name: ""}
            found.append({"type": "content_block_start", "index": index, "content_block": start})
            deltas = [{"type": f"{name}_delta", name: piece} for piece in pieces(block[name])]
            found += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
            found.append({"type": "content_block_stop", "index": index})
        ended = {"stop_reason": whole["stop_reason"]}
        found.append({"type": "message_delta", "delta": ended, "usage": usage})
        found.append({"type": "message_stop"})
    elif path.endswith("/responses"):
        found.append({"type": "response.created", "response": {"status": "in_progress"}})
        found.append({"type": "response.output_text.delta", "delta": "x"})
        found.append({"type": f"response.{whole['status']}", "response": whole})
    else:
        head = {name: whole[name] for name in ("id", "created", "model")}
        (choice,) = whole["choices"]
        for name, text in choice["message"].items():
            for piece in pieces(text or "") if name != "role" else ():
                found.append({**head, "choices": [{"index": 0, "delta": {name: piece}}]})
        ended = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
        found.append({**head, "choices": [ended]})
        if "usage" in whole:
            found.append({**head, "choices": [], "usage": whole["usage"]})
    lines = [f"data: {json.dumps(event)}\n\n" for event in found]
    return ("".join(lines) + ": a comment\n\ndata: [DONE]\n\n").encode()


def pieces(text: str, size: int = 7) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def rate_limited(seconds: str = "0") -> Behaviour:
    return Behaviour(
        status=429,
        headers={"Retry-After": seconds},
        raw=b'{"error": {"message": "slow down", "type": "rate_limit"}}',
    )


Script = Callable[[dict[str, Any], int], Behaviour]

USED: set[int] = set()
"""Ports of this process's servers. None is taken twice: replies are cached by address, and a test would
meet another's.
"""


class LlmServer:
    """The server in a thread of this process; use it as a context manager. `url` is the base URL."""

    def __init__(self, script: Script | Behaviour = Behaviour()) -> None:
        self.script: Script = (lambda _body, _nth: script) if isinstance(script, Behaviour) else script
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.seen: Counter[str] = Counter()
        self.billed: Counter[str] = Counter()  # tokens in every usage block that went out whole
        self.open = self.most_open = 0  # requests being answered, now and at most
        # other paths, by prefix
        self.routes: dict[str, Callable[[dict[str, Any], dict[str, str], bytes], Behaviour]] = {}
        self.keep_log = True
        # requests, and when the first and the last came, seconds since 1970
        self.count, self.first, self.last = 0, 0.0, 0.0
        self.first_alone = 0.0  # seconds between the first request and the second

    def __enter__(self) -> LlmServer:
        self._loop = asyncio.new_event_loop()
        started = threading.Event()

        def serve() -> None:
            asyncio.set_event_loop(self._loop)
            while True:
                self._server = self._loop.run_until_complete(
                    self._loop.create_server(lambda: _Connection(self), self.host, self.port)
                )
                port = self._server.sockets[0].getsockname()[1]
                if self.port or port not in USED:
                    break
                self._server.close()
            USED.add(port)
            started.set()
            self._loop.run_forever()

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        started.wait(10)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        return self

    port = 0
    host = "127.0.0.1"

    def __exit__(self, *_: object) -> None:
        async def stop() -> None:
            self._server.close()
            others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def behaviour(
        self, method: str, path: str, headers: dict[str, str], raw: bytes
    ) -> tuple[dict[str, Any], Behaviour]:
        """Choose what to do with one request, and log it."""
        if self.keep_log:
            self.paths.append(f"{method} {path}")
        try:
            request = json.loads(raw) if raw else {}
        except ValueError:
            request = {}
        for prefix, route in self.routes.items():
            if path.startswith(prefix):
                return request, route(request, {**headers, ":method": method, ":path": path}, raw)
        self.count += 1
        self.last = time.time()
        self.first = self.first or self.last
        if self.count == 2:
            self.first_alone = self.last - self.first
        key = json.dumps(request.get("messages", request.get("input")))
        nth = self.seen[key]
        self.seen[key] += 1
        if self.keep_log:
            self.requests.append(request)
            self.headers.append(headers)
        return request, self.script(request, nth)

    def bill(self, what: Behaviour) -> None:
        if what.status == 200 and what.raw is None and what.usage and what.cut_after is None:
            for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"):
                self.billed[name] += getattr(what, name)


class _Connection(asyncio.Protocol):
    def __init__(self, server: LlmServer) -> None:
        self.server = server
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.task: asyncio.Task[None] | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self.task:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            head, separator, rest = self.buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
            }
            size = int(headers.get("content-length", "0"))
            if len(rest) < size:
                return
            self.buffer = rest[size:]
            method, path, _ = lines[0].split(" ")
            request, what = self.server.behaviour(method, path, headers, rest[:size])
            if what.delay or what.hang:
                self.task = asyncio.get_running_loop().create_task(self.later(request, path, what))
            else:
                self.answer(request, path, what)

    async def later(self, request: dict[str, Any], path: str, what: Behaviour) -> None:
        self.server.open += 1
        self.server.most_open = max(self.server.most_open, self.server.open)
        try:
            await asyncio.sleep(3600 if what.hang else what.delay)
            self.answer(request, path, what)
        finally:
            self.server.open -= 1

    def answer(self, request: dict[str, Any], path: str, what: Behaviour) -> None:
        body, kind = what.body(request, path), what.content_type
        if request.get("stream") and what.raw is None and what.status == 200:
            body, kind = events(body, path), "text/event-stream; charset=utf-8"
        extra = "".join(f"{name}: {value}\r\n" for name, value in what.headers.items())
        head = (
            f"HTTP/1.1 {what.status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        )
        if what.cut_after is not None:
            self.transport.write(head.encode() + body[: what.cut_after])
            self.transport.close()
            return
        self.server.bill(what)
        self.transport.write(head.encode() + body)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--reply", default="ok")
    parser.add_argument("--seconds", type=float, default=600)
    arguments = parser.parse_args()
    server = LlmServer(Behaviour(text=arguments.reply))
    server.port, server.keep_log = arguments.port, False

    def stats(_request: dict[str, Any], headers: dict[str, str], _raw: bytes) -> Behaviour:
        found = {"requests": server.count, "first": server.first, "last": server.last}
        if headers[":method"] == "DELETE":
            server.count, server.first = 0, 0.0
            server.seen.clear()
        return Behaviour(raw=json.dumps(found).encode())

    server.routes["/stats"] = stats
    with server:
        print(server.url, flush=True)
        server._thread.join(arguments.seconds)


if __name__ == "__main__":
    main()
