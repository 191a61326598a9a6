"""Rows of published CSV files: from a local copy, else downloaded at a pinned revision and checked.

A local copy is taken as it is (it may be a part of the published file); of a download the caller checks the
SHA-256.
"""

from __future__ import annotations

import csv
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from harness.errors import UserError
from harness.folders import expanded
from harness.randomness import seed_of

VARIABLE = "DEPTHBENCH_DATA"
COLUMNS = ["source", "question", "answer", "rating"]

Row = dict[str, str]
Lines = list[tuple[int, Row]]
"""Rows with the number of the line they end on."""


def find(data_dir: Path | None, folder: str, names: tuple[str, ...]) -> Path | None:
    """Return the first of `names` in data_dir/folder or in data_dir itself; data_dir defaults to
    $DEPTHBENCH_DATA.

    A data_dir that does not exist is the user's mistake; one without the file is not, for the file may be
    downloaded.
    """
    if data_dir is None:
        if not (named := os.environ.get(VARIABLE)):
            return None
        data_dir = Path(named)
    data_dir = expanded(data_dir)
    if not data_dir.is_dir():
        raise UserError(
            f"The data folder {str(data_dir)!r} does not exist.",
            rule=f"--data-dir or ${VARIABLE} names a folder that holds {folder}/{names[0]}.",
            next_step="Correct the path, or leave it out to download the data.",
        )
    places = (data_dir / folder, data_dir)
    return next((place / name for place in places for name in names if (place / name).is_file()), None)


def missing(what: str, folder: str, names: tuple[str, ...], reason: str) -> UserError:
    """Return the error that says which file is missing and the ways to get it."""
    return UserError(
        f"{what}: no local copy found, and the download failed ({reason}).",
        rule=(
            f"A local copy is a folder that holds {folder}/{' or '.join(names)}, named by --data-dir or "
            f"${VARIABLE}."
        ),
        next_step="Name such a folder, or connect to the network and run again.",
    )


def read_csv(path: Path, limit: int | None = None) -> Lines:
    """Read the first `limit` rows of a CSV file whose columns are those of the published Sudoku and maze
    sets.
    """
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:  # with or without a BOM
        reader = csv.DictReader(file)
        if reader.fieldnames is None or not set(COLUMNS) <= set(reader.fieldnames):
            raise UserError(
                f"{path}, line 1: the columns are {', '.join(reader.fieldnames or []) or 'none'}.",
                rule=f"They must be {', '.join(COLUMNS)}.",
                next_step="Get the file again.",
            )
        return [(reader.line_num, row) for row in islice(_rows(reader, path), limit)]


def _rows(reader: csv.DictReader[str], path: Path) -> Iterator[Row]:
    try:
        for row in reader:
            if None in row or None in row.values():
                raise corrupt(path, reader.line_num, f"it does not have {len(COLUMNS)} fields")
            yield row
    except csv.Error as error:
        raise corrupt(path, reader.line_num, str(error)) from error


def corrupt(path: Path, line: int, fault: str) -> UserError:
    """Return the error for one bad row."""
    return UserError(f"{path}, line {line}: {fault}.", next_step="Get the file again, or delete that line.")


def read_rating(row: Row) -> float:
    """Return the rating; ValueError if it is no number of at least 0."""
    if not row["rating"].strip().isascii() or not row["rating"].strip().isdigit():
        raise ValueError(f"the rating {row['rating'][:40]!r} is not a whole number")
    return float(row["rating"])


def download(repository: str, revision: str, name: str) -> Path:
    """Download one file of a Hugging Face data set through `datasets`; raise OSError if that fails."""
    announce(f"{repository}/{name}", revision)
    try:
        from datasets import DownloadManager

        return Path(DownloadManager().download(f"hf://datasets/{repository}@{revision}/{name}"))
    except Exception as error:  # whatever the hub's client raises
        raise OSError(f"{type(error).__name__}: {str(error)[:200]}") from error


def announce(what: str, revision: str | None = None) -> None:
    """Say on the error stream what is about to be downloaded: it may take a while, or need a network."""
    at = f" at {revision[:12]}" if revision else ""
    print(
        f"No local copy (--data-dir, ${VARIABLE}): asking Hugging Face for {what}{at}.",
        file=sys.stderr,
        flush=True,
    )


def file_sha256(path: Path) -> str:
    """Hash a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_sha256(rows: Iterable[Row]) -> str:
    """Hash questions and answers in their order, whatever file they came in."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(f"{row['question']},{row['answer']}\n".encode())
    return digest.hexdigest()


def select(lines: Lines, split: str, held_out: int) -> Lines:
    """Divide training rows into "train" and "validation": the `held_out` rows whose questions have the
    smallest hashes. Raises UserError if there are fewer.
    """
    if held_out > len(lines):
        raise UserError(
            f"held_out is {held_out:,}.",
            rule=f"The training rows, of which it takes some for validation, are {len(lines):,}.",
            next_step=f"Give {len(lines) // 10:,}, say, or 0 to train on all.",
        )
    order = sorted(range(len(lines)), key=lambda i: seed_of("validation", lines[i][1]["question"]))
    chosen = set(order[:held_out])
    return [line for i, line in enumerate(lines) if (i in chosen) == (split == "validation")]
