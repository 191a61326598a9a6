"""Puzzle ids: what the rows of a net's puzzle table mean, in training, in its file and when it is asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.capabilities import AugmentedCodec, Pair
from harness.errors import UserError

BLANK = 0


@dataclass(frozen=True, kw_only=True)
class IdTable:
    """What the rows of a puzzle table mean: row `first_id(name) + k` is copy k of the group `name`, row 0 is
    blank.

    The copies themselves are drawn again when they are needed; those of imported weights are `listed`, one
    digit a number.
    """

    seed: int
    augmentations: int  # copies asked for beside the plain one
    copies: Mapping[str, int]  # of each group, the plain one included
    digests: Mapping[str, str]  # of each group's demonstrations, where known
    listed: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _first(self) -> dict[str, int]:
        ends = np.cumsum([1, *self.copies.values()])
        return {name: int(end) for name, end in zip(self.copies, ends, strict=False)}

    @property
    def size(self) -> int:
        """Rows of the table, the blank one included."""
        return 1 + sum(self.copies.values())

    def first_id(self, name: str) -> int:
        """Return the id of a group's plain copy. Raises KeyError for a group the table does not hold."""
        return self._first[name]

    def check(self, name: str, demonstrations: Sequence[Pair]) -> None:
        """Raise UserError if a group's demonstrations are not those that its ids were trained on."""
        if digest(demonstrations) != self.digests.get(name, digest(demonstrations)):
            raise UserError(
                f"The demonstrations of {name} are not those that the weights were trained on.",
                rule="An id stands for a copy of a group as it was in training.",
                next_step="Give -S blank_id=true, or choose the task that the weights were trained for.",
            )

    def draw(self, codec: AugmentedCodec, name: str, demonstrations: Sequence[Pair]) -> NDArray[np.uint8]:
        """Return the copies of a group in the order of their ids."""
        if name in self.listed:
            digits = np.frombuffer(self.listed[name].encode(), dtype=np.uint8) - ord("0")
            return digits.reshape(self.copies[name], -1)
        return codec.copies(demonstrations, name=name, seed=self.seed, n=self.augmentations)

    def record(self) -> dict[str, Any]:
        """Return the table as JSON values, for the record in the weights."""
        groups = [
            [name, copies, self.digests.get(name), self.listed.get(name)]
            for name, copies in self.copies.items()
        ]
        sha256 = hashlib.sha256(json.dumps(groups).encode()).hexdigest()
        return {"seed": self.seed, "augmentations": self.augmentations, "sha256": sha256, "groups": groups}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> IdTable:
        """Read what `record` returned."""
        groups = record["groups"]
        return cls(
            seed=record["seed"],
            augmentations=record["augmentations"],
            copies={name: copies for name, copies, _, _ in groups},
            digests={name: digest for name, _, digest, _ in groups if digest},
            listed={name: listed for name, _, _, listed in groups if listed},
        )


def digest(demonstrations: Sequence[Pair]) -> str:
    """Return a short hash of demonstrations."""
    return hashlib.sha256(json.dumps(demonstrations).encode()).hexdigest()[:16]
