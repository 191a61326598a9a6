"""What the harness itself costs beside the model: 2,000 short puzzles against a server that answers at once.

`python benchmarks/llm_overhead.py` runs `bench run --solver llm` and inspect_ai on the same number of prompts
at 100 connections, each in a process of its own, one after the other, repeated, and prints requests a second
(from the first request to the last, as the server sees them), seconds from the start of the process to its
first request, CPU milliseconds a request and peak memory. inspect_ai is installed into a virtual environment
of its own, by default build/inspect.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
INSPECT = "inspect_ai==0.3.285"
REPLY = "```answer\n1234\n3412\n2143\n4321\n```"

INSPECT_RUN = """
import sys
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

count, connections, logs = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
prompt = "Fill this 4x4 Sudoku. " + ". . 3 4\\n3 4 . .\\n. 1 4 .\\n4 . . 1\\n" * 2
task = Task(
    dataset=[Sample(id=i, input=f"{i}: {prompt}", target="1234") for i in range(count)], solver=generate(),
    scorer=includes()
)
(log,) = eval(
    task, model="openai-api/local/m", max_connections=connections, max_samples=connections, display="none",
    log_dir=logs,
    log_level="error",
)
assert log.status == "success", log.error
"""


def call(url: str, method: str = "GET") -> dict[str, float]:
    with urllib.request.urlopen(urllib.request.Request(url, method=method)) as response:
        return dict(json.loads(response.read()))


def measure(
    name: str, command: list[str], url: str, count: int, environment: dict[str, str]
) -> dict[str, float | str]:
    """Run one contestant to its end and return what the server and the kernel saw of it."""
    stats = url.removesuffix("/v1") + "/stats"
    call(stats, "DELETE")
    started = time.time()
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{name} failed: {errors.decode()[-2000:]}")
    seen = call(stats)
    if seen["requests"] < count:
        sys.exit(f"{name} sent {seen['requests']} of {count} requests")
    return {
        "harness": name,
        "requests/s": seen["requests"] / (seen["last"] - seen["first"]),
        "start s": seen["first"] - started,
        "CPU ms/request": (usage.ru_utime + usage.ru_stime) / count * 1000,
        "peak MB": usage.ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--puzzles", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--inspect", type=Path, default=ROOT / "build" / "inspect", help="its virtual environment"
    )
    arguments = parser.parse_args()
    python = arguments.inspect / "bin" / "python"
    if not python.exists():
        venv.create(arguments.inspect, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", INSPECT, "openai"], check=True)
    count, connections = str(arguments.puzzles), str(arguments.connections)
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.llm_server", "--reply", REPLY, "--seconds", "3600"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        cwd=ROOT,
    )
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    rows = []
    try:
        for _ in range(arguments.repeats):
            with tempfile.TemporaryDirectory() as scratch:
                ours = [
                    sys.executable,
                    "-m",
                    "harness.cli.main",
                    "run",
                    "--task",
                    "sudoku",
                    "-T",
                    "size=4",
                    "-T",
                    "difficulty=easy",
                ]
                ours += [
                    "--solver",
                    "llm",
                    "--limit",
                    count,
                    "--max-connections",
                    connections,
                    "--results-dir",
                    scratch,
                ]
                ours += ["-S", "model=m", "-S", f"base_url={url}", "-S", "strategy=direct"]
                rows.append(
                    measure("depthbench", ours, url, arguments.puzzles, {"DEPTHBENCH_CACHE": scratch})
                )
                theirs = [str(python), "-c", INSPECT_RUN, count, connections, scratch]
                environment = {"LOCAL_BASE_URL": url, "LOCAL_API_KEY": "none"}
                rows.append(measure("inspect_ai", theirs, url, arguments.puzzles, environment))
    finally:
        server.terminate()
        server.wait()
    for row in rows:
        print(
            "  ".join(
                f"{key} {value if isinstance(value, str) else format(value, '.4g'):>10}"
                for key, value in row.items()
            )
        )
    rate = {
        name: median(float(r["requests/s"]) for r in rows if r["harness"] == name)
        for name in ("depthbench", "inspect_ai")
    }
    times = rate["depthbench"] / rate["inspect_ai"]
    print(f"median of {arguments.repeats}: {times:.1f} times the requests a second of {INSPECT}")


if __name__ == "__main__":
    main()
