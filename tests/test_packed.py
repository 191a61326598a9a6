"""Products by oneDNN and levels with packed weights say what torch's own products and the plain layers
say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from solvers.nets.fast import onednn, packed
from solvers.nets.fast import switch as fast
from solvers.nets.model.layers import Attention, Block, Level, Linear, Rope, SwiGLU
from solvers.nets.model.trm import TrmNet
from solvers.nets.weights import files as weights

pytestmark = pytest.mark.skipif(not onednn.AVAILABLE, reason="this torch comes without oneDNN's operators")

POSITIONS, WIDTH = 21, 32


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take the fast path at sizes that a test can afford."""
    monkeypatch.setattr(onednn, "HELPS", True)
    monkeypatch.setattr(onednn, "WIDTH", 1)
    monkeypatch.setattr(onednn, "LARGE", 1)
    # so that a batch is several chunks, the last one short
    monkeypatch.setattr(packed, "ROWS", 2 * POSITIONS)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with fast.faster():
        yield
    torch.set_num_threads(threads)


def level(mixer: bool, normalised: bool) -> Level:
    torch.manual_seed(0)
    positions = POSITIONS if mixer else None
    made = Level([Block(WIDTH, 4, 2.0, mixer_positions=positions, normalised=normalised) for _ in range(2)])
    for parameter in made.parameters():
        parameter.data *= 1.7  # so that the update weighs about as much as what it is added to
    return made


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("mixer", [True, False])
@pytest.mark.parametrize("normalised", [True, False])
@torch.no_grad()
def test_a_packed_level(monkeypatch: pytest.MonkeyPatch, mixer: bool, normalised: bool) -> None:
    plain = level(mixer, normalised)
    z, injection = torch.randn(2, 5, POSITIONS, WIDTH).unbind(0)
    before, rope = z.clone(), None if mixer else Rope(WIDTH // 4, POSITIONS)
    assert packed.usable(plain, z)
    fast = packed.StandIn(plain)(z, injection, rope)
    # how a batch starts: one row, repeated
    expanded = packed.StandIn(plain)(z[:1].expand(5, -1, -1), injection, rope)
    monkeypatch.setattr(onednn, "LARGE", 2**60)
    torch.testing.assert_close(fast, plain(z, injection, rope), atol=3e-5, rtol=0)
    torch.testing.assert_close(expanded, plain(z[:1].expand(5, -1, -1), injection, rope), atol=3e-5, rtol=0)
    assert z.equal(before)


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize(
    "part", ["linear", "swiglu", "swiglu over positions", "normalised swiglu", "attention"]
)
def test_gradients(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, POSITIONS, WIDTH)
    made: dict[str, tuple[Any, Any]] = {
        "linear": (m := Linear(WIDTH, 48), m),
        "swiglu": (m := SwiGLU(WIDTH, 2.0), m),
        "swiglu over positions": (m := SwiGLU(POSITIONS, 2.0), m.over_positions),
        "normalised swiglu": (m := SwiGLU(WIDTH, 2.0, normalised=True), m),
        "attention": (m := Attention(WIDTH, 4), lambda x: m(x, None)),
    }
    module, forward = made[part]

    def both() -> list[Tensor]:
        module.zero_grad()
        inputs = x.clone().requires_grad_()
        out = forward(inputs)
        (out * torch.linspace(-1, 1, out.numel()).view(out.shape)).sum().backward()
        return [out.detach(), inputs.grad, *(p.grad.clone() for p in module.parameters())]

    calls = []
    monkeypatch.setattr(onednn, "product", lambda *a, true=onednn.product: calls.append(1) or true(*a))
    gates: list[int] = []
    monkeypatch.setattr(onednn, "silu_gate", lambda *a, true=onednn.silu_gate: gates.append(1) or true(*a))
    fast = both()
    used = len(calls)
    assert len(gates) == (part in ("swiglu", "swiglu over positions"))
    monkeypatch.setattr(onednn, "LARGE", 2**60)
    torch.testing.assert_close(fast, both(), atol=2e-5, rtol=1e-5)
    assert len(calls) == used
    assert used or part == "swiglu over positions"  # its products are batched, and only its gate is ours


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("H_layers", [0, 1])  # 1: a second network
def test_a_whole_supervision_step_and_its_gradients(monkeypatch: pytest.MonkeyPatch, H_layers: int) -> None:
    torch.manual_seed(1)
    sizes = {"hidden_size": 32, "num_heads": 2, "vocab_size": 8, "seq_len": 16, "H_layers": H_layers}
    made = weights.build("trm", sizes | {"mlp_t": True, "H_cycles": 2, "L_cycles": 2})
    tokens = torch.randint(0, 8, (3, 16))
    applied: list[int] = []

    class Counted(packed.StandIn):
        def __call__(self, *inputs: Any) -> Tensor:
            applied.append(1)
            return super().__call__(*inputs)

    monkeypatch.setattr(packed, "StandIn", Counted)
    fast, with_gradient = answer_and_gradients(made, tokens), made.config.L_cycles + 1
    assert len(applied) == made.passes_per_step - with_gradient
    monkeypatch.setattr(onednn, "LARGE", 2**60)
    torch.testing.assert_close(fast, answer_and_gradients(made, tokens), atol=1e-3, rtol=1e-3)
    assert len(applied) == made.passes_per_step - with_gradient


def answer_and_gradients(net: TrmNet, tokens: Tensor) -> list[Tensor]:
    net.zero_grad()
    x = net.embed(tokens, None, torch.float32)
    logits = net.read(net.step(net.initial(len(tokens), torch.float32), x))[0]
    F.cross_entropy(logits.transpose(1, 2), tokens).backward()
    return [logits.detach(), *(p.grad.clone() for p in net.parameters() if p.grad is not None)]


def test_few_applications_do_not_pack(small_is_large: None) -> None:
    assert small_is_large is None
    made = weights.build("transformer", {"hidden_size": 32, "num_heads": 2, "vocab_size": 8, "seq_len": 16})
    with torch.no_grad():
        assert made._levels(torch.zeros(3, 16, 32), 1)[0] is made.L_level
        assert isinstance(made._levels(torch.zeros(3, 16, 32), 3)[0], packed.StandIn)
    assert made._levels(torch.zeros(3, 16, 32), 3)[0] is made.L_level


@fast.faster()
def test_what_is_small_or_not_float32_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onednn, "HELPS", True)
    weight = torch.zeros(3072, 512)
    # a narrow net, whatever the batch
    assert not onednn.usable(torch.zeros(800, 97, 128), torch.zeros(1536, 128))
    assert not onednn.usable(torch.zeros(8, 97, 512), weight.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert not onednn.usable(torch.zeros(8, 97, 512), weight)
    with fast.faster(False):
        assert not onednn.usable(torch.zeros(8, 97, 512), weight)
    assert onednn.usable(torch.zeros(8, 97, 512), weight)
    assert not onednn.usable(torch.zeros(1, 97, 512), weight)
    assert not onednn.usable(torch.zeros(8, 97, 512, dtype=torch.bfloat16), weight)
    assert not onednn.usable(torch.zeros(8, 97, 512, device="meta"), weight)
