"""Power networks: PGLib's case files as arrays, loads changed, one element removed, and what flows at given
voltages.

Everything is per unit of the case's base power and in radians. A branch's flows depend on its own three
numbers, the voltages at both ends and the angle between them, which makes values, gradients and Hessians
short to write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CASES = {5: "case5_pjm", 14: "case14_ieee", 30: "case30_ieee", 118: "case118_ieee"}
FOLDER = Path(__file__).parent / "cases"


class State(NamedTuple):
    """Where a network stands: generation (P, Q) and voltage (magnitude, angle)."""

    p: Floats
    q: Floats
    v: Floats
    a: Floats


@dataclass(frozen=True, kw_only=True)
class Network:
    """n buses, g generators, b branches; `ends`, `at` and `reference` count buses from 0.

    coefficients (b, 4, 3): each flow of a branch, P and Q at its first end, P and Q at its second, is c V² +
    Vf Vt (p cos d + q sin d) with V the voltage at that end and d the angle of the first end minus that of
    the second.
    """

    base: float  # MVA
    bus_names: tuple[int, ...]
    reference: int
    load: Floats  # (n, 2): P, Q
    shunt: Floats  # (n, 2): conductance, susceptance
    voltage: Floats  # (n, 2): least, most
    gen_names: tuple[int, ...]  # 1, 2, … in the order of the file
    at: Ints
    p_range: Floats  # (g, 2)
    q_range: Floats
    cost: Floats  # (g, 3): of P in MW, constant first, USD an hour
    branch_names: tuple[int, ...]
    ends: Ints  # (b, 2)
    coefficients: Floats
    rating: Floats  # (b,)
    table: Floats  # (b, 5): r, x, charging, tap (0: none), shift in degrees, as in the file

    @property
    def bounds(self) -> int:
        """Constraints that are bounds: two for each generator, one for each bus and branch."""
        return 2 * len(self.at) + len(self.load) + len(self.rating)

    @property
    def equations(self) -> int:
        return 2 * len(self.load)

    def with_loads(self, load_mva: Floats) -> Network:
        """Return the network with other loads, (n, 2) in MW and MVAr."""
        return replace(self, load=load_mva / self.base)

    def without(self, kind: str, name: int) -> Network:
        """Return the network without one `generator` or `branch`."""
        if name not in (self.gen_names if kind == "generator" else self.branch_names):
            raise ValueError(f"the network has no {kind} {name}")
        if kind == "generator":
            keep = [i for i, g in enumerate(self.gen_names) if g != name]
            parts = {k: getattr(self, k)[keep] for k in ("at", "p_range", "q_range", "cost")}
            return replace(self, gen_names=tuple(g for g in self.gen_names if g != name), **parts)
        keep = [i for i, b in enumerate(self.branch_names) if b != name]
        parts = {k: getattr(self, k)[keep] for k in ("ends", "coefficients", "rating", "table")}
        return replace(self, branch_names=tuple(b for b in self.branch_names if b != name), **parts)

    @property
    def slack(self) -> int:
        """The generator at the reference bus, whose output follows from the power flow."""
        return int(np.flatnonzero(self.at == self.reference)[0])

    def is_connected(self) -> bool:
        """Say whether branches join all buses."""
        reached = np.arange(len(self.load)) == self.reference
        for _ in range(len(reached)):
            for f, t in self.ends:
                reached[f] = reached[t] = reached[f] | reached[t]
        return bool(reached.all())

    def removable(self) -> list[tuple[str, int]]:
        """Return the elements that may be missing: not the reference generator, nothing that cuts buses
        off.
        """
        generators = [("generator", g) for i, g in enumerate(self.gen_names) if i != self.slack]
        branches = [("branch", b) for b in self.branch_names if self.without("branch", b).is_connected()]
        return generators + branches

    @cached_property
    def local(self) -> Floats:
        """What maps (all angles, all voltages) to each branch's (Vf, Vt, d), (b, 3, 2n)."""
        n, b = len(self.load), np.arange(len(self.ends))
        maps = np.zeros((len(b), 3, 2 * n))
        maps[b, 0, n + self.ends[:, 0]] = maps[b, 1, n + self.ends[:, 1]] = 1
        maps[b, 2, self.ends[:, 0]], maps[b, 2, self.ends[:, 1]] = 1, -1
        return maps

    @cached_property
    def leaving(self) -> Floats:
        """Sums flows (b, 4) to what leaves the buses, P before Q: (2n, 4b)."""
        n, b = len(self.load), np.arange(len(self.ends))
        sums = np.zeros((2 * n, len(b), 4))
        for k in range(4):
            sums[self.ends[:, k // 2] + n * (k % 2), b, k] = 1
        return sums.reshape(2 * n, -1)

    @cached_property
    def feeds(self) -> Floats:
        """Sums generators to buses, (n, g)."""
        found = np.zeros((len(self.load), len(self.at)))
        found[self.at, np.arange(len(self.at))] = 1
        return found

    def flows(self, v: Floats, a: Floats) -> Floats:
        """Return P and Q into each branch at both ends, (b, 4)."""
        vf, vt, d = v[self.ends[:, 0]], v[self.ends[:, 1]], a[self.ends[:, 0]] - a[self.ends[:, 1]]
        c, p, q = self.coefficients.transpose(2, 1, 0)
        own = np.stack([vf, vf, vt, vt]) ** 2
        flows: Floats = (c * own + vf * vt * (p * np.cos(d) + q * np.sin(d))).T
        return flows

    def slopes(self, v: Floats, a: Floats) -> tuple[Floats, Floats]:
        """Return the flows' gradients by (Vf, Vt, d), (b, 4, 3), and their Hessians, (b, 4, 3, 3)."""
        vf, vt, d = v[self.ends[:, 0]], v[self.ends[:, 1]], a[self.ends[:, 0]] - a[self.ends[:, 1]]
        c, p, q = self.coefficients.transpose(2, 1, 0)
        along, across = p * np.cos(d) + q * np.sin(d), q * np.cos(d) - p * np.sin(d)
        first = np.array([1.0, 1.0, 0.0, 0.0])[:, None]
        gradient, hessian = np.zeros((3, *along.shape)), np.zeros((3, 3, *along.shape))
        gradient[0] = 2 * c * vf * first + vt * along
        gradient[1] = 2 * c * vt * (1 - first) + vf * along
        gradient[2] = vf * vt * across
        hessian[0, 0], hessian[1, 1] = 2 * c * first, 2 * c * (1 - first)
        hessian[0, 1] = hessian[1, 0] = along
        hessian[0, 2] = hessian[2, 0] = vt * across
        hessian[1, 2] = hessian[2, 1] = vf * across
        hessian[2, 2] = -vf * vt * along
        return gradient.transpose(2, 1, 0), hessian.transpose(3, 2, 0, 1)

    def drawn(self, v: Floats, flows: Floats) -> Floats:
        """Return what branches, shunts and loads draw from the buses, P then Q, (2n,)."""
        shunt = np.concatenate([self.shunt[:, 0] * v**2, -self.shunt[:, 1] * v**2])
        found: Floats = self.leaving @ flows.ravel() + shunt + self.load.T.ravel()
        return found

    def drawn_slopes(self, v: Floats, gradient: Floats) -> Floats:
        """Return the Jacobian of `drawn` by all angles and voltages, (2n, 2n)."""
        n = len(v)
        found: Floats = self.leaving @ (gradient @ self.local).reshape(-1, 2 * n)
        bus = np.arange(n)
        found[bus, n + bus] += 2 * self.shunt[:, 0] * v
        found[n + bus, n + bus] -= 2 * self.shunt[:, 1] * v
        return found

    def mismatch(self, s: State) -> Floats:
        """Return what each bus lacks, P then Q, (2, n)."""
        drawn = self.drawn(s.v, self.flows(s.v, s.a)).reshape(2, -1)
        return np.stack([drawn[0] - self.feeds @ s.p, drawn[1] - self.feeds @ s.q])

    def usd_per_hour(self, p: Floats) -> float:
        """Return what generation costs."""
        mw = p * self.base
        return float((self.cost[:, 0] + self.cost[:, 1] * mw + self.cost[:, 2] * mw**2).sum())


@cache
def read_matrices(buses: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Read the matrices bus, gen, branch and gencost of a case file (MATPOWER format, version 2)."""
    text = (FOLDER / f"pglib_opf_{CASES[buses]}.m").read_text(encoding="utf-8")

    def matrix(name: str) -> Floats:
        found = re.search(rf"mpc\.{name} = \[\n(.*?)\];", text, re.DOTALL)
        assert found is not None
        rows = [line.partition("%")[0].strip(" \t;").split() for line in found[1].splitlines()]
        return np.array([row for row in rows if row], dtype=np.float64)

    assert "mpc.baseMVA = 100.0;" in text
    return matrix("bus"), matrix("gen"), matrix("branch"), matrix("gencost")


@cache
def read_case(buses: int) -> Network:
    """Read one of the four networks: all its elements are in service, none shifts phases, all branches are
    rated.
    """
    bus, gen, branch, cost = read_matrices(buses)
    base, place = 100.0, {int(name): i for i, name in enumerate(bus[:, 0])}
    ends = np.array([[place[int(f)], place[int(t)]] for f, t in branch[:, :2]])
    return Network(
        base=base,
        bus_names=tuple(place),
        reference=int(np.flatnonzero(bus[:, 1] == 3)[0]),
        load=bus[:, 2:4] / base,
        shunt=bus[:, 4:6] / base,
        voltage=bus[:, [12, 11]],
        gen_names=tuple(range(1, len(gen) + 1)),
        at=np.array([place[int(b)] for b in gen[:, 0]]),
        p_range=gen[:, [9, 8]] / base,
        q_range=gen[:, [4, 3]] / base,
        cost=cost[:, [6, 5, 4]],
        branch_names=tuple(range(1, len(branch) + 1)),
        ends=ends,
        coefficients=_coefficients(branch),
        rating=branch[:, 5] / base,
        table=branch[:, [2, 3, 4, 8, 9]],
    )


def _coefficients(branch: Floats) -> Floats:
    """The pi model with an ideal transformer at the first end."""
    series = 1 / (branch[:, 2] + 1j * branch[:, 3])
    charging = 0.5j * branch[:, 4]
    tap = np.where(branch[:, 8] == 0, 1.0, branch[:, 8]) * np.exp(1j * np.deg2rad(branch[:, 9]))
    ff, tt = (series + charging) / np.abs(tap) ** 2, series + charging
    ft, tf = -series / tap.conj(), -series / tap
    rows = [
        (ff.real, ft.real, ft.imag),
        (-ff.imag, -ft.imag, ft.real),
        (tt.real, tf.real, -tf.imag),
        (-tt.imag, -tf.imag, -tf.real),
    ]
    return np.ascontiguousarray(np.array(rows).transpose(2, 0, 1))
