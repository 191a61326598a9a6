"""A plain rendering of the published TRM, MLP variant, to measure against: written from the paper, kept
deliberately simple.

What makes it plain: activations are transposed for the position mixer, every puzzle of a batch runs to full
depth, finished or not, and nothing is compiled or compacted.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def norm(x: Tensor) -> Tensor:
    x32 = x.to(torch.promote_types(x.dtype, torch.float32))
    return (x32 * torch.rsqrt(x32.pow(2).mean(-1, keepdim=True) + 1e-5)).to(x.dtype)


class Gated(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        inner = math.ceil(round(4 * width * 2 / 3) / 256) * 256
        self.gate_up_proj = nn.Linear(width, 2 * inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = F.linear(x, self.gate_up_proj.weight.to(x.dtype)).chunk(2, -1)
        return F.linear(F.silu(gate) * up, self.down_proj.weight.to(x.dtype))


class PlainBlock(nn.Module):
    def __init__(self, width: int, positions: int) -> None:
        super().__init__()
        self.mlp_t, self.mlp = Gated(positions), Gated(width)

    def forward(self, h: Tensor) -> Tensor:
        h = h.transpose(1, 2)
        h = norm(h + self.mlp_t(h))
        h = h.transpose(1, 2)
        return norm(h + self.mlp(h))


class PlainTrm(nn.Module):
    """Takes the weights of a TrmNet with `load_from`; prefix positions are blank."""

    def __init__(
        self, vocab: int, length: int, width: int, prefix: int, H_cycles: int, L_cycles: int, depth: int
    ) -> None:
        super().__init__()
        self.width, self.prefix, self.H_cycles, self.L_cycles, self.depth = (
            width,
            prefix,
            H_cycles,
            L_cycles,
            depth,
        )
        self.tokens = nn.Embedding(vocab, width)
        self.layers = nn.ModuleList(PlainBlock(width, length + prefix) for _ in range(2))
        self.lm_head = nn.Linear(width, vocab, bias=False)
        self.q_head = nn.Linear(width, 2)
        self.register_buffer("H_init", torch.zeros(width))
        self.register_buffer("L_init", torch.zeros(width))

    def load_from(self, net: Any) -> None:
        theirs = net.state_dict()
        names = {"tokens.weight": "embedding.embed_tokens.embedding_weight"}
        mine = {k: theirs[names.get(k, k.replace("layers.", "L_level.layers."))] for k in self.state_dict()}
        self.load_state_dict(mine)

    def level(self, z: Tensor, injection: Tensor) -> Tensor:
        z = z + injection
        for layer in self.layers:
            z = layer(z)
        return z

    def supervision_step(
        self, y: Tensor, z: Tensor, tokens: Tensor, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x = self.tokens(tokens).to(dtype) * math.sqrt(self.width)
        x = torch.cat((x.new_zeros(len(x), self.prefix, self.width), x), 1)
        with torch.no_grad():
            for _ in range(self.H_cycles - 1):
                for _ in range(self.L_cycles):
                    z = self.level(z, y + x)
                y = self.level(y, z)
        for _ in range(self.L_cycles):
            z = self.level(z, y + x)
        y = self.level(y, z)
        logits = F.linear(y, self.lm_head.weight.to(dtype))[:, self.prefix :]
        return y.detach(), z.detach(), logits, self.q_head(y[:, 0].to(self.q_head.weight.dtype))

    def start(self, batch: int, positions: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        return (
            self.H_init.to(dtype).expand(batch, positions, -1),
            self.L_init.to(dtype).expand(batch, positions, -1),
        )

    @torch.no_grad()
    def answer(self, tokens: Tensor, dtype: torch.dtype) -> Tensor:
        y, z = self.start(len(tokens), tokens.shape[1] + self.prefix, dtype)
        for _ in range(self.depth):
            y, z, logits, _ = self.supervision_step(y, z, tokens, dtype)
        return logits.argmax(-1)

    def loss(
        self, y: Tensor, z: Tensor, tokens: Tensor, labels: Tensor, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor, Tensor]:
        y, z, logits, q = self.supervision_step(y, z, tokens, dtype)
        x = logits.to(torch.float64)
        s = torch.where(x < 0, 1 / (1 - x + 1e-30), x + 1)
        log_p = torch.log(s / s.sum(-1, keepdim=True))
        token_loss = -log_p.gather(-1, labels[..., None]).squeeze(-1).mean(-1).sum()
        right = (logits.argmax(-1) == labels).all(-1)
        halt_loss = F.binary_cross_entropy_with_logits(q[:, 0], right.to(q.dtype), reduction="sum")
        return token_loss + 0.5 * halt_loss, y, z
