"""Logs of inspect_ai, version 2 of its format, as its own reader and `inspect view` open them.

A log's `epoch` is our attempt, counted from 1. Every planned attempt that was recorded is a sample with a
score; a failure is a score of the metric's missing value with its reason, and an `error` only where the call
itself failed, so the means over all samples are ours. The scores of the run are written as we have them, with
their intervals; nothing is computed anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import __version__
from harness.contracts import Outcome, Usage
from harness.exchange.exports_samples import Sample, samples, strings, text
from harness.records.folder import RunFolder
from harness.records.jsonlines import dumps, write_atomically
from harness.records.schema import MetricScore, RunRecord, Summary
from harness.scores.summary import summary_of

Line = dict[str, Any]
STOPS = {Outcome.TRUNCATED: "max_tokens", Outcome.REFUSED: "content_filter"}


def write(runs: Sequence[RunFolder], out: Path, data_dir: Path | None = None) -> list[Path]:
    """Write a log for each run, named as `inspect view` expects it: time, task, identifier."""
    written = []
    for folder in runs:
        record = folder.record()
        time, name = record.created[:19].replace(":", "-"), folder.name.partition("_")[2] or folder.name
        path = out / f"{time}_{name}.json"
        write_atomically(path, dumps(log(folder, record, summary_of(folder, record), data_dir)))
        written.append(path)
    return written


def log(folder: RunFolder, record: RunRecord, summary: Summary, data_dir: Path | None = None) -> Line:
    """Return the log of a run."""
    found = list(samples(folder, record, data_dir))
    model = record.card.model or record.solver.name
    scorer = record.metrics[0].name
    times = [sample.attempt.at for sample in found if sample.attempt.at]
    ended = _time(max(times)) if times else record.created
    return {
        "version": 2,
        "status": "success" if summary.complete else "cancelled",
        "eval": {
            "eval_id": record.hash,
            "run_id": folder.name,
            "created": record.created,
            "task": record.task.name,
            "task_id": record.task.puzzles_sha256[:22],
            "task_version": record.task.version,
            "task_args": dict(record.task.options),
            "task_args_passed": dict(record.task.changed),
            "solver": record.solver.name,
            "solver_args": dict(record.solver.options),
            "solver_args_passed": dict(record.solver.changed),
            "dataset": {
                "name": f"{record.task.name} {record.split}",
                "location": record.data_revision,
                "samples": len(record.puzzles.ids),
                "sample_ids": list(record.puzzles.ids),
                "shuffled": False,
            },
            "model": model,
            "config": {"epochs": record.attempts_per_puzzle, "limit": record.limit},
            "packages": {"depthbench": __version__},
            "metadata": {
                "kind": record.card.kind,
                "seed": record.seed,
                "weights_sha256": record.card.weights_sha256,
                "exposure": dict(record.card.exposure),
            },
            "scorers": [{"name": scorer, "metrics": [{"name": "score"}]}],
        },
        "plan": {
            "name": "plan",
            "steps": [{"solver": record.solver.name, "params": dict(record.solver.options)}],
        },
        "results": {
            "total_samples": summary.planned,
            "completed_samples": summary.recorded,
            "scores": [_score(metric, summary) for metric in summary.metrics],
        },
        "stats": {
            "started_at": record.created,
            "completed_at": ended,
            "model_usage": {model: _sum([sample.attempt.usage for sample in found])},
        },
        "samples": [_sample(sample, scorer, model) for sample in found],
    }


def _score(metric: MetricScore, summary: Summary) -> Line:
    values = {"score": metric.score, "low": metric.low, "high": metric.high}
    return {
        "name": metric.name,
        "scorer": metric.name,
        "scored_samples": summary.recorded,
        "unscored_samples": summary.planned - summary.recorded,
        "params": {},
        "metrics": {
            name: {"name": name, "value": value, "params": {}}
            for name, value in values.items()
            if value is not None
        },
        "metadata": {"n": metric.n, "planned": metric.planned, "better": metric.better, "interval": "95 %"},
    }


def _sample(sample: Sample, scorer: str, model: str) -> Line:
    attempt, usage = sample.attempt, sample.attempt.usage
    reason = sample.failure
    failed = attempt.outcome in (Outcome.PROVIDER_ERROR, Outcome.TIMED_OUT)
    found: Line = {
        "id": attempt.puzzle,
        "epoch": attempt.attempt + 1,
        "input": sample.prompt,
        "target": list(sample.references),
        "messages": [{"role": "user", "content": sample.prompt}],
        "output": {"model": model, "choices": [], "completion": "", "usage": _usage(usage)},
        "scores": {
            scorer: {
                "value": sample.score,
                "answer": sample.answer,
                "explanation": reason,
                "metadata": {"outcome": str(attempt.outcome), **dict(attempt.numbers or {})},
            }
        },
        "metadata": {
            "group": sample.group,
            "difficulty": sample.difficulty,
            "outcome": str(attempt.outcome),
            "depth": attempt.depth,
            "samples": attempt.samples,
            "usd": usage.usd,
            "flops": usage.flops,
            "trace": strings({str(point.depth): point.answer for point in attempt.trace}),
        },
        "model_usage": {model: _usage(usage)},
        "total_time": usage.wall_seconds,
        "uuid": text(f"{attempt.puzzle}:{attempt.attempt}"),
    }
    if not failed:
        said = {"role": "assistant", "content": sample.reply, "source": "generate", "model": model}
        found["messages"].append(said)
        stop = STOPS.get(attempt.outcome, "stop")
        found["output"] |= {"choices": [{"message": said, "stop_reason": stop}], "completion": sample.reply}
    else:
        found["error"] = {"message": reason, "traceback": "", "traceback_ansi": ""}
    return found


def _usage(usage: Usage) -> Line:
    tokens = (usage.input_tokens or 0, usage.output_tokens or 0)
    return {
        "input_tokens": tokens[0],
        "output_tokens": tokens[1],
        "total_tokens": sum(tokens),
        "input_tokens_cache_read": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    }


def _sum(usages: Sequence[Usage]) -> Line:
    names = ("input_tokens", "output_tokens", "total_tokens")
    parts = [_usage(usage) for usage in usages]
    return {name: sum(part[name] for part in parts) for name in names}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
