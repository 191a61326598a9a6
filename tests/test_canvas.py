"""A smaller canvas: what fits is trained on and answered, what does not is booked as not attempted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.capabilities import ResizableCodec
from harness.contracts import Budget, GridCodec, Item, Key, Outcome, Puzzle
from harness.errors import UserError
from harness.running.view import View
from harness.testing import check_solver
from solvers.nets import choose
from solvers.nets.members.trm import TrmSolver
from solvers.nets.train import run as run_training
from solvers.nets.weights import files as weights
from solvers.nets.weights import pull
from tasks.arc.grid import ArcGrid
from tests.arc_task import EasyArc, pair, solve

torch.set_num_threads(1)
LARGE = [[3] * 7 for _ in range(7)]


def test_a_smaller_canvas_holds_the_same_grids_in_fewer_tokens() -> None:
    codec = ArcGrid().on_canvas(5)
    assert isinstance(codec, ResizableCodec)
    assert (codec.height, codec.width, codec.length, codec.vocab_size) == (5, 5, 25, 12)
    puzzle = Puzzle(id="a", group="a", split="s", payload={"train": [], "test": [[1, 2], [3, 4]]})
    assert np.array_equal(
        codec.encode(puzzle).reshape(5, 5), ArcGrid().encode(puzzle).reshape(30, 30)[:5, :5]
    )
    for grid in ([[7]], [[1, 2, 3, 4, 5]] * 5, [[0, 9]]):
        assert codec.decode(np.maximum(codec.encode_answer(puzzle, grid), 0), puzzle) == grid


def test_boards_of_futoshiki_that_fit_look_the_same_on_a_smaller_canvas() -> None:
    from tasks.logic.futoshiki import Futoshiki

    whole = Futoshiki(size=9, smallest=4).grid
    assert isinstance(whole, ResizableCodec)
    small = whole.on_canvas(9)
    assert (small.height, small.length, small.vocab_size) == (9, 81, 12)
    for size in (4, 5, 6):
        ((puzzle, key),) = Futoshiki(size=size).load(split="test", seed=0, limit=1, data_dir=None)
        assert small.fits(puzzle) is (size < 6)
        if size < 6:
            middle = whole.encode(puzzle).reshape(17, 17)[4:13, 4:13]
            assert np.array_equal(small.encode(puzzle).reshape(9, 9), middle)
            labels = small.encode_answer(puzzle, key.answers[0])
            assert small.decode(np.maximum(labels, 0), puzzle) == key.answers[0]


@pytest.mark.parametrize(("side", "fits"), [(4, False), (5, True), (30, True)])
def test_whether_a_puzzle_fits_hangs_on_all_that_is_shown(side: int, fits: bool) -> None:
    long, short = [[1] * 5], [[1]]
    shown = [{"input": short, "output": short}, {"input": short, "output": long}]
    codec = ArcGrid(side)
    for train, test in ((shown, short), ([], long), ([], [[1]] * 5)):
        puzzle = Puzzle(id="a", group="a", split="s", payload={"train": train, "test": test})
        assert codec.fits(puzzle) is fits
    assert codec.fits_pairs([(short, short), (long, short)]) is fits


@dataclass(frozen=True, kw_only=True)
class TwoSizes(EasyArc):
    """The easy rules, and one whose test input is too large for a canvas of 6×6."""

    def load(self, *, split: str, seed: int, limit: int | None, data_dir: Path | None) -> list[Item]:
        items = super().load(split=split, seed=seed, limit=None, data_dir=data_dir)
        shown = [{"input": a, "output": b} for a, b in [pair("to-red", 1)]]
        large = Puzzle(id="large_0", group="large", split=split, payload={"train": shown, "test": LARGE})
        return [(large, Key(answers=(solve("to-red", LARGE),))), *items][:limit]

    @cached_property
    def grid(self) -> GridCodec:
        return ArcGrid(8)


def train(folder: Path, task: Any, **options: str) -> Path:
    options = {"optimiser_steps": "2", "batch_size": "4", "augmentations": "2"} | options
    path = run_training.train_by_recipe(
        "trm", task, recipe_name="trm-arc-tiny", recipe_options=options, out=folder, seed=0, data_seed=0,
        device="cpu", threads=1, max_minutes=None, report_every=100, keep_every=0, fresh=False, data_dir=None,
        say=lambda _: None,
    )  # fmt: skip
    assert path is not None
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("canvas"), TwoSizes(), canvas="6")


def test_a_net_of_a_small_canvas_leaves_what_does_not_fit_and_says_so(small: Path) -> None:
    loaded = weights.load(small)
    assert loaded.net.config.seq_len == 36
    assert loaded.training["recipe"]["canvas"] == 6
    assert "that fit on a canvas of 6×6" in loaded.training["regime"]
    task = TwoSizes()
    solver = TrmSolver(weights=small, device="cpu").for_task(View(task))
    puzzles = [puzzle for puzzle, _ in task.load(split="evaluation", seed=0, limit=None, data_dir=None)]
    attempts = list(solver.solve(View(task), puzzles, Budget(attempts=2, done=frozenset({("large_0", 1)}))))
    (left,) = [attempt for attempt in attempts if attempt.puzzle_id == "large_0"]
    assert (left.outcome, left.answer, left.usage.device_seconds) == (Outcome.REFUSED, None, 0.0)
    assert left.detail["reason"] == "not attempted: larger than 6×6, the canvas of these weights"
    others = [attempt for attempt in attempts if attempt.puzzle_id != "large_0"]
    assert len(others) == 2 * (len(puzzles) - 1)
    assert {attempt.outcome for attempt in others} == {Outcome.ANSWERED}


def test_a_net_of_a_small_canvas_keeps_the_rules_of_solvers(small: Path) -> None:
    attempts = check_solver(TrmSolver(weights=small, device="cpu"), TwoSizes())
    assert sum(attempt.outcome is Outcome.REFUSED for attempt in attempts) == 2


def test_the_whole_canvas_is_the_default(tmp_path: Path) -> None:
    loaded = weights.load(train(tmp_path, TwoSizes()))
    assert loaded.net.config.seq_len == 64
    assert loaded.training["recipe"]["canvas"] == 0


@pytest.mark.parametrize(
    ("canvas", "message"),
    [("9", r"canvas is 9\..*a side of 8"), ("1", "None of 4 groups fits on a canvas of 1×1")],
)
def test_a_canvas_that_cannot_be_is_refused(tmp_path: Path, canvas: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        train(tmp_path, TwoSizes(), canvas=canvas)


def test_a_task_with_one_canvas_refuses_another(tmp_path: Path) -> None:
    from tasks.sudoku.generated import Sudoku

    with pytest.raises(UserError, match=r"canvas is 2 in recipe.*no other"):
        train(tmp_path, Sudoku(size=4), canvas="2")


def test_small_shipped_weights_say_where_the_real_ones_are(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    (tmp_path / "trm-easy-arc.safetensors").write_bytes(small.read_bytes())
    entry = {**vars(pull.find("trm-arc1")), "task": "easy-arc"}
    monkeypatch.setattr(pull, "manifest", lambda: {"trm-arc1": pull.Published(**entry)})
    task = View(TwoSizes())
    choose.weights_for(task, TrmSolver, None)
    said = capsys.readouterr().err
    assert "trm-easy-arc is a small net trained by this project, no measure of trm." in said
    assert "`bench weights pull NAME` fetches trm-arc1 (1,822 MB)" in said
    choose.weights_for(task, TrmSolver, small)  # asked for by name: nothing to say
    assert capsys.readouterr().err == ""
