"""`bench leaderboard` and `bench analyse`: blocks, seeds, fronts, budgets; runs of which little is left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import run
from harness.cli.main import dispatch
from harness.scores.leaderboard import ranked, rows
from tests.fakes import Counting, Lottery, RepeatLast
from tests.test_leaderboard_budget import Skilled
from tests.test_statistics_samples import Guesses, Lawful, Wavers


def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert dispatch([*words, "--results-dir", str(tmp_path), "--format", "json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_other_puzzles_training_and_task_versions_are_never_ranked_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Newer(Counting):
        version = "3"

    for solver in ("search", "random", Skilled(), Skilled(regime="all there are")):
        run(Counting(), solver, limit=12, results_dir=tmp_path)
    run(Counting(), "search", limit=5, results_dir=tmp_path)
    run(Newer(), "search", limit=12, results_dir=tmp_path)
    found = bench(tmp_path, capsys, "leaderboard")
    blocks: dict[int, list[dict[str, Any]]] = {}
    for row in found:
        blocks.setdefault(row["ranked_in"], []).append(row)
    assert sorted([row["rank"] for row in block] for block in blocks.values()) == [[1], [1], [1], [1], [1, 2]]
    for block in blocks.values():
        assert len({json.dumps(row["block"]) for row in block}) == 1
    told = {part.partition(":")[0] for row in found for part in row["differs"]}
    assert told == {"puzzles", "training", "version"}
    capsys.readouterr()
    assert dispatch(["leaderboard", "--results-dir", str(tmp_path)]) == 0
    assert "── apart from those above by" in capsys.readouterr().out


def test_seeds_are_one_row_unless_each_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(3):
        run(Counting(), Skilled(noise=0.3, seed=seed), limit=20, results_dir=tmp_path)
    (row,) = bench(tmp_path, capsys, "leaderboard")
    each = bench(tmp_path, capsys, "leaderboard", "--each-seed")
    assert (len(each), len(row["runs"]), len(row["seeds"])) == (3, 3, 3)
    scores = [r["score"] for r in each]
    assert row["score"] == pytest.approx(sum(scores) / 3)
    assert row["spread"] > 0
    assert row["planned"] == 60
    assert [len(r.runs) for r in rows(tmp_path)[0]] == [1, 1, 1], "from Python a row is a run"


def test_seeds_of_other_puzzles_stay_apart_where_another_solver_has_one_of_them_alone(tmp_path: Path) -> None:
    for seed in range(2):
        run(Counting(), "random", limit=20, seed=seed, results_dir=tmp_path)
    assert [len(r.runs) for r in rows(tmp_path, merge=True)[0]] == [2]
    run(Counting(), "search", limit=20, results_dir=tmp_path)
    found = rows(tmp_path, merge=True)[0]
    assert [len(r.runs) for r in found] == [1, 1, 1]
    assert [len(block.rows) for block in ranked(found)] == [2, 1]
    run(Counting(), "search", limit=20, seed=1, results_dir=tmp_path)
    assert [len(r.runs) for r in rows(tmp_path, merge=True)[0]] == [2, 2]


def test_the_front_and_the_budgets_of_the_command_are_those_of_the_functions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for effort in (1, 2, 4):
        run(Counting(), Skilled(share=0.2, effort=effort), limit=20, results_dir=tmp_path)
    run(Counting(), Wavers(), limit=20, results_dir=tmp_path)
    front = bench(tmp_path, capsys, "leaderboard", "--front", "usd")
    assert [(row["cost"], row["on_front"]) for row in front] == [
        (1.0, True),
        (2.0, True),
        (4.0, True),
        (4.0, False),
    ]
    at = bench(tmp_path, capsys, "leaderboard", "--at-usd", "3")
    by = {row["curve"]["by"]: row for row in at}
    assert by["effort"]["where"] == by["depth"]["where"] == "between"
    assert 0.4 < by["effort"]["score"]["score"] < 0.8
    for budget, where in (("0.5", {"below"}), ("9", {"above"})):
        found = bench(tmp_path, capsys, "leaderboard", "--at-usd", budget)
        assert {row["where"] for row in found} == where
        assert {row["score"] for row in found} == {None}


def test_equal_scores_share_a_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for solver in (RepeatLast(), "random", "search", Lottery()):
        run(Counting(), solver, limit=20, results_dir=tmp_path)
    found = bench(tmp_path, capsys, "leaderboard")
    assert [(row["rank"], row["score"] > 0) for row in found] == [
        (1, True),
        (2, True),
        (3, False),
        (3, False),
    ]
    capsys.readouterr()
    assert dispatch(["leaderboard", "--results-dir", str(tmp_path)]) == 0
    assert "±seeds" not in capsys.readouterr().out, "no run was merged"


def test_training_shared_out_is_in_the_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(Counting(), "search", limit=4, results_dir=tmp_path)
    run(Counting(), Skilled(), limit=4, results_dir=tmp_path)
    found = {row["kind"]: row for row in bench(tmp_path, capsys, "leaderboard", "--amortise", "1000")}
    search = found["exact"]
    assert search["usd_per_puzzle_amortised"] == search["usd_per_puzzle"], "nothing was trained"
    assert found["net"]["usd_per_puzzle_amortised"] is None, "unknown"


@pytest.mark.parametrize(
    "words",
    [
        ["--front", "weight"], ["--at-usd", "0"], ["--at-flops", "nan"], ["--amortise", "0"],
        ["--at-usd", "1", "--front", "usd"], ["--at-usd", "1", "--at-flops", "2"],
        ["--front", "usd", "--published"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_cannot_be_shown_says_so_without_a_traceback(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(Counting(), Skilled(), limit=4, results_dir=tmp_path)
    assert dispatch(["leaderboard", *words, "--results-dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("bench: ")


def test_no_run_at_all_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--front", "usd"], ["--at-usd", "1"]):
        assert dispatch(["leaderboard", *words, "--results-dir", str(tmp_path)]) == 2
    assert "No run to show" in capsys.readouterr().err


def test_a_run_is_analysed_as_far_as_it_holds_something(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [
        run(task, solver, limit=10, results_dir=tmp_path).folder.name
        for task, solver in ((Counting(), "search"), (Counting(), Wavers()), (Lawful(), Guesses()))
    ]
    plain, wavers, guesses = bench(tmp_path, capsys, "analyse", *names)
    assert (plain["depths"], plain["samples"], plain["score"]["score"]) == (None, None, 1.0)
    assert (len(wavers["depths"]["points"]), wavers["depths"]["ever"]["score"]) == (3, 0.8)
    assert guesses["samples"]["k"] == [5, 5]
    for form in ("table", "markdown", "latex", "csv"):
        assert dispatch(["analyse", *names, "--results-dir", str(tmp_path), "--format", form]) == 0
    shown = capsys.readouterr().out
    for words in (
        "Right and lost again: 4:",
        "best by the rules",
        "Generation-verification gap",
        "neither answers",
    ):
        assert words in shown


@pytest.mark.parametrize("solver", [RepeatLast(), "search"], ids=["none right", "all right"])
def test_all_or_nothing_is_sane_everywhere(
    solver: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = run(Counting(), solver, limit=6, results_dir=tmp_path).folder.name
    for words in (["leaderboard"], ["leaderboard", "--front", "core"], ["analyse", name]):
        assert dispatch([*words, "--results-dir", str(tmp_path)]) == 0
    assert "nan" not in capsys.readouterr().out


def test_a_damaged_run_an_older_schema_and_an_unknown_metric_take_no_other_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = run(Counting(), Lottery(), limit=6, results_dir=tmp_path).folder
    older = run(Counting(), "search", limit=6, results_dir=tmp_path).folder
    for path in (older.run_path, older.attempts_path):
        path.write_text(
            path.read_text().replace('"schema": 2', '"schema": 1').replace('"schema":2', '"schema":1')
        )
    torn = run(Counting(), "random", limit=6, results_dir=tmp_path).folder
    lines = torn.attempts_path.read_text().splitlines(keepends=True)
    torn.attempts_path.write_text("".join([lines[0], "{not a line}\n", *lines[2:]]))
    other = run(Counting(), RepeatLast(), limit=6, results_dir=tmp_path).folder
    other.run_path.write_text(other.run_path.read_text().replace('"number":"correct"', '"number":"beauty"'))
    for words in (["leaderboard"], ["leaderboard", "--front", "core"], ["leaderboard", "--at-usd", "1"]):
        capsys.readouterr()
        code = dispatch([*words, "--results-dir", str(tmp_path), "--format", "json"])
        out, err = capsys.readouterr()
        assert code in (0, 1)
        assert json.loads(out)
        assert torn.name in err
        assert other.name in err
        assert good.name not in err
        assert older.name not in err
    for name in (torn.name, other.name):
        assert dispatch(["analyse", name, "--results-dir", str(tmp_path)]) == 2
        assert dispatch(["compare", good.name, name, "--results-dir", str(tmp_path)]) == 2
    assert dispatch(["compare", good.name, older.name, "--results-dir", str(tmp_path)]) == 0
