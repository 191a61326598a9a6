"""`bench weights show|import`."""

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
    solver: SolverName = "trm",
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> None:
    """Print the parameter ledger, the configuration and the training record of a weights file."""
    from harness.cli.tables import Column, write

    facts = _net(solver).describe_weights(file)
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


def _net(name: str) -> Any:
    from harness import registry
    from harness.errors import UserError

    found = registry.find("solver", name)
    if not hasattr(found, "import_weights"):
        raise UserError(
            f"The solver {name!r} has no weights.", next_step="Choose a net: `bench list solvers`."
        )
    return found
