"""Tiny Recursive Model (arXiv 2510.04871): one small network that improves a latent z and an answer y over
and over.

Naming follows the published code: z_H is the paper's answer y, z_L its latent z. One *supervision step* is
`H_cycles` cycles; a cycle updates z_L `L_cycles` times and z_H once. The Hierarchical Reasoning Model is the
same recursion with two networks and a shorter gradient (`hrm.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from solvers.nets.model.config import TrmConfig
from solvers.nets.model.layers import (
    Block,
    InputEmbedding,
    Level,
    Linear,
    Rope,
    at_least_float32,
    truncated_normal_,
)
from solvers.nets.model.recursive import RecursiveNet, State
from solvers.nets.model.standins import installed

Levels = tuple[Callable[..., Tensor], Callable[..., Tensor]]
"""What updates z_L and what updates z_H, each (z, injection, rope) -> z, all (B, S, D); the same for one
network.
"""


class TrmNet(RecursiveNet):
    """Latents are tuples (z_H, z_L), each (B, S, D); with `single_z` the tuple holds z_H alone."""

    config: TrmConfig

    def __init__(self, config: TrmConfig) -> None:
        super().__init__(config)
        c = config
        D = c.hidden_size
        self.prefix = c.puzzle_emb_len
        assert c.puzzle_emb_ndim is not None  # set by then
        positions = c.seq_len + self.prefix
        self.embedding = InputEmbedding(
            vocab=c.vocab_size,
            length=c.seq_len,
            width=D,
            prefix=self.prefix,
            puzzle_ids=c.num_puzzle_identifiers,
            puzzle_width=c.puzzle_emb_ndim,
            learned=c.pos_encodings == "learned",
        )
        rotary = c.pos_encodings == "rope" and not (c.mlp_t or c.local)
        self.rope = Rope(D // c.num_heads, positions, c.rope_theta) if rotary else None

        def level(layers: int) -> Level:
            options: dict[str, Any] = {
                "mixer_positions": positions if c.mlp_t else None,
                "local": c.local,
                "torus": c.torus,
                "normalised": c.normalised_swiglu,
                "eps": c.rms_norm_eps,
            }
            return Level([Block(D, c.num_heads, c.expansion, **options) for _ in range(layers)])

        self.L_level = level(c.L_layers)
        self.H_level = level(c.H_layers) if c.H_layers else None
        self.lm_head = Linear(D, c.vocab_size)
        self.q_head = Linear(D, 2, bias=True)
        with torch.no_grad():  # start out sure that the answer is not finished
            self.q_head.weight.zero_()
            assert self.q_head.bias is not None
            self.q_head.bias.fill_(-5.0)
        self.register_buffer("H_init", truncated_normal_(torch.empty(D), 1.0))
        self.register_buffer("L_init", truncated_normal_(torch.empty(D), 1.0))

    def initial(self, B: int, dtype: torch.dtype) -> State:
        """Return the latents every puzzle starts from, each (B, S, D)."""
        S = self.config.seq_len + self.prefix
        starts = (self.H_init,) if self.config.single_z else (self.H_init, self.L_init)
        return tuple(start.to(dtype).expand(B, S, -1) for start in starts)  # type: ignore[operator]

    def start_from(self, z: State, proposals_BL: Tensor) -> State:
        """Add the embedding of a proposed answer to z_H, the answer's latent; ours, not the paper's."""
        symbols: Tensor = self.embedding.embed_tokens(proposals_BL.clamp_min(0), z[0].dtype)
        symbols = math.sqrt(self.config.hidden_size) * symbols * (proposals_BL >= 0)[..., None]
        cells = z[0][:, self.prefix :] + symbols
        return (torch.cat((z[0][:, : self.prefix], cells), dim=1), *z[1:])

    def embed(self, tokens_BL: Tensor, ids_B: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Return the injected input x, (B, S, D)."""
        x: Tensor = self.embedding(tokens_BL, ids_B, dtype)
        return x

    def step(self, z: State, x: Tensor) -> State:
        """Do one supervision step. Gradients flow through its last cycle (or last applications) only;
        detach z yourself.
        """
        applications, cut = self._applications()
        training = torch.is_grad_enabled()
        with torch.no_grad():
            levels = self._levels(x, cut if training else len(applications))
            z = self._recur(applications[:cut], z, x, levels)
        return self._recur(
            applications[cut:], z, x, self._levels(x, len(applications) - cut) if training else levels
        )

    def _applications(self) -> tuple[list[str], int]:
        """Return the updates of one supervision step and the index from which gradients flow."""
        c = self.config
        applications = [
            update for _ in range(c.H_cycles) for update in ("L",) * c.L_cycles + ("H",)
        ]  # e.g. H_cycles=2, L_cycles=2: L L H L L H
        return applications, len(applications) - (c.L_cycles + 1 if c.gradient == "cycle" else 2)

    def _levels(self, x: Tensor, applications: int) -> Levels:
        """Return what updates the latents so many times: the networks, or faster stand-ins where those are
        allowed.

        Stand-ins copy the weights first, which a few applications do not repay.
        """
        networks = (self.L_level, self.L_level if self.H_level is None else self.H_level)
        if applications < 3:
            return networks
        for kind in installed():
            if (kind.GRADIENTS or not torch.is_grad_enabled()) and all(
                kind.usable(network, x) for network in networks
            ):
                low = kind.StandIn(self.L_level)
                return low, low if self.H_level is None else kind.StandIn(self.H_level)
        return networks

    def _recur(self, updates: Sequence[str], z: State, x: Tensor, levels: Levels) -> State:
        """Do the updates in turn."""
        low, high = levels
        if self.config.single_z:
            for update in updates:
                seen = update == "L" or self.config.inject == "always"
                z = (low(z[0], x if seen else torch.zeros_like(x), self.rope),)
            return z
        z_H, z_L = z
        injection: Tensor | None = None
        for update in updates:
            if update == "L":
                injection = z_H + x if injection is None else injection
                z_L = low(z_L, injection, self.rope)
            else:
                z_H, injection = high(z_H, z_L, self.rope), None
        return z_H, z_L

    def read(self, z: State) -> tuple[Tensor, Tensor]:
        """Return logits (B, L, V) and halting logits (B, 2), float32 or better: halt, continue."""
        logits = self.lm_head(z[0][:, self.prefix :])
        return logits, at_least_float32(self.q_head(z[0][:, 0]))

    @property
    def passes_per_step(self) -> int:
        """Applications of a level in one supervision step."""
        return self.config.H_cycles * (self.config.L_cycles + 1)

    def compile_levels(self, **options: Any) -> None:
        """Replace the levels by compiled ones; the only large computations of the net."""
        self.L_level.compile(**options)
        if self.H_level is not None:
            self.H_level.compile(**options)
