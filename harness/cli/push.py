"""`bench push`: runs as a dataset on Hugging Face."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import ResultsDir


def push(
    repository: Annotated[str, typer.Argument(metavar="USER/NAME", help="The dataset; made if missing.")],
    runs: Annotated[list[str], typer.Argument(metavar="RUN [RUN...]", help="Runs, as for bench show.")],
    private: Annotated[bool, typer.Option("--private", help="Make it private, if it is made.")] = False,
    dry_run: Annotated[
        Path | None, typer.Option("--dry-run", metavar="DIR", help="Write its files here; send nothing.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Another hub.", envvar="HF_ENDPOINT", show_default="huggingface.co")
    ] = None,
    results_dir: ResultsDir = None,
) -> None:
    """Upload runs to a dataset on Hugging Face: a table of runs, a table of attempts, a card."""
    from harness.exchange import exports_push as pushing
    from harness.records.find import find_run

    folders = {folder.path.resolve(): folder for folder in (find_run(run, results_dir) for run in runs)}
    if dry_run is not None:
        for path in pushing.dataset(list(folders.values()), dry_run):
            typer.echo(str(path))
        return
    typer.echo(pushing.push(list(folders.values()), repository, private=private, endpoint=endpoint))
