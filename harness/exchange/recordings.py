"""Other people's replies become runs: puzzles to a file, replies to a file, and a run over both.

What reads a source stands beside the tasks it is of (`registry.SOURCES`), for only a task can say which
puzzle a question is. It yields `Recording`s; from there on everything is ordinary: the replies are judged by
the task's own parser and verifier, every planned pair has an outcome, and the run is shown, scored again and
compared like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.contracts import Item, Outcome
from harness.own import lines_of
from harness.records.find import results_folder
from harness.records.jsonlines import dumps, write_atomically
from harness.records.schema import AttemptRecord
from harness.running.runner import RunResult, run

TOLERANCE = 1e-9


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One recorded reply, or the answer itself where the source kept only that.

    failure: why there is neither; an empty reply is a failure of the call, never a wrong answer. finish:
    "length" where the source says that it was cut. their_score: the source's own, in [0, 1]. read_as: the
    answer of the text in the form that the task asks for, where the source asked for another one.
    """

    puzzle: str
    attempt: int = 0
    text: str | None = None
    read_as: str | None = None
    answer: Any = None
    failure: str | None = None
    finish: str | None = None
    their_score: float | None = None
    usage: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recording:
    """The replies of one model to one set of puzzles. items None: the task's own split, as it is."""

    task: str
    label: str  # of the set of puzzles: part of file names
    model: str
    source: str  # where it is published, and at which state
    date: str
    licence: str
    prompt: str  # whose words asked: never ours
    attempts: int
    replies: Sequence[Reply]
    items: Sequence[Item] | None = None
    task_options: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    # the source's own score of whole groups, where it has none of single replies
    their_groups: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Imported:
    """A recording as a run, with what the source's own score and ours disagree about."""

    recording: Recording
    result: RunResult
    ours_alone: list[str]  # puzzle:attempt right for us, not for the source
    theirs_alone: list[str]


def bring_in(recording: Recording, results_dir: str | Path | None) -> Imported:
    """Write the files of a recording, run it, and compare the scores; once more changes nothing."""
    folder = results_folder(results_dir) / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    options = dict(recording.task_options)
    if recording.items is not None:
        options["file"] = str(_write(folder, recording.label, lines_of(recording.items)))
    head = {
        name: getattr(recording, name)
        for name in ("model", "source", "date", "licence", "prompt", "attempts")
    }
    rows = [
        head,
        *({k: v for k, v in vars(reply).items() if v not in (None, {})} for reply in recording.replies),
    ]
    replies = _write(folder, f"{recording.label}-{recording.model}", rows)
    result = run(
        recording.task,
        "imported",
        task_options=options,
        solver_options={"file": str(replies)},
        attempts=recording.attempts,
        limit=recording.limit,
        results_dir=results_dir,
    )
    theirs = {(reply.puzzle, reply.attempt): reply.their_score for reply in recording.replies}
    ours_alone, theirs_alone = [], []
    for attempt in result.folder.attempts(light=True):
        score = theirs.get((attempt.puzzle, attempt.attempt))
        if score is None:
            continue
        if _right(attempt) and score < 1:
            ours_alone.append(f"{attempt.puzzle}:{attempt.attempt}")
        elif not _right(attempt) and score >= 1:
            theirs_alone.append(f"{attempt.puzzle}:{attempt.attempt}")
    for group, (score, first) in _group_scores(result).items() if recording.their_groups else ():
        their_score = recording.their_groups.get(group, 0.0)  # what was not submitted is not solved
        if score > their_score + TOLERANCE:
            ours_alone.append(f"{first}:0")
        elif score < their_score - TOLERANCE:
            theirs_alone.append(f"{first}:0")
    return Imported(recording, result, ours_alone, theirs_alone)


def _group_scores(result: RunResult) -> dict[str, tuple[float, str]]:
    """Return of each group the share of its puzzles that any attempt solved, and its first puzzle."""
    solved = {a.puzzle for a in result.folder.attempts(light=True) if _right(a)}
    puzzles: dict[str, list[str]] = {}
    for name, group in zip(result.record.puzzles.ids, result.record.puzzles.group_names(), strict=True):
        puzzles.setdefault(group, []).append(name)
    return {
        group: (sum(name in solved for name in names) / len(names), names[0])
        for group, names in puzzles.items()
    }


def _right(attempt: AttemptRecord) -> bool:
    return attempt.outcome is Outcome.CORRECT


def _write(folder: Path, label: str, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write JSON lines under a name made of the label, unless they stand there already."""
    path = folder / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', label)}.jsonl"
    data = b"".join(dumps(dict(row)) + b"\n" for row in rows)
    if not path.is_file() or path.read_bytes() != data:
        write_atomically(path, data)
    return path
