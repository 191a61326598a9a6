"""What a server turned out not to take: learned from its refusals, so that one request finds out for all.

The names of parameters differ by model and release faster than any table. A refusal that names one of ours is
answered by the same request without it (`temperature`, said so in every record), under its other name
(`max_tokens`), or as a stream.
"""

from __future__ import annotations

import re
from typing import Any

from solvers.llm.protocol import CallError
from solvers.llm.transport.failures import refused_parameter

LEFT_OUT = ("temperature", "top_p", "seed", "stop", "stop_sequences", "stream_options")
LIMITS = ("max_tokens", "max_completion_tokens")
STREAM = re.compile(
    r"only supports? (?:the )?stream|stream(?:ing)?\b.{0,40}(?:is )?(?:required|only|mandatory)"
    r"|stream\W{0,3}(?:must|should|needs? to|has to) be (?:set to )?\W?true|(?:set|enable).{0,20}\bstream"
    r"|requires? stream|non-?stream\w* .{0,40}not (?:supported|allowed)",
    re.IGNORECASE,
)
ADAPTIVE = re.compile(
    r"thinking.{0,80}adaptive|budget_tokens.{0,60}(?:not supported|deprecated)", re.IGNORECASE
)
MOST_LEARNED = 5
"""So many refusals of one call are answered; a server that goes on is not understood."""
IDLE_SECONDS = 600.0
STREAMED = {"headers": {"Accept-Encoding": "identity"}, "timeout": IDLE_SECONDS}
"""Of a request for a stream, which is put together as it comes and lost when nothing comes for so long."""
BACKGROUND = {"timeout": IDLE_SECONDS}
"""Of a request that is answered at once, before the model has been at work."""


class Adapting:
    """What has been learned of one server."""

    def __init__(self, *, stream: bool, limit: str | None = None, adaptive: bool = False) -> None:
        self.stream, self.limit = stream, limit
        self.adaptive = adaptive  # thinks by its own measure, not by a budget
        self._left_out: set[str] = set()

    def fit(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a request without what the server does not take."""
        return {name: value for name, value in body.items() if name not in self._left_out}

    def learn(self, error: CallError, sent: dict[str, Any]) -> bool:
        """Say whether the same call is worth sending again, fitted anew."""
        words = str(error)
        if error.status not in (400, 422):
            return False
        for name, other in (LIMITS, LIMITS[::-1]):
            if name in sent and re.search(rf"\b{other}\b", words) and self.limit is not None:
                self.limit = other
                return True
        if "stream" not in sent and STREAM.search(words):
            self.stream = True
            return True
        if "budget_tokens" in str(sent.get("thinking")) and ADAPTIVE.search(words):
            self.adaptive = True
            return True
        if not refused_parameter(set(), words):
            return False
        named = [name for name in LEFT_OUT if name in sent and re.search(rf"\b{name}\b", words)]
        if "both" in words:  # either would do alone
            named = named[-1:]
        self._left_out.update(named)
        return bool(named)

    def notes(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Return what a record must say: options that were given and left out."""
        gone = sorted(name for name in self._left_out if name in wanted and name != "stream_options")
        return {"left_out": gone} if gone else {}
