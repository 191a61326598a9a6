"""Float32 products on a CPU by oneDNN in place of torch's default, where they are large: the same sums,
sooner.

On AVX-512 processors oneDNN's product of these shapes is up to 1.4 times as fast as the one torch calls
(docs/log.md), on others it is not. torch reaches it through operators it keeps for its own compiler; where a
version of torch lacks them, nothing here is used. First derivatives only; `torch.func` does not see through
them.
"""

from __future__ import annotations

import platform
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from solvers.nets.fast import switch as fast

WIDTH = 512
"""Both sides of a weight that takes the detour: those of the published nets are as wide, narrower ones
gain little by it.
"""

LARGE = 2**28
"""Multiplications from which a product takes it: 171 rows by a weight of 3,072 × 512, the rows of two 9×9
puzzles.
"""

_OPERATORS = ("_linear_pointwise", "_reorder_linear_weight")
AVAILABLE = (
    torch._C._has_mkldnn
    and platform.machine() in ("x86_64", "AMD64")  # elsewhere never tried
    and all(hasattr(torch.ops.mkldnn, name) for name in _OPERATORS)
)
HELPS = AVAILABLE and torch.backends.cpu.get_cpu_capability() == "AVX512"


def usable(x: Tensor, weight: Tensor) -> bool:
    """Say whether oneDNN computes x · weightᵀ: float32 on a CPU, large, and not under torch.compile or
    autocast.
    """
    return (
        HELPS
        and not torch.compiler.is_compiling()
        and fast.allowed()
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and min(weight.shape) >= WIDTH
        and x.numel() * len(weight) >= LARGE
        and not torch.is_autocast_enabled("cpu")
    )


def product(x_MI: Tensor, weight_OI: Tensor) -> Tensor:
    """Return x · weightᵀ, (M, O), without a gradient. The weight may be packed."""
    out: Tensor = torch.ops.mkldnn._linear_pointwise(x_MI, weight_OI, None, "none", [], "")
    return out


def packed(weight_OI: Tensor, rows: int) -> Tensor:
    """Return a copy of the weight in the layout that suits products of `rows` rows; only `product` can
    read it.
    """
    out: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight_OI.detach().contiguous(), rows)
    return out


def linear(x: Tensor, weight_OI: Tensor) -> Tensor:
    """Return x · weightᵀ, (..., O), with a gradient."""
    out: Tensor = _Linear.apply(x, weight_OI)  # type: ignore[no-untyped-call]
    return out


def silu_gate(gate_up: Tensor, dim: int) -> Tensor:
    """Return silu(gate) · up of the two halves along `dim`, keeping only `gate_up` for the gradient."""
    out: Tensor = _SiluGate.apply(gate_up, dim)  # type: ignore[no-untyped-call]
    return out


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return product(x, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        rows = d_out.reshape(-1, d_out.shape[-1])
        return product(rows, weight.t()).view(x.shape), product(rows.t(), x.reshape(-1, x.shape[-1]).t())


class _SiluGate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor, dim: int) -> Tensor:
        ctx.dim = dim
        ctx.save_for_backward(gate_up)
        gate, up = gate_up.chunk(2, dim)
        return F.silu(gate).mul_(up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, None]:
        (gate_up,) = ctx.saved_tensors
        gate, up = gate_up.chunk(2, ctx.dim)
        d_gate_up = torch.empty_like(gate_up)
        d_gate, d_up = d_gate_up.chunk(2, ctx.dim)
        torch.mul(F.silu(gate), d_out, out=d_up)
        torch.ops.aten.silu_backward.grad_input(d_out * up, gate, grad_input=d_gate)
        return d_gate_up, None
