"""Optimal power flow in words: the same network as prose or as JSON, the rules, the answer's form."""

from __future__ import annotations

import json
from typing import Any

from tasks.optimisation.network import Network
from tasks.optimisation.objective import Payload
from tasks.optimisation.opf_rules import BALANCE, BALANCE_SHARE, LIMIT, UNITS, Mode, asked

RULES = (
    "The flows follow the AC power flow equations. With series admittance y = 1/(r + jx), charging b and tap "
    "t (1 if none is given), a branch from bus f to bus k with complex voltages V_f and V_k draws from bus f "
    "the power V_f * conj((y + jb/2) V_f / t^2 - y V_k / t) and from bus k the power "
    "V_k * conj((y + jb/2) V_k - y V_f / t), in per unit of the base power. At each bus, what its generators "
    "give must equal its load, plus what its branches draw, plus its shunt: P of the shunt is G * Vm^2, Q of "
    "it is -B * Vm^2. The voltage angle of the reference bus is 0.\n\n"
    "Every generator's P and Q, every bus's voltage magnitude, and the apparent power at both ends of every "
    f"branch must be within their limits (they may be passed by {LIMIT:g} per unit)"
)
IN_STATE = (
    f", and P and Q must balance at every bus (to {BALANCE:g} per unit or {BALANCE_SHARE:.0%} of the bus's "
    "load, whichever is more)"
)
EXAMPLES: dict[Mode, dict[str, dict[str, float]]] = {
    "setpoints": {"Pg": {"2": 35.5}, "Vm": {"1": 1.02, "2": 1.0}},
    "state": {
        "Pg": {"1": 60.25, "2": 35.5},
        "Qg": {"1": 4.1, "2": -3.7},
        "Vm": {"1": 1.02, "2": 1.0},
        "Va": {"1": 0.0, "2": -2.35},
    },
}


def prompt(net: Network, payload: Payload, mode: Mode, form: str) -> str:
    """Return the whole prompt."""
    data = as_json(net) if form == "json" else as_prose(net)
    without = f" It is without {payload['removed']}, which is out of service." if payload["removed"] else ""
    reference = f"bus {net.bus_names[net.reference]} (generator {net.gen_names[net.slack]})"
    wanted = asked(net, mode)
    if mode == "setpoints":
        task = (
            f"Choose P of every generator but the reference generator at {reference}, and the voltage "
            "magnitude of every bus "
            "that has a generator. Everything else, P of the reference generator too, then follows from the "
            "power flow "
            "equations, which will be solved for you."
        )
    else:
        task = (
            "Give the whole state of the network: P and Q of every generator, voltage magnitude and angle "
            "of every bus. The "
            f"reference is {reference}."
        )
    parts = "; ".join(
        f'"{name}" ({UNITS[name]}) for {"generators" if name in ("Pg", "Qg") else "buses"} '
        f"{', '.join(map(str, names))}"
        for name, names in wanted.items()
    )
    return (
        f"This is an electric power network with a base power of {net.base:g} "
        f"MVA.{without}\n\n{data}\n\n{RULES}"
        f"{IN_STATE if mode == 'state' else ''}. Among the states that keep all limits, the total cost of "
        "generation must be as small "
        f"as possible.\n\n{task}\n\nAnswer with a JSON object of numbers by generator or bus, inside a "
        "fenced block marked answer: "
        f"{parts}. For a network of two buses with a generator each it would look like this:\n```answer\n"
        f"{json.dumps(EXAMPLES[mode])}\n```"
    )


def as_prose(net: Network) -> str:
    """Describe a network in sentences, a line for each thing."""
    lines = []
    for bus in buses(net):
        load = (
            f"load {number(bus['Pd'])} MW and {number(bus['Qd'])} MVAr"
            if bus["Pd"] or bus["Qd"]
            else "no load"
        )
        shunt = (
            f", shunt G {number(bus['G'])} MW and B {number(bus['B'])} MVAr" if bus["G"] or bus["B"] else ""
        )
        lines.append(
            f"Bus {bus['bus']}: {load}{shunt}, voltage from {number(bus['Vmin'])} to {number(bus['Vmax'])}."
        )
    for g in generators(net):
        c0, c1, c2 = g["cost"]
        terms = (
            [f"{number(c2)} P^2"] * bool(c2) + [f"{number(c1)} P"] * bool(c1) + [f"{number(c0)}"] * bool(c0)
        )
        cost = " + ".join(terms) or "0"
        lines.append(
            f"Generator {g['generator']} at bus {g['bus']}: P from {number(g['Pmin'])} to "
            f"{number(g['Pmax'])} MW, Q from "
            f"{number(g['Qmin'])} to {number(g['Qmax'])} MVAr, cost {cost} USD an hour with P in MW."
        )
    for b in branches(net):
        tap = f", tap {number(b['tap'])}" if b["tap"] else ""
        lines.append(
            f"Branch {b['branch']} from bus {b['from']} to bus {b['to']}: r {number(b['r'])}, x "
            f"{number(b['x'])}, b "
            f"{number(b['b'])}{tap}, "
            f"at most {number(b['limit'])} MVA."
        )
    return "\n".join(lines)


def as_json(net: Network) -> str:
    """Describe a network as JSON, a line for each thing."""
    parts = {
        "buses": buses(net),
        "generators": generators(net),
        "branches": branches(net),
    }
    units = "Pd, G, Pmin, Pmax in MW; Qd, B, Qmin, Qmax in MVAr; "
    units += "cost [c0, c1, c2] means c0 + c1 P + c2 P^2 USD an hour, P in MW; "
    units += "r, x, b in per unit; tap 0 means none; limit in MVA."
    shown = ",\n".join(
        f' "{name}": [\n  ' + ",\n  ".join(json.dumps(row) for row in rows) + "\n ]"
        for name, rows in parts.items()
    )
    return f"{{\n{shown}\n}}\n{units}"


def buses(net: Network) -> list[dict[str, Any]]:
    rows = np_rows(net.load * net.base, net.shunt * net.base, net.voltage)
    names = ("Pd", "Qd", "G", "B", "Vmin", "Vmax")
    return [
        {"bus": bus, **dict(zip(names, row, strict=True))}
        for bus, row in zip(net.bus_names, rows, strict=True)
    ]


def generators(net: Network) -> list[dict[str, Any]]:
    rows = np_rows(net.p_range * net.base, net.q_range * net.base)
    names = ("Pmin", "Pmax", "Qmin", "Qmax")
    return [
        {
            "generator": g,
            "bus": net.bus_names[at],
            **dict(zip(names, row, strict=True)),
            "cost": [float(c) for c in cost],
        }
        for g, at, row, cost in zip(net.gen_names, net.at, rows, net.cost, strict=True)
    ]


def branches(net: Network) -> list[dict[str, Any]]:
    found = []
    for branch, (f, t), line, rating in zip(net.branch_names, net.ends, net.table, net.rating, strict=True):
        r, x, b, tap, _ = line.tolist()
        found.append(
            {
                "branch": branch,
                "from": net.bus_names[f],
                "to": net.bus_names[t],
                "r": r,
                "x": x,
                "b": b,
                "tap": tap,
            }
            | {"limit": round(float(rating * net.base), 6)}
        )
    return found


def np_rows(*parts: Any) -> list[list[float]]:
    """Put columns side by side, as plain numbers without the noise of unit conversion."""
    return [[round(float(v), 6) for part in row for v in part] for row in zip(*parts, strict=True)]


def number(value: float) -> str:
    """Return a number with all its digits and no noise."""
    return f"{value:.10g}"
