"""Find runs on disk: all in a results folder, or the one a name means. A folder that is damaged, of another
tool or of a newer version is left out by name and takes no other down with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DepthbenchError, UserError, did_you_mean
from harness.records.folder import RunFolder
from harness.records.schema import RunRecord

LISTED = 5  # names that an error lists


@dataclass(frozen=True)
class Found:
    """A run folder, with what it says or why it cannot be read."""

    folder: RunFolder
    record: RunRecord | None
    problem: str | None = None


def results_folder(results_dir: str | Path | None) -> Path:
    """Return where runs are kept: as given, else DEPTHBENCH_RESULTS, else ./results."""
    text = str(results_dir or os.environ.get("DEPTHBENCH_RESULTS") or "results")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(f"The results folder {text!r} cannot be found: {error}") from error


def runs_folder(results_dir: str | Path | None) -> Path:
    """Return the folder of the run folders."""
    return results_folder(results_dir) / "runs"


def folders(results_dir: str | Path | None) -> list[RunFolder]:
    """Return the folders that hold a run or may do, by name. Raises UserError if they cannot be listed."""
    runs = runs_folder(results_dir)
    try:
        with os.scandir(runs) as entries:
            paths = sorted(Path(entry.path) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UserError(f"{runs} cannot be read: {error.strerror}.", next_step="Mend that.") from error
    return [RunFolder(path) for path in paths if _may_be_a_run(path)]


def _may_be_a_run(path: Path) -> bool:
    """Say whether a path is a folder that holds a file of ours, or does not let us see."""
    if not os.path.isdir(path):  # a file, a link to nowhere or to itself
        return False
    try:
        held = os.listdir(path)
    except OSError:
        return True
    return "run.json" in held or "attempts.jsonl" in held


def scan(results_dir: str | Path | None, *, named: str = "") -> Iterator[Found]:
    """Yield every run of a results folder whose name holds `named`, by name, those that cannot be read with
    the reason.
    """
    for folder in (f for f in folders(results_dir) if named in f.name):
        try:
            yield Found(folder, folder.record())
        except DepthbenchError as error:
            yield Found(folder, None, left_out(folder, error))


def left_out(folder: RunFolder, error: DepthbenchError) -> str:
    """Say that a run is left out, and why."""
    return f"Left out {folder.name}: {error}"


def find_run(name: str, results_dir: str | Path | None = None) -> RunFolder:
    """Return the run folder named by a path, a folder name, the end of one name, or any part of one, such
    as its hash.
    """
    if name and _may_be_a_run(Path(name)):
        return RunFolder(Path(name))
    known = {folder.name: folder for folder in folders(results_dir)}
    if name in known:
        return known[name]
    fits = [n for n in known if n.endswith(f"_{name}")] or sorted(n for n in known if name in n)
    if len(fits) == 1:
        return known[fits[0]]
    if fits:
        raise UserError(
            f"{name!r} fits {len(fits)} runs: {', '.join(fits[:LISTED])}.",
            next_step="Give more letters of one.",
        )
    raise UserError(
        f"No run {name!r} in {runs_folder(results_dir)}.",
        rule=did_you_mean(name, known, show=LISTED) if known else "That folder holds no run.",
        next_step="`bench leaderboard` lists the runs; --results-dir names another folder.",
    )
