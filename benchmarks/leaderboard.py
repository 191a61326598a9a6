"""Time `bench leaderboard` over 100,000 attempt records, start-up included.

    python benchmarks/leaderboard.py [--json]

Two layouts, one run of 100,000 and ten of 10,000, each timed twice: summaries deleted (every line is read)
and present. The records are like those of 9×9 Sudoku: an answer of 81 cells, verdict numbers, usage. Best of
three, seconds.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.contracts import Metric, Outcome, Parameters, SolverCard, Usage
from harness.records.folder import RunFolder
from harness.records.schema import SCHEMA, AttemptRecord, Planned, RunRecord, SolverRecord, TaskRecord

REPEATS = 3
ANSWER = [[(3 * row + row // 3 + column) % 9 + 1 for column in range(9)] for row in range(9)]


def make_run(runs: Path, name: str, count: int) -> None:
    """Write a run folder of `count` recorded attempts."""
    folder = RunFolder(runs / name)
    folder.path.mkdir(parents=True)
    ids = tuple(f"test-0-{n}" for n in range(count))
    folder.write_record(
        RunRecord(
            schema=SCHEMA,
            hash=name,
            created="2026-01-01T00:00:00Z",
            task=TaskRecord(
                name="sudoku",
                version="1",
                options={},
                changed={},
                reference="sudoku",
                puzzles_sha256="",
                keys_sha256="",
            ),
            solver=SolverRecord(name="trm", options={}, changed={}, reference="trm"),
            split="test",
            seed=0,
            default_split="test",
            attempts_per_puzzle=1,
            metrics=(Metric(name="solved"),),
            chance=0.0,
            data_revision="generated",
            card=SolverCard(name="trm", kind="net", parameters=Parameters(core=5_000_000, stored=5_000_000)),
            puzzles=Planned(ids=ids, difficulty=(None,) * count),
        )
    )
    usage = Usage(wall_seconds=0.012345678, device_seconds=0.001234567, passes=16, flops=1.234e10, retries=0)
    with folder.recorder() as file:
        for n, puzzle in enumerate(ids):
            right = n % 8 > 0
            attempt = AttemptRecord(
                puzzle=puzzle,
                attempt=0,
                outcome=Outcome.CORRECT if right else Outcome.WRONG,
                numbers={"correct": float(right), "cells": 0.9, "clues_kept": 1.0},
                usage=usage,
                depth=16,
                samples=1,
                at=1800000000.123,
                answer=ANSWER,
                detail={"halt_score": 3.1415, "votes": 1},
            )
            file.append(attempt.line())


def timed(results: Path, *, summaries: bool) -> float:
    """Return the best wall time of the command, seconds."""
    best = float("inf")
    for _ in range(REPEATS):
        if not summaries:
            for summary in results.rglob("summary*.json"):
                summary.unlink()
        began = time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "harness.cli.main",
            "leaderboard",
            "--results-dir",
            str(results),
            "--format",
            "json",
        ]
        shown = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
        best = min(best, time.perf_counter() - began)
        assert sum(row["planned"] for row in json.loads(shown.stdout)) == 100_000
    return best


def main() -> None:
    found = {}
    for runs in (1, 10):
        results = Path(tempfile.mkdtemp())
        try:
            for n in range(runs):
                make_run(results / "runs", f"2026-01-01_sudoku_trm_{n:08x}", 100_000 // runs)
            found[f"{runs} run(s), summaries deleted"] = round(timed(results, summaries=False), 3)
            found[f"{runs} run(s), summaries present"] = round(timed(results, summaries=True), 3)
        finally:
            shutil.rmtree(results)
    lines = [f"{seconds:6.2f} s  {what}" for what, seconds in found.items()]
    print(json.dumps(found, indent=2) if "--json" in sys.argv else "\n".join(lines))


if __name__ == "__main__":
    main()
