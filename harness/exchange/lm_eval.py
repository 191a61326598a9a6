"""Samples of lm-evaluation-harness as recordings (`bench import lm-eval`): what `--log_samples` writes.

Source of the form: github.com/EleutherAI/lm-evaluation-harness, `lm_eval/evaluator.py` and
`loggers/evaluation_tracker.py`: files `samples_TASK_DATE.jsonl` in a folder named after the model, one object
a line with `doc_id`, `doc`, `arguments`, `resps` and, for each filter, the metrics; a document's repeats are
its attempts. Beside them stands `results_DATE.json`, which names the model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.exchange.matching import Matcher, as_score, first
from harness.exchange.recordings import Recording, Reply
from harness.records.jsonlines import loads, rows

NAME = re.compile(r"samples_(?P<task>.+?)_(?P<date>\d{4}-\d{2}-\d{2}T[\d.:-]+)\.jsonl")
LARGEST = 512 * 2**20  # bytes of a file that is read at once


def read(
    path: Path,
    *,
    task: str | None,
    model: str | None,
    left_out: Callable[[str], None],
    task_options: Mapping[str, Any] | None = None,
) -> Iterator[Recording]:
    """Yield a recording for each file of samples at a path. Raises UserError where no task is named."""
    if task is None:
        raise UserError(
            "Samples of lm-eval do not say which task of ours they are.",
            next_step="Give --task NAME (and -T options, as for `bench run`).",
        )
    files = sorted(p for p in path.rglob("samples_*.jsonl")) if path.is_dir() else [path]
    for file in files:
        who = _model(file) if path.is_dir() or model is None else model
        if path.is_dir() and model not in (None, who, who.rpartition("/")[2]):
            continue
        yield from _recording(file, who, task, dict(task_options or {}), left_out)


def _recording(
    file: Path, who: str, task: str, options: dict[str, Any], left_out: Callable[[str], None]
) -> Iterator[Recording]:
    matcher, strangers = Matcher(task, options), []
    replies: dict[tuple[str, int], Reply] = {}
    for number, row in _lines(file, left_out):
        resps = row.get("resps")
        doc = row.get("doc")
        if "doc_id" not in row or not isinstance(resps, list):
            left_out(f"{file}, line {number}: it has no doc_id and resps")
            continue
        told = doc if isinstance(doc, Mapping) else {}
        puzzle = matcher.of(told.get("id", row["doc_id"]), _prompt(row.get("arguments")), told)
        if puzzle is None:
            strangers.append(str(row["doc_id"]))
            continue
        score = first(as_score(row.get(name)) for name in row.get("metrics") or [])
        texts = resps[0] if resps and isinstance(resps[0], list) else resps
        for attempt, text in enumerate(texts):  # a second filter says the same again
            said = text if isinstance(text, str) else ""
            failure = None if said.strip() else "the sample holds an empty reply"
            if isinstance(text, list | tuple):
                failure = "the sample holds log-likelihoods, no words"
            reply = Reply(puzzle=puzzle, attempt=attempt, text=said, failure=failure, their_score=score)
            replies.setdefault((puzzle, attempt), reply)
    if strangers:
        left_out(
            f"{len(strangers)} samples of {file} that are no puzzle of {task}, doc {strangers[0]} for one"
        )
    if not replies:
        left_out(f"{file}: it holds no reply to a puzzle of {task}")
        return
    name = NAME.fullmatch(file.name)
    yield matcher.recording(
        list(replies.values()),
        label=f"lm-eval-{task}-{file.stem}",
        model=who,
        source=f"lm-eval samples of {name['task'] if name else file.stem}, {file.name}",
        date=name["date"][:10] if name else "unknown",
        licence="not stated",
        prompt="the samples' own",
    )


def _prompt(arguments: Any) -> str:
    """Return the words that were asked: the first argument of the first request, in both forms of the log."""
    if isinstance(arguments, Mapping):
        arguments = next(iter(arguments.values()), None)
        arguments = arguments.get("arg_0") if isinstance(arguments, Mapping) else arguments
    while isinstance(arguments, list) and arguments:
        arguments = arguments[0]
    return arguments if isinstance(arguments, str) else ""


def _model(file: Path) -> str:
    """Return the model that the results beside the samples name, else the folder's name."""
    for results in sorted(file.parent.glob("results_*.json"), reverse=True):
        try:
            found = loads(results.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(found, dict) and isinstance(found.get("model_name"), str) and found["model_name"]:
            return str(found["model_name"])
    return file.resolve().parent.name.replace("__", "/")


def _lines(file: Path, left_out: Callable[[str], None]) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        if file.stat().st_size > LARGEST:
            left_out(f"{file}: it is larger than {LARGEST >> 20} MiB; split it")
            return
        data = file.read_bytes()
    except OSError as error:
        left_out(f"{file}: {error.strerror}")
        return
    for number, row in rows(data):
        try:
            line = loads(row)
        except ValueError as error:
            left_out(f"{file}, line {number}: {error}")
            continue
        if isinstance(line, dict):
            yield number, line
        else:
            left_out(f"{file}, line {number}: it is no object")
