"""Every Eval Ever, schema 0.3.0: for each run a record of its scores, and beside it a line for each attempt.

Written as its repository lays data out: `data/<task>/<developer>/<model>/<uuid>.json` and
`<uuid>_samples.jsonl`, which its own validator reads (`every_eval_ever validate`, Python 3.12 and later).
What is not known is said to be unknown there or left out.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import __version__
from harness.errors import RunError, UserError
from harness.exchange.commands import command
from harness.exchange.exports_samples import Sample, right, samples, strings
from harness.records.folder import RunFolder
from harness.records.jsonlines import dumps, write_atomically
from harness.records.schema import MetricScore, RunRecord, Summary
from harness.scores.summary import summary_of

SCHEMA = "0.3.0"
Line = dict[str, Any]


def write(runs: Sequence[RunFolder], out: Path, data_dir: Path | None = None) -> list[Path]:
    """Write the record and the samples of each run; return the files."""
    written: list[Path] = []
    for folder in runs:
        record = folder.record()
        summary = summary_of(folder, record)
        if summary.headline.score is None:
            raise UserError(
                f"{folder.name} has no score.",
                rule="A record of Every Eval Ever is of scores.",
                next_step="Leave it out.",
            )
        developer, model = _model(record)
        place = Path("data") / _slug(record.task.name) / _slug(developer) / _slug(model)
        name = _uuid(folder.name)
        detailed = (place / f"{name}_samples.jsonl").as_posix()
        lines = [dumps(line) + b"\n" for line in instances(folder, record, data_dir)]
        made = whole_record(record, summary)
        made["detailed_evaluation_results"] = {
            "format": "jsonl",
            "file_path": detailed,
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(b"".join(lines)).hexdigest(),
            "total_rows": len(lines),
        }
        try:
            (out / place).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{out / place} cannot be made: {error.strerror}.") from error
        for path, content in (
            (out / detailed, b"".join(lines)),
            (out / place / f"{name}.json", dumps(made, indent=2)),
        ):
            write_atomically(path, content)
            written.append(path)
    return written


def whole_record(record: RunRecord, summary: Summary) -> Line:
    """Return the record of a run's scores."""
    developer, model = _model(record)
    return {
        "schema_version": SCHEMA,
        "evaluation_id": _evaluation_id(record),
        "evaluation_timestamp": record.created,
        "retrieved_timestamp": str(int(_created(record).timestamp())),
        "source_metadata": {
            "source_name": "Depthbench",
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "other",
        },
        "eval_library": {"name": "depthbench", "version": __version__},
        "model_info": {
            "name": record.card.model or record.solver.name,
            "id": f"{developer}/{model}",
            "developer": developer,
            "additional_details": {
                "deployment_type": "unknown" if record.card.kind == "llm" else "self_deployed",
                "model_availability": "unknown",
                **strings({"kind": record.card.kind, "solver": record.solver.name,
                           "weights_sha256": record.card.weights_sha256,
                           "core_parameters": record.card.parameters.core}),
            },
        },
        "evaluation_results": [
            _result(record, summary, metric) for metric in summary.metrics if metric.score is not None
        ],
    }  # fmt: skip


def _result(record: RunRecord, summary: Summary, metric: MetricScore) -> Line:
    low, high = metric.low or 0.0, metric.high or 1.0
    shares = low >= 0 and high <= 1
    return {
        "evaluation_result_id": _result_id(record, metric.name),
        "evaluation_name": f"{record.task.name}/{metric.name}",
        "evaluation_timestamp": record.created,
        "source_data": {
            "dataset_name": record.task.name,
            "source_type": "other",
            "additional_details": strings({
                "version": record.task.version, "split": record.split, "seed": record.seed,
                "data_revision": record.data_revision, "puzzles": len(record.puzzles.ids),
                "puzzles_sha256": record.task.puzzles_sha256, "keys_sha256": record.task.keys_sha256,
            }),
        },
        "metric_config": {
            "metric_id": f"depthbench.{_slug(metric.name)}",
            "metric_name": metric.name,
            "lower_is_better": metric.better == "low",
            "score_type": "continuous",
            "min_score": 0 if shares else "-Infinity",
            "max_score": 1 if shares else "Infinity",
        },
        "score_details": {
            "score": metric.score,
            "details": strings({f"outcome {kind}": n for kind, n in summary.outcomes.items()}),
            "uncertainty": {
                "confidence_interval": {"lower": metric.low, "upper": metric.high, "confidence_level": 0.95,
                                        "method": "Wilson, clustered by group; normal outside [0, 1]"},
                "num_samples": metric.n,
            },
        },
        "generation_config": {
            "generation_args": {"execution_command": command(record)},
            "additional_details": strings(dict(record.solver.options)),
        },
    }  # fmt: skip


def instances(folder: RunFolder, record: RunRecord, data_dir: Path | None = None) -> Iterator[Line]:
    """Yield a line for each recorded attempt, scored by the headline."""
    developer, model = _model(record)
    for sample in samples(folder, record, data_dir):
        yield {
            "schema_version": SCHEMA,
            "evaluation_id": _evaluation_id(record),
            "model_id": f"{developer}/{model}",
            "evaluation_name": f"{record.task.name}/{record.metrics[0].name}",
            "evaluation_result_id": _result_id(record, record.metrics[0].name),
            "sample_id": sample.attempt.puzzle,
            "sample_hash": hashlib.sha256((sample.prompt + "".join(sample.references)).encode()).hexdigest(),
            "interaction_type": "single_turn",
            "input": {"raw": sample.prompt, "reference": list(sample.references)},
            "output": {"raw": [sample.reply]},
            "answer_attribution": _attribution(sample),
            "evaluation": {"score": sample.score, "is_correct": right(sample.attempt)},
            "token_usage": _tokens(sample),
            "performance": _performance(sample),
            "error": sample.failure,
            "metadata": strings({
                "attempt": sample.attempt.attempt, "outcome": str(sample.attempt.outcome),
                "group": sample.group, "difficulty": sample.difficulty, "depth": sample.attempt.depth,
                "samples": sample.attempt.samples,
            }),
        }  # fmt: skip


def _attribution(sample: Sample) -> list[Line]:
    if sample.answer is None:
        return []
    how = (
        "depthbench: the task's own parser"
        if sample.attempt.reply is not None
        else "depthbench: given as it is"
    )
    return [{"turn_idx": 0, "source": "output.raw", "extracted_value": sample.answer,
             "extraction_method": how, "is_terminal": True}]  # fmt: skip


def _tokens(sample: Sample) -> Line | None:
    usage = sample.attempt.usage
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
            "input_tokens_cache_read": usage.cached_tokens,
            "reasoning_tokens": usage.reasoning_tokens}  # fmt: skip


def _performance(sample: Sample) -> Line | None:
    usage = sample.attempt.usage
    details = strings({"device_seconds": usage.device_seconds, "flops": usage.flops, "usd": usage.usd})
    if usage.wall_seconds is None and not details:
        return None
    latency = None if usage.wall_seconds is None else 1000 * usage.wall_seconds
    return {"latency_ms": latency, "additional_details": details or None}


def _model(record: RunRecord) -> tuple[str, str]:
    """Return the developer and the model; ours where it is no language model, unknown where nobody says."""
    if record.card.kind != "llm" or record.card.model is None:
        return "depthbench", (record.card.model or record.solver.name).replace("/", "-")
    developer, slash, model = record.card.model.partition("/")
    return (
        (developer, model.replace("/", "-"))
        if slash and developer and model
        else ("unknown", record.card.model)
    )


def _evaluation_id(record: RunRecord) -> str:
    return (
        f"{record.task.name}/{'/'.join(_model(record))}/{int(_created(record).timestamp())}-{record.hash[:8]}"
    )


def _result_id(record: RunRecord, metric: str) -> str:
    return f"{_evaluation_id(record)}#{metric}"


def _created(record: RunRecord) -> datetime:
    found = datetime.fromisoformat(record.created)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _uuid(name: str) -> str:
    """Return an identifier of version 4 that is always the same for a run."""
    return str(uuid.UUID(bytes=hashlib.sha256(name.encode()).digest()[:16], version=4))


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "unnamed"
