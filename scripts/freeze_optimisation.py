"""Make the frozen test sets of the optimisation tasks, each optimum proved by two solvers.

    pip install 'depthbench[optimisation,power]'
    python scripts/freeze_optimisation.py                # all; or names, e.g. tsp jobshop,size=5
    python scripts/freeze_optimisation.py --check tsp    # compares, writes nothing

Writes tasks/optimisation/frozen/NAME.json.xz: the first 1,000 items of the test split at seed 0, as
generated. The label and the optimum are our own search's; OR-tools CP-SAT and HiGHS must both find an optimum
of the same value, on a formulation of their own. Optimal power flow is a local method's work: PYPOWER must
find the same cost, to 2e-6 of it, on every tenth item; its files hold setpoints, from which labels follow by
a power flow. Takes half an hour on one core.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import lzma
import sys
import time
from typing import Any

from harness.base import GeneratedTask
from harness.contracts import Key, Puzzle
from harness.registry import create
from tasks.optimisation.integer_programs import PROGRAMS, SOLVERS
from tasks.optimisation.objective import FROZEN, OptimisationTask
from tasks.optimisation.opf import Opf
from tasks.optimisation.opf_rules import network
from tasks.optimisation.pypower_flow import solve_pypower

SETS: dict[str, dict[str, Any]] = {
    "knapsack": {},
    "independent-set": {},
    "max-cut": {},
    "assignment": {},
    "tsp": {},
    "jobshop": {},
    "jobshop,size=5": {"size": 5},
    "opf": {},
    "opf-n1": {},
    "opf,case=5": {"case": 5},
    "opf,case=5-n1": {"case": 5},
    "opf,case=30": {"case": 30},
    "opf,case=30-n1": {"case": 30},
    "opf,case=118": {"case": 118},
    "opf,case=118-n1": {"case": 118},
}
COUNT, COUNT_OF_118 = 1000, 100
EVERY = 10  # of which one is checked by PYPOWER
SAME_COST = 2e-6
SAME = 1e-7  # of the optimum: lengths of trips are sums of square roots


def main() -> None:
    """Make, or check, the sets named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="*", default=[], help=f"of {', '.join(SETS)}; all if left out")
    parser.add_argument("--check", action="store_true", help="compare with what is there, write nothing")
    asked = parser.parse_args()
    for name in asked.sets or SETS:
        task = create("task", name.partition(",")[0].removesuffix("-n1"), SETS[name])
        started = time.monotonic()
        rows = freeze_opf(task, name) if task.name == "opf" else [prove(task, n) for n in range(COUNT)]
        written = json.dumps({"version": task.version, "rows": rows}, separators=(",", ":")).encode()
        file = FROZEN / f"{name}.json.xz"
        if asked.check:
            same = lzma.decompress(file.read_bytes()) == written
            print(
                f"{name}: {'the same' if same else 'DIFFERENT'} ({time.monotonic() - started:.0f} s)",
                flush=True,
            )
            if not same:
                sys.exit(1)
            continue
        file.write_bytes(lzma.compress(written, preset=9 | lzma.PRESET_EXTREME))
        print(f"{name}: {file.stat().st_size:,} bytes ({time.monotonic() - started:.0f} s)", flush=True)


def freeze_opf(task: Opf, name: str) -> list[dict[str, Any]]:
    """Generate the items of a split of optimal power flow; hold a part of them against PYPOWER."""
    task = dataclasses.replace(task, mode="setpoints")
    split = "test-n1" if name.endswith("-n1") else "test"
    assert task.frozen_set(split) == name
    rows = []
    for index in range(COUNT_OF_118 if task.case == 118 else COUNT):
        puzzle, key = GeneratedTask.item(task, split, 0, index)
        assert key.optimum is not None
        if index % EVERY == 0:
            found = solve_pypower(puzzle.payload)
            assert found is not None, puzzle.id
            cost = network(puzzle.payload).usd_per_hour(found.p)
            assert abs(cost - key.optimum) <= SAME_COST * key.optimum, (puzzle.id, cost, key.optimum)
        rows.append(row_of(puzzle, key))
    return rows


def prove(task: OptimisationTask, index: int) -> dict[str, Any]:
    """Generate one item anew and prove its optimum."""
    puzzle, key = GeneratedTask.item(task, "test", 0, index)
    assert key.optimum is not None
    for name, solve in SOLVERS.items():
        answer = solve(PROGRAMS[task.name](puzzle.payload))
        assert task.check(puzzle, answer).feasible, (name, puzzle.id)
        value = task.value(puzzle.payload, answer)
        assert abs(value - key.optimum) <= SAME * key.optimum, (name, puzzle.id, value, key.optimum)
    return row_of(puzzle, key)


def row_of(puzzle: Puzzle, key: Key) -> dict[str, Any]:
    """Return what a frozen set holds of an item."""
    return {
        "payload": puzzle.payload,
        "answer": key.answers[0],
        "optimum": key.optimum,
        "difficulty": puzzle.difficulty,
    }


if __name__ == "__main__":
    main()
