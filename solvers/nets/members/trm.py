"""Tiny Recursive Model (arXiv 2510.04871): `solvers/nets/model/trm.py` as published."""

from __future__ import annotations

from solvers.nets.model.config import TrmConfig
from solvers.nets.solver import NetSolver


class TrmSolver(NetSolver):
    """Tiny Recursive Model, trained weights from this project or `-S weights=FILE`."""

    net = "trm"
    configure = TrmConfig
