"""Rows and attempts as pandas frames, made on demand: importing pandas takes longer than most runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from harness.records.schema import AttemptRecord, RunRecord, known
from harness.scores.leaderboard import rows

if TYPE_CHECKING:
    import pandas as pd


def leaderboard(
    results_dir: str | Path | None = None, *, task: str | None = None, solver: str | None = None
) -> pd.DataFrame:
    """Return the leaderboard as a frame, best first within each task. Runs that cannot be read are warned
    about.
    """
    import warnings

    import pandas as pd

    found, problems = rows(results_dir, task=task, solver=solver)
    for problem in problems:
        warnings.warn(problem, stacklevel=2)
    return pd.DataFrame([asdict(row) for row in found])


def attempts_frame(record: RunRecord, attempts: Sequence[AttemptRecord]) -> pd.DataFrame:
    """Return recorded attempts as a frame: one row per line, usage as usage.*, verdict numbers by name."""
    import pandas as pd

    puzzles = record.puzzles
    difficulty = dict(zip(puzzles.ids, puzzles.difficulty, strict=True))
    groups = dict(zip(puzzles.ids, puzzles.group_names(), strict=True))
    return pd.DataFrame(
        [
            {
                "puzzle": attempt.puzzle,
                "attempt": attempt.attempt,
                "group": groups.get(attempt.puzzle),
                "difficulty": difficulty.get(attempt.puzzle),
                "outcome": str(attempt.outcome),
                **(attempt.numbers or {}),
                **{f"usage.{name}": value for name, value in known(attempt.usage).items()},
                "depth": attempt.depth,
                "samples": attempt.samples,
                "answer": attempt.answer,
                "reply": attempt.reply,
                "trace": attempt.line().get("trace"),
                "detail": attempt.detail or None,
            }
            for attempt in attempts
        ]
    )
