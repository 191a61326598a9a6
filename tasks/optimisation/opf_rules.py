"""Optimal power flow: what an answer looks like, and which constraints a state of the network keeps.

Counted is one constraint for the P limits and one for the Q limits of each generator, one for the voltage of
each bus, one for the rating of each branch (both ends), and in the mode `state` the P and the Q balance of
each bus.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from harness.contracts import Answer
from tasks.optimisation.network import Network, State, read_case
from tasks.optimisation.objective import Payload, said
from tasks.optimisation.power_flow import power_flow
from tasks.shared.ruled import Check

LIMIT = 1e-4  # per unit, by which a bound may be passed
BALANCE, BALANCE_SHARE = 1e-3, 0.01  # per unit, or of the bus's load if that is more
DECIMALS = {"Pg": 4, "Qg": 4, "Vm": 7, "Va": 6}
UNITS = {"Pg": "MW", "Qg": "MVAr", "Vm": "p.u.", "Va": "degrees"}
MOST = 9999.0  # numbers beyond are no answer
Mode = Literal["setpoints", "state"]


@lru_cache(maxsize=512)
def _topology(case: int, removed: str | None) -> Network:
    net = read_case(case)
    if removed is None:
        return net
    kind, _, name = removed.partition(" ")
    return net.without(kind, int(name))


def network(payload: Payload) -> Network:
    """Return the network of an instance: its loads, its removed element."""
    net = _topology(payload["case"], payload["removed"])
    load = np.zeros_like(net.load)
    for bus, p, q in payload["loads"]:
        load[net.bus_names.index(bus)] = p, q
    return net.with_loads(load)


def asked(net: Network, mode: Mode) -> dict[str, list[int]]:
    """Return the names of what an answer gives, by quantity: generators for Pg and Qg, buses for Vm and
    Va.
    """
    if mode == "state":
        buses, generators = list(net.bus_names), list(net.gen_names)
        return {"Pg": generators, "Qg": generators, "Vm": buses, "Va": buses}
    held = sorted({net.bus_names[i] for i in net.at})
    return {"Pg": [g for i, g in enumerate(net.gen_names) if i != net.slack], "Vm": held}


def written(net: Network, state: State, mode: Mode) -> Answer:
    """Return a state, or its setpoints, as an answer: rounded, in MW, MVAr and degrees."""
    values = {
        "Pg": dict(zip(net.gen_names, state.p * net.base, strict=True)),
        "Qg": dict(zip(net.gen_names, state.q * net.base, strict=True)),
        "Vm": dict(zip(net.bus_names, state.v, strict=True)),
        "Va": dict(zip(net.bus_names, np.rad2deg(state.a), strict=True)),
    }
    return {
        name: {str(k): rounded(float(values[name][k]), name) for k in names}
        for name, names in asked(net, mode).items()
    }


def rounded(value: float, name: str) -> float:
    """Round a value to the decimals of its quantity."""
    units: float = 10.0 ** DECIMALS[name]
    return round(value * units) / units


def form_fault(net: Network, answer: Answer, mode: Mode) -> str | None:
    """Say why an answer is not of the form asked for; None if it is."""
    wanted = asked(net, mode)
    if not isinstance(answer, Mapping) or len(answer) != len(wanted) or set(answer) != set(wanted):
        return f"the answer is no object with {', '.join(wanted)}"
    for name, names in wanted.items():
        values, keys = answer[name], [str(k) for k in names]
        if not isinstance(values, Mapping) or len(values) != len(keys) or set(values) != set(keys):
            return f"{name} is no object with a number for each of {', '.join(keys[:40])}"
        for key, value in values.items():
            if type(value) not in (int, float) or not -MOST <= value <= MOST:  # so NaN is none
                return f"{name} of {key}, {said(value)}, is no number up to {MOST:g}"
    return None


def state_of(net: Network, answer: Answer, mode: Mode) -> State | None:
    """Return the state a well-formed answer gives, or that its setpoints bring about; None if there is
    none.
    """

    def read(name: str, names: tuple[int, ...], missing: float) -> Any:
        return np.array([float(answer[name].get(str(k), missing)) for k in names])

    p, v = read("Pg", net.gen_names, 0.0) / net.base, read("Vm", net.bus_names, 1.0)
    if mode == "setpoints":
        return power_flow(net, p, v)
    return State(p, read("Qg", net.gen_names, 0.0) / net.base, v, np.deg2rad(read("Va", net.bus_names, 0.0)))


def check_state(net: Network, s: State, mode: Mode) -> Check:
    """Go through all constraints."""
    found, base = Check(), net.base

    def within(value: float, span: Any) -> bool:
        return bool(span[0] - LIMIT <= value <= span[1] + LIMIT)

    for i, g in enumerate(net.gen_names):
        for name, value, span, unit in (
            ("P", s.p[i], net.p_range[i], "MW"),
            ("Q", s.q[i], net.q_range[i], "MVAr"),
        ):
            low, high = span * base
            found.rule(
                "generators",
                within(value, span),
                f"generator {g} gives {name} = {value * base:.4f} {unit}, its range is {low:g} to {high:g}",
            )
    for i, bus in enumerate(net.bus_names):
        low, high = net.voltage[i]
        found.rule(
            "voltages",
            within(s.v[i], (low, high)),
            f"bus {bus} has a voltage of {s.v[i]:.5f}, its range is {low:g} to {high:g}",
        )
    flows = net.flows(s.v, s.a)
    carried = np.hypot(flows[:, 0::2], flows[:, 1::2]).max(axis=1)
    for i, branch in enumerate(net.branch_names):
        limit = net.rating[i] or np.inf
        found.rule(
            "branches",
            bool(carried[i] <= limit + LIMIT),
            f"branch {branch} carries {carried[i] * base:.3f} MVA, at most {limit * base:g}",
        )
    if mode == "state":
        lacking = np.abs(net.mismatch(s))
        allowed = np.maximum(BALANCE, BALANCE_SHARE * np.abs(net.load.T))
        for row, (kind, unit) in enumerate((("p_balance", "MW"), ("q_balance", "MVAr"))):
            for i, bus in enumerate(net.bus_names):
                found.rule(
                    kind,
                    bool(lacking[row, i] <= allowed[row, i]),
                    f"the {kind[0].upper()} balance of bus {bus} is off by {lacking[row, i] * base:.3f} "
                    f"{unit}",
                )
    return found
