"""`bench examples`: solved puzzles as a file for `-S strategy=few-shot -S examples=FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import DataDir, TaskOptions
from harness.contracts import Key, Puzzle, Task


def examples(
    name: Annotated[str, typer.Argument(help="Name of a task, or path/to/file.py:Class.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write, JSON.")],
    task_option: TaskOptions = [],  # noqa: B006
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 5,
    split: Annotated[str, typer.Option(help="Split they come from; not the one that is tested.")] = "train",
    seed: Annotated[int, typer.Option(min=0, help="Seed of generated puzzles.")] = 0,
    data_dir: DataDir = None,
) -> None:
    """Write puzzles of the train split with their answers, as examples for a language model."""
    from harness import registry
    from harness.errors import UserError
    from harness.options import parse_pairs
    from harness.records.jsonlines import dumps, write_atomically
    from harness.running.loading import load_items

    task = registry.create("task", name, parse_pairs(task_option, "-T"))
    others = [other for other in task.splits if other != task.splits[0]]
    if split == task.splits[0]:
        raise UserError(
            f"The split {split!r} of {task.name} is the one that is tested.",
            rule="Examples come from outside it.",
            next_step=f"Give --split {' or '.join(others)}." if others else "Write the examples by hand.",
        )
    items = load_items(task, split=split, seed=seed, limit=count, sample_ids=[], data_dir=data_dir)
    write_atomically(out, dumps([shot(task, *item) for item in items], indent=1))
    typer.echo(f"{len(items)} examples written to {out}", err=True)


def shot(task: Task, puzzle: Puzzle, key: Key) -> dict[str, str]:
    """Return one example: the task's prompt, and the key's answer in the shortest of the usual ways to write
    one that the task reads as this answer.
    """
    from harness.errors import UserError
    from harness.testing.answers import usual_ways

    answer = key.answers[0]
    replies = [f"```answer\n{text}\n```" for text in usual_ways(puzzle, answer)]
    read = [reply for reply in replies if task.parse(reply, puzzle) == answer]
    if not read:
        raise UserError(
            f"No usual way to write an answer is one that {task.name} reads.",
            next_step="Write the examples by hand.",
        )
    return {"prompt": task.prompt(puzzle), "reply": min(read, key=len)}
