"""Floating-point operations from torch's counter, run on tensors without data; and the machine's own
measured peak.
"""

from __future__ import annotations

import time
from functools import lru_cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from solvers.nets.model.config import NetConfig


def inference_flops(config: NetConfig) -> int:
    """Return the FLOPs of one supervision step with its read-out on one puzzle (multiply and add count as
    two).
    """
    return _count(config, backward=False)


def training_flops(config: NetConfig) -> int:
    """Return the FLOPs of one supervision step on one puzzle, forward and backward, without the optimiser."""
    return _count(config, backward=True)


def _count(config: NetConfig, *, backward: bool) -> int:
    with torch.device("meta"):
        ghost = config.build().train(backward)
    tokens = torch.zeros(1, config.seq_len, dtype=torch.long, device="meta")
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(backward):
        x = ghost.embed(tokens, None, torch.float32)
        if backward:
            done = ghost.train_step(ghost.initial_in_training(1, torch.float32), x, tokens)
            loss = done.logits.sum() + done.q.sum() + (0 if done.extra_loss is None else done.extra_loss)
            loss.backward()
        else:
            ghost.read(ghost.step(ghost.initial(1, torch.float32), x))
    return int(counter.get_total_flops())


@lru_cache
def measured_peak(device_type: str, dtype: torch.dtype) -> float:
    """Return the FLOP/s of the fastest of several large matrix products here: what "share of peak" is a
    share of.
    """
    n, repeats = (8192, 20) if device_type == "cuda" else (1024, 12)
    a = torch.randn(n, n, device=device_type).to(dtype)
    b = torch.randn(n, n, device=device_type).to(dtype)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        torch.matmul(a, b)
        if device_type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return 2 * n**3 / min(seconds)
