"""Generative Recursive Reasoning (arXiv 2605.19376): `solvers/nets/model/gram.py`."""

from __future__ import annotations

from typing import ClassVar

from solvers.nets.model.config import GramConfig
from solvers.nets.solver import NetSolver


class GramSolver(NetSolver):
    """Generative Recursive Reasoning: TRM with learned stochastic updates; `-S samples=20` draws as many
    rollouts.
    """

    net = "gram"
    configure = GramConfig
    stochastic: ClassVar[bool] = True
