"""Runs and attempts as tables: Parquet and CSV for machines, Markdown and LaTeX for people.

`runs` has a row a run, the leaderboard's. `attempts` has a row for every line that a run recorded and for
every planned attempt it did not come to: those with `counts` are the run's `planned`, all of them its cost.
What has no column of its own (answers, options) is JSON text.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from harness.cli import results, tables, units
from harness.cli.options import Format
from harness.contracts import Outcome, Usage
from harness.errors import RunError
from harness.records.folder import RunFolder
from harness.records.jsonlines import write_atomically
from harness.records.schema import AttemptRecord, RunRecord
from harness.scores.leaderboard import Row, row_of
from harness.scores.summary import last_attempts, summary_of

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 10_000  # rows of a Parquet row group
Line = dict[str, Any]
SHOWN = ("run", "puzzle", "attempt", "outcome", "depth", "time", "numbers")


def attempt_rows(folder: RunFolder, record: RunRecord) -> Iterator[Line]:
    """Yield the rows of one run's attempts, recorded ones in their order, then those that have not run."""
    attempts = folder.attempts()
    counted = last_attempts(record, attempts, where=folder.name)
    puzzles = record.puzzles
    facts = {
        name: (group, difficulty)
        for name, group, difficulty in zip(
            puzzles.ids, puzzles.group_names(), puzzles.difficulty, strict=True
        )
    }
    for attempt in attempts:
        counts = counted[attempt.puzzle, attempt.attempt] is attempt
        yield _row(folder, record, attempt, facts[attempt.puzzle], counts=counts)
    for name in puzzles.ids:
        for number in range(record.attempts_per_puzzle):
            if (name, number) not in counted:
                missing = AttemptRecord(puzzle=name, attempt=number, outcome=Outcome.NOT_RUN)
                yield _row(folder, record, missing, facts[name], counts=True)


def _row(
    folder: RunFolder,
    record: RunRecord,
    attempt: AttemptRecord,
    facts: tuple[str, float | None],
    *,
    counts: bool,
) -> Line:
    return {
        "run": folder.name,
        "task": record.task.name,
        "solver": record.solver.name,
        "model": record.card.model,
        "puzzle": attempt.puzzle,
        "attempt": attempt.attempt,
        "group": facts[0],
        "difficulty": facts[1],
        "outcome": str(attempt.outcome),
        "counts": counts,
        "correct": attempt.outcome is Outcome.CORRECT,
        "numbers": None if attempt.numbers is None else _json(attempt.numbers),
        "depth": attempt.depth,
        "samples": attempt.samples,
        "at": attempt.at or None,
        "answer": _json(attempt.answer) if attempt.answered else None,
        "reply": None if attempt.reply is None else _whole(attempt.reply),
        "trace": _json(attempt.line().get("trace")) if attempt.trace else None,
        "detail": _json(attempt.detail) if attempt.detail else None,
        **{f"usage_{name}": value for name, value in vars(attempt.usage).items()},
    }


def _json(value: Any) -> str:
    return _whole(json.dumps(value, ensure_ascii=False, default=str))


def _whole(text: str) -> str:
    """Return text that UTF-8 can hold: half a surrogate pair as its escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def run_rows(runs: Sequence[RunFolder]) -> list[Row]:
    """Return the leaderboard row of each run. Raises UserError for one that cannot be read."""
    return [row_of(folder, record := folder.record(), summary_of(folder, record)) for folder in runs]


def parquet(runs: Sequence[RunFolder], out: Path) -> list[Path]:
    """Write runs.parquet and attempts.parquet."""
    found = [_flat(row) for row in run_rows(runs)]
    written = [_parquet(out / "runs.parquet", _schema(Row), found)]
    rows = (row for folder in runs for row in attempt_rows(folder, folder.record()))
    return [*written, _parquet(out / "attempts.parquet", _attempt_schema(), rows)]


def comma_separated(runs: Sequence[RunFolder], out: Path) -> list[Path]:
    """Write runs.csv and attempts.csv; unknown is an empty field."""
    found = [_flat(row) for row in run_rows(runs)]
    written = [_csv(out / "runs.csv", [f.name for f in fields(Row)], found)]
    rows = (row for folder in runs for row in attempt_rows(folder, folder.record()))
    return [*written, _csv(out / "attempts.csv", _attempt_schema().names, rows)]


def markdown(runs: Sequence[RunFolder], out: Path) -> list[Path]:
    """Write runs.md and attempts.md."""
    return _documents(runs, out, Format.MARKDOWN, "md")


def latex(runs: Sequence[RunFolder], out: Path) -> list[Path]:
    """Write runs.tex and attempts.tex."""
    return _documents(runs, out, Format.LATEX, "tex")


def _documents(runs: Sequence[RunFolder], out: Path, form: Format, suffix: str) -> list[Path]:
    rows = [[tables.visible(cell) for cell in results.cells(row)] for row in run_rows(runs)]
    kept = [i for i in range(len(results.COLUMNS)) if tables.any_known(rows, i)]
    attempts = [
        [tables.visible(cell) for cell in _shown(row)]
        for folder in runs
        for row in attempt_rows(folder, folder.record())
        if row["counts"]
    ]
    names = [results.COLUMNS[i].name for i in kept]
    written = []
    for name, columns, body in (
        ("runs", names, [[row[i] for i in kept] for row in rows]),
        ("attempts", SHOWN, attempts),
    ):
        path = out / f"{name}.{suffix}"
        write_atomically(path, "\n".join(tables.document(columns, body, form)) + "\n")
        written.append(path)
    return written


def _shown(row: Line) -> list[str]:
    seconds = (
        row["usage_wall_seconds"] if row["usage_device_seconds"] is None else row["usage_device_seconds"]
    )
    numbers = json.loads(row["numbers"] or "{}")
    told = ", ".join(f"{name} {value:.3g}" for name, value in numbers.items() if name != "correct")
    depth = "–" if row["depth"] is None else str(row["depth"])
    tail = row["run"].rpartition("_")[2]
    return [
        tail,
        row["puzzle"],
        str(row["attempt"]),
        row["outcome"],
        depth,
        units.seconds(seconds),
        told or "–",
    ]


def _flat(row: Row) -> Line:
    return {f.name: _plain(getattr(row, f.name)) for f in fields(row)}


def _plain(value: Any) -> Any:
    return (
        _whole(value)
        if isinstance(value, str)
        else (value if value is None or isinstance(value, bool | int | float) else _json(_records(value)))
    )


def _records(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _records(of) for name, of in value.items()}
    return vars(value) if hasattr(value, "__dict__") else value


def _schema(kind: type) -> pa.Schema:
    """Return the columns of a dataclass: its texts, numbers and flags, everything else as JSON text."""
    import pyarrow as pa

    known: dict[Any, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    found = []
    hints = get_type_hints(kind)
    for field in fields(kind):
        hint = hints[field.name]
        plain = {part for part in getattr(hint, "__args__", (hint,)) if part is not type(None)}
        only = plain.pop() if len(plain) == 1 else None
        found.append(pa.field(field.name, known.get(only, pa.string())))
    return pa.schema(found)


def _attempt_schema() -> pa.Schema:
    import pyarrow as pa

    text, number, whole, flag = pa.string(), pa.float64(), pa.int64(), pa.bool_()
    columns = {
        "run": text, "task": text, "solver": text, "model": text, "puzzle": text, "attempt": whole,
        "group": text, "difficulty": number, "outcome": text, "counts": flag, "correct": flag,
        "numbers": text, "depth": whole, "samples": whole, "at": number, "answer": text, "reply": text,
        "trace": text, "detail": text,
    }  # fmt: skip
    usage = {f"usage_{field.name}": field.type for field in _schema(Usage)}
    return pa.schema([pa.field(name, kind) for name, kind in {**columns, **usage}.items()])


def _parquet(path: Path, schema: pa.Schema, rows: Iterable[Line]) -> Path:
    import pyarrow as pa
    from pyarrow import parquet as files

    with _replacing(path) as scratch, files.ParquetWriter(scratch, schema, compression="zstd") as writer:
        batch: list[Line] = []
        for row in rows:
            batch.append(row)
            if len(batch) == BATCH:
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                batch = []
        if batch:
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
    return path


def _csv(path: Path, names: Sequence[str], rows: Iterable[Line]) -> Path:
    with _replacing(path) as scratch, scratch.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield a file beside `path` that takes its place if all goes well."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield scratch
        scratch.replace(path)
    except OSError as error:
        raise RunError(
            f"Cannot write {path}: {error.strerror or error}.", next_step="Mend that and try again."
        ) from error
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
