"""`bench cache list` and `bench cache prune`: the kept replies of language models."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli import tables
from harness.cli.options import ColumnsOption, Format, FormatOption, WideOption
from harness.cli.tables import Column, Layout

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

COLUMNS = (
    Column("provider", 1),
    Column("model", 0, wraps=True, least=20),
    Column("task", 0, wraps=True, least=12),
    Column("replies", 0, right=True),
    Column("size", 0, right=True),
    Column("oldest", 3),
    Column("newest", 2),
)


@app.command("list")
def list_(
    format: FormatOption = Format.TABLE,  # noqa: A002
    columns: ColumnsOption = None,
    wide: WideOption = False,
) -> None:
    """Show what is kept, by provider, model and task."""
    import time
    from dataclasses import asdict

    from solvers.llm.reply_cache import ReplyCache

    cache = ReplyCache()
    records = [asdict(group) for group in cache.groups()]
    cache.close()
    rows = [
        [
            *(str(record[name]) for name in ("provider", "model", "task")),
            f"{record['replies']:,}",
            f"{record['bytes'] / 2**20:.1f} MiB",
            *(time.strftime("%Y-%m-%d %H:%M", time.localtime(record[name])) for name in ("oldest", "newest")),
        ]
        for record in records
    ]
    tables.write(COLUMNS, rows, records, format, Layout(wide=wide, columns=columns))
    typer.echo(f"{cache.path}", err=True)


@app.command()
def prune(
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", help="Only replies kept for more days than this.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Only replies of this model.")] = None,
    task: Annotated[str | None, typer.Option(help="Only replies to puzzles of this task.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every reply.")] = False,
) -> None:
    """Delete kept replies: those that fit all the conditions given. Records of runs are never touched."""
    import time

    from harness.errors import UserError
    from solvers.llm.reply_cache import ReplyCache

    if everything == any(condition is not None for condition in (older_than, model, task)):
        raise UserError(
            "bench cache prune needs a condition, or --all, not both.",
            next_step="For example --older-than 30, --model NAME.",
        )
    cache = ReplyCache()
    count = cache.prune(
        before=None if older_than is None else time.time() - older_than * 86400, model=model, task=task
    )
    cache.close()
    typer.echo(f"{count:,} replies deleted from {cache.path}")
