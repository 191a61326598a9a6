"""`bench task show` and `bench task export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import DataDir, TaskOptions

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def task() -> None:
    """Look at the puzzles of a task."""


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of a task, or path/to/file.py:Class.")],
    task_option: TaskOptions = [],  # noqa: B006
    sample_id: Annotated[str | None, typer.Option(help="Id of the puzzle; the first if left out.")] = None,
    split: Annotated[str | None, typer.Option(help="Split of the task; its first if left out.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of generated puzzles.")] = 0,
    data_dir: DataDir = None,
) -> None:
    """Draw one puzzle and its reference answer; print its prompt and its tokens."""
    from rich.console import Console

    from harness import registry
    from harness.options import parse_pairs
    from harness.running.loading import load_items

    found = registry.create("task", name, parse_pairs(task_option, "-T"))
    ids = [sample_id] if sample_id else []
    split = split or found.splits[0]
    puzzle, key = load_items(found, split=split, seed=seed, limit=1, sample_ids=ids, data_dir=data_dir)[0]
    console = Console()
    difficulty = "" if puzzle.difficulty is None else f", difficulty {puzzle.difficulty:g}"
    console.print(
        f"{found.name} {puzzle.id} ({puzzle.split}{difficulty})", style="bold", markup=False, highlight=False
    )
    console.print(found.render(puzzle), markup=False, highlight=False)
    console.print("Reference answer", style="bold")
    console.print(found.render(puzzle, key.answers[0], key), markup=False, highlight=False)
    console.print("Prompt", style="bold")
    console.print(found.prompt(puzzle), markup=False, highlight=False, soft_wrap=True)
    console.print("Tokens", style="bold")
    if found.grid is None:
        console.print("This task has no grid codec.")
        return
    rows = found.grid.encode(puzzle).reshape(found.grid.height, found.grid.width)
    console.print(
        f"{found.grid.height} × {found.grid.width}, vocabulary {found.grid.vocab_size}", highlight=False
    )
    console.print(
        "\n".join(" ".join(str(t) for t in row) for row in rows),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="Name of a task, or path/to/file.py:Class.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write, JSON lines.")],
    task_option: TaskOptions = [],  # noqa: B006
    split: Annotated[str | None, typer.Option(help="Split of the task; its first if left out.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of generated puzzles.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many puzzles.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Write puzzles with their answers to a file that `-T file=PATH` reads again."""
    from harness import own, registry
    from harness.options import parse_pairs
    from harness.records.jsonlines import dumps, write_atomically
    from harness.running.loading import load_items

    found = registry.create("task", name, parse_pairs(task_option, "-T"))
    split = split or found.splits[0]
    items = load_items(found, split=split, seed=seed, limit=limit, sample_ids=[], data_dir=data_dir)
    write_atomically(out, b"".join(dumps(line) + b"\n" for line in own.lines_of(items)))
    typer.echo(f"{len(items):,} puzzles of {found.name} with their answers in {out}", err=True)
