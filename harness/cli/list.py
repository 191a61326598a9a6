"""`bench list tasks`, `solvers`, `recipes`, `prompts` and `options`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import tables
from harness.cli.options import ColumnsOption, Format, FormatOption, TaskOptions, WideOption
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
    task: Annotated[str | None, typer.Option(help="Only recipes made for this task, or for any.")] = None,
    task_option: TaskOptions = [],  # noqa: B006  typer copies it
    solver: Annotated[str | None, typer.Option(help="Only recipes of this net.")] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    columns: ColumnsOption = None,
    wide: WideOption = False,
) -> None:
    """List what `bench train --recipe` takes, net by net."""
    from harness.capabilities import GroupedTask
    from harness.errors import UserError
    from harness.options import parse_pairs
    from harness.registry import catalogue, create, find

    made = None if task is None else create("task", task, parse_pairs(task_option, "-T"))
    family = None if made is None else str(made.family)
    records: list[dict[str, Any]] = []
    if solver is not None:
        records += getattr(find("solver", solver), "recipes", list)()
    for name in () if solver else (entry.name for entry in catalogue("solver")):
        with suppress(UserError):  # a broken plugin: `bench list solvers` says what is wrong with it
            records += getattr(find("solver", name), "recipes", list)()
    if family is not None:
        grouped = isinstance(made, GroupedTask)  # its puzzles have ids: only what is made for it trains it
        records = [r for r in records if _fits(r, family) and (r.get("made_for") or not grouped)]
    if not records and format is Format.TABLE:
        typer.echo(f"No recipe is made for {family or solver}.", err=True)
        return
    shown = (
        Column("solver", 0),
        Column("recipe", 0),
        Column("made for", 1, wraps=True, least=14),
        Column("optimiser_steps", 2, right=True),
        Column("batch_size", 3, right=True),
        Column("summary", 0, wraps=True, least=34),
    )
    rows = [
        [
            str(record["solver"]),
            str(record["recipe"]),
            ", ".join(record.get("made_for", ())) or "any",
            str(record["optimiser_steps"]),
            str(record["batch_size"]),
            str(record["summary"]),
        ]
        for record in records
    ]
    tables.write(shown, rows, records, format, Layout(wide=wide, columns=columns))


def _fits(record: Mapping[str, Any], family: str) -> bool:
    """Return whether a recipe was made for tasks of this family, as its patterns say, or for any."""
    patterns = record.get("made_for", ())
    return not patterns or any(fnmatch(family, pattern) for pattern in patterns)


@app.command()
def prompts(
    format: FormatOption = Format.TABLE,  # noqa: A002
    columns: ColumnsOption = None,
    wide: WideOption = False,
) -> None:
    """List the prompts that solvers ask models with, `-S prompt=`, each a file with its version."""
    from harness.capabilities import Prompted
    from harness.errors import UserError
    from harness.registry import catalogue, find

    records: list[dict[str, str]] = []
    for entry in catalogue("solver"):
        with suppress(UserError):  # a broken plugin: `bench list solvers` says what is wrong with it
            found = find("solver", entry.name)
            if isinstance(found, Prompted):
                records += [{"solver": entry.name, **prompt} for prompt in found.prompts()]
    shown = (
        Column("solver", 1),
        Column("prompt", 0),
        Column("version", 0),
        Column("tasks", 0),
        Column("summary", 0, wraps=True, least=30),
        Column("source", 2, wraps=True, least=30),
    )
    rows = [[record[column.name] for column in shown] for record in records]
    tables.write(shown, rows, records, format, Layout(wide=wide, columns=columns))


@app.command()
def options(
    task: Annotated[str | None, typer.Option(help="Name of a task, or path/to/file.py:Class.")] = None,
    solver: Annotated[str | None, typer.Option(help="Name of a solver, or path/to/file.py:Class.")] = None,
    recipe: Annotated[str | None, typer.Option(help="Name of a recipe; --solver names its net.")] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    columns: ColumnsOption = None,
    wide: WideOption = False,
) -> None:
    """List what -T takes for a task, -S for a solver, -R for a recipe."""
    from harness.errors import UserError

    if task is solver is recipe is None:
        raise UserError(
            "bench list options needs to know of what.", next_step="Give --task, --solver or --recipe NAME."
        )
    write_options(task, solver, recipe, format, Layout(wide=wide, columns=columns))


def write_options(
    task: str | None, solver: str | None, recipe: str | None, form: Format, layout: Layout | None
) -> None:
    """Write the options of the components named, and what the values mean of those that say so."""
    from harness.options.describe import describe
    from harness.registry import find

    found, records, choices = None, [], []
    for flag, kind, name in (("-T", "task", task), ("-S", "solver", solver)):
        if name is not None:
            found = find("task" if kind == "task" else "solver", name)
            records += [{"of": name, "flag": flag, **asdict(option)} for option in describe(found)]
            told: dict[str, dict[str, str]] = getattr(found, "option_choices", dict)()
            choices += [
                {"of": name, "flag": flag, "name": f"{option}={value}", "help": text}
                for option, values in told.items()
                for value, text in values.items()
            ]
    if recipe is not None:
        trainer = _trainer(solver, recipe)
        records += [{"of": recipe, "flag": "-R", **asdict(o)} for o in trainer.recipe_options(recipe)]
    if form is not Format.TABLE:
        records += [{**choice, "type": "", "default": ""} for choice in choices]
    shown = (
        Column("option", 0, wraps=True, least=24),
        Column("type", 0, wraps=True, least=14),
        Column("default", 0, wraps=True, least=11),
        Column("what", 0, wraps=True, least=24),
        Column("of", 1, wraps=True, least=24),
    )
    rows = [
        [
            f"{record['flag']} {record['name']}",
            str(record["type"]),
            "needed" if record["default"] is None else str(record["default"]),
            str(record["help"]),
            str(record["of"]),
        ]
        for record in records
    ]
    if rows or form is not Format.TABLE:
        tables.write(shown, rows, records, form, layout)
    else:
        typer.echo(f"{task or solver or recipe} has no options.", err=True)
    if choices and form is Format.TABLE:
        print()
        lines = [[f"{choice['flag']} {choice['name']}", choice["help"]] for choice in choices]
        tables.write((Column("option", 0), Column("what", 0, wraps=True, least=30)), lines, (), form)


def _trainer(solver: str | None, recipe: str) -> Any:
    """Return the solver class that has the recipe."""
    from harness.errors import UserError, did_you_mean
    from harness.registry import catalogue, find

    known: list[str] = []
    for name in [solver] if solver else [entry.name for entry in catalogue("solver")]:
        with suppress(UserError):
            found = find("solver", name)
            names = [str(made["recipe"]) for made in getattr(found, "recipes", list)()]
            if recipe in names and hasattr(found, "recipe_options"):
                return found
            known += names
    raise UserError(f"Unknown recipe {recipe!r}.", rule=did_you_mean(recipe, known))


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
