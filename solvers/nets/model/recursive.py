"""What training and inference ask of a net: a module that keeps this contract is trained, run, voted over and
drawn as a curve of depth.

Shape suffixes: B puzzles, S positions, L cells, D hidden, V symbols.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from solvers.nets.model.config import NetConfig

State = tuple[Tensor, ...]
"""The latents of a batch; the first axis of each is the puzzle."""


@dataclass(frozen=True, kw_only=True)
class TrainStep:
    """A supervision step in training, as the losses need it."""

    z: State  # carried on, to be detached
    logits: Tensor  # (B, L, V) for the token loss
    q: Tensor  # (B, 2) halting logits
    answer: Tensor  # (B, L, V) logits of the answer that halting is judged by
    extra_loss: Tensor | None = None  # scalar: a further loss, summed over sequences


class RecursiveNet(nn.Module):
    """A net that improves a state again and again. A subclass writes `initial`, `embed`, `step` and `read`.

    Names that the books and Muon go by: parameters under `embedding.` and `lm_head.` count as embedding,
    under `puzzle_emb` as rows of puzzles, all else as core; Muon takes matrices whose name holds `layers.`.
    """

    stochastic = False  # True: `step` takes noise (B, *noise_shape), and two rollouts of a puzzle differ
    prefix = 0  # positions of the state before the cells

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config: Any = config

    def initial(self, B: int, dtype: torch.dtype) -> State:
        """Return the state every puzzle starts from."""
        raise NotImplementedError

    def embed(self, tokens_BL: Tensor, ids_B: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Return what `step` sees of the puzzle, first axis B; ids are None where puzzles have none."""
        raise NotImplementedError

    def step(self, z: State, x: Tensor) -> State:
        """Do one supervision step."""
        raise NotImplementedError

    def read(self, z: State) -> tuple[Tensor, Tensor]:
        """Return logits (B, L, V) and halting logits (B, 2), float32 or better: halt, continue."""
        raise NotImplementedError

    def start_from(self, z: State, proposals_BL: Tensor) -> State:
        """Return the starting state z with an answer put into it: tokens (B, L), -1 in rows without one."""
        raise NotImplementedError

    def initial_in_training(self, B: int, dtype: torch.dtype) -> State:
        """Return the latents a training sequence starts from: what `train_step` carries."""
        return self.initial(B, dtype)

    def train_step(self, z: State, x: Tensor, labels_BL: Tensor) -> TrainStep:
        """Do one supervision step of training; the labels are for nets whose training looks at them."""
        z = self.step(z, x)
        logits, q = self.read(z)
        return TrainStep(z=z, logits=logits, q=q, answer=logits)

    def compile_levels(self, **options: Any) -> None:
        """Compile the large computations, on a GPU; by default nothing is."""
