"""Replies of language models, kept so that the same question is never paid for twice.

One SQLite file, safe for several runs at once. A key is a hash of everything that changes an answer; who
makes it is the LLM solver. Values are JSON, long ones compressed. Failures are never stored. A cache that
cannot be used costs itself, never a run: `lenient` files say so once and are then empty.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any

from harness.errors import UserError
from harness.folders import VARIABLE, cache_folder

TABLE = """
create table if not exists replies (
    key blob primary key, created real not null, provider text not null, model text not null,
    task text not null,
    value blob not null
) without rowid
"""

BATCHES = "create table if not exists batches (name text primary key, batch text not null) without rowid"
BUSY_SECONDS = 10.0
"""How long another process may hold the file before the cache is given up."""
LONG = 2048  # bytes of a value that is compressed; a shorter one takes longer to compress than to write
FAILURES = (sqlite3.Error, OSError, ValueError)


def default_path() -> Path:
    """Return the file the cache lives in, in the folder of `harness.folders`."""
    return cache_folder() / "replies.sqlite"


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
    """The open file. Use it from one thread.

    say: None raises UserError where the file cannot be opened, and sqlite3.Error later; else it is told what
    is wrong, once, and the file is closed: nothing is found in it any more, and nothing kept.
    """

    def __init__(self, path: Path | None = None, *, say: Callable[[str], None] | None = None) -> None:
        self._say = say
        self._db: sqlite3.Connection | None = None
        try:
            self.path = path or default_path()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            for statement in ("pragma journal_mode = wal", "pragma synchronous = normal", TABLE, BATCHES):
                self._db.execute(statement)
        except (*FAILURES, RuntimeError) as error:
            self.close()
            where = getattr(self, "path", "of the user's cache folder")
            if say is not None:
                say(f"the response cache {where} cannot be opened ({error}): replies are not kept")
                return
            raise UserError(
                f"The response cache {where} cannot be opened: {error}.",
                rule=f"It is an SQLite file in a folder you may write to; {VARIABLE} names another folder.",
                next_step="Delete the file, set the variable, or run with -S cache=false.",
            ) from error

    def _execute(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Return the rows of a statement; none once a lenient file has failed."""
        if self._db is None:
            return []
        try:
            return self._db.execute(statement, values).fetchall()
        except FAILURES as error:
            self._give_up(error)
            return []

    def _give_up(self, error: Exception) -> None:
        if self._say is None:
            raise error
        self.close()
        self._say(f"the response cache {self.path} failed ({error}): from here on replies are not kept")

    def close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            db.close()


class ReplyCache(_File):
    """The kept replies."""

    def get(self, key: bytes) -> dict[str, Any] | None:
        rows = self._execute("select value from replies where key = ?", (key,))
        try:
            value = json.loads(unpacked(rows[0][0])) if rows else None
        except (ValueError, TypeError, zlib.error):  # a damaged entry is as good as none
            return None
        return value if isinstance(value, dict) else None

    def put(self, key: bytes, value: Mapping[str, Any], *, provider: str, model: str, task: str) -> None:
        data = json.dumps(value).encode()
        self._execute(
            "insert or replace into replies values (?, ?, ?, ?, ?, ?)",
            (key, time(), provider, model, task, data if len(data) < LONG else zlib.compress(data, 1)),
        )

    def groups(self) -> list[CacheGroup]:
        """Say what is held, by provider, model and task."""
        rows = self._execute(
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
        gone = self._execute(f"delete from replies{where} returning 1", tuple(given.values()))
        self._execute("vacuum")
        return len(gone)


def unpacked(value: bytes) -> bytes:
    """Return the JSON of a kept value."""
    return value if value[:1] == b"{" else zlib.decompress(value)


class JobBook(_File):
    """What was sent off to be fetched later: which request waits in which batch, or as which response in the
    background, by the provider's id.
    """

    def add(self, job: str, names: Iterable[str]) -> None:
        self._many("insert or replace into batches values (?, ?)", [(name, job) for name in names])

    def find(self, name: str) -> str | None:
        rows = self._execute("select batch from batches where name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def forget(self, names: Iterable[str]) -> None:
        self._many("delete from batches where name = ?", [(name,) for name in names])

    def _many(self, statement: str, rows: list[tuple[str, ...]]) -> None:
        if self._db is None or not rows:
            return
        try:
            with self._db:
                self._db.execute("begin")
                self._db.executemany(statement, rows)
        except FAILURES as error:
            self._give_up(error)
