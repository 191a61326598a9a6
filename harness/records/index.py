"""The columnar index of `attempts.jsonl`: Parquet files beside it, written as the run goes.

It is derived: a part that is missing, damaged or not of the lines as they are now is passed over and made
again. Each file is of `LINES` lines, is named by the bytes of `attempts.jsonl` that they take and holds a
digest of them; what follows the last of them is read from the lines. Without pyarrow there is no index, and
everything is read from the lines.

Parquet by pyarrow, because it comes with `datasets` anyway and everything reads it: measured beside polars,
DuckDB and plain arrays in docs/log.md.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.records.columns import Columns

LINES = 16_384  # of a part
BLOCK = 1 << 16
BLOCKS = 16  # of a part, looked at to tell whether it is still of these lines
PLAIN = ("place", "attempt", "outcome", "judged", "at", "depth")
GROUPS = ("numbers", "usage", "asked")
VERSION = b"1"


def parts(folder: Path) -> list[tuple[int, int, Path]]:
    """Return (first byte, byte after the last, file) of the parts that follow one another from byte 0."""
    found: dict[int, tuple[int, Path]] = {}
    with suppress(OSError):
        for path in folder.iterdir():
            if name := re.fullmatch(r"(\d+)-(\d+)\.parquet", path.name):
                found[int(name[1])] = (int(name[2]), path)
    chain, at = [], 0
    while at in found:
        end, path = found[at]
        chain.append((at, end, path))
        if end <= at:
            return []
        at = end
    return chain


def sound_end(lines: Path, folder: Path) -> int:
    """Return how many bytes of the lines the index is of, as they are now."""
    end = 0
    with suppress(Exception):  # no pyarrow, or a damaged part: what follows is made again
        import pyarrow.parquet as parquet

        for start, stop, path in parts(folder):
            meta = parquet.read_schema(path).metadata or {}
            if meta.get(b"version") != VERSION or meta.get(b"digest") != digest(lines, start, stop):
                break
            end = stop
    return end


def read(lines: Path | None, start: int, end: int, path: Path) -> Columns | None:
    """Return a part; None if it is not of these lines, or cannot be read. lines: None if the lines are known
    to be those that the index was written of.
    """
    try:
        import pyarrow.parquet as parquet

        table = parquet.read_table(path, use_threads=False)
        meta = table.schema.metadata or {}
        if meta.get(b"version") != VERSION:
            return None
        if lines is not None and meta.get(b"digest") != digest(lines, start, end):
            return None
        traces = path.with_suffix(".traces")
        points = parquet.read_table(traces, use_threads=False) if meta.get(b"traces") == b"1" else None
    except Exception:  # no pyarrow, a file that is none, a disk that fails: it can be made again
        return None
    return _columns(table, points)


def write(lines: Path, folder: Path, start: int, end: int, columns: Columns) -> None:
    """Write the part of the lines from `start` to before `end`; where that cannot be, there is none."""
    with suppress(ImportError, OSError):
        import pyarrow as pa
        import pyarrow.parquet as parquet

        folder.mkdir(exist_ok=True)
        path = folder / f"{start}-{end}.parquet"
        content: dict[str, Any] = {name: getattr(columns, name) for name in PLAIN}
        for group in GROUPS:
            content |= {f"{group}.{name}": values for name, values in getattr(columns, group).items()}
        traced = len(columns.trace_line) > 0
        meta = {
            b"version": VERSION,
            b"digest": digest(lines, start, end),
            b"traces": b"1" if traced else b"0",
        }
        tables = [(path, pa.table(content).replace_schema_metadata(meta))]
        if traced:
            points = {name: getattr(columns, f"trace_{name}") for name in ("line", "depth", "judged")}
            points |= {f"numbers.{name}": values for name, values in columns.trace_numbers.items()}
            tables.insert(0, (path.with_suffix(".traces"), pa.table(points)))
        for place, table in tables:
            scratch = place.with_name(f".{place.name}.{os.getpid()}")
            parquet.write_table(table, scratch, compression="zstd", use_dictionary=False)
            scratch.replace(place)
        for old in folder.glob(f"{start}-*.parquet"):  # of lines that have been cut off since
            if old != path:
                old.unlink()


def digest(lines: Path, start: int, end: int) -> bytes:
    """Return a digest of a range of a file: of all of it, or of `BLOCKS` blocks of it, evenly spread."""
    found = hashlib.sha256()
    with lines.open("rb") as file:
        if end - start <= BLOCK * BLOCKS:
            offsets = [(start, end - start)]
        else:
            last = end - start - BLOCK
            offsets = [(start + last * n // (BLOCKS - 1), BLOCK) for n in range(BLOCKS)]
        for offset, length in offsets:
            file.seek(offset)
            found.update(file.read(length))
    return found.hexdigest().encode()


def _columns(table: Any, points: Any) -> Columns:
    import numpy as np

    def values(of: Any, name: str) -> Any:
        return of[name].to_numpy()

    def group(of: Any, prefix: str) -> dict[str, Any]:
        names = [] if of is None else of.column_names
        return {name.removeprefix(prefix): values(of, name) for name in names if name.startswith(prefix)}

    none: dict[str, Any] = {"line": np.int32, "depth": np.int32, "judged": np.bool_}
    trace = {
        f"trace_{name}": np.zeros(0, dtype=kind) if points is None else values(points, name)
        for name, kind in none.items()
    }
    return Columns(
        **{name: values(table, name) for name in PLAIN},
        numbers=group(table, "numbers."),
        usage=group(table, "usage."),
        asked=group(table, "asked."),
        trace_numbers=group(points, "numbers."),
        **trace,
    )
