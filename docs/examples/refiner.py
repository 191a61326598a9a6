"""A small recurrent refiner: a gated cell at every position that hears all others, again and again."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from solvers.nets.model.config import NetConfig
from solvers.nets.model.recursive import RecursiveNet, State
from solvers.nets.recipes import Recipe
from solvers.nets.solver import NetSolver


@dataclass(frozen=True, kw_only=True)
class RefinerConfig(NetConfig):
    """vocab_size and seq_len come from the task; -R config.width=128 sets the others."""

    width: int = 96
    updates: int = 4  # of the cell in a supervision step
    halt_max_steps: int = 8

    def build(self) -> RefinerNet:
        return RefinerNet(self)


class RefinerNet(RecursiveNet):
    """The state is one tensor (B, L, D). Shapes: B puzzles, L cells, D width, V symbols."""

    def __init__(self, config: RefinerConfig) -> None:
        super().__init__(config)
        L, D, V = config.seq_len, config.width, config.vocab_size
        self.embedding = nn.Embedding(V, D)  # under this name the books count it as embedding
        self.place = nn.Parameter(torch.randn(L, D) * 0.1)
        self.hear = nn.Linear(L, 4 * L)  # over positions: four things that each cell hears from all
        self.update = nn.Linear(6 * D, 2 * D)
        self.norm = nn.LayerNorm(D)
        self.lm_head = nn.Linear(D, V, bias=False)
        self.q_head = nn.Linear(D, 2)

    def initial(self, B: int, dtype: torch.dtype) -> State:
        return (torch.zeros_like(self.place, dtype=dtype).expand(B, -1, -1),)

    def embed(self, tokens_BL: Tensor, ids_B: Tensor | None, dtype: torch.dtype) -> Tensor:
        return (self.embedding(tokens_BL) + self.place).to(dtype)

    def step(self, z: State, x: Tensor) -> State:
        (h,) = z
        for _ in range(self.config.updates):
            heard = self.hear(self.norm(h).transpose(1, 2))  # (B, D, 4L)
            heard = heard.unflatten(2, (4, -1)).permute(0, 3, 2, 1).flatten(2)  # (B, L, 4D)
            gate, new = self.update(torch.cat((h, heard, x), -1)).chunk(2, -1)
            h = torch.lerp(h, torch.tanh(new), torch.sigmoid(gate))
        return (h,)

    def read(self, z: State) -> tuple[Tensor, Tensor]:
        return self.lm_head(self.norm(z[0])), self.q_head(z[0].mean(1)).float()


def refiner_small() -> Recipe:
    """The refiner on Sudoku 4×4: a minute of one CPU core."""
    return Recipe(
        name="refiner-small", net="refiner", optimiser="adamw", optimiser_steps=600, batch_size=64, lr=3e-3,
        weight_decay=0.0, warmup_steps=50, lr_floor=0.0, gradient_clip=1.0, ema=0.99, loss="softmax",
        train_items=5_000, validation_items=200,
    )  # fmt: skip


class RefinerSolver(NetSolver):
    """Recurrent refiner: one gated cell at every position."""

    net = "refiner"
    configure = RefinerConfig
    own_recipes = {"refiner-small": refiner_small}  # noqa: RUF012
