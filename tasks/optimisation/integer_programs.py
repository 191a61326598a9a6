"""The optimisation families as integer programs, and two solvers for them: OR-tools CP-SAT and HiGHS.

They prove the frozen optima and check our own searches; both come with the extra `optimisation`. Each family
is written down once more here, independently of its search: variables are whole numbers from 0 to an upper
bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import combinations, permutations
from typing import Any, Literal

from harness.contracts import Answer
from harness.errors import UserError

Payload = Mapping[str, Any]
Terms = Mapping[int, float]  # coefficient of each variable
FREE = 10**9  # no bound
FINE = 10**9  # CP-SAT takes whole costs: others are multiplied by this and rounded


@dataclass
class IntegerProgram:
    """Minimise or maximise `cost` over whole numbers; `read` turns the values of all variables into an
    answer.
    """

    sense: Literal["min", "max"]
    read: Callable[[list[int]], Answer]
    upper: list[int] = field(default_factory=list)
    cost: dict[int, float] = field(default_factory=dict)
    rows: list[tuple[Terms, int, int]] = field(default_factory=list)  # low <= sum of terms <= high

    def variable(self, upper: int = 1, cost: float = 0) -> int:
        """Add a variable; return its number."""
        self.upper.append(upper)
        self.cost[len(self.upper) - 1] = cost
        return len(self.upper) - 1

    def row(self, terms: Terms, low: int, high: int) -> None:
        """Add a constraint."""
        self.rows.append((terms, low, high))


def knapsack(payload: Payload) -> IntegerProgram:
    p = IntegerProgram("max", list)
    taken = [p.variable(cost=value) for value in payload["values"]]
    p.row(dict(zip(taken, payload["weights"], strict=True)), 0, payload["capacity"])
    return p


def independent_set(payload: Payload) -> IntegerProgram:
    weights = payload["weights"]
    n = len(weights)
    p = IntegerProgram("max", lambda x: [x[i : i + n] for i in range(0, n * n, n)])
    cell = {(r, c): p.variable(cost=weights[r][c]) for r in range(n) for c in range(n)}
    for (r, c), (s, d) in combinations(cell, 2):
        if max(abs(r - s), abs(c - d)) == 1:
            p.row({cell[r, c]: 1, cell[s, d]: 1}, 0, 1)
    return p


def max_cut(payload: Payload) -> IntegerProgram:
    weights = payload["weights"]
    n = len(weights)
    p = IntegerProgram("max", lambda x: x[:n])
    side = [p.variable() for _ in range(n)]
    for i, j in combinations(range(n), 2):
        cut = p.variable(cost=weights[i][j])
        p.row({cut: 1, side[i]: -1, side[j]: -1}, -FREE, 0)
        p.row({cut: 1, side[i]: 1, side[j]: 1}, -FREE, 2)
    return p


def assignment(payload: Payload) -> IntegerProgram:
    costs, hours = payload["costs"], payload["hours"]
    agents, jobs = len(costs), len(costs[0])
    p = IntegerProgram(
        "min", lambda x: [1 + next(a for a in range(agents) if x[a * jobs + j]) for j in range(jobs)]
    )
    given = [[p.variable(cost=costs[a][j]) for j in range(jobs)] for a in range(agents)]
    for j in range(jobs):
        p.row({given[a][j]: 1 for a in range(agents)}, 1, 1)
    for a in range(agents):
        p.row(dict(zip(given[a], hours[a], strict=True)), 0, payload["capacity"][a])
    return p


def tsp(payload: Payload) -> IntegerProgram:
    """Miller, Tucker and Zemlin (1960): cities other than the first have places in the trip that grow along
    it.
    """
    at = payload["cities"]
    n = len(at)
    go: dict[tuple[int, int], int] = {}

    def trip(x: list[int]) -> Answer:
        following = {i: j for (i, j), number in go.items() if x[number]}
        answer = [0]
        while len(answer) < n:
            answer.append(following[answer[-1]])
        return [city + 1 for city in answer]

    p = IntegerProgram("min", trip)
    for i, j in permutations(range(n), 2):
        go[i, j] = p.variable(cost=((at[i][0] - at[j][0]) ** 2 + (at[i][1] - at[j][1]) ** 2) ** 0.5)
    place = [p.variable(n - 2) for _ in range(n)]  # the first city's is not used
    for i in range(n):
        p.row({go[i, j]: 1 for j in range(n) if j != i}, 1, 1)
        p.row({go[j, i]: 1 for j in range(n) if j != i}, 1, 1)
    for i, j in permutations(range(1, n), 2):
        p.row({place[i]: 1, place[j]: -1, go[i, j]: n - 1, go[j, i]: n - 3}, -FREE, n - 2)
    return p


def jobshop(payload: Payload) -> IntegerProgram:
    machines, minutes = payload["machines"], payload["minutes"]
    jobs, steps = len(machines), len(machines[0])
    horizon = sum(map(sum, minutes))
    p = IntegerProgram("min", lambda x: [x[j * steps : (j + 1) * steps] for j in range(jobs)])
    start = {(j, k): p.variable(horizon) for j in range(jobs) for k in range(steps)}
    end = p.variable(horizon, cost=1)
    for j in range(jobs):
        for k in range(steps - 1):
            p.row({start[j, k + 1]: 1, start[j, k]: -1}, minutes[j][k], FREE)
        p.row({end: 1, start[j, steps - 1]: -1}, minutes[j][-1], FREE)
    for a, b in combinations(start, 2):
        if machines[a[0]][a[1]] == machines[b[0]][b[1]]:
            first = p.variable()  # 1: a before b
            p.row({start[b]: 1, start[a]: -1, first: -horizon}, minutes[a[0]][a[1]] - horizon, FREE)
            p.row({start[a]: 1, start[b]: -1, first: horizon}, minutes[b[0]][b[1]], FREE)
    return p


PROGRAMS: dict[str, Callable[[Payload], IntegerProgram]] = {
    "knapsack": knapsack,
    "independent-set": independent_set,
    "max-cut": max_cut,
    "assignment": assignment,
    "tsp": tsp,
    "jobshop": jobshop,
}


def solve_cp_sat(program: IntegerProgram) -> Answer | None:
    """Solve by OR-tools CP-SAT on one thread; None if nothing is feasible."""
    cp_model = _package("ortools.sat.python.cp_model")
    model, solver = cp_model.CpModel(), cp_model.CpSolver()
    x = [model.NewIntVar(0, upper, "") for upper in program.upper]
    for terms, low, high in program.rows:
        model.AddLinearConstraint(sum(int(c) * x[i] for i, c in terms.items()), low, high)
    whole = all(float(c).is_integer() for c in program.cost.values())
    total = sum((int(c) if whole else round(FINE * c)) * x[i] for i, c in program.cost.items())
    (model.Maximize if program.sense == "max" else model.Minimize)(total)
    solver.parameters.num_workers = 1
    status = solver.Solve(model)
    if status == cp_model.INFEASIBLE:
        return None
    assert status == cp_model.OPTIMAL  # no limit of time is set
    return program.read([int(solver.Value(v)) for v in x])


def solve_highs(program: IntegerProgram) -> Answer | None:
    """Solve by HiGHS on one thread, to a gap of 0; None if nothing is feasible."""
    highspy = _package("highspy")
    highs = highspy.Highs()
    for option, value in {"output_flag": False, "threads": 1, "mip_rel_gap": 0.0, "mip_abs_gap": 0.0}.items():
        highs.setOptionValue(option, value)
    for i, upper in enumerate(program.upper):
        highs.addVar(0, upper)
        highs.changeColCost(i, program.cost[i])
        highs.changeColIntegrality(i, highspy.HighsVarType.kInteger)
    for terms, low, high in program.rows:
        bounds = (-highspy.kHighsInf if low == -FREE else low), (highspy.kHighsInf if high == FREE else high)
        highs.addRow(*bounds, len(terms), list(terms), list(terms.values()))
    highs.changeObjectiveSense(
        highspy.ObjSense.kMaximize if program.sense == "max" else highspy.ObjSense.kMinimize
    )
    highs.run()
    status = highs.getModelStatus()
    if status == highspy.HighsModelStatus.kInfeasible:
        return None
    assert status == highspy.HighsModelStatus.kOptimal, status
    return program.read([round(v) for v in highs.getSolution().col_value])


SOLVERS = {"cp-sat": solve_cp_sat, "highs": solve_highs}


def _package(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError:
        raise UserError(
            f"{name.partition('.')[0]} is not installed.",
            rule="The methods cp-sat and highs need the extra `optimisation`.",
            next_step="pip install 'depthbench[optimisation]'. The method search needs nothing.",
        ) from None
