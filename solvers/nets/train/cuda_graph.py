"""A training step as a CUDA graph: recorded once, replayed with one launch, where launching is what a
small net waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from solvers.nets.model.layers import PuzzleTable
from solvers.nets.model.recursive import RecursiveNet
from solvers.nets.recipe import Recipe
from solvers.nets.train.supervision import Carry, StepResult

Step = Callable[[Carry, dict[str, Tensor]], tuple[Carry, StepResult]]
"""A supervision step of a batch that leaves its gradients in the parameters; what it returns is detached."""


def obstacle(recipe: Recipe, net: RecursiveNet, world: int) -> str | None:
    """Return why the recipe's steps cannot be a graph on a GPU, None if they can."""
    if world > 1 or recipe.accumulate > 1:
        return "gradients are summed over processes or micro-batches"
    if net.stochastic:
        return "the net draws noise"
    if any(isinstance(module, PuzzleTable) for module in net.modules()):
        return "the net has a puzzle table"
    return None


class Graphed:
    """A step that is recorded at its first call and replayed from then on.

    Carry, batch, result and gradients live at fixed addresses: every call overwrites what the one before
    returned, and gradients must be left where they are (no `zero_grad`). Record anew by `reset` when anything
    but weights has changed.
    """

    def __init__(self, step: Step, parameters: Sequence[Tensor]) -> None:
        self.step, self.parameters = step, parameters
        self.graph: torch.cuda.CUDAGraph | None = None

    def reset(self) -> None:
        """Forget the recording."""
        self.graph = None
        self._forget_gradients()

    def __call__(self, carry: Carry, batch: dict[str, Tensor]) -> tuple[Carry, StepResult]:
        with torch.cuda.device_of(carry.tokens):  # what is recorded is what the current device does
            if self.graph is None:
                self._record(carry, batch)
                assert self.graph is not None
            _copy(batch, self.batch)
            if carry is not self.carry:
                _copy(carry.tensors(), self.carry.tensors())
            self.graph.replay()
            return self.carry, self.result

    def _record(self, carry: Carry, batch: dict[str, Tensor]) -> None:
        self.batch = {name: tensor.clone() for name, tensor in batch.items()}
        self.carry = Carry.from_tensors({name: tensor.clone() for name, tensor in carry.tensors().items()})
        # what is recorded must have run before: libraries start and kernels compile
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(3):
                self.step(self.carry, self.batch)
                self._forget_gradients()
        torch.cuda.current_stream().wait_stream(beside)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, stream=torch.cuda.Stream()):
            after, self.result = self.step(self.carry, self.batch)
            _copy(after.tensors(), self.carry.tensors())

    def _forget_gradients(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None


def _copy(source: dict[str, Tensor], target: dict[str, Tensor]) -> None:
    for name, tensor in source.items():
        target[name].copy_(tensor)
