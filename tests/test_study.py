"""Studies: many runs from one file; one cap; whatever stops it, the same command ends with the same table."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness import study
from harness.cli.main import dispatch
from harness.records.find import scan
from harness.studies.play import checked, estimates, runs_of
from harness.studies.spec import SHIPPED, Entry, Study, name_of, read
from tests import warm
from tests.conftest import ROOT
from tests.fakes import EXAMPLES
from tests.llm_server import Behaviour, LlmServer

COUNTING = f"{EXAMPLES / 'counting.py'}:Counting"
FAKES = Path(__file__).parent / "fakes.py"
SMALL = """
seeds = [0, 1]
limit = 6
[[task]]
name = "sudoku"
T.size = 4
T.difficulty = ["easy", "hard"]
[[solver]]
name = "search"
[[solver]]
name = "random"
seeds = [0, 1, 2]
limit = 4
[[exclude]]
solver = "search"
T.difficulty = "easy"
seed = 1
"""


def written(text: str, tmp_path: Path, name: str = "small") -> Path:
    path = tmp_path / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_runs_of_a_study_are_all_pairs_less_what_is_excluded(tmp_path: Path) -> None:
    runs = read(written(SMALL, tmp_path)).runs()
    asked = {(name_of(run), run.limit) for run in runs}
    assert asked == {
        *(
            (f"sudoku size=4 difficulty={d} · search · seed {s}", 6)
            for d, s in [("easy", 0), ("hard", 0), ("hard", 1)]
        ),
        *(
            (f"sudoku size=4 difficulty={d} · random · seed {s}", 4)
            for d in ("easy", "hard")
            for s in (0, 1, 2)
        ),
    }
    assert len(runs) == len(asked) == 9


def test_a_study_is_played_cheapest_first_and_again_without_asking_anything_anew(tmp_path: Path) -> None:
    parts = study(written(SMALL, tmp_path), results_dir=tmp_path)
    assert {part.state for part in parts} == {"done"}
    assert [str(part.spec.solver) for part in parts] == ["random"] * 6 + ["search"] * 3
    before = {run.folder.path: run.folder.attempts_path.read_bytes() for run in scan(tmp_path)}
    assert len(before) == 9
    again = study(written(SMALL, tmp_path), results_dir=tmp_path)
    assert {run.folder.path: run.folder.attempts_path.read_bytes() for run in scan(tmp_path)} == before
    assert [p.result.summary for p in again if p.result] == [p.result.summary for p in parts if p.result]
    assert [folder.path for folder in runs_of("small", tmp_path)] == [
        p.result.path for p in parts if p.result
    ]


def test_a_study_of_python_is_one_of_a_file(tmp_path: Path) -> None:
    asked = Study(
        name="mine",
        tasks=[Entry(name=COUNTING, options={"shown": [3, 4]}, limit=5)],
        solvers=[Entry(name="search"), Entry(name="random")],
    )
    parts = study(asked, results_dir=tmp_path)
    scores = {
        part.name.split(" · ", 1)[1]: part.result.summary.headline.score for part in parts if part.result
    }
    assert len(parts) == 4
    assert scores["search · seed 0"] == 1


def test_the_command_writes_one_table_and_the_leaderboard_finds_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--results-dir", str(tmp_path)]
    assert (
        dispatch(["run", "--task", "sudoku", "-T", "size=4", "--solver", "copy-input", "--limit", "2", *at])
        == 0
    )
    capsys.readouterr()
    assert dispatch(["study", str(written(SMALL, tmp_path)), "--format", "json", *at]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 9 - 1 - 2 * 2  # the seeds of one configuration are one row
    assert dispatch(["leaderboard", "--study", "small", "--format", "json", *at]) == 0
    assert {row["run"] for row in json.loads(capsys.readouterr().out)} == {row["run"] for row in rows}
    assert dispatch(["study", str(written(SMALL, tmp_path)), *at]) == 0
    assert "McNemar" in capsys.readouterr().out
    assert dispatch(["leaderboard", "--study", "smal", *at]) == 2
    assert "Did you mean 'small'?" in capsys.readouterr().err


def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SMALL + '[[solver]]\nname = "llm"\nS.model = "gpt-5-mini"\nS.max_tokens = 1000\nseeds = [0]\n'
    os.environ.setdefault("OPENAI_API_KEY", "none")
    folder = tmp_path / "results"
    assert (
        dispatch(
            [
                "study",
                str(written(text, tmp_path)),
                "--dry-run",
                "--format",
                "json",
                "--results-dir",
                str(folder),
            ]
        )
        == 0
    )
    rows = json.loads(capsys.readouterr().out)
    assert not folder.exists()
    asked = [row for row in rows if row["kind"] == "llm"]
    assert len(asked) == 2
    assert rows[-2:] == asked  # the dearest last
    for row in asked:
        assert row["usd"] > 0
        assert row["prompt_tokens"] > 6 * 50
    assert {row["usd"] for row in rows if row["kind"] != "llm"} == {0}


def test_estimates_know_what_is_recorded(tmp_path: Path) -> None:
    asked = read(written(SMALL, tmp_path))
    study(asked, results_dir=tmp_path)
    assert all(row.recorded == row.attempts for row in estimates(checked(asked, tmp_path)))


def test_a_run_that_fails_is_named_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(
        "from tests.fakes import Lottery\n"
        "class Broken(Lottery):\n"
        "    def solve(self, task, puzzles, budget):\n"
        "        raise ZeroDivisionError('a fault of its own')\n"
        "        yield\n",
        encoding="utf-8",
    )
    solvers = f'[[solver]]\nname = "{broken}:Broken"\n[[solver]]\nname = "search"\n'
    text = f'limit = 3\n[[task]]\nname = "{COUNTING}"\n{solvers}'
    code = dispatch(
        ["study", str(written(text, tmp_path)), "--format", "json", "--results-dir", str(tmp_path)]
    )
    told = capsys.readouterr()
    assert code == 1
    assert "a fault of its own" in told.err
    assert [row["score"] for row in json.loads(told.out)] == [1]
    noted = json.loads((tmp_path / "studies" / "small.json").read_text(encoding="utf-8"))
    assert sorted(run["state"] for run in noted["runs"]) == ["done", "failed"]


def test_the_hours_of_a_study_end_it_and_more_hours_go_on(tmp_path: Path) -> None:
    ticks = iter(range(10_000))
    asked = Study(
        name="short",
        max_hours=8 / 3600,
        tasks=[Entry(name=COUNTING, limit=10)],
        solvers=[Entry(name="search"), Entry(name="random")],
    )
    parts = study(asked, results_dir=tmp_path, clock=lambda: float(next(ticks)))
    assert parts[0].state == "stopped"
    assert "hours" in str(parts[0].error)
    assert parts[-1].state == "stopped"
    assert parts[0].result is not None
    assert 0 < parts[0].result.summary.recorded < 10
    longer = study(Study(**{**vars(asked), "max_hours": 1.0}), results_dir=tmp_path)
    assert {part.state for part in longer} == {"done"}


def test_one_cap_holds_for_all_runs_of_a_study_and_after_a_resume(tmp_path: Path) -> None:
    with LlmServer(lambda _body, _nth: Behaviour(text="no answer", delay=0.001)) as server:
        text = f"""
        max_cost = 0.50
        max_connections = 2
        limit = 15
        [[task]]
        name = "{COUNTING}"
        [[solver]]
        name = "llm"
        S.model = ["a", "b"]
        S.base_url = "{server.url}"
        S.cache = false
        S.usd_per_million_input = 1000.0
        S.usd_per_million_output = 2000.0
        """  # a reply costs $0.025: 20 of them, of two runs of 15
        first = study(written(text, tmp_path), results_dir=tmp_path)
        assert [part.state for part in first] == ["done", "failed"]
        assert "cap" in str(first[1].error)
        assert 20 <= len(server.requests) <= 22
        asked = len(server.requests)
        again = study(written(text, tmp_path), results_dir=tmp_path)
        assert [part.state for part in again] == ["done", "failed"]
        assert len(server.requests) <= asked + 2
        more = study(written(text.replace("0.50", "5.00"), tmp_path), results_dir=tmp_path)
        assert [part.state for part in more] == ["done", "done"]


def test_a_hybrid_that_asks_a_model_is_under_the_cap_and_its_price_is_not_called_nothing(
    tmp_path: Path,
) -> None:
    with LlmServer(lambda _body, _nth: Behaviour(text="no answer", delay=0.001)) as server:
        text = f"""
        max_cost = 0.25
        max_connections = 1
        limit = 30
        [[task]]
        name = "{COUNTING}"
        [[solver]]
        name = "hybrid"
        S.then = "random"
        [solver.S.first]
        name = "llm"
        model = "a"
        base_url = "{server.url}"
        cache = false
        usd_per_million_input = 1000.0
        usd_per_million_output = 2000.0
        """  # a reply costs $0.025
        path = written(text, tmp_path)
        assert [row.usd for row in estimates(checked(read(path), tmp_path))] == [None]
        (part,) = study(path, results_dir=tmp_path)
        assert part.state == "failed"
        assert "cap" in str(part.error)
        assert 10 <= len(server.requests) <= 11


def long_study(tmp_path: Path, runs: int) -> Path:
    shown = list(range(3, 3 + runs))
    text = (
        f'limit = 12\n[[task]]\nname = "{COUNTING}"\nT.shown = {shown}\n'
        f'[[solver]]\nname = "{FAKES}:Lottery"\nS.seconds = 0.01\n'
    )
    return written(text, tmp_path, "long")


def killed_until_done(path: Path, results: Path, kills: int, seed: int) -> None:
    """Play a study in a process that is killed at random moments, then let it end."""
    words = [
        sys.executable,
        "-m",
        "depthbench",
        "study",
        str(path),
        "--results-dir",
        str(results),
        "--format",
        "json",
    ]
    rng = random.Random(seed)
    for _ in range(kills):
        process = warm.Popen(
            words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
        try:
            assert process.stderr is not None
            for _ in range(rng.randint(1, 6)):  # it has told so many things
                if not process.stderr.readline():
                    break
            time.sleep(rng.random() * 0.1)
            os.killpg(process.pid, signal.SIGKILL)
        finally:
            process.wait()
            process.stderr.close()
    warm.run(words, cwd=ROOT, check=True, capture_output=True)


def rows_of(results: Path, capsys: Any) -> list[dict[str, Any]]:
    assert (
        dispatch(["leaderboard", "--study", "long", "--format", "json", "--results-dir", str(results)]) == 0
    )
    return list(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(
    ("runs", "kills"), [(4, 2), pytest.param(24, 10, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_a_study_that_is_killed_ends_with_the_same_table(
    runs: int, kills: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = long_study(tmp_path, runs)
    study(path, results_dir=tmp_path / "calm")
    killed_until_done(path, tmp_path / "killed", kills, seed=1)
    calm, killed = (rows_of(tmp_path / name, capsys) for name in ("calm", "killed"))
    assert len(calm) == runs
    assert killed == calm
    for run in scan(tmp_path / "killed"):
        pairs = [(a.puzzle, a.attempt) for a in run.folder.attempts()]
        assert len(pairs) == len(set(pairs)) == 12


@pytest.mark.parametrize("name", [path.stem for path in SHIPPED.glob("*.toml")])
def test_the_studies_that_ship_can_be_played(name: str) -> None:
    assert len(checked(read(name))) >= 10


GOOD = '[[task]]\nname = "sudoku"\n[[solver]]\nname = "search"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("limit = 1\n", "has no task"),
        ('[[task]]\nname = "sudoku"\n', "has no solver"),
        ("limits = 3\n" + GOOD, "Did you mean 'limit'?"),
        ('[[task]]\nname = "sudok"\n[[solver]]\nname = "search"\n', "sudoku"),
        ('[[task]]\nname = "sudoku"\n[[solver]]\nname = "serach"\n', "search"),
        ('[[task]]\nname = "sudoku"\nT.sise = 4\n[[solver]]\nname = "search"\n', "size"),
        ('[[task]]\nname = "sudoku"\nT.size = [4, 5]\n[[solver]]\nname = "search"\n', "5"),
        ('[[task]]\nname = "sudoku"\nT.size = []\n[[solver]]\nname = "search"\n', "no value"),
        ('[[task]]\nname = "sudoku"\nT.size = [4, 4]\n[[solver]]\nname = "search"\n', "twice"),
        ("seeds = [0, 1, 0]\n" + GOOD, "seed 0 stands twice"),
        ("seeds = [-1]\n" + GOOD, "seed -1"),
        ("seeds = []\n" + GOOD, "no run"),
        ("seeds = 3\n" + GOOD, "wrong kind"),
        ('limit = "ten"\n' + GOOD, "wrong kind"),
        ("limit = true\n" + GOOD, "wrong kind"),
        ("max_cost = -1\n" + GOOD, "greater than 0"),
        ("max_cost = nan\n" + GOOD, "greater than 0"),
        ("max_hours = 0\n" + GOOD, "greater than 0"),
        ('split = "tset"\n' + GOOD, "test"),
        ("workers = 0\n" + GOOD, "workers"),
        (GOOD + GOOD, "stands twice"),
        (GOOD + '[[exclude]]\ntask = "sudoku"\n', "excludes all"),
        (GOOD + "[[exclude]]\n", "excludes nothing"),
        (GOOD + '[[exclude]]\nsolver = "serach"\n', "fits none of its runs"),
        (GOOD + "[[exclude]]\nsede = 1\n", "seed"),
        ('task = "sudoku"\n', "wrong kind"),
        ("task = [1]\n", "not a table"),
        ("[[task]]\nlimit = 3\n", "no name"),
        ("[[task\n", "cannot be read"),
        ("seeds = [" + ", ".join(map(str, range(11_000))) + "]\n" + GOOD, "more than 10,000 runs"),
    ],
)
def test_a_mistake_is_told_before_anything_starts(
    text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "results"
    assert dispatch(["study", str(written(text, tmp_path)), "--results-dir", str(folder)]) == 2
    assert told in capsys.readouterr().err
    assert not folder.exists()


def test_an_unknown_study_names_those_that_ship(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert dispatch(["study", "first-tabel", "--results-dir", str(tmp_path)]) == 2
    assert "first-table" in capsys.readouterr().err
    assert dispatch(["leaderboard", "--study", "../x", "--results-dir", str(tmp_path)]) == 2
