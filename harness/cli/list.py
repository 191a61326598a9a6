"""`bench list tasks`, `bench list solvers` and `bench list recipes`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import typer

from harness.cli import tables
from harness.cli.options import Format, FormatOption

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command()
def tasks(format: FormatOption = Format.TABLE) -> None:  # noqa: A002
    """List every task, ours and those of plugins."""
    _list("task", format)


@app.command()
def solvers(format: FormatOption = Format.TABLE) -> None:  # noqa: A002
    """List every solver, ours and those of plugins."""
    _list("solver", format)


@app.command()
def recipes(format: FormatOption = Format.TABLE) -> None:  # noqa: A002
    """List what `bench train --recipe` takes, net by net."""
    from harness.errors import UserError
    from harness.registry import catalogue, find

    records: list[dict[str, Any]] = []
    for entry in catalogue("solver"):
        with suppress(UserError):  # a broken plugin: `bench list solvers` says what is wrong with it
            records += getattr(find("solver", entry.name), "recipes", list)()
    columns = ["solver", "recipe", "optimiser_steps", "batch_size", "summary"]
    tables.write(columns, [[str(record[name]) for name in columns] for record in records], records, format)


def _list(kind: str, form: Format) -> None:
    from harness.registry import catalogue

    entries = catalogue("task" if kind == "task" else "solver")
    records = [{"name": e.name, "summary": e.summary, "from": e.origin} for e in entries]
    tables.write(["name", "summary", "from"], [list(r.values()) for r in records], records, form)
