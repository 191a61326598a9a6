"""Hierarchical Reasoning Model (arXiv 2506.21734): the recursion of TRM with two networks, a one-step
gradient and Q-halting.
"""

from __future__ import annotations

from typing import Any

from harness.errors import UserError
from solvers.nets.model.config import TrmConfig
from solvers.nets.solver import NetSolver


def hrm_config(**fields: Any) -> TrmConfig:
    """Return the published HRM configuration (27M parameters at its default sizes) with `fields` replaced."""
    published: dict[str, Any] = {
        "H_layers": 4,
        "L_layers": 4,
        "H_cycles": 2,
        "L_cycles": 2,
        "gradient": "application",
        "no_ACT_continue": False,
        "puzzle_emb_len": 0,
    }
    if fields.get("H_layers", 1) < 1:
        raise UserError(
            f"H_layers is {fields['H_layers']}.",
            rule="HRM has two networks.",
            next_step="TRM has one: --solver trm.",
        )
    return TrmConfig(**published | fields)


class HrmSolver(NetSolver):
    """Hierarchical Reasoning Model, from imported or trained weights."""

    net = "hrm"
    configure = staticmethod(hrm_config)
