"""How many attempts a second the one writer takes: lines written, each by one call, with the index kept up.

    python benchmarks/writer.py [--attempts 100000]

Attempts like those of 9×9 Sudoku: an answer of 81 cells, the numbers of a verdict, usage. JSON on standard
output; `cpu` is what it would be on a processor of its own.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from harness.contracts import Outcome, Usage
from harness.records.folder import RunFolder
from harness.records.planned import Planned
from harness.records.schema import AttemptRecord

ANSWER = [[(3 * row + row // 3 + column) % 9 + 1 for column in range(9)] for row in range(9)]


def attempt(n: int) -> AttemptRecord:
    """Return one attempt of a run."""
    right = n % 8 > 0
    return AttemptRecord(
        puzzle=f"test-0-{n}",
        attempt=0,
        outcome=Outcome.CORRECT if right else Outcome.WRONG,
        numbers={"correct": float(right), "cells": 0.9, "clues_kept": 1.0},
        usage=Usage(
            wall_seconds=0.012345678, device_seconds=0.001234567, passes=16, flops=1.234e10, retries=0
        ),
        depth=16,
        samples=1,
        at=1800000000.123,
        answer=ANSWER,
        detail={"halt_score": 3.1415, "votes": 1},
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--attempts", type=int, default=100_000)
    count = parser.parse_args().attempts
    attempts = [attempt(n) for n in range(count)]
    found = {}
    with tempfile.TemporaryDirectory() as place:
        planned = Planned(ids=[one.puzzle for one in attempts], difficulty=[None] * count)
        for name, places in (("lines and index", planned.place), ("lines alone", None)):
            folder = RunFolder(Path(place) / name)
            folder.path.mkdir()
            began, busy = time.perf_counter(), time.process_time()
            with folder.recorder(places) as file:
                for one in attempts:
                    file.record(one)
            took, cpu = time.perf_counter() - began, time.process_time() - busy
            found[name] = {"attempts a second": round(count / took), "cpu": round(count / cpu)}
        size = (folder.path / "attempts.jsonl").stat().st_size
        index = sum(p.stat().st_size for p in (Path(place) / "lines and index" / "index").iterdir())
    print(json.dumps({**found, "bytes an attempt": size // count, "of the index": index // count}, indent=2))


if __name__ == "__main__":
    main()
