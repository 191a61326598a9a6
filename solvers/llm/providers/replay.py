"""Replies from a file: a recorded run, or JSON. Costs nothing, so that parsers and prompts can be tried on
real replies.

`-S model=results/runs/…` replays a run folder: outcomes and token counts too, one reply for each attempt. `-S
model=x.json` holds {"puzzle id": "reply"} or, for several attempts or several samples, {"puzzle id":
["reply", …]}.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from harness.contracts import Outcome
from harness.errors import UserError
from harness.records.folder import RunFolder
from harness.records.jsonlines import loads
from harness.records.schema import AttemptRecord
from solvers.llm.protocol import Call, CallError, Endpoint, Reply, Tokens, count

KEY = None
UNSUPPORTED = (
    "base_url", "temperature", "max_tokens", "reasoning_effort", "thinking_tokens", "prompt_caching", "seed",
)  # fmt: skip
MOST_ATTEMPTS = 10_000  # of one puzzle: more were never recorded
FINISH = {Outcome.TRUNCATED: "length", Outcome.REFUSED: "refusal"}


class Replay:
    """Reads the file with the first call, which names it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._path: str | None = None

    async def call(self, call: Call) -> Reply:
        if self._path != call.model:
            self._path, self._replies = call.model, read_replies(Path(call.model))
        found = self._replies.get(call.puzzle_id, [])
        number = call.attempt + call.sample
        if number >= len(found) or found[number] is None:
            raise CallError(
                f"no reply {number} for {call.puzzle_id} is recorded in {call.model}", may_cost=False
            )
        reply = found[number]
        if isinstance(reply, CallError):
            raise reply
        assert isinstance(reply, Reply)
        return reply

    async def close(self) -> None:
        """Nothing is open."""


def read_replies(path: Path) -> dict[str, list[Any]]:
    """Return {puzzle id: replies in order}, each a `Reply`, a `CallError`, or None where none was
    recorded.
    """
    if os.path.isfile(path / "attempts.jsonl"):
        return _read_run(RunFolder(path))
    try:
        body = loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(
            f"No replies can be read from {str(path)!r}: {error}.",
            next_step="Name a run folder or a JSON file.",
        ) from error
    lists = (
        {name: [value] if isinstance(value, str) else value for name, value in body.items()}
        if isinstance(body, dict)
        else {}
    )
    if not lists or not all(
        isinstance(v, list) and all(isinstance(text, str) for text in v) for v in lists.values()
    ):
        raise UserError(
            f"{path} is not a file of replies.",
            rule='Its form is {"puzzle id": "reply"} or {"puzzle id": ["reply", …]}.',
        )
    return {name: [Reply(text=text) for text in texts] for name, texts in lists.items()}


def _read_run(folder: RunFolder) -> dict[str, list[Any]]:
    """Return the last reply to each attempt, as recorded: `bench score` changes none."""
    found: dict[str, list[Any]] = {}
    for attempt in folder.attempts():
        if attempt.attempt >= MOST_ATTEMPTS:
            raise UserError(f"{folder.attempts_path} holds attempt {attempt.attempt} of {attempt.puzzle!r}.")
        replies = found.setdefault(attempt.puzzle, [])
        replies.extend([None] * (attempt.attempt + 1 - len(replies)))
        replies[attempt.attempt] = _recorded(attempt)
    return found


def _recorded(attempt: AttemptRecord) -> Any:
    outcome, detail, usage = attempt.outcome, attempt.detail, attempt.usage
    if outcome in (Outcome.PROVIDER_ERROR, Outcome.TIMED_OUT) or attempt.reply is None:
        kept = (
            outcome
            if outcome in (Outcome.PROVIDER_ERROR, Outcome.TIMED_OUT, Outcome.REFUSED)
            else Outcome.PROVIDER_ERROR
        )
        return CallError(
            str(detail.get("error", "nothing is recorded of the reply")), outcome=kept, may_cost=False
        )
    model = detail.get("model")
    return Reply(
        text=attempt.reply,
        finish=FINISH.get(outcome, "stop"),  # type: ignore[arg-type]
        tokens=Tokens(
            input=count(usage.input_tokens),
            cached=count(usage.cached_tokens),
            output=count(usage.output_tokens),
            reasoning=count(usage.reasoning_tokens),
        ),
        model=model if isinstance(model, str) else None,
    )
