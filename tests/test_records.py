"""The run folder survives what happens to files: torn lines, corrupt lines, a full disk, a second writer."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from harness.contracts import Outcome
from harness.errors import RunError, UserError
from harness.records.folder import RunFolder
from harness.records.jsonlines import Appender, read_lines, write_atomically
from harness.records.schema import AttemptRecord


def fill(path: Path, count: int) -> None:
    with Appender(path) as file:
        for n in range(count):
            file.append({"n": n, "text": "ü" * 10})


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    fill(tmp_path / "a.jsonl", 3)
    fill(tmp_path / "a.jsonl", 2)
    assert [line["n"] for line in read_lines(tmp_path / "a.jsonl")] == [0, 1, 2, 0, 1]


def test_a_file_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize("cut", range(1, 30, 4))
def test_a_torn_last_line_is_dropped_on_reading_and_cut_off_before_writing(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.jsonl"
    fill(path, 3)
    path.write_bytes(path.read_bytes()[:-cut])
    assert [line["n"] for line in read_lines(path)] == [0, 1]
    fill(path, 1)
    assert [line["n"] for line in read_lines(path)] == [0, 1, 0]


def test_a_torn_line_longer_than_a_read_block_is_cut_off_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    fill(path, 2)
    with path.open("ab") as file:
        file.write(b'{"n": "' + b"x" * 200_000)
    fill(path, 1)
    assert [line["n"] for line in read_lines(path)] == [0, 1, 0]


@pytest.mark.parametrize("rubbish", [b"{", b"", b"[1]", b"\xff\xfe", b'{"n": 1}, {"n": 2}', b"\x00\x00\x00"])
def test_a_corrupt_line_in_the_middle_is_named_with_its_number(tmp_path: Path, rubbish: bytes) -> None:
    path = tmp_path / "a.jsonl"
    fill(path, 3)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], rubbish, *lines[1:]]))
    with pytest.raises(UserError, match=r"a\.jsonl, line 2 is corrupt"):
        read_lines(path)


def test_lines_of_another_schema_are_refused(tmp_path: Path) -> None:
    (tmp_path / "attempts.jsonl").write_text('{"schema": 99, "puzzle": "a"}\n')
    with pytest.raises(UserError, match=r"line 1 .* schema is 99, newer than"):
        RunFolder(tmp_path).attempts()


@pytest.mark.parametrize("schema", ["[null]", '{"3": 3}', '"3"', "true", "3.0", "0", "null"])
def test_a_schema_that_is_none_is_named(tmp_path: Path, schema: str) -> None:
    line = f'{{"schema": {schema}, "puzzle": "a", "attempt": 0, "outcome": "unparsed"}}\n'
    (tmp_path / "attempts.jsonl").write_text(line)
    with pytest.raises(UserError, match=r"line 1 .*(its schema is .*, which is none|it has no schema)"):
        RunFolder(tmp_path).attempts()


class Disk(Appender):
    """A disk with room for so many bytes, which then takes half a line and no more."""

    room = 100

    def _write(self, data: bytes) -> int:
        if self.room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = super()._write(data[: self.room])
        self.room -= written
        return written


def test_a_full_disk_stops_with_a_message_and_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with Disk(path) as file:
        file.append({"n": 0, "text": "x" * 20})
        file.append({"n": 1, "text": "x" * 20})
        with pytest.raises(RunError, match=r"No space left for .*a\.jsonl.*kept.*resume"):
            file.append({"n": 2, "text": "x" * 20})
    assert path.read_bytes().endswith(b"}\n")
    kept = len(read_lines(path))
    assert kept == 2
    fill(path, 1)
    assert len(read_lines(path)) == kept + 1


def test_a_file_that_may_not_grow_stops_with_a_message_and_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    code = f"""
import resource, signal
from pathlib import Path
from harness.contracts import Outcome
from harness.errors import RunError
from harness.records.jsonlines import Appender
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with Appender(Path({str(path)!r})) as file:
        for n in range(1000):
            file.append({{"n": n}})
except RunError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "No space left for" in done.stdout
    assert 900 < path.stat().st_size <= 1000
    assert [line["n"] for line in read_lines(path)] == list(range(len(read_lines(path))))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_a_line_that_is_no_json_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with Appender(path) as file:
        file.append({"n": 0})
        with pytest.raises(ValueError, match="Out of range"):
            file.append({"n": float("nan")})
    assert read_lines(path) == [{"n": 0}]


def test_a_second_writer_is_told_who_writes(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with folder.lock():
        folder.note_session("start", pid=4242, host="here")
        with pytest.raises(UserError, match="Process 4242 on here is writing"), RunFolder(tmp_path).lock():
            pass
    with folder.lock():
        pass


def test_elapsed_time_adds_up_sessions_and_a_killed_one_ends_with_its_last_attempt(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    events = [("start", 100.0), ("end", 110.0), ("start", 200.0), ("start", 300.0), ("end", 301.0)]
    folder.sessions_path.write_text("".join(json.dumps({"event": e, "at": t}) + "\n" for e, t in events))
    attempts = [
        AttemptRecord(puzzle="a", attempt=0, outcome=Outcome.WRONG, at=t)
        for t in (105.0, 202.0, 207.5, 300.5)
    ]
    assert folder.elapsed_seconds([attempt.at for attempt in attempts]) == 10.0 + 7.5 + 1.0


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    write_atomically(tmp_path / "x.json", "old")
    write_atomically(tmp_path / "x.json", "new")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["new"]
    with pytest.raises(RunError, match="Cannot write"):
        write_atomically(tmp_path / "no" / "x.json", "new")
