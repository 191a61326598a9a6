"""The same run on one process and on workers: the same attempts once each, whoever dies on the way."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness import run
from harness.cli.main import dispatch, named
from harness.contracts import Attempt, Budget, Outcome, Puzzle, SolverCard, TaskView, Usage
from harness.errors import UserError
from harness.records.schema import RunSpec
from harness.running.plan import plan_run
from harness.running.runner import RunResult, execute
from harness.workers.crew import Crew
from harness.workers.failures import Failure
from harness.workers.pool import Pool
from harness.workers.process import gpus, surroundings
from harness.workers.shards import DEADLY, Shards, fixed
from harness.workers.worker import Ready
from tests import warm
from tests.conftest import ROOT
from tests.fakes import Counting, Lottery, TwoTries


@dataclass(frozen=True, kw_only=True)
class Deadly:
    """Ends its process at one puzzle."""

    at: str
    seconds: float = field(default=0.0, compare=False)

    @property
    def card(self) -> SolverCard:
        return SolverCard(name="deadly", kind="baseline")

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        for puzzle in puzzles:
            for k in budget.wanted(puzzle.id):
                if puzzle.id == self.at:
                    os._exit(3)
                time.sleep(self.seconds)
                yield Attempt(puzzle_id=puzzle.id, attempt=k, answer=0, usage=Usage(wall_seconds=1.0))


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Answers with the place and the size of the batch a puzzle came in: what rounding does, seen large."""

    seconds: float = field(default=0.0, compare=False)

    @property
    def card(self) -> SolverCard:
        return SolverCard(name="neighbours", kind="net", device="cpu")

    def shard_size(self, puzzles: int) -> int:
        return 7

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        found = [(puzzle, k) for puzzle in puzzles for k in budget.wanted(puzzle.id)]
        for n, (puzzle, k) in enumerate(found):
            time.sleep(self.seconds)
            yield Attempt(puzzle_id=puzzle.id, attempt=k, answer=1000 * n + len(found), usage=Usage(flops=1))


@dataclass(frozen=True, kw_only=True)
class Unpicklable:
    lock: Any = field(default_factory=threading.Lock, compare=False)

    @property
    def card(self) -> SolverCard:
        return SolverCard(name="unpicklable", kind="baseline")

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        yield from ()


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Looks for a way from the view to the answers, in the process it is in."""

    @property
    def card(self) -> SolverCard:
        return SolverCard(name="looks", kind="baseline")

    def solve(self, task: Any, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        for puzzle in puzzles:
            found = [
                name for name in ("load", "judge", "item", "draw", "training_groups") if _has(task, name)
            ]
            yield Attempt(puzzle_id=puzzle.id, answer=0, detail={"pid": os.getpid(), "found": found})


def _has(task: Any, name: str) -> bool:
    with suppress(AttributeError):
        return getattr(task, name) is not None
    return False


def content(result: RunResult) -> set[tuple[Any, ...]]:
    """Return what was recorded, but for the times."""
    return {
        (a.puzzle, a.attempt, a.outcome, str(a.answer), a.depth, str(a.numbers))
        for a in result.folder.attempts()
    }


def summary_bytes(result: RunResult) -> bytes:
    return result.folder.summary_path.read_bytes()


def test_one_process_and_two_give_the_same_summary_byte_for_byte(tmp_path: Path) -> None:
    one = run(TwoTries(), Lottery(), limit=60, results_dir=tmp_path / "one")
    two = run(TwoTries(), Lottery(), limit=60, results_dir=tmp_path / "two", workers=2)
    assert summary_bytes(one) == summary_bytes(two)
    assert content(one) == content(two)
    assert two.folder.sessions()[0].event == "start"
    assert len(two.folder.attempts()) == 120


def test_a_solver_that_batches_sees_the_same_batches_everywhere_and_after_every_stop(tmp_path: Path) -> None:
    whole = run(Counting(), Neighbours(), limit=40, results_dir=tmp_path / "a")
    two = run(Counting(), Neighbours(), limit=40, results_dir=tmp_path / "b", workers=2)
    cut = run(Counting(), Neighbours(), limit=40, results_dir=tmp_path / "c")
    lines = cut.folder.attempts_path.read_bytes().splitlines(keepends=True)
    cut.folder.attempts_path.write_bytes(b"".join(lines[:3] + lines[9:12] + lines[30:]) + b'{"torn')
    again = run(Counting(), Neighbours(), limit=40, results_dir=tmp_path / "c", workers=2)
    assert content(whole) == content(two) == content(again)
    assert len(again.folder.attempts()) == 40
    assert {a.answer % 1000 for a in whole.folder.attempts()} == {7, 5}


def test_a_worker_has_no_way_to_the_keys(tmp_path: Path) -> None:
    result = run(Counting(), Looks(), limit=6, results_dir=tmp_path, workers=2)
    details = [a.detail for a in result.folder.attempts()]
    assert all(detail["found"] == [] for detail in details)
    assert os.getpid() not in {detail["pid"] for detail in details}


def test_a_puzzle_that_kills_its_workers_is_booked_as_failed_by_name_and_the_others_are_not(
    tmp_path: Path,
) -> None:
    result = run(Counting(), Deadly(at="test-0-5"), limit=12, results_dir=tmp_path, workers=2)
    failed = [a for a in result.folder.attempts() if a.outcome is Outcome.PROVIDER_ERROR]
    assert [a.puzzle for a in failed] == ["test-0-5"]
    assert "workers died at this puzzle" in failed[0].detail["error"]
    assert len(result.folder.attempts()) == 12


def test_workers_that_are_killed_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    spec = RunSpec(Counting(), Deadly(at="none", seconds=0.01), limit=150, results_dir=tmp_path, workers=2)
    stop, killed = threading.Event(), []

    def kill(pool: Pool) -> None:
        while len(killed) < 4 and not stop.wait(0.25):
            for process in list(pool._processes.values())[:1]:
                with suppress(OSError):
                    os.kill(process.process.pid, signal.SIGKILL)
                    killed.append(process.process.pid)

    with Pool(2) as pool:
        killer = threading.Thread(target=kill, args=(pool,))
        plan = plan_run(spec)
        pool.prepare(plan)
        killer.start()
        result = execute(plan, executor=pool)
        stop.set()
        killer.join()
    assert killed
    attempts = result.folder.attempts()
    assert len(attempts) == len({a.puzzle for a in attempts}) == 150
    assert {a.outcome for a in attempts} == {Outcome.WRONG}


def test_an_open_pool_serves_one_run_after_another(tmp_path: Path) -> None:
    with Pool(2) as pool:
        results = [
            execute(plan_run(RunSpec(Counting(), solver, limit=9, results_dir=tmp_path)), executor=pool)
            for solver in (Looks(), Lottery(), Looks())
        ]
    assert [len(result.folder.attempts()) for result in results] == [9, 9, 9]


def test_when_the_driver_is_killed_its_workers_go_and_another_executor_resumes(tmp_path: Path) -> None:
    code = (
        "from tests.test_executor import *\n"
        f"run(Counting(), Deadly(at='none', seconds=0.02), limit=100, workers=2, results_dir='{tmp_path}')"
    )
    driver = warm.Popen([sys.executable, "-c", code], cwd=ROOT, start_new_session=True)
    deadline = time.monotonic() + 300
    lines: list[Path] = []
    while time.monotonic() < deadline and not (lines and lines[0].read_bytes().count(b"\n") > 5):
        lines = list(tmp_path.glob("runs/*/attempts.jsonl"))
        time.sleep(0.01)
    workers = children(driver.pid)
    driver.kill()
    driver.wait()
    assert len(workers) == 2
    while time.monotonic() < deadline and any(alive(pid) for pid in workers):
        time.sleep(0.02)
    assert not any(alive(pid) for pid in workers)
    assert 5 < lines[0].read_bytes().count(b"\n") < 100
    result = run(Counting(), Deadly(at="none"), limit=100, results_dir=tmp_path)
    attempts = result.folder.attempts()
    assert len(attempts) == len({a.puzzle for a in attempts}) == 100


class Slow(Crew):
    """Workers in name only: each says what the test has it say."""

    def __init__(self) -> None:
        super().__init__(2)
        self.told: list[tuple[int, str, bytes]] = []
        self.saying: list[tuple[int, tuple[Any, ...]]] = []

    def hire(self, number: int) -> None: ...
    def dismiss(self, number: int) -> None: ...
    def unshare(self) -> None: ...

    def tell(self, number: int, *words: Any) -> None:
        self.told.append((number, words[0], words[1]))

    def heard(self, seconds: float) -> list[tuple[int, tuple[Any, ...]]]:
        return [self.saying.pop(0)]


@pytest.mark.parametrize("late", ["ready", "failed", "gone"])
def test_a_worker_still_at_the_solver_of_the_last_run_is_not_taken_for_ready_with_the_next(
    late: str, tmp_path: Path
) -> None:
    ready = ("ready", Ready(pid=1, host="here", device=None))
    says = {"ready": ready, "failed": ("failed", Failure(kind="user", what="no room")), "gone": ("gone", "")}
    first, then = (
        plan_run(RunSpec(Counting(), solver, limit=4, results_dir=tmp_path))
        for solver in (Deadly(at="none"), Lottery())
    )
    crew = Slow()
    crew.saying = [(1, ready), (2, ready)]
    crew.prepare(first)
    crew._settle(2, ("gone", "it died in the first run"))  # so a third is hired, and not ready by its end
    crew.told.clear()
    crew.saying = [(1, ready), (3, says[late]), (4 if late == "gone" else 3, ready)]
    crew.prepare(then)
    assert not crew.saying  # it waited for the third
    orders = [(number, type(pickle.loads(order).solver)) for number, _, order in crew.told]
    assert orders == [(1, Lottery), (4 if late == "gone" else 3, Lottery)]
    assert all(hand.ready for hand in crew.hands.values())


@pytest.mark.slow
def test_ray_gives_the_same_summary_replaces_its_dead_and_serves_a_pool_s_run(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    code = (
        "from tests.test_executor import *\n"
        "from harness.workers.ray_cluster import RayCrew\n"
        f"one = run(TwoTries(), Lottery(), limit=60, results_dir='{tmp_path}/one')\n"
        "with RayCrew('local', 2) as crew:\n"
        "    def on_ray(solver, where, task=TwoTries()):\n"
        f"        spec = RunSpec(task, solver, limit=60, results_dir=f'{tmp_path}/{{where}}')\n"
        "        return execute(plan_run(spec), executor=crew)\n"
        "    two = on_ray(Lottery(), 'two')\n"
        "    assert summary_bytes(one) == summary_bytes(two)\n"
        "    assert content(one) == content(two), sorted(content(one) ^ content(two))\n"
        "    bad = on_ray(Deadly(at='test-0-5'), 'bad', Counting())\n"
        "    failed = [a.puzzle for a in bad.folder.attempts() if a.outcome is Outcome.PROVIDER_ERROR]\n"
        "    assert failed == ['test-0-5'] and bad.complete\n"
        "    nets = on_ray(Neighbours(), 'nets', Counting())\n"
        f"here = run(Counting(), Neighbours(), limit=60, results_dir='{tmp_path}/here')\n"
        "assert content(nets) == content(here), sorted(content(nets) ^ content(here))\n"
    )
    done = warm.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_ray_that_is_not_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ray")
    words = [
        "run",
        "--task",
        "n-queens",
        "--solver",
        "random",
        "--limit",
        "3",
        "--results-dir",
        str(tmp_path),
    ]
    assert dispatch([*words, "--ray", "127.0.0.1:1"]) == 2
    assert "No Ray cluster can be reached at '127.0.0.1:1'" in capsys.readouterr().err
    assert not list(tmp_path.rglob("run.json"))


def children(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if status.read_text().rpartition(")")[2].split()[1] == str(pid):
                found.append(int(status.parent.name))
    return found


def alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_ctrl_c_keeps_what_is_recorded_and_the_same_command_goes_on(tmp_path: Path) -> None:
    code = (
        "from tests.test_executor import *\n"
        "from harness.running.runner import RunInterrupted\n"
        "try:\n"
        f"  run(Counting(), Deadly(at='none', seconds=.02), limit=100, workers=2, results_dir='{tmp_path}')\n"
        "except RunInterrupted as stopped:\n"
        "    print('interrupted with', stopped.result.summary.recorded, flush=True)"
    )
    driver = warm.Popen(
        [sys.executable, "-c", code], cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not any(
        path.read_bytes().count(b"\n") > 5 for path in tmp_path.glob("runs/*/attempts.jsonl")
    ):
        time.sleep(0.01)
    driver.send_signal(signal.SIGINT)
    out, _ = driver.communicate(timeout=300)
    assert out.startswith("interrupted with")
    assert 5 < int(out.split()[-1]) < 100
    assert run(Counting(), Deadly(at="none"), limit=100, results_dir=tmp_path).complete


def test_what_cannot_be_sent_to_workers_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"solver 'unpicklable' cannot be sent to workers"):
        run(Counting(), Unpicklable(), limit=3, results_dir=tmp_path, workers=2)
    assert not list(tmp_path.rglob("run.json"))


def test_a_plug_in_that_is_gone_when_workers_start_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text((ROOT / "docs" / "examples" / "repeat_last.py").read_text())
    plan = plan_run(RunSpec(Counting(), f"{file}:RepeatLast", limit=3, results_dir=tmp_path))
    file.unlink()
    with Pool(2) as pool, pytest.raises(UserError, match="cannot build the solver or read the task") as error:
        execute(plan, executor=pool)
    assert "mine.py" in str(error.value)
    assert not list(tmp_path.rglob("run.json"))


def test_an_error_of_the_solver_in_a_worker_ends_the_run_as_it_would_here(tmp_path: Path) -> None:
    (tmp_path / "raises.py").write_text(
        "from dataclasses import dataclass\n"
        "from harness.contracts import SolverCard\n"
        "from harness.errors import UserError\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class Raises:\n"
        "    how: str = 'user'\n"
        "    card = SolverCard(name='raises', kind='baseline')\n"
        "    def solve(self, task, puzzles, budget):\n"
        "        if self.how == 'user':\n"
        "            raise UserError('Never.', rule='A rule.')\n"
        "        yield 1 / 0\n"
    )
    chosen = f"{tmp_path / 'raises.py'}:Raises"
    with pytest.raises(UserError, match=r"Never\. A rule\."):
        run(Counting(), chosen, limit=3, results_dir=tmp_path, workers=2)
    with pytest.raises(RuntimeError, match="ZeroDivisionError") as error:
        run(Counting(), chosen, solver_options={"how": "bug"}, limit=3, results_dir=tmp_path, workers=2)
    assert "raises.py" in "".join(error.value.__notes__)


@pytest.mark.parametrize("workers", [0, -1, 5000])
def test_a_number_of_workers_that_cannot_be_is_refused(workers: int, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{workers} workers were asked for"):
        run(Counting(), Lottery(), limit=3, results_dir=tmp_path, workers=workers)


def test_shards_shrink_towards_the_end_and_hold_every_open_puzzle_once() -> None:
    puzzles = [item[0] for item in Counting().load(split="test", seed=0, limit=100, data_dir=None)]
    budget = Budget(attempts=2, done=frozenset({("test-0-3", 0), ("test-0-4", 0), ("test-0-4", 1)}))
    shards = Shards(puzzles, budget, workers=2, size=None)
    taken = list(iter(shards.take, None))
    sizes = [len(shard.puzzles) for shard in taken]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1
    pairs = [pair for shard in taken for pair in shard.open]
    assert len(pairs) == len(set(pairs)) == 197
    assert taken[0].budget.wanted("test-0-3") == [1]


def test_a_puzzle_is_given_up_only_after_it_was_alone_with_a_worker_that_died() -> None:
    puzzles = [item[0] for item in Counting().load(split="test", seed=0, limit=16, data_dir=None)]
    shards = Shards(puzzles, Budget(), workers=1, size=16)
    given_up: list[str] = []
    deaths = 0
    while (shard := shards.take()) is not None:
        if any(puzzle.id == "test-0-9" for puzzle in shard.puzzles):
            deaths += 1
            given_up += [attempt.puzzle_id for attempt in shards.back(shard)]
    assert given_up == ["test-0-9"]
    assert deaths == DEADLY + 4  # the whole shard, then halves of it down to one


def test_a_fixed_shard_is_the_same_whatever_is_recorded() -> None:
    puzzles = [item[0] for item in Counting().load(split="test", seed=0, limit=10, data_dir=None)]
    budget = Budget(done=frozenset({(f"test-0-{n}", 0) for n in (1, 4, 5, 6, 7)}))
    shards = list(fixed(puzzles, budget, 4))
    assert [[puzzle.id for puzzle in shard.puzzles] for shard in shards] == [
        [f"test-0-{n}" for n in (0, 1, 2, 3)],
        [f"test-0-{n}" for n in (8, 9)],
    ]
    assert shards[0].take([Attempt(puzzle_id="test-0-1"), Attempt(puzzle_id="test-0-2")]) == [
        Attempt(puzzle_id="test-0-2")
    ]


def test_each_worker_sees_one_gpu_and_its_share_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-7")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("harness.workers.process.processors", lambda: 9)
    found = [surroundings(place, 4) for place in range(3)]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in found] == ["4", "GPU-7", "4"]
    assert found[0]["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus() == []


def test_ray_without_an_address_is_a_ray_of_its_own() -> None:
    assert named(["run", "--ray", "--workers", "2"], "--ray", "local")[1] == "--ray=local"
    assert named(["run", "--ray"], "--ray", "local") == ["run", "--ray=local"]
    assert named(["run", "--ray", "auto"], "--ray", "local") == ["run", "--ray", "auto"]


def test_the_command_line_takes_workers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solver = ROOT / "docs" / "examples" / "repeat_last.py"
    task = ROOT / "docs" / "examples" / "counting.py"
    words = ["run", "--task", f"{task}:Counting", "--solver", f"{solver}:RepeatLast", "--limit", "5"]
    shown = ["--results-dir", str(tmp_path), "--format", "json"]
    assert dispatch([*words, "--workers", "2", *shown]) == 0
    assert json.loads(capsys.readouterr().out)[0]["outcomes"]["wrong"] == 5
    assert dispatch([*words, "--workers", "none", *shown]) == 2
