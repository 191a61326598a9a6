"""Which runs may be ranked against each other, and what keeps others apart.

Runs stand in one block if they answered the same puzzles of the same task version for the same metric, were
trained on the same, and, if they are language models, were asked in the same words. Blocks stand side by
side; nothing is ranked across them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.contracts import SolverCard
from harness.records.schema import RunRecord


@dataclass(frozen=True, kw_only=True)
class Block:
    """What all runs of a block share. The fields, in their order, are what may differ between blocks."""

    task: str
    version: str
    puzzles: str  # split, how many, and the hash that tells them from others; a seed may draw the very same
    metric: str
    attempts: str
    training: str
    prompt: str

    def differs_from(self, other: Block) -> tuple[str, ...]:
        """Return what differs, as "training: 1,000 puzzles of the train split"."""
        return tuple(
            f"{name}: {value}" for name, value in vars(self).items() if value != getattr(other, name)
        )


def block_of(record: RunRecord) -> Block:
    """Return the block of one run."""
    task, metric = record.task, record.metrics[0]
    options = ",".join(f"{name}={value}" for name, value in task.changed.items())
    subset = f"{record.puzzles.count:,} of {record.split}"
    return Block(
        task=f"{task.name} {options}".strip(),
        version=task.version,
        puzzles=f"{subset} ({task.puzzles_sha256[:8]})",
        metric=metric.name,
        attempts=str(record.attempts_per_puzzle),
        training=regime(record.card),
        prompt=prompt(record.card),
    )


def regime(card: SolverCard) -> str:
    """Return what a solver was trained on, in a line: its training regime, with what else was seen."""
    if card.kind in ("exact", "baseline"):
        return "none"
    if card.kind == "llm":
        return "by its maker, on data that is not published"
    return _regime(card.exposure) or _regime(card.training) or "not stated"


def prompt(card: SolverCard) -> str:
    """Return how a model was asked; "–" for solvers that are not asked in words."""
    if card.kind != "llm":
        return "–"
    return card.prompt or "not recorded"


def _regime(said: Mapping[str, Any]) -> str:
    found = "; ".join(str(said[name]) for name in ("task", "regime", "exposure") if said.get(name))
    before = said.get("started_from")
    if isinstance(before, Mapping):
        return f"{found}; started from: {_regime(before) or 'not stated'}".lstrip("; ")
    return found


def by_block(records: Mapping[str, RunRecord]) -> Mapping[str, Sequence[str]]:
    """Return the names of the runs of each block, by the text that says what they share."""
    found: dict[str, list[str]] = {}
    for name, record in records.items():
        found.setdefault("; ".join(vars(block_of(record)).values()), []).append(name)
    return found
