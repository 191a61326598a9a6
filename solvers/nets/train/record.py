"""What a training run says of itself in the end: accuracy on held-out puzzles, the record in the weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from solvers.nets.infer import engine
from solvers.nets.model.config import NetConfig
from solvers.nets.recipe import Recipe
from solvers.nets.train.checkpoint import TrainingState
from solvers.nets.train.data import TrainingSet

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def exact_accuracy(
    config: NetConfig,
    state: dict[str, Tensor],
    data: TrainingSet,
    dtype: torch.dtype,
    device: torch.device,
    batch: int = 512,
) -> float:
    """Return the share of sequences with every scored cell right after the full depth, one rollout each."""
    net = config.build()
    net.load_state_dict(state)
    jobs = engine.answer(
        net,
        data.tokens,
        depths=[config.halt_max_steps],
        halt="never",
        batch_size=batch,
        dtype=dtype,
        device=device,
        noise_seeds=range(1, len(data.tokens) + 1) if net.stochastic else None,
    )
    right = 0
    for job in jobs:
        labels = data.labels[job.job]
        right += bool(np.all((job.tokens_at[job.depth] == labels) | (labels < 0)))
    return right / len(data.tokens)


def cycles(config: NetConfig) -> dict[str, int]:
    """Return the cycles of a supervision step, for the metrics; nothing for a net that has none."""
    return {name: getattr(config, name) for name in ("H_cycles", "L_cycles") if hasattr(config, name)}


def device_name(device: torch.device) -> str:
    return (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"CPU, {torch.get_num_threads()} threads"
    )


def resolve_dtype(recipe: Recipe, device: torch.device) -> torch.dtype:
    """Return the dtype of activations: a recipe's "auto" is bfloat16 on a GPU and float32 on a CPU."""
    name = recipe.dtype
    if name == "auto":
        name = "bfloat16" if device.type == "cuda" else "float32"
    return DTYPES[name]


def record_of(
    recipe: Recipe,
    progress: TrainingState,
    validation_items: int,
    about: dict[str, Any],
    seed: int,
    device: torch.device,
    world: int,
) -> dict[str, Any]:
    cost: dict[str, float | None] = {"training_flops": progress.flops, "seconds": round(progress.seconds, 1)}
    if "started_from" in about:  # what an imported checkpoint cost is not known, and so neither is the sum
        earlier = about["started_from"]["training"]
        cost = {
            name: None if own is None or earlier.get(name) is None else earlier[name] + own
            for name, own in cost.items()
        }
    return about | {
        "recipe": recipe.record(),
        "seed": seed,
        "optimiser_steps": progress.step,
        **cost,
        "device": device_name(device),
        "processes": world,
        "torch": torch.__version__,
        "validation_exact": progress.accuracy,
        "validation_items": 0 if progress.accuracy is None else validation_items,
    }
