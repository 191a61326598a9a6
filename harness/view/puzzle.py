"""One puzzle as one run answered it: drawn, the answer as it evolved, the reply with its answer marked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.books import ledger
from harness.contracts import Answer, Item, Key, Puzzle, Task
from harness.errors import DepthbenchError
from harness.records.normal import normal, same
from harness.records.schema import OUTCOMES, AttemptRecord, TraceRecord, known
from harness.view import drawing
from harness.view.library import Library, OpenRun
from harness.view.reply import passage

MOST_STEPS = 256  # of a replay
MOST_REPLY = 200_000  # characters sent of one text
MOST_NOTES = 60  # lines beside an answer
Line = dict[str, Any]


def page(library: Library, run: OpenRun, pair: int, width: int) -> Line:
    """Return everything a page shows of one attempt. Where the task cannot make the puzzle, `problem` says
    why, and what is recorded is shown all the same. Raises WaitingError.
    """
    index, record = run.index, run.record
    puzzle_id = index.puzzle_of(pair)
    number = pair // index.tries
    attempt = index.read(pair)
    found: Line = {
        "run": run.folder.name,
        "pair": pair,
        "puzzle": drawing.safe(puzzle_id),
        "id": puzzle_id,
        "task": drawing.safe(record.task.name),
        "task_version": record.task.version,
        "split": record.split,
        "solver": name_of(run),
        "kind": record.card.kind,
        "difficulty": index.difficulty[pair],
        "group": index.groups[number],
        "attempt": pair % index.tries,
        "tries": [{"pair": p, "outcome": outcome_of(run, p)} for p in index.pairs_of(puzzle_id)],
        "before": pair - 1 if pair else None,
        "after": pair + 1 if pair + 1 < record.planned else None,
    }
    if attempt is None:
        found["outcome"] = "not_run"
    else:
        found |= _facts(attempt)
    try:
        task, (puzzle, key), proved = library.item(run, puzzle_id)
    except DepthbenchError as error:
        found["problem"] = drawing.safe(str(error))
        return found | _reply(attempt, None)
    found["proved"] = proved
    found["content"] = hashlib.sha256(
        json.dumps([puzzle.id, puzzle.payload], sort_keys=True, default=str).encode()
    ).hexdigest()
    found["drawing"] = drawing.drawn(lambda: task.render(puzzle), width)
    if key.answers:
        expected = key.answers[0]
        found["expected"] = drawing.drawn(lambda: task.render(puzzle, expected, key), width)
        found["right_answers"] = len(key.answers)
    if attempt is not None:
        if attempt.answered:
            found["answer"] = drawing.drawn(lambda: task.render(puzzle, normal(attempt.answer), key), width)
            found["answer_text"] = _text(attempt.answer)
            found["violations"] = violations(task, puzzle, normal(attempt.answer))
        found["steps"] = steps(task, (puzzle, key), attempt.trace, width)
        found["steps_left_out"] = max(0, len(attempt.trace) - MOST_STEPS)
    return found | _reply(attempt, (task, puzzle))


def name_of(run: OpenRun) -> str:
    """Return who answered, as a heading."""
    card, solver = run.record.card, run.record.solver
    changed = " ".join(
        f"{name}={value}" for name, value in solver.changed.items() if name not in ("model", "file")
    )
    model = card.model if card.kind == "llm" and card.model else ""
    return drawing.safe(" ".join(filter(None, (solver.name, model, changed))))


def outcome_of(run: OpenRun, pair: int) -> str:
    """Return the outcome of a pair as it is indexed."""
    return str(OUTCOMES[run.index.outcome[pair]])


def _facts(attempt: AttemptRecord) -> Line:
    return {
        "outcome": str(attempt.outcome),
        "depth": attempt.depth,
        "samples": attempt.samples,
        "seconds": ledger.seconds(attempt.usage),
        "at": attempt.at,
        "usage": known(attempt.usage),
        "numbers": {name: value for name, value in (attempt.numbers or {}).items() if name != "correct"},
        "detail": [[drawing.safe(name), _text(value)] for name, value in attempt.detail.items()],
    }


def _text(value: Any) -> str:
    """Return a recorded value as text, shortened where nobody would read it all."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=_indent(value))
    return drawing.safe(_limited(text))


def _indent(value: Any) -> int | None:
    return 1 if isinstance(value, list | dict) and any(isinstance(v, dict) for v in _members(value)) else None


def _members(value: Any) -> Sequence[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _limited(text: str) -> str:
    if len(text) <= MOST_REPLY:
        return text
    half = MOST_REPLY // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"


def violations(task: Task, puzzle: Puzzle, answer: Answer) -> list[str] | None:
    """Return what an answer breaks of the rules, None where the rules cannot tell or the task cannot."""
    try:
        found = task.violations(puzzle, answer)
    except Exception:  # of a plug-in's task: anything
        return None
    if found is None:
        return None
    shown = [drawing.safe(str(line)) for line in found[:MOST_NOTES]]
    return [*shown, *[f"… {len(found) - MOST_NOTES:,} more"] * (len(found) > MOST_NOTES)]


def steps(task: Task, item: Item, trace: Sequence[TraceRecord], width: int) -> list[Line]:
    """Return the answer after each recorded supervision step: drawn, what changed in it marked, how many
    rules it breaks, how sure the solver was.
    """
    found: list[Line] = []
    before: TraceRecord | None = None
    lines: drawing.Lines | None = None
    for point in trace[:MOST_STEPS]:
        answer = normal(point.answer)
        if before is not None and found and same(answer, normal(before.answer)):
            step = {**found[-1], "changed": 0, "drawing": _unmarked(found[-1]["drawing"])}
        else:
            new = _drawn(task, item, answer, width)
            broken = _count(task, item[0], answer)
            step = {
                "drawing": drawing.changed(new, lines),
                "changed": None if before is None else _changes(normal(before.answer), answer),
                "violations": broken,
            }
            lines = new
        numbers: Mapping[str, float] = point.numbers or {}
        step |= {
            "depth": point.depth,
            "halt_score": point.halt_score,
            "correct": numbers.get("correct"),
            "numbers": {name: value for name, value in numbers.items() if name != "correct"},
        }
        found.append(step)
        before = point
    return found


def _drawn(task: Task, item: tuple[Puzzle, Key], answer: Answer, width: int) -> drawing.Lines:
    return drawing.drawn(lambda: task.render(item[0], answer, item[1]), width)


def _count(task: Task, puzzle: Puzzle, answer: Answer) -> int | None:
    try:
        found = task.violations(puzzle, answer)
    except Exception:  # of a plug-in's task: anything
        return None
    return None if found is None else len(found)


def _unmarked(lines: drawing.Lines) -> drawing.Lines:
    return [
        [(text, words.replace("changed", "").strip(), colour, ground) for text, words, colour, ground in line]
        for line in lines
    ]


def _changes(before: Answer, after: Answer) -> int | None:
    """Return how many entries of a list of lists, or of a list, changed; None for answers of other forms."""
    one, other = _flat(before), _flat(after)
    if one is None or other is None or len(one) != len(other):
        return None
    return sum(not same(a, b) for a, b in zip(one, other, strict=True))


def _flat(answer: Answer) -> list[Any] | None:
    if not isinstance(answer, list):
        return None
    return [cell for row in answer for cell in (row if isinstance(row, list) else [row])]


def _reply(attempt: AttemptRecord | None, asked: tuple[Task, Puzzle] | None) -> Line:
    """Return the reply in parts: before the answer, the answer, behind it."""
    if attempt is None or attempt.reply is None:
        return {}
    reply, span = attempt.reply, None
    if asked is not None and attempt.answered:
        task, puzzle = asked
        span = passage(reply, normal(attempt.answer), lambda text: task.parse(text, puzzle))
    if span is None:
        return {"reply": [_limited_safe(reply)], "reply_marked": False}
    start, end = span
    parts = [_limited_safe(part) for part in (reply[:start], reply[start:end], reply[end:])]
    return {"reply": parts, "reply_marked": True}


def _limited_safe(text: str) -> str:
    return drawing.safe(_limited(text))
