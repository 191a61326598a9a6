"""The exceptions a caller can meet, as a tree.

DepthbenchError ├── UserError        the user's mistake: exit code 2, one sentence, no traceback ├── RunError
a run cannot or may not go on (disk full, server down, cost cap): exit code 1, one sentence, resumable └──
ProviderError    a model's server failed: becomes an outcome of one attempt, never a wrong answer

Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

SEARCHED = 2000  # known words that the nearest is looked for in: a split may hold 400,000 ids


class DepthbenchError(Exception):
    """Base of every exception this package raises on purpose."""


class UserError(DepthbenchError):
    """Report a mistake the user can mend: what (with its value), the rule, the next step."""

    def __init__(self, what: str, *, rule: str = "", next_step: str = "") -> None:
        self.what, self.rule, self.next_step = what, rule, next_step
        super().__init__(" ".join(part for part in (what, rule, next_step) if part))


class RunError(DepthbenchError):
    """A run ended before its time through no mistake of the command. What was recorded is kept; the same
    command resumes.
    """

    def __init__(self, what: str, *, rule: str = "", next_step: str = "") -> None:
        self.what, self.rule, self.next_step = what, rule, next_step
        super().__init__(" ".join(part for part in (what, rule, next_step) if part))


class ProviderError(DepthbenchError):
    """A call to a model's server failed for good; `retries` calls were made before giving up."""

    def __init__(self, message: str, *, retries: int = 0) -> None:
        self.retries = retries
        super().__init__(message)


def did_you_mean(word: str, known: Iterable[str], *, show: int = 0) -> str:
    """Return "Did you mean 'x'?" for the nearest known word, else a list of what is known, numbers in it in
    their order.

    show: list the known words beside the nearest one, too, and at most so many of them.
    """
    known = sorted(
        known, key=lambda w: [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", w))]
    )
    near = [
        f"Did you mean {found!r}?"
        for found in difflib.get_close_matches(word, known[:SEARCHED], n=1, cutoff=0.5)
    ]
    if near and not show:
        return near[0]
    listed = ", ".join(known[: show or None]) or "none"
    more = f", … ({len(known):,} in all)" if 0 < show < len(known) else ""
    return " ".join([*near, f"Known: {listed}{more}."])
