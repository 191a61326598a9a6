"""What the openai and anthropic SDKs share: aiohttp below them, a size limit on replies, and their errors
turned into ours.

httpx alone spends about 3 ms of CPU on a request at 100 connections; with aiohttp below it and the SDK's
`post` in place of its typed methods it is about 0.7 ms. Reading the JSON ourselves also lets odd servers
through that the typed models reject.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import socket
from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

from harness.contracts import Outcome
from solvers.llm.protocol import CallError, member

MAX_BYTES = 32 * 2**20
"""A reply longer than this is broken off: no model writes 32 MiB of text."""

MAX_BATCH_BYTES = 2**30
"""The same for the results of a batch, which come as one file."""

LIBRARIES = {"openai", "anthropic", "litellm", "httpx", "httpx2", "httpcore", "httpcore2", "aiohttp"}
OUTAGE = {502, 503, 504, 520, 521, 522, 523, 524, 529}
RETRYABLE = {408, 409, 425, 429, 500} | OUTAGE
FATAL = {401, 402, 404}


class _Limited:
    """A response body that fails once it is longer than `most` bytes."""

    def __init__(self, stream: Any, most: int) -> None:
        self._stream, self._most = stream, most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > self._most:
                raise CallError(f"the reply is longer than {self._most} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def httpx_of(sdk: Any) -> Any:
    """Return the HTTP library an SDK module is built on: httpx or httpx2, as its release has it."""
    return importlib.import_module(sdk.DefaultAsyncHttpxClient.__mro__[1].__module__.partition(".")[0])


def http_client(sdk: Any, max_connections: int) -> Any:
    """Build the HTTP client of an SDK module (`openai` or `anthropic`) on aiohttp."""
    httpx = httpx_of(sdk)
    stream_class = type("LimitedStream", (_Limited, httpx.AsyncByteStream), {})

    async def limit(response: Any) -> None:
        # of a batch, at openai and at anthropic
        results = response.request.url.path.endswith(("/content", "/results"))
        response.stream = stream_class(response.stream, MAX_BATCH_BYTES if results else MAX_BYTES)

    return sdk.DefaultAioHttpClient(
        limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
        event_hooks={"response": [limit]},
        follow_redirects=False,  # a redirect could carry the key to another host
        timeout=None,  # the caller sets the deadline
    )


def failure(error: Exception) -> CallError | None:
    """Turn an exception of an SDK, of its transport, or of reading the body into a `CallError`; None if it
    is a bug.
    """
    chain = [error]
    while cause := (chain[-1].__cause__ or chain[-1].__context__):
        if not isinstance(cause, Exception) or cause in chain:
            break
        chain.append(cause)
    for link in chain:
        if isinstance(link, CallError):
            return link
    if (
        not isinstance(error, OSError | EOFError)
        and type(error).__module__.partition(".")[0] not in LIBRARIES
    ):
        return None
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return status_failure(status, getattr(error, "body", None), error.response.headers, str(error))  # type: ignore[attr-defined]
    root = chain[-1]
    words = f"{type(root).__name__}: {root}".rstrip(": ")
    if any(isinstance(link, asyncio.TimeoutError | TimeoutError) for link in chain):
        return CallError(f"no connection in time ({words})", outcome=Outcome.TIMED_OUT)
    refused = isinstance(root, ConnectionRefusedError | socket.gaierror)
    return CallError(f"connection failed ({words})", retryable=True, may_cost=not refused, outage=refused)


def status_failure(status: int, body: Any, headers: Mapping[str, str], fallback: str = "") -> CallError:
    """Turn an HTTP error status, or an error object sent with status 200, into a `CallError`."""
    error = member(body, "error") if member(body, "error") is not None else body
    words = (
        member(error, "message") or (error if isinstance(error, str) else None) or fallback or "no message"
    )
    kind = member(error, "code") or member(error, "type")
    if kind in ("content_filter", "content_policy_violation"):
        return CallError(f"HTTP {status}: {str(words)[:500]}", outcome=Outcome.REFUSED, may_cost=False)
    no_credit = kind in ("insufficient_quota", "billing_not_active")
    return CallError(
        f"HTTP {status}: {str(words)[:500]}",
        retryable=status in RETRYABLE and not no_credit,
        rate_limited=status == 429 and not no_credit,
        retry_after=retry_after(headers),
        fatal=status in FATAL or no_credit,
        may_cost=False,
        outage=status in OUTAGE,
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After in seconds (RFC 9110 §10.2.3: a number or a date), or the `retry-after-ms` some
    servers send.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        text = headers.get(name)
        if not text:
            continue
        try:
            return max(0.0, float(text) / unit)
        except ValueError:
            pass
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - time())
        except ValueError:
            pass
    return None


def json_body(response: Any) -> dict[str, Any]:
    """Read a 200 response as a JSON object, or raise a `CallError` that says what came instead."""
    raw = response.content
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        kind = response.headers.get("content-type", "no content type")
        raise CallError(f"the reply is not JSON ({kind}, {len(raw)} bytes)", retryable=True) from None
    if not isinstance(body, dict):
        raise CallError(f"the reply is a JSON {type(body).__name__}, not an object", retryable=True)
    if body.get("error"):
        code = member(body, "error", "code")
        status = code if isinstance(code, int) and 400 <= code < 600 else 500
        raise status_failure(status, body, response.headers)
    return body


def text_of(content: Any) -> str:
    """Join a message's content: a string, a list of text parts, or nothing. Lone surrogates become "?"."""
    parts = [member(part, "text") for part in content] if isinstance(content, list) else [content]
    return "".join(part for part in parts if isinstance(part, str)).encode("utf-8", "replace").decode()
