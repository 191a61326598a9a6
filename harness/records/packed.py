"""Packed runs: `attempts.jsonl.zst` in the place of `attempts.jsonl`, and `packed.json`, which says of what.

The summary and the index of a packed run stay good without unpacking it. A command that needs the lines
themselves reads them from an unpacked copy in the user's cache folder, made when it is first asked for; one
that has to write unpacks the run for good.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import RunError, UserError
from harness.folders import cache_folder
from harness.records.contents import fingerprint
from harness.records.jsonlines import MEND, dumps, loads, write_atomically

LINES = "attempts.jsonl"
COPIES = 4  # unpacked ones that are kept
BLOCK = 1 << 20


def is_packed(run: Path) -> bool:
    """Say whether a run's lines are there in their packed form alone."""
    return not (run / LINES).exists() and (run / f"{LINES}.zst").exists()


def readable(run: Path) -> Path:
    """Return the file of a run's lines; for a packed run an unpacked copy."""
    if not is_packed(run):
        return run / LINES
    said = facts(run)
    copy = cache_folder() / "unpacked" / f"{said['sha256']}.jsonl"
    if not (copy.exists() and copy.stat().st_size == said["lines"]["bytes"]):
        try:
            copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _unpack_to(run, copy)
            for old in sorted(copy.parent.glob("*.jsonl"), key=lambda path: path.stat().st_mtime)[:-COPIES]:
                old.unlink()
        except OSError as error:
            raise RunError(
                f"{run / LINES}.zst cannot be unpacked to {copy.parent}: {error.strerror}.",
                next_step="Free some space, or name another folder by DEPTHBENCH_CACHE.",
            ) from error
    return copy


def facts(run: Path) -> dict[str, Any]:
    """Return what `packed.json` says: lines (their fingerprint), sha256 (of them), zst (fingerprint of the
    packed file). Raises UserError if it is not of that file.
    """
    try:
        found = loads((run / "packed.json").read_bytes())
        known = found["zst"] == fingerprint(run / f"{LINES}.zst") and type(found["sha256"]) is str
        known = known and type(found["lines"]["bytes"]) is int
    except (OSError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise UserError(
            f"{run / 'packed.json'} is not of the {LINES}.zst beside it.",
            rule="Both are written together.",
            next_step=MEND,
        )
    result: dict[str, Any] = found
    return result


def pack(run: Path) -> tuple[int, int]:
    """Pack the lines of a run; return their bytes before and after. Needs the run's lock."""
    import_pyarrow()
    import pyarrow as pa

    lines, packed = run / LINES, run / f"{LINES}.zst"
    scratch = packed.with_name(f".{packed.name}.{os.getpid()}")
    digest = hashlib.sha256()
    try:
        with lines.open("rb") as source, pa.CompressedOutputStream(str(scratch), "zstd") as target:
            while block := source.read(BLOCK):
                digest.update(block)
                target.write(block)
        if _sha256(scratch) != digest.hexdigest():
            raise RunError(f"{packed} does not hold what was packed.", next_step="Look after the disk.")
        scratch.replace(packed)
    except OSError as error:
        raise RunError(f"{packed} cannot be written: {error}.", next_step="Free some space.") from error
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
    before = lines.stat().st_size
    said = {"lines": fingerprint(lines), "sha256": digest.hexdigest(), "zst": fingerprint(packed)}
    write_atomically(run / "packed.json", dumps(said, indent=2) + b"\n")
    lines.unlink()
    return before, packed.stat().st_size


def unpack(run: Path) -> None:
    """Bring the lines of a packed run back. Needs the run's lock."""
    if is_packed(run):
        facts(run)
        try:
            _unpack_to(run, run / LINES)
        except OSError as error:
            why = f"{run / LINES} cannot be written: {error}."
            raise RunError(why, next_step="Free some space.") from error
    for name in (f"{LINES}.zst", "packed.json"):
        with suppress(OSError):
            (run / name).unlink(missing_ok=True)


def _unpack_to(run: Path, place: Path) -> None:
    import_pyarrow()
    import pyarrow as pa

    scratch = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        source = pa.input_stream(str(run / f"{LINES}.zst"), compression="zstd")
        with source, scratch.open("wb") as target:
            while block := source.read(BLOCK):
                target.write(block)
        scratch.replace(place)
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)


def _sha256(packed: Path) -> str:
    import pyarrow as pa

    digest = hashlib.sha256()
    with pa.input_stream(str(packed), compression="zstd") as source:
        while block := source.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def import_pyarrow() -> None:
    """Raise UserError where pyarrow is missing, as on a bare machine for nets."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise UserError("Packed runs need pyarrow.", next_step="pip install pyarrow") from error
