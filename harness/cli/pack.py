"""`bench pack`."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.options import ResultsDir
from harness.cli.score import RunArgument


def pack(
    run: RunArgument,
    undo: Annotated[bool, typer.Option("--undo", help="Bring the lines back as they were.")] = False,
    results_dir: ResultsDir = None,
) -> None:
    """Compress the lines of a finished run; every command still reads it."""
    from harness.errors import UserError
    from harness.records import packed
    from harness.records.find import find_run
    from harness.scores.summary import summary_of

    folder = find_run(run, results_dir)
    if undo:
        with folder.lock():
            packed.unpack(folder.path)
        typer.echo(f"{folder.path}: unpacked.", err=True)
        return
    if packed.is_packed(folder.path):
        typer.echo(f"{folder.path} is packed already.", err=True)
        return
    if not summary_of(folder).complete:
        raise UserError(
            f"{folder.path} is not complete.",
            rule="What is still to be written is not packed.",
            next_step="Finish it with the same `bench run` command.",
        )
    with folder.lock():
        before, after = packed.pack(folder.path)
    typer.echo(f"{folder.path}: {before:,} bytes packed into {after:,}.", err=True)
