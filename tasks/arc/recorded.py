"""Submissions to ARC as recordings: ARC Prize's files with what a model answered (`bench import`).

Read are the official form {"task": [{"attempt_1": grid, "attempt_2": grid}, …one for each test input]}, with
any number of attempts; the same inside {"about": …, "their_results": …, "submission": …}; a folder of such
files, or of ARC Prize's per-task files, a list of {"attempt_1": {"answer": grid, "metadata": …}, …}; each
plain or gzip. What is missing is unsolved; a damaged file or attempt costs only itself.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.errors import UserError, did_you_mean
from harness.exchange.recordings import Recording, Reply
from harness.records.jsonlines import loads
from tasks.arc.public import Arc1, Arc2, ArcTask

TASKS: dict[str, type[ArcTask]] = {"arc1": Arc1, "arc2": Arc2}
LARGEST = 64 * 2**20  # bytes of one file, unpacked
MOST_ATTEMPTS = 100  # at a test input
ATTEMPT = re.compile(r"attempt_([1-9]\d?|100)")
TASK_FILE = re.compile(r"[0-9a-f]{8}\.json(?:\.gz)?")


def read(
    path: Path, *, task: str | None, model: str | None, left_out: Callable[[str], None]
) -> Iterator[Recording]:
    """Yield a recording for each submission at a path: a file each, or a folder of per-task files."""
    name = task or "arc1"
    if name not in TASKS:
        raise UserError(f"{name!r} is no task of ARC.", rule=did_you_mean(name, TASKS, show=2))
    split = "evaluation"
    ids: dict[str, int] = {}
    for puzzle, _ in TASKS[name]().load(split=split, seed=0, limit=None, data_dir=None):
        ids[puzzle.group] = ids.get(puzzle.group, 0) + 1
    for label, body, about in _submissions(path, left_out):
        who = about.get("model") if isinstance(about.get("model"), str) else None
        who = who or label
        if model is not None and model not in (who, label) and path.is_dir():
            continue
        fitting = {group: given for group, given in body.items() if group in ids}
        if not fitting:
            left_out(
                f"{label}: it holds no task of {name}; its first is {next(iter(body), 'none')!r}, and "
                f"those of {name} are such as {next(iter(ids))!r}"
            )
            continue
        if strangers := sorted(set(body) - set(ids)):
            left_out(f"{len(strangers)} tasks of {label} that {name} does not have, {strangers[0]} for one")
        replies = [
            reply
            for group, given in fitting.items()
            for reply in _replies(group, given, ids[group], left_out)
        ]
        yield Recording(
            task=name,
            label=f"arc-submission-{name}",
            model=model if model is not None and not path.is_dir() else who,
            source=str(about.get("source") or path.name),
            date=str(about.get("date") or "unknown"),
            licence=str(about.get("licence") or about.get("license") or "not stated"),
            prompt="the submitter's own",
            attempts=max([TASKS[name].attempts, *(reply.attempt + 1 for reply in replies)]),
            replies=replies,
            their_groups=_their_scores(about),
        )


def _their_scores(about: dict[str, Any]) -> dict[str, float]:
    """Return the source's own score of each task, where it gives them."""
    results = about.get("their_results")
    scores = results.get("task_results") if isinstance(results, dict) else None
    return (
        {k: float(v) for k, v in scores.items() if isinstance(v, int | float)}
        if isinstance(scores, dict)
        else {}
    )


def _submissions(
    path: Path, left_out: Callable[[str], None]
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield (label, {task: attempts}, what is said of it) for each submission."""
    files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    single = {file.name.partition(".")[0]: file for file in files if TASK_FILE.fullmatch(file.name)}
    if single and path.is_dir():
        body = {}
        for group, file in single.items():
            if (found := _load(file, left_out)) is not None:
                body[group] = found
        yield path.resolve().name, body, {}
        return
    for file in files:
        if not file.name.endswith((".json", ".json.gz")):
            continue
        found = _load(file, left_out)
        if found is None:
            continue
        about: dict[str, Any] = {}
        if isinstance(found, dict) and isinstance(found.get("submission"), dict):
            about = {k: v for k, v in found.items() if k != "submission"}
            if isinstance(found.get("about"), dict):
                about |= found["about"]
            found = found["submission"]
        if isinstance(found, list) and TASK_FILE.fullmatch(file.name):
            found = {file.name.partition(".")[0]: found}
        if not isinstance(found, dict):
            left_out(f'{file}: it is no {{"task": [{{"attempt_1": grid, …}}, …]}}')
            continue
        yield file.name.partition(".json")[0], found, about


def _load(file: Path, left_out: Callable[[str], None]) -> Any:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as handle:
            data = handle.read(LARGEST + 1)  # no more is held in memory, however large it is
        if len(data) > LARGEST:
            raise ValueError(f"it is larger than {LARGEST >> 20} MiB")
        return loads(data)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        left_out(f"{file}: {error}")
        return None


def _replies(group: str, given: Any, inputs: int, left_out: Callable[[str], None]) -> Iterator[Reply]:
    """Yield the attempts at the test inputs of one task; further outputs than it has inputs are left."""
    outputs = given if isinstance(given, list) else [given]
    for number, output in enumerate(outputs[:inputs]):
        if not isinstance(output, dict):
            yield Reply(puzzle=f"{group}_{number}", failure=f"{str(output)[:60]!r} is no set of attempts")
            continue
        for name, answer in output.items():
            if not (found := ATTEMPT.fullmatch(str(name))):
                if str(name).startswith("attempt"):
                    left_out(
                        f"{str(name)[:30]!r} of {group}: attempts are attempt_1 to attempt_{MOST_ATTEMPTS}"
                    )
                continue
            usage: dict[str, float] = {}
            if isinstance(answer, dict):  # with metadata
                usage, answer = _usage(answer.get("metadata")), answer.get("answer")
            attempt = int(found[1]) - 1
            where = f"{group}_{number}"
            if answer in (None, [], ""):
                yield Reply(puzzle=where, attempt=attempt, failure="no grid was submitted", usage=usage)
            else:
                yield Reply(puzzle=where, attempt=attempt, answer=_plain(answer), usage=usage)


def _plain(answer: Any) -> Any:
    """Return whole floats as whole numbers; anything that is no grid stays as it is and is judged wrong."""
    if isinstance(answer, list):
        return [_plain(part) for part in answer]
    if isinstance(answer, float) and answer.is_integer():
        return int(answer)
    return answer if isinstance(answer, int | str) and not isinstance(answer, bool) else str(answer)


def _usage(metadata: Any) -> dict[str, float]:
    """Return tokens and dollars where ARC Prize's metadata has them."""
    found: dict[str, float] = {}
    if not isinstance(metadata, dict):
        return found
    usage, cost = metadata.get("usage"), metadata.get("cost")
    for ours, theirs in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")):
        if isinstance(usage, dict) and theirs in usage:
            found[ours] = usage[theirs]
    if isinstance(cost, dict) and "total_cost" in cost:
        found["usd"] = cost["total_cost"]
    return found
