"""The parts every net is built from.

Shape suffixes: B puzzles, S positions (P prefix + L cells), D hidden, F inner width of a SwiGLU, N heads, K
head width, V symbols. Parameters are float32 and are cast to the dtype of what they meet, as the published
code does, so that one net runs in float32 and bfloat16 alike.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IGNORE = -100
"""Label of a cell that is not scored."""

NORM_EPS = 1e-5
"""Added to a mean square; the published default, and the only value that fused.py knows."""


def truncated_normal_(tensor: Tensor, std: float) -> Tensor:
    """Fill with a normal truncated at two sigma, widened so that what is left has standard deviation
    `std`, as in JAX.
    """
    inside = math.erf(math.sqrt(2))  # share of N(0, 1) within ±2
    # 1 - 2·2·φ(2) / inside, of N(0, 1) cut at ±2
    kept_std = math.sqrt(1 - 4 * math.exp(-2) / (math.sqrt(2 * math.pi) * inside))
    with torch.no_grad():
        return nn.init.trunc_normal_(tensor, std=std / kept_std, a=-2 * std / kept_std, b=2 * std / kept_std)


def at_least_float32(x: Tensor) -> Tensor:
    """Return x in float32, as the published code computes norms, angles and halting logits; float64 stays, so
    that a net in float64 is the measure of how far float32 strays.
    """
    return x if x.dtype == torch.float64 else x.float()


def rms_norm(x: Tensor, dim: int = -1, eps: float = NORM_EPS) -> Tensor:
    """Divide by the root mean square over `dim`, in float32 or better, without a learned gain."""
    x32 = at_least_float32(x)
    return (x32 * torch.rsqrt(x32.square().mean(dim, keepdim=True) + eps)).to(x.dtype)


class Linear(nn.Module):
    """A linear map with LeCun initialisation: weight (out, in)."""

    def __init__(self, n_in: int, n_out: int, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(truncated_normal_(torch.empty(n_out, n_in), 1 / math.sqrt(n_in)))
        self.bias = nn.Parameter(torch.zeros(n_out)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype), None if self.bias is None else self.bias.to(x.dtype))

    def over_positions(self, x_BSD: Tensor) -> Tensor:
        """Apply the map along the position axis: (B, in, D) -> (B, out, D)."""
        weight = self.weight.to(x_BSD.dtype)
        if weight.shape[1] % 8:  # tensor cores want aligned rows: keep an odd axis out of the contiguous one
            weight = weight.t().contiguous().t()
        return torch.bmm(weight.expand(len(x_BSD), -1, -1), x_BSD)


class Embedding(nn.Module):
    """A table (rows, D) with standard deviation `std`."""

    def __init__(self, rows: int, width: int, std: float) -> None:
        super().__init__()
        self.embedding_weight = nn.Parameter(truncated_normal_(torch.empty(rows, width), std))

    def forward(self, index: Tensor, dtype: torch.dtype) -> Tensor:
        return F.embedding(index, self.embedding_weight.to(dtype))


class PuzzleTable(nn.Module):
    """One vector per puzzle id, (ids, width), starting at zero.

    In training the rows of a batch are a leaf of their own, so that the optimiser of the table (sign-SGD)
    sees one gradient per sequence and touches only the rows that were used; `used` lists (ids (B,), rows (B,
    width)) since the last update.
    """

    weights: Tensor

    def __init__(self, ids: int, width: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.zeros(ids, width))
        self.used: list[tuple[Tensor, Tensor]] = []

    def forward(self, ids_B: Tensor, dtype: torch.dtype) -> Tensor:
        rows = self.weights[ids_B]
        if self.training and torch.is_grad_enabled():
            rows = rows.detach().requires_grad_()
            self.used.append((ids_B, rows))
        return rows.to(dtype)


class SwiGLU(nn.Module):
    """silu(gate) · up, inner width 2/3 · expansion · width rounded up to 256.

    `normalised` puts an RMS norm inside, sigmoid(gate) · norm(gate · up), which keeps activations bounded
    when weights are trained by Muon ("Speed is Confidence").
    """

    def __init__(self, width: int, expansion: float, normalised: bool = False, eps: float = NORM_EPS) -> None:
        super().__init__()
        inner = -(-round(expansion * width * 2 / 3) // 256) * 256
        self.normalised, self.eps = normalised, eps
        self.gate_up_proj = Linear(width, 2 * inner)
        self.down_proj = Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(self._gated(self.gate_up_proj(x), -1))
        return out

    def over_positions(self, x_BSD: Tensor) -> Tensor:
        """The same along the position axis, without transposing the activations."""
        return self.down_proj.over_positions(self._gated(self.gate_up_proj.over_positions(x_BSD), 1))

    def _gated(self, gate_up: Tensor, dim: int) -> Tensor:
        gate, up = gate_up.chunk(2, dim)
        if self.normalised:
            return torch.sigmoid(gate) * rms_norm(gate * up, dim, self.eps)
        return F.silu(gate) * up


class Rope(nn.Module):
    """Rotary position angles, (S, K) cosines and sines (RoFormer, eq. 34)."""

    cos: Tensor
    sin: Tensor

    def __init__(self, head_width: int, positions: int, base: float = 10_000.0) -> None:
        super().__init__()
        rate = 1.0 / base ** (torch.arange(0, head_width, 2, dtype=torch.float32) / head_width)
        angle = torch.outer(torch.arange(positions, dtype=torch.float32), rate).repeat(1, 2)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, x_BSNK: Tensor) -> Tensor:
        x = at_least_float32(x_BSNK)
        first, second = x.chunk(2, dim=-1)
        turned = torch.cat((-second, first), dim=-1)
        return (x * self.cos[:, None] + turned * self.sin[:, None]).to(x_BSNK.dtype)


class Attention(nn.Module):
    """Full (not causal) multi-head self-attention with a fused qkv projection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.head_width = heads, width // heads
        self.qkv_proj = Linear(width, 3 * width)
        self.o_proj = Linear(width, width)

    def forward(self, x_BSD: Tensor, rope: Rope | None) -> Tensor:
        out_BSD: Tensor = self.o_proj(self.attend(self.qkv_proj(x_BSD), rope))
        return out_BSD

    def attend(self, qkv: Tensor, rope: Rope | None) -> Tensor:
        """Return what the heads gather from queries, keys and values (B, S, 3D): (B, S, D)."""
        B, S, _ = qkv.shape
        qkv = qkv.view(B, S, 3 * self.heads, self.head_width)
        q, k, v = qkv.split(self.heads, dim=2)  # type: ignore[no-untyped-call]
        if rope is not None:
            q, k = rope(q), rope(k)
        out = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        return out.transpose(1, 2).reshape(B, S, -1)


class Neighbours(nn.Module):
    """A linear map of each cell of a square canvas with its four neighbours, zeros beyond the edge; on a
    `torus` edges meet, and the diagonal neighbours count too. What stands behind the square has none.

    Recurrent nets of local maps with the input injected solve larger mazes than they were trained on, by
    going on for longer ("End-to-end Algorithm Synthesis with Recurrent Networks", arXiv 2202.05826).
    """

    def __init__(self, width: int, torus: bool = False) -> None:
        super().__init__()
        self.torus = torus
        self.proj = Linear((9 if torus else 5) * width, width)

    def forward(self, x_BSD: Tensor) -> Tensor:
        B, S, D = x_BSD.shape
        side = math.isqrt(S)
        x = x_BSD[:, : side * side].reshape(B, side, side, D)
        if self.torus:
            x = torch.cat((x[:, -1:], x, x[:, :1]), dim=1)
            x = torch.cat((x[:, :, -1:], x, x[:, :, :1]), dim=2)
        else:
            x = F.pad(x, (0, 0, 1, 1, 1, 1))
        places = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)]
        if self.torus:
            places += [(0, 0), (0, 2), (2, 0), (2, 2)]
        seen = torch.cat([x[:, r : r + side, c : c + side] for r, c in places], dim=-1)
        out: Tensor = self.proj(seen).view(B, side * side, D)
        return F.pad(out, (0, 0, 0, S - side * side))


class Block(nn.Module):
    """Mix positions, then channels; each with a residual and the norm after it (post-norm).

    Positions are mixed by attention, by a SwiGLU over the position axis (`mixer_positions` of them: the MLP
    variant), or each with its neighbours (`local`).
    """

    def __init__(
        self,
        width: int,
        heads: int,
        expansion: float,
        *,
        mixer_positions: int | None = None,
        local: bool = False,
        torus: bool = False,
        normalised: bool = False,
        eps: float = NORM_EPS,
    ) -> None:
        super().__init__()
        self.eps = eps
        if local:
            self.neighbours = Neighbours(width, torus)
        elif mixer_positions is None:
            self.self_attn = Attention(width, heads)
        else:
            self.mlp_t = SwiGLU(mixer_positions, expansion, normalised, eps)
        self.mixes_by_mlp, self.local = mixer_positions is not None, local
        self.mlp = SwiGLU(width, expansion, normalised, eps)

    def forward(self, x_BSD: Tensor, rope: Rope | None) -> Tensor:
        if self.mixes_by_mlp:
            # normalised over positions, as published
            x_BSD = rms_norm(x_BSD + self.mlp_t.over_positions(x_BSD), 1, self.eps)
        else:
            mixed = self.neighbours(x_BSD) if self.local else self.self_attn(x_BSD, rope)
            x_BSD = rms_norm(x_BSD + mixed, -1, self.eps)
        return rms_norm(x_BSD + self.mlp(x_BSD), -1, self.eps)


class Level(nn.Module):
    """A stack of blocks applied to a latent to which its input is added first (input injection)."""

    def __init__(self, blocks: list[Block]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(blocks)

    def forward(self, z_BSD: Tensor, injection_BSD: Tensor, rope: Rope | None) -> Tensor:
        z_BSD = z_BSD + injection_BSD
        for block in self.layers:
            z_BSD = block(z_BSD, rope)
        return z_BSD


class InputEmbedding(nn.Module):
    """Tokens, prefix and positions to the injected input x, (B, P + L, D), scaled by sqrt(D)."""

    def __init__(
        self,
        *,
        vocab: int,
        length: int,
        width: int,
        prefix: int,
        puzzle_ids: int,
        puzzle_width: int,
        learned: bool,
    ) -> None:
        super().__init__()
        self.width, self.prefix = width, prefix
        self.embed_tokens = Embedding(vocab, width, 1 / math.sqrt(width))
        self.embed_pos = Embedding(length + prefix, width, 1 / math.sqrt(width)) if learned else None
        self.puzzle_emb = PuzzleTable(puzzle_ids, puzzle_width) if prefix and puzzle_width else None

    def forward(self, tokens_BL: Tensor, ids_B: Tensor | None, dtype: torch.dtype) -> Tensor:
        x: Tensor = self.embed_tokens(tokens_BL, dtype)
        if self.prefix:
            B = len(tokens_BL)
            if self.puzzle_emb is None:
                rows = x.new_zeros(B, self.prefix * self.width)
            else:
                ids = tokens_BL.new_zeros(B) if ids_B is None else ids_B
                rows = self.puzzle_emb(ids, dtype)
                rows = F.pad(rows, (0, self.prefix * self.width - rows.shape[-1]))
            x = torch.cat((rows.view(B, self.prefix, self.width), x), dim=1)
        if self.embed_pos is not None:
            x = math.sqrt(0.5) * (x + self.embed_pos.embedding_weight.to(dtype))
        return math.sqrt(self.width) * x


def stablemax_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return -log s(x)_y / Σ s(x) per cell in float64, 0 where ignored; s(x) = x + 1 for x >= 0, 1 / (1 - x)
    below.

    Source: "Grokking at the edge of numerical stability" (arXiv 2501.04697), eq. 5.
    """
    x = logits.double()
    s = torch.where(x < 0, 1 / (1 - x + 1e-30), x + 1)
    log_p = torch.log(s / s.sum(-1, keepdim=True))
    scored = labels != IGNORE
    picked = log_p.gather(-1, labels.where(scored, 0).long().unsqueeze(-1)).squeeze(-1)
    return -picked.where(scored, 0)


def softmax_cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the usual cross-entropy per cell in float32 or better, 0 where ignored."""
    return F.cross_entropy(
        at_least_float32(logits).transpose(1, -1),
        labels.long(),
        ignore_index=IGNORE,
        reduction="none",
        label_smoothing=smoothing,
    )
