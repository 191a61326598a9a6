"""The training loop: deep supervision with carried state, read from top to bottom.

    bench train --task sudoku --solver trm --recipe trm-sudoku-small
    torchrun --nproc-per-node 2 -m harness.cli.main train …        the same on several processes

A run is a folder: `checkpoint.safetensors` (everything needed to go on), `metrics.jsonl` (one line a report;
TensorBoard's events beside it if that is installed), and at the end `weights.safetensors`. The same command
resumes; a run that was killed and resumed gives the same bits as one that was not.
"""

from __future__ import annotations

import inspect
import math
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from harness.errors import UserError
from harness.randomness import seed_of
from harness.scores.statistics import wilson
from solvers.nets.fast import memory
from solvers.nets.fast import switch as fast
from solvers.nets.flops import measured_peak, training_flops
from solvers.nets.model.layers import PuzzleTable
from solvers.nets.model.recursive import RecursiveNet
from solvers.nets.recipe import Recipe
from solvers.nets.train.checkpoint import Checkpoint, TrainingState
from solvers.nets.train.cuda_graph import Graphed, Step, obstacle
from solvers.nets.train.data import Batches, TrainingSet
from solvers.nets.train.folder import writing
from solvers.nets.train.metrics import Clock, Log, Meter
from solvers.nets.train.optim import MovingAverage, learning_rate_scale, optimisers, sign_sgd
from solvers.nets.train.processes import any_process, held_back_signals, on_every_process, processes
from solvers.nets.train.record import DTYPES, cycles, device_name, exact_accuracy, record_of, resolve_dtype
from solvers.nets.train.supervision import Carry, StepResult, fresh_carry, supervise
from solvers.nets.weights import files as weights
from solvers.nets.weights.member import Member

SILENCE = 10.0
"""Seconds after which a run says how far it is, between two lines of metrics."""


class Supervised(nn.Module):
    """A net with its losses as one module, so that DistributedDataParallel sees a forward call."""

    def __init__(self, net: RecursiveNet, recipe: Recipe, dtype: torch.dtype) -> None:
        super().__init__()
        self.net, self.recipe, self.dtype = net, recipe, dtype

    def forward(self, carry: Carry, batch: dict[str, Tensor]) -> tuple[Carry, StepResult]:
        r = self.recipe
        with fast.faster():
            return supervise(
                self.net,
                carry,
                batch,
                dtype=self.dtype,
                loss=r.loss,
                label_smoothing=r.label_smoothing,
                halt_weight=r.halt_weight,
            )


def averaged_over_processes(model: nn.Module) -> DistributedDataParallel:
    """Return the model with gradients averaged over processes; buffers are not sent about at every step,
    they never differ.
    """
    # torch 2.13 and later
    renamed = "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters
    options: dict[str, Any] = {"forward_sync_buffers" if renamed else "broadcast_buffers": False}
    return DistributedDataParallel(model, **options)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a call of `train` ended."""

    finished: bool  # False: stopped by the time limit; the same call goes on
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
    start_from: weights.Loaded | None = None,
    member: type[Member] | None = None,
    max_minutes: float | None = None,
    report_every: int = 50,
    keep_every: int = 0,
    checkpoint_minutes: float = 2.0,
    say: Callable[[str], None] = print,
) -> Ended:
    """Train a net by `recipe` on `data` in `folder`, resuming what is there.

    about: facts for the record in the weights (task, version, data hash, regime). start_from: weights to
    begin with instead of random ones; their training counts in the FLOPs and seconds of the record.
    member: the solver class of the net, where its name is not registered.
    keep_every: optimiser steps between weights kept as `weights-<step>.safetensors`, 0 for none. Ctrl-C and
    SIGTERM let the optimiser step under way end, write the checkpoint, and go on as KeyboardInterrupt and
    SystemExit. Raises UserError if the folder cannot be written, if it holds a run of another recipe, seed or
    data, and if the loss stops being a number (the last good checkpoint is kept).
    """
    rank, world = processes()
    if recipe.batch_size % (world * recipe.accumulate):
        raise UserError(
            f"Batch size {recipe.batch_size} does not split over {world} processes and {recipe.accumulate} "
            "accumulations.",
            rule="It must be a multiple of their product.",
        )
    if device.type == "cpu":
        memory.keep()
    dtype = resolve_dtype(recipe, device)
    torch.manual_seed(seed_of("init", seed) % 2**63)
    fields = recipe.config | {"vocab_size": data.codec.vocab_size, "seq_len": data.codec.length}
    if data.puzzle_ids > 1:
        fields["num_puzzle_identifiers"] = data.puzzle_ids
    net = weights.build(recipe.net, fields, member)
    if start_from is not None:
        about = weights.begin_with(start_from, recipe.net, net, about or {})
    net = net.to(device).train()
    full = net.config
    stages = [(share, full.at_cycles(H, L)) for share, H, L in recipe.depth_curriculum] or [(0.0, full)]
    flops_at = [training_flops(config) for _, config in stages]
    average = MovingAverage(net, recipe.ema) if recipe.ema else None
    optims = optimisers(net, recipe)
    tables = [m for m in net.modules() if isinstance(m, PuzzleTable)]
    batches = Batches(data, recipe, full, seed=seed, device=device, rank=rank, world=world)

    run = {
        "recipe": recipe.record(),
        "seed": seed,
        "about": about or {},
        "items": len(data.tokens),
        "processes": world,
    }
    name = "checkpoint.safetensors" if world == 1 else f"checkpoint-{rank}.safetensors"
    checkpoint = Checkpoint(folder / name, run, net, average, optims)
    progress, carries = TrainingState(), list[Carry]()
    resumed = checkpoint.path.exists()
    if resumed:
        progress, carries = checkpoint.load(device)
    least, most = on_every_process(progress.step if resumed else -1, device)
    if least < most:
        raise UserError(
            f"The checkpoints of the processes in {folder} are not of the same optimiser step.",
            rule=f"They are of {'none' if least < 0 else least} to {most}, and all must go on from one.",
            next_step="Give --fresh to start anew, or another --out.",
        )
    if not resumed:
        checkpoint.save(progress, carries)  # from now on the folder is this run's
    if recipe.compile and device.type == "cuda":
        net.compile_levels(dynamic=False)
    model: nn.Module = Supervised(net, recipe, dtype)
    if world > 1:
        model = averaged_over_processes(model)

    share = recipe.batch_size // world  # sequences of this process
    micro = share // recipe.accumulate

    def eager(carry: Carry, piece: dict[str, Tensor]) -> tuple[Carry, StepResult]:
        carry, result = model(carry, piece)
        (result.loss_sum / share).backward()  # DistributedDataParallel averages over processes
        return carry, result.detached()

    step: Step = eager
    if recipe.cuda_graph and device.type == "cuda":
        if reason := obstacle(recipe, net, world):
            say(f"no CUDA graph: {reason}")
        else:
            step = Graphed(eager, list(net.parameters()))
    log = Log(folder, say, rank, progress.step)
    last = recipe.optimiser_steps
    log.tell(
        f"{recipe.name}: {sum(p.numel() for p in net.parameters()):,} parameters, {len(data.tokens):,} "
        "pairs, "
        f"{last:,} optimiser steps of {recipe.batch_size}; {device_name(device)}, "
        f"{str(dtype).removeprefix('torch.')}"
    )
    where = f"{checkpoint.path}, written every {checkpoint_minutes:g} minutes and when the run is stopped"
    log.tell(
        f"resuming at optimiser step {progress.step:,} of {where}" if resumed else f"checkpoint: {where}"
    )
    clock = Clock(progress)
    meter = Meter(measured_peak(device.type, dtype), clock)
    begun = progress.step
    items = 0 if validation is None else len(validation.tokens)
    stalled, out_of_time, stopped = 0 < recipe.patience <= progress.since_best, False, False
    good = progress.step  # of the last checkpoint
    last_stage: int | None = None

    def keep() -> None:
        if world == 1:  # of several processes, those that can write would wait for this one
            clock.checkpointed(progress)
            checkpoint.save(progress, carries)

    def save_weights(name: str) -> None:
        if rank > 0:
            return
        progress.seconds = clock.total()
        net.config = full
        with writing(folder / name, keep):
            weights.save(
                folder / name,
                net_name=recipe.net,
                net=net,
                state=net.state_dict() if average is None else average.shadow,
                record=record_of(recipe, progress, items, about or {}, seed, device, world),
                dtype=DTYPES[recipe.weights_dtype],
            )

    with held_back_signals() as signals:
        while progress.step < last and not (stalled or out_of_time or stopped):
            stage = sum(progress.step >= share * recipe.optimiser_steps for share, _ in stages) - 1
            if isinstance(step, Graphed) and stage != last_stage:
                step.reset()
            last_stage = stage
            net.config = stages[stage][1]
            scale = learning_rate_scale(progress.step, recipe)
            for group in (group for optimiser in optims for group in optimiser.param_groups):
                group["lr"] = group["peak_lr"] * scale
            torch.manual_seed(seed_of("step", seed, progress.step, rank) % 2**63)  # for nets that draw noise

            batch = batches.get(progress.step)
            for part in range(recipe.accumulate):
                piece = {key: rows[part * micro : (part + 1) * micro] for key, rows in batch.items()}
                if len(carries) <= part:
                    stagger = batches.stagger()[part * micro : (part + 1) * micro] if recipe.stagger else None
                    carries.append(fresh_carry(net, piece, dtype, stagger))
                carries[part], result = step(carries[part], piece)
                meter.add(result)
            if recipe.gradient_clip:
                nn.utils.clip_grad_norm_(net.parameters(), recipe.gradient_clip)
            for optimiser in optims:
                optimiser.step()
                if not isinstance(step, Graphed):
                    optimiser.zero_grad(set_to_none=True)
            sign_sgd(tables, recipe.table_lr * scale, recipe.table_weight_decay)
            if average is not None:
                average.update()
            progress.step += 1
            progress.flops += flops_at[stage] * recipe.batch_size

            done = progress.step == last
            asked = [
                max_minutes is not None and clock.session() > max_minutes * 60,
                bool(signals),
                clock.since_checkpoint() > checkpoint_minutes * 60,
            ]
            out_of_time, stopped, due = any_process(asked, device)
            report = progress.step % report_every == 0 or done or out_of_time
            if report or stopped or due:
                line = meter.line(progress) | {"lr_scale": scale} | cycles(net.config)
                if not math.isfinite(line["loss"]):
                    batches.close()
                    log.close()
                    raise UserError(
                        f"The loss became {line['loss']} at or before optimiser step {progress.step}.",
                        rule=f"The last good checkpoint is {checkpoint.path}, of step {good}.",
                        next_step="Lower the learning rate (-R muon_lr=…, -R lr=…) and start with --fresh.",
                    )
                with writing(log.path, keep):
                    log.write(line)
            elif log.silent_for() > SILENCE:
                log.tell(
                    f"optimiser step {progress.step:,} of {last:,}, {clock.left(progress.step, last)} left"
                )
            if validation is not None and (
                done or (recipe.validate_every and progress.step % recipe.validate_every == 0)
            ):
                accuracy = exact_accuracy(
                    full, net.state_dict() if average is None else average.shadow, validation, dtype, device
                )
                low, high = wilson(accuracy, items)
                interval = {"validation_low": low, "validation_high": high, "validation_items": items}
                stalled = progress.stalled(accuracy, recipe.patience)
                with writing(log.path, keep):
                    log.write({"optimiser_step": progress.step, "validation_exact": accuracy, **interval})
            kept = keep_every and progress.step % keep_every == 0
            if kept and not (done or stalled):
                save_weights(f"weights-{progress.step}.safetensors")
            if due and not done:
                clock.checkpointed(progress)
                checkpoint.save(progress, carries)
                good = progress.step
    batches.close()
    finished = stalled or progress.step == last
    clock.checkpointed(progress)
    checkpoint.save(progress, carries)
    if finished and (progress.step > begun or not (folder / "weights.safetensors").exists()):
        save_weights("weights.safetensors")
    if not finished:
        log.tell(
            f"stopped at optimiser step {progress.step:,} of {last:,}; the same command goes on. "
            "Weights come at the end, or on the way by --keep-every"
        )
    log.close()
    if stopped and not finished:
        raise KeyboardInterrupt if signal.SIGINT in signals else SystemExit(128 + signal.SIGTERM)
    return Ended(
        finished=finished,
        optimiser_steps=progress.step,
        seconds=progress.seconds,
        validation=progress.accuracy,
        weights=folder / "weights.safetensors" if finished else None,
    )
