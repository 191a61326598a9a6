"""Deep supervision with a carried state: what happens around a net's supervision step, in training (TRM
paper, algorithm 3).

A training batch is B slots. Each call does one supervision step for every slot; a slot whose sequence has
halted takes a new puzzle and starts from the initial latents at the next call.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from solvers.nets.model.layers import IGNORE, softmax_cross_entropy, stablemax_cross_entropy


@dataclass
class Carry:
    """The slots between two supervision steps."""

    z: tuple[Tensor, ...]  # each (B, S, D), detached
    tokens: Tensor  # (B, L)
    labels: Tensor  # (B, L)
    ids: Tensor  # (B,)
    steps: Tensor  # (B,) supervision steps done on the sequence in the slot
    halted: Tensor  # (B,) bool: the slot takes a new sequence at the next call

    def tensors(self) -> dict[str, Tensor]:
        """Return all state by name, for checkpoints."""
        named = {f"z{i}": z for i, z in enumerate(self.z)}
        return named | {n: getattr(self, n) for n in ("tokens", "labels", "ids", "steps", "halted")}

    @classmethod
    def from_tensors(cls, named: dict[str, Tensor]) -> Carry:
        latents = sorted(n for n in named if n.startswith("z") and n[1:].isdigit())
        return cls(z=tuple(named[n] for n in latents), **{n: t for n, t in named.items() if n not in latents})


def fresh_carry(
    net: Any, batch: dict[str, Tensor], dtype: torch.dtype, stagger: Tensor | None = None
) -> Carry:
    """Return the carry before the first call, every slot holding its sequence of `batch`.

    stagger: (B,) supervision steps a slot counts as already done, so that slots do not all take new sequences
    at once; None: every slot starts its sequence at the first call, as published.
    """
    B = len(batch["tokens"])
    device = batch["tokens"].device
    return Carry(
        z=tuple(z.clone() for z in net.initial_in_training(B, dtype)),
        tokens=batch["tokens"].clone(),
        labels=batch["labels"].clone(),
        ids=batch["ids"].clone(),
        steps=torch.zeros(B, dtype=torch.long, device=device) if stagger is None else stagger.clone(),
        halted=torch.full((B,), stagger is None, device=device),
    )


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """One supervision step of a batch. Tensors keep the graph where they carry gradients."""

    # scalar: token loss per sequence + halt_weight · halting losses + the net's own, summed over slots
    loss_sum: Tensor
    token_loss: Tensor  # scalar, detached
    halt_loss: Tensor
    continue_loss: Tensor | None
    extra_loss: Tensor | None  # the net's own, e.g. a Kullback-Leibler term
    halted: Tensor  # (B,)
    counted: Tensor  # (B,) halted and with a cell to score: what accuracies are over
    correct: Tensor  # (B,) all scored cells right
    cell_accuracy: Tensor  # (B,)
    steps: Tensor  # (B,)
    q_halt: Tensor  # (B,)
    logits: Tensor  # (B, L, V)

    def detached(self) -> StepResult:
        """Return the same without a graph."""
        return replace(self, loss_sum=self.loss_sum.detach(), logits=self.logits.detach())


def supervise(
    net: Any,
    carry: Carry,
    batch: dict[str, Tensor],
    *,
    dtype: torch.dtype,
    loss: str = "stablemax",
    label_smoothing: float = 0.0,
    halt_weight: float = 0.5,
) -> tuple[Carry, StepResult]:
    """Do one supervision step with its losses; halted slots restart from `batch`.

    batch: tokens (B, L), labels (B, L), ids (B,), where there are some proposals (B, L), see
    `RecursiveNet.start_from`, and least (B,), the supervision steps before which a slot
    may not halt (halting exploration, HRM paper section 2; 0 for none).
    """
    c = net.config
    new = carry.halted
    tokens = torch.where(new[:, None], batch["tokens"], carry.tokens)
    labels = torch.where(new[:, None], batch["labels"], carry.labels)
    ids = torch.where(new, batch["ids"], carry.ids)
    starts = net.initial_in_training(len(tokens), dtype)
    if "proposals" in batch:
        starts = net.start_from(starts, batch["proposals"])
    z = tuple(torch.where(new[:, None, None], start, old) for start, old in zip(starts, carry.z, strict=True))
    steps = torch.where(new, 0, carry.steps) + 1

    x = net.embed(tokens, ids, dtype)
    done = net.train_step(z, x, labels)
    z, logits = done.z, done.logits
    q_halt, q_continue = done.q.unbind(-1)

    scored = labels != IGNORE
    cells = scored.sum(-1).clamp_min(1)
    with torch.no_grad():
        right = (done.answer.argmax(-1) == labels) & scored
        correct = right.sum(-1) == scored.sum(-1)
        last = steps >= c.halt_max_steps
        halted = last
        if c.halt_max_steps > 1:
            wants = q_halt > 0 if c.no_ACT_continue else q_halt > q_continue
            halted = last | (wants & (steps >= batch["least"]))

    if loss == "stablemax":
        per_cell = stablemax_cross_entropy(logits, labels)
    else:
        per_cell = softmax_cross_entropy(logits, labels, label_smoothing)
    token_loss = (per_cell / cells[:, None]).sum()
    halt_loss = F.binary_cross_entropy_with_logits(q_halt, correct.to(q_halt.dtype), reduction="sum")
    loss_sum = token_loss + halt_weight * halt_loss
    continue_loss = None
    if not c.no_ACT_continue and c.halt_max_steps > 1:
        with torch.no_grad():  # one-step bootstrap of the value of going on (HRM paper, eq. for G_continue)
            _, q_next = net.read(net.step(tuple(t.detach() for t in z), x.detach()))
            target = torch.sigmoid(torch.where(last, q_next[:, 0], q_next.amax(-1)))
        continue_loss = F.binary_cross_entropy_with_logits(q_continue, target, reduction="sum")
        loss_sum = loss_sum + halt_weight * continue_loss
    if done.extra_loss is not None:
        loss_sum = loss_sum + done.extra_loss

    after = Carry(tuple(t.detach() for t in z), tokens, labels, ids, steps, halted)
    return after, StepResult(
        loss_sum=loss_sum,
        token_loss=token_loss.detach(),
        halt_loss=halt_loss.detach(),
        continue_loss=None if continue_loss is None else continue_loss.detach(),
        extra_loss=None if done.extra_loss is None else done.extra_loss.detach(),
        halted=halted,
        counted=halted & scored.any(-1),
        correct=correct,
        cell_accuracy=(right / cells[:, None]).sum(-1),
        steps=steps,
        q_halt=q_halt.detach(),
        logits=logits,
    )
