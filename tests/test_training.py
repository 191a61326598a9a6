"""Training: resumable to the bit, the same on two processes, honest when it fails."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import socket
import subprocess
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from harness.cli.main import dispatch
from harness.codecs import Symmetries
from harness.errors import UserError
from solvers.nets.model.layers import PuzzleTable
from solvers.nets.recipes import RECIPES, Recipe, recipe
from solvers.nets.train import checkpoint
from solvers.nets.train import loop as training
from solvers.nets.train import run as run_training
from solvers.nets.train.data import Batches, TrainingSet
from solvers.nets.train.loop import Ended, train
from solvers.nets.train.metrics import Clock, Meter
from solvers.nets.train.optim import MovingAverage, learning_rate_scale, sign_sgd
from solvers.nets.train.run import changed
from solvers.nets.weights import files as weights
from tests import warm

TINY = {
    "hidden_size": 16,
    "num_heads": 2,
    "H_cycles": 2,
    "L_cycles": 2,
    "halt_max_steps": 3,
    "puzzle_emb_len": 1,
}
CPU = torch.device("cpu")
torch.set_num_threads(1)  # tiny nets lose by sharing


class CopyCodec:
    """A task of the tests' own: the answer is the input with symbols 1..4 turned by one."""

    vocab_size, length, height, width = 6, 9, 3, 3

    def symmetries(self, rng: np.random.Generator, n: int) -> Symmetries:
        positions = np.stack([rng.permutation(9) for _ in range(n)])
        return Symmetries(positions.astype(np.int64), np.tile(np.arange(6), (n, 1)))


def copy_task(n: int = 64, seed: int = 0) -> TrainingSet:
    tokens = np.random.default_rng(seed).integers(1, 5, (n, 9))
    return TrainingSet(
        tokens=tokens, labels=tokens % 4 + 1, ids=np.zeros(n, dtype=np.int64), codec=CopyCodec()
    )  # type: ignore[arg-type]


def tiny_recipe(**changes: object) -> Recipe:
    base = recipe(
        "trm-sudoku-small",
        optimiser_steps=12,
        batch_size=8,
        validation_items=0,
        validate_every=0,
        warmup_steps=2,
    )
    return dataclasses.replace(base, config=TINY, **changes)


def trained(folder: Path, chosen: Recipe | None = None, **settings: Any) -> Ended:
    """Train a tiny net, by seed 0, on a CPU and in silence where nothing else is said."""
    usual: dict[str, Any] = {"seed": 0, "device": CPU, "say": lambda _: None}
    return train(chosen or tiny_recipe(), copy_task(), folder, **usual | settings)


def test_training_can_start_from_weights_and_books_what_they_cost(tmp_path: Path) -> None:
    first = trained(tmp_path / "a")
    assert first.weights is not None
    given = weights.load(first.weights)
    frozen = tiny_recipe(optimiser_steps=3, muon_lr=0.0, lr=0.0)  # rates of 0 show what it begins with
    second = trained(tmp_path / "b", frozen, seed=1, start_from=given)
    assert second.weights is not None
    got = weights.load(second.weights)
    for name, tensor in given.net.state_dict().items():
        torch.testing.assert_close(got.net.state_dict()[name], tensor)
    assert got.training["started_from"]["sha256"] == given.sha256
    assert got.training["training_flops"] == given.training["training_flops"] * (12 + 3) // 12
    other = dataclasses.replace(frozen, config=TINY | {"hidden_size": 32})
    with pytest.raises(UserError, match="has shape"):
        trained(tmp_path / "c", other, seed=1, start_from=given)
    same_shapes = dataclasses.replace(frozen, config=TINY | {"num_heads": 1})
    with pytest.raises(UserError, match="num_heads is 2, not 1"):
        trained(tmp_path / "c", same_shapes, seed=1, start_from=given)
    free = dataclasses.replace(given, training={"regime": "unknown: imported"})
    third = trained(tmp_path / "d", frozen, seed=1, start_from=free)
    assert third.weights is not None
    assert weights.load(third.weights).training["training_flops"] is None  # unknown plus something is unknown


def test_tensorboard_shows_what_the_metrics_say(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    chosen = tiny_recipe(optimiser_steps=8)
    began = int(time.time())
    for limit in (0.0, None):  # a session that ends at once, and one that goes on
        while limit is None and int(time.time()) == began:
            time.sleep(0.05)  # files of one process and second are read in the order of 10 before 9
        trained(tmp_path, chosen, report_every=2, max_minutes=limit)
        began = int(time.time())
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    shown = [(event.step, event.value) for event in events.Scalars("loss")]
    assert [step for step, _ in shown] == [line["optimiser_step"] for line in lines]
    assert [value for _, value in shown] == pytest.approx([line["loss"] for line in lines])


def test_a_tiny_net_learns_a_tiny_task(tmp_path: Path) -> None:
    chosen = tiny_recipe(optimiser_steps=100, batch_size=32, ema=0.9, label_smoothing=0.0)
    ended = trained(tmp_path, chosen, validation=copy_task(32, seed=1))
    assert ended.finished
    assert ended.validation == 1.0
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    reports = [line for line in lines if "loss" in line]
    assert reports[-1]["token_loss"] < reports[0]["token_loss"] / 5
    assert reports[-1]["share_of_peak"] > 0
    loaded = weights.load(tmp_path / "weights.safetensors")
    assert loaded.training["optimiser_steps"] == 100
    assert loaded.training["training_flops"] == reports[-1]["training_flops"] > 0
    assert loaded.training["validation_exact"] == 1.0


SCRIPT = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from tests.test_training import copy_task, tiny_recipe
from solvers.nets.train.loop import train
chosen = tiny_recipe(optimiser_steps=int(sys.argv[2]), batch_size=8, ema=0.9)
train(chosen, copy_task(), Path(sys.argv[1]), seed=0, device=torch.device("cpu"), report_every=1,
checkpoint_minutes=0.0,
      say=lambda line: print(line, flush=True))
"""


def test_a_slow_run_says_where_it_is_and_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "SILENCE", 0.0)
    told: list[str] = []
    trained(tmp_path, report_every=100, max_minutes=0.0, say=told.append)
    assert re.match(
        r"trm-sudoku-small: [\d,]+ parameters, 64 pairs, 12 optimiser steps of 8; CPU, \d+ threads, float32",
        told[0],
    )
    assert "written every 2 minutes" in told[1]
    assert "stopped at optimiser step 1 of 12" in told[-1]
    trained(tmp_path, report_every=100, say=told.append)
    assert any(re.match(r"optimiser step 5 of 12, \d+ s left", line) for line in told)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 2  # what is said in between is no metric


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "run" / "checkpoint.part").mkdir(parents=True)
    for name in ("file/run", "run"):
        with pytest.raises(UserError, match=rf"{name}/checkpoint.safetensors cannot be written.*--out"):
            trained(tmp_path / name)


def test_every_option_of_bench_train_reaches_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: dict[str, Any] = {}

    def noted(*positional: Any, **named: Any) -> Any:
        got.update(named, chosen=positional[0], folder=positional[2])
        return SimpleNamespace(finished=False, weights=None)

    monkeypatch.setattr(run_training, "train", noted)
    monkeypatch.chdir(tmp_path)
    line = ["train", "--task", "sudoku", "-T", "size=4", "--solver", "trm", "--recipe", "trm-sudoku-tiny"]
    options = [
        "--seed",
        "3",
        "--report-every",
        "7",
        "--keep-every",
        "9",
        "--checkpoint-minutes",
        "0.5",
        "--max-minutes",
        "4",
    ]
    assert (
        dispatch([*line, *options, "-R", "train_items=20", "-R", "validation_items=0", "--device", "cpu"])
        == 0
    )
    assert got["chosen"].train_items == 20
    assert got["folder"] == Path("results/training/trm-sudoku-tiny-sudoku-4x4-3")
    wanted = {"seed": 3, "report_every": 7, "keep_every": 9, "checkpoint_minutes": 0.5, "max_minutes": 4.0}
    assert {name: got[name] for name in wanted} == wanted
    for wrong in (
        ["--threads", "0"],
        ["--report-every", "0"],
        ["--keep-every", "-1"],
        ["--max-minutes", "-1"],
        ["--seed", "-1"],
    ):
        assert dispatch([*line, *wrong]) == 2
    for wrong in (["--threads", "100000"], ["--device", "tpu"], ["-R", "ema=2"]):
        assert dispatch([*line, *wrong]) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"optimiser_steps": 0}, "optimiser_steps is 0. It must be at least 1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"lr": -1.0}, r"lr is -1.0. It must be at least 0"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"ema": 2.0}, "ema is 2.0. It must be at least 0 and less than 1"),
        ({"train_items": 0}, "train_items is 0"),
        ({"validation_items": -1}, "validation_items is -1"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(change: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        tiny_recipe(**change)


def test_every_net_has_a_recipe_and_the_list_shows_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    nets = {"trm", "hrm", "looped", "transformer", "gram"}
    assert {recipe(name).net for name in RECIPES} == nets
    assert dispatch(["list", "recipes", "--format", "json"]) == 0
    lines = json.loads(capsys.readouterr().out)
    plugged = {point.name for point in entry_points(group="depthbench.recipes")}
    # whoever runs this may have nets and recipes of other packages installed
    listed = {
        line["recipe"]: line for line in lines if line["solver"] in nets and line["recipe"] not in plugged
    }
    assert listed.keys() == RECIPES.keys()
    for name, line in listed.items():
        assert (line["solver"], line["optimiser_steps"]) == (recipe(name).net, recipe(name).optimiser_steps)
        assert line["summary"].endswith(".")


def test_two_processes_give_the_weights_of_one_on_the_same_global_batch(tmp_path: Path) -> None:
    root = Path(__file__).parent.parent
    # Muon works in bfloat16, where summing order shows
    code = SCRIPT.replace("ema=0.9", "optimiser='adamw', ema=0.0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    # what `torchrun` tells its processes; that it starts ours is tested in test_names.py
    world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    both = [
        warm.Popen(
            [sys.executable, "-c", code, str(tmp_path / "two"), "8"],
            cwd=root,
            env=os.environ | world | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.DEVNULL,
        )
        for rank in range(2)
    ]
    assert [process.wait(120) for process in both] == [0, 0]
    alone = [sys.executable, "-c", code, str(tmp_path / "one"), "8"]
    warm.run(alone, check=True, cwd=root, stdout=subprocess.DEVNULL)
    one, two = (load_file(tmp_path / run / "weights.safetensors") for run in ("one", "two"))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, atol=1e-6, rtol=1e-5)


def test_training_stops_early_when_validation_stalls(tmp_path: Path) -> None:
    chosen = tiny_recipe(optimiser_steps=100, validate_every=2, patience=3, lr=0.0, muon_lr=0.0)
    ended = trained(tmp_path, chosen, validation=copy_task(4, seed=1))
    assert ended.finished
    assert ended.optimiser_steps == 8
    assert ended.weights is not None
    assert ended.weights.exists()


def test_the_depth_curriculum_is_followed_and_booked(tmp_path: Path) -> None:
    chosen = tiny_recipe(depth_curriculum=((0.0, 1, 1), (0.5, 2, 2)))
    trained(tmp_path, chosen, report_every=6)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["H_cycles"], line["L_cycles"]) for line in lines] == [(1, 1), (2, 2)]
    shallow, both = (line["training_flops"] for line in lines)
    # (1 cycle of 2, all with gradient) against (2 cycles of 3, half with gradient)
    assert both > 2.5 * shallow
    assert weights.load(tmp_path / "weights.safetensors").net.config.H_cycles == 2


def test_a_batch_that_does_not_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Batch size 8 does not split .* 3 accumulations"):
        trained(tmp_path, tiny_recipe(accumulate=3))


def test_batches_depend_on_seed_and_step_alone_and_visit_every_item_once_a_pass() -> None:
    data, chosen = copy_task(24), tiny_recipe(augment=False)
    config = weights.build("trm", TINY | {"vocab_size": 6, "seq_len": 9}).config
    first, again = (Batches(data, chosen, config, seed=5, device=CPU, rank=0, world=1) for _ in range(2))
    wanted = again.get(2)
    seen = []
    for step in range(3):
        batch = first.get(step)
        seen.append(batch["tokens"])
    assert torch.equal(seen[2], wanted["tokens"])
    rows = {tuple(row) for row in torch.cat(seen).tolist()}
    assert rows == {tuple(row) for row in data.tokens.tolist()}
    halves = [
        Batches(data, chosen, config, seed=5, device=CPU, rank=rank, world=2).get(2)["tokens"]
        for rank in (0, 1)
    ]
    assert torch.equal(torch.cat(halves), wanted["tokens"])


def test_augmentation_on_the_device_is_the_symmetry_itself() -> None:
    data, chosen = copy_task(8), tiny_recipe(augment=True)
    config = weights.build("trm", TINY | {"vocab_size": 6, "seq_len": 9}).config
    batch = Batches(data, chosen, config, seed=0, device=CPU, rank=0, world=1).get(0)
    # the rule of the task commutes with its symmetries
    assert torch.equal(batch["labels"], batch["tokens"] % 4 + 1)
    assert sorted(map(sorted, batch["tokens"].tolist())) == sorted(map(sorted, data.tokens.tolist()))
    assert batch["tokens"].tolist() != data.tokens.tolist()


def test_sign_sgd_moves_only_the_rows_that_were_used() -> None:
    table = PuzzleTable(4, 2).train()
    table.weights += 1
    ids = torch.tensor([1, 3, 1])
    rows = table(ids, torch.float32)
    (rows * torch.tensor([[1.0, -1.0], [2.0, 0.0], [1.0, 3.0]])).sum().backward()
    sign_sgd([table], lr=0.1, weight_decay=0.5)
    kept = 1 * (1 - 0.1 * 0.5)
    expected = torch.tensor([[1.0, 1.0], [kept - 0.1, kept - 0.1], [1.0, 1.0], [kept - 0.1, kept]])
    torch.testing.assert_close(table.weights, expected)


def test_the_metrics_are_right_although_a_graph_overwrites_its_result() -> None:
    meter, progress = Meter(1.0, Clock(checkpoint.TrainingState())), checkpoint.TrainingState()
    loss, one = torch.tensor(0.0), torch.ones(1)
    result: Any = SimpleNamespace(
        loss_sum=loss,
        token_loss=loss,
        counted=one,
        correct=one,
        cell_accuracy=one,
        steps=one,
        extra_loss=None,
    )
    for report in ([100.0, 1.0, 1.0], [3.0, 6.0, 9.0]):
        for value in report:
            loss.fill_(value)
            meter.add(result)
        progress.step += 3
        line = meter.line(progress)
        assert line["loss"] == sum(report) / 3
        assert (line["exact"], line["sequences"]) == (1.0, 3)
    one.zero_()  # no sequence left its slot: there is no accuracy
    meter.add(result)
    assert meter.line(progress)["exact"] is None


def test_the_moving_average_follows_its_definition() -> None:
    net = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.zeros_(net.weight)
    average = MovingAverage(net, 0.9)
    torch.nn.init.ones_(net.weight)
    average.update()
    average.update()
    torch.testing.assert_close(average.shadow["weight"], torch.full((1, 2), 1 - 0.9**2))


def test_the_puzzle_table_is_not_averaged() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 1), PuzzleTable(3, 2))
    average = MovingAverage(net, 0.9)
    net[1].weights[1] = 1.0
    average.update()
    torch.testing.assert_close(average.shadow["1.weights"], net[1].weights)


def test_the_learning_rate_warms_up_and_falls_to_its_floor() -> None:
    chosen = tiny_recipe(optimiser_steps=100, warmup_steps=10, lr_floor=0.1)
    scales = [learning_rate_scale(step, chosen) for step in range(101)]
    assert scales[0] == pytest.approx(0.1)
    assert scales[9] == scales[10] == 1.0
    assert scales[55] == pytest.approx(0.55)
    assert scales[100] == pytest.approx(0.1)


def test_every_recipe_builds_a_net_that_exists() -> None:
    for name in RECIPES:
        chosen = recipe(name)
        assert chosen.name == name
        with torch.device("meta"):  # shapes alone: most are too large to draw for a test
            weights.build(chosen.net, chosen.config | {"vocab_size": 6, "seq_len": 9})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batchsize": "8"}, "no field 'batchsize'.*batch_size"),
        ({"batch_size": "many"}, "'many' is not a value"),
        ({"config.hidden": "8"}, "no field 'config.hidden'"),
    ],
)
def test_a_wrong_recipe_option_is_named(options: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        changed(recipe("trm-sudoku-small"), options)
