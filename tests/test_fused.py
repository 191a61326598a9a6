"""The kernels say what the plain layers say, forward and backward; run by Triton's interpreter on a CPU
(`make test-kernels`).
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from solvers.nets.fast import fused
from solvers.nets.fast import switch as fast
from solvers.nets.model.layers import Block, Level
from solvers.nets.model.trm import TrmNet
from solvers.nets.weights import files as weights


def level(positions: int, width: int, normalised: bool) -> Level:
    torch.manual_seed(0)
    made = Level([Block(width, 2, 2.0, mixer_positions=positions, normalised=normalised) for _ in range(2)])
    for parameter in made.parameters():
        parameter.data *= 1.7  # so that the update weighs about as much as what it is added to
    return made


def test_shapes_the_kernels_were_not_written_for_are_left_to_the_layers() -> None:
    assert fused.fits(82, 512)
    assert fused.fits(36, 512)
    assert not any(fused.fits(S, D) for S, D in [(32, 512), (129, 512), (82, 768), (82, 256)])
    assert not fused.usable(level(36, 512, True), torch.zeros(1, 36, 512, dtype=torch.bfloat16))  # no GPU


@pytest.mark.kernels
@pytest.mark.parametrize(("positions", "width"), [(36, 128), (81, 256), (82, 128), (97, 128), (128, 128)])
@pytest.mark.parametrize("normalised", [True, False])
@torch.no_grad()
def test_a_level(positions: int, width: int, normalised: bool) -> None:
    plain = level(positions, width, normalised)
    z, injection = torch.randn(2, 3, positions, width).unbind(0)
    kernels = fused.StandIn(plain, torch.float32)
    torch.testing.assert_close(kernels(z, injection), plain(z, injection, None), atol=2e-5, rtol=0)


@pytest.mark.kernels
@pytest.mark.parametrize(("positions", "width"), [(36, 128), (81, 256), (97, 128), (128, 128)])
@pytest.mark.parametrize("normalised", [True, False])
def test_the_gradients_of_a_level(positions: int, width: int, normalised: bool) -> None:
    plain = level(positions, width, normalised)
    z, injection, towards = torch.randn(3, 3, positions, width).unbind(0)
    found = []
    for apply in (fused.StandIn(plain, torch.float32), plain):
        inputs = [z.clone().requires_grad_(), injection.clone().requires_grad_()]
        out = apply(*inputs, None)
        out.mul(towards).sum().backward()
        found.append((out.detach(), [leaf.grad for leaf in (*inputs, *plain.parameters())]))
        plain.zero_grad()
    (out, gradients), (plain_out, plain_gradients) = found
    torch.testing.assert_close(out, plain_out, atol=2e-5, rtol=0)
    for gradient, expected in zip(gradients, plain_gradients, strict=True):
        assert expected is not None
        assert expected.abs().amax() > 0.1
        torch.testing.assert_close(gradient, expected, atol=1e-5 * float(expected.abs().amax()), rtol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize(("positions", "width"), [(36, 128), (82, 512), (97, 512), (128, 512)])
@pytest.mark.parametrize("normalised", [True, False])
def test_on_a_gpu_the_kernels_are_closer_to_float32_than_the_layers(
    positions: int, width: int, normalised: bool
) -> None:
    plain = level(positions, width, normalised).cuda()
    given = torch.randn(3, 5, positions, width, device="cuda").unbind(0)
    if not fused.usable(plain, torch.zeros(1, 82, 512, device="cuda", dtype=torch.bfloat16)):
        pytest.skip("the kernels are not for this GPU")
    found = []
    for apply, dtype in (
        (plain, torch.float32),
        (plain, torch.bfloat16),
        (fused.StandIn(plain), torch.bfloat16),
    ):
        inputs = [tensor.to(dtype, copy=True).requires_grad_() for tensor in given[:2]]
        out = apply(*inputs, None)
        out.float().mul(given[2]).sum().backward()
        found.append([out.detach().float()] + [leaf.grad.float() for leaf in (*inputs, *plain.parameters())])  # type: ignore[union-attr]
        plain.zero_grad()
    for exact, layers, kernels in zip(*found, strict=True):
        assert (kernels - exact).norm() < (layers - exact).norm() < 0.06 * exact.norm()


CALLS: list[int] = []
"""Grows by one with every application of a level by the kernels."""


def net(monkeypatch: pytest.MonkeyPatch) -> TrmNet:
    """A net for which the kernels are used although it is on a CPU and in float32."""
    torch.manual_seed(1)
    fields = {
        "hidden_size": 128,
        "num_heads": 2,
        "H_cycles": 2,
        "L_cycles": 2,
        "puzzle_emb_len": 0,
        "puzzle_emb_ndim": 0,
    }
    made = weights.build(
        "trm", fields | {"mlp_t": True, "vocab_size": 8, "seq_len": 36, "normalised_swiglu": True}
    )

    class Float32(fused.StandIn):
        def __init__(self, level: Level) -> None:
            super().__init__(level, torch.float32)

        def __call__(self, *inputs: Tensor | None) -> Tensor:
            CALLS.append(len(inputs))
            return super().__call__(*inputs)

    monkeypatch.setattr(fused, "usable", lambda *_: True)
    monkeypatch.setattr(fused, "StandIn", Float32)
    return made


def answer(made: TrmNet, tokens: Tensor) -> Tensor:
    x = made.embed(tokens, None, torch.float32)
    return made.read(made.step(made.initial(len(tokens), torch.float32), x))[0]


@pytest.mark.kernels
def test_a_whole_supervision_step_and_its_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    made, tokens = net(monkeypatch), torch.randint(0, 8, (2, 36))
    found: list[tuple[Tensor, Tensor, list[Tensor]]] = []
    applications = made.passes_per_step
    for kernels in (True, False):
        CALLS.clear()
        with torch.inference_mode(), fast.faster(kernels):
            logits = answer(made, tokens)
        assert len(CALLS) == (applications if kernels else 0)
        made.zero_grad()
        with fast.faster(kernels):
            trained = answer(made, tokens)
        trained.square().sum().backward()
        assert len(CALLS) == (2 * applications if kernels else 0)
        found.append(
            (
                logits.clone(),
                trained.detach(),
                [p.grad.clone() for p in made.L_level.parameters() if p.grad is not None],
            )
        )
    (logits, trained, gradients), (plain_logits, plain_trained, plain_gradients) = found
    torch.testing.assert_close(logits, plain_logits, atol=1e-4, rtol=0)
    torch.testing.assert_close(trained, plain_trained, atol=1e-4, rtol=0)
    assert len(gradients) == len(plain_gradients) == 8
    torch.testing.assert_close(gradients, plain_gradients, atol=1e-3, rtol=1e-3)
