"""Time `bench leaderboard` over a million attempts, start-up included, and its peak memory.

    python benchmarks/records.py [--attempts 1000000] [--runs 1]

Without stored summaries (from the index, as a run leaves it), without the index too (from the lines alone,
once), and with summaries. The records are those of benchmarks/writer.py. JSON on standard output: seconds,
processor seconds, MB.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from writer import attempt

from harness.contracts import Metric, Parameters, SolverCard
from harness.records.folder import RunFolder
from harness.records.planned import Planned
from harness.records.schema import SCHEMA, RunRecord, SolverRecord, TaskRecord

ROOT = Path(__file__).resolve().parent.parent


def make_run(runs: Path, name: str, count: int) -> None:
    """Write a run folder of `count` recorded attempts, as a run leaves it."""
    folder = RunFolder(runs / name)
    folder.path.mkdir(parents=True)
    planned = Planned(ids=[f"test-0-{n}" for n in range(count)], difficulty=[None] * count)
    task = TaskRecord(
        name="sudoku",
        version="1",
        options={},
        changed={},
        reference="sudoku",
        puzzles_sha256="",
        keys_sha256="",
    )
    folder.write_record(
        RunRecord(
            schema=SCHEMA,
            hash=name,
            created="2026-01-01T00:00:00Z",
            task=task,
            solver=SolverRecord(name="trm", options={}, changed={}, reference="trm"),
            split="test",
            seed=0,
            default_split="test",
            attempts_per_puzzle=1,
            metrics=(Metric(name="solved"), Metric(name="cells", number="cells")),
            chance=0.0,
            data_revision="generated",
            card=SolverCard(name="trm", kind="net", parameters=Parameters(core=5_000_000, stored=5_000_000)),
            puzzles=planned,
        )
    )
    with folder.recorder(planned.place) as file:
        for n in range(count):
            file.record(attempt(n))


def timed(results: Path, planned: int) -> dict[str, Any]:
    """Run the command once."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "depthbench", "leaderboard", "--results-dir", str(results)]
    began = time.perf_counter()
    process = subprocess.Popen([*command, "--format", "json"], stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    shown = json.loads(process.stdout.read())
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0
    assert sum(row["planned"] for row in shown) == planned
    cpu = used.ru_utime + used.ru_stime
    return {
        "seconds": round(time.perf_counter() - began, 2),
        "processor seconds": round(cpu, 2),
        "MB": used.ru_maxrss // 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--attempts", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=1)
    asked = parser.parse_args()
    found: dict[str, Any] = {"attempts": asked.attempts, "runs": asked.runs}
    with tempfile.TemporaryDirectory() as place:
        results = Path(place)
        for n in range(asked.runs):
            make_run(results / "runs", f"2026-01-01_sudoku_trm_{n:08x}", asked.attempts // asked.runs)
        found["without summaries"] = timed(results, asked.attempts)
        found["with summaries"] = timed(results, asked.attempts)
        for path in [*results.rglob("summary*.json"), *results.rglob("measured.json")]:
            path.unlink()
        for index in results.rglob("index"):
            shutil.rmtree(index)
        found["without summaries and index"] = timed(results, asked.attempts)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
