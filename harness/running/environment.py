"""The software and the machine that a run runs on, as far as they can be told; unknown is None."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

from harness.records.schema import Environment

OURS = "depthbench"


def environment(price_table: str | None) -> Environment:
    """Describe versions of packages, git commit, Python, platform and processors."""
    here = Path(__file__).resolve().parent.parent.parent
    commit = _git(here, "rev-parse", "HEAD") if (here / ".git").exists() else None
    return Environment(
        git_commit=commit,
        git_dirty=bool(_git(here, "status", "--porcelain", "--untracked-files=no")) if commit else None,
        packages=_packages(),
        price_table=price_table,
        python=platform.python_version(),
        machine={
            "platform": platform.platform(),
            "processor": platform.machine(),
            "cpus": os.cpu_count(),
        },
    )


def _packages() -> dict[str, str]:
    """Return the versions of this package and of all that it may use, as far as they are installed."""
    try:
        wanted = metadata.requires(OURS) or []
    except metadata.PackageNotFoundError:  # run from a copy that was never installed
        wanted = []
    names = {OURS, *(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0] for requirement in wanted)}
    versions = {}
    for name in sorted(names):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _git(where: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(where), *words],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip()
