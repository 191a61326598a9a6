"""GRAM: the bound it trains on, the noise it draws, and what both are good for."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.distributions import Normal

from harness import registry
from harness.contracts import Budget
from harness.errors import UserError
from solvers.nets.flops import inference_flops, training_flops
from solvers.nets.infer import engine
from solvers.nets.model.config import GramConfig, TrmConfig
from solvers.nets.model.gram import GramNet, balanced_kl, kl_divergence
from solvers.nets.model.trm import TrmNet
from solvers.nets.recipes import Recipe
from solvers.nets.solver import NetSolver
from solvers.nets.train.data import TrainingSet
from solvers.nets.train.loop import train
from solvers.nets.train.run import changed
from solvers.nets.train.supervision import fresh_carry, supervise
from solvers.nets.weights import files as weights
from tests.test_training import CPU, TINY, CopyCodec, copy_task, tiny_recipe

SMALL = {"vocab_size": 6, "seq_len": 9, "L_layers": 1} | TINY


def random_net(**fields: object) -> GramNet:
    """A net whose Gaussians are no longer the same everywhere, as they are at the start."""
    torch.manual_seed(0)
    net = GramNet(GramConfig(**SMALL | fields))
    for guidance in (net.prior, net.posterior):
        for head in (guidance.mean, guidance.spread):
            torch.nn.init.normal_(head.down_proj.weight, std=0.05)
    torch.nn.init.normal_(net.q_head.weight)
    return net


def batch(n: int = 4) -> dict[str, torch.Tensor]:
    tokens = torch.randint(1, 5, (n, 9), generator=torch.Generator().manual_seed(1))
    zeros = torch.zeros(n, dtype=torch.long)
    return {"tokens": tokens, "labels": tokens % 4 + 1, "ids": zeros, "least": zeros}


def tiny_gram(**changes: object) -> Recipe:
    base = tiny_recipe(label_smoothing=0.0, ema=0.9)
    return dataclasses.replace(base, net="gram", config=TINY | {"normalised_swiglu": True}, **changes)


# The bound.


def test_the_divergence_is_that_of_torch_distributions() -> None:
    draw = torch.Generator().manual_seed(0)
    q, p = ((torch.randn(3, 5, generator=draw), torch.randn(3, 5, generator=draw)) for _ in range(2))
    wanted = torch.distributions.kl_divergence(Normal(q[0], q[1].exp()), Normal(p[0], p[1].exp()))
    torch.testing.assert_close(kl_divergence(q, p), wanted)
    for balance in (0.0, 0.8, 1.0):
        torch.testing.assert_close(balanced_kl(q, p, balance), wanted)
    torch.testing.assert_close(kl_divergence(q, q), torch.zeros(3, 5))


def test_balancing_divides_the_gradient_between_prior_and_posterior() -> None:
    def gradients(divergence: object) -> list[torch.Tensor]:
        draw = torch.Generator().manual_seed(0)
        leaves = [torch.randn(5, generator=draw).requires_grad_() for _ in range(4)]
        divergence((leaves[0], leaves[1]), (leaves[2], leaves[3])).sum().backward()  # type: ignore[operator]
        return [leaf.grad for leaf in leaves if leaf.grad is not None]

    whole = gradients(kl_divergence)
    for ours, full, share in zip(
        gradients(lambda q, p: balanced_kl(q, p, 0.8)), whole, (0.2, 0.2, 0.8, 0.8), strict=True
    ):
        torch.testing.assert_close(ours, share * full)


def gradient_reaches(net: GramNet, loss: torch.Tensor) -> set[str]:
    net.zero_grad()
    loss.backward(retain_graph=True)
    return {
        name.split(".")[0]
        for name, p in net.named_parameters()
        if p.grad is not None and p.grad.abs().sum() > 0
    }


@pytest.mark.parametrize("kl_over", ["last", "all"])
def test_reconstruction_moves_the_posterior_divergence_moves_both(kl_over: str) -> None:
    net, data = random_net(kl_over=kl_over), batch()
    x = net.embed(data["tokens"], None, torch.float32)
    done = net.train_step(net.initial_in_training(4, torch.float32), x, data["labels"])
    reconstruction = torch.nn.functional.cross_entropy(done.logits.flatten(0, 1), data["labels"].flatten())
    assert gradient_reaches(net, reconstruction) >= {"posterior", "L_level", "lm_head"}
    assert "prior" not in gradient_reaches(net, reconstruction)
    assert done.extra_loss is not None
    assert gradient_reaches(net, done.extra_loss) >= {"posterior", "prior"}
    # appendix A.1: the halting loss stops at its head
    assert gradient_reaches(net, done.q.sum()) == {"q_head"}


def test_the_loss_is_reconstruction_plus_the_weighted_divergence_per_cell() -> None:
    values = {}
    for kl_weight in (0.0, 0.1, 1.0):
        net, data = random_net(kl_weight=kl_weight), batch()
        torch.manual_seed(7)
        _, result = supervise(
            net, fresh_carry(net, data, torch.float32), data, dtype=torch.float32, loss="softmax"
        )
        assert result.extra_loss is not None
        values[kl_weight] = (result.loss_sum.item(), result.extra_loss.item())
    assert values[0.0][1] == 0
    assert values[1.0][1] > 0
    assert values[0.1][1] == pytest.approx(values[1.0][1] / 10, rel=1e-5)
    assert values[1.0][0] - values[0.0][0] == pytest.approx(values[1.0][1], rel=1e-4)


def test_summing_over_all_transitions_gives_the_whole_bound_of_a_supervision_step() -> None:
    """Every cycle's divergence recomputed one by one along the same trajectory; the paper's surrogate
    keeps the last.
    """
    terms = {}
    for kl_over in ("last", "all"):
        net, data = random_net(kl_over=kl_over, kl_weight=1.0), batch()
        x = net.embed(data["tokens"], None, torch.float32)
        torch.manual_seed(7)
        done = net.train_step(net.initial_in_training(4, torch.float32), x, data["labels"])
        assert done.extra_loss is not None
        terms[kl_over] = done.extra_loss.item() * 9

    torch.manual_seed(7)
    noise = torch.randn(4, *net.noise_shape)
    with torch.no_grad():
        z_H, z_L = net.initial(4, torch.float32)
        y = net.posterior.embed(data["labels"], net.prefix, torch.float32)
        each = []
        for cycle in range(net.config.H_cycles):
            for _ in range(net.config.L_cycles):
                z_L = net.L_level(z_L, z_H + x, net.rope)
            u = net.L_level(z_H, z_L, net.rope)
            q, p = (Normal(mean, log.exp()) for mean, log in (net.posterior(u + y), net.prior(u)))
            each.append(torch.distributions.kl_divergence(q, p).sum().item())
            z_H = u + q.mean + q.stddev * noise[:, cycle]
    assert terms["last"] == pytest.approx(each[-1], rel=1e-4)
    assert terms["all"] == pytest.approx(sum(each), rel=1e-4)


def test_cells_without_a_label_tell_the_posterior_nothing() -> None:
    net = random_net()
    labels = torch.tensor([[-100, 3, -100, 1, 1, 1, 1, 1, 1]])
    y = net.posterior.embed(labels, net.prefix, torch.float32)
    assert y.shape == (1, 9 + net.prefix, 16)
    silent = [0, net.prefix, net.prefix + 2]  # the prefix and the two cells
    assert (y[0, silent] == 0).all()
    assert (y[0].abs().sum(-1) > 0).sum() == 7


# The noise.


@pytest.mark.parametrize("variant", [{}, {"single_z": True}, {"H_layers": 1, "gradient": "application"}])
def test_without_spread_and_direction_it_is_the_deterministic_recursion(variant: dict) -> None:
    config = SMALL | variant
    torch.manual_seed(0)
    net = GramNet(GramConfig(**config))  # both Gaussians still have mean zero
    plain = TrmNet(TrmConfig(**config))
    plain.load_state_dict(
        {k: t for k, t in net.state_dict().items() if not k.startswith(("prior.", "posterior."))}
    )
    x = net.embed(batch()["tokens"], None, torch.float32)
    z, wanted = net.initial(4, torch.float32), plain.initial(4, torch.float32)
    for _ in range(3):
        z, wanted = net.step(z, x, torch.zeros(4, *net.noise_shape)), plain.step(wanted, x)
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(z, wanted, strict=True))
    noisy = net.step(z, x, torch.ones(4, *net.noise_shape))
    assert not torch.equal(noisy[0], plain.step(wanted, x)[0])


def rollouts(net: GramNet, tokens: np.ndarray, seeds: range, batch_size: int) -> dict[int, engine.Finished]:
    depth = net.config.halt_max_steps
    jobs = engine.answer(
        net,
        tokens,
        depths=[depth],
        halt="never",
        batch_size=batch_size,
        dtype=torch.float64,  # so that no answer hangs on how a batch is rounded
        device=CPU,
        noise_seeds=seeds,
    )
    return {job.job: job for job in jobs}


def test_a_rollout_depends_on_its_seed_and_not_on_its_neighbours() -> None:
    net, tokens = random_net(), np.repeat(batch(1)["tokens"].numpy(), 12, 0)
    alone = rollouts(net, tokens, range(5, 17), batch_size=1)
    together = rollouts(net, tokens, range(5, 17), batch_size=7)
    others = rollouts(net, tokens, range(50, 62), batch_size=7)
    for job in range(12):
        assert together[job].halt_score == pytest.approx(alone[job].halt_score, abs=1e-4)
        assert together[job].halt_score != pytest.approx(others[job].halt_score, abs=1e-4)
        assert (together[job].tokens_at[3] == alone[job].tokens_at[3]).all()
    assert len({tuple(job.tokens_at[3]) for job in together.values()}) > 1


def test_noise_without_seeds_is_refused() -> None:
    with pytest.raises(ValueError, match="needs noise_seeds"):
        list(
            engine.answer(
                random_net(),
                np.zeros((1, 9), int),
                depths=[1],
                halt="never",
                batch_size=1,
                dtype=torch.float32,
                device=CPU,
            )
        )


# Training.


class TwoAnswers(CopyCodec):
    """Two cells; the first has two right answers, the second one."""

    length, height, width = 2, 1, 2


def two_answers(n: int, seed: int) -> TrainingSet:
    rng = np.random.default_rng(seed)
    tokens = rng.integers(1, 5, (n, 2))
    labels = tokens % 4 + 1
    labels[:, 0] = (tokens[:, 0] + rng.integers(0, 2, n)) % 4 + 1
    return TrainingSet(tokens=tokens, labels=labels, ids=np.zeros(n, dtype=np.int64), codec=TwoAnswers())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a short training run on puzzles with two answers."""
    fields = TINY | {
        "L_layers": 1,
        "L_cycles": 1,
        "halt_max_steps": 2,
        "puzzle_emb_len": 0,
        "puzzle_emb_ndim": 0,
        "normalised_swiglu": True,
    }
    chosen = tiny_gram(optimiser_steps=200, batch_size=32, augment=False)
    chosen = dataclasses.replace(chosen, config=fields | {"kl_weight": 2.0, "kl_over": "all"})
    folder = tmp_path_factory.mktemp("trained")
    train(chosen, two_answers(512, 0), folder, seed=0, device=CPU, report_every=10, say=lambda _: None)
    return folder


def test_the_bound_rises_and_with_it_the_answers_of_the_prior(trained: Path) -> None:
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    first, *_, last = [line for line in lines if "loss" in line]
    assert last["token_loss"] + last["extra_loss"] < 0.5 * (first["token_loss"] + first["extra_loss"])
    assert first["exact"] < 0.2
    assert last["exact"] > 0.35  # of a rollout that has not seen the answer; 0.5 is the most it can be


def test_where_two_answers_are_right_rollouts_find_both(trained: Path) -> None:
    net, held, K = weights.load(trained / "weights.safetensors").net, two_answers(40, 1), 8
    assert isinstance(net, GramNet)
    done = rollouts(net, np.repeat(held.tokens, K, 0), range(1, 40 * K + 1), batch_size=512)
    right = np.array(
        [[(done[i * K + k].tokens_at[2] == held.labels[i]).all() for k in range(K)] for i in range(40)]
    )
    assert 0.3 < right.mean() < 0.6
    assert right.any(1).mean() > 0.7  # a deterministic net gives one answer: half the puzzles at most


def test_a_run_stopped_and_resumed_gives_the_same_bits(tmp_path: Path) -> None:
    chosen = tiny_gram(optimiser_steps=4, accumulate=2)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(chosen, copy_task(), whole, seed=3, device=CPU, say=lambda _: None)
    while not train(
        chosen, copy_task(), parts, seed=3, device=CPU, max_minutes=0.0, report_every=1, say=lambda _: None
    ).finished:
        pass
    for file in ("weights.safetensors", "checkpoint.safetensors"):
        ours, theirs = load_file(whole / file), load_file(parts / file)
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert {"carry0/z0", "carry0/z3"} <= ours.keys()  # both rollouts are carried


def test_training_flops_count_the_posterior_and_the_second_rollout() -> None:
    config = GramConfig(**SMALL)
    plain = TrmConfig(**SMALL)
    S, D, inner = 9 + 1, 16, 256
    head = 2 * S * 3 * D * inner  # one SwiGLU
    assert inference_flops(config) == inference_flops(plain) + config.H_cycles * 2 * head
    forward = inference_flops(config)
    assert training_flops(config) > training_flops(plain) + forward + config.H_cycles * 2 * head
    every = GramConfig(**SMALL | {"kl_over": "all"})
    assert training_flops(every) > training_flops(config)


# Files, options, the solver.


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    net = random_net(seq_len=16, kl_weight=0.25)
    path = tmp_path / "gram.safetensors"
    weights.save(path, net_name="gram", net=net, state=net.state_dict(), record={}, dtype=torch.float32)
    return path


def test_a_net_comes_back_from_its_file_as_it_was(saved: Path) -> None:
    loaded = weights.load(saved)
    assert isinstance(loaded.net, GramNet)
    assert loaded.net.config.kl_weight == 0.25
    ours = load_file(saved)
    assert all(torch.equal(t, ours[name]) for name, t in loaded.net.state_dict().items())
    posterior = sum(t.numel() for name, t in ours.items() if name.startswith("posterior."))
    ledger = loaded.parameters
    assert ledger.stored == sum(t.numel() for t in ours.values())
    assert ledger.active == ledger.stored - posterior  # it needs the answer: training alone has it


def test_samples_draw_rollouts_without_any_further_option(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NetSolver, "_torch_dtype", lambda _: torch.float64)  # no answer hangs on rounding
    task = registry.create("task", "sudoku", {"size": 4})
    puzzles = [puzzle for puzzle, _ in task.load(split="test", seed=0, limit=4, data_dir=None)]

    def answers(**options: object) -> dict[str, object]:
        solver = registry.create("solver", "gram", {"weights": saved, "halt": "never", **options}).for_task(
            task
        )
        return {
            a.puzzle_id: (a.answer, a.samples, a.detail)
            for a in solver.solve(task, puzzles, Budget(seed=options.get("seed", 0)))
        }  # type: ignore[arg-type]

    assert all(samples == 5 and detail["votes"] <= 5 for _, samples, detail in answers(samples=5).values())  # type: ignore[misc]
    assert answers(samples=3, batch_size=1) == answers(samples=3, batch_size=64)


def test_recipe_options_reach_the_variational_terms() -> None:
    chosen = changed(tiny_gram(), {"config.kl_weight": "0.5", "config.kl_over": "all"})
    assert chosen.config["kl_weight"] == 0.5
    assert chosen.config["kl_over"] == "all"
    with pytest.raises(UserError, match=r"no field 'config\.kl_weight'"):
        changed(tiny_recipe(), {"config.kl_weight": "0.5"})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kl_weight": -1.0}, "kl_weight is -1.0"),
        ({"kl_balance": 1.5}, "kl_balance is 1.5"),
        ({"no_ACT_continue": False}, "no continue loss"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        GramConfig(**SMALL | fields)
