"""`bench weights list|pull|show|import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.options import Format, FormatOption

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
SolverName = Annotated[str, typer.Option(help="Name of the net the file is for.")]


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="A weights file of this project.")],
    solver: Annotated[
        str | None,
        typer.Option(help="Where the net is no installed one: path/to/file.py:Class of its solver."),
    ] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> None:
    """Print the parameter ledger, the configuration and the training record of a weights file."""
    from harness.cli.tables import Column, write
    from solvers.nets.weights.files import describe

    facts = describe(file, None if solver is None else _net(solver))
    write(
        (Column("what", 0), Column("value", 0, wraps=True, least=20)),
        [[name, str(value)] for name, value in facts.items()],
        [facts],
        format,
    )


@app.command("import")
def import_(
    checkpoint: Annotated[
        Path, typer.Argument(help="A published PyTorch or safetensors checkpoint of TRM or HRM.")
    ],
    out: Annotated[Path, typer.Argument(help="Where to write the weights.")],
    solver: SolverName = "trm",
    config_option: Annotated[
        list[str],
        typer.Option(
            "-C", metavar="KEY=VALUE", help="Field of the published configuration; may be repeated."
        ),
    ] = [],  # noqa: B006
    identifiers: Annotated[
        Path | None,
        typer.Option(help="The identifiers.json of an ARC data set: what each puzzle id stands for."),
    ] = None,
) -> None:
    """Turn a published checkpoint into a weights file; nothing in it is executed."""
    from harness.options import parse_pairs

    for note in _net(solver).import_weights(checkpoint, out, parse_pairs(config_option, "-C"), identifiers):
        typer.echo(note, err=True)
    typer.echo(str(out))


@app.command("list")
def list_(
    task: Annotated[str | None, typer.Option(help="Only weights for this task.")] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> None:
    """List the checkpoints that others have published and this command can fetch."""
    from dataclasses import asdict

    from harness.cli.tables import write
    from harness.errors import UserError, did_you_mean
    from solvers.nets.weights.pull import manifest

    entries = [entry for entry in manifest().values() if task in (None, entry.task)]
    if not entries:
        known = {entry.task for entry in manifest().values()}
        raise UserError(f"No published weights for {task!r}.", rule=did_you_mean(task or "", known, show=20))
    records = [{**asdict(e), "here": str(e.where) if e.where.is_file() else None} for e in entries]
    rows = [
        [e.name, e.net, e.task, e.size, e.reports, e.licence, "yes" if e.where.is_file() else "no"]
        for e in entries
    ]
    write(("name", "solver", "task", "size", "reports", "licence", "here"), rows, records, format)


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="Name of published weights: `bench weights list`.")],
    again: Annotated[bool, typer.Option("--again", help="Fetch anew what is here already.")] = False,
) -> None:
    """Fetch a published checkpoint, check its hash and convert it; nothing in it is executed."""
    from solvers.nets.weights.pull import find
    from solvers.nets.weights.pull import pull as fetch

    typer.echo(str(fetch(name, lambda line: typer.echo(line, err=True), again=again)))
    typer.echo(f"bench run --task {find(name).task} --solver {find(name).net} -S weights={name}", err=True)


def _net(name: str) -> Any:
    from harness import registry
    from harness.errors import UserError

    found = registry.find("solver", name)
    if not hasattr(found, "import_weights"):
        raise UserError(
            f"The solver {name!r} has no weights.", next_step="Choose a net: `bench list solvers`."
        )
    return found
