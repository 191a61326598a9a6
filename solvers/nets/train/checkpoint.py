"""Everything a training run needs to go on, in one safetensors file that is replaced atomically."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from harness.errors import UserError
from solvers.nets.recipe import Recipe
from solvers.nets.train.folder import cannot_write
from solvers.nets.train.optim import MovingAverage, flatten_state, restore_state
from solvers.nets.train.processes import wait_for_all
from solvers.nets.train.supervision import Carry
from solvers.nets.weights import files as weights


@dataclass
class TrainingState:
    """How far a run is."""

    step: int = 0  # optimiser steps done
    flops: int = 0
    seconds: float = 0.0  # of training, all sessions
    best: float = -1.0  # validation accuracy
    since_best: int = 0  # validations since then
    accuracy: float | None = None  # of the last validation

    def stalled(self, accuracy: float, patience: int) -> bool:
        """Book a validation; return True when `patience` of them in a row brought nothing better."""
        self.accuracy = accuracy
        self.since_best = 0 if accuracy > self.best else self.since_best + 1
        self.best = max(self.best, accuracy)
        return 0 < patience <= self.since_best


@dataclass
class Checkpoint:
    """The live objects of a run and the file they are kept in; `run` says which run it is."""

    path: Path
    run: dict[str, Any]
    net: nn.Module
    average: MovingAverage | None
    optimisers: list[torch.optim.Optimizer]

    def save(self, progress: TrainingState, carries: list[Carry]) -> None:
        """Write the file; at any moment either the old or the new one is whole. Raises UserError if it
        cannot be written.
        """
        parts: dict[str, dict[str, Tensor]] = {"net": self.net.state_dict()}
        if self.average is not None:
            parts["average"] = self.average.averages
        parts |= {f"optimiser{i}": flatten_state(o) for i, o in enumerate(self.optimisers)}
        parts |= {f"carry{i}": c.tensors() for i, c in enumerate(carries)}
        tensors = {f"{part}/{name}": t for part, named in parts.items() for name, t in named.items()}
        metadata = {
            "run": json.dumps(self.run, sort_keys=True),
            "progress": json.dumps(dataclasses.asdict(progress)),
        }
        try:
            # so that all processes have the same step
            weights.save_atomically(tensors, self.path, metadata, ready=wait_for_all)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def load(self, device: torch.device) -> tuple[TrainingState, list[Carry]]:
        """Restore the live objects from the file. Raises UserError if it is of another run or cannot be
        read.
        """
        try:
            with safe_open(str(self.path), "pt") as file:
                metadata = file.metadata()
                tensors = {name: file.get_tensor(name).to(device) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise UserError(
                f"{self.path} cannot be read ({error}).", next_step="Give --fresh to start anew."
            ) from error
        ours = json.loads(json.dumps(self.run))
        try:
            theirs, progress = json.loads(metadata["run"]), TrainingState(**json.loads(metadata["progress"]))
            theirs["recipe"] = _defaults() | theirs["recipe"]
            if "task_options" in theirs["about"]:
                # one that is younger than the file: the data tell, by their hash
                theirs["about"]["task_options"] = (
                    ours["about"].get("task_options", {}) | theirs["about"]["task_options"]
                )
        except weights.DAMAGE as error:
            raise UserError(
                f"What {self.path} says of itself cannot be read ({type(error).__name__}: {error}).",
                next_step="Give --fresh to start anew.",
            ) from error
        if theirs != ours:
            raise UserError(
                f"{self.path.parent} holds another training run ({_differences(theirs, ours)}).",
                rule="A folder belongs to one recipe, seed and data set.",
                next_step="Give another --out, or --fresh to start anew here.",
            )

        def part(name: str) -> dict[str, Tensor]:
            return {
                key.removeprefix(f"{name}/"): t for key, t in tensors.items() if key.startswith(f"{name}/")
            }

        self.net.load_state_dict(part("net"))
        if self.average is not None:
            kept = part("average")
            self.average.averages = {name: kept[name] for name in self.average.averages}
        for i, optimiser in enumerate(self.optimisers):
            restore_state(optimiser, part(f"optimiser{i}"))
        carries = len({key.split("/")[0] for key in tensors if key.startswith("carry")})
        return progress, [Carry.from_tensors(part(f"carry{i}")) for i in range(carries)]


def _defaults() -> dict[str, Any]:
    """Return what a recipe's fields are when an older version, which did not have them yet, wrote the
    file.
    """
    fields = [
        f for f in dataclasses.fields(Recipe) if f.default is not dataclasses.MISSING and f.name != "made_for"
    ]
    return dict(json.loads(json.dumps({f.name: f.default for f in fields})))


def _differences(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    """Return the first three entries, nested ones too, in which two runs differ, with both values."""
    there, here = weights.flat(theirs), weights.flat(ours)
    names = [name for name in here | there if here.get(name) != there.get(name)]
    said = [f"{name} is {_short(there, name)} there, {_short(here, name)} here" for name in names]
    return "; ".join(said[:3]) + (f"; and {len(said) - 3} more" if len(said) > 3 else "")


def _short(facts: dict[str, Any], name: str) -> str:
    text = str(facts.get(name, "not set"))
    return text if len(text) <= 60 else f"{text[:57]}..."
