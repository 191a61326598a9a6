"""Optimal power flow in a terminal: the loads, what an answer sets, and how much of each class of constraints
it keeps.
"""

from __future__ import annotations

from rich.text import Text

from harness.contracts import Answer, Key, Puzzle
from tasks.optimisation.drawing import worth
from tasks.optimisation.objective import OptimisationTask
from tasks.optimisation.opf_rules import UNITS, Mode, form_fault, network


def draw(task: OptimisationTask, mode: Mode, puzzle: Puzzle, answer: Answer | None, key: Key | None) -> Text:
    """Draw an instance and an answer, at most 80 columns."""
    net = network(puzzle.payload)
    text = Text(f"{len(net.load)} buses, {len(net.at)} generators, {len(net.ends)} branches")
    text.append(f", without {puzzle.payload['removed']}\n" if puzzle.payload["removed"] else "\n")
    loads = puzzle.payload["loads"]
    for start in range(0, len(loads), 2):
        line = [f"bus {bus:>3} {p:8.2f} MW {q:8.2f} MVAr" for bus, p, q in loads[start : start + 2]]
        text.append("  ".join(line) + "\n")
    if answer is None or form_fault(net, answer, mode):
        return worth(task, puzzle, answer, key, text)
    for name, values in answer.items():
        pairs = [f"{k}: {v:.4g}" for k, v in values.items()]
        for start in range(0, len(pairs), 5):
            head = f"{name} ({UNITS[name]})" if start == 0 else ""
            text.append(
                f"{head:<13}" + "".join(f"{pair:<13}" for pair in pairs[start : start + 5]).rstrip() + "\n"
            )
    found = task.check(puzzle, answer)
    for place, (kind, count) in enumerate(found.asked.items()):
        text.append("\n" if place == 3 else "")
        style = "green" if found.kept[kind] == count else "red"
        text.append(f"{kind} {found.kept[kind]}/{count}  ", style=style)
    text.append("\n")
    return worth(task, puzzle, answer, key, text)
