"""Find local copies of published data, and say how to get them where there are none."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import UserError

VARIABLE = "DEPTHBENCH_DATA"


def find(data_dir: Path | None, folder: str, names: tuple[str, ...]) -> Path | None:
    """Return the first of `names` in data_dir/folder or in data_dir itself; data_dir defaults to $DEPTHBENCH_DATA.

    A data_dir that does not exist is the user's mistake; one without the file is not, for the file may be downloaded.
    """
    if data_dir is None:
        if not (named := os.environ.get(VARIABLE)):
            return None
        data_dir = Path(named)
    data_dir = Path(data_dir).expanduser()
    if not data_dir.is_dir():
        raise UserError(
            f"The data folder {str(data_dir)!r} does not exist.",
            rule=f"--data-dir or ${VARIABLE} names a folder that holds {folder}/{names[0]}.",
            next_step="Correct the path, or leave it out to download the data.",
        )
    places = (data_dir / folder, data_dir)
    return next((place / name for place in places for name in names if (place / name).is_file()), None)


def missing(data: str, folder: str, names: tuple[str, ...], reason: str = "") -> UserError:
    """Return the error that says which file is missing and the ways to get it."""
    return UserError(
        f"{data}: no local copy{reason and ', and the download failed: ' + reason}.",
        rule=f"A local copy is a folder with {folder}/{' or '.join(names)}, named by --data-dir or ${VARIABLE}.",
        next_step="Name that folder, or connect to the network and run again: the data is then downloaded.",
    )
