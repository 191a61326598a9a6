"""The MLP-mixer net on a recent NVIDIA GPU: its levels by Triton kernels (kernels.py), in training and
inference.

Between small matrix products most of the time goes into writing and reading activations; the kernels keep
them on the chip. Per block and forward: one kernel mixes positions entirely (SwiGLU, residual, norm), one
computes the gated inner activations of the channel MLP, torch multiplies them with the down projection, one
adds the residual and normalises. Backward: a kernel for each of the three, and torch's products for the
gradients of the weights.

The normalised SwiGLU divides by a root mean square over the inner width. Its down projection is linear, so
the division commutes with it and happens once at the end: W (σ(g)·gu / rms(gu)) = (W (silu(g)·u)) / rms(gu).

Shape suffixes as in layers.py; M = B·S rows.
"""

from __future__ import annotations

import os
import shutil
from functools import cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from solvers.nets.model.layers import NORM_EPS, Block, Level

try:
    import triton
    from triton.tools.tensor_descriptor import TensorDescriptor
# torch without CUDA comes without Triton, torch before 2.8 with one that knows no descriptors
except ImportError:
    triton = None
else:
    from solvers.nets.fast import kernels

STAGES = {False: 4, True: 3}
"""How many tiles `gated` has in flight, without and with what it keeps for the gradients: shared memory
bounds them.
"""

GRADIENTS = True
"""Whether what stands in for a level here has gradients."""


def usable(level: Level, z_BSD: Tensor) -> bool:
    """Say whether `StandIn` can stand in for `level` on this latent: an MLP mixer in bfloat16 on a recent
    NVIDIA GPU.
    """
    block = level.layers[0]
    return (
        triton is not None
        and z_BSD.is_cuda
        and z_BSD.dtype == torch.bfloat16
        and isinstance(block, Block)
        and block.mixes_by_mlp
        and block.eps == NORM_EPS
        and fits(*z_BSD.shape[1:])
        and torch.version.hip is None
        # others have less memory on the chip
        and torch.cuda.get_device_capability(z_BSD.device)[0] in (9, 10)
        and any(map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang")))  # Triton builds its launcher
    )


def fits(S: int, D: int) -> bool:
    """Say whether the kernels are for S positions of width D: one tile holds all positions, and one all of a
    row.

    They are right for widths from 128 on, but narrower ones than 512 have not been run on a GPU.
    """
    return 32 < S <= 128 and D >= 512 and D.bit_count() == 1


class Weights(NamedTuple):
    """The matrices of a block, cast for the kernels, those of the position mixer with zeros for padded
    positions.
    """

    mix_gate_up: Tensor  # (2F, padded S)
    mix_down: Tensor  # (padded S, F)
    gate_up: Tensor  # (2F', D), a row of gate, a row of up, and so on
    down: Tensor  # (D, F')
    normalised: bool


class StandIn:
    """A level with its weights cast and padded for the kernels; make it anew whenever weights have changed.

    Weights that have `dtype` already are not copied, so none may change between a forward pass and its
    gradients.
    """

    def __init__(self, level: Level, dtype: torch.dtype = torch.bfloat16) -> None:
        self.blocks: list[Weights] = []
        self.parameters: list[Tensor] = []
        for block in level.layers:
            assert isinstance(block, Block)
            mixer, mlp = block.mlp_t, block.mlp
            matrices = [
                p.weight for p in (mixer.gate_up_proj, mixer.down_proj, mlp.gate_up_proj, mlp.down_proj)
            ]
            self.parameters += matrices
            mix_gate_up, mix_down, gate_up, down = (m.detach().to(dtype) for m in matrices)
            pad = sum(_split(len(mix_down))) - len(mix_down)
            mix = F.pad(mix_gate_up, (0, pad)), F.pad(mix_down, (0, 0, 0, pad))
            in_turn = gate_up.unflatten(0, (2, -1)).transpose(0, 1).flatten(0, 1)
            self.blocks.append(Weights(*mix, in_turn, down, mixer.normalised))

    def __call__(self, z_BSD: Tensor, injection_BSD: Tensor, rope: Any = None) -> Tensor:
        """Return what the level returns, (B, S, D), for a latent and its injection of that shape in the dtype
        of the weights.

        There are gradients unless they are switched off. `rope` is for other levels: a mixer has no angles.
        """
        with torch.cuda.device_of(z_BSD):  # kernels start on the current device, whatever they are given
            if torch.is_grad_enabled():
                out: Tensor = _WithGradients.apply(z_BSD, injection_BSD, self.blocks, *self.parameters)
                return out
            injection: Tensor | None = injection_BSD.contiguous()
            z = z_BSD.contiguous()
            for w in self.blocks:
                z = mix_positions(z, injection, w)[0]
                inner, squares, _ = gated(z, w)
                z = add_and_norm(z, F.linear(inner, w.down), squares, w)[0]
                injection = None
            return z


class _WithGradients(torch.autograd.Function):
    """A level whose gradients are kernels too; kernels.py has the formulas."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, injection: Tensor, blocks: list[Weights], *_: Tensor) -> Tensor:
        ctx.blocks, kept = blocks, []
        x = (z + injection).contiguous()
        for w in blocks:
            mixed, *mix_factors = mix_positions(x, None, w, keeps=True)
            inner, squares, gate_up = gated(mixed, w, keeps=True)
            out, *factors = add_and_norm(mixed, F.linear(inner, w.down), squares, w, keeps=True)
            kept += [x, mixed, *mix_factors, inner, gate_up, out, *factors]
            x = out
        ctx.save_for_backward(*kept)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        d, gradients, kept = d_out.contiguous(), list[Tensor](), list(ctx.saved_tensors)
        with torch.cuda.device_of(d):
            for w in reversed(ctx.blocks):
                x, mixed, mix_norms, mix_scales, inner, gate_up, out, norms, scales = kept[-9:]
                del kept[-9:]
                d_y, scaled, shared = add_and_norm_backward(d, mixed, out, norms, scales, w)
                d_gate_up = gated_backward(scaled @ w.down, gate_up, shared, w)
                d_mixed = torch.addmm(d_y.flatten(0, 1), d_gate_up, w.gate_up).view_as(mixed)
                in_turn = d_gate_up.t() @ mixed.flatten(0, 1)
                wide = [
                    in_turn.unflatten(0, (-1, 2)).transpose(0, 1).flatten(0, 1),
                    scaled.flatten(0, 1).t() @ inner.flatten(0, 1),
                ]
                d, d_mix, hidden, mix_scaled = mix_positions_backward(
                    d_mixed, x, mixed, mix_norms, mix_scales, w
                )
                by_puzzle = torch.bmm(x, d_mix.transpose(1, 2)), torch.bmm(mix_scaled, hidden.transpose(1, 2))
                mix_gate_up, mix_down = (products.sum(0, dtype=torch.float32) for products in by_puzzle)
                gradients = [mix_gate_up.t(), mix_down, *(matrix.float() for matrix in wide), *gradients]
        return d, d, None, *gradients


def _split(S: int) -> tuple[int, int]:
    """Return two powers of two whose sum covers S positions tightly: tiles must be powers of two, and 81
    is far from 128.
    """
    first = 1 << ((S - 1).bit_length() - 1)
    return first, max(16, 1 << (S - first - 1).bit_length())


def _factors(normalised: bool, like: Tensor, *shape: int) -> tuple[Tensor, Tensor]:
    """Return room for 1/rms of what is normalised after the residual and, if `normalised`, inside the
    SwiGLU.
    """
    norms = like.new_empty(shape, dtype=torch.float32)
    return norms, torch.empty_like(norms) if normalised else norms


def mix_positions(
    x_BSD: Tensor, injection: Tensor | None, w: Weights, *, keeps: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Return rms_norm(x + SwiGLU over positions of x, over positions) for x = x (+ injection), and both
    factors, each (B, D).
    """
    B, S, D = x_BSD.shape
    first, rest = _split(S)
    out = torch.empty_like(x_BSD)
    norms, scales = _factors(w.normalised, x_BSD, B, D) if keeps else (out, out)
    columns = 64
    kernels.mix_positions[(B, D // columns)](
        x_BSD,
        x_BSD if injection is None else injection,
        w.mix_gate_up,
        w.mix_down,
        out,
        norms,
        scales,
        S,
        D,
        inner=w.mix_down.shape[1],
        first=first,
        rest=rest,
        columns=columns,
        chunk=64,
        injects=injection is not None,
        normalised=w.normalised,
        keeps=keeps,
        eps=NORM_EPS,
        num_warps=4,
        num_stages=2,
    )
    return out, norms, scales


def mix_positions_backward(
    d_out: Tensor, x_BSD: Tensor, out: Tensor, norms: Tensor, scales: Tensor, w: Weights
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of x and of gate and up (B, 2F, D), and what the weights' gradients are made
    of: h (B, F, D), s·dy.
    """
    B, S, D = x_BSD.shape
    first, rest = _split(S)
    inner = w.mix_down.shape[1]
    d_x, scaled = torch.empty_like(x_BSD), torch.empty_like(x_BSD)
    d_gate_up, hidden = x_BSD.new_empty(B, 2 * inner, D), x_BSD.new_empty(B, inner, D)
    columns = 64
    kernels.mix_positions_backward[(B, D // columns)](
        d_out,
        x_BSD,
        out,
        norms,
        scales,
        w.mix_gate_up,
        w.mix_down,
        d_x,
        d_gate_up,
        hidden,
        scaled,
        S,
        D,
        inner=inner,
        first=first,
        rest=rest,
        columns=columns,
        chunk=64,
        normalised=w.normalised,
        num_warps=4,
        num_stages=2,
    )
    return d_x, d_gate_up, hidden, scaled


def gated(x_BSD: Tensor, w: Weights, *, keeps: bool = False) -> tuple[Tensor, Tensor | None, Tensor]:
    """Return silu(gate)·up, (B, S, F); (gate·up)² summed over parts of F, (parts, M) float32; gate and up,
    in turn, (M, 2F).
    """
    B, S, D = x_BSD.shape
    M, inner = B * S, w.down.shape[1]
    rows, columns, depth = 128, 128, 64
    out = x_BSD.new_empty(B, S, inner)
    squares = x_BSD.new_empty(inner // columns, M, dtype=torch.float32) if w.normalised else None
    kept = x_BSD.new_empty(M, 2 * inner) if keeps else out
    tiles, processors = triton.cdiv(M, rows) * (inner // columns), _processors(x_BSD.device)
    # each is compiled for itself: few
    programs = processors if tiles >= processors else 1 << (tiles.bit_length() - 1)
    kernels.gated[(programs,)](
        TensorDescriptor.from_tensor(x_BSD.view(M, D), [rows, depth]),
        TensorDescriptor.from_tensor(w.gate_up, [2 * columns, depth]),
        TensorDescriptor.from_tensor(out.view(M, inner), [rows, columns]),
        out if squares is None else squares,
        kept,
        M,
        D=D,
        inner=inner,
        programs=programs,
        rows=rows,
        columns=columns,
        depth=depth,
        normalised=w.normalised,
        keeps=keeps,
        num_warps=8,
        num_stages=STAGES[keeps],
    )
    return out, squares, kept


@cache
def _processors(device: torch.device) -> int:
    """Return the number of multiprocessors; a few where Triton is interpreted."""
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 4


def gated_backward(d_hidden_BSF: Tensor, gate_up: Tensor, shared: Tensor, w: Weights) -> Tensor:
    """Return the gradient of gate and up, (M, 2F)."""
    B, S, inner = d_hidden_BSF.shape
    rows, columns = 16, 128
    out = torch.empty_like(gate_up)
    kernels.gated_backward[(inner // columns, triton.cdiv(B * S, rows))](
        d_hidden_BSF,
        gate_up,
        shared,
        out,
        B * S,
        inner=inner,
        rows=rows,
        columns=columns,
        normalised=w.normalised,
        num_warps=4,
    )
    return out


def add_and_norm(
    x_BSD: Tensor, update_BSD: Tensor, squares: Tensor | None, w: Weights, *, keeps: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Return rms_norm(x + update / rms), the rms from what `gated` summed (None: undivided), and both
    factors, each (M,).
    """
    B, S, D = x_BSD.shape
    out = torch.empty_like(x_BSD)
    norms, scales = _factors(w.normalised, x_BSD, B * S) if keeps else (out, out)
    rows = 8
    kernels.add_and_norm[(triton.cdiv(B * S, rows),)](
        x_BSD,
        update_BSD,
        out if squares is None else squares,
        out,
        norms,
        scales,
        B * S,
        w.down.shape[1],
        D=D,
        parts=0 if squares is None else squares.shape[0],
        rows=rows,
        keeps=keeps,
        eps=NORM_EPS,
        num_warps=4,
    )
    return out, norms, scales


def add_and_norm_backward(
    d_out: Tensor, x_BSD: Tensor, out: Tensor, norms: Tensor, scales: Tensor, w: Weights
) -> tuple[Tensor, Tensor, Tensor]:
    """Return dy, s·dy, both (B, S, D), and what the gradient of p takes off every p, (M,)."""
    B, S, D = x_BSD.shape
    d_y = torch.empty_like(x_BSD)
    scaled = torch.empty_like(x_BSD) if w.normalised else d_y
    shared = torch.empty_like(norms)
    rows = 8
    kernels.add_and_norm_backward[(triton.cdiv(B * S, rows),)](
        d_out,
        x_BSD,
        out,
        norms,
        scales,
        d_y,
        scaled,
        shared,
        B * S,
        w.down.shape[1],
        D=D,
        rows=rows,
        normalised=w.normalised,
        num_warps=4,
    )
    return d_y, scaled, shared
