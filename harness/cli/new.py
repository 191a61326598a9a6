"""`bench new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.registry import Kind

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Name = Annotated[str, typer.Argument(help="Name on the command line: a-z, 0-9 and '-'.")]
Into = Annotated[Path | None, typer.Option("--into", help="Folder to write; the name, if not given.")]


@app.callback()
def new() -> None:
    """Begin a task or a solver of your own: a package that installs, runs and keeps the rules at once."""


@app.command()
def task(name: Name, into: Into = None) -> None:
    """Write a package with a task: puzzles, prompt, parser, verifier, tokens for nets, a test."""
    _write("task", name, into)


@app.command()
def solver(name: Name, into: Into = None) -> None:
    """Write a package with a solver: a card, the method `solve`, a test."""
    _write("solver", name, into)


def _write(kind: Kind, name: str, into: Path | None) -> None:
    from harness import scaffold

    folder = into or Path(name)
    for path in scaffold.write(kind, name, folder):
        typer.echo(path)
    typer.echo(
        f"Next: pip install -e {folder}, then `bench check {kind} {name}`; {folder}/README.md goes on."
    )
