"""The columnar index of `attempts.jsonl`: Parquet files beside it, written as the run goes.

It is derived: a part that is missing, damaged or not of the lines as they are now is passed over and made
again. Each file is of `LINES` lines, is named by the bytes of `attempts.jsonl` that they take and holds the
digest of all bytes up to its last; what follows the last of them is read from the lines. Without pyarrow
there is no index, and everything is read from the lines.

Parquet by pyarrow, because it comes with `datasets` anyway and everything reads it: measured beside polars,
DuckDB and plain arrays in docs/log.md.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.records import migrate
from harness.records.columns import Columns, Place, joined, of_records
from harness.records.contents import Digest
from harness.records.jsonlines import Appender, quick_dumps, read_parts
from harness.records.schema import AttemptRecord, Line

LINES = 16_384  # of a part
PLAIN = ("place", "attempt", "outcome", "judged", "at", "depth")
GROUPS = ("numbers", "usage", "asked")
VERSION = b"2"
TOGETHER = 1024  # attempts that are held with their answers until they become columns
NEVER = 1 << 62


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


def sound_end(digest: Digest, folder: Path) -> int:
    """Return how many bytes of the lines the index is of, as they are now."""
    end, written = 0, parts(folder)
    if not written:  # as when a run begins, which waits for no import
        return end
    with suppress(Exception):  # no pyarrow, or a damaged part: what follows is made again
        import pyarrow.parquet as parquet

        for _, stop, path in written:
            if not _is_of(parquet.read_schema(path).metadata, digest.to(stop)):
                break
            end = stop
    return end


def read(until: Callable[[], bytes], path: Path) -> Columns | None:
    """Return a part; None if it is not of the lines, whose digest up to its end is `until()`, or cannot be
    read.
    """
    try:
        import pyarrow.parquet as parquet

        table = parquet.ParquetFile(path).read(use_threads=False)  # `read_table` imports pandas
        meta = table.schema.metadata or {}
        if not _is_of(meta, until()):
            return None
        traces = path.with_suffix(".traces")
        points = parquet.ParquetFile(traces).read(use_threads=False) if meta.get(b"traces") == b"1" else None
        return _columns(table, points)
    except Exception:  # no pyarrow, a file that is none, a disk that fails: it can be made again
        return None


def release() -> None:
    """Give back to the system what Arrow keeps of the parts that were read and let go."""
    if pyarrow := sys.modules.get("pyarrow"):
        pyarrow.default_memory_pool().release_unused()


def _is_of(meta: Any, digest: bytes) -> bool:
    meta = meta or {}
    return bool(meta.get(b"version") == VERSION and meta.get(b"digest") == digest)


def write(folder: Path, start: int, end: int, digest: bytes, columns: Columns) -> None:
    """Write the part of the lines from `start` to before `end`, byte 0 to `end` having that digest; where
    that cannot be, there is none.
    """
    with suppress(ImportError, OSError):
        import pyarrow.parquet as parquet

        folder.mkdir(exist_ok=True)
        path = folder / f"{start}-{end}.parquet"
        content: dict[str, Any] = {name: getattr(columns, name) for name in PLAIN}
        for group in GROUPS:
            content |= {f"{group}.{name}": values for name, values in getattr(columns, group).items()}
        traced = len(columns.trace_line) > 0
        meta = {
            b"version": VERSION,
            b"digest": digest,
            b"traces": b"1" if traced else b"0",
        }
        tables = [(path, _table(content).replace_schema_metadata(meta))]
        if traced:
            points = {name: getattr(columns, f"trace_{name}") for name in ("line", "depth", "judged")}
            points |= {f"numbers.{name}": values for name, values in columns.trace_numbers.items()}
            tables.insert(0, (path.with_suffix(".traces"), _table(points)))
        for place, table in tables:
            scratch = place.with_name(f".{place.name}.{os.getpid()}")
            parquet.write_table(table, scratch, compression="zstd", use_dictionary=False)
            scratch.replace(place)
        for old in folder.glob(f"{start}-*.parquet"):  # of lines that have been cut off since
            if old != path:
                old.unlink()


class Recorder(Appender):
    """Append attempts, as the one writer; every `LINES` of them, write the part of the index they are of.

    The index goes on where an earlier session left it; what follows its last full part is read from the
    lines.
    """

    def __init__(self, path: Path, folder: Path, place: Place | None) -> None:
        super().__init__(path)
        self._folder, self._place = folder, place
        self._records: list[AttemptRecord] = []
        self._columns: list[Columns] = []
        self._held = 0  # lines since the last part
        self._start = -1
        self._digest: Digest | None = None

    def __exit__(self, *error: object) -> None:
        if self._digest is not None:
            self._digest.close()
        super().__exit__(*error)

    def record(self, attempt: AttemptRecord, line: Line | None = None) -> None:
        """Write one attempt; `line` is its line, if that is known."""
        if self._start < 0:
            self._start = self._first_unindexed()
        data = quick_dumps(attempt.line() if line is None else line) + b"\n"
        self.append_bytes(data)
        if self._start == NEVER:
            return
        assert self._place is not None  # else it is never
        assert self._digest is not None
        self._digest.add(data)
        self._records.append(attempt)
        self._held += 1
        if len(self._records) < TOGETHER and self._held < LINES:
            return
        self._columns.append(of_records(self._records, self._place))
        self._records = []
        if self._held == LINES:
            digest = self._digest.to(self.size)
            write(self._folder, self._start, self.size, digest, joined(self._columns))
            self._columns, self._held, self._start = [], 0, self.size

    def _first_unindexed(self) -> int:
        """Return where the next part begins: NEVER if lines stand there already that it would lack."""
        if self._place is None:
            return NEVER
        self._digest = Digest(self.path)
        end = sound_end(self._digest, self._folder)
        for lines, _ in read_parts(self.path, end, LINES, 1):
            records = [migrate.attempt_record(line, light=True) for line in lines]
            if len(records) >= LINES:  # a reader makes those parts first
                return NEVER
            self._columns.append(of_records(records, self._place))
            self._held += len(records)
        return end


def _table(content: dict[str, Any]) -> Any:
    """Return arrays as a table; Arrow's own conversion imports pandas, which takes longer than the work."""
    import numpy as np
    import pyarrow as pa

    columns = []
    for values in content.values():
        data = np.packbits(values, bitorder="little") if values.dtype == np.bool_ else values
        kind = pa.from_numpy_dtype(values.dtype)
        columns.append(
            pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(data))])
        )
    return pa.Table.from_arrays(columns, names=list(content))


def _columns(table: Any, points: Any) -> Columns:
    import numpy as np
    import pyarrow as pa

    def values(of: Any, name: str) -> Any:
        column = of[name].combine_chunks()
        column = column.chunk(0) if hasattr(column, "chunk") else column
        if column.null_count:
            raise ValueError(f"{name} has no value everywhere")
        data, within = column.buffers()[1], slice(column.offset, column.offset + len(column))
        if column.type == pa.bool_():
            return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[within].astype(np.bool_)
        return np.frombuffer(data, column.type.to_pandas_dtype())[within]

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
