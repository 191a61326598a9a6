"""The door: `bench`, `python -m depthbench` and `torchrun -m depthbench` come in here.

Its name is nobody else's, so that a user's own `harness`, `solvers` or `tasks` meets a sentence and not an
ImportError.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def main() -> None:
    """Start `bench` if the packages beside this file are those that Python finds."""
    file = Path(__file__).resolve().parent / "harness" / "ours.py"
    spec = importlib.util.spec_from_file_location("_depthbench_ours", file)
    assert spec is not None
    assert spec.loader is not None
    ours = importlib.util.module_from_spec(spec)  # from its file: `harness` may be another one
    spec.loader.exec_module(ours)
    ours.leave_working_directory()
    if taken := ours.foreign():
        print(f"bench: {taken}", file=sys.stderr)
        sys.exit(2)
    from harness.running.collector import collector_rarer

    with collector_rarer():
        from harness.cli.main import main as bench

        bench()


if __name__ == "__main__":
    main()
