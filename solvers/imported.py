"""`imported`: replies that somebody recorded elsewhere, judged as if they came now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.books.ledger import reported
from harness.contracts import Answer, Attempt, Budget, Outcome, Puzzle, SolverCard, TaskView, Unparsed, Usage
from harness.errors import UserError
from harness.records.jsonlines import loads, rows
from harness.replies import refuses

FORM = (
    'The first line is {"model": …, "source": …, "date": …, "licence": …}, every other {"puzzle": id, '
    '"attempt": 0, "text": the reply} or, with an answer in place of words, {"puzzle": id, "answer": …}; '
    '"read_as" is what is parsed in place of a text whose answer has another form.'
)
LONGEST = 20_000  # characters of a reply that are kept in the record; it is parsed whole


@dataclass(frozen=True, kw_only=True)
class Imported:
    """Recorded replies of a model, read from a file.

    file: JSON lines, a head and then one line a reply.
    """

    file: Path

    @cached_property
    def _read(self) -> tuple[dict[str, Any], dict[tuple[str, int], dict[str, Any]], str]:
        try:
            data = self.file.read_bytes()
        except OSError as error:
            raise UserError(f"{self.file} cannot be read: {error.strerror}.", rule=FORM) from error
        head: dict[str, Any] | None = None
        found: dict[tuple[str, int], dict[str, Any]] = {}
        for number, row in rows(data):
            try:
                line = loads(row)
            except ValueError as error:
                raise UserError(f"{self.file}, line {number} is not JSON: {error}.", rule=FORM) from error
            if head is None:
                head = line if isinstance(line, dict) and isinstance(line.get("model"), str) else None
                if head is None:
                    raise UserError(f"{self.file}, line {number} names no model.", rule=FORM)
                continue
            attempt = line.get("attempt", 0) if isinstance(line, dict) else None
            if type(attempt) is not int or not isinstance(line.get("puzzle"), str):
                raise UserError(f"{self.file}, line {number} names no puzzle.", rule=FORM)
            found[line["puzzle"], attempt] = line
        if head is None:
            raise UserError(f"{self.file} is empty.", rule=FORM)
        return head, found, hashlib.sha256(data).hexdigest()

    @property
    def card(self) -> SolverCard:
        from solvers.llm.models import find

        head, _, digest = self._read
        told = ("source", "date", "licence", "prompt")
        return SolverCard(
            name="imported",
            kind="llm",
            model=head["model"],
            parameters=find(head["model"]).ledger,
            prompt=head["prompt"] if isinstance(head.get("prompt"), str) else None,
            weights_sha256=digest,  # of the replies: they are all there is of this solver
            exposure={"provider": "imported", **{name: head[name] for name in told if name in head}},
        )

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        """Yield what was recorded for each pair; one that was not is a failure, and says so."""
        _, found, _ = self._read
        known = {puzzle.id for puzzle in puzzles}
        strangers = sorted({name for name, _ in found} - known)
        if strangers and not known & {name for name, _ in found}:
            raise UserError(
                f"{self.file} holds no reply to any puzzle of {task.name}: its first is {strangers[0]!r}.",
                rule="Replies belong to the puzzles they were given for.",
                next_step="Choose the task, split and file that they are of.",
            )
        for puzzle in puzzles:
            for attempt in budget.wanted(puzzle.id):
                yield _attempt(task, puzzle, attempt, found.get((puzzle.id, attempt)))


def _attempt(task: TaskView, puzzle: Puzzle, number: int, line: dict[str, Any] | None) -> Attempt:
    def failed(outcome: Outcome, **detail: Any) -> Attempt:
        return Attempt(puzzle_id=puzzle.id, attempt=number, outcome=outcome, usage=usage, detail=detail)

    usage = Usage(**reported(line.get("usage", {}))) if line else Usage()
    if line is None:
        return failed(Outcome.PROVIDER_ERROR, error="nothing was recorded for it")
    theirs = {} if line.get("their_score") is None else {"their_score": line["their_score"]}
    if line.get("failure") or ("answer" not in line and not str(line.get("text") or "").strip()):
        return failed(Outcome.PROVIDER_ERROR, error=line.get("failure") or "the reply is empty", **theirs)
    if "answer" in line:
        return Attempt(puzzle_id=puzzle.id, attempt=number, answer=line["answer"], usage=usage, detail=theirs)
    text = str(line["text"])
    answer: Answer | Unparsed = task.parse(str(line.get("read_as") or text), puzzle)
    kept: dict[str, Any] = {"reply": text[-LONGEST:]}
    if not isinstance(answer, Unparsed):
        return Attempt(puzzle_id=puzzle.id, attempt=number, answer=answer, usage=usage, detail=theirs, **kept)
    outcome = Outcome.TRUNCATED if line.get("finish") == "length" else Outcome.UNPARSED
    if outcome is Outcome.UNPARSED and refuses(text):
        outcome = Outcome.REFUSED
    detail = {"reason": answer.reason, **theirs}
    return Attempt(puzzle_id=puzzle.id, attempt=number, outcome=outcome, usage=usage, detail=detail, **kept)
