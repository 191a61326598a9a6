"""What a user must hear of while a run goes on, each once, on standard error."""

from __future__ import annotations

import sys
from contextlib import suppress


class Notices:
    """Says a text once, however often it is true."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def say(self, text: str, *, key: str | None = None) -> None:
        """Print a text unless one under the same key was; the key is the text itself if left out."""
        if (key or text) in self._said:
            return
        self._said.add(key or text)
        with suppress(OSError, ValueError):  # a closed stream is no reason to lose the run
            print(f"bench: {text}", file=sys.stderr, flush=True)
