"""The command that makes a run again, from its record."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from harness.records.schema import RunRecord


def command(record: RunRecord) -> str:
    """Return `bench run …` as a shell takes it: every option that is not at its default, and the very
    puzzles.
    """
    words = ["bench", "run", "--task", record.task.reference or record.task.name]
    words += _options("-T", record.task.changed)
    words += ["--solver", record.solver.reference or record.solver.name]
    words += _options("-S", record.solver.changed)
    if record.split != record.default_split:
        words += ["--split", record.split]
    if record.seed:
        words += ["--seed", str(record.seed)]
    if record.sample_ids:
        words += ["--sample-id", ",".join(record.sample_ids)]
    elif record.limit is not None:
        words += ["--limit", str(record.limit)]
    if record.attempts_asked is not None:
        words += ["--attempts", str(record.attempts_asked)]
    return shlex.join(words)


def _options(flag: str, options: Mapping[str, Any], inside: str = "") -> list[str]:
    words = []
    for name, value in options.items():
        if isinstance(value, Mapping):  # a solver within the solver: its name, then what it is given
            inner = dict(value)
            if "name" in inner:
                words += [flag, f"{inside}{name}={inner.pop('name')}"]
            words += _options(flag, inner, f"{inside}{name}.")
        else:
            words += [flag, f"{inside}{name}={_value(value)}"]
    return words


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_value, value))
    return value if isinstance(value, str) else "none" if value is None else json.dumps(value)
