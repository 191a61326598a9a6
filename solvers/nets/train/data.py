"""Training batches: the training items once on the device, augmented there by one gather, drawn without any
hidden state.

Batch number t depends on (seed, t) alone, so a run that stops and resumes sees the very same batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.contracts import GridCodec, Item
from harness.randomness import generator, seed_of
from solvers.nets.model.config import NetConfig
from solvers.nets.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """Encoded pairs of one task: tokens and labels int64 (N, L), labels -100 where not scored; ids int64
    (N,).
    """

    tokens: NDArray[np.int64]
    labels: NDArray[np.int64]
    ids: NDArray[np.int64]
    codec: GridCodec

    @classmethod
    def from_items(cls, items: Sequence[Item], codec: GridCodec, *, variants: bool) -> TrainingSet:
        """Encode items; with `variants` each gives all pairs its task offers (the dihedral copies of a
        maze, say).
        """
        pairs = []
        for puzzle, key in items:
            if variants:
                pairs += codec.variants(puzzle, key)
            else:
                pairs.append((codec.encode(puzzle), codec.encode_answer(puzzle, key.answers[0])))
        tokens, labels = (np.stack(column).astype(np.int64) for column in zip(*pairs, strict=True))
        return cls(tokens=tokens, labels=labels, ids=np.zeros(len(pairs), dtype=np.int64), codec=codec)

    @property
    def puzzle_ids(self) -> int:
        """Rows that the net's puzzle table needs."""
        return 1

    def draw(self, where: NDArray[np.int64], seed: int) -> dict[str, NDArray[np.int64]] | None:
        """Return the training pairs at positions of an endless stream, where the CPU makes them; else
        None: see `Batches`.
        """
        return None


def _proposals(labels: Tensor, proposed: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return answers with the planned cells changed, (B, L); -1 in rows without a proposal."""
    if not proposed:
        return {}
    answer = labels.clamp_min(0)  # a cell that is not scored is padding
    proposals = torch.where(proposed["changed"] > 0, answer.gather(1, proposed["sources"]), answer)
    return {"proposals": torch.where(proposed["changed"] < 0, -1, proposals)}


class Batches:
    """Yields the batch of any optimiser step; this process's slice of it where several processes train
    together.
    """

    def __init__(
        self,
        data: TrainingSet,
        recipe: Recipe,
        config: NetConfig,
        *,
        seed: int,
        device: torch.device,
        rank: int,
        world: int,
    ) -> None:
        self.data, self.batch_size, self.augment, self.seed = data, recipe.batch_size, recipe.augment, seed
        self.proposals = recipe.proposals
        self.halt_max_steps, self.exploration = config.halt_max_steps, config.halt_exploration_prob
        self.device = device
        self.slice = slice(rank * self.batch_size // world, (rank + 1) * self.batch_size // world)
        self._tokens, self._labels, self._ids = (
            torch.from_numpy(a).to(device) for a in (data.tokens, data.labels, data.ids)
        )
        self._ahead: dict[int, Future[dict[str, Any]]] = {}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="batches")

    def get(self, step: int) -> dict[str, Tensor]:
        """Return tokens (B, L), labels (B, L), ids (B,) and least (B,) of 0-based optimiser step `step`,
        on the device; with proposals these too, see `_proposals`.
        """
        future = self._ahead.pop(step, None)
        plan = self._plan(step) if future is None else future.result()
        self._ahead[step + 1] = self._worker.submit(self._plan, step + 1)
        on_device = {name: torch.from_numpy(a).to(self.device, non_blocking=True) for name, a in plan.items()}
        planned: tuple[str, ...] = ("changed", "sources")
        proposed = {name: on_device.pop(name) for name in planned if name in on_device}
        if "rows" not in on_device:
            return on_device | _proposals(on_device["labels"], proposed)
        rows = on_device["rows"]
        tokens, labels = self._tokens[rows], self._labels[rows]
        if "positions" in on_device:
            relabel = on_device["relabel"]
            tokens = relabel.gather(1, tokens.gather(1, on_device["positions"]))
            moved = labels.gather(1, on_device["positions"])
            labels = torch.where(moved < 0, moved, relabel.gather(1, moved.clamp_min(0)))
        batch = {"tokens": tokens, "labels": labels, "ids": self._ids[rows], "least": on_device["least"]}
        return batch | _proposals(labels, proposed)

    def stagger(self) -> Tensor:
        """Return for each slot of this process a number of supervision steps in [0, halt_max_steps), fixed
        by the seed.
        """
        steps = generator("stagger", self.seed).integers(0, self.halt_max_steps, self.batch_size)
        return torch.from_numpy(steps[self.slice]).to(self.device)

    def _plan(self, step: int) -> dict[str, NDArray[Any]]:
        """Draw indices and symmetries of the whole batch on the CPU, then keep this process's slice."""
        rng = generator("batch", self.seed, step)
        where = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        made = self.data.draw(where[self.slice], self.seed)
        plan: dict[str, NDArray[Any]] = {} if made is not None else {"rows": self._rows(where)}
        if made is None and self.augment:
            symmetries = self.data.codec.symmetries(rng, self.batch_size)
            if symmetries is not None:
                plan |= {"positions": symmetries.positions, "relabel": symmetries.tokens}
        explores = rng.random(self.batch_size) < self.exploration
        least = rng.integers(2, max(3, self.halt_max_steps + 1), self.batch_size)
        plan["least"] = np.where(explores, least, 0)
        if self.proposals:
            plan |= self._changes(rng)
        return (made or {}) | {
            name: np.ascontiguousarray(values[self.slice]) for name, values in plan.items()
        }

    def _changes(self, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        """Draw which cells of an answer are changed, a uniform share of them (-1 in a row: there is no
        proposal), and from which cell of the same answer the symbol in its place is taken; (B, L) both.
        """
        shape = (self.batch_size, self.data.codec.length)
        changed = (rng.random(shape) < rng.random((shape[0], 1))).astype(np.int64)
        changed[rng.random(shape[0]) >= self.proposals] = -1
        return {"changed": changed, "sources": rng.integers(0, shape[1], shape)}

    def _rows(self, where: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return dataset rows of the batch: one shuffled pass over the data after the other, cut into
        batches.
        """
        n = len(self.data.tokens)
        rows = np.empty(self.batch_size, dtype=np.int64)
        for epoch in np.unique(where // n):
            order = np.random.Generator(np.random.PCG64(seed_of("epoch", self.seed, int(epoch)))).permutation(
                n
            )
            inside = where // n == epoch
            rows[inside] = order[where[inside] % n]
        return rows

    def close(self) -> None:
        self._worker.shutdown(cancel_futures=True)
