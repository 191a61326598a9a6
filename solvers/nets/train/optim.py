"""What updates weights: AdamW or Muon for matrices, sign-SGD for puzzle-id tables, and the exponential
moving average.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from harness.errors import UserError
from solvers.nets.model.layers import PuzzleTable

if TYPE_CHECKING:
    from solvers.nets.recipe import Recipe


def optimisers(net: nn.Module, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Return the optimisers of a recipe; every group carries its peak learning rate as `peak_lr`.

    Under "muon" the matrices inside the levels go to Muon (torch >= 2.9) and everything else (embeddings,
    heads, biases) to AdamW; under "adamw" everything goes to AdamW, as published.
    """
    parameters = dict(net.named_parameters())
    groups: list[torch.optim.Optimizer]
    if recipe.optimiser == "adamw":
        groups = [
            torch.optim.AdamW(parameters.values(), recipe.lr, recipe.betas, weight_decay=recipe.weight_decay)
        ]
    else:
        if not hasattr(torch.optim, "Muon"):
            raise UserError(
                f"Recipe {recipe.name!r} trains with Muon, which torch {torch.__version__} does not have.",
                rule="torch.optim.Muon came with torch 2.9.",
                next_step="Upgrade torch or choose a recipe with optimiser='adamw'.",
            )
        matrices = [p for name, p in parameters.items() if "layers." in name and p.ndim == 2]
        if not matrices:
            raise UserError(
                f"Recipe {recipe.name!r} trains with Muon, which finds nothing to train in this net.",
                rule="Muon takes the matrices whose name holds 'layers.'.",
                next_step="Name them so, or give -R optimiser=adamw.",
            )
        inside = {id(p) for p in matrices}
        rest = [p for p in parameters.values() if id(p) not in inside]
        groups = [
            torch.optim.Muon(
                matrices,
                lr=recipe.muon_lr,
                weight_decay=recipe.muon_weight_decay,
                momentum=recipe.muon_momentum,
                ns_steps=recipe.muon_iterations,
            ),
            torch.optim.AdamW(rest, recipe.lr, recipe.betas, weight_decay=recipe.weight_decay),
        ]
    for optimiser in groups:
        for group in optimiser.param_groups:
            group["peak_lr"] = group["lr"]
    return groups


def learning_rate_scale(step: int, recipe: Recipe) -> float:
    """Return the factor on every peak rate at 0-based optimiser step `step`: linear warm-up, then cosine
    to `lr_floor`.
    """
    if step < recipe.warmup_steps:
        return (step + 1) / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / max(1, recipe.optimiser_steps - recipe.warmup_steps)
    return recipe.lr_floor + (1 - recipe.lr_floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


@torch.no_grad()
def sign_sgd(tables: Iterable[PuzzleTable], lr: float, weight_decay: float) -> None:
    """Move each used row of the tables by lr against the sign of its summed gradient, after decaying it by lr
    · weight_decay.

    Under torch.distributed the rows of all processes are gathered first, so that every process does the same
    update.
    """
    for table in tables:
        used = [(ids, rows.grad.float()) for ids, rows in table.used if rows.grad is not None]
        table.used.clear()
        if not used:
            continue
        ids, gradients = torch.cat([i for i, _ in used]), torch.cat([g for _, g in used])
        if dist.is_initialized():
            ids, gradients = _gathered(ids), _gathered(gradients)
        rows, inverse = torch.unique(ids, return_inverse=True)
        summed = torch.zeros(len(rows), table.weights.shape[1], device=ids.device).index_add_(
            0, inverse, gradients
        )
        table.weights[rows] = table.weights[rows] * (1 - lr * weight_decay) - lr * summed.sign()


def _gathered(tensor: Tensor) -> Tensor:
    parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, tensor.contiguous())
    return torch.cat(parts)


class MovingAverage:
    """An exponential moving average of a net's parameters: average <- decay · average + (1 - decay) ·
    parameters.

    What is no parameter (initial latents, the puzzle table) is not averaged but taken as it is, as published.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.net, self.decay = net, decay
        self.averages: dict[str, Tensor] = {name: p.detach().clone() for name, p in net.named_parameters()}

    @property
    def shadow(self) -> dict[str, Tensor]:
        """The state of the averaged net."""
        return self.net.state_dict() | self.averages

    @torch.no_grad()
    def update(self) -> None:
        torch._foreach_lerp_(list(self.averages.values()), list(self.net.parameters()), 1 - self.decay)


def flatten_state(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return an optimiser's state as named tensors, for safetensors."""
    flat = {}
    for index, entries in optimiser.state_dict()["state"].items():
        for key, value in entries.items():
            flat[f"{index}.{key}"] = value if isinstance(value, Tensor) else torch.tensor(float(value))
    return flat


def restore_state(optimiser: torch.optim.Optimizer, flat: dict[str, Tensor]) -> None:
    """Load what `flatten_state` returned."""
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in flat.items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
