"""Run folders for the viewer's tests: a large one made of lines alone, and one with replies."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import run
from harness.records.folder import RunFolder
from harness.records.planned import Planned

OUTCOMES = ("correct", "wrong", "wrong", "unparsed", "truncated", "provider_error", "refused")


def edited(folder: RunFolder, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what `run.json` says."""
    found = json.loads(folder.run_path.read_bytes())
    change(found)
    folder.run_path.write_text(json.dumps(found), encoding="utf-8")


def planned(folder: RunFolder, puzzles: Planned) -> None:
    """Let a run have planned these puzzles."""
    folder.write_record(replace(folder.record(), puzzles=puzzles, limit=puzzles.count))


def large_run(results: Path, size: int, *, recorded: int | None = None) -> RunFolder:
    """Make a run of so many 4×4 Sudokus, each with a line; every hundredth line tells of a needle."""
    made = run("sudoku", "random", task_options={"size": 4}, limit=1, results_dir=results).folder
    line = json.loads(made.attempts_path.read_bytes())
    answer, numbers = line["answer"], line["numbers"]

    ids = [f"test-0-{n}" for n in range(size)]
    planned(made, Planned(ids=ids, difficulty=[float(n % 97) for n in range(size)]))
    made.summary_path.unlink()
    with made.attempts_path.open("w", encoding="utf-8") as file:
        for n in range(size if recorded is None else recorded):
            file.write(json.dumps(large_line(n, answer, numbers), separators=(",", ":")) + "\n")
    return made


def large_line(n: int, answer: Any, numbers: dict[str, float]) -> dict[str, Any]:
    """Return the n-th line of a large run."""
    outcome = OUTCOMES[n % len(OUTCOMES)]
    said = "I looked at every row and every box. " * 5 + ("Here is the Needle." if n % 100 == 3 else "")
    usage = {"wall_seconds": (n * 7919 % 1000) / 100, "input_tokens": 200, "output_tokens": 60}
    line = {"schema": 2, "puzzle": f"test-0-{n}", "attempt": 0, "outcome": outcome, "at": 1.7e9 + n}
    line |= {"usage": usage, "depth": n % 16, "reply": said}
    if outcome in ("correct", "wrong"):
        line |= {"answer": answer, "numbers": {**numbers, "correct": float(outcome == "correct")}}
    return line
