"""Runs of one configuration that differ in a seed alone, as one: mean, interval, spread between seeds.

A seed is the run's own (which puzzles are drawn, which noise), the solver's, or that of the training of its
weights. Everything else must be the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.records.schema import RunRecord
from harness.scores.statistics import Score, estimate
from harness.scores.values import RunValues

OF_A_TRAINING = frozenset({"seed", "seconds", "training_flops", "validation_exact", "device", "torch"})
"""What a training record says of one training, not of how it was made."""


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """Several seeds of one configuration.

    score: over all puzzles of all seeds, those of one group together; its interval is of the puzzles. spread:
    standard deviation (n - 1) of the seeds' scores, least and most the extremes: what another seed may bring.
    """

    runs: tuple[str, ...]
    seeds: tuple[str, ...]
    score: Score
    each: tuple[float, ...]
    spread: float
    least: float
    most: float


def configuration(record: RunRecord) -> str:
    """Return what two runs share that differ in seeds alone, as text."""
    task, solver, card = record.task, record.solver, record.card
    return json.dumps(
        [
            [task.name, task.version, task.options, task.source_sha256],
            [record.split, record.limit, record.sample_ids, record.attempts_per_puzzle, record.data_revision],
            [solver.reference, solver.source_sha256, _but(solver.options, ("seed", "weights"))],
            [card.model, card.prompt] if card.kind == "llm" else [card.kind],
            _training(card.training) or solver.weights_sha256,
        ],
        sort_keys=True,
        default=str,
    )


def seed(record: RunRecord) -> str:
    """Return a run's seed: its own, with the solver's and the training's where they have one."""
    parts = [str(record.seed)]
    if record.solver.options.get("seed") is not None:
        parts.append(f"solver {record.solver.options['seed']}")
    if record.card.training.get("seed") is not None:
        parts.append(f"training {record.card.training['seed']}")
    return ", ".join(parts)


def by_configuration(records: Mapping[str, RunRecord]) -> list[list[str]]:
    """Return the runs, by name, in groups to merge: of two with the same seed the newer is merged, and the
    other stays alone.

    Seeds that drew other puzzles are merged only if every other configuration that was given any of those
    puzzles was given all of them: else there would be nothing left that the merged row may be ranked with.
    """
    groups: dict[str, dict[str, str]] = {}
    alone = []
    for name, record in sorted(records.items(), key=lambda item: item[1].created, reverse=True):
        of_this = groups.setdefault(configuration(record), {})
        if of_this.setdefault(seed(record), name) != name:
            alone.append([name])
    sets = {
        key: {records[name].task.puzzles_sha256 for name in group.values()} for key, group in groups.items()
    }
    found: list[list[str]] = []
    for key, group in groups.items():
        mine = sets[key]
        if len(mine) > 1 and any(mine & theirs and mine != theirs for theirs in sets.values()):
            found += _by_puzzles(group.values(), records)
        else:
            found.append(list(reversed(group.values())))
    return found + alone


def _by_puzzles(names: Iterable[str], records: Mapping[str, RunRecord]) -> list[list[str]]:
    """Return the runs of one configuration, those of the same puzzles together, oldest first."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(records[name].task.puzzles_sha256, []).insert(0, name)
    return list(found.values())


def merged(runs: Sequence[RunValues]) -> Seeds:
    """Return runs that differ in seeds alone as one. Puzzles that several seeds share count as one group."""
    over = runs[0].metric.over
    values, groups = [], []
    for run in runs:
        made_by = [run.record.task.name, run.record.seed if _drawn(runs) else 0]
        for group, value in _units(run, over):
            values.append(value)
            groups.append(json.dumps([*made_by, group]))
    clustered = len(set(groups)) < len(groups)
    score = estimate(values, groups if clustered else None)
    each = [run.score.score for run in runs]
    return Seeds(
        runs=tuple(run.name for run in runs),
        seeds=tuple(seed(run.record) for run in runs),
        score=score,
        each=tuple(each),
        spread=deviation(each),
        least=min(each),
        most=max(each),
    )


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation of a sample (n - 1); 0 of one value."""
    if len(values) < 2:
        return 0.0
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


def _drawn(runs: Sequence[RunValues]) -> bool:
    """Say whether another seed means other puzzles."""
    return len({run.record.task.puzzles_sha256 for run in runs}) > 1


def _units(run: RunValues, over: str) -> Iterable[tuple[str, float]]:
    if over == "puzzle":
        return [(run.groups[name], value) for name, value in run.values.items()]
    members: dict[str, list[float]] = {}
    for name, value in run.values.items():
        members.setdefault(run.groups[name], []).append(value)
    if over == "strict":
        return [(group, float(min(of) >= 1)) for group, of in members.items()]
    return [(group, math.fsum(of) / len(of)) for group, of in members.items()]


def _training(said: Mapping[str, Any]) -> Mapping[str, Any]:
    return _but(said, OF_A_TRAINING)


def _but(options: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    left_out = set(names)
    return {name: value for name, value in options.items() if name not in left_out}
