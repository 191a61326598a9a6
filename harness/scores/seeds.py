"""Runs of one configuration that differ in a seed alone, as one: mean, interval, spread between seeds.

A seed is the run's own (which puzzles are drawn, which noise), the solver's, or that of the training of its
weights. Everything else must be the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.errors import UserError
from harness.records.schema import RunRecord
from harness.scores.statistics import estimate
from harness.scores.values import RunValues, Seeds

OF_A_TRAINING = frozenset({"seed", "seconds", "training_flops", "validation_exact", "device", "torch"})
"""What a training record says of one training, not of how it was made."""


def configuration(record: RunRecord, *, without: str = "") -> str:
    """Return what two runs share that differ in seeds alone, as text. without: an option of the solver that
    may differ as well.
    """
    task, solver, card = record.task, record.solver, record.card
    return json.dumps(
        [
            [task.name, task.version, task.options, task.source_sha256],
            [record.split, record.limit, record.sample_ids, record.attempts_per_puzzle, record.data_revision],
            [solver.reference, solver.source_sha256, _but(solver.options, ("seed", "weights", without))],
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
    for name, record in sorted(records.items(), key=lambda item: (item[1].created, item[0]), reverse=True):
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


def pooled(runs: Sequence[RunValues]) -> RunValues:
    """Return runs that differ in seeds alone, oldest first, as one whose values are means over the seeds that
    were given a puzzle. Raises UserError for a headline that counts whole groups: a mean of such is none.
    """
    newest = runs[-1]
    if newest.metric.over == "strict":
        raise UserError(
            f"The headline of {newest.name} is {newest.metric.name!r}, over whole groups.",
            rule="Seeds of such are not taken as one puzzle by puzzle.",
        )
    values: dict[str, list[float]] = {}
    groups: dict[str, str] = {}
    for run in runs:
        groups |= run.groups
        for name, value in run.values.items():
            values.setdefault(name, []).append(value)
    return replace(
        newest,
        values={name: math.fsum(of) / len(of) for name, of in values.items()},
        groups={name: groups[name] for name in values},
        lines=(),
        counted={},
        of=tuple(runs),
        seeds=merged(runs),
    )


def with_seeds_as_one(runs: Sequence[RunValues]) -> list[RunValues]:
    """Return the runs, those that differ in seeds alone pooled; a headline over whole groups is left as it
    is.
    """
    named = {run.name: run for run in runs}
    found: list[RunValues] = []
    for names in by_configuration({run.name: run.record for run in runs}):
        members = [named[name] for name in names]
        if len(members) > 1 and members[0].metric.over != "strict":
            found.append(pooled(members))
        else:
            found += members
    place = {run.name: number for number, run in enumerate(runs)}
    return sorted(found, key=lambda run: min(place[member.name] for member in run.each))


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
