"""Generative Recursive Reasoning, GRAM (arXiv 2605.19376): the recursion of TRM with a learned perturbation
of the answer latent.

Each high-level update first proposes u = f_H(h, l), then adds eps drawn from a Gaussian whose mean and spread
depend on u (equations 4-9): h = u + eps. In training eps comes from a posterior q(eps | u, y) that sees the
answer y, at test time from the prior p(eps | u); both are learned together by maximising the evidence lower
bound of equation 14, so that many rollouts of one puzzle explore different ways to solve it. The low-level
updates stay deterministic (section 2.1).

Written from summaries of the paper and from what independent re-implementations report of it; the paper
itself was not at hand and its authors have published no code. Taken from there: equations 4-9 and 14,
gradients through the last transition of a supervision step alone, mean and spread each by a SwiGLU of the
latent's width (table 4), the posterior fed u + embed(y), KL balancing with 0.8 (appendix B.2), batch 768,
learning rate 1e-4, weight decay 1, EMA 0.9999. Ours, for want of a source:

- the spread is exp of a value held between -5 and 1, per position and channel; both Gaussians start with mean
  0 and spread e^-2;
- the answer has an embedding table of its own in the posterior;
- the loss is the negative bound divided by the number of scored cells, with weight `kl_weight` on the
  Kullback-Leibler term (the paper's weight differs from task to task, 0.045 to 0.5 as reported, in units we
  do not know);
- `kl_over="all"`: every transition of a supervision step pays for what its posterior knows, the earlier ones
  without gradient into the recursion. Under equation 14 ("last") they pass the answer on for nothing, and the
  prior, which seldom meets a latent that does not know the answer, learns slowly: of 200 Sudoku 4×4 a rollout
  solves 16 % with "last" and weight 0.1, 70 % with "all" and 0.1, 99.5 % with "all" and 1 (one seed, width
  64, 300 optimiser steps of 48 puzzles);
- training carries a second rollout, drawn from the prior without gradient: the halting head is trained and
  slots halt by its answers, since those of a posterior that knows the answer say nothing about a puzzle
  posed. The halting loss reaches the halting head alone, as in appendix A.1;
- no value head (the latent process reward model of appendix A.2): rollouts are ranked by votes or by the
  halting logit.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from solvers.nets.model.config import GramConfig
from solvers.nets.model.layers import IGNORE, Embedding, SwiGLU, at_least_float32
from solvers.nets.model.recursive import State, TrainStep
from solvers.nets.model.trm import TrmNet

Gaussian = tuple[Tensor, Tensor]
"""Mean and log standard deviation, float32 or better, (B, S, D) each."""


class Guidance(nn.Module):
    """A diagonal Gaussian over the perturbation, given the proposal (B, S, D); at first mean 0 and spread
    e^-2 for all.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        # inner width = width where that is a multiple of 256
        self.mean, self.spread = SwiGLU(width, 1.5), SwiGLU(width, 1.5)
        with torch.no_grad():
            self.mean.down_proj.weight.zero_()
            self.spread.down_proj.weight.zero_()

    def forward(self, u: Tensor) -> Gaussian:
        return at_least_float32(self.mean(u)), 3 * torch.tanh(at_least_float32(self.spread(u))) - 2


class Posterior(Guidance):
    """The Gaussian that sees the answer."""

    def __init__(self, width: int, vocab: int) -> None:
        super().__init__(width)
        self.answer = Embedding(vocab, width, 1.0)

    def embed(self, labels_BL: Tensor, prefix: int, dtype: torch.dtype) -> Tensor:
        """Return the answer as (B, S, D), zero on the prefix and on cells without a label."""
        scored = labels_BL != IGNORE
        y = self.answer(labels_BL.where(scored, 0), dtype) * scored[..., None]
        return nn.functional.pad(y, (0, 0, prefix, 0))


def kl_divergence(q: Gaussian, p: Gaussian) -> Tensor:
    """Return KL(q || p) of diagonal Gaussians, elementwise."""
    (q_mean, q_log), (p_mean, p_log) = q, p
    return p_log - q_log + 0.5 * ((2 * q_log).exp() + (q_mean - p_mean).square()) * (-2 * p_log).exp() - 0.5


def balanced_kl(q: Gaussian, p: Gaussian, balance: float) -> Tensor:
    """Return the value of KL(q || p) whose gradient reaches p with weight `balance`, q with the rest
    (DreamerV2, algorithm 2).
    """
    to_prior = kl_divergence((q[0].detach(), q[1].detach()), p)
    to_posterior = kl_divergence(q, (p[0].detach(), p[1].detach()))
    return balance * to_prior + (1 - balance) * to_posterior


class GramNet(TrmNet):
    """TRM with stochastic high-level updates. In training the carried state holds two rollouts: the
    posterior's, the prior's.
    """

    stochastic = True
    config: GramConfig

    def __init__(self, config: GramConfig) -> None:
        super().__init__(config)
        self.prior = Guidance(config.hidden_size)
        self.posterior = Posterior(config.hidden_size, config.vocab_size)

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        """Standard normals that a supervision step takes for one puzzle: one (S, D) per cycle."""
        return self.config.H_cycles, self.config.seq_len + self.prefix, self.config.hidden_size

    def step(self, z: State, x: Tensor, noise: Tensor | None = None) -> State:
        """Do one supervision step under the prior.

        noise: standard normals (B, *noise_shape); zeros give the mean of every perturbation; None: drawn from
        torch's own generator.
        """
        return self._transitions(z, x, self._drawn(x) if noise is None else noise, None)[0]

    def initial_in_training(self, B: int, dtype: torch.dtype) -> State:
        return (*self.initial(B, dtype), *self.initial(B, dtype))

    def train_step(self, z: State, x: Tensor, labels_BL: Tensor) -> TrainStep:
        """Do one supervision step of both rollouts; the noise comes from torch's own generator."""
        half = len(z) // 2
        guided, kl = self._transitions(z[:half], x, self._drawn(x), labels_BL)
        logits, _ = self.read(guided)
        with torch.no_grad():
            free = self.step(z[half:], x)
        answer, q = self.read(free)
        cells = (labels_BL != IGNORE).sum(-1).clamp_min(1)
        extra = self.config.kl_weight * (kl.sum((1, 2)) / cells).sum()
        return TrainStep(z=(*guided, *free), logits=logits, q=q, answer=answer.detach(), extra_loss=extra)

    def compile_levels(self, **options: Any) -> None:
        super().compile_levels(**options)
        self.prior.compile(**options)
        self.posterior.compile(**options)

    def _drawn(self, x: Tensor) -> Tensor:
        return torch.randn(len(x), *self.noise_shape, device=x.device)

    def _transitions(
        self, z: State, x: Tensor, noise: Tensor, labels_BL: Tensor | None
    ) -> tuple[State, Tensor]:
        """Do the cycles of a supervision step, under the posterior if there are labels.

        Return the latents and the Kullback-Leibler term (B, S, D), zeros under the prior: of the last
        transition, the only one whose recursion has a gradient (equation 14), or summed over all.
        """
        applications, cut = self._applications()
        training, everywhere = torch.is_grad_enabled(), self.config.kl_over == "all"
        networks = self._levels(x, len(applications) - cut if training else len(applications))
        with torch.no_grad():
            forward = self._levels(x, cut) if training else networks
        y = None if labels_BL is None else self.posterior.embed(labels_BL, self.prefix, x.dtype)
        kl, cycle = torch.zeros_like(at_least_float32(x)), 0
        for index, update in enumerate(applications):
            with torch.set_grad_enabled(training and index >= cut):
                z = self._recur([update], z, x, networks if index >= cut else forward)
            if update == "L":
                continue
            u = z[0]
            with torch.set_grad_enabled(training and (index >= cut or everywhere)):
                mean, log_spread = self.prior(u) if y is None else self.posterior(u + y)
                if y is not None and (index >= cut or everywhere):
                    kl = kl + balanced_kl((mean, log_spread), self.prior(u), self.config.kl_balance)
                eps = mean + log_spread.exp() * noise[:, cycle]
                z = (u + (eps if index >= cut else eps.detach()).to(u.dtype), *z[1:])
            cycle += 1
        return z, kl
