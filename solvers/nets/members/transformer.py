"""Feed-forward control: the same blocks with recursion switched off. One application, one supervision
step, no halting.
"""

from __future__ import annotations

from typing import Any

from solvers.nets.model.config import TrmConfig
from solvers.nets.solver import NetSolver


def transformer_config(**fields: Any) -> TrmConfig:
    """Return a plain transformer with `fields` replaced; `L_layers` is its depth, `hidden_size` its width,
    both free.
    """
    defaults: dict[str, Any] = {
        "L_layers": 8,
        "single_z": True,
        "inject": "always",
        "H_cycles": 1,
        "L_cycles": 0,
        "halt_max_steps": 1,
        "puzzle_emb_len": 0,
        "puzzle_emb_ndim": 0,
        "pos_encodings": "learned",
    }
    return TrmConfig(**defaults | fields)


class TransformerSolver(NetSolver):
    """Feed-forward transformer, the control without recursion."""

    net = "transformer"
    configure = staticmethod(transformer_config)
