"""Inference: many puzzles through one recursive net, a supervision step at a time, without waiting for the
slowest.

Puzzles sit in the rows of a batch. After every supervision step the rows that are finished (deep enough, or
sure enough) leave and waiting puzzles take their place, so an easy puzzle costs few steps and the batch stays
full.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from solvers.nets.fast import memory
from solvers.nets.fast import switch as fast

Halt = Literal["score", "agree", "never"]


@dataclass(frozen=True, kw_only=True)
class Finished:
    """One job done: output tokens (L,) after each asked depth that was reached, the last being the answer."""

    job: int
    depth: int  # supervision steps done
    tokens_at: dict[int, NDArray[np.int64]]  # asked depth (and the final one) -> tokens
    scores_at: dict[int, float]  # the same depths -> halting logit
    halt_score: float  # halting logit after the last step
    entered: float  # when it entered the batch, by time.perf_counter
    seconds: float  # from then to leaving it
    device_seconds: float  # its share of the batch's time


class Jobs(Protocol):
    """What the engine answers: tokens int64 (n, L) of any list of n jobs. A numpy array (N, L) is one."""

    def __len__(self) -> int: ...
    def __getitem__(self, jobs: list[int], /) -> NDArray[np.int64]: ...


class Seeds(Protocol):
    """A seed per job; 0 means no noise: the undisturbed rollout, and the mean of a stochastic net."""

    def __getitem__(self, job: int, /) -> int: ...


@dataclass
class Rows:
    """The live rows of the batch; the first axis of every tensor is the row."""

    z: tuple[Tensor, ...]
    x: Tensor
    job: list[int]
    depth: list[int]
    entered: list[float]
    busy: list[float]
    previous: Tensor  # (B, L) output tokens one step before; -1 at the start
    kept: list[dict[int, NDArray[np.int64]]]
    scores: list[dict[int, float]]
    rng: list[torch.Generator | None]  # of the row's own noise; None for none


def answer(
    net: Any,
    tokens: Jobs,
    *,
    ids: NDArray[np.int64] | None = None,
    depths: Sequence[int],
    halt: Halt,
    batch_size: int,
    dtype: torch.dtype,
    device: torch.device,
    noise: float = 0.0,
    noise_seeds: Seeds | None = None,
    queue: deque[int] | None = None,
    proposals: Jobs | None = None,
) -> Iterator[Finished]:
    """Answer every job, yielding them as they finish.

    queue: the jobs to do, from the left; the caller may add to it between two results. None: all of them, in
    order. depths: supervision steps after which the answer is kept, ascending; the last is the most a puzzle
    may use. halt: leave earlier when the halting logit is positive ("score"), when two steps in a row give
    the same answer ("agree"), or never. noise: standard deviation of Gaussian noise on the reasoning latent
    before every supervision step (PTRM, arXiv 2605.19943, section 4 and figure 4, read in summaries: z <- z +
    noise; z, y <- recursion(x, z, y)). A net that is stochastic itself (`net.stochastic`) gets standard
    normals of shape (B, *net.noise_shape) with every step. Both come from `noise_seeds`, a generator of its
    own for each job on `device`, so that a rollout does not depend on its neighbours in the batch. A batch
    that does not fit in memory is halved and its unfinished rows start again. proposals: of every job, the
    answer to start from, see `RecursiveNet.start_from`; None: all start from scratch.
    """
    if (noise or net.stochastic) and noise_seeds is None:
        raise ValueError("Noise needs noise_seeds.")
    waiting = deque(range(len(tokens))) if queue is None else queue
    deepest, wanted = max(depths), set(depths)
    rows: Rows | None = None
    if device.type == "cpu":
        memory.keep()
    net = net.to(device).eval()
    while waiting or rows is not None:
        try:
            with torch.inference_mode(), fast.faster():
                free = batch_size - (0 if rows is None else len(rows.job))
                if free > 0 and waiting:
                    taken = [waiting.popleft() for _ in range(min(free, len(waiting)))]
                    try:
                        entered = _enter(net, tokens, ids, taken, dtype, device, noise_seeds, proposals)
                        rows = _join(rows, entered)
                    except BaseException:
                        waiting.extendleft(taken[::-1])
                        raise
                assert rows is not None
                start = time.perf_counter()
                if noise:
                    rows.z = (
                        *rows.z[:-1],
                        rows.z[-1] + noise * _normals(rows, rows.z[-1].shape[1:], rows.z[-1].dtype),
                    )
                if net.stochastic:
                    rows.z = net.step(rows.z, rows.x, _normals(rows, net.noise_shape, torch.float32))
                else:
                    rows.z = net.step(rows.z, rows.x)
                logits, q = net.read(rows.z)
                output = logits.argmax(-1)
                stop = q[:, 0] > 0 if halt == "score" else (output == rows.previous).all(-1)
                answers, scores, stops = output.cpu().numpy(), q[:, 0].cpu().numpy(), stop.cpu().numpy()
                share = (time.perf_counter() - start) / len(rows.job)
                leave = []
                for i in range(len(rows.job)):
                    rows.depth[i] += 1
                    rows.busy[i] += share
                    done = rows.depth[i] >= deepest or (halt != "never" and bool(stops[i]))
                    if done or rows.depth[i] in wanted:
                        rows.kept[i][rows.depth[i]] = answers[i].astype(np.int64)
                        rows.scores[i][rows.depth[i]] = float(scores[i])
                    if done:
                        leave.append(i)
                rows.previous = output
        except RuntimeError as error:
            if not _out_of_memory(error) or batch_size == 1:
                raise
            if rows is not None:
                waiting.extendleft(rows.job[::-1])
                rows = None
            batch_size = max(1, batch_size // 2)
            if device.type == "cuda":
                torch.cuda.empty_cache()
            continue
        now = time.perf_counter()
        for i in leave:
            yield Finished(
                job=rows.job[i],
                depth=rows.depth[i],
                tokens_at=rows.kept[i],
                scores_at=rows.scores[i],
                halt_score=float(scores[i]),
                entered=rows.entered[i],
                seconds=now - rows.entered[i],
                device_seconds=rows.busy[i],
            )
        if leave:
            rows = _without(rows, leave)


def _enter(
    net: Any,
    tokens: Jobs,
    ids: NDArray[np.int64] | None,
    jobs: list[int],
    dtype: torch.dtype,
    device: torch.device,
    noise_seeds: Seeds | None,
    proposals: Jobs | None,
) -> Rows:
    batch = torch.from_numpy(np.ascontiguousarray(tokens[jobs])).to(device)
    batch_ids = None if ids is None else torch.from_numpy(np.ascontiguousarray(ids[jobs])).to(device)
    seeds = [0 if noise_seeds is None else noise_seeds[job] for job in jobs]
    z = net.initial(len(jobs), dtype)
    if proposals is not None:
        z = net.start_from(z, torch.from_numpy(np.ascontiguousarray(proposals[jobs])).to(device))
    now = time.perf_counter()
    return Rows(
        z=z,
        x=net.embed(batch, batch_ids, dtype),
        job=jobs,
        depth=[0] * len(jobs),
        entered=[now] * len(jobs),
        busy=[0.0] * len(jobs),
        previous=torch.full_like(batch, -1),
        kept=[{} for _ in jobs],
        scores=[{} for _ in jobs],
        rng=[torch.Generator(device).manual_seed(seed % 2**63) if seed else None for seed in seeds],
    )


def _normals(rows: Rows, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Return standard normals (B, *shape), every row from its own generator, zeros where it has none."""
    out = torch.zeros((len(rows.rng), *shape), device=rows.x.device)
    for row, generator in zip(out, rows.rng, strict=True):
        if generator is not None:
            row.normal_(generator=generator)
    return out.to(dtype)


def _join(old: Rows | None, new: Rows) -> Rows:
    if old is None:
        return new
    return Rows(
        z=tuple(torch.cat(pair) for pair in zip(old.z, new.z, strict=True)),
        x=torch.cat((old.x, new.x)),
        job=old.job + new.job,
        depth=old.depth + new.depth,
        entered=old.entered + new.entered,
        busy=old.busy + new.busy,
        previous=torch.cat((old.previous, new.previous)),
        kept=old.kept + new.kept,
        scores=old.scores + new.scores,
        rng=old.rng + new.rng,
    )


def _without(rows: Rows, leave: list[int]) -> Rows | None:
    gone = set(leave)
    stay = [i for i in range(len(rows.job)) if i not in gone]
    if not stay:
        return None
    index = torch.tensor(stay, device=rows.x.device)
    return Rows(
        z=tuple(t.index_select(0, index) for t in rows.z),
        x=rows.x.index_select(0, index),
        job=[rows.job[i] for i in stay],
        depth=[rows.depth[i] for i in stay],
        entered=[rows.entered[i] for i in stay],
        busy=[rows.busy[i] for i in stay],
        previous=rows.previous.index_select(0, index),
        kept=[rows.kept[i] for i in stay],
        scores=[rows.scores[i] for i in stay],
        rng=[rows.rng[i] for i in stay],
    )


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.cuda.OutOfMemoryError) or "can't allocate memory" in str(error)
