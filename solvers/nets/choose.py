"""Which weights a net plays a task with, and on which canvas: those given, else those this project ships."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.capabilities import AugmentedCodec, ResizableCodec
from harness.contracts import GridCodec, TaskView
from harness.errors import UserError
from solvers.nets.recipes import made_for
from solvers.nets.weights import files, pull
from solvers.nets.weights.member import Member

SMALL = 1_000_000
"""Parameters of the core under which shipped weights stand in for published ones, and say so."""


def weights_for(task: TaskView, kind: type[Member], given: Path | None) -> files.Loaded:
    """Return the weights of a net for a task: a file, a published checkpoint's name, or (None) ours. Raises
    UserError where there are none, or where they are of another net or for another vocabulary or length.
    """
    path = given
    if path is not None and not path.exists() and str(path) in pull.manifest():
        path = pull.pull(str(path), say=_say)
    if path is None:
        path = _shipped(task, kind)
    loaded = files.load(path, kind)
    if loaded.name != kind.net:
        raise UserError(
            f"{path} holds a {loaded.name} net.",
            next_step=f"Give --solver {loaded.name}, not {kind.net}.",
        )
    codec = codec_for(task, loaded)
    if loaded.net.config.vocab_size == codec.vocab_size:
        loaded = loaded.at_length(codec.length)
    config = loaded.net.config
    if (codec.vocab_size, codec.length) != (config.vocab_size, config.seq_len):
        raise UserError(
            f"{path} is for {config.vocab_size} symbols in {config.seq_len} cells.",
            rule=f"{task.family} has {codec.vocab_size} symbols in {codec.length} cells.",
            next_step="Choose weights trained on this task, or the task's size by -T.",
        )
    if given is None and (loaded.parameters.core or 0) < SMALL and (real := pull.advice(task.name, kind.net)):
        _say(f"{path.stem} is a small net trained by this project, no measure of {kind.net}. {real}")
    return loaded


def codec_for(task: TaskView, loaded: files.Loaded | None) -> GridCodec:
    """Return the task's grid codec, on the smaller canvas that the weights were trained on, if they were."""
    if task.grid is None:
        raise UserError(
            f"Task {task.name!r} has no grid codec.",
            rule="Nets need one.",
            next_step="Choose another solver.",
        )
    side = None if loaded is None else loaded.training.get("recipe", {}).get("canvas")
    return task.grid.on_canvas(side) if side and isinstance(task.grid, ResizableCodec) else task.grid


def _shipped(task: TaskView, kind: type[Member]) -> Path:
    path = files.SHIPPED / f"{kind.net}-{task.family}.safetensors"
    if path.is_file():
        return path
    shipped = ", ".join(sorted(p.stem for p in files.SHIPPED.glob(f"{kind.net}-*.safetensors")))
    known = f"Shipped for {kind.net}: {shipped or 'none'}."
    if others := sorted(p.stem for p in files.SHIPPED.glob(f"*-{task.family}.safetensors")):
        known += f" Shipped for {task.family}: {', '.join(others)}."
    raise UserError(
        f"No {kind.net} weights are shipped for {task.family}.",
        rule=" ".join(filter(None, (known, pull.advice(task.name, kind.net)))),
        next_step=_training_hint(task, kind),
    )


def _training_hint(task: TaskView, kind: type[Member]) -> str:
    """Return how to make weights for a task, in the user's own words."""
    grouped = isinstance(task.grid, AugmentedCodec)
    fitting = made_for(task.family, kind.net, getattr(kind, "own_recipes", None), grouped=grouped)
    asked = getattr(task, "spelling", f"--task {task.name}")
    if not fitting:
        return f"No recipe of {kind.net} was made for it: `bench list recipes` shows all."
    others = f" (or {', '.join(fitting[1:])})" if fitting[1:] else ""
    return (
        f"Train some with `bench train {asked} --solver {kind.net} --recipe {fitting[0]}`{others}, "
        "then give -S weights=FILE."
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
