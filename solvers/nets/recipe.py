"""What a training recipe is: everything that decides a training run, but for the data and the seed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any, Literal

from harness.errors import UserError

LARGEST = 10**9  # of any number of a recipe: what float32 and memory can follow


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what a training run produces, but for the data and the seed."""

    name: str  # of the recipe
    net: str  # the name of a net, as `NetSolver.net`
    # fields of the net's configuration; sizes come from the task
    config: dict[str, Any] = field(default_factory=dict)
    optimiser: Literal["adamw", "muon"]  # muon takes the matrices, AdamW the rest
    optimiser_steps: int  # updates of the weights, in all
    batch_size: int  # sequences per optimiser step, over all processes and accumulations
    accumulate: int = 1  # micro-batches a process splits its share into
    lr: float  # AdamW's peak rate
    betas: tuple[float, float] = (0.9, 0.95)  # AdamW's decay of both moments
    weight_decay: float  # AdamW's; a step takes lr · weight_decay off a weight
    muon_lr: float = 0.0  # Muon's peak rate
    muon_momentum: float = 0.95  # decay of its moving gradient
    muon_iterations: int = 5  # of Newton-Schulz
    muon_weight_decay: float = 0.0  # a step takes muon_lr · muon_weight_decay off a weight
    warmup_steps: int  # optimiser steps over which the rates rise from 0
    lr_floor: float  # final rate as a share of the peak
    table_lr: float = 0.0  # sign-SGD on puzzle-id tables
    table_weight_decay: float = 0.0  # of those tables
    gradient_clip: float = 0.0  # largest norm of the gradient; 0: any
    ema: float  # decay per optimiser step; 0: none
    loss: Literal["stablemax", "softmax"]  # cross-entropy over these probabilities of a cell's symbols
    label_smoothing: float = 0.0  # share of a label given to all symbols alike
    # share of the sequences that start from their answer with cells changed: what a refining net has to mend
    proposals: float = 0.0
    halt_weight: float = 0.5  # of the halting loss beside that of the cells
    # spread the slots over the supervision steps from the start, see supervision.fresh_carry
    stagger: bool = False
    # (from this share of the steps, H_cycles, L_cycles)
    depth_curriculum: tuple[tuple[float, int, int], ...] = ()
    augment: bool = True  # draw a symmetry of the task for every sequence
    # side of a smaller canvas where the task can do with one, without what does not fit; 0: the task's own
    canvas: int = 0
    augmentations: int = 0  # of tasks whose groups have ids: augmented copies of each group, an id each
    # of the products; auto: bfloat16 on a GPU, float32 elsewhere
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: bool = True  # on a GPU
    cuda_graph: bool = False  # on a GPU, see train/cuda_graph.py
    weights_dtype: Literal["float32", "bfloat16"] = "float32"  # of the weights file
    train_items: int | None = None  # None: the whole training split
    validation_items: int = 0  # puzzles of the validation split; 0: no validation
    validate_every: int = 0  # optimiser steps; 0: only at the end
    patience: int = 0  # validations without improvement before stopping; 0: never

    # families of tasks it was made for, as patterns ("sudoku-4x4", "maze*"); (): any task with a grid codec
    made_for: tuple[str, ...] = ()

    def fits(self, family: str) -> bool:
        """Say whether it was made for tasks of this family, or for any."""
        return not self.made_for or any(fnmatch(family, pattern) for pattern in self.made_for)

    def record(self) -> dict[str, Any]:
        """Return what decides the weights, for checkpoints and the record in weights files."""
        fields = dataclasses.asdict(self)
        del fields["made_for"]
        return fields

    def __post_init__(self) -> None:
        for name in ("optimiser_steps", "batch_size", "accumulate", "muon_iterations"):
            self._at_least(1, name)
        for name in (
            "lr", "weight_decay", "muon_lr", "muon_weight_decay", "warmup_steps", "lr_floor", "table_lr",
            "table_weight_decay",
            "gradient_clip", "halt_weight", "augmentations", "canvas", "validation_items", "validate_every",
            "patience",
        ):  # fmt: skip
            self._at_least(0, name)
        if self.train_items is not None:
            self._at_least(1, "train_items")
        if not 0 <= self.proposals <= 1:
            raise UserError(f"proposals is {self.proposals}.", rule="It is a share, between 0 and 1.")
        for name in ("ema", "label_smoothing", "muon_momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(
                    f"{name} is {getattr(self, name)}.", rule="It must be at least 0 and less than 1."
                )

    def _at_least(self, least: int, name: str) -> None:
        if not least <= getattr(self, name) <= LARGEST:
            raise UserError(
                f"{name} is {getattr(self, name)}.",
                rule=f"It must be at least {least} and finite, at most {LARGEST:,}.",
            )
