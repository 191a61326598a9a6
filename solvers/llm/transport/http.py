"""What the openai and anthropic SDKs share: aiohttp below them, a size limit on replies, streams put
together.

httpx alone spends about 3 ms of CPU on a request at 100 connections; with aiohttp below it and the SDK's
`post` in place of its typed methods it is about 0.7 ms. Reading the JSON ourselves also lets odd servers
through that the typed models reject.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import AsyncIterator
from typing import Any

from solvers.llm.protocol import CallError, Tokens, clean, member
from solvers.llm.transport.failures import status_failure
from solvers.llm.transport.finish import known
from solvers.llm.transport.proxies import proxy_for
from solvers.llm.transport.streamed import Assembler, assemble

MAX_BYTES = 32 * 2**20
"""A reply longer than this is broken off: no model writes 32 MiB of text."""

MAX_BATCH_BYTES = 2**30
"""The same for the results of a batch, which come as one file."""

MAX_STREAM_BYTES = 8 * 2**30
"""The same for a stream, in which every token is wrapped in hundreds of bytes; its text is held to
`MAX_BYTES`.
"""


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


class _Whole(_Limited):
    """A stream of events as the one JSON body it amounts to, put together as it comes."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        reader = Assembler()
        async for chunk in super().__aiter__():
            reader.feed(chunk)
            if reader.chars > MAX_BYTES:
                raise CallError(f"the reply is longer than {MAX_BYTES} characters")
        yield reader.body()


def httpx_of(sdk: Any) -> Any:
    """Return the HTTP library an SDK module is built on: httpx or httpx2, as its release has it."""
    return importlib.import_module(sdk.DefaultAsyncHttpxClient.__mro__[1].__module__.partition(".")[0])


def http_client(sdk: Any, max_connections: int, base_url: str) -> Any:
    """Build the HTTP client of an SDK module (`openai` or `anthropic`) on aiohttp."""
    httpx = httpx_of(sdk)
    limited = type("LimitedStream", (_Limited, httpx.AsyncByteStream), {})
    whole = type("WholeStream", (_Whole, httpx.AsyncByteStream), {})

    async def limit(response: Any) -> None:
        streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        if streamed and response.headers.get("content-encoding", "identity") == "identity":
            response.stream = whole(response.stream, MAX_STREAM_BYTES)
            return
        # of a batch, at openai and at anthropic
        results = response.request.url.path.endswith(("/content", "/results"))
        response.stream = limited(response.stream, MAX_BATCH_BYTES if results else MAX_BYTES)

    return sdk.DefaultAioHttpClient(
        limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
        event_hooks={"response": [limit]},
        follow_redirects=False,  # a redirect could carry the key to another host
        timeout=None,  # the caller sets the deadline
        proxy=proxy_for(base_url),
        # proxies are read above; a .netrc could send another's password; certificates are read all the same
        trust_env=False,
        verify=httpx.create_ssl_context(),
    )


def json_body(response: Any) -> dict[str, Any]:
    """Read a 200 response as a JSON object that is no error, or raise a `CallError` that says what came
    instead.
    """
    body = read_json(response)
    if body.get("error") and not any(body.get(name) for name in ("choices", "output", "usage")):
        raise error_inside(body, response.headers)
    return body


def read_json(response: Any) -> dict[str, Any]:
    """Read a 200 response as a JSON object, an error object too."""
    raw = response.content
    try:
        body = json.loads(assemble(raw) or raw)
    except (ValueError, RecursionError):
        kind = response.headers.get("content-type", "no content type")
        raise CallError(f"the reply is not JSON ({kind}, {len(raw)} bytes)", retryable=True) from None
    if not isinstance(body, dict):
        raise CallError(f"the reply is a JSON {type(body).__name__}, not an object", retryable=True)
    return body


def error_inside(holder: Any, headers: Any = None) -> CallError:
    """Turn an error object that came with status 200 into a `CallError`; without a status of its own it is
    the server's fault, worth another try.
    """
    code = member(holder, "error", "code") or member(holder, "error", "status")
    code = int(code) if isinstance(code, str) and code.isdecimal() else code
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    return status_failure(status, holder, headers or {})


def charged(error: CallError, tokens: Tokens) -> CallError:
    """Book on a failure what the server says it took; unknown, it may have cost something."""
    error.tokens, error.may_cost = tokens, not known(tokens)
    return error


def text_of(content: Any) -> str:
    """Join a message's content: a string, a list of text parts, or nothing. Lone surrogates become "?"."""
    parts = [member(part, "text") for part in content] if isinstance(content, list) else [content]
    return clean("".join(part for part in parts if isinstance(part, str)))
