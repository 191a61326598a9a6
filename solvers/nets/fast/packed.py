"""A level on a CPU where no gradient is asked for: weights packed once, few puzzles at a time so that
activations stay in cache.

The counterpart of fused.py, with oneDNN's products instead of kernels of our own. As there, the normalised
SwiGLU divides after its down projection, with which the division commutes. Shape suffixes as in layers.py; M
= B·S rows.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from solvers.nets.fast import onednn
from solvers.nets.model.layers import NORM_EPS, Block, Level, Rope

GRADIENTS = False
"""Whether what stands in for a level here has gradients."""

ROWS = 400
"""Rows (positions of puzzles) of a chunk, for each thread: their inner activations, 5 MB at width 512,
stay in cache.
"""


def usable(level: Level, z_BSD: Tensor) -> bool:
    """Say whether `StandIn` can stand in for `level` on this latent: float32 on a CPU, and large."""
    block = cast(Block, level.layers[0])
    return block.eps == NORM_EPS and onednn.usable(z_BSD[: _puzzles(z_BSD)], block.mlp.gate_up_proj.weight)


def _puzzles(z_BSD: Tensor) -> int:
    """Return how many puzzles make a chunk."""
    return max(1, ROWS * torch.get_num_threads() // z_BSD.shape[1])


class StandIn:
    """A level with its weights packed; make it anew whenever weights have changed."""

    def __init__(self, level: Level) -> None:
        self.blocks = [_PackedBlock(cast(Block, block)) for block in level.layers]

    def __call__(self, z_BSD: Tensor, injection_BSD: Tensor, rope: Rope | None = None) -> Tensor:
        """Return what the level returns, without gradients."""
        out = torch.empty_like(z_BSD, memory_format=torch.contiguous_format)
        size = _puzzles(z_BSD)
        for start in range(0, len(out), size):
            chunk, z, injection = (whole[start : start + size] for whole in (out, z_BSD, injection_BSD))
            torch.add(z, injection, out=chunk)
            for block in self.blocks:
                block(chunk, rope)
        return out


class _PackedBlock:
    def __init__(self, block: Block) -> None:
        self.attention = None if block.mixes_by_mlp else block.self_attn
        if self.attention is None:  # here the weights are the left factor, which is never packed
            self.mixer_normalised = block.mlp_t.normalised
            self.mix_in, self.mix_out = (
                block.mlp_t.gate_up_proj.weight.detach(),
                block.mlp_t.down_proj.weight.detach(),
            )
        else:
            self.mix_in, self.mix_out = (
                onednn.packed(linear.weight, ROWS)
                for linear in (self.attention.qkv_proj, self.attention.o_proj)
            )
        self.normalised = block.mlp.normalised
        gate, up = block.mlp.gate_up_proj.weight.chunk(2)
        self.gate, self.up, self.down = (
            onednn.packed(weight, ROWS) for weight in (gate, up, block.mlp.down_proj.weight)
        )

    def __call__(self, x_BSD: Tensor, rope: Rope | None) -> None:
        """Apply the block to x in place."""
        x_MD = x_BSD.view(-1, x_BSD.shape[-1])
        if self.attention is None:
            for x_SD in x_BSD:
                gate, up = onednn.product(self.mix_in, x_SD.t()).chunk(2)
                inner, scale = _gated(gate, up, self.mixer_normalised, 0)
                _add_and_norm(x_SD, onednn.product(self.mix_out, inner.t()), scale, 0)
        else:
            heads = self.attention.attend(onednn.product(x_MD, self.mix_in).view(*x_BSD.shape[:2], -1), rope)
            _add_and_norm(x_MD, onednn.product(heads.reshape(x_MD.shape), self.mix_out), None, -1)
        inner, scale = _gated(
            onednn.product(x_MD, self.gate), onednn.product(x_MD, self.up), self.normalised, -1
        )
        _add_and_norm(x_MD, onednn.product(inner, self.down), scale, -1)


def _gated(gate: Tensor, up: Tensor, normalised: bool, dim: int) -> tuple[Tensor, Tensor | None]:
    """Return silu(gate) · up, in place of gate, and what a normalised SwiGLU multiplies with after its
    down projection.
    """
    if not normalised:
        return F.silu(gate, inplace=True).mul_(up), None
    scale = _inverse_rms(up.mul_(gate), dim)
    return gate.sigmoid_().mul_(up), scale


def _add_and_norm(x: Tensor, update: Tensor, scale: Tensor | None, dim: int) -> None:
    """Make x the norm of x + scale · update, over `dim`."""
    if scale is None:
        x.add_(update)
    else:
        x.addcmul_(update, scale)
    x.mul_(_inverse_rms(x, dim))


def _inverse_rms(x: Tensor, dim: int) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(x, dim=dim, keepdim=True)
    return norm.square_().div_(x.shape[dim]).add_(NORM_EPS).rsqrt_()
