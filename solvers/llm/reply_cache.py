"""Replies of language models, kept so that the same question is never paid for twice.

One SQLite file, safe for several runs at once. A key is a hash of everything that changes an answer; who
makes it is the LLM solver. Values are JSON, compressed. Failures are never stored.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any

from harness.errors import UserError

VARIABLE = "DEPTHBENCH_CACHE"
TABLE = """
create table if not exists replies (
    key blob primary key, created real not null, provider text not null, model text not null,
    task text not null,
    value blob not null
) without rowid
"""

BATCHES = "create table if not exists batches (name text primary key, batch text not null) without rowid"


def default_path() -> Path:
    """Return the file the cache lives in: in the folder `DEPTHBENCH_CACHE` names, else in the user's cache
    folder.
    """
    folder = os.environ.get(VARIABLE)
    base = (
        Path(folder)
        if folder
        else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "depthbench"
    )
    return base.expanduser() / "replies.sqlite"


def key_of(parts: Mapping[str, Any]) -> bytes:
    """Hash JSON values to a key; the order of names does not matter."""
    return hashlib.sha256(
        json.dumps(parts, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")
    ).digest()


@dataclass(frozen=True, kw_only=True)
class CacheGroup:
    """What the cache holds of one provider, model and task."""

    provider: str
    model: str
    task: str
    replies: int
    bytes: int
    oldest: float  # seconds since 1970
    newest: float


class _File:
    """The open file. Use it from one thread."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=30, isolation_level=None)
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = normal")
            self._db.execute(TABLE)
            self._db.execute(BATCHES)
        except (OSError, sqlite3.Error) as error:
            raise UserError(
                f"The response cache {self.path} cannot be opened: {error}.",
                rule=f"It is an SQLite file in a folder you may write to; {VARIABLE} names another folder.",
                next_step="Delete the file, set the variable, or run with -S cache=false.",
            ) from error

    def close(self) -> None:
        self._db.close()


class ReplyCache(_File):
    """The kept replies."""

    def get(self, key: bytes) -> dict[str, Any] | None:
        row = self._db.execute("select value from replies where key = ?", (key,)).fetchone()
        try:
            value = json.loads(zlib.decompress(row[0])) if row else None
        except (ValueError, zlib.error):  # a damaged entry is as good as none
            return None
        return value if isinstance(value, dict) else None

    def put(self, key: bytes, value: Mapping[str, Any], *, provider: str, model: str, task: str) -> None:
        packed = zlib.compress(json.dumps(value).encode(), 1)
        self._db.execute(
            "insert or replace into replies values (?, ?, ?, ?, ?, ?)",
            (key, time(), provider, model, task, packed),
        )

    def groups(self) -> list[CacheGroup]:
        """Say what is held, by provider, model and task."""
        rows = self._db.execute(
            "select provider, model, task, count(*), sum(length(value)), min(created), max(created) from "
            "replies group by 1, 2, 3"
        )
        names = ("provider", "model", "task", "replies", "bytes", "oldest", "newest")
        return [CacheGroup(**dict(zip(names, row, strict=True))) for row in rows]

    def prune(self, *, before: float | None = None, model: str | None = None, task: str | None = None) -> int:
        """Delete replies made before a time (seconds since 1970), of a model, for a task: those that fit
        all. Return how many.
        """
        tests = {"created < ?": before, "model = ?": model, "task = ?": task}
        given = {test: value for test, value in tests.items() if value is not None}
        where = f" where {' and '.join(given)}" if given else ""
        count = self._db.execute(f"delete from replies{where}", tuple(given.values())).rowcount
        self._db.execute("vacuum")
        return count


class BatchBook(_File):
    """Which request waits in which batch of a provider."""

    def add(self, batch: str, names: Iterable[str]) -> None:
        with self._db:
            self._db.execute("begin")
            self._db.executemany(
                "insert or replace into batches values (?, ?)", [(name, batch) for name in names]
            )

    def find(self, name: str) -> str | None:
        row = self._db.execute("select batch from batches where name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    def forget(self, batch: str) -> None:
        self._db.execute("delete from batches where batch = ?", (batch,))
