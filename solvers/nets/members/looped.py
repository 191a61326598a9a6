"""Looped transformer: one stack of blocks applied again and again with input injection, on a single latent.

What TRM has and this has not: a second latent, cycles without gradient. What both have: depth without
parameters, deep supervision with carried state, halting. One supervision step is `L_cycles + 1` applications,
all with gradient.
"""

from __future__ import annotations

from typing import Any

from solvers.nets.model.config import TrmConfig
from solvers.nets.solver import NetSolver


def looped_config(**fields: Any) -> TrmConfig:
    """Return a looped transformer of 4 blocks and width 128 (1.06M parameters on 9×9 Sudoku) with `fields`
    replaced.
    """
    defaults: dict[str, Any] = {
        "hidden_size": 128,
        "num_heads": 4,
        "L_layers": 4,
        "single_z": True,
        "inject": "always",
        "H_cycles": 1,
        "L_cycles": 3,
        "puzzle_emb_len": 0,
        "puzzle_emb_ndim": 0,
        "pos_encodings": "learned",
    }
    return TrmConfig(**defaults | fields)


class LoopedSolver(NetSolver):
    """Looped transformer: recurrent depth on one latent, the plainest recursive net."""

    net = "looped"
    configure = staticmethod(looped_config)
