"""Speed of the full-size nets, ours against a plain rendering of the published loop, in one run: JSON on
standard output.

    python benchmarks/nets.py                     TRM-MLP on this machine's GPU, else its CPU python
    benchmarks/nets.py --weights FILE      puzzles a second on trained weights, with halting and compaction

Both sides train the same net (5,028,866 parameters, prefix of 16) by AdamW on the same batch, turn about, and
the median of the ratios is reported. The plain side is benchmarks/plain_trm.py, in inference our layers by
torch's own products: no compilation, no compaction, always full depth. On a CPU ours runs as it is best run
there, a process for each core as torchrun starts them; the plain side has all cores as threads of one
process. `peak_bytes` of training is what the side allocates at most on a GPU; on a CPU, by how much the
resident memory of its processes grows at most, summed (null where that cannot be asked).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

sys.path.insert(0, str(Path(__file__).resolve().parent))
from plain_trm import PlainTrm

from harness import registry
from harness.options import parse_pairs
from solvers.nets.fast import fused
from solvers.nets.flops import inference_flops, measured_peak, training_flops
from solvers.nets.infer import engine
from solvers.nets.model.trm import TrmNet
from solvers.nets.recipes import recipe
from solvers.nets.train.loop import Supervised, averaged_over_processes
from solvers.nets.train.optim import optimisers
from solvers.nets.train.supervision import fresh_carry
from solvers.nets.weights import files as weights


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--batch-size", type=int, default=None, help="training; default 768 on a GPU, 16 on a CPU"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="default: on a GPU, where no kernels fit",
    )
    parser.add_argument(
        "--processes", type=int, default=None, help="of our training on a CPU; default: one for each core"
    )
    parser.add_argument(
        "--weights", type=Path, help="a weights file of an MLP TRM; without it, only training is timed"
    )
    parser.add_argument("--task", default="sudoku", help="what the weights answer: its test split")
    parser.add_argument("-T", action="append", default=[], metavar="NAME=VALUE", help="an option of the task")
    parser.add_argument("--data-dir", type=Path, help="folder of local data files")
    parser.add_argument("--puzzles", type=int, default=256)
    parser.add_argument("--inference-batch-size", type=int, default=64)
    args = parser.parse_args()
    device = torch.device(args.device)
    on_gpu = device.type == "cuda"
    dtype = torch.bfloat16 if on_gpu else torch.float32
    batch = args.batch_size or (768 if on_gpu else 16)
    processes = 1 if on_gpu else args.processes or torch.get_num_threads()
    compiled = on_gpu if args.compile is None else args.compile
    report: dict[str, Any] = {
        "device": torch.cuda.get_device_name(device) if on_gpu else f"CPU, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "dtype": str(dtype).removeprefix("torch."),
        "measured_peak_flops": measured_peak(device.type, dtype),
        "training": training(device, dtype, batch, args.rounds, compiled, processes),
    }
    if args.weights:
        task = registry.create("task", args.task, parse_pairs(args.T, "-T"))
        items = task.load(split="test", seed=0, limit=args.puzzles, data_dir=args.data_dir)
        report["inference"] = inference(
            device, dtype, args.weights, task, items, args.inference_batch_size, args.rounds
        )
    for side in ("ours", "plain"):
        rate = report["training"][side]["flops_per_second"]
        report["training"][side]["share_of_peak"] = rate / report["measured_peak_flops"]
    print(json.dumps(report, indent=2))


def training(
    device: torch.device, dtype: torch.dtype, batch: int, rounds: int, compiled: bool, processes: int
) -> dict[str, Any]:
    """Time optimiser steps, turn about."""
    settings = (device, dtype, batch, compiled)
    sides: dict[str, Callable[[], None]]
    if device.type == "cuda":
        sides = {"plain": plain_trainer(*settings), "ours": our_trainer(*settings)}
    else:
        sides = {"plain": Processes("plain", 1, settings), "ours": Processes("ours", processes, settings)}
    for warm_up in sides.values():
        warm_up()
    timed = turn_about(sides, device, rounds)
    for side in sides.values():
        if isinstance(side, Processes):
            side.close()
    net = published_net()
    flops, latent = (
        training_flops(net.config) * batch,
        torch.empty(1, 97, net.config.hidden_size, dtype=dtype, device=device),
    )
    kernels = fused.usable(net.L_level, latent)
    return {
        "batch_size": batch,
        "kernels": kernels,
        "compiled": compiled and not kernels,
        "processes": processes,
        **{
            side: {
                "optimiser_steps_per_second": 1 / seconds,
                "flops_per_second": flops / seconds,
                "peak_bytes": peak,
            }
            for side, (seconds, peak) in timed["median"].items()
        },
        "ratio": timed["ratio"],
    }


def published_net() -> TrmNet:
    torch.manual_seed(0)
    return weights.build("trm", recipe("trm-sudoku-paper").config | {"vocab_size": 11, "seq_len": 81})


def random_batch(batch: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens and labels (B, 81)."""
    rng = np.random.default_rng(0)
    tokens, labels = rng.integers(1, 11, (batch, 81)), rng.integers(2, 11, (batch, 81))
    return torch.from_numpy(tokens).to(device), torch.from_numpy(labels).to(device)


def plain_trainer(
    device: torch.device, dtype: torch.dtype, batch: int, _compiled: bool, _rank: int = 0, _world: int = 1
) -> Callable[[], None]:
    """Return what does one optimiser step of the plain rendering."""
    chosen, net = recipe("trm-sudoku-paper"), published_net()
    config = net.config
    plain = PlainTrm(11, 81, config.hidden_size, 16, config.H_cycles, config.L_cycles, config.halt_max_steps)
    plain.load_from(net)
    plain.to(device)
    adam = torch.optim.AdamW(plain.parameters(), chosen.lr, chosen.betas, weight_decay=chosen.weight_decay)
    tokens, labels = random_batch(batch, device)
    latents = plain.start(batch, 97, dtype)

    def step() -> None:
        nonlocal latents
        loss, y, z = plain.loss(*latents, tokens, labels, dtype)
        (loss / batch).backward()
        adam.step()
        adam.zero_grad()
        latents = (y, z)

    return step


def our_trainer(
    device: torch.device, dtype: torch.dtype, batch: int, compiled: bool, rank: int = 0, world: int = 1
) -> Callable[[], None]:
    """Return what does one optimiser step as our training loop does it, with this process's share of the
    batch.
    """
    chosen, net = recipe("trm-sudoku-paper"), published_net().to(device).train()
    if compiled:
        net.compile_levels(dynamic=False)
    adam, share = optimisers(net, chosen), batch // world
    model: torch.nn.Module = Supervised(net, chosen, dtype)
    if world > 1:
        model = averaged_over_processes(model)
    tokens, labels = (rows[rank * share : (rank + 1) * share] for rows in random_batch(batch, device))
    zeros = torch.zeros(share, dtype=torch.long, device=device)
    pack = {"tokens": tokens, "labels": labels, "ids": zeros, "least": zeros}
    carry = fresh_carry(net, pack, dtype)

    def step() -> None:
        nonlocal carry
        carry, result = model(carry, pack)
        (result.loss_sum / share).backward()
        for optimiser in adam:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    return step


class Processes:
    """One side's training on several processes that share the cores as threads; a call is one optimiser
    step of them all.
    """

    def __init__(self, side: str, count: int, settings: tuple[Any, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        self.folder = tempfile.TemporaryDirectory()
        self.pipes, self.members = [], []
        self.peak_bytes: int | None = None  # after the latest step
        threads = max(1, torch.get_num_threads() // count)
        for rank in range(count):
            mine, theirs = context.Pipe()
            arguments = (theirs, side, f"{self.folder.name}/store", rank, count, threads, settings)
            member = context.Process(target=_member, args=arguments, daemon=True)
            member.start()
            theirs.close()
            self.pipes.append(mine)
            self.members.append(member)

    def __call__(self) -> None:
        for pipe in self.pipes:
            pipe.send("step")
        grown = [pipe.recv() for pipe in self.pipes]
        self.peak_bytes = None if None in grown else sum(grown)

    def close(self) -> None:
        for pipe, member in zip(self.pipes, self.members, strict=True):
            pipe.close()
            member.join()
        self.folder.cleanup()


def _member(
    pipe: Connection, side: str, store: str, rank: int, world: int, threads: int, settings: tuple[Any, ...]
) -> None:
    torch.set_num_threads(threads)
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
    before = peak_resident_bytes()
    step = (our_trainer if side == "ours" else plain_trainer)(*settings, rank, world)
    while True:
        try:
            pipe.recv()
        except EOFError:
            break
        step()
        after = peak_resident_bytes()
        pipe.send(None if before is None or after is None else after - before)
    if world > 1:
        dist.destroy_process_group()


def peak_resident_bytes() -> int | None:
    """Return the most memory that this process has held so far; None on systems that do not say (all but
    Linux).
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)


def inference(
    device: torch.device, dtype: torch.dtype, path: Path, task: Any, items: list[Any], batch: int, rounds: int
) -> dict[str, Any]:
    """Time answering puzzles: the plain loop at full depth, our engine stopping when two supervision steps
    agree.
    """
    loaded = weights.load(path)
    config, count = loaded.net.config, len(items)
    tokens = np.stack([task.grid.encode(puzzle) for puzzle, _ in items])
    net = loaded.net.to(device)
    answers: dict[str, dict[int, np.ndarray]] = {"plain": {}, "ours": {}}
    steps = 0

    def plain(last: int = count) -> None:
        with torch.inference_mode():
            for start in range(0, last, batch):
                part = torch.from_numpy(tokens[start : min(start + batch, last)]).to(device)
                z, x = net.initial(len(part), dtype), net.embed(part, None, dtype)
                for _ in range(config.halt_max_steps):
                    z = net.step(z, x)
                for row, output in enumerate(net.read(z)[0].argmax(-1).cpu().numpy()):
                    answers["plain"][start + row] = output

    def ours(last: int = count) -> None:
        nonlocal steps
        steps = 0
        for job in engine.answer(
            net,
            tokens[:last],
            depths=[config.halt_max_steps],
            halt="agree",
            batch_size=batch,
            dtype=dtype,
            device=device,
        ):
            answers["ours"][job.job] = job.tokens_at[job.depth]
            steps += job.depth

    for warm_up in (plain, ours):
        warm_up(min(batch if device.type == "cuda" else 2, count))
    timed = turn_about({"plain": plain, "ours": ours}, device, rounds)
    labels = [task.grid.encode_answer(puzzle, key.answers[0]) for puzzle, key in items]
    right = {
        side: sum(bool((got[i] == labels[i]).all()) for i in range(count)) for side, got in answers.items()
    }
    return {
        "weights": path.stem,
        "puzzles": count,
        **{
            side: {"puzzles_per_second": count / seconds, "correct": right[side]}
            for side, (seconds, _) in timed["median"].items()
        },
        "ratio": timed["ratio"],
        "same_answers": sum(bool((answers["plain"][i] == answers["ours"][i]).all()) for i in range(count)),
        "mean_supervision_steps": {"plain": config.halt_max_steps, "ours": steps / count},
        "flops_per_supervision_step": inference_flops(config),
    }


def turn_about(sides: dict[str, Callable[[], None]], device: torch.device, rounds: int) -> dict[str, Any]:
    """Run the sides, warmed up, in turn; return the median seconds and peak bytes of each, and the median
    ratio.
    """

    def once(call: Callable[[], None]) -> tuple[float, int | None]:
        if device.type == "cuda":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        start = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        return seconds, torch.cuda.max_memory_allocated() if device.type == "cuda" else getattr(
            call, "peak_bytes", None
        )

    runs = [{side: once(call) for side, call in sides.items()} for _ in range(rounds)]
    return {
        "median": {side: sorted(run[side] for run in runs)[rounds // 2] for side in sides},
        "ratio": statistics.median(run["plain"][0] / run["ours"][0] for run in runs),
    }


if __name__ == "__main__":
    main()
