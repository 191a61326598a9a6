"""Many attempts: the columnar index, generated sets on disk and packed runs change no number."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness import run, score
from harness.cli.main import dispatch
from harness.contracts import Outcome
from harness.errors import RunError, UserError
from harness.records import contents, index, packed
from harness.records.columns import Columns, joined, of_records
from harness.records.find import find_run
from harness.records.folder import RunFolder
from harness.records.planned import Places, Planned
from harness.records.schema import SCHEMA, AttemptRecord, RunSpec
from harness.running import making, sets
from harness.running.items import Pairs, StoredItems
from harness.running.plan import plan_run
from harness.running.runner import RunResult
from harness.scores.summary import rebuild, summarise, summary_of
from tests.fakes import Counting, Lottery, TwoTries

OLD = Path(__file__).parent / "fixtures" / "runs_schema_2"
PLAIN = ("place", "attempt", "outcome", "judged", "at", "depth", "trace_line", "trace_depth", "trace_judged")
GROUPS = ("numbers", "usage", "asked", "trace_numbers")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have parts of an index and of a generated set that a small run fills."""
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(index, "LINES", 32)
    monkeypatch.setattr(sets, "STORED_FROM", 50)
    monkeypatch.setattr(sets, "PART", 16)
    monkeypatch.setattr("harness.running.items.PARTS", 2)


def lottery(results: Path, **options: Any) -> RunResult:
    return run(TwoTries(), Lottery(), limit=100, results_dir=results, **options)


def same(one: Columns, other: Columns) -> None:
    for name in PLAIN:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for group in GROUPS:
        assert getattr(one, group).keys() == getattr(other, group).keys()
        for name, values in getattr(one, group).items():
            np.testing.assert_array_equal(values, getattr(other, group)[name])


def test_the_index_written_along_is_the_one_made_of_the_lines_and_both_say_what_the_lines_say(
    tmp_path: Path,
) -> None:
    result = lottery(tmp_path)
    folder = result.folder
    assert len(index.parts(folder.index_path)) == 200 // 32
    written = folder.columns(result.record)
    shutil.rmtree(folder.index_path)
    of_lines = folder.columns(result.record)  # and makes the index again
    assert len(index.parts(folder.index_path)) == 200 // 32
    same(written, of_lines)
    same(written, folder.columns(result.record))
    summary = folder.summary_path.read_bytes()
    assert summarise(result.record, folder.attempts()) == rebuild(folder, result.record)
    assert folder.summary_path.read_bytes() == summary


@pytest.mark.parametrize("cuts", [(), (0, 200), (1,), (7, 8, 8, 150), range(0, 200, 3)])
def test_parts_of_any_size_joined_are_the_columns_of_the_whole(cuts: Sequence[int], tmp_path: Path) -> None:
    result = lottery(tmp_path)
    records, place = result.folder.attempts(), result.record.puzzles.place
    for n, asked in ((3, ["a"]), (150, ["b", "b", "a"])):  # names that only some parts have
        records[n] = replace(records[n], detail={"asked": asked})
    ends = [0, *cuts, len(records)]
    parts = [of_records(records[start:end], place) for start, end in pairwise(ends)]
    same(joined(parts), of_records(records, place))
    assert not parts  # they are let go


@pytest.mark.parametrize("damage", ["cut", "swapped", "rubbish", "gone", "line changed"])
def test_a_damaged_part_of_the_index_is_passed_over(damage: str, tmp_path: Path) -> None:
    result = lottery(tmp_path)
    folder = result.folder
    before = folder.columns(result.record)
    first, second = (part[2] for part in index.parts(folder.index_path)[:2])
    if damage == "cut":
        first.write_bytes(first.read_bytes()[:-40])
    elif damage == "swapped":
        first.write_bytes(second.read_bytes())
    elif damage == "rubbish":
        first.write_bytes(b"rubbish")
    elif damage == "gone":
        first.unlink()
    else:
        lines = folder.attempts_path.read_bytes().splitlines(keepends=True)
        place = next(n for n, line in enumerate(lines) if b'"outcome":"refused"' in line)
        lines[place] = lines[place].replace(b'"refused"', b'"unparsed"')
        folder.attempts_path.write_bytes(b"".join(lines))
        assert folder.columns(result.record).outcome[place] != before.outcome[place]
        return
    same(before, folder.columns(result.record))


def test_a_verdict_changed_anywhere_in_a_long_file_is_seen_though_length_and_time_are_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "LINES", 512)  # parts of 10 MB
    plan = Planned(ids=[f"test-0-{n}" for n in range(1500)], difficulty=[None] * 1500)
    record = replace(lottery(tmp_path).record, puzzles=plan, attempts_per_puzzle=1)
    folder = RunFolder(tmp_path / "long")
    folder.path.mkdir()
    folder.write_record(record)
    with folder.recorder(plan.place) as file:
        for puzzle in plan.ids:
            numbers = {"correct": 1.0, **dict.fromkeys((m.number for m in record.metrics), 1.0)}
            file.record(
                AttemptRecord(puzzle=puzzle, attempt=0, outcome=Outcome.CORRECT, numbers=numbers, answer=7,
                              reply="x" * 20_000)
            )  # fmt: skip
    for tick in ("SETTLED", "FINE"):
        monkeypatch.setattr(contents, tick, -10.0)  # every file counts as left alone for long
    assert summary_of(folder).outcomes["correct"] == 1500
    read: list[Path] = []
    digest = contents.Digest
    monkeypatch.setattr(contents, "Digest", lambda path: read.append(path) or digest(path))
    assert summary_of(folder).outcomes["correct"] == 1500
    assert folder.attempts_path not in read, "what has not been touched is not read again"
    lines = folder.attempts_path.read_bytes()
    width = len(lines) // 1500
    times = folder.attempts_path.stat()
    for changed, at in enumerate(random.Random(0).sample(range(1500), 6), 1):
        with folder.attempts_path.open("r+b") as changing:
            changing.seek(lines.index(b'"outcome":"correct"', width * at))
            changing.write(b'"outcome":"refused"')
        os.utime(folder.attempts_path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert folder.attempts_path.stat().st_size == len(lines)
        assert summary_of(folder).outcomes["refused"] == changed
        folder.summary_path.unlink()
        assert summary_of(folder).outcomes["refused"] == changed


def test_a_large_run_that_has_just_ended_is_not_read_again_at_the_first_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "LARGE", 0)
    folder = lottery(tmp_path).folder
    read: list[Path] = []
    digest = contents.Digest
    monkeypatch.setattr(contents, "Digest", lambda path: read.append(path) or digest(path))
    assert summary_of(folder).complete
    assert folder.attempts_path not in read


@pytest.mark.parametrize(
    ("age_ns", "whole_seconds", "noted"),
    [(10**9, False, True), (10**7, False, False), (10**9, True, False), (4 * 10**9, True, True)],
)
def test_a_file_counts_as_left_alone_after_a_tick_of_the_clock_that_tells_its_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age_ns: int, whole_seconds: bool, noted: bool
) -> None:
    path = tmp_path / "file"
    path.touch()
    now = 1_800_000_000 * 10**9 + (0 if whole_seconds else 123)
    found = SimpleNamespace(st_dev=1, st_ino=2, st_size=3, st_mtime_ns=now - 10 * 10**9, st_ctime_ns=now)
    monkeypatch.setattr(Path, "stat", lambda _: found)
    monkeypatch.setattr(contents.time, "time_ns", lambda: now + age_ns)
    assert (contents.state(path) is not None) == (noted and os.name == "posix")


def test_a_file_changed_just_now_is_read_however_its_state_looks(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert contents.state(path) is None
    assert contents.fingerprint(path) == {"bytes": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}
    with contents.Digest(path) as digest:
        path.write_bytes(b"abcdef")
        assert digest.to(2) == hashlib.sha256(b"ab").hexdigest().encode()
        assert digest.to(1) == hashlib.sha256(b"a").hexdigest().encode(), "it can go back"
        assert digest.to(4) == b"", "what came after it was opened is not in it"
        assert digest.whole() == {"bytes": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}
    assert contents.fingerprint(tmp_path / "none") is None


def test_a_run_cut_at_any_byte_goes_on_and_ends_with_the_same_summary(tmp_path: Path) -> None:
    whole = lottery(tmp_path / "whole")
    data = whole.folder.attempts_path.read_bytes()
    summary = whole.folder.summary_path.read_bytes()
    rng = random.Random(0)
    for n, cut in enumerate([0, 1, len(data) - 1, *rng.sample(range(len(data)), 5)]):
        results = tmp_path / str(n)
        shutil.copytree(whole.path, results / "runs" / whole.path.name)
        folder = RunFolder(results / "runs" / whole.path.name)
        folder.attempts_path.write_bytes(data[:cut])
        again = lottery(results)
        assert again.path == folder.path
        assert len(folder.attempts()) == 200
        assert folder.summary_path.read_bytes() == summary
        shutil.rmtree(folder.index_path)
        rebuild(folder, again.record)
        assert folder.summary_path.read_bytes() == summary


def test_later_verdicts_are_in_the_columns(tmp_path: Path) -> None:
    result = lottery(tmp_path)
    before = result.folder.summary_path.read_bytes()
    assert score(result.folder, task=TwoTries()).summary == result.summary
    assert result.folder.summary_path.read_bytes() == before


def test_a_generated_set_on_disk_gives_the_very_run_that_one_in_memory_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = lottery(tmp_path / "a")
    monkeypatch.setattr(TwoTries, "between", lambda *_: pytest.fail("made again"))
    again = lottery(tmp_path / "b")
    monkeypatch.setattr(sets, "STORED_FROM", 10**9)
    held = lottery(tmp_path / "c")
    for result in (again, held):
        assert result.record.hash == stored.record.hash
        assert result.record.puzzles == stored.record.puzzles
        assert result.folder.summary_path.read_bytes() == stored.folder.summary_path.read_bytes()


def test_a_set_whose_task_has_changed_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan_run(RunSpec(TwoTries(), Lottery(), limit=60, results_dir=tmp_path))
    monkeypatch.setattr(sets, "source_of", lambda _task: "another")
    made = []
    real = TwoTries.between
    monkeypatch.setattr(TwoTries, "between", lambda *a: made.append(a) or real(*a))
    plan_run(RunSpec(TwoTries(), Lottery(), limit=60, results_dir=tmp_path))
    assert len(made) == 4


def test_a_set_that_is_damaged_is_named(tmp_path: Path) -> None:
    plan = plan_run(RunSpec(TwoTries(), Lottery(), limit=60, results_dir=tmp_path))
    assert isinstance(plan.items, StoredItems)
    path = plan.items._set.path
    data = path.read_bytes()
    path.write_bytes(data[:40] + bytes(40) + data[80:])
    with pytest.raises(RunError, match="cannot be read"):
        plan.items["test-0-1"]


def test_items_on_disk_are_found_by_id_and_by_place_whatever_is_held(tmp_path: Path) -> None:
    plan = plan_run(RunSpec(TwoTries(), Lottery(), limit=90, results_dir=tmp_path))
    known = {puzzle.id: (puzzle, key) for puzzle, key in TwoTries().load(
        split="test", seed=0, limit=90, data_dir=None)}  # fmt: skip
    assert list(plan.items) == list(known)
    ids = list(known)
    random.Random(1).shuffle(ids)
    assert all(plan.items[puzzle] == known[puzzle] for puzzle in ids)
    assert "test-0-90" not in plan.items
    assert [puzzle.id for puzzle in plan.items.puzzles] == list(known)
    assert plan.items.puzzles[-1].id == "test-0-89"
    with pytest.raises(KeyError):
        plan.items["test-0-90"]
    plan.items.let_go()
    assert all(plan.items[puzzle] == known[puzzle] for puzzle in ids)


def test_processes_make_the_set_that_one_makes() -> None:
    one = list(sets.parts_here(Counting(), "test", 0, 70))
    spec = RunSpec(
        f"{Path(__file__).parent.parent / 'docs/examples/counting.py'}:Counting", Lottery(), workers=2
    )
    two = list(making._by_processes(making.ordered(spec), "test", 0, 70, 2))
    assert two == one


def test_many_ids_are_found_by_hash_and_one_that_is_there_twice_is_named() -> None:
    ids = [f"puzzle-{n}" for n in range(5000)]
    places = Places(ids)
    assert [places.place(puzzle) for puzzle in ids[::97]] == list(range(5000))[::97]
    asked = ["puzzle-9", "puzzle-9", "puzzle-5000", "puzzle-5000", "puzzle-9"]
    assert [places.place(puzzle) for puzzle in asked] == [9, 9, None, None, 9]
    assert places.twice() is None
    assert Places([*ids, "puzzle-17"]).twice() == "puzzle-17"


def test_pairs_are_a_set_of_what_the_plan_holds() -> None:
    pairs = Pairs(Planned(ids=("a", "b")), 2)
    pairs.add(("b", 1))
    apart = pairs.copy()
    pairs.add(("a", 0))
    assert pairs == {("a", 0), ("b", 1)}
    assert apart == frozenset({("b", 1)})
    assert ("c", 0) not in pairs
    assert ("a", 2) not in pairs
    assert len(pairs) == 2


def test_run_json_holds_no_ids_and_a_damaged_list_of_puzzles_leaves_out_that_run_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = lottery(tmp_path), run(Counting(), Lottery(), limit=5, results_dir=tmp_path)
    assert json.loads(bad.folder.run_path.read_bytes())["puzzles"] == {"count": 100}
    lines = bad.folder.puzzles_path.read_bytes()
    bad.folder.puzzles_path.write_bytes(lines.replace(b'"test-0-7"', b"7"))
    assert dispatch(["leaderboard", "--results-dir", str(tmp_path), "--format", "json"]) == 1
    out, err = capsys.readouterr()
    assert [row["run"] for row in json.loads(out)] == [good.path.name]
    assert "puzzles.jsonl, line 1" in err


@pytest.fixture
def old_runs(tmp_path: Path) -> Path:
    shutil.copytree(OLD, tmp_path / "runs")
    return tmp_path


@pytest.mark.parametrize("name", ["arc1_copy-input", "two-hop_random"])
def test_a_folder_of_schema_2_is_read_and_gone_on_with(name: str, old_runs: Path) -> None:
    folder = find_run(name, old_runs)
    record = folder.record()
    assert record.schema == 2 < SCHEMA
    assert (record.puzzles.groups is None) == (name == "two-hop_random")
    lines = folder.attempts_path.read_bytes()
    folder.attempts_path.write_bytes(lines[: len(lines) // 2])
    assert not summary_of(folder).complete
    task, _, solver = name.partition("_")
    assert run(task, solver, limit=record.limit, results_dir=old_runs).path == folder.path
    assert summary_of(folder).complete


def test_a_packed_run_is_read_by_every_command_and_comes_back_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = lottery(tmp_path).folder
    data, summary = folder.attempts_path.read_bytes(), folder.summary_path.read_bytes()

    def bench(*words: str) -> str:
        assert dispatch([*words, "--results-dir", str(tmp_path)]) == 0, words
        return capsys.readouterr().out

    shown = bench("show", folder.name, "--format", "json")
    board = bench("leaderboard", "--format", "json")
    bench("pack", folder.name)
    assert packed.is_packed(folder.path)
    assert (folder.path / "attempts.jsonl.zst").stat().st_size < len(data) / 3
    assert folder.summary() is not None
    assert bench("leaderboard", "--format", "json") == board
    assert bench("show", folder.name, "--format", "json") == shown
    folder.summary_path.unlink()
    shutil.rmtree(folder.index_path)
    assert bench("leaderboard", "--format", "json") == board
    assert folder.summary_path.read_bytes() == summary
    assert lottery(tmp_path).path == folder.path
    bench("pack", folder.name, "--undo")
    assert folder.attempts_path == folder.path / "attempts.jsonl"
    assert folder.attempts_path.read_bytes() == data


def test_what_cannot_be_packed_and_what_is_packed_badly_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = lottery(tmp_path).folder
    lines = folder.attempts_path.read_bytes()
    folder.attempts_path.write_bytes(lines[: len(lines) // 2])
    assert dispatch(["pack", folder.name, "--results-dir", str(tmp_path)]) == 2
    assert "is not complete" in capsys.readouterr().err
    folder.attempts_path.write_bytes(lines)
    packed.pack(folder.path)
    zst = folder.path / "attempts.jsonl.zst"
    zst.write_bytes(zst.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"packed.json is not of the attempts.jsonl.zst beside it"):
        folder.attempts()
