"""Newton's method for the power flow, and a primal-dual interior point method for the optimal power flow."""

from __future__ import annotations

import numpy as np

from tasks.optimisation.network import Floats, Network, State

CONVERGED = 1e-9  # per unit
MOST_STEPS = 30
MOST_ROUNDS = 150
SHORTEST, STEEPEST = 1e-8, 1e14  # of a step, and of a multiplier: beyond, the method has failed


def power_flow(net: Network, p: Floats, v: Floats) -> State | None:
    """Solve for the state that generators' output `p` (g,) and voltages `v` (n,; read at generator buses)
    bring about.

    The reference generator balances P, generators at a bus share its Q in proportion to their ranges; no
    limits are enforced. Newton-Raphson from equal angles; None where it does not converge.
    """
    n, ref = len(net.load), net.reference
    held = net.feeds.any(axis=1)
    v, a = np.where(held, v, 1.0), np.zeros(n)
    wanted = np.concatenate([net.feeds @ p, np.zeros(n)])
    free = np.concatenate(
        [np.delete(np.arange(n), ref), n + np.flatnonzero(~held)]
    )  # unknowns, and their equations
    for _ in range(MOST_STEPS):
        lacking = net.drawn(v, net.flows(v, a)) - wanted
        if not np.isfinite(lacking).all():
            return None
        if np.abs(lacking[free]).max() < CONVERGED:
            break
        gradient, _ = net.slopes(v, a)
        jacobian = net.drawn_slopes(v, gradient)[np.ix_(free, free)]
        try:
            step = np.linalg.solve(jacobian, -lacking[free])
        except np.linalg.LinAlgError:
            return None
        moved = np.concatenate([a, v])
        moved[free] += step
        a, v = moved[:n], moved[n:]
    else:
        return None
    p = p.copy()
    p[net.slack] += lacking[ref]
    span = np.maximum(net.q_range[:, 1] - net.q_range[:, 0], 1e-9)
    share = span / (net.feeds @ span)[net.at]
    return State(p, share * lacking[n + net.at], v, a)


def optimal_flow(net: Network) -> State | None:
    """Solve the AC optimal power flow; None if the method does not converge, as where nothing is feasible.

    Minimise the cost of generation within the bounds on P, Q and V and the ratings at both ends of each
    branch. The algorithm is that of MATPOWER's MIPS (Wang, Murillo-Sánchez, Zimmerman & Thomas 2007):
    inequalities h(x) <= 0 with slacks z and multipliers mu, Newton steps on the barrier problem, its
    parameter a tenth of the mean of z mu.
    """
    n, g, scale = len(net.load), len(net.at), 1e-3
    low = np.concatenate([net.voltage[:, 0], net.p_range[:, 0], net.q_range[:, 0]])
    high = np.concatenate([net.voltage[:, 1], net.p_range[:, 1], net.q_range[:, 1]])
    fixed = np.append(n + np.flatnonzero(high - low < 1e-9), net.reference)  # the reference angle, too
    held_at = np.append(low[high - low < 1e-9], 0.0)
    bound = np.flatnonzero(high - low >= 1e-9)
    size, bounded = 2 * n + 2 * g, n + bound  # of x: angles, voltages, P, Q
    x = np.concatenate([np.zeros(n), (low + high) / 2])
    one = np.eye(size)
    limited = np.flatnonzero(net.rating > 0)
    rating2 = np.tile(net.rating[limited] ** 2, 2)
    mw = np.arange(2 * n, 2 * n + g)
    usd1, usd2 = net.cost[:, 1] * net.base * scale, net.cost[:, 2] * net.base**2 * scale
    h = np.empty(0)
    z = mu = np.empty(0)
    lam, gamma, before = np.zeros(2 * n + len(fixed)), 1.0, np.inf
    for _ in range(MOST_ROUNDS):
        a, v, p, q = x[:n], x[n : 2 * n], x[mw], x[mw + g]
        flows = net.flows(v, a)
        gradient, hessian = net.slopes(v, a)
        ends = flows.reshape(-1, 2, 2)[limited]  # (b, end, P or Q)
        slope = gradient.reshape(-1, 2, 2, 3)[limited]
        apparent = (ends**2).sum(axis=2).T.ravel()
        h = np.concatenate([x[bounded] - high[bound], low[bound] - x[bounded], apparent - rating2])
        local = 2 * (ends[..., None] * slope).sum(axis=2)  # of P² + Q², by (Vf, Vt, d)
        dh = np.zeros((len(h), size))
        dh[: 2 * len(bound)] = np.concatenate([one[bounded], -one[bounded]])
        dh[2 * len(bound) :, : 2 * n] = (local @ net.local[limited]).transpose(1, 0, 2).reshape(-1, 2 * n)
        eq = np.concatenate(
            [net.drawn(v, flows) - np.concatenate([net.feeds @ p, net.feeds @ q]), x[fixed] - held_at]
        )
        deq = np.zeros((len(eq), size))
        deq[: 2 * n, : 2 * n] = net.drawn_slopes(v, gradient)
        deq[:n, mw] = deq[n : 2 * n, mw + g] = -net.feeds
        deq[2 * n :] = one[fixed]
        cost = float((usd1 * p + usd2 * p**2).sum())
        dcost = np.zeros(size)
        dcost[mw] = usd1 + 2 * usd2 * p
        if not len(z):
            z = np.maximum(-h, 1.0)
            mu = 1 / z
        lagrangian = dcost + deq.T @ lam + dh.T @ mu
        size_of_x = max(1.0, np.abs(x).max())
        conditions = (
            max(np.abs(eq).max(), h.max()) / (1 + max(np.abs(x).max(), z.max())),
            np.abs(lagrangian).max() / (1 + max(np.abs(lam).max(), mu.max())),
            float(z @ mu) / (1 + size_of_x),
            abs(cost - before) / (1 + abs(before)) if np.isfinite(before) else 1.0,
        )
        if max(conditions) < 1e-9:
            return State(p, q, v, a)
        before = cost
        # the Hessian of the Lagrangian: flows weighted by the buses' multipliers, ratings by their own
        weight = (net.leaving.T @ lam[: 2 * n]).reshape(-1, 4)
        own = (weight[..., None, None] * hessian).sum(axis=1)
        rated = mu[2 * len(bound) :].reshape(2, -1).T[..., None]  # (b, end, 1)
        curved = hessian.reshape(-1, 2, 2, 3, 3)[limited]
        own[limited] += 2 * ((rated * ends)[..., None, None] * curved).sum(axis=(1, 2))
        own[limited] += 2 * np.einsum("be,bekx,beky->bxy", rated[..., 0], slope, slope)
        full = np.zeros((size, size))
        full[: 2 * n, : 2 * n] = net.local.reshape(-1, 2 * n).T @ (own @ net.local).reshape(-1, 2 * n)
        bus = np.arange(n)
        full[n + bus, n + bus] += 2 * (net.shunt[:, 0] * lam[:n] - net.shunt[:, 1] * lam[n : 2 * n])
        full[mw, mw] += 2 * usd2
        over = mu / z
        kkt = np.zeros((size + len(eq), size + len(eq)))
        kkt[:size, :size] = full + dh.T @ (over[:, None] * dh)
        kkt[:size, size:], kkt[size:, :size] = deq.T, deq
        right = np.concatenate([-(lagrangian + dh.T @ ((mu * h + gamma) / z)), -eq])
        try:
            step = np.linalg.solve(kkt, right)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(step).all() or np.abs(step[:size]).max() > 1e6:
            return None
        dx, dlam = step[:size], step[size:]
        dz = -h - z - dh @ dx
        dmu = -mu + (gamma - mu * dz) / z
        primal = min(1.0, 0.99995 * np.min(z[dz < 0] / -dz[dz < 0], initial=np.inf))
        dual = min(1.0, 0.99995 * np.min(mu[dmu < 0] / -dmu[dmu < 0], initial=np.inf))
        x, z = x + primal * dx, z + primal * dz
        lam, mu = lam + dual * dlam, mu + dual * dmu
        gamma = 0.1 * float(z @ mu) / len(z)
        if min(primal, dual) < SHORTEST or mu.max() > STEEPEST or not gamma > 0:
            return None  # as where nothing is feasible
    return None
