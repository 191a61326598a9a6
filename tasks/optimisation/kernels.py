"""The exact searches that need loops: travelling salesman, generalised assignment, job shop.

All whole numbers, int64. Import this module inside functions only: it loads numba.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.shared.compiled import compiled

Ints = NDArray[np.int64]
FAR = 1 << 60


@compiled("i8(i8[:, ::1], i8, i8[::1])")
def shortest_tour(distance: Ints, slack: int, tour: Ints) -> int:
    """Write the smallest tour from city 0 whose length is within `slack` of the shortest; return the shortest
    length.

    Held and Karp (1962): rest[s, i] is the shortest way from city i through the set s of other cities back to
    0.
    """
    n = len(distance)
    others = n - 1  # city i of the sets is city i + 1
    rest = np.full((1 << others, others), FAR, np.int64)
    for i in range(others):
        rest[0, i] = distance[i + 1, 0]
    for s in range(1, 1 << others):
        for i in range(others):
            if s >> i & 1:
                continue
            best = FAR
            for j in range(others):
                if s >> j & 1:
                    length = distance[i + 1, j + 1] + rest[s ^ (1 << j), j]
                    if length < best:
                        best = length
            rest[s, i] = best
    left = (1 << others) - 1
    shortest = FAR
    for j in range(others):
        shortest = min(shortest, distance[0, j + 1] + rest[left ^ (1 << j), j])
    tour[0] = 0
    so_far, here = 0, 0
    for place in range(1, n):
        for j in range(others):
            if left >> j & 1:
                length = so_far + distance[here, j + 1]
                if length + rest[left ^ (1 << j), j] <= shortest + slack:
                    left ^= 1 << j
                    so_far, here = length, j + 1
                    tour[place] = here
                    break
    return shortest


@compiled("i8(i8[:, ::1], i8[:, ::1], i8[::1], i8[::1])")
def cheapest_assignment(cost: Ints, load: Ints, capacity: Ints, answer: Ints) -> int:
    """Write the smallest cheapest assignment of jobs to agents; return its cost, -1 if there is none.

    cost and load are (agents, jobs). Depth first, jobs in order and agents ascending, so that the first
    answer of a cost is the smallest; cut off where the cheapest agents of all open jobs, each if it still has
    room, cost no less than what was found.
    """
    agents, jobs = cost.shape
    room = capacity.copy()
    chosen = np.full(jobs, -1, np.int64)
    spent = np.zeros(jobs + 1, np.int64)
    best, job = FAR, 0
    while job >= 0:
        agent = chosen[job]
        if agent >= 0:
            room[agent] += load[agent, job]
        agent += 1
        while agent < agents and load[agent, job] > room[agent]:
            agent += 1
        if agent == agents:
            chosen[job] = -1
            job -= 1
            continue
        chosen[job] = agent
        room[agent] -= load[agent, job]
        spent[job + 1] = spent[job] + cost[agent, job]
        bound = spent[job + 1]
        for other in range(job + 1, jobs):
            least = FAR
            for a in range(agents):
                if load[a, other] <= room[a] and cost[a, other] < least:
                    least = cost[a, other]
            bound += least
            if bound >= best:
                break
        if bound >= best:
            continue
        if job == jobs - 1:
            best = int(spent[jobs])
            answer[:] = chosen
        else:
            job += 1
    return best if best < FAR else -1


@compiled("b1(i8[::1], i8[::1], i8[::1], i8[:, ::1], i8[::1], i8)")
def _settle(first: Ints, last: Ints, duration: Ints, pairs: Ints, order: Ints, machines: int) -> bool:
    """Narrow the earliest and latest start times until nothing changes; return False where one pair or job
    cannot fit.

    Operations are numbered job by job. order[p] is 1 or 2 where the first or the second of pair p goes first,
    0 where it is open.
    """
    changed = True
    while changed:
        changed = False
        for o in range(len(first)):
            if first[o] > last[o]:
                return False
            if (o + 1) % machines and first[o + 1] < first[o] + duration[o]:
                first[o + 1] = first[o] + duration[o]
                changed = True
            if (o + 1) % machines and last[o] > last[o + 1] - duration[o]:
                last[o] = last[o + 1] - duration[o]
                changed = True
        for p in range(len(pairs)):
            if order[p] == 0:
                ahead = first[pairs[p, 0]] + duration[pairs[p, 0]] <= last[pairs[p, 1]]
                behind = first[pairs[p, 1]] + duration[pairs[p, 1]] <= last[pairs[p, 0]]
                if not ahead and not behind:
                    return False
                if ahead and behind:
                    continue
                order[p] = 1 if ahead else 2
            a, b = (pairs[p, 0], pairs[p, 1]) if order[p] == 1 else (pairs[p, 1], pairs[p, 0])
            if first[b] < first[a] + duration[a]:
                first[b] = first[a] + duration[a]
                changed = True
            if last[a] > last[b] - duration[a]:
                last[a] = last[b] - duration[a]
                changed = True
    return True


@compiled("b1(i8[::1], i8[::1], i8[::1], i8[:, ::1], i8, i8[::1])")
def _fits(first: Ints, last: Ints, duration: Ints, pairs: Ints, machines: int, starts: Ints) -> bool:
    """Write start times between `first` and `last` that keep all rules; return False if there are none.

    Branches on which of two operations that would overlap at their earliest times goes first.
    """
    operations, open_pairs = len(first), len(pairs)
    firsts = np.empty((open_pairs + 1, operations), np.int64)
    lasts = np.empty((open_pairs + 1, operations), np.int64)
    orders = np.zeros((open_pairs + 1, open_pairs), np.int64)
    branch = np.full((open_pairs + 1, 2), -1, np.int64)  # the pair, and the order left to try (0: none)
    firsts[0], lasts[0] = first, last
    level = 0
    while True:
        clash = -1
        fine = _settle(firsts[level], lasts[level], duration, pairs, orders[level], machines)
        if fine:
            slack = FAR
            for p in range(open_pairs):
                a, b = pairs[p, 0], pairs[p, 1]
                if orders[level, p] == 0:
                    over = min(
                        firsts[level, a] + duration[a] - firsts[level, b],
                        firsts[level, b] + duration[b] - firsts[level, a],
                    )
                    room = lasts[level, a] - firsts[level, a] + lasts[level, b] - firsts[level, b]
                    if over > 0 and room < slack:
                        slack, clash = room, p
            if clash < 0:
                starts[:] = firsts[level]
                return True
        if fine:
            a, b = pairs[clash, 0], pairs[clash, 1]
            order = 1 if firsts[level, a] <= firsts[level, b] else 2
            branch[level, 0], branch[level, 1] = clash, 3 - order
        else:
            while level >= 0 and branch[level, 1] <= 0:
                branch[level, 1] = -1
                level -= 1
            if level < 0:
                return False
            clash, order = int(branch[level, 0]), int(branch[level, 1])
            branch[level, 1] = 0
        firsts[level + 1], lasts[level + 1], orders[level + 1] = firsts[level], lasts[level], orders[level]
        orders[level + 1, clash] = order
        level += 1
        branch[level, 1] = -1


@compiled("i8(i8[:, ::1], i8[:, ::1], i8[::1])")
def shortest_schedule(machine: Ints, durations: Ints, starts: Ints) -> int:
    """Write the smallest start times, job by job, of a schedule of least makespan; return the makespan.

    machine and durations are (jobs, steps). The least makespan is found from below; then each start time in
    turn is made as small as the others still to come allow.
    """
    jobs, machines = machine.shape
    operations = jobs * machines
    duration = durations.copy().reshape(operations)
    on = machine.copy().reshape(operations)
    pairs = np.empty((operations * jobs, 2), np.int64)
    count = 0
    for a in range(operations):
        for b in range(a + 1, operations):
            if on[a] == on[b]:
                pairs[count, 0], pairs[count, 1] = a, b
                count += 1
    pairs = pairs[:count].copy()
    first, tail = np.zeros(operations, np.int64), np.zeros(operations, np.int64)
    makespan = 0
    for j in range(jobs):
        for k in range(1, machines):
            first[j * machines + k] = first[j * machines + k - 1] + duration[j * machines + k - 1]
        for k in range(machines - 1, -1, -1):
            after = tail[j * machines + k + 1] if k < machines - 1 else 0
            tail[j * machines + k] = after + duration[j * machines + k]
        makespan = max(makespan, tail[j * machines])
    for m in range(machines):
        head, work, rear = FAR, 0, FAR
        for o in range(operations):
            if on[o] == m:
                head, work, rear = min(head, first[o]), work + duration[o], min(rear, tail[o] - duration[o])
        makespan = max(makespan, head + work + rear)
    while not _fits(first, makespan - tail, duration, pairs, machines, starts):
        makespan += 1
    last = makespan - tail
    trial = np.empty(operations, np.int64)
    for o in range(operations):
        k = o % machines
        if k > 0:
            first[o] = max(first[o], starts[o - 1] + duration[o - 1])
        while first[o] < starts[o]:  # starts holds a schedule with starts[o]: try whether an earlier one fits
            kept = last[o]
            last[o] = first[o]
            if _fits(first, last, duration, pairs, machines, trial):
                starts[:] = trial
            else:
                last[o] = kept
                first[o] += 1
        first[o] = last[o] = starts[o]
    return makespan
