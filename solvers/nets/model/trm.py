"""Tiny Recursive Model (arXiv 2510.04871): one small network that improves a latent z and an answer y over
and over.

Naming follows the published code: z_H is the paper's answer y, z_L its latent z. One *supervision step* is
`H_cycles` cycles; a cycle updates z_L `L_cycles` times and z_H once. The Hierarchical Reasoning Model is the
same recursion with two networks and a shorter gradient (`hrm.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from harness.errors import UserError
from solvers.nets.fast import fused, packed
from solvers.nets.fast import switch as fast
from solvers.nets.model.layers import (
    Block,
    InputEmbedding,
    Level,
    Linear,
    Positions,
    Rope,
    at_least_float32,
    truncated_normal_,
)
from solvers.nets.solver import NetSolver

State = tuple[Tensor, ...]
Levels = tuple[Callable[..., Tensor], Callable[..., Tensor]]
"""What updates z_L and what updates z_H, each (z, injection, rope) -> z, all (B, S, D); the same for one
network.
"""


@dataclass(frozen=True, kw_only=True)
class TrmConfig:
    """A complete description of the net; field names are those of the published configuration files."""

    vocab_size: int  # symbols, from the task
    seq_len: int  # cells, from the task
    hidden_size: int = 512  # width of a position's vector
    num_heads: int = 8  # of attention; the MLP mixer has none
    expansion: float = 4.0  # the SwiGLU is 2/3 of this times hidden_size wide
    L_layers: int = 2  # blocks of the network that updates the low latent
    H_layers: int = 0  # blocks of the second network; 0: one network does both updates (TRM)
    H_cycles: int = 3  # cycles of a supervision step, each ending with an update of the high latent
    L_cycles: int = 6  # updates of the low latent in a cycle
    mlp_t: bool = False  # mix positions by an MLP instead of attention
    pos_encodings: Positions = "rope"  # of the attention
    rope_theta: float = 10_000.0  # base of the rotations' wavelengths
    rms_norm_eps: float = 1e-5  # added to the mean square
    puzzle_emb_len: int = 16  # prefix positions; 0: as many as the puzzle-id vector fills, rounded up
    # width of the puzzle-id vector; None: hidden_size; 0: no vector, the prefix is blank
    puzzle_emb_ndim: int | None = None
    num_puzzle_identifiers: int = 1  # rows of the puzzle-id table
    halt_max_steps: int = 16  # most supervision steps of a puzzle in training
    halt_exploration_prob: float = 0.1  # of not halting before a drawn number of supervision steps
    # halt when q_halt > 0; False: when q_halt > q_continue, with the continue loss
    no_ACT_continue: bool = True
    # through the whole last cycle, or one application of each update
    gradient: Literal["cycle", "application"] = "cycle"
    single_z: bool = False  # ablation: one latent, updated L_cycles + 1 times a cycle
    # with single_z, updates that see the input: all but a cycle's last, or all (looped)
    inject: Literal["L", "always"] = "L"
    normalised_swiglu: bool = False  # see layers.SwiGLU

    def __post_init__(self) -> None:
        for name in (
            "vocab_size",
            "seq_len",
            "hidden_size",
            "num_heads",
            "L_layers",
            "H_cycles",
            "halt_max_steps",
        ):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}.", rule="It must be at least 1.")
        for name in ("rope_theta", "rms_norm_eps"):
            if not 0 < getattr(self, name) < math.inf:
                raise UserError(f"{name} is {getattr(self, name)}.", rule="It must be greater than 0.")
        heads = self.num_heads * (2 if self.pos_encodings == "rope" else 1)
        if not self.mlp_t and self.hidden_size % heads:
            width = "even" if self.pos_encodings == "rope" else "equal"
            raise UserError(
                f"hidden_size {self.hidden_size} does not split into {self.num_heads} heads of {width} "
                "width.",
                next_step=f"Choose a hidden_size that is a multiple of {heads}.",
            )
        if self.L_cycles < (0 if self.single_z and self.inject == "always" else 1):
            raise UserError(
                f"L_cycles is {self.L_cycles}.", rule="It must be at least 1, or the input is never seen."
            )
        if self.single_z and self.H_layers:
            raise UserError(
                "single_z was asked for with a second network.", rule="One latent is updated by one network."
            )
        vector = self.hidden_size if self.puzzle_emb_ndim is None else self.puzzle_emb_ndim
        prefix = self.puzzle_emb_len or -(-vector // self.hidden_size)
        if min(prefix, vector) < 0 or vector > prefix * self.hidden_size:
            raise UserError(
                f"A puzzle-id vector of puzzle_emb_ndim={vector} does not fit into puzzle_emb_len={prefix} "
                "positions.",
                rule=f"Each holds hidden_size={self.hidden_size} numbers.",
                next_step="Give puzzle_emb_len=0 for as many positions as it takes.",
            )
        object.__setattr__(self, "puzzle_emb_ndim", vector)
        object.__setattr__(self, "puzzle_emb_len", prefix)

    def build(self) -> TrmNet:
        """Return a freshly initialised net."""
        return TrmNet(self)

    def at_cycles(self, H_cycles: int, L_cycles: int) -> TrmConfig:
        """Return the same configuration with other cycles, as a depth curriculum asks for."""
        return replace(self, H_cycles=H_cycles, L_cycles=L_cycles)


@dataclass(frozen=True, kw_only=True)
class TrainStep:
    """A supervision step in training, as the losses need it."""

    z: State  # carried on, to be detached
    logits: Tensor  # (B, L, V) for the token loss
    q: Tensor  # (B, 2) halting logits
    answer: Tensor  # (B, L, V) logits of the answer that halting is judged by
    extra_loss: Tensor | None = None  # scalar: a further loss, summed over sequences


class TrmNet(nn.Module):
    """Latents are tuples (z_H, z_L), each (B, S, D); with `single_z` the tuple holds z_H alone."""

    stochastic = False  # True: `step` takes noise, and two rollouts of a puzzle differ

    def __init__(self, config: TrmConfig) -> None:
        super().__init__()
        self.config = c = config
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
        rotary = c.pos_encodings == "rope" and not c.mlp_t
        self.rope = Rope(D // c.num_heads, positions, c.rope_theta) if rotary else None

        def level(layers: int) -> Level:
            options: dict[str, Any] = {
                "mixer_positions": positions if c.mlp_t else None,
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

    def initial_in_training(self, B: int, dtype: torch.dtype) -> State:
        """Return the latents a training sequence starts from: what `train_step` carries."""
        return self.initial(B, dtype)

    def train_step(self, z: State, x: Tensor, labels_BL: Tensor) -> TrainStep:
        """Do one supervision step of training; the labels are for nets whose training looks at them."""
        z = self.step(z, x)
        logits, q = self.read(z)
        return TrainStep(z=z, logits=logits, q=q, answer=logits)

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
        if not fast.allowed() or applications < 3:
            return networks
        for kind in (fused, packed):
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


class TrmSolver(NetSolver):
    """Tiny Recursive Model, trained weights from this project or `-S weights=FILE`."""

    net = "trm"
