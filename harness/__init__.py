"""Depthbench: the same puzzle, the same verifier and the same books for nets, language models and exact
solvers.

    from harness import run, leaderboard, score
    run(task="sudoku", solver="search", limit=20).summary

Importing this package is light; what a name needs is imported when the name is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.running.runner import RunResult, run, score
    from harness.scores.frames import leaderboard
    from harness.studies.play import study

__version__ = "0.1.0"
__all__ = ["RunResult", "leaderboard", "run", "score", "study"]
PLACES = {"leaderboard": "harness.scores.frames", "study": "harness.studies.play"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(importlib.import_module(PLACES.get(name, "harness.running.runner")), name)
