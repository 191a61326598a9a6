"""Forward kernels in Triton for the MLP-mixer net where no gradient is asked for: most of training and all of inference.

A TRM supervision step sends gradients through its last cycle only, so five in six applications of a level (6 cycles) are
forward alone. There the time goes into writing and reading activations between small matrix products; these kernels keep
them on the chip. Per block: one kernel mixes positions entirely (SwiGLU, residual, norm), one computes the gated inner
activations of the channel MLP, torch multiplies them with the down projection, one adds the residual and normalises.

The normalised SwiGLU divides by a root mean square over the inner width. Its down projection is linear, so the division
commutes with it and happens once at the end: W (σ(g)·gu / rms(gu)) = (W (silu(g)·u)) / rms(gu).

Shape suffixes as in layers.py; M = B·S rows.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from solvers.nets.layers import NORM_EPS, Block, Level

try:
    import triton
    import triton.language as tl
except ImportError:  # torch without CUDA comes without Triton
    triton = None


def usable(level: Level, z_BSD: Tensor) -> bool:
    """Say whether `Forward` can stand in for `level` on this latent: an MLP mixer in bfloat16 on a recent NVIDIA GPU."""
    block = level.layers[0]
    return (
        triton is not None
        and z_BSD.is_cuda
        and z_BSD.dtype == torch.bfloat16
        and isinstance(block, Block)
        and block.mixes_by_mlp
        and fits(*z_BSD.shape[1:])
        and torch.version.hip is None
        and torch.cuda.get_device_capability(z_BSD.device)[0] in (9, 10)  # others have less memory on the chip
        and any(map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang")))  # Triton builds its launcher
    )


def fits(S: int, D: int) -> bool:
    """Say whether the kernels were written for S positions of width D: one tile holds all positions, and one all of a row."""
    return 32 < S <= 128 and D >= 128 and D.bit_count() == 1


class Forward:
    """A level with its weights cast and padded for the kernels; make it anew whenever weights have changed."""

    def __init__(self, level: Level, dtype: torch.dtype = torch.bfloat16) -> None:
        self.blocks = []
        for block in level.layers:
            assert isinstance(block, Block)
            mixer, mlp = block.mlp_t, block.mlp
            S = mixer.down_proj.weight.shape[0]
            first, rest = _split(S)
            pad = first + rest - S
            gate_up = F.pad(mixer.gate_up_proj.weight, (0, pad)).to(dtype)
            down = F.pad(mixer.down_proj.weight, (0, 0, 0, pad)).to(dtype)
            channel = mlp.gate_up_proj.weight.to(dtype)
            self.blocks.append((gate_up, down, channel, mlp.down_proj.weight.to(dtype), mixer.normalised))

    def __call__(self, z_BSD: Tensor, injection_BSD: Tensor, rope: Any = None) -> Tensor:
        """Return what the level returns, without gradients."""
        with torch.cuda.device_of(z_BSD):  # kernels start on the current device, whatever they are given
            return self._forward(z_BSD, injection_BSD)

    def _forward(self, z_BSD: Tensor, injection_BSD: Tensor) -> Tensor:
        injection: Tensor | None = injection_BSD.contiguous()
        z = z_BSD.contiguous()
        for gate_up, down, channel, channel_down, normalised in self.blocks:
            z = mix_positions(z, injection, gate_up, down, normalised)
            inner, squares = gated(z, channel, normalised)
            z = add_and_norm(z, F.linear(inner, channel_down), squares if normalised else None, inner.shape[-1])
            injection = None
        return z


def _split(S: int) -> tuple[int, int]:
    """Return two powers of two whose sum covers S positions tightly: tiles must be powers of two, and 81 is far from 128."""
    first = 1 << ((S - 1).bit_length() - 1)
    return first, max(16, 1 << (S - first - 1).bit_length())


def mix_positions(z_BSD: Tensor, injection: Tensor | None, gate_up: Tensor, down: Tensor, normalised: bool) -> Tensor:
    """Return rms_norm(x + SwiGLU over positions of x, over positions) for x = z (+ injection).

    gate_up: (2F, padded S), down: (padded S, F).
    """
    B, S, D = z_BSD.shape
    first, rest = _split(S)
    out = torch.empty_like(z_BSD)
    columns = 64
    _mix_positions[(B, D // columns)](
        z_BSD,
        z_BSD if injection is None else injection,
        gate_up,
        down,
        out,
        S,
        D,
        inner=down.shape[1],
        first=first,
        rest=rest,
        columns=columns,
        chunk=64,
        injects=injection is not None,
        normalised=normalised,
        eps=NORM_EPS,
        num_warps=4,
        num_stages=2,
    )
    return out


def gated(x_BSD: Tensor, gate_up: Tensor, normalised: bool) -> tuple[Tensor, Tensor]:
    """Return silu(gate)·up, (B, S, F), and the squares of gate·up summed over parts of F, (parts, M) float32."""
    B, S, D = x_BSD.shape
    inner = gate_up.shape[0] // 2
    rows, columns = 128, 128
    out = torch.empty(B, S, inner, dtype=x_BSD.dtype, device=x_BSD.device)
    squares = torch.empty(inner // columns, B * S, dtype=torch.float32, device=x_BSD.device)
    grid = (inner // columns, triton.cdiv(B * S, rows))
    _gated[grid](
        x_BSD,
        gate_up,
        out,
        squares,
        B * S,
        D=D,
        inner=inner,
        rows=rows,
        columns=columns,
        depth=64,
        normalised=normalised,
        num_warps=8,
        num_stages=4,
    )
    return out, squares


def add_and_norm(x_BSD: Tensor, update_BSD: Tensor, squares: Tensor | None, inner: int) -> Tensor:
    """Return rms_norm(x + update / rms), the rms from what `gated` summed over `inner` channels; None: undivided."""
    B, S, D = x_BSD.shape
    out = torch.empty_like(x_BSD)
    rows = 8
    _add_and_norm[(triton.cdiv(B * S, rows),)](
        x_BSD,
        update_BSD,
        x_BSD if squares is None else squares,
        out,
        B * S,
        inner,
        D=D,
        parts=0 if squares is None else squares.shape[0],
        rows=rows,
        eps=NORM_EPS,
        num_warps=4,
    )
    return out


if triton is not None:

    @triton.jit
    def _mix_positions(
        z, injection, gate_up, down, out, S, D,
        inner: tl.constexpr, first: tl.constexpr, rest: tl.constexpr, columns: tl.constexpr, chunk: tl.constexpr,
        injects: tl.constexpr, normalised: tl.constexpr, eps: tl.constexpr,
    ):  # fmt: skip
        """One puzzle and `columns` channels: everything about their positions is on the chip. Tiles are (positions, channels)."""
        padded: tl.constexpr = first + rest
        base = tl.program_id(0).to(tl.int64) * S * D
        channel = tl.program_id(1) * columns + tl.arange(0, columns)
        low = tl.arange(0, first)
        high = first + tl.arange(0, rest)
        at_low = base + low[:, None] * D + channel[None, :]
        at_high = base + high[:, None] * D + channel[None, :]
        inside = high[:, None] < S
        x_low = tl.load(z + at_low)
        x_high = tl.load(z + at_high, mask=inside, other=0.0)
        if injects:
            x_low += tl.load(injection + at_low)
            x_high += tl.load(injection + at_high, mask=inside, other=0.0)
        x_low_t, x_high_t = tl.trans(x_low), tl.trans(x_high)  # (channels, positions)

        out_low = tl.zeros((columns, first), dtype=tl.float32)
        out_high = tl.zeros((columns, rest), dtype=tl.float32)
        squares = tl.zeros((columns,), dtype=tl.float32)
        for start in range(0, inner, chunk):
            unit = start + tl.arange(0, chunk)
            gate = tl.dot(x_low_t, tl.load(gate_up + unit[None, :] * padded + low[:, None]))
            gate = tl.dot(x_high_t, tl.load(gate_up + unit[None, :] * padded + high[:, None]), gate)
            up = tl.dot(x_low_t, tl.load(gate_up + (inner + unit[None, :]) * padded + low[:, None]))
            up = tl.dot(x_high_t, tl.load(gate_up + (inner + unit[None, :]) * padded + high[:, None]), up)
            product = gate * up
            if normalised:
                squares += tl.sum(product * product, axis=1)
            hidden = (tl.sigmoid(gate) * product if normalised else tl.sigmoid(gate) * gate * up).to(x_low.dtype)
            out_low = tl.dot(hidden, tl.load(down + low[None, :] * inner + unit[:, None]), out_low)
            out_high = tl.dot(hidden, tl.load(down + high[None, :] * inner + unit[:, None]), out_high)
        if normalised:
            scale = tl.rsqrt(squares / inner + eps)
            out_low *= scale[:, None]
            out_high *= scale[:, None]
        y_low = x_low.to(tl.float32) + tl.trans(out_low)
        y_high = x_high.to(tl.float32) + tl.trans(out_high)  # padded positions: x is 0 and so are their rows of `down`
        total = tl.sum(y_low * y_low, axis=0) + tl.sum(y_high * y_high, axis=0)
        norm = tl.rsqrt(total / S + eps)
        tl.store(out + at_low, (y_low * norm[None, :]).to(x_low.dtype))
        tl.store(out + at_high, (y_high * norm[None, :]).to(x_low.dtype), mask=inside)

    @triton.jit
    def _gated(
        x, gate_up, out, squares, M, D: tl.constexpr, inner: tl.constexpr,
        rows: tl.constexpr, columns: tl.constexpr, depth: tl.constexpr, normalised: tl.constexpr,
    ):  # fmt: skip
        """A tile of silu(x Wg)·(x Wu); neighbours in the grid share rows of x, which so come from the cache."""
        row = tl.program_id(1).to(tl.int64) * rows + tl.arange(0, rows)
        unit = tl.program_id(0) * columns + tl.arange(0, columns)
        inside = row < M
        gate = tl.zeros((rows, columns), dtype=tl.float32)
        up = tl.zeros((rows, columns), dtype=tl.float32)
        k = tl.arange(0, depth)
        at_x = x + row[:, None] * D + k[None, :]
        at_gate = gate_up + unit[None, :] * D + k[:, None]
        for start in range(0, D, depth):
            tile = tl.load(at_x + start, mask=inside[:, None], other=0.0)
            gate = tl.dot(tile, tl.load(at_gate + start), gate)
            up = tl.dot(tile, tl.load(at_gate + inner * D + start), up)
        product = gate * up
        if normalised:
            tl.store(squares + tl.program_id(0) * M + row, tl.sum(product * product, axis=1), mask=inside)
        hidden = tl.sigmoid(gate) * product
        tl.store(out + row[:, None] * inner + unit[None, :], hidden.to(x.dtype.element_ty), mask=inside[:, None])

    @triton.jit
    def _add_and_norm(
        x, update, squares, out, M, inner, D: tl.constexpr, parts: tl.constexpr, rows: tl.constexpr, eps: tl.constexpr
    ):  # fmt: skip
        """Some rows of rms_norm(x + update · rsqrt(mean of squares))."""
        row = tl.program_id(0).to(tl.int64) * rows + tl.arange(0, rows)
        inside = row < M
        at = row[:, None] * D + tl.arange(0, D)[None, :]
        y = tl.load(update + at, mask=inside[:, None], other=0.0).to(tl.float32)
        if parts > 0:
            total = tl.zeros((rows,), dtype=tl.float32)
            for part in range(parts):
                total += tl.load(squares + part * M + row, mask=inside, other=0.0)
            y *= tl.rsqrt(total / inner + eps)[:, None]
        y += tl.load(x + at, mask=inside[:, None], other=0.0).to(tl.float32)
        norm = tl.rsqrt(tl.sum(y * y, axis=1) / D + eps)
        tl.store(out + at, (y * norm[:, None]).to(out.dtype.element_ty), mask=inside[:, None])
