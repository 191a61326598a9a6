"""Weights files and published checkpoints: what is read, what is refused, and why."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from harness.errors import UserError
from solvers.nets.members.trm import TrmSolver
from solvers.nets.model.config import TrmConfig
from solvers.nets.model.trm import TrmNet
from solvers.nets.weights import files as weights
from solvers.nets.weights.published import import_checkpoint

FIXTURES = Path(__file__).parent / "fixtures" / "nets"
SMALL = TrmConfig(
    vocab_size=6,
    seq_len=16,
    hidden_size=16,
    num_heads=2,
    puzzle_emb_len=2,
    puzzle_emb_ndim=24,
    num_puzzle_identifiers=3,
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    net = TrmNet(SMALL)
    path = tmp_path / "net.safetensors"
    weights.save(
        path, net_name="trm", net=net, state=net.state_dict(), record={"seed": 4}, dtype=torch.float32
    )
    return path


def published_state(name: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Return a fixture's weights under their published names, and the fields its tensors do not tell."""
    with safe_open(str(FIXTURES / f"{name}.safetensors"), "pt") as file:
        config = json.loads(file.metadata()["config"])
        state = {k.removeprefix("w/"): file.get_tensor(k) for k in file.keys() if k.startswith("w/")}  # noqa: SIM118
    told = ("H_cycles", "L_cycles", "num_heads", "halt_max_steps", "puzzle_emb_len", "seq_len")
    return state, {field: str(config[field]) for field in told if field in config}


def test_a_net_comes_back_from_its_file_as_it_was(saved: Path) -> None:
    loaded = weights.load(saved)
    assert loaded.net.config == SMALL
    assert loaded.training == {"seed": 4}
    ours = load_file(saved)
    assert all(torch.equal(t, ours[name]) for name, t in loaded.net.state_dict().items())


def test_the_ledger_separates_core_embedding_and_puzzle_rows(saved: Path) -> None:
    ledger = weights.load(saved).parameters
    assert ledger.per_puzzle == 3 * 24
    assert ledger.embedding == 2 * 6 * 16
    assert ledger.stored == sum(t.numel() for t in load_file(saved).values())
    assert ledger.active == ledger.stored - 2 * 24  # one of three rows is touched by a pass


def test_what_a_file_says_is_flat(tmp_path: Path) -> None:
    net, path = TrmNet(SMALL), tmp_path / "net.safetensors"
    record = {"seed": 4, "recipe": {"lr": 0.1, "config": {"mlp_t": True}, "empty": {}}}
    weights.save(path, net_name="trm", net=net, state=net.state_dict(), record=record, dtype=torch.float32)
    facts = TrmSolver.describe_weights(path)
    told = {name: value for name, value in facts.items() if name.startswith("training.")}
    assert told == {
        "training.seed": 4,
        "training.recipe.lr": 0.1,
        "training.recipe.config.mlp_t": True,
        "training.recipe.empty": {},
    }
    assert facts["config.hidden_size"] == 16


@pytest.mark.parametrize("path", sorted(weights.SHIPPED.glob("*.safetensors")), ids=lambda path: path.stem)
def test_what_is_shipped_is_on_its_model_card(path: Path) -> None:
    loaded = weights.load(path)
    card = (weights.SHIPPED / "README.md").read_text()
    (row,) = (line for line in card.splitlines() if line.startswith(f"| `{path.stem}` |"))
    assert f"| {loaded.parameters.stored:,} |" in row
    assert f"--solver {loaded.name} " in row


def test_a_tensor_of_another_shape_is_named(saved: Path, tmp_path: Path) -> None:
    tensors = load_file(saved)
    tensors["lm_head.weight"] = torch.zeros(7, 16)
    with safe_open(str(saved), "pt") as file:
        metadata = file.metadata()
    wrong = tmp_path / "wrong.safetensors"
    save_file(tensors, wrong, metadata)
    with pytest.raises(UserError, match=r"'lm_head.weight' .* shape \(7, 16\).*needs \(6, 16\)"):
        weights.load(wrong)


def test_a_missing_and_an_unknown_tensor_are_named(saved: Path, tmp_path: Path) -> None:
    tensors = load_file(saved)
    with safe_open(str(saved), "pt") as file:
        metadata = file.metadata()
    path = tmp_path / "changed.safetensors"
    save_file({k: t for k, t in tensors.items() if k != "q_head.bias"}, path, metadata)
    with pytest.raises(UserError, match=r"no tensor 'q_head.bias'"):
        weights.load(path)
    save_file(tensors | {"extra": torch.zeros(1)}, path, metadata)
    with pytest.raises(UserError, match=r"'extra' the net does not know"):
        weights.load(path)


def test_a_truncated_file_and_a_foreign_file_are_refused(saved: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(UserError, match="not a readable safetensors file"):
        weights.load(cut)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(1)}, foreign)
    with pytest.raises(UserError, match="bench weights import"):
        weights.load(foreign)
    with pytest.raises(UserError, match="No weights at"):
        weights.load(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize(
    "damage",
    [{"training": '{"task": "sudoku" 3}'}, {"training": "[" * 100_000}, {"training": "[]"},
     {"training": None}, {"training": '{"puzzle_ids": {"groups": 5}}'}, {"config": "{"},
     {"config": '{"hidden_sise": 16}'}, {"config": '{"hidden_size": "wide"}'}, {"config": "null"},
     {"net": None}],
)  # fmt: skip
def test_what_a_file_says_of_itself_and_cannot_be_read_is_one_sentence(
    saved: Path, tmp_path: Path, damage: dict[str, str | None]
) -> None:
    path = tmp_path / "damaged.safetensors"
    with safe_open(str(saved), "pt") as file:
        metadata = {name: text for name, text in (file.metadata() | damage).items() if text is not None}
    save_file(load_file(saved), path, metadata)
    with pytest.raises(UserError, match=r"What .*damaged\.safetensors says of itself cannot be read"):
        weights.load(path)


def test_a_folder_and_a_checkpoint_are_no_weights(saved: Path) -> None:
    with pytest.raises(UserError, match=r"is a folder. It holds net.safetensors. Name the file"):
        weights.load(saved.parent)
    save_file(
        {"net/x": torch.zeros(1)}, saved.parent / "checkpoint.safetensors", {"run": "{}", "progress": "{}"}
    )
    with pytest.raises(UserError, match=r"checkpoint of a training run, not its weights.*--keep-every"):
        weights.load(saved.parent / "checkpoint.safetensors")


def test_what_is_no_checkpoint_is_not_imported(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no tensors here")
    (tmp_path / "hello").write_text("hello world")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(saved.read_bytes()[:50])
    for path, words in (
        (saved, "is a weights file of this project already"),
        (tmp_path / "text", "is no PyTorch checkpoint"),
        (tmp_path / "hello", "cannot be read as a PyTorch checkpoint"),
        (cut, "cannot be read as safetensors"),
        (tmp_path / "nowhere", "No checkpoint at"),
    ):
        with pytest.raises(UserError, match=words):
            import_checkpoint("trm", path, tmp_path / "out.safetensors", {})


@pytest.mark.parametrize("name", ["trm_mlp", "trm_att", "hrm"])
@pytest.mark.parametrize(
    "prefix", ["", "_orig_mod.model.", "module._orig_mod.model.", "ema_model._orig_mod.model."]
)
def test_published_checkpoints_are_imported_whatever_wrapped_them(
    name: str, prefix: str, tmp_path: Path
) -> None:
    state, fields = published_state(name)
    checkpoint, out = tmp_path / "step_100.pt", tmp_path / "out.safetensors"
    torch.save({prefix + key: tensor for key, tensor in state.items()}, checkpoint)
    net = "hrm" if name == "hrm" else "trm"
    import_checkpoint(net, checkpoint, out, fields)
    loaded = weights.load(out)
    assert loaded.name == net
    for key, tensor in state.items():
        inner = key.removeprefix("inner.")
        inner = f"embedding.{inner}" if inner.startswith(("embed", "puzzle")) else inner
        assert torch.equal(loaded.net.state_dict()[inner], tensor)


TRM_FILE = """
arch:
  name: recursive_reasoning.trm@TinyRecursiveReasoningModel_ACTV1
  loss: {name: losses@ACTLossHead, loss_type: stablemax_cross_entropy}
  forward_dtype: bfloat16
  H_layers: 2
  num_heads: 4
  H_cycles: 3
  L_cycles: 4
  halt_max_steps: 4
  puzzle_emb_len: 4
  rms_norm_eps: 1e-5
  rope_theta: 10000.0
lr: 0.0001
"""


def test_the_configuration_beside_a_checkpoint_is_read(tmp_path: Path) -> None:
    state, fields = published_state("trm_att")
    checkpoint = tmp_path / "step_100"
    torch.save(state, checkpoint)
    (tmp_path / "all_config.yaml").write_text(TRM_FILE)
    (note,) = import_checkpoint(
        "trm", checkpoint, tmp_path / "beside.safetensors", {"seq_len": "16", "pos_encodings": "rope"}
    )
    assert "all_config.yaml" in note
    (tmp_path / "all_config.yaml").rename(tmp_path / "away")
    notes = import_checkpoint(
        "trm", checkpoint, tmp_path / "given.safetensors", fields | {"pos_encodings": "rope"}
    )
    assert not notes
    beside, given = (
        weights.load(tmp_path / f"{name}.safetensors").net.config for name in ("beside", "given")
    )
    assert beside == given
    assert (beside.L_cycles, beside.puzzle_emb_len, beside.H_layers) == (4, 4, 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            TRM_FILE.replace("recursive_reasoning.trm@", "hrm.hrm_act_v1@"),
            "says the net is 'hrm_act_v1'.*--solver hrm",
        ),
        (TRM_FILE.replace("num_heads: 4", "num_heads: four"), "'four' is not a value for .*num_heads"),
        (
            TRM_FILE.replace("halt_max_steps", "hidden_size: 32\n  halt_max_steps"),
            "hidden_size is given as 32.*say 64",
        ),
        (TRM_FILE.replace("num_heads: 4", "num_heads: null"), "'None' is not a value for .*num_heads"),
        (TRM_FILE.replace("H_cycles: 3", "H_cycles: 3.5"), r"'3\.5' is not a value for .*H_cycles"),
        (TRM_FILE.replace("10000.0", "-1"), "rope_theta is -1.0"),
        ("a: [", "no configuration of the published code"),
        ("lr: 1", "no configuration of the published code"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(text: str, words: str, tmp_path: Path) -> None:
    torch.save(published_state("trm_att")[0], tmp_path / "step_100")
    (tmp_path / "all_config.yaml").write_text(text)
    with pytest.raises(UserError, match=words):
        import_checkpoint("trm", tmp_path / "step_100", tmp_path / "out.safetensors", {"seq_len": "16"})


def test_what_neither_tensors_nor_the_user_tell_is_the_published_default_and_said(tmp_path: Path) -> None:
    config = TrmConfig(vocab_size=11, seq_len=81, hidden_size=64, mlp_t=True, num_puzzle_identifiers=2)
    net, checkpoint, out = TrmNet(config), tmp_path / "step_100", tmp_path / "out.safetensors"
    torch.save({name.removeprefix("embedding."): t for name, t in net.state_dict().items()}, checkpoint)
    (note,) = import_checkpoint("trm", checkpoint, out, {})
    assert "H_cycles=3, L_cycles=6, halt_max_steps=16, puzzle_emb_len=16." in note
    loaded = weights.load(out)
    assert loaded.net.config == config
    assert loaded.training["assumed"]["puzzle_emb_len"] == 16
    assert not import_checkpoint(
        "trm", checkpoint, out, {"seq_len": "80", "H_cycles": "2", "L_cycles": "2", "halt_max_steps": "8"}
    )
    assert weights.load(out).net.config.puzzle_emb_len == 17  # 97 positions tell it once the length is known
    attention = TrmNet(TrmConfig(vocab_size=11, seq_len=81, L_layers=1))
    torch.save({name.removeprefix("embedding."): t for name, t in attention.state_dict().items()}, checkpoint)
    with pytest.raises(
        UserError, match=r"do not tell the sequence length: they have no positions.*seq_len=81"
    ):
        import_checkpoint("trm", checkpoint, out, {})
    (note,) = import_checkpoint("trm", checkpoint, out, {"seq_len": "81"})
    assert "num_heads=8, pos_encodings=rope, puzzle_emb_len=16" in note
    narrow = TrmNet(TrmConfig(vocab_size=11, seq_len=81, hidden_size=64, puzzle_emb_len=1))
    torch.save({name.removeprefix("embedding."): t for name, t in narrow.state_dict().items()}, checkpoint)
    with pytest.raises(UserError, match=r"number of prefix positions.*fills 1.*-C puzzle_emb_len=1"):
        import_checkpoint("trm", checkpoint, out, {"seq_len": "81"})


HEAD = "inner.lm_head.weight"


def nested(key: str) -> Any:
    """Return what puts averages under a key, with dots for the dicts inside one another."""

    def put(whole: dict[str, Any], averages: dict[str, Any]) -> None:
        *outer, last = key.split(".")
        for name in outer:
            whole = whole.setdefault(name, {})
        whole[last] = averages

    return put


def flat(form: str) -> Any:
    """Return what writes averages beside the plain tensors, under names of their own."""

    def put(whole: dict[str, Any], averages: dict[str, Any]) -> None:
        plain = whole.pop("model")
        whole.clear()
        whole |= plain | {form.format(name): t for name, t in averages.items()}
        whole["ema.decay"] = torch.tensor(0.999)

    return put


@pytest.mark.parametrize(
    "put",
    [
        *map(nested, ("ema_helper", "ema", "ema.shadow", "model_ema", "ema_model", "ema_state_dict",
                      "state_dict_ema", "ema_model.module", "averaged_model", "swa_model", "ema_weights",
                      "shadow", "callbacks.EMACallback.ema_state_dict", "ema_0999")),
        *map(flat, ("model_ema.{}", "ema_model.module.{}", "ema.shadow.{}", "shadow.{}", "model.ema.{}")),
    ],
)  # fmt: skip
def test_averaged_weights_in_a_checkpoint_are_taken_wherever_they_are(put: Any, tmp_path: Path) -> None:
    state, fields = published_state("trm_mlp")
    checkpoint, out = tmp_path / "step_7", tmp_path / "out.safetensors"
    whole = {"model": {f"_orig_mod.model.{k}": t for k, t in state.items()}, "optimizers": [{}], "step": 7}
    put(whole, {f"_orig_mod.model.{HEAD}": state[HEAD] + 1})
    torch.save(whole, checkpoint)
    (note,) = import_checkpoint("trm", checkpoint, out, fields)
    assert "averaged weights" in note
    loaded = weights.load(out).net.state_dict()
    assert torch.equal(loaded["lm_head.weight"], state[HEAD] + 1)
    assert torch.equal(loaded["q_head.weight"], state["inner.q_head.weight"])


def test_a_checkpoint_of_averages_alone_is_read_and_one_without_any_says_nothing(tmp_path: Path) -> None:
    state, fields = published_state("trm_mlp")
    checkpoint, out = tmp_path / "step_7", tmp_path / "out.safetensors"
    averaged_model = {"n_averaged": torch.tensor(5), **{f"module._orig_mod.{k}": t for k, t in state.items()}}
    deep = {k.replace("L_level.layers.", "L_level.module.layers._orig_mod."): t for k, t in state.items()}
    for alone in (
        averaged_model,
        {"ema_model": averaged_model},
        deep,
        {"model": state, "ema": {"mu": 0.999}},
    ):
        torch.save(alone, checkpoint)
        import_checkpoint("trm", checkpoint, out, fields)
        assert torch.equal(weights.load(out).net.state_dict()["lm_head.weight"], state[HEAD])
    lightning = {"state_dict": state, "current_model_state": {}, "averaging_state": {"n_averaged": 3}}
    torch.save(lightning, checkpoint)
    (note,) = import_checkpoint("trm", checkpoint, out, fields)
    assert "averages, as Lightning writes them" in note


@pytest.mark.parametrize(
    ("beside", "words"),
    [
        ({"ema": {"decay": 0.9, "shadow_params": [torch.ones(3)]}}, r"'ema' as a list without names"),
        ({"optimizer_states": [{"ema": [torch.ones(3)]}]}, r"'optimizer_states\.0\.ema' as a list"),
        ({"ema_1": {HEAD: torch.ones(2)}, "ema_2": {HEAD: torch.ones(2)}}, "several averages.*ema_1, ema_2"),
        (
            {"model_ema": {"innerlm_headweight": torch.ones(2)}},
            "names are not the net's: 'innerlm_headweight'",
        ),
    ],
)
def test_averages_that_cannot_be_taken_are_refused_by_name(
    beside: dict[str, Any], words: str, tmp_path: Path
) -> None:
    state, fields = published_state("trm_mlp")
    torch.save({"model": state} | beside, tmp_path / "step_7")
    with pytest.raises(UserError, match=words):
        import_checkpoint("trm", tmp_path / "step_7", tmp_path / "out.safetensors", fields)
    assert not (tmp_path / "out.safetensors").exists()


def test_two_tensors_of_one_name_are_refused(tmp_path: Path) -> None:
    state, fields = published_state("trm_mlp")
    torch.save(state | {f"module.{HEAD}": state[HEAD] + 1}, tmp_path / "step_7")
    with pytest.raises(UserError, match=r"two tensors for 'lm_head\.weight'.*'module\.inner\.lm_head"):
        import_checkpoint("trm", tmp_path / "step_7", tmp_path / "out.safetensors", fields)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers_are_refused_with_the_name_of_the_tensor(
    value: float, saved: Path, tmp_path: Path
) -> None:
    state, fields = published_state("trm_mlp")
    state[HEAD] = state[HEAD].clone()
    state[HEAD][0, 1] = value
    torch.save(state, tmp_path / "step_7")
    with pytest.raises(UserError, match=r"'lm_head\.weight' .* NaN or infinity in 1 of"):
        import_checkpoint("trm", tmp_path / "step_7", tmp_path / "out.safetensors", fields)
    with safe_open(str(saved), "pt") as file:
        metadata = file.metadata()
    tensors = load_file(saved)
    tensors["q_head.bias"][0] = value
    save_file(tensors, tmp_path / "ours.safetensors", metadata)
    with pytest.raises(UserError, match=r"'q_head\.bias' .* NaN or infinity in 1 of 2 places"):
        weights.load(tmp_path / "ours.safetensors")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_weights_in_other_precisions_are_read(dtype: torch.dtype, tmp_path: Path) -> None:
    state, fields = published_state("trm_mlp")
    torch.save({name: t.to(dtype) for name, t in state.items()}, tmp_path / "step_7")
    import_checkpoint("trm", tmp_path / "step_7", tmp_path / "out.safetensors", fields)
    head = weights.load(tmp_path / "out.safetensors").net.state_dict()["lm_head.weight"]
    assert torch.equal(head, state[HEAD].to(dtype).float())


def test_a_file_of_an_older_version_keeps_its_meaning(tmp_path: Path) -> None:
    sizes = {"vocab_size": 5, "seq_len": 9, "hidden_size": 32, "num_heads": 2}
    made = TrmNet(TrmConfig(**sizes, puzzle_emb_len=0, puzzle_emb_ndim=0, single_z=True, inject="always"))
    path, older = tmp_path / "new.safetensors", tmp_path / "old.safetensors"
    weights.save(path, net_name="trm", net=made, state=made.state_dict(), record={}, dtype=torch.float32)
    with safe_open(str(path), "pt") as file:
        metadata = file.metadata()
    config = {
        k: v
        for k, v in json.loads(metadata["config"]).items()
        if k not in ("inject", "rope_theta", "rms_norm_eps")
    }
    save_file(load_file(path), older, metadata | {"config": json.dumps(config | {"puzzle_emb_ndim": 512})})
    assert weights.load(older).net.config == made.config


def test_a_net_of_another_kind_is_named(tmp_path: Path) -> None:
    checkpoint, out = tmp_path / "step_1", tmp_path / "out.safetensors"
    for kind, wrong, right in (("hrm", "trm", "hrm"), ("trm_att", "hrm", "trm")):
        state, fields = published_state(kind)
        torch.save(state, checkpoint)
        with pytest.raises(UserError, match=rf"blocks under L_level.*--solver {right}"):
            import_checkpoint(wrong, checkpoint, out, fields)
    torch.save(
        {k.replace("L_level", "H_level"): t for k, t in published_state("trm_att")[0].items()}, checkpoint
    )
    with pytest.raises(UserError, match=r"0 blocks under L_level and 2 under H_level.*no net here"):
        import_checkpoint("trm", checkpoint, out, fields)


def test_a_published_net_with_a_single_latent_is_imported(tmp_path: Path) -> None:
    state, fields = published_state("trm_att")
    latent = state.pop("inner.H_init")
    torch.save(state, tmp_path / "step_1")
    import_checkpoint("trm", tmp_path / "step_1", tmp_path / "out.safetensors", fields)
    net = weights.load(tmp_path / "out.safetensors").net
    assert net.config.single_z
    (start,) = net.initial(1, torch.float32)
    assert torch.equal(start[0, 0], state["inner.L_init"])
    assert not torch.equal(start[0, 0], latent)


def test_every_field_of_the_published_configuration_can_be_given(tmp_path: Path) -> None:
    state, _ = published_state("trm_att")
    with safe_open(str(FIXTURES / "trm_att.safetensors"), "pt") as file:
        config = json.loads(file.metadata()["config"])
    torch.save(state, tmp_path / "step_1")
    options = {name: str(value) for name, value in config.items()} | {
        "rope_theta": "500.0",
        "rms_norm_eps": "1e-6",
    }
    assert not import_checkpoint("trm", tmp_path / "step_1", tmp_path / "out.safetensors", options)
    made = weights.load(tmp_path / "out.safetensors").net.config
    assert (made.rope_theta, made.rms_norm_eps) == (500.0, 1e-6)


def test_a_pickle_that_carries_code_is_refused_and_not_run(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"

    class Trap:
        def __reduce__(self) -> tuple:
            return (Path.touch, (trap,))

    checkpoint = tmp_path / "evil.pt"
    for write in (torch.save, lambda obj, path: path.write_bytes(pickle.dumps(obj, protocol=2))):
        write({"inner.H_init": Trap()}, checkpoint)
        with pytest.raises(UserError, match=r"it asks for getattr\. .*code is never run") as refused:
            import_checkpoint("trm", checkpoint, tmp_path / "out.safetensors", {})
        assert "weights_only" not in str(refused.value)  # no advice to load it all the same
    assert not trap.exists()


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    state, fields = published_state("trm_mlp")
    checkpoint = tmp_path / "cut.pt"
    torch.save(state, checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[: checkpoint.stat().st_size // 2])
    with pytest.raises(UserError, match="cannot be read as a PyTorch checkpoint"):
        import_checkpoint("trm", checkpoint, tmp_path / "out.safetensors", fields)


def test_a_field_that_contradicts_the_tensors_is_refused(tmp_path: Path) -> None:
    state, fields = published_state("trm_att")
    checkpoint = tmp_path / "net.pt"
    torch.save(state, checkpoint)
    with pytest.raises(UserError, match=r"hidden_size is given as 32.*say 64"):
        import_checkpoint("trm", checkpoint, tmp_path / "out.safetensors", fields | {"hidden_size": "32"})
    with pytest.raises(UserError, match=r"do not tell the sequence length.*seq_len=81"):
        import_checkpoint(
            "trm",
            checkpoint,
            tmp_path / "out.safetensors",
            {k: v for k, v in fields.items() if k != "seq_len"},
        )
    with pytest.raises(UserError, match=r"no field 'heads'"):
        import_checkpoint("trm", checkpoint, tmp_path / "out.safetensors", fields | {"heads": "4"})
