"""Exact search over puzzles made of variables with few values and constraints between two of them.

Futoshiki, n-queens, graph colouring and zebra puzzles are such networks: only the tables of allowed pairs
differ. Arc consistency (AC-3) with singles hidden in groups, then a guess at the variable with the fewest
values left; every count of solutions is a proof.

Sets of values are bit masks in int64. Import this module inside functions only: it loads numba.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.shared.compiled import compiled

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NO_LIMIT = 2**62
_NETWORK = "i8[::1],i8[::1],i8[::1],i8[::1],i8[::1],i8[:,::1],i8[:,::1]"


class Network(NamedTuple):
    """Variables 0..n-1 with values 0..k-1, and the constraints between them, as arcs sorted by variable."""

    domains: Ints  # (n,) masks
    first: Ints  # (n + 1,) where the arcs of a variable begin
    other: Ints  # (m,) the variable an arc leads to
    table: Ints  # (m,) the row of `tables`
    owner: Ints  # (m,) the constraint an arc belongs to
    tables: Ints  # (t, k) which values of `other` are allowed, by value of the variable
    groups: Ints  # (g, k) variables that hold every value once: hidden singles are looked for there


class Result(NamedTuple):
    """Solutions counted up to a limit, guesses, dead ends, and the first solution (all 0 without one)."""

    solutions: int
    guesses: int
    conflicts: int
    values: Ints  # (n,)


def network(domains: Ints, constraints: Ints, tables: Bools, groups: Ints | None = None) -> Network:
    """Build a network.

    constraints: (c, 3), rows (a, b, t): `tables[t, x, y]` says whether a = x goes with b = y. With a = b it
    restricts one variable: `tables[t, x]` is the set of its values, the same for every x.
    """
    a, b, t = constraints.T if len(constraints) else np.empty((3, 0), np.int64)
    kinds, k = tables.shape[0], tables.shape[1]
    # compiled code looks at no bounds, and puzzles may come from a file
    for numbers, most in ((a, len(domains)), (b, len(domains)), (t, kinds)):
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < most:
            raise IndexError(f"{numbers.min()} to {numbers.max()} is not from 0 to {most - 1}")
    bits = np.int64(1) << np.arange(k, dtype=np.int64)
    masks = np.concatenate([tables @ bits, tables.transpose(0, 2, 1) @ bits])
    number = np.arange(len(a), dtype=np.int64)
    two = a != b
    source = np.concatenate([a, b[two]])
    order = source.argsort(kind="stable")
    first = np.searchsorted(source[order], np.arange(len(domains) + 1))
    return Network(
        domains,
        first.astype(np.int64),
        np.concatenate([b, a[two]])[order],
        np.concatenate([t, t[two] + kinds])[order],
        np.concatenate([number, number[two]])[order],
        np.ascontiguousarray(masks, dtype=np.int64),
        np.empty((0, k), np.int64) if groups is None else groups,
    )


def search(
    net: Network,
    *,
    active: Bools | None = None,
    order: Ints | None = None,
    limit: int = 1,
    smallest: bool = False,
    most_guesses: int = NO_LIMIT,
) -> Result:
    """Find up to `limit` solutions.

    active: which constraints count (all if None). order: the order in which a variable's values are tried,
    (n, k). smallest: the first solution is the lexicographically smallest. A search that makes `most_guesses`
    ends as if it had found `limit` solutions: nothing is proved then.
    """
    count = int(net.owner.max()) + 1 if len(net.owner) else 0
    return Result(
        *_search(
            *net,
            np.ones(count, np.bool_) if active is None else active,
            natural(net) if order is None else order,
            smallest,
            limit,
            most_guesses,
        )
    )


def natural(net: Network) -> Ints:
    """Return the natural order of values for every variable, (n, k)."""
    n, k = len(net.domains), net.tables.shape[1]
    return np.tile(np.arange(k, dtype=np.int64), (n, 1))


def minimise(
    net: Network,
    active: Bools,
    removable: Ints,
    *,
    keep: int = 0,
    most_guesses: int = NO_LIMIT,
) -> Bools:
    """Take constraints away, in the order given, as long as the solution stays the only one.

    Stops when only `keep` of the removable ones are left. most_guesses: how many guesses the proof may take;
    0 keeps only puzzles that need none. Returns which constraints remain; with no limit on the guesses and
    keep = 0 none of them can be spared.
    """
    left: Bools = _minimise(*net, active.copy(), natural(net), removable, keep, most_guesses)
    return left


def greedy(net: Network) -> Ints:
    """Give each variable in turn its smallest value that no earlier choice forbids; never go back.

    Next comes the variable with the fewest values left, among equals the one with the most constraints (for
    colouring this is DSATUR). A variable with no value left gets -1.
    """
    domains = net.domains.copy()
    degree = np.diff(net.first)
    values = np.full(len(domains), -1, np.int64)
    for i in range(len(domains)):  # constraints on one variable
        for e in range(net.first[i], net.first[i + 1]):
            if net.other[e] == i:
                domains[i] &= net.tables[net.table[e], 0]
    free = set(range(len(domains)))
    while free:
        i = min(free, key=lambda v: (int(domains[v]).bit_count(), -degree[v], v))
        free.remove(i)
        if not domains[i]:
            continue
        value = (int(domains[i]) & -int(domains[i])).bit_length() - 1
        values[i] = value
        for e in range(net.first[i], net.first[i + 1]):
            if net.other[e] != i:
                domains[net.other[e]] &= net.tables[net.table[e], value]
    return values


@compiled(f"b1(i8[::1],b1[::1],{_NETWORK[8:]},b1[::1])")
def _propagate(
    domains: Ints,
    todo: Bools,
    first: Ints,
    other: Ints,
    table: Ints,
    owner: Ints,
    tables: Ints,
    groups: Ints,
    active: Bools,
) -> bool:
    """Narrow the domains, starting at the variables `todo`; say whether every variable keeps a value."""
    n, k = len(domains), tables.shape[1]
    full = (1 << k) - 1
    while True:
        moved = False
        for i in range(n):
            if not todo[i]:
                continue
            todo[i], moved = False, True
            for e in range(first[i], first[i + 1]):
                if not active[owner[e]]:
                    continue
                j = other[e]
                had, allowed, mine = domains[j], 0, domains[i]
                for x in range(k):
                    if (mine >> x) & 1:
                        allowed |= tables[table[e], x]
                        if (allowed & had) == had:
                            break
                left = had & allowed
                if left == 0:
                    return False
                if left != had:
                    domains[j] = left
                    todo[j] = True
        if moved:
            continue
        for g in range(len(groups)):
            once, twice = 0, 0
            for p in range(k):
                twice |= once & domains[groups[g, p]]
                once |= domains[groups[g, p]]
            if once != full:
                return False
            for p in range(k):
                i = groups[g, p]
                hidden = domains[i] & ~twice
                if hidden != 0 and hidden != domains[i]:
                    if hidden & (hidden - 1):
                        return False
                    domains[i] = hidden
                    todo[i], moved = True, True
        if not moved:
            return True


@compiled(f"Tuple((i8,i8,i8,i8[::1]))({_NETWORK},b1[::1],i8[:,::1],b1,i8,i8)")
def _search(
    start: Ints,
    first: Ints,
    other: Ints,
    table: Ints,
    owner: Ints,
    tables: Ints,
    groups: Ints,
    active: Bools,
    order: Ints,
    smallest: bool,
    limit: int,
    most_guesses: int,
) -> tuple[int, int, int, Ints]:
    n, k = len(start), tables.shape[1]
    domains = np.empty((n + 1, n), np.int64)
    variable, tried = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    todo, found = np.ones(n, np.bool_), np.zeros(n, np.int64)
    solutions, guesses, conflicts, depth = 0, 0, 0, 0
    domains[0] = start
    alive = _propagate(domains[0], todo, first, other, table, owner, tables, groups, active)
    conflicts += not alive
    while True:
        if alive:  # choose a variable to guess at
            best, fewest = -1, k + 1
            for i in range(n):
                values, size = domains[depth, i], 0
                while values:
                    values &= values - 1
                    size += 1
                if size > 1 and size < fewest:
                    best, fewest = i, size
                    if smallest:
                        break
            if best < 0:
                solutions += 1
                if solutions == 1:
                    for i in range(n):
                        for x in range(k):
                            if (domains[depth, i] >> x) & 1:
                                found[i] = x
                if solutions >= limit:
                    return solutions, guesses, conflicts, found
            else:
                variable[depth], tried[depth] = best, 0
                depth += 1
        # go on with the next value of the deepest variable that has one
        while depth > 0:
            i = variable[depth - 1]
            while tried[depth - 1] < k and not (domains[depth - 1, i] >> order[i, tried[depth - 1]]) & 1:
                tried[depth - 1] += 1
            if tried[depth - 1] < k:
                break
            depth -= 1
        if depth == 0:
            return solutions, guesses, conflicts, found
        if guesses >= most_guesses:
            return limit, guesses, conflicts, found
        guesses += 1
        i = variable[depth - 1]
        domains[depth] = domains[depth - 1]
        domains[depth, i] = 1 << order[i, tried[depth - 1]]
        tried[depth - 1] += 1
        todo[:] = False
        todo[i] = True
        alive = _propagate(domains[depth], todo, first, other, table, owner, tables, groups, active)
        conflicts += not alive


@compiled(f"b1[::1]({_NETWORK},b1[::1],i8[:,::1],i8[::1],i8,i8)")
def _minimise(
    start: Ints,
    first: Ints,
    other: Ints,
    table: Ints,
    owner: Ints,
    tables: Ints,
    groups: Ints,
    active: Bools,
    order: Ints,
    removable: Ints,
    keep: int,
    most_guesses: int,
) -> Bools:
    left = 0
    for c in removable:
        left += active[c]
    for c in removable:
        if left <= keep:
            break
        if active[c]:
            active[c] = False
            solutions, _, _, _ = _search(
                start, first, other, table, owner, tables, groups, active, order, False, 2, most_guesses
            )
            if solutions == 1:
                left -= 1
            else:
                active[c] = True
    return active
