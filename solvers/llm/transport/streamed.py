"""Replies that come piece by piece (server-sent events), put together to the body they would have been whole.

Asked for with `-S stream=true`, and read without being asked: some servers only stream. An hour of silent
reasoning is cut by many a proxy; a stream is never idle. One reader serves the three protocols: its events
say which they are. Reference: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from solvers.llm.protocol import CallError, member

MAX_EVENT_BYTES = 64 * 2**20


class Assembler:
    """Takes the bytes of a stream; `body()` is the JSON object it amounts to."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self.chars = 0  # of text taken in
        self._ended = False
        self._whole: dict[str, Any] | None = None  # a body or an error that came in one piece
        self._head: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._finish: Any = None
        self._text: dict[str, list[str]] = {"content": [], "reasoning_content": [], "refusal": []}
        self._blocks: dict[int, dict[str, Any]] = {}  # of Anthropic
        self._kind = "chat"

    def feed(self, chunk: bytes) -> None:
        self._rest += chunk
        if b"\n" not in chunk and b"\r" not in chunk:
            if len(self._rest) > MAX_EVENT_BYTES:
                raise CallError(f"an event of the stream is longer than {MAX_EVENT_BYTES} bytes")
            return
        *lines, self._rest = self._rest.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            self._line(line)

    def body(self) -> bytes:
        """Return the whole as JSON. Raises `CallError` if the stream ended before the reply did."""
        for line in (self._rest, b""):
            self._line(line)
        self._rest = b""
        if self._whole is not None:
            return json.dumps(self._whole).encode()
        if not self._ended and self._finish is None:
            raise CallError("the stream ended before the reply did", retryable=True)
        return json.dumps(self._message() if self._kind == "message" else self._completion()).encode()

    def _line(self, line: bytes) -> None:
        if line:
            name, _, value = line.partition(b":")
            if name == b"data":
                self._data.append(value.removeprefix(b" "))
            return
        data, self._data = b"\n".join(self._data), []
        if not data:
            return
        if data.strip() == b"[DONE]":
            self._ended = True
            return
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            raise CallError("an event of the stream is not JSON", retryable=True) from None
        if isinstance(event, dict):
            self._event(event)

    def _event(self, event: dict[str, Any]) -> None:
        kind = str(event.get("type") or "")
        if event.get("error") or kind == "error":
            self._whole = {"error": event.get("error") or event, **_status(event)}
        elif kind.startswith("response."):
            if kind in ("response.completed", "response.incomplete", "response.failed"):
                self._whole = event.get("response") if isinstance(event.get("response"), dict) else {}
        elif kind.startswith(("message_", "content_block_")):
            self._kind = "message"
            self._anthropic(kind, event)
        else:
            self._chat(event)

    def _chat(self, event: dict[str, Any]) -> None:
        if isinstance(event.get("usage"), dict):
            self._usage |= event["usage"]
        self._head |= {k: v for k, v in event.items() if k not in ("choices", "usage")}
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if member(choice, "error"):
            self._whole = {**event, "usage": self._usage}
            return
        if isinstance(member(choice, "usage"), dict):
            self._usage |= member(choice, "usage")
        delta = member(choice, "delta") or member(choice, "message")
        self._take("content", member(delta, "content"))
        self._take("reasoning_content", member(delta, "reasoning_content") or member(delta, "reasoning"))
        self._take("refusal", member(delta, "refusal"))
        if member(choice, "finish_reason") is not None:
            self._finish = member(choice, "finish_reason")

    def _anthropic(self, kind: str, event: dict[str, Any]) -> None:
        if kind == "message_start" and isinstance(event.get("message"), dict):
            self._head = dict(event["message"])
            self._usage |= self._head.get("usage") or {}
        elif kind == "content_block_start" and isinstance(event.get("content_block"), dict):
            self._blocks[_index(event)] = {**event["content_block"], "parts": []}
        elif kind == "content_block_delta":
            delta = event.get("delta")
            block = self._blocks.setdefault(_index(event), {"type": "text", "parts": []})
            piece = member(delta, "text") or member(delta, "thinking")
            if isinstance(piece, str):
                block["parts"].append(piece)
                self.chars += len(piece)
        elif kind == "message_delta":
            self._finish = member(event, "delta", "stop_reason") or self._finish
            self._usage |= event.get("usage") or {}
        elif kind == "message_stop":
            self._ended = True

    def _take(self, name: str, piece: Any) -> None:
        if isinstance(piece, list):
            piece = "".join(part for part in (member(p, "text") for p in piece) if isinstance(part, str))
        if isinstance(piece, str) and piece:
            self._text[name].append(piece)
            self.chars += len(piece)

    def _completion(self) -> dict[str, Any]:
        message: dict[str, Any] = {name: "".join(parts) for name, parts in self._text.items() if parts}
        choice = {"index": 0, "message": {"content": "", **message}, "finish_reason": self._finish}
        return {**self._head, "choices": [choice], "usage": self._usage or None}

    def _message(self) -> dict[str, Any]:
        content = []
        for _, block in sorted(self._blocks.items()):
            name = "thinking" if block.get("type") == "thinking" else "text"
            said = str(block.get(name) or "")
            content.append({"type": block.get("type"), name: said + "".join(block["parts"])})
        return {**self._head, "content": content, "stop_reason": self._finish, "usage": self._usage}


def assemble(raw: bytes) -> bytes | None:
    """Return the body a whole stream amounts to; None if the bytes are no stream of events."""
    if not raw.lstrip().startswith((b"data:", b"event:", b":", b"id:", b"retry:")):
        return None
    reader = Assembler()
    reader.feed(raw)
    return reader.body()


def _index(event: dict[str, Any]) -> int:
    index = event.get("index")
    return index if isinstance(index, int) else 0


def _status(event: dict[str, Any]) -> dict[str, Any]:
    return {"choices": event["choices"]} if isinstance(event.get("choices"), list) else {}


def lines_of(content: bytes) -> Iterable[bytes]:
    """Split a file of JSON lines at line feeds alone: a reply may hold U+2028, which `splitlines` splits
    at.
    """
    return (line for line in content.split(b"\n") if line.strip())
