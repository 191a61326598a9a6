"""`bench train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import DataDir, TaskOptions


def train(
    task: Annotated[str, typer.Option(help="Name of a task with a training split.")],
    solver: Annotated[str, typer.Option(help="Name of a net.")],
    recipe: Annotated[
        str | None,
        typer.Option(help="Name of a training recipe: `bench list recipes`.", show_default="needed"),
    ] = None,
    task_option: TaskOptions = [],  # noqa: B006  typer copies it
    recipe_option: Annotated[
        list[str],
        typer.Option("-R", metavar="KEY=VALUE", help="Field of the recipe to replace; may be repeated."),
    ] = [],  # noqa: B006
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run.", show_default="results/training/<recipe>-<task>-<seed>"),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the weights, the batches and the symmetries.")
    ] = 0,
    data_seed: Annotated[int, typer.Option(min=0, help="Seed of generated puzzles.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    max_minutes: Annotated[
        float | None, typer.Option(min=0, help="Stop after so long; the same command goes on.")
    ] = None,
    report_every: Annotated[
        int, typer.Option(min=1, help="Optimiser steps between two lines of metrics.")
    ] = 50,
    keep_every: Annotated[
        int, typer.Option(min=0, help="Optimiser steps between weights that are kept; 0 keeps the last only.")
    ] = 0,
    checkpoint_minutes: Annotated[float, typer.Option(min=0, help="Minutes between two checkpoints.")] = 2.0,
    start_from: Annotated[
        Path | None, typer.Option(help="Weights to begin with instead of random ones.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete the checkpoint in the folder first.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Train a net by a recipe, or go on where the same command stopped."""
    from harness import registry
    from harness.errors import UserError
    from harness.options import parse_pairs

    trainable = registry.find("solver", solver)
    if not hasattr(trainable, "train"):
        raise UserError(
            f"The solver {solver!r} cannot be trained.", next_step="Choose a net: `bench list solvers`."
        )
    weights = trainable.train(
        registry.create("task", task, parse_pairs(task_option, "-T")),
        recipe_name=recipe,
        recipe_options=parse_pairs(recipe_option, "-R"),
        out=out,
        seed=seed,
        data_seed=data_seed,
        device=device,
        threads=threads,
        max_minutes=max_minutes,
        report_every=report_every,
        keep_every=keep_every,
        checkpoint_minutes=checkpoint_minutes,
        start_from=start_from,
        fresh=fresh,
        data_dir=data_dir,
        say=lambda line: typer.echo(line, err=True),
    )
    if weights is not None:
        typer.echo(str(weights))
