"""The training loop: deep supervision with carried state, one file, read from top to bottom.

    bench train --task sudoku --solver trm --recipe trm-sudoku-small --out results/training/small
    torchrun --nproc-per-node 2 -m harness.cli.main train …        the same on several processes

A run is a folder: `checkpoint.safetensors` (everything needed to go on, replaced atomically), `metrics.jsonl` (one line a
report), and at the end `weights.safetensors`. The same command resumes; a run that was killed and resumed gives the same
bits as one that was not.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from harness.errors import UserError
from harness.randomness import seed_of
from solvers.nets import engine, weights
from solvers.nets.data import Batches, TrainingSet
from solvers.nets.flops import measured_peak, training_flops
from solvers.nets.layers import PuzzleTable
from solvers.nets.optim import MovingAverage, flatten_state, learning_rate_scale, optimisers, restore_state, sign_sgd
from solvers.nets.recipes import Recipe
from solvers.nets.supervision import Carry, StepResult, fresh_carry, supervise

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Supervised(nn.Module):
    """A net with its losses as one module, so that DistributedDataParallel sees a forward call."""

    def __init__(self, net: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.net, self.recipe = net, recipe

    def forward(self, carry: Carry, batch: dict[str, Tensor]) -> tuple[Carry, StepResult]:
        r = self.recipe
        return supervise(
            self.net,
            carry,
            batch,
            dtype=DTYPES[r.dtype],
            loss=r.loss,
            label_smoothing=r.label_smoothing,
            halt_weight=r.halt_weight,
        )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a call of `train` ended."""

    finished: bool  # False: stopped by the time limit, resume with the same command
    optimiser_steps: int
    seconds: float
    validation: float | None  # exact accuracy of the last validation
    weights: Path | None


def train(
    recipe: Recipe,
    data: TrainingSet,
    folder: Path,
    *,
    seed: int,
    device: torch.device,
    validation: TrainingSet | None = None,
    about: dict[str, Any] | None = None,
    max_minutes: float | None = None,
    report_every: int = 50,
    keep_every: int = 0,
    checkpoint_minutes: float = 2.0,
    say: Callable[[str], None] = print,
) -> Outcome:
    """Train a net by `recipe` on `data` in `folder`, resuming what is there.

    about: facts for the record in the weights (task, version, data hash, regime). keep_every: optimiser steps between
    weights kept as `weights-<step>.safetensors`, 0 for none. Raises UserError if the folder holds a run
    of another recipe, seed or data, and if the loss stops being a number (the last good checkpoint is kept).
    """
    rank, world = _join_processes()
    began = time.monotonic()
    torch.manual_seed(seed_of("init", seed) % 2**63)
    codec = data.codec
    fields = recipe.config | {"vocab_size": codec.vocab_size, "seq_len": codec.length}
    net = weights.build(recipe.net, fields).to(device).train()
    base_config = net.config
    run_key = {"recipe": dataclasses.asdict(recipe), "seed": seed, "about": about or {}, "items": len(data.tokens)}
    stages = recipe.depth_curriculum or ((0.0, base_config.H_cycles, base_config.L_cycles),)
    flops_of = {s: training_flops(_at_depth(net, base_config, s)) for s in stages}
    net.config = base_config

    average = MovingAverage(net, recipe.ema) if recipe.ema else None
    optims = optimisers(net, recipe)
    tables = [m for m in net.modules() if isinstance(m, PuzzleTable)]
    batches = Batches(
        data,
        batch_size=recipe.batch_size,
        seed=seed,
        augment=recipe.augment,
        halt_max_steps=base_config.halt_max_steps,
        halt_exploration_prob=base_config.halt_exploration_prob,
        device=device,
        rank=rank,
        world=world,
    )
    share = recipe.batch_size // world  # sequences of this process
    state = _State()
    carries: list[Carry] = []
    checkpoint = folder / ("checkpoint.safetensors" if world == 1 else f"checkpoint-{rank}.safetensors")
    if checkpoint.exists():
        carries = state.load(checkpoint, run_key, net, average, optims, device)
        say(f"resuming {folder} at optimiser step {state.step}")
    if recipe.compile and device.type == "cuda":
        net.compile_levels(dynamic=False)
    model: nn.Module = Supervised(net, recipe)
    if world > 1:
        model = DistributedDataParallel(model, broadcast_buffers=False)

    def save(step_seconds: float) -> None:
        state.save(checkpoint, run_key, net, average, optims, carries, state.seconds + step_seconds)

    def keep(path: Path) -> None:
        record = (about or {}) | {
            "recipe": dataclasses.asdict(recipe),
            "seed": seed,
            "optimiser_steps": state.step,
            "training_flops": state.flops,
            "seconds": round(state.seconds + time.monotonic() - began, 1),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads",
            "processes": world,
            "torch": torch.__version__,
            "validation_exact": accuracy,
        }
        net.config = base_config
        values = net.state_dict() if average is None else average.shadow
        weights.save(path, net_name=recipe.net, net=net, state=values, record=record, dtype=DTYPES[recipe.dtype])

    peak = measured_peak(device.type, DTYPES[recipe.dtype])
    tally: dict[str, Tensor] = {}
    accuracy: float | None = None
    last_report = last_checkpoint = began
    stopped_early = False
    while state.step < recipe.optimiser_steps and not stopped_early:
        stage = max((s for s in stages if state.step >= s[0] * recipe.optimiser_steps), key=lambda s: s[0])
        net.config = dataclasses.replace(base_config, H_cycles=stage[1], L_cycles=stage[2])
        scale = learning_rate_scale(state.step, recipe)
        for optimiser in optims:
            for group in optimiser.param_groups:
                group["lr"] = group["peak_lr"] * scale
        torch.manual_seed(seed_of("step", seed, state.step, rank) % 2**63)  # for nets that draw noise

        batch = batches.get(state.step)
        micro = share // recipe.accumulate
        for part in range(recipe.accumulate):
            piece = {k: v[part * micro : (part + 1) * micro] for k, v in batch.items()}
            if len(carries) <= part:
                stagger = batches.stagger()[part * micro : (part + 1) * micro] if recipe.stagger else None
                carries.append(fresh_carry(net, piece, DTYPES[recipe.dtype], stagger))
            carries[part], result = model(carries[part], piece)
            (result.loss_sum / share).backward()  # DistributedDataParallel averages over processes
            _count_up(tally, result)
        if recipe.gradient_clip:
            nn.utils.clip_grad_norm_(net.parameters(), recipe.gradient_clip)
        for optimiser in optims:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        sign_sgd(tables, recipe.table_lr * scale, recipe.table_weight_decay)
        if average is not None:
            average.update(net)
        state.step += 1
        state.flops += flops_of[stage] * recipe.batch_size

        now = time.monotonic()
        done = state.step == recipe.optimiser_steps
        out_of_time = max_minutes is not None and now - began > max_minutes * 60
        if world > 1 and max_minutes is not None:
            out_of_time = _agreed(out_of_time, device)
        if state.step % report_every == 0 or done or out_of_time:
            line = _report(tally, state, stage, scale, peak, began)
            if not math.isfinite(line["loss"]):
                raise UserError(
                    f"The loss became {line['loss']} before optimiser step {state.step}.",
                    rule=f"The last good checkpoint is {checkpoint}.",
                    next_step="Lower the learning rate, or resume from that checkpoint with another seed.",
                )
            now = time.monotonic()
            _write(folder, line, say, rank, steps_per_second=report_every / (now - last_report))
            last_report = now
        if validation is not None and (done or (recipe.validate_every and state.step % recipe.validate_every == 0)):
            accuracy = exact_accuracy(net, average, validation, dtype=DTYPES[recipe.dtype], device=device, config=base_config)
            _write(folder, {"optimiser_step": state.step, "validation_exact": accuracy}, say, rank)
            stopped_early = state.no_better(accuracy, recipe.patience)
        if keep_every and state.step % keep_every == 0 and rank == 0:
            keep(folder / f"weights-{state.step}.safetensors")
        if not done and (out_of_time or now - last_checkpoint > checkpoint_minutes * 60) and state.step % report_every == 0:
            save(now - began)
            last_checkpoint = now
        if out_of_time and not done:
            save(time.monotonic() - began)
            batches.close()
            return Outcome(
                finished=False, optimiser_steps=state.step, seconds=state.seconds + now - began, validation=accuracy, weights=None
            )
    batches.close()
    seconds = state.seconds + time.monotonic() - began
    save(time.monotonic() - began)
    path = folder / "weights.safetensors"
    if rank == 0:
        keep(path)
    return Outcome(finished=True, optimiser_steps=state.step, seconds=seconds, validation=accuracy, weights=path)


def exact_accuracy(
    net: Any,
    average: MovingAverage | None,
    data: TrainingSet,
    *,
    dtype: torch.dtype,
    device: torch.device,
    config: Any,
    batch_size: int = 512,
) -> float:
    """Return the share of sequences with every scored cell right at full depth, by the averaged weights if there are any."""
    judge = type(net)(config).to(device)
    judge.load_state_dict(net.state_dict() if average is None else average.shadow)
    done = engine.run(
        judge,
        data.tokens,
        depths=[config.halt_max_steps],
        halt="never",
        batch_size=batch_size,
        dtype=dtype,
        device=device,
    )
    right = 0
    for job in done:
        labels = data.labels[job.job]
        right += bool(np.all((job.tokens_at[job.depth] == labels) | (labels < 0)))
    return right / len(data.tokens)


class _State:
    """Progress that a checkpoint keeps beside the tensors."""

    def __init__(self) -> None:
        self.step = 0
        self.flops = 0
        self.seconds = 0.0  # of earlier sessions
        self.best = -1.0
        self.since_best = 0

    def no_better(self, accuracy: float, patience: int) -> bool:
        self.since_best = 0 if accuracy > self.best else self.since_best + 1
        self.best = max(self.best, accuracy)
        return bool(patience) and self.since_best >= patience

    def save(
        self,
        path: Path,
        run_key: dict[str, Any],
        net: nn.Module,
        average: MovingAverage | None,
        optims: list[torch.optim.Optimizer],
        carries: list[Carry],
        seconds: float,
    ) -> None:
        tensors = {f"net/{k}": t for k, t in net.state_dict().items()}
        if average is not None:
            tensors |= {f"average/{k}": t for k, t in average.shadow.items()}
        for i, optimiser in enumerate(optims):
            tensors |= {f"optimiser{i}/{k}": t for k, t in flatten_state(optimiser).items()}
        for i, carry in enumerate(carries):
            tensors |= {f"carry{i}/{k}": t for k, t in carry.tensors().items()}
        progress = {"step": self.step, "flops": self.flops, "best": self.best, "since_best": self.since_best, "seconds": seconds}
        weights.save_atomically(tensors, path, {"run": json.dumps(run_key, sort_keys=True), "progress": json.dumps(progress)})

    def load(
        self,
        path: Path,
        run_key: dict[str, Any],
        net: nn.Module,
        average: MovingAverage | None,
        optims: list[torch.optim.Optimizer],
        device: torch.device,
    ) -> list[Carry]:
        with safe_open(str(path), "pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name).to(device) for name in file.keys()}  # noqa: SIM118
        theirs = json.loads(metadata["run"])
        ours = json.loads(json.dumps(run_key, sort_keys=True))
        if theirs != ours:
            differs = sorted(k for k in theirs.keys() | ours.keys() if theirs.get(k) != ours.get(k))
            raise UserError(
                f"{path.parent} holds another training run (it differs in {', '.join(differs)}).",
                rule="A folder belongs to one recipe, seed and data set.",
                next_step="Give another --out, or --fresh to start anew here.",
            )

        def part(prefix: str) -> dict[str, Tensor]:
            return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}

        net.load_state_dict(part("net/"))
        if average is not None:
            average.shadow = part("average/")
        for i, optimiser in enumerate(optims):
            restore_state(optimiser, part(f"optimiser{i}/"))
        progress = json.loads(metadata["progress"])
        self.__dict__.update(progress)
        count = len({n.split("/")[0] for n in tensors if n.startswith("carry")})
        return [Carry.from_tensors(part(f"carry{i}/")) for i in range(count)]


def _at_depth(net: Any, config: Any, stage: tuple[float, int, int]) -> Any:
    net.config = dataclasses.replace(config, H_cycles=stage[1], L_cycles=stage[2])
    return net


def _count_up(tally: dict[str, Tensor], result: StepResult) -> None:
    """Add a step's sums to the tally, on the device (reading them would wait for it)."""
    halted = result.halted.float()
    sums = {
        "sequences": torch.ones_like(halted).sum(),
        "loss": result.loss_sum.detach(),
        "token_loss": result.token_loss,
        "halted": halted.sum(),
        "exact": (halted * result.correct).sum(),
        "cells": (halted * result.cell_accuracy).sum(),
        "steps": (halted * result.steps).sum(),
    }
    for name, value in sums.items():
        tally[name] = tally[name] + value if name in tally else value


def _report(
    tally: dict[str, Tensor], state: _State, stage: tuple[float, int, int], scale: float, peak: float, began: float
) -> dict[str, Any]:
    """Return one metrics line; accuracies are over the sequences that halted since the last line."""
    sums = {name: float(value) for name, value in tally.items()}
    tally.clear()
    halted = max(1.0, sums["halted"])
    session = time.monotonic() - began
    return {
        "optimiser_step": state.step,
        "seconds": round(state.seconds + session, 2),
        "training_flops": state.flops,
        "loss": sums["loss"] / sums["sequences"],
        "token_loss": sums["token_loss"] / sums["sequences"],
        "exact": sums["exact"] / halted,
        "cells": sums["cells"] / halted,
        "supervision_steps": sums["steps"] / halted,
        "lr_scale": scale,
        "H_cycles": stage[1],
        "L_cycles": stage[2],
        "flops_per_step": None,
        "peak_flops": peak,
    }


def _write(
    folder: Path, line: dict[str, Any], say: Callable[[str], None], rank: int, steps_per_second: float | None = None
) -> None:
    if rank:
        return
    if steps_per_second is not None:
        line = line | {"optimiser_steps_per_second": steps_per_second}
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "metrics.jsonl", "a") as handle:
        handle.write(json.dumps(line) + "\n")
    say("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in line.items()))


def _join_processes() -> tuple[int, int]:
    """Return (rank, world size); start torch.distributed when launched by torchrun."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return int(os.environ.get("RANK", "0")), world


def _agreed(flag: bool, device: torch.device) -> bool:
    """Return True on every process as soon as it is true on one."""
    vote = torch.tensor([int(flag)], device=device)
    dist.all_reduce(vote, dist.ReduceOp.MAX)
    return bool(vote.item())
