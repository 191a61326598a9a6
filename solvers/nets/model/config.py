"""What a net is built from: its sizes and everything else that decides which function its weights are.

Nothing here needs torch: a configuration can be read, checked and compared without it.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from harness.errors import UserError

Positions = Literal["none", "rope", "learned"]


MOST_EXPANSION = 1000


@dataclass(frozen=True, kw_only=True)
class NetConfig:
    """What training and inference ask of the configuration of any net; subclasses add their own fields."""

    place: ClassVar[str] = ""  # "module:Class" of the net, which takes the configuration

    vocab_size: int  # symbols, from the task
    seq_len: int  # cells, from the task
    num_puzzle_identifiers: int = 1  # rows of the puzzle-id table
    halt_max_steps: int = 16  # most supervision steps of a puzzle in training
    halt_exploration_prob: float = 0.1  # of not halting before a drawn number of supervision steps
    # halt when q_halt > 0; False: when q_halt > q_continue, with the continue loss
    no_ACT_continue: bool = True

    def __post_init__(self) -> None:
        self.at_least_1("vocab_size", "seq_len", "halt_max_steps")

    def at_least_1(self, *names: str) -> None:
        """Raise UserError for the first of these fields that is smaller."""
        for name in names:
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}.", rule="It must be at least 1.")

    def build(self) -> Any:
        """Return a freshly initialised net, a `solvers.nets.model.recursive.RecursiveNet`."""
        module, _, attribute = self.place.partition(":")
        return getattr(importlib.import_module(module), attribute)(self)

    @property
    def any_length(self) -> bool:
        """Whether the same weights play a canvas of any number of cells."""
        return False

    def at_cycles(self, H_cycles: int, L_cycles: int) -> NetConfig:
        """Return the same configuration with other cycles; nets that have none refuse."""
        raise UserError(
            f"A depth curriculum asks for {H_cycles} and {L_cycles} cycles.",
            rule=f"{type(self).__name__} has no cycles.",
            next_step="Leave depth_curriculum out of the recipe.",
        )


@dataclass(frozen=True, kw_only=True)
class TrmConfig(NetConfig):
    """TRM, and by its fields HRM, the looped transformer and the feed-forward control. Field names are those
    of the published configuration files.
    """

    place = "solvers.nets.model.trm:TrmNet"

    hidden_size: int = 512  # width of a position's vector
    num_heads: int = 8  # of attention; the MLP mixer has none
    expansion: float = 4.0  # the SwiGLU is 2/3 of this times hidden_size wide
    L_layers: int = 2  # blocks of the network that updates the low latent
    H_layers: int = 0  # blocks of the second network; 0: one network does both updates (TRM)
    H_cycles: int = 3  # cycles of a supervision step, each ending with an update of the high latent
    L_cycles: int = 6  # updates of the low latent in a cycle
    mlp_t: bool = False  # mix positions by an MLP instead of attention
    # mix a cell with its four neighbours on a square canvas instead: the same weights play any size
    local: bool = False
    # with local: the edges of the square meet and diagonal neighbours count too; marks may stand behind it
    torus: bool = False
    pos_encodings: Positions = "rope"  # of the attention
    rope_theta: float = 10_000.0  # base of the rotations' wavelengths
    rms_norm_eps: float = 1e-5  # added to the mean square
    puzzle_emb_len: int = 16  # prefix positions; 0: as many as the puzzle-id vector fills, rounded up
    # width of the puzzle-id vector; None: hidden_size; 0: no vector, the prefix is blank
    puzzle_emb_ndim: int | None = None
    # through the whole last cycle, or one application of each update
    gradient: Literal["cycle", "application"] = "cycle"
    single_z: bool = False  # ablation: one latent, updated L_cycles + 1 times a cycle
    # with single_z, updates that see the input: all but a cycle's last, or all (looped)
    inject: Literal["L", "always"] = "L"
    normalised_swiglu: bool = False  # see layers.SwiGLU

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least_1("hidden_size", "num_heads", "L_layers", "H_cycles")
        for name in ("rope_theta", "rms_norm_eps"):
            if not 0 < getattr(self, name) < math.inf:
                raise UserError(f"{name} is {getattr(self, name)}.", rule="It must be greater than 0.")
        if not (self.expansion <= MOST_EXPANSION and round(self.expansion * self.hidden_size * 2 / 3) >= 1):
            raise UserError(
                f"expansion is {self.expansion:g}.",
                rule=f"2/3 of it times hidden_size must be at least 1, and it at most {MOST_EXPANSION}.",
            )
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
        if self.local and (self.mlp_t or prefix or self.pos_encodings == "learned"):
            raise UserError(
                "local was asked for with an MLP mixer, a prefix or learned positions.",
                rule="It knows a cell's neighbours and nothing else.",
                next_step="Give puzzle_emb_len=0, puzzle_emb_ndim=0, mlp_t=false and pos_encodings=none.",
            )
        if self.torus and not self.local:
            raise UserError("torus was asked for without local.", rule="It says which neighbours a cell has.")
        if self.local and not self.torus and math.isqrt(self.seq_len) ** 2 != self.seq_len:
            raise UserError(
                f"{self.seq_len} cells are no square.", rule="local knows neighbours on a square."
            )
        object.__setattr__(self, "puzzle_emb_ndim", vector)
        object.__setattr__(self, "puzzle_emb_len", prefix)

    @property
    def any_length(self) -> bool:
        """Rotary positions are computed; learned positions and the MLP mixer hold weights for each cell."""
        return not self.mlp_t and self.pos_encodings != "learned"

    def at_cycles(self, H_cycles: int, L_cycles: int) -> TrmConfig:
        """Return the same configuration with other cycles, as a depth curriculum asks for."""
        return replace(self, H_cycles=H_cycles, L_cycles=L_cycles)


@dataclass(frozen=True, kw_only=True)
class GramConfig(TrmConfig):
    """TRM's configuration and the weights of the variational terms."""

    place = "solvers.nets.model.gram:GramNet"

    # 1: the bound itself; less, and the posterior may tell the recursion the answer for little
    kl_weight: float = 1.0
    # transitions of a supervision step that the Kullback-Leibler term counts
    kl_over: Literal["last", "all"] = "last"
    # share of the Kullback-Leibler gradient that moves the prior; the rest moves the posterior
    kl_balance: float = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kl_weight < 0:
            raise UserError(f"kl_weight is {self.kl_weight}.", rule="It must be at least 0.")
        if not 0 <= self.kl_balance <= 1:
            raise UserError(f"kl_balance is {self.kl_balance}.", rule="It is a share, between 0 and 1.")
        if not self.no_ACT_continue:
            raise UserError(
                "no_ACT_continue is False.", rule="A gram net halts when q_halt > 0; it has no continue loss."
            )
