"""Training by a CUDA graph gives what training without gives; needs a GPU."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from solvers.nets.recipes import Recipe
from solvers.nets.train.cuda_graph import Graphed, obstacle
from solvers.nets.train.loop import train
from solvers.nets.weights.files import build
from tests.test_training import CPU, TINY, copy_task, tiny_recipe

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
SIZES = TINY | {"vocab_size": 6, "seq_len": 9}
GPU = torch.device("cuda")


def graphed_recipe(**changes: object) -> Recipe:
    """A recipe whose steps can be a graph: no puzzle table, and few enough launches to be quick."""
    plain = tiny_recipe(dtype="float32", compile=False, depth_curriculum=((0.0, 1, 2), (0.5, 2, 2)))
    return dataclasses.replace(plain, config=TINY | {"puzzle_emb_ndim": 0}, cuda_graph=True, **changes)


def test_what_cannot_be_recorded_is_named() -> None:
    recipe = graphed_recipe()
    net = build("trm", SIZES | {"puzzle_emb_ndim": 0})
    assert obstacle(recipe, net, 1) is None
    assert "processes" in str(obstacle(recipe, net, 2))
    assert "micro-batches" in str(obstacle(dataclasses.replace(recipe, accumulate=2), net, 1))
    assert "table" in str(obstacle(recipe, build("trm", SIZES), 1))
    assert "noise" in str(obstacle(recipe, build("gram", SIZES | {"puzzle_emb_ndim": 0}), 1))


def test_on_a_cpu_the_recipe_trains_all_the_same(tmp_path: Path) -> None:
    assert train(graphed_recipe(), copy_task(), tmp_path, seed=0, device=CPU, say=lambda _: None).finished


@on_a_gpu
def test_a_graph_trains_as_single_launches_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recordings, record = list[bool](), Graphed._record

    def recorded(self: Graphed, *given: Any) -> None:
        recordings.append(True)
        record(self, *given)

    monkeypatch.setattr(Graphed, "_record", recorded)
    states, metrics = [], []
    for graphed in (True, False):
        recipe, folder, said = graphed_recipe(validate_every=4), tmp_path / str(graphed), list[str]()
        recipe = dataclasses.replace(recipe, cuda_graph=graphed)
        # the first call stops after a step, the second goes on from its checkpoint
        for minutes in (0.0, None):
            ended = train(
                recipe,
                copy_task(),
                folder,
                seed=0,
                device=GPU,
                validation=copy_task(16, seed=1),
                max_minutes=minutes,
                report_every=3,
                keep_every=3,
                say=said.append,
            )
        assert ended.weights is not None
        assert not any("no CUDA graph" in line for line in said)
        states.append(load_file(ended.weights))
        metrics.append([json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()])
        assert len(recordings) == 3  # once in the first call, twice in the second: the cycles change half way
    torch.testing.assert_close(states[0], states[1], atol=1e-4, rtol=1e-3)
    losses = [[line["loss"] for line in lines if "loss" in line] for lines in metrics]
    assert len(losses[0]) == 5
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
