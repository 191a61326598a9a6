"""Training where something fails around it (another training, a full disk, no puzzles): nothing is lost."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from harness.base import BaseTask
from harness.cli.main import dispatch
from harness.errors import UserError
from solvers.nets.train import metrics
from solvers.nets.train.folder import one_writer
from solvers.nets.weights import files as weights
from solvers.nets.weights.published import import_checkpoint
from tasks.shared.published_data import select
from tests.test_training import copy_task, trained
from tests.test_weights import published_state

TRAIN = ["train", "--task", "sudoku", "-T", "size=4", "--solver", "trm", "--recipe", "trm-sudoku-tiny",
         "--device", "cpu", "-R", "optimiser_steps=2", "-R", "batch_size=4", "-R", "train_items=20",
         "-R", "validation_items=0"]  # fmt: skip


def same_weights(one: Path, other: Path) -> bool:
    ours, theirs = (load_file(folder / "weights.safetensors") for folder in (one, other))
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert trained(folder).finished
    return folder


@pytest.mark.parametrize("fresh", [[], ["--fresh"]])
def test_a_second_training_in_one_folder_says_so_and_touches_nothing(
    fresh: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert dispatch([*TRAIN, "--out", str(out), "--max-minutes", "0"]) == 0
    before = (out / "checkpoint.safetensors").read_bytes()
    with one_writer(out):
        assert dispatch([*TRAIN, "--out", str(out), *fresh]) == 2
    assert "Another training is writing" in capsys.readouterr().err
    assert (out / "checkpoint.safetensors").read_bytes() == before
    assert dispatch([*TRAIN, "--out", str(out), *fresh]) == 0
    assert (out / "weights.safetensors").is_file()


def test_the_lock_of_a_training_that_was_killed_is_nobodys(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom solvers.nets.train.folder import one_writer\n"
        "with one_writer(Path(sys.argv[1])):\n    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)]).returncode == 9
    with one_writer(tmp_path):
        pass


def test_processes_of_one_training_share_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with one_writer(tmp_path):
        monkeypatch.setenv("RANK", "1")
        with one_writer(tmp_path):
            pass


def test_a_folder_that_is_a_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert dispatch([*TRAIN, "--out", str(tmp_path / "file" / "run")]) == 2
    assert "file/run cannot be written" in capsys.readouterr().err


def full_for(monkeypatch: pytest.MonkeyPatch, begin: str) -> None:
    """Let the disk be full for weights whose file begins so: half of them is written, then it fails."""
    real = weights.save_file

    def save_file(tensors: Any, path: Path, metadata: Any) -> None:
        if path.name.startswith(begin):
            path.write_bytes(b"half")
            raise SafetensorError("No space left on device (os error 28)")
        real(tensors, path, metadata)

    monkeypatch.setattr(weights, "save_file", save_file)


def test_a_full_disk_at_the_final_weights_loses_nothing(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        full_for(patch, "weights")
        with pytest.raises(UserError, match=r"weights\.safetensors cannot be written \(No space left"):
            trained(tmp_path)
    assert not list(tmp_path.glob("*.part"))
    said: list[str] = []
    trained(tmp_path, say=said.append)
    assert "resuming at optimiser step 12 " in said[1]  # nothing was trained twice
    assert same_weights(tmp_path, undisturbed)


def test_a_full_disk_at_weights_on_the_way_loses_nothing(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        full_for(patch, "weights-5")
        with pytest.raises(UserError, match=r"weights-5\.safetensors cannot be written"):
            trained(tmp_path, keep_every=5)
    assert trained(tmp_path, keep_every=5).finished
    assert same_weights(tmp_path, undisturbed)


def test_a_full_disk_at_the_metrics_leaves_no_half_line_and_loses_nothing(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def __init__(self, path: Path) -> None:
            self.file = path.open("a")

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, text: str) -> None:
            self.file.write(text[:9])
            self.file.flush()
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(metrics, "open", lambda path, *_, **__: Full(path), raising=False)
        with pytest.raises(UserError, match=r"metrics\.jsonl cannot be written .*No space left"):
            trained(tmp_path, report_every=4)
    assert (tmp_path / "metrics.jsonl").read_text() == ""
    with monkeypatch.context() as patch:
        patch.setattr(
            Path, "write_text", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left"))
        )
        with pytest.raises(UserError, match=r"metrics\.jsonl cannot be written"):
            trained(tmp_path, report_every=4)
    assert trained(tmp_path, report_every=4).finished
    assert same_weights(tmp_path, undisturbed)


def test_tensorboards_events_are_no_reason_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = pytest.importorskip("torch.utils.tensorboard")

    class Full:
        def __init__(self, *_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(board, "SummaryWriter", Full)
    said: list[str] = []
    assert trained(tmp_path, say=said.append).finished
    assert any("no more events for TensorBoard" in line for line in said)


def test_a_full_disk_at_import_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, fields = published_state("trm_mlp")
    torch.save(state, tmp_path / "step_1")
    full_for(monkeypatch, "out")
    with pytest.raises(UserError, match=r"out\.safetensors cannot be written .*It takes \d+\.\d MB"):
        import_checkpoint("trm", tmp_path / "step_1", tmp_path / "out.safetensors", fields)
    assert {path.name for path in tmp_path.iterdir()} == {"step_1"}


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(small)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small file system")
    try:
        state, fields = published_state("trm_mlp")
        torch.save(state, tmp_path / "step_1")
        with pytest.raises(UserError, match=r"out\.safetensors cannot be written"):
            import_checkpoint("trm", tmp_path / "step_1", small / "out.safetensors", fields)
        with pytest.raises(UserError, match=r"checkpoint\.safetensors cannot be written"):
            trained(small / "run")
        assert not [path for path in small.rglob("*") if path.is_file() and path.suffix != ".lock"]
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_files_have_the_rights_that_the_umask_gives(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        trained(tmp_path, keep_every=5)
        state, fields = published_state("trm_mlp")
        torch.save(state, tmp_path / "step_1")
        import_checkpoint("trm", tmp_path / "step_1", tmp_path / "out.safetensors", fields)
    finally:
        os.umask(before)
    for name in ("checkpoint", "weights", "weights-5", "out"):
        assert stat.S_IMODE((tmp_path / f"{name}.safetensors").stat().st_mode) == 0o640, name


def test_more_rows_held_out_than_there_are_is_said() -> None:
    lines: Any = [(number, {"question": str(number)}) for number in range(10)]
    assert len(select(lines, "train", 10)) == 0
    with pytest.raises(UserError, match=r"held_out is 11\. .* are 10\. Give 1, say"):
        select(lines, "train", 11)


class OneSplit(BaseTask):
    """A task with a grid codec and nothing to validate on."""

    name = "one-split"
    splits = ("test", "train")
    grid = copy_task().codec  # type: ignore[assignment]

    def load(self, **_: Any) -> list[Any]:
        return []


def test_a_task_without_a_split_says_which_and_what_to_do(
    tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "train",
        "--solver",
        "trm",
        "--recipe",
        "trm-sudoku-tiny",
        "--device",
        "cpu",
        "--out",
        str(tmp_path),
    ]
    one = f"{__file__}:OneSplit"
    extreme = ["--task", "sudoku-extreme", "--data-dir", str(data_dir)]
    for words, said in (
        (["--task", one], "no split 'validation'. Its splits: test, train. Give -R validation_items=0"),
        (["--task", one, "-R", "validation_items=0"], "The split 'train' of 'one-split' holds no puzzles."),
        ([*extreme, "-T", "held_out=0"], "The split 'validation' of 'sudoku-extreme' holds no puzzles."),
        ([*extreme, "-T", "held_out=9999"], "held_out is 9,999."),
        ([*extreme, "-T", "held_out=1000"], "The split 'train' of 'sudoku-extreme' holds no puzzles."),
    ):
        assert dispatch([*command, *words]) == 2
        assert said in capsys.readouterr().err


def test_no_weights_for_a_task_names_its_options_and_the_recipes_made_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = ["--results-dir", str(tmp_path), "--limit", "1"]
    assert (
        dispatch(
            ["run", "--task", "sudoku", "-T", "size=4", "-T", "difficulty=easy", "--solver", "trm", *results]
        )
        == 2
    )
    said = capsys.readouterr().err
    assert "`bench train --task sudoku -T size=4 -T difficulty=easy --solver trm --recipe trm-sudoku-" in said
    assert "trm-sudoku-tiny" in said
    assert "trm-small" in said
    assert "maze" not in said.partition("Train some")[2]
    assert dispatch(["run", "--task", "arc2", "--solver", "trm", *results]) == 2
    said = capsys.readouterr().err
    assert "--recipe trm-arc" in said
    assert "trm-small" not in said
    assert dispatch(["run", "--task", "arc1", "--solver", "hrm", *results]) == 2
    assert "No recipe of hrm was made for it" in capsys.readouterr().err


def test_a_training_without_a_recipe_is_told_which_fit(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "--task", "sudoku", "-T", "size=4", "--solver", "trm"]
    assert dispatch(command) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "Which recipe? Of trm for sudoku-4x4: " in told
    assert "trm-sudoku-tiny" in told
    assert "trm-maze" not in told


def test_a_recipe_on_a_size_it_was_not_made_for_warns_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [word.replace("size=4", "size=6") for word in TRAIN]
    assert dispatch([*command, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert said.startswith(
        "warning: the recipe trm-sudoku-tiny was made for sudoku-4x4, not for sudoku-6x6; for that: "
    )
    assert "trm-sudoku-small" in said.partition("\n")[0]
    assert dispatch([*TRAIN, "--out", str(tmp_path / "right")]) == 0
    assert "warning" not in capsys.readouterr().err


def test_the_list_of_recipes_can_be_of_one_task(capsys: pytest.CaptureFixture[str]) -> None:
    def listed(*words: str) -> set[str]:
        assert dispatch(["list", "recipes", *words, "--format", "json"]) == 0
        return {line["recipe"] for line in json.loads(capsys.readouterr().out)}

    small = listed("--task", "sudoku", "-T", "size=4")
    assert {"trm-sudoku-tiny", "trm-sudoku-small", "trm-small"} <= small
    assert not {"trm-sudoku-paper", "trm-maze-small", "trm-arc1-paper"} & small
    assert listed("--task", "arc1") == {"trm-arc1-paper", "trm-arc-small", "trm-arc-tiny"}
    assert listed("--task", "maze-hard") & listed("--task", "sudoku-extreme") <= listed("--task", "automaton")
    assert small < listed()


def test_arc_trains_without_conceptarc_and_the_card_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DEPTHBENCH_DATA", raising=False)
    command = ["train", "--task", "arc1", "--solver", "trm", "--recipe", "trm-arc-tiny", "--device", "cpu",
               "-R", "optimiser_steps=1", "-R", "batch_size=2", "-R", "augmentations=0",
               "--out", str(tmp_path)]  # fmt: skip
    assert dispatch(command) == 2
    said = capsys.readouterr().err
    assert "github.com/victorvikram/ConceptARC" in said
    assert "-T concept=false" in said
    assert dispatch([*command, "-T", "concept=false"]) == 0
    training = weights.load(tmp_path / "weights.safetensors").training
    assert training["items"] == 800
    assert training["regime"].endswith("without ConceptARC")
