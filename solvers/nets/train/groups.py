"""Puzzle ids and the training pairs behind them, for tasks whose groups have a rule of their own each.

Every copy of every group has an id, its row in the net's puzzle table; id 0 is blank. The training set is a
virtual one: what the published builder writes to disk (all pairs of some 1,000 copies of each group, each
shifted once and for all) is made when a batch asks for it, from hashes of (seed, group, copy).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.capabilities import AugmentedCodec, Pair, TrainingGroup
from harness.errors import UserError
from harness.randomness import generator, seed_of
from solvers.nets.train.data import TrainingSet
from solvers.nets.weights.ids import IdTable, digest


@dataclass(frozen=True, kw_only=True)
class GroupedSet(TrainingSet):
    """The pairs of all groups, plain and not shifted (`tokens`, `labels`), with their ids; `draw` gives
    the copies.
    """

    groups: Sequence[TrainingGroup]
    copies: Sequence[NDArray[np.uint8]]  # of each group, (m, K)
    table: IdTable
    shifted: bool

    @classmethod
    def of(
        cls,
        groups: Sequence[TrainingGroup],
        codec: AugmentedCodec,
        *,
        augmentations: int,
        seed: int,
        shifted: bool,
    ) -> GroupedSet:
        """Draw the copies of all groups and number them; `shifted`: all pairs of a copy but one are moved
        on the canvas.
        """
        if not groups:
            raise UserError("There are no groups to train on.")
        drawn = [codec.copies(g.demonstrations, name=g.name, seed=seed, n=augmentations) for g in groups]
        table = IdTable(
            seed=seed,
            augmentations=augmentations,
            copies={g.name: len(rows) for g, rows in zip(groups, drawn, strict=True)},
            digests={g.name: digest(g.demonstrations) for g in groups},
        )
        if len(table.copies) < len(groups):
            raise UserError(
                "Two groups of the training data have the same name.", rule="A group's name decides its ids."
            )
        pairs = [
            (*codec.encode_pair(pair, rows[0], (0.0, 0.0)), table.first_id(g.name))
            for g, rows in zip(groups, drawn, strict=True)
            for pair in _pairs(g)
        ]
        tokens, labels, ids = (np.stack(column) for column in zip(*pairs, strict=True))
        return cls(
            tokens=tokens,
            labels=labels,
            ids=ids,
            codec=codec,
            groups=groups,
            copies=drawn,
            table=table,
            shifted=shifted,
        )

    @property
    def puzzle_ids(self) -> int:
        return self.table.size

    def draw(self, where: NDArray[np.int64], seed: int) -> dict[str, NDArray[np.int64]]:
        """Return tokens and labels (n, L) and ids (n,) at n positions of an endless stream.

        The stream is one pass over the groups after the other, in random order. Each time a group comes, one
        of its copies is drawn and all pairs of that copy follow one another, as published.
        """
        n = len(self.tokens)
        lengths = np.array([len(_pairs(g)) for g in self.groups])
        rows: list[tuple[Any, Any, int]] = []
        for epoch in np.unique(where // n):
            order = np.random.Generator(np.random.PCG64(seed_of("epoch", seed, int(epoch)))).permutation(
                len(self.groups)
            )
            ends = np.cumsum(lengths[order])
            offsets = where[where // n == epoch] % n
            slots = np.searchsorted(ends, offsets, side="right")
            for slot in np.unique(slots):
                begin = ends[slot] - lengths[order[slot]]
                rows += self._copy(int(order[slot]), int(epoch), seed, offsets[slots == slot] - begin)
        tokens, labels, ids = (np.stack(column) for column in zip(*rows, strict=True))
        return {"tokens": tokens, "labels": labels, "ids": ids}

    def _copy(
        self, index: int, epoch: int, seed: int, wanted: NDArray[np.int64]
    ) -> list[tuple[Any, Any, int]]:
        group, copies, codec = self.groups[index], self.copies[index], self.codec
        assert isinstance(codec, AugmentedCodec)
        pairs = _pairs(group)
        k = int(generator("copy", seed, epoch, group.name).integers(len(copies)))
        rng = generator("shift", self.table.seed, group.name, k)
        still, shares = int(rng.integers(len(pairs))), rng.random((len(pairs), 2))
        made = []
        for i in wanted:
            shift = (float(shares[i, 0]), float(shares[i, 1])) if self.shifted and i != still else (0.0, 0.0)
            made.append((*codec.encode_pair(pairs[i], copies[k], shift), self.table.first_id(group.name) + k))
        return made


def _pairs(group: TrainingGroup) -> tuple[Pair, ...]:
    return (*group.demonstrations, *group.further)
