"""Optimal power flow without optimising: what stands beside every score."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tasks.optimisation.network import Floats, Network, State, read_case
from tasks.optimisation.opf_rules import LIMIT, check_state
from tasks.optimisation.power_flow import optimal_flow, power_flow

MOST_ROUNDS = 300


def anywhere(net: Network, rng: np.random.Generator) -> State:
    """Draw every quantity within its bounds, angles up to 10 degrees either way."""
    n = len(net.load)
    p, q, v = (_between(span, rng.random(len(span))) for span in (net.p_range, net.q_range, net.voltage))
    return State(p, q, v, np.deg2rad(rng.uniform(-10, 10, n)))


def mid_range(net: Network, rng: np.random.Generator) -> State:  # noqa: ARG001
    """Put every quantity in the middle of its range, all angles 0."""
    p, q, v = (span.mean(axis=1) for span in (net.p_range, net.q_range, net.voltage))
    return State(p, q, v, np.zeros(len(v)))


def base_case(net: Network, rng: np.random.Generator) -> State:  # noqa: ARG001
    """Copy the optimum of the whole network with its published loads."""
    whole = read_case(len(net.load))
    best = optimal_flow(whole)
    assert best is not None  # of the four published cases
    kept = [i for i, g in enumerate(whole.gen_names) if g in net.gen_names]
    return State(best.p[kept], best.q[kept], best.v, best.a)


def bounds_only(net: Network, rng: np.random.Generator) -> State:
    """Respect every bound and break every equation: what counting alone scores.

    Draws small angles, and draws again what carries too much or happens to balance.
    """
    s = mid_range(net, rng)
    p, q = _between(net.p_range, rng.random(len(net.at))), _between(net.q_range, rng.random(len(net.at)))
    v, a, spread = s.v.copy(), np.zeros(len(s.v)), np.deg2rad(1.0)
    again: NDArray[np.bool_] = np.ones(len(v), dtype=bool)
    for _ in range(MOST_ROUNDS):
        a = np.where(again, rng.uniform(-spread, spread, len(v)), a)
        v = np.where(again, _between(net.voltage, 0.5 + 0.1 * rng.uniform(-1, 1, len(v))), v)
        s = State(p, q, v, a)
        if check_state(net, s, "setpoints").broken:
            flows = net.flows(v, a)
            over = np.hypot(flows[:, 0::2], flows[:, 1::2]).max(axis=1) > net.rating + LIMIT
            again = np.isin(np.arange(len(v)), net.ends[over])
            spread *= 0.98
            continue
        allowed = np.maximum(2e-3, 0.02 * np.abs(net.load.T))  # clearly more than what counts as balanced
        again = np.any(np.abs(net.mismatch(s)) <= allowed, axis=0)
        if not again.any():
            break
    return s


def merit_order(net: Network) -> State:
    """Load the cheapest generators first, as if there were no network; voltages as near 1 as they may be.

    The power flow of that, where it converges; else as it stands.
    """
    v = np.clip(1.0, net.voltage[:, 0], net.voltage[:, 1])
    p, left = net.p_range[:, 0].copy(), net.load[:, 0].sum() - net.p_range[:, 0].sum()
    usd = net.cost[:, 1] + net.cost[:, 2] * net.p_range.sum(axis=1) * net.base  # of a MW at half of the range
    for i in sorted(range(len(p)), key=lambda i: (usd[i], i)):
        more = min(max(left, 0.0), net.p_range[i, 1] - net.p_range[i, 0])
        p[i], left = p[i] + more, left - more
    return power_flow(net, p, v) or State(p, net.q_range.mean(axis=1), v, np.zeros(len(v)))


def _between(span: Floats, share: Floats) -> Floats:
    found: Floats = span[:, 0] + share * (span[:, 1] - span[:, 0])
    return found


BASELINES: dict[str, Callable[[Network, np.random.Generator], State]] = {
    "base-case": base_case,
    "mid-range": mid_range,
    "bounds-only": bounds_only,
}
