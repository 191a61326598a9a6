"""The reference tables: what is printed is what is committed, and that is what the answers score."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from harness.records.find import scan
from harness.running import runner
from tests.conftest import ROOT
from tests.test_import import sudoku_rows

sys.path.insert(0, str(ROOT / "experiments"))

import reference
import reference_tables

KEPT = ROOT / "results" / "reference"
MODELS = 11


def test_what_is_printed_is_what_is_committed() -> None:
    for path, text in reference_tables.written(ROOT, KEPT).items():
        assert path.read_text(encoding="utf-8") == text, f"python experiments/reference_tables.py ({path})"


def test_a_file_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no <!-- reference table -->"):
        reference_tables.filled("no marks here", "table", "")


def test_the_committed_runs_are_judged_again_to_the_committed_numbers(tmp_path: Path) -> None:
    """`bench score` on every committed run: our own solvers on our own puzzles."""
    shutil.copytree(KEPT / "runs", tmp_path / "runs")
    committed = {row["run"]: row for row in reference_tables.load(KEPT, "own")}
    found = list(scan(tmp_path))
    assert {one.folder.name for one in found} == set(committed)
    for one in found:
        row = committed[one.folder.name]
        result = runner.score(one.folder)
        outcomes, headline = result.summary.outcomes, result.summary.headline
        assert one.record is not None
        assert one.record.task.puzzles_sha256 == row["puzzles_sha256"]
        assert (outcomes["correct"], result.summary.planned) == (row["correct"], row["planned"]), one.folder
        assert (headline.score, headline.low, headline.high) == pytest.approx(
            (row["score"], row["low"], row["high"])
        )


def test_the_committed_runs_are_small_and_hold_no_puzzle_of_others() -> None:
    assert sum(path.stat().st_size for path in KEPT.rglob("*") if path.is_file()) < 2_000_000
    for path in (KEPT / "runs").glob("*/run.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["data_revision"] == "generated", path
    assert not list(KEPT.rglob("sessions.jsonl"))  # they name machines


def test_every_block_is_of_one_content_for_nets_models_and_search() -> None:
    rows = reference_tables.load(KEPT, "published")
    for content in {row["puzzles_sha256"] for row in rows}:
        block = [row for row in rows if row["puzzles_sha256"] == content]
        assert len({row["set"] for row in block}) == 1
        assert {"llm", "exact", "baseline"} <= {row["kind"] for row in block}, block[0]["set"]
        assert {row["puzzles"] for row in block} == {50}
    assert len({row["model"] for row in rows if row["kind"] == "llm"}) >= MODELS


@pytest.mark.parametrize(("wins", "losses"), [(5, 0), (9, 3), (20, 2), (4, 4)])
def test_flipping_signs_is_an_exact_test_of_wins_and_losses(wins: int, losses: int) -> None:
    gaps = np.array([1.0] * wins + [-1.0] * losses + [0.0] * 8)
    expected = binomtest(wins, wins + losses).pvalue
    assert reference._flipped(gaps, 1) == pytest.approx(expected)
    thirds = np.array([1 / 3, 2 / 3, -1 / 3])  # of 8 patterns, sums of 2/3 and more: 4, two of each sign
    assert reference._flipped(thirds, 3) == pytest.approx(sum(
        abs(a + 2 * b - c) >= 2 for a in (1, -1) for b in (1, -1) for c in (1, -1)) / 8)  # fmt: skip


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small reference of its own: two sets, few puzzles, README and docs beside it."""
    four = reference.Set(title="Sudoku 4×4", task="sudoku", published="mini_sudoku", options={"size": 4},
                         nets=(("looped", {"depth": 1}), ("hrm", {})), limit=3)  # fmt: skip
    monkeypatch.setattr(reference, "SETS", (four,))
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    monkeypatch.setattr(reference, "KEPT", tmp_path / "results" / "reference")
    monkeypatch.delenv("DEPTHBENCH_DATA", raising=False)
    for name, parts in reference_tables.BLOCKS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        marks = [f"<!-- reference {part} -->\n<!-- end of reference {part} -->" for part in parts]
        (tmp_path / name).write_text("\n\n".join(["before", *marks, "after"]), encoding="utf-8")
    return tmp_path


def rerun(monkeypatch: pytest.MonkeyPatch, at: Path, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["reference.py", "--results-dir", str(at / "all"), *words])
    reference.main()


def test_without_the_published_replies_our_own_part_is_made_and_the_rest_stays(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reference.store("published", [])
    rerun(monkeypatch, copied, "--write")
    told = capsys.readouterr().err
    assert "left out: reasoning_gym_eval, which is not in the folder that DEPTHBENCH_DATA names" in told
    assert "left out: hrm on Sudoku 4×4, generated: No hrm weights are shipped" in told
    rows = {reference_tables.name_of(row): row for row in reference_tables.load(reference.KEPT, "own")}
    assert set(rows) == {"looped depth=1", "search", "greedy", "random"}
    assert (rows["search"]["correct"], rows["search"]["planned"]) == (3, 3)
    assert len(list((reference.KEPT / "runs").iterdir())) == 4
    page = (copied / "docs" / "reference.md").read_text(encoding="utf-8")
    assert re.search(r"\| exact search \| – \| 100.0 \([\d.]+–100\) \| – \| 3 of 3 \| – \| 100.0 \|", page)


def test_replies_and_nets_come_into_one_block_with_tests(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = copied / "data" / "reasoning_gym_eval"
    data.mkdir(parents=True)
    silent = sudoku_rows("silent/model")
    for item in silent:
        item["replies"] = [{"text": "", "their_score": 0.0}] * 3
    rows: list[Any] = [{"source": "x", "replies": 1}, *sudoku_rows(), *silent]
    text = "\n".join(map(json.dumps, rows)).encode()
    (data / "mini_sudoku.jsonl.gz").write_bytes(gzip.compress(text))
    words = ("--write", "--data-dir", str(data.parent))
    rerun(monkeypatch, copied, *words)
    found = {reference_tables.name_of(row): row for row in reference_tables.load(reference.KEPT, "published")}
    assert found["silent/model"]["score"] is None  # every call failed: that is no score of 0
    assert set(found) - {"silent/model"} == {"someone/model", "looped depth=1", "search", "greedy", "random"}
    assert len({row["puzzles_sha256"] for row in found.values()}) == 1
    assert (found["someone/model"]["correct"], found["someone/model"]["planned"]) == (2, 6)
    pairs = reference_tables.load(reference.KEPT, "pairs")
    assert len(pairs) == 10
    assert {pair["test"] for pair in pairs} == {"McNemar", "sign flips"}
    assert all(pair["holm"] >= pair["p"] for pair in pairs)
    kept = {row["solver"] for row in reference_tables.load(reference.KEPT, "constraints")}
    assert {"someone/model", "random rows", "random cells", "search"} <= kept
    table = (copied / "README.md").read_text(encoding="utf-8")
    assert "| model, 2025-05 | unknown | 33.3 (" in table
    assert table.startswith("before")
    assert table.endswith("after")
    capsys.readouterr()
    rerun(monkeypatch, copied, "--data-dir", str(data.parent))  # nothing differs from what is kept
    kept_rows = json.loads((reference.KEPT / "published.json").read_text(encoding="utf-8"))
    kept_rows[0]["correct"] += 1
    reference.store("published", kept_rows)
    with pytest.raises(SystemExit, match="1 scores differ"):
        rerun(monkeypatch, copied, "--data-dir", str(data.parent))


def test_git_ignores_a_users_runs_and_not_the_reference() -> None:
    def ignored(path: str) -> bool:
        return subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT).returncode == 0

    if not (ROOT / ".git").exists():
        pytest.skip("no git repository")
    assert ignored("results/runs/x/run.json")
    assert not ignored("results/reference/runs/x/run.json")
