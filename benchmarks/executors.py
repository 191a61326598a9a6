"""What workers are worth, and what it takes to lose an attempt.

    python benchmarks/executors.py saturation      attempts a second into the one writer, by number of workers
    python benchmarks/executors.py nets            two workers against one, a thread each, for a net on a CPU
    python benchmarks/executors.py kills           workers and drivers killed at random: nothing lost, nothing
    twice

JSON on standard output. `saturation` has a solver that answers at once and a task that judges at once (the
one of docs/examples), so what is timed is the engine: shards out, attempts back, judged, written, indexed.
Times are those of the session, without the start of the workers. `nets` gives a ratio, which a busy machine
lowers. `kills` runs `bench run` with one executor after another on one run folder, kills now a worker, now
the driver (SIGKILL), and compares the summary with that of an undisturbed run; with `--net` of TRM on 6×6
Sudoku at one supervision step, and with `--ray` by Ray's actors too.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.contracts import Attempt, Budget, Puzzle, SolverCard, TaskView, Usage
from harness.records.find import scan
from harness.records.folder import RunFolder

ROOT = Path(__file__).resolve().parent.parent
COUNTING = f"{ROOT / 'docs' / 'examples' / 'counting.py'}:Counting"
WORKERS = (0, 1, 2, 4, 8)  # 0: this process


@dataclass(frozen=True, kw_only=True)
class Instant:
    """Answers at once, or after so many seconds; its usage is the same each time."""

    seconds: float = field(default=0.0, compare=False)  # of sleep per attempt

    @property
    def card(self) -> SolverCard:
        return SolverCard(name="instant", kind="baseline")

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        usage = Usage(wall_seconds=0.001, passes=1, flops=1e6)
        for puzzle in puzzles:
            for k in budget.wanted(puzzle.id):
                if self.seconds:
                    time.sleep(self.seconds)
                yield Attempt(puzzle_id=puzzle.id, attempt=k, answer=7, usage=usage)


def bench(results: Path, *words: str, threads: int | None = None) -> subprocess.Popen[bytes]:
    """Start `bench run`."""
    environment = {**os.environ, "DEPTHBENCH_CACHE": str(results.parent / "cache")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    if threads is not None:
        environment |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "depthbench", "run", *words, "--results-dir", str(results)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
    )


def only(results: Path) -> RunFolder | None:
    return next((found.folder for found in scan(results) if found.record), None)


def session_seconds(results: Path) -> float:
    """Return how long the one session of the one run took."""
    folder = only(results)
    assert folder is not None
    start, end = folder.sessions()
    return end.at - start.at


def executor(workers: int) -> list[str]:
    return ["--workers", str(workers)] if workers else []


def saturation(puzzles: int) -> dict[str, Any]:
    found = {}
    with tempfile.TemporaryDirectory() as place:
        for workers in WORKERS:
            results = Path(place) / str(workers)
            words = ["--task", COUNTING, "--solver", f"{__file__}:Instant", "--limit", str(puzzles)]
            bench(results, *words, *executor(workers)).wait()
            found["this process" if not workers else f"{workers} workers"] = round(
                puzzles / session_seconds(results)
            )
    return {"puzzles": puzzles, "attempts a second": found}


def nets(puzzles: int, repeats: int) -> dict[str, Any]:
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as place:
        for turn in range(repeats):
            for workers in seconds:
                results = Path(place) / f"{turn}-{workers}"
                words = ["--task", "sudoku", "--solver", "trm", "-S", "halt=never", "--limit", str(puzzles)]
                bench(results, *words, "--workers", str(workers), threads=1).wait()
                seconds[workers].append(session_seconds(results))
    best = {workers: min(took) for workers, took in seconds.items()}
    return {"puzzles": puzzles, "seconds": seconds, "two workers against one": round(best[1] / best[2], 2)}


def kills(wanted: int, seed: int, puzzles: int, *, net: bool, ray: bool) -> dict[str, Any]:
    rng = random.Random(seed)
    words = ["--task", COUNTING, "--solver", f"{__file__}:Instant"]
    if net:
        words = ["--task", "sudoku", "--solver", "trm", "-S", "depth=1"]
    words += ["--limit", str(puzzles)]
    executors = [executor(workers) for workers in (0, 2, 2, 2, 3)]
    if ray:
        executors = [*executors[:2], *[["--ray", "local", "--workers", "2"]] * 3]
    done = {"worker": 0, "driver": 0}
    sessions = on_ray = 0
    with tempfile.TemporaryDirectory() as place:
        calm, rough = Path(place) / "calm", Path(place) / "rough"
        bench(calm, *words).wait()
        while True:
            slow = ["-S", "seconds=0.02"] if sum(done.values()) < wanted and not net else []
            by = rng.choice(executors)
            driver = bench(rough, *words, *slow, *by, threads=1)
            sessions, on_ray = sessions + 1, on_ray + ("--ray" in by)
            while driver.poll() is None:
                time.sleep(rng.uniform(0.1, 1.5) * (5 if net else 1))  # long enough that some is recorded
                if sum(done.values()) >= wanted:
                    continue
                workers = workers_of(driver.pid)
                if workers and rng.random() < 0.8:
                    done["worker"] += _kill(rng.choice(workers))
                elif only(rough) is not None:
                    done["driver"] += _kill(driver.pid)
                    driver.wait()
            driver.wait()
            if driver.returncode == 0:
                break
        folder, undisturbed = only(rough), only(calm)
        assert folder is not None
        assert undisturbed is not None
        attempts = folder.attempts()
        pairs = {(attempt.puzzle, attempt.attempt) for attempt in attempts}
        return {
            "killed": done,
            "sessions": sessions,
            "of them on Ray": on_ray,
            "planned": puzzles,
            "lost": puzzles - len(pairs),
            "twice": len(attempts) - len(pairs),
            "failed": sum(not attempt.answered for attempt in attempts),
            "same summary": _untimed(folder) == _untimed(undisturbed),
        }


def _untimed(folder: RunFolder) -> bytes:
    """Return the bytes of a summary without times, and dollars that follow from them: no two runs have the
    same.
    """
    found = json.loads(folder.summary_path.read_bytes())
    for name in ("wall_seconds", "device_seconds", "seconds", "usd"):
        found["costs"].pop(name, None)
    return json.dumps(found).encode()


def _kill(pid: int) -> bool:
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def workers_of(driver: int) -> list[int]:
    """Return the worker processes of a driver: its children, or the actors below its Ray."""
    below, found = children(driver), list[int]()
    if not any("raylet" in _name(pid) for pid in below):
        return below
    while below:
        found += [pid for pid in below if _name(pid).startswith("ray::Actor")]
        below = [child for pid in below for child in children(pid)]
    return found


def _name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    return ""


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if status.read_text(encoding="utf-8").rpartition(")")[2].split()[1] == str(pid):
                found.append(int(status.parent.name))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["saturation", "nets", "kills"])
    parser.add_argument("--puzzles", type=int, default=None, help="puzzles of a run")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--net", action="store_true", help="kills: of a net")
    parser.add_argument("--ray", action="store_true", help="kills: actors of Ray too")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if asked.what == "saturation":
        found = saturation(asked.puzzles or 20_000)
    elif asked.what == "nets":
        found = nets(asked.puzzles or 256, asked.repeats)
    else:
        puzzles = asked.puzzles or 25 * asked.kills
        found = kills(asked.kills, asked.seed, puzzles, net=asked.net, ray=asked.ray)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
