"""Nets on procedures: recipes for any task with a grid codec, and the same weights for every length."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from harness import registry, run
from harness.errors import UserError
from solvers.nets.recipes import recipe
from solvers.nets.weights import files

SMALL = ("trm", "looped", "transformer")


def built(net: str, vocabulary: int, cells: int) -> files.TrmNet:
    return files.build(net, recipe(f"{net}-small").config | {"vocab_size": vocabulary, "seq_len": cells})


def saved(path: Path, net: str = "looped", **fields: object) -> Path:
    torch.manual_seed(0)
    made = files.build(net, {"vocab_size": 26, "seq_len": 30} | recipe(f"{net}-small").config | fields)
    files.save(
        path, net_name=net, net=made, state=made.state_dict(), record={"task": "word-problem"},
        dtype=torch.float32,
    )  # fmt: skip
    return path


def test_the_small_recipes_have_equal_parameters() -> None:
    counts = {sum(p.numel() for p in built(net, 26, 40).parameters()) for net in SMALL}
    assert len(counts) == 1
    assert counts.pop() < 200_000


def test_a_net_without_learned_positions_answers_the_same_on_the_canvas_it_was_trained_for(
    tmp_path: Path,
) -> None:
    loaded = files.load(saved(tmp_path / "w.safetensors"))
    there_and_back = loaded.at_length(80).at_length(30)
    tokens = torch.randint(0, 26, (2, 30))
    with torch.no_grad():
        outs = []
        for net in (loaded.net, there_and_back.net):
            x = net.embed(tokens, None, torch.float32)
            outs.append(net.read(net.step(net.initial(2, torch.float32), x))[0])
    assert torch.equal(*outs)


def test_the_same_weights_play_more_steps_than_they_were_trained_on(tmp_path: Path) -> None:
    weights = saved(tmp_path / "w.safetensors")
    for steps in (4, 6, 12):
        result = run(
            task="word-problem", solver="looped", task_options={"steps": steps, "train_steps": 6},
            solver_options={"weights": weights}, limit=3, results_dir=tmp_path / "runs",
        )  # fmt: skip
        assert result.complete


def test_weights_with_a_number_for_each_cell_are_refused_on_another_canvas(tmp_path: Path) -> None:
    weights = saved(tmp_path / "w.safetensors", pos_encodings="learned")
    with pytest.raises(UserError, match="26 symbols in 30 cells"):
        run(
            task="word-problem", solver="looped", task_options={"steps": 12, "train_steps": 6},
            solver_options={"weights": weights}, limit=3, results_dir=tmp_path / "runs",
        )  # fmt: skip


@pytest.mark.parametrize("net", SMALL)
def test_a_small_recipe_trains_on_a_procedure(net: str, tmp_path: Path) -> None:
    task = registry.create("task", "automaton", {"steps": 2, "train_steps": 2, "width": 24})
    weights = registry.find("solver", net).train(
        task, device="cpu", threads=1, recipe_name=f"{net}-small", out=tmp_path, seed=0, data_seed=0,
        recipe_options={
            "optimiser_steps": "3", "batch_size": "8", "train_items": "40", "validation_items": "4",
            "validate_every": "0",
        },
        max_minutes=None, report_every=1, keep_every=0, fresh=False, data_dir=None, say=lambda _: None,
    )  # fmt: skip
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])
    result = run(
        task=task, solver=net, solver_options={"weights": weights}, limit=2, results_dir=tmp_path / "runs"
    )
    assert result.complete
