"""Where this user's files are kept."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

VARIABLE = "DEPTHBENCH_CACHE"


def expanded(path: str | Path) -> Path:
    """Return a path with ~ replaced by the home it means; as it is where none is known."""
    return Path(os.path.expanduser(path))


def cache_folder() -> Path:
    """Return the folder for what can be fetched or made again: as `DEPTHBENCH_CACHE` names it, else the
    user's cache folder, else, for a user without a home, one in the system's folder for temporary files.
    """
    if named := os.environ.get(VARIABLE):
        return expanded(named)
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "depthbench"
    except RuntimeError:  # neither HOME nor a line of the user in the system's list
        return Path(tempfile.gettempdir()) / f"depthbench-{os.getuid()}"
