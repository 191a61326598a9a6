"""`bench list tasks`, `bench list solvers` and `bench list recipes`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import typer

from harness.cli import tables
from harness.cli.options import ColumnsOption, Format, FormatOption, WideOption
from harness.cli.tables import Column, Layout

if TYPE_CHECKING:
    from harness.registry import Kind

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command()
def tasks(
    format: FormatOption = Format.TABLE,  # noqa: A002
    columns: ColumnsOption = None,
    wide: WideOption = False,
) -> None:
    """List every task by its room, ours and those of plugins."""
    _list("task", format, Layout(wide=wide, columns=columns))


@app.command()
def solvers(
    format: FormatOption = Format.TABLE,  # noqa: A002
    columns: ColumnsOption = None,
    wide: WideOption = False,
) -> None:
    """List every solver, ours and those of plugins."""
    _list("solver", format, Layout(wide=wide, columns=columns))


@app.command()
def recipes(
    format: FormatOption = Format.TABLE,  # noqa: A002
    columns: ColumnsOption = None,
    wide: WideOption = False,
) -> None:
    """List what `bench train --recipe` takes, net by net."""
    from harness.errors import UserError
    from harness.registry import catalogue, find

    records: list[dict[str, Any]] = []
    for entry in catalogue("solver"):
        with suppress(UserError):  # a broken plugin: `bench list solvers` says what is wrong with it
            records += getattr(find("solver", entry.name), "recipes", list)()
    shown = (
        Column("solver", 0),
        Column("recipe", 0),
        Column("optimiser_steps", 2, right=True),
        Column("batch_size", 3, right=True),
        Column("summary", 0, wraps=True, least=40),
    )
    rows = [[str(record[column.name]) for column in shown] for record in records]
    tables.write(shown, rows, records, format, Layout(wide=wide, columns=columns))


def _list(kind: Kind, form: Format, layout: Layout) -> None:
    from harness.registry import catalogue

    entries = catalogue(kind)
    records = [{"name": e.name, "room": e.room, "summary": e.summary, "from": e.origin} for e in entries]
    if kind == "task":
        records.sort(key=lambda record: record["room"])
    columns = (
        Column("name", 0),
        Column("room", 2),
        Column("summary", 0, wraps=True, least=30),
        Column("from", 1, wraps=True, least=10),
    )
    tables.write(columns, [list(record.values()) for record in records], records, form, layout)
