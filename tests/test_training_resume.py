"""Training that is stopped, killed or damaged, and goes on as if it had not been."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from harness.errors import UserError
from solvers.nets.train import checkpoint
from solvers.nets.train import loop as training
from solvers.nets.train.processes import held_back_signals
from tests import warm
from tests.test_training import CPU, SCRIPT, TINY, copy_task, tiny_recipe, trained


@pytest.mark.parametrize("optimiser", ["muon", "adamw"])
def test_a_run_stopped_and_resumed_gives_the_same_bits(tmp_path: Path, optimiser: str) -> None:
    chosen = tiny_recipe(optimiser=optimiser, accumulate=2, optimiser_steps=5)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trained(whole, chosen, seed=3)
    sessions = 0
    while True:
        ended = trained(parts, chosen, seed=3, max_minutes=0.0, report_every=1)
        sessions += 1
        if ended.finished:
            break
    assert sessions == 5
    ours, theirs = load_file(whole / "weights.safetensors"), load_file(parts / "weights.safetensors")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    ours, theirs = load_file(whole / "checkpoint.safetensors"), load_file(parts / "checkpoint.safetensors")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def _command(*words: str) -> list[str]:
    return [sys.executable, "-c", SCRIPT, *words]


def test_a_run_killed_at_any_moment_resumes_to_the_same_bits(tmp_path: Path) -> None:
    root = Path(__file__).parent.parent
    steps = "24"
    warm.run(_command(str(tmp_path / "whole"), steps), check=True, cwd=root, stdout=subprocess.DEVNULL)
    for lines in (1, 6, 15):
        process = warm.Popen(
            _command(str(tmp_path / "killed"), steps), cwd=root, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(lines):
            assert process.stdout.readline()
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    warm.run(_command(str(tmp_path / "killed"), steps), check=True, cwd=root, stdout=subprocess.DEVNULL)
    ours, theirs = (load_file(tmp_path / run / "weights.safetensors") for run in ("whole", "killed"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_run_asked_to_stop_writes_its_checkpoint_and_goes_on_from_there(
    asked: signal.Signals, tmp_path: Path
) -> None:
    root, folder = Path(__file__).parent.parent, tmp_path / "stopped"
    trained(tmp_path / "whole", tiny_recipe(optimiser_steps=60, batch_size=8, ema=0.9))
    process = warm.Popen(
        [sys.executable, "-c", SCRIPT.replace("checkpoint_minutes=0.0", "checkpoint_minutes=60.0"),
        str(folder), "60"],
        cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    while "optimiser_step 7 " not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(asked)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143 if asked == signal.SIGTERM else "KeyboardInterrupt" in err
    assert "Finishing the optimiser step under way" in err
    (stopped,) = re.findall(r"stopped at optimiser step (\d+) of 60; the same command goes on", out)
    assert 7 <= int(stopped) < 60
    told: list[str] = []
    trained(folder, tiny_recipe(optimiser_steps=60, batch_size=8, ema=0.9), say=told.append)
    assert any(line.startswith(f"resuming at optimiser step {stopped} ") for line in told)
    ours, theirs = (load_file(tmp_path / run / "weights.safetensors") for run in ("whole", "stopped"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_metrics_hold_each_optimiser_step_once_however_often_the_run_was_killed(tmp_path: Path) -> None:
    for step in (4, 5, 3):  # before the second checkpoint, every time
        with pytest.raises(Killed):
            trained(tmp_path, report_every=1, say=killed_at(f"optimiser_step {step} "))
    with pytest.raises(UserError, match="another training run"):  # the folder is taken from the first moment
        trained(tmp_path, seed=1)
    trained(tmp_path, report_every=1)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["optimiser_step"] for line in lines] == list(range(1, 13))


class Killed(BaseException):
    """What stands for kill -9 where the moment matters."""


def killed_at(begin: str) -> Callable[[str], None]:
    """Return what to say with, until a line begins so."""

    def say(line: str) -> None:
        if line.startswith(begin):
            raise Killed

    return say


def test_a_run_goes_on_when_nobody_reads_what_it_says(tmp_path: Path) -> None:
    def say(_: str) -> None:
        raise BrokenPipeError

    assert trained(tmp_path, say=say).finished


def test_weights_kept_on_the_way_do_not_put_off_checkpoints(tmp_path: Path) -> None:
    settings: Any = {"seed": 0, "device": CPU, "report_every": 1, "keep_every": 1, "checkpoint_minutes": 0.0}
    with pytest.raises(Killed):
        trained(tmp_path, say=killed_at("optimiser_step 5 "), **settings)
    told: list[str] = []
    trained(tmp_path, say=told.append, **settings)
    assert told[1].startswith("resuming at optimiser step 4 ")


def test_a_run_killed_at_a_validation_stops_early_where_an_undisturbed_one_does(tmp_path: Path) -> None:
    chosen = tiny_recipe(optimiser_steps=100, validate_every=2, patience=3, lr=0.0, muon_lr=0.0)
    settings: Any = {
        "seed": 0,
        "device": CPU,
        "validation": copy_task(4, seed=1),
        "report_every": 1,
        "checkpoint_minutes": 0.0,
    }
    with pytest.raises(Killed):
        trained(tmp_path, chosen, say=killed_at("optimiser_step 4  validation"), **settings)
    for _ in range(2):  # the second time there is nothing left to do
        ended = trained(tmp_path, chosen, **settings)
        assert (ended.finished, ended.optimiser_steps) == (True, 8)


def test_lines_of_metrics_that_are_none_are_dropped(tmp_path: Path) -> None:
    trained(tmp_path, report_every=1, max_minutes=0.0)
    path = tmp_path / "metrics.jsonl"
    first = path.read_text()
    path.write_text(f'\n{{"a": 1}}\n[]\n\0\0{first}{first}{{"optimiser_step": 1, "lo')
    trained(tmp_path, report_every=12)
    assert [json.loads(line)["optimiser_step"] for line in path.read_text().splitlines()] == [1, 12]


def test_processes_at_different_steps_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for ends, words in (((145, 0), "of 0 to 145"), ((-1, 3), "of none to 3")):
        monkeypatch.setattr(training, "on_every_process", lambda *_, ends=ends: (min(ends), max(ends)))
        with pytest.raises(UserError, match=f"not of the same optimiser step. They are {words}"):
            trained(tmp_path)


def test_ignored_signals_stay_ignored_and_handlers_come_back() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with held_back_signals() as got:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
            assert got == [signal.SIGINT]
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is before[signal.SIGINT]
    finally:
        signal.signal(signal.SIGTERM, before[signal.SIGTERM])


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    trained(tmp_path, max_minutes=0.0, report_every=1)
    good = (tmp_path / "checkpoint.safetensors").read_bytes()

    def poisoned(self: checkpoint.Checkpoint, device: torch.device) -> tuple:
        progress, carries = real(self, device)
        next(iter(self.net.parameters())).data.fill_(float("nan"))
        return progress, carries

    real = checkpoint.Checkpoint.load
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "load", poisoned)
        with pytest.raises(
            UserError, match=r"loss became nan at or before optimiser step 2.*last good checkpoint"
        ):
            trained(tmp_path, report_every=1)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == good


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    trained(tmp_path, max_minutes=0.0, report_every=1)
    with pytest.raises(UserError, match=r"another training run \(seed is 0 there, 1 here\).*--fresh"):
        trained(tmp_path, seed=1)
    other = dataclasses.replace(tiny_recipe(lr=0.5), config=TINY | {"L_cycles": 7})
    with pytest.raises(
        UserError,
        match=r"recipe\.config\.L_cycles is \d there, 7 here; recipe\.lr is 0\.\d+ there, 0\.5 here\)",
    ):
        trained(tmp_path, other)


@pytest.mark.parametrize(
    "damage", [{"run": "{"}, {"run": "[]"}, {"progress": '{"stepp": 1}'}, {"progress": "5"}]
)
def test_a_checkpoint_that_cannot_be_read_is_one_sentence(tmp_path: Path, damage: dict[str, str]) -> None:
    about = {"seed": 0, "device": CPU, "report_every": 1, "say": lambda _: None}
    trained(tmp_path, max_minutes=0.0, **about)
    path = tmp_path / "checkpoint.safetensors"
    with safe_open(str(path), "pt") as file:
        metadata = file.metadata() | damage
    save_file(load_file(path), path, metadata)
    with pytest.raises(UserError, match=r"What .*says of itself cannot be read .*--fresh"):
        trained(tmp_path, **about)


def test_a_run_begun_before_the_recipe_had_a_field_goes_on(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trained(whole)
    trained(parts, max_minutes=0.0, report_every=1)
    path = parts / "checkpoint.safetensors"
    with safe_open(str(path), "pt") as file:
        metadata = file.metadata()
    run = json.loads(metadata["run"])
    for name in ("cuda_graph", "depth_curriculum"):
        del run["recipe"][name]
    save_file(load_file(path), path, metadata | {"run": json.dumps(run)})
    trained(parts)
    ours, theirs = load_file(whole / "weights.safetensors"), load_file(parts / "weights.safetensors")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
