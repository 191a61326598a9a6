"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How a table is written to standard output."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    LATEX = "latex"


FormatOption = Annotated[Format, typer.Option("--format", help="How to write the table.")]
WideOption = Annotated[bool, typer.Option("--wide", help="Show all columns, in parts where they do not fit.")]
ColumnsOption = Annotated[
    str | None, typer.Option("--columns", metavar="NAME,…", help="Show these columns, in this order.")
]
ResultsDir = Annotated[
    Path | None,
    typer.Option(
        "--results-dir", help="Where runs are kept.", envvar="DEPTHBENCH_RESULTS", show_default="results"
    ),
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of local data copies.", envvar="DEPTHBENCH_DATA")
]
TaskOptions = Annotated[
    list[str], typer.Option("-T", metavar="KEY=VALUE", help="Option of the task; may be repeated.")
]
SolverOptions = Annotated[
    list[str], typer.Option("-S", metavar="KEY=VALUE", help="Option of the solver; may be repeated.")
]
