"""From a task and a recipe to a training run: which items, which pairs, what goes on record."""

from __future__ import annotations

import dataclasses
import hashlib
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from harness.capabilities import AugmentedCodec, GroupedTask, ResizableCodec, ResizablePairs
from harness.contracts import GridCodec, Task
from harness.errors import UserError, did_you_mean
from harness.options import read
from solvers.nets.recipe import Recipe
from solvers.nets.recipes import made_for, recipe
from solvers.nets.train.data import TrainingSet
from solvers.nets.train.folder import begin_anew, one_writer
from solvers.nets.train.groups import GroupedSet
from solvers.nets.train.loop import train
from solvers.nets.weights.files import load
from solvers.nets.weights.member import config_of


def train_by_recipe(
    net: str,
    task: Task,
    *,
    recipe_name: str | None,
    recipe_options: Mapping[str, str],
    out: Path | None,
    seed: int,
    data_seed: int,
    device: str,
    threads: int | None,
    max_minutes: float | None,
    report_every: int,
    keep_every: int,
    checkpoint_minutes: float = 2.0,
    fresh: bool,
    data_dir: Path | None,
    say: Callable[[str], None],
    start_from: Path | None = None,
    member: type[Any] | None = None,
) -> Path | None:
    """Train and return the path of the weights, or None when `max_minutes` ended the session first.

    member: the solver class of the net, where its name is not registered.
    """
    if task.grid is None:
        raise UserError(f"Task {task.name!r} has no grid codec.", rule="Nets need one.")
    own = getattr(member, "own_recipes", None)
    fitting = made_for(task.family, net, own, grouped=isinstance(task, GroupedTask))
    if recipe_name is None:
        raise UserError(
            "Which recipe?",
            rule=f"Of {net} for {task.family}: {', '.join(fitting) or 'none'}.",
            next_step="Give --recipe NAME; `bench list recipes` says what each is for.",
        )
    chosen = changed(recipe(recipe_name, own=own), recipe_options, member)
    if chosen.net != net:
        raise UserError(
            f"Recipe {recipe_name!r} trains {chosen.net!r}, not {net!r}.",
            next_step=f"Give --solver {chosen.net}.",
        )
    if not chosen.fits(task.family):
        say(
            f"warning: the recipe {chosen.name} was made for {' and '.join(chosen.made_for)}, not for "
            f"{task.family}; "
            + (f"for that: {', '.join(fitting)}" if fitting else f"{net} has none for that")
        )
    if threads is not None:
        torch.set_num_threads(threads)
    codec = _canvas(task.grid, chosen)
    data: TrainingSet
    if isinstance(task, GroupedTask):
        data, facts = _grouped(task, codec, chosen, data_seed, data_dir)
        validation = None
    else:
        data, validation, facts = _plain(task, codec, chosen, data_seed, data_dir)
    about: dict[str, Any] = {
        "task": task.name,
        "task_version": task.version,
        "family": task.family,
        "task_options": {f.name: getattr(task, f.name) for f in dataclasses.fields(task)},  # type: ignore[arg-type]
        "data_revision": task.data_revision,
        "data_sha256": hashlib.sha256(data.tokens.tobytes() + data.labels.tobytes()).hexdigest(),
        "data_seed": data_seed,
        **facts,
    }
    folder = out or Path("results/training") / f"{chosen.name}-{task.family}-{seed}"
    start = None if start_from is None else load(start_from, member)
    with one_writer(folder):
        if fresh:
            begin_anew(folder)
        ended = train(
            chosen,
            data,
            folder,
            seed=seed,
            device=torch.device(device),
            validation=validation,
            about=about,
            start_from=start,
            member=member,
            max_minutes=max_minutes,
            report_every=report_every,
            keep_every=keep_every,
            checkpoint_minutes=checkpoint_minutes,
            say=say,
        )
    return ended.weights if ended.finished else None


def _canvas(codec: GridCodec, chosen: Recipe) -> GridCodec:
    """Return the codec of the canvas that the recipe asks for."""
    if not chosen.canvas:
        return codec
    if not isinstance(codec, ResizableCodec):
        raise UserError(
            f"canvas is {chosen.canvas} in recipe {chosen.name!r}.",
            rule="The puzzles of this task fill their canvas: it has no other.",
            next_step="Give -R canvas=0, or the puzzles' size by -T.",
        )
    if not 1 <= chosen.canvas <= codec.height:
        raise UserError(
            f"canvas is {chosen.canvas}.", rule=f"The task's own has a side of {codec.height}, at most."
        )
    return codec.on_canvas(chosen.canvas)


def _plain(
    task: Task, codec: GridCodec, chosen: Recipe, data_seed: int, data_dir: Path | None
) -> tuple[TrainingSet, TrainingSet | None, dict[str, Any]]:
    """Return the pairs of the train split, those of the validation split if asked for, and what to say of
    them.
    """
    for split, asked, way_out in (
        ("train", True, "Choose a task that has one: a net is trained on nothing else."),
        ("validation", bool(chosen.validation_items), "Give -R validation_items=0 to train without one."),
    ):
        if asked and split not in task.splits:
            raise UserError(
                f"Task {task.name!r} has no split {split!r}.",
                rule=f"Its splits: {', '.join(task.splits)}.",
                next_step=way_out,
            )
    items = task.load(split="train", seed=data_seed, limit=chosen.train_items, data_dir=data_dir)
    if not items:
        raise UserError(
            f"The split 'train' of {task.name!r} holds no puzzles.",
            next_step="Leave it some: -T held_out=…, where the task has it, is what it gives away.",
        )
    data = TrainingSet.from_items(items, codec, variants=chosen.augment)
    validation = None
    if chosen.validation_items:
        held = task.load(split="validation", seed=data_seed, limit=chosen.validation_items, data_dir=data_dir)
        if not held:
            raise UserError(
                f"The split 'validation' of {task.name!r} holds no puzzles.",
                rule=f"The recipe {chosen.name!r} validates on {chosen.validation_items}.",
                next_step="Give -R validation_items=0, or hold some out with -T held_out=…",
            )
        seen = {row.tobytes() for row in data.tokens}
        validation = TrainingSet.from_items(held, codec, variants=False)
        overlap = sum(row.tobytes() in seen for row in validation.tokens)
        if overlap:
            raise UserError(
                f"{overlap} validation puzzles of {task.name!r} are in its training split.",
                rule="They must differ.",
            )
    regime = f"{len(items):,} puzzles of the train split" + (
        ", symmetries drawn on the fly" if chosen.augment else ""
    )
    return data, validation, {"items": len(items), "regime": regime}


def _grouped(
    task: GroupedTask, codec: GridCodec, chosen: Recipe, data_seed: int, data_dir: Path | None
) -> tuple[GroupedSet, dict[str, Any]]:
    """Return the pairs of all groups with their ids, and what to say of them."""
    if not isinstance(codec, AugmentedCodec):
        raise UserError(
            f"The codec of {type(task).__name__} makes no copies.",
            rule="A task in groups needs an AugmentedCodec.",
        )
    for name in ("train_items", "validation_items"):
        if getattr(chosen, name):
            raise UserError(
                f"{name} is {getattr(chosen, name)} in recipe {chosen.name!r}.",
                rule="This task is trained on the demonstrations of all its puzzles, and none are held back.",
                next_step="Choose a recipe made for it, trm-arc-tiny for example.",
            )
    groups = known = task.training_groups(data_dir=data_dir)
    if isinstance(codec, ResizablePairs):
        groups = [group for group in known if codec.fits_pairs((*group.demonstrations, *group.further))]
    if not groups:
        raise UserError(
            f"None of {len(known)} groups fits on a canvas of {codec.height}×{codec.width}.",
            next_step="Give a larger -R canvas=…",
        )
    data = GroupedSet.of(
        groups, codec, augmentations=chosen.augmentations, seed=data_seed, shifted=chosen.augment
    )
    regime = (
        f"{len(data.tokens):,} pairs of {len(groups):,} groups, {data.table.size - 1:,} copies with an id "
        "each" + (", shifted on the canvas" if chosen.augment else "")
    )
    if chosen.canvas:
        regime += f", those of {len(known):,} groups that fit on a canvas of {codec.height}×{codec.width}"
    if note := getattr(task, "training_note", ""):
        regime += f", {note}"
    return data, {
        "items": len(groups),
        "regime": regime,
        "exposure": task.exposure,
        "puzzle_ids": data.table.record(),
    }


def changed(chosen: Recipe, options: Mapping[str, str], member: type[Any] | None = None) -> Recipe:
    """Return the recipe with fields replaced from text; `config.NAME` replaces a field of the net's
    configuration.
    """
    net_hints = typing.get_type_hints(config_of(chosen.net, member)[1])
    whole = ("name", "net", "config", "depth_curriculum", "betas", "made_for")
    hints = {name: hint for name, hint in typing.get_type_hints(Recipe).items() if name not in whole}
    values: dict[str, Any] = {}
    config = dict(chosen.config)
    for name, text in options.items():
        inner = name.removeprefix("config.")
        if name != inner and inner in net_hints:
            config[inner] = read(text, net_hints[inner], f"-R {name}")
        elif name in hints:
            values[name] = read(text, hints[name], f"-R {name}")
        else:
            known = [*hints, *(f"config.{n}" for n in net_hints)]
            raise UserError(f"Recipe {chosen.name!r} has no field {name!r}.", rule=did_you_mean(name, known))
    return dataclasses.replace(chosen, config=config, **values)
