"""Logs of inspect_ai as recordings (`bench import inspect`), read by its own reader: `.eval` and JSON.

Source of the form: inspect_ai's `EvalLog` (inspect.aisi.org.uk/eval-logs.html). An epoch is an attempt; a
sample that ended in an error, or without a completion, is a failure and never a wrong answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.exchange.matching import Matcher, as_score, first
from harness.exchange.recordings import Recording, Reply

ENDINGS = (".eval", ".json")


def read(
    path: Path,
    *,
    task: str | None,
    model: str | None,
    left_out: Callable[[str], None],
    task_options: Mapping[str, Any] | None = None,
) -> Iterator[Recording]:
    """Yield a recording for each log at a path. Raises UserError without a task, or without inspect_ai."""
    try:
        from inspect_ai.log import read_eval_log
    except ImportError as error:
        raise UserError(
            "bench import inspect needs inspect_ai.", next_step="pip install 'depthbench[inspect]'"
        ) from error
    if task is None:
        raise UserError(
            "A log of inspect_ai does not say which task of ours its samples are.",
            next_step="Give --task NAME (and -T options, as for `bench run`).",
        )
    files = sorted(p for p in path.iterdir() if p.suffix in ENDINGS) if path.is_dir() else [path]
    for file in files:
        try:
            log = read_eval_log(str(file))
        except Exception as error:
            left_out(f"{file}: inspect_ai cannot read it ({type(error).__name__}: {str(error)[:200]})")
            continue
        if model in (None, log.eval.model, log.eval.model.rpartition("/")[2]):
            yield from _recording(file, log, task, dict(task_options or {}), left_out)


def _recording(
    file: Path, log: Any, task: str, options: dict[str, Any], left_out: Callable[[str], None]
) -> Iterator[Recording]:
    matcher, replies, strangers = Matcher(task, options), [], []
    for sample in log.samples or []:
        words = _words(sample.input)
        puzzle = matcher.of(sample.id, words, sample.metadata)
        if puzzle is None:
            strangers.append(str(sample.id))
            continue
        replies.append(_reply(puzzle, sample))
    if strangers:
        left_out(
            f"{len(strangers)} samples of {file} that are no puzzle of {task}, {strangers[0][:60]!r} for one"
        )
    if not replies:
        left_out(f"{file}: none of its {len(log.samples or [])} samples is a puzzle of {task}")
        return
    if log.status != "success":
        left_out(f"the rest of {file}: that run ended as {log.status!r}")
    yield matcher.recording(
        replies,
        label=f"inspect-{task}-{file.name.rpartition('.')[0]}",
        model=log.eval.model,
        source=f"inspect_ai log of {log.eval.task}, {file.name}",
        date=str(log.eval.created)[:10],
        licence="not stated",
        prompt="the log's own",
    )


def _words(given: Any) -> str:
    """Return the words of a sample's input: a text, or the last message of a user."""
    if isinstance(given, str):
        return given
    texts = [message.text for message in given if getattr(message, "role", "") == "user"]
    return str(texts[-1]) if texts else ""


def _reply(puzzle: str, sample: Any) -> Reply:
    text = sample.output.completion if sample.output and sample.output.choices else ""
    stopped = str(sample.output.stop_reason) if sample.output and sample.output.choices else ""
    failure = None
    if sample.error is not None:
        failure = f"inspect_ai: {str(sample.error.message)[:200]}"
    elif sample.output and sample.output.error:
        failure = str(sample.output.error)[:200]
    elif not text.strip():
        failure = "the log holds an empty completion"
    scores = (sample.scores or {}).values()
    return Reply(
        puzzle=puzzle,
        attempt=int(sample.epoch or 1) - 1,
        text=text,
        failure=failure,
        finish="length" if stopped in ("max_tokens", "model_length") else None,
        their_score=first(as_score(score.value) for score in scores),
        usage=_usage(sample.model_usage or {}),
    )


def _usage(by_model: Mapping[str, Any]) -> dict[str, float]:
    """Return the tokens of a sample, over all models that were called for it; what is unknown is left out."""
    names = {
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "reasoning_tokens": "reasoning_tokens",
        "input_tokens_cache_read": "cached_tokens",
    }
    found: dict[str, float] = {}
    for usage in by_model.values():
        for theirs, ours in names.items():
            if (count := getattr(usage, theirs, None)) is not None:
                found[ours] = found.get(ours, 0) + count
    return found
