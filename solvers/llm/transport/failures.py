"""What a failed request means: tried again, this puzzle's own trouble, or nothing more worth sending.

Services say the same thing in different places: a status, a code, a sentence. All that we know of is here.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

from harness.contracts import Outcome
from solvers.llm.protocol import CallError, member

LIBRARIES = {"openai", "anthropic", "litellm", "httpx", "httpx2", "httpcore", "httpcore2", "aiohttp"}
OUTAGE = {502, 503, 504, 520, 521, 522, 523, 524, 529}
RETRYABLE = {408, 409, 425, 429, 500} | OUTAGE
FATAL = {401, 402, 404}
MOST_WORDS = 500  # characters of a server's message that are kept

FILTERED_CODES = {
    "content_filter", "content_policy_violation", "moderation_blocked", "invalid_prompt",
    "data_inspection_failed", "cyber_policy", "safety",
}  # fmt: skip
FILTERED = re.compile(
    r"content[ _](?:filter|policy|management)|usage (?:policy|guidelines)|content exists risk|moderation"
    r"|flagged (?:as|by|for|input)|input_flagged|responsible ?ai|safety (?:system|filter|check)",
    re.IGNORECASE,
)
"""A provider's filter stopped the prompt. Azure, OpenAI (`invalid_prompt`), OpenRouter, DeepSeek, xAI,
Alibaba.
"""

NO_CREDIT_CODES = {
    "insufficient_quota", "billing_not_active", "billing_hard_limit_reached", "billing_error",
    "insufficient_balance", "usage_limit_reached", "account_deactivated", "quota_exhausted",
}  # fmt: skip
ACCOUNT = re.compile(
    r"credit balance|insufficient (?:quota|balance|credits?|funds)|out of credits?|not enough credits?"
    r"|(?:usage|spend(?:ing)?|credit|budget|key) limits?\b(?! per)|budget has been exceeded"
    r"|account.{0,40}(?:suspended|deactivated|disabled|overdue)"
    r"|(?:invalid|incorrect|expired|revoked|disabled|missing|unknown|no) (?:x-)?(?:api[ _-]?key|api token"
    r"|credentials)"
    r"|api[ _-]?key (?:is )?(?:not valid|invalid|expired|missing|not found)|authentication_error"
    r"|permission[ _]denied|permission_error|not (?:have|allowed) (?:access|permission)"
    r"|not supported in your country|(?:unknown|invalid|no such) model"
    r"|model.{0,80}(?:does not exist|not found|not available|not supported by)",
    re.IGNORECASE,
)
"""Words of refusals that concern the account, not the puzzle (Anthropic sends both its kinds as 400)."""

TOO_LONG = re.compile(
    r"context[ _](?:length|window|size)|maximum (?:context|input|prompt)|prompt is too long|too many tokens"
    r"|input is too long|exceeds? the (?:model|available|limit)|too long for",
    re.IGNORECASE,
)
PARAMETER_CODES = {"unsupported_parameter", "unsupported_value", "unknown_parameter", "extra_forbidden"}
PARAMETER = re.compile(
    r"unsupported (?:parameter|value)|unknown (?:parameter|field|name)|unrecognized (?:request )?argument"
    r"|extra inputs are not permitted|(?:parameter|argument|field).{0,40}not (?:supported|allowed|permitted)"
    r"|(?:may|can) only be set to|cannot both be (?:specified|set)"  # Anthropic, of sampling
    r"|does ?n[o']t support|is deprecated for this model|not supported (?:with|by|for) this model",
    re.IGNORECASE,
)


def failure(error: BaseException) -> CallError | None:
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
    words = f"{type(root).__name__}: {root}".rstrip(": ")[:MOST_WORDS]
    if any(isinstance(link, asyncio.TimeoutError | TimeoutError) for link in chain):
        return CallError(f"no connection in time ({words})", outcome=Outcome.TIMED_OUT)
    refused = isinstance(root, ConnectionRefusedError | socket.gaierror)
    return CallError(f"connection failed ({words})", retryable=True, may_cost=not refused, outage=refused)


def status_failure(status: int, body: Any, headers: Mapping[str, str], fallback: str = "") -> CallError:
    """Turn an HTTP error status, or an error object sent with status 200, into a `CallError`."""
    if isinstance(body, list) and body:  # Google's own form
        body = body[0]
    error = member(body, "error") if member(body, "error") is not None else body
    message = (
        member(error, "message") or member(error, "detail") or (error if isinstance(error, str) else None)
    )
    words = str(message or fallback or "no message")[:MOST_WORDS]
    # what a gateway hands on of the service behind it, and the flags of OpenRouter's moderation
    deeper = f"{words} {member(error, 'metadata', 'raw') or ''}"[: 4 * MOST_WORDS]
    codes = {
        str(code).lower()
        for code in (
            member(error, "code"), member(error, "type"), member(error, "status"),
            member(error, "innererror", "code"), member(body, "code"),
        )
        if code is not None
    }  # fmt: skip
    said = f"HTTP {status}: {words}"
    flagged = member(error, "metadata", "flagged_input") or member(error, "metadata", "reasons")
    if (
        flagged
        or codes & FILTERED_CODES
        or (status in (400, 403, 422, 451) and FILTERED.search(deeper) and not ACCOUNT.search(deeper))
    ):
        return CallError(said, outcome=Outcome.REFUSED, may_cost=False, own=True, status=status)
    too_long = "context_length_exceeded" in codes or status == 413
    if too_long or (status in (400, 422) and TOO_LONG.search(deeper)):
        return CallError(said, may_cost=False, own=True, status=status)
    no_credit = bool(codes & NO_CREDIT_CODES)
    pause = retry_after(headers)
    if pause is None and status in (429, 503):
        pause = _told_pause(error, deeper)
    return CallError(
        said,
        retryable=status in RETRYABLE and not no_credit,
        rate_limited=status == 429 and not no_credit,
        retry_after=pause,
        fatal=status in FATAL
        or no_credit
        or (status in (400, 403, 422) and bool(ACCOUNT.search(deeper)))
        or (status in (400, 422) and refused_parameter(codes, deeper)),
        may_cost=False,
        outage=status in OUTAGE,
        status=status,
    )


def refused_parameter(codes: set[str], words: str) -> bool:
    """Say whether a request was turned down because of an option, which every other request has too."""
    return bool(codes & PARAMETER_CODES) or bool(PARAMETER.search(words))


UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
PART = re.compile(
    r"(\d+(?:\.\d+)?) ?(ms|milliseconds?|seconds?|secs?|s|minutes?|mins?|m|hours?|h|days?|d)(?![a-z])",
    re.IGNORECASE,
)
AGAIN = re.compile(rf"(?:try again|retry|wait)[^.\d]{{0,20}}((?:{PART.pattern}[ ,]*)+)", re.IGNORECASE)


def _told_pause(error: Any, words: str) -> float | None:
    """Read the pause that a body asks for where no header does: Google's `retryDelay`, or a sentence such as
    "Please try again in 6m12.5s".
    """
    details = member(error, "details")
    delays = [member(d, "retryDelay") for d in details] if isinstance(details, list) else []
    texts = [delay for delay in delays if isinstance(delay, str)]
    texts += [found.group(1)] if (found := AGAIN.search(words)) else []
    for text in texts:
        if parts := PART.findall(text):
            return sum(
                float(n) * UNITS["ms" if u.lower().startswith(("ms", "mil")) else u[0].lower()]
                for n, u in parts
            )
    return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After in seconds (RFC 9110 §10.2.3: a number or a date), or the `retry-after-ms` some
    servers send.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        text = headers.get(name)
        if not text:
            continue
        try:
            seconds = float(text) / unit
        except ValueError:
            try:
                seconds = parsedate_to_datetime(text).timestamp() - time()
            except (ValueError, OverflowError):
                continue
        if seconds == seconds:  # "nan" is a number to float()
            return max(0.0, seconds)
    return None
