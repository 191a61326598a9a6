"""The optimal power flow by PYPOWER, a port of MATPOWER (extra `power`): what our own method is checked
against.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from harness.errors import UserError
from tasks.optimisation.network import Network, State, read_matrices
from tasks.optimisation.objective import Payload
from tasks.optimisation.opf_rules import network


def solve_pypower(payload: Payload) -> State | None:
    """Return the optimal state of an instance; None if PYPOWER finds none."""
    api, options = _api()
    net = network(payload)
    found = api.runopf(matpower_case(payload, net), options)
    if not found["success"]:
        return None
    bus, gen = found["bus"], found["gen"]
    return State(gen[:, 1] / net.base, gen[:, 2] / net.base, bus[:, 7], np.deg2rad(bus[:, 8]))


def flow_pypower(payload: Payload, s: State) -> State | None:
    """Return the power flow of a state's setpoints; None if it does not converge."""
    api, options = _api()
    net = network(payload)
    case = matpower_case(payload, net)
    case["gen"][:, 1], case["gen"][:, 5] = s.p * net.base, s.v[net.at]
    found, success = api.runpf(case, options)
    if not success:
        return None
    bus, gen = found["bus"], found["gen"]
    return State(gen[:, 1] / net.base, gen[:, 2] / net.base, bus[:, 7], np.deg2rad(bus[:, 8]))


def matpower_case(payload: Payload, net: Network) -> dict[str, Any]:
    """Return an instance as a MATPOWER case, version 2."""
    bus, gen, branch, cost = (part.copy() for part in read_matrices(payload["case"]))
    bus[:, 2:4] = net.load * net.base
    generators, branches = np.array(net.gen_names) - 1, np.array(net.branch_names) - 1
    return {
        "version": "2",
        "baseMVA": net.base,
        "bus": bus,
        "gen": np.hstack([gen[generators], np.zeros((len(generators), 21 - gen.shape[1]))]),
        "branch": branch[branches],
        "gencost": cost[generators],
    }


def _api() -> tuple[Any, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its use of scipy
            from pypower import api
    except ImportError:
        raise UserError(
            "PYPOWER is not installed.",
            rule="The method pypower needs the extra `power`.",
            next_step="pip install 'depthbench[power]'. The method search needs nothing.",
        ) from None
    return api, api.ppoption(VERBOSE=0, OUT_ALL=0, PF_TOL=1e-10, OPF_VIOLATION=1e-8, PDIPM_GRADTOL=1e-8)
