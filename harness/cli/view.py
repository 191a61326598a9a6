"""`bench view`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import DataDir

Results = Annotated[
    Path | None,
    typer.Option(
        "--results-dir", "--results", help="Where runs are kept.", envvar="DEPTHBENCH_RESULTS",
        show_default="results",
    ),
]  # fmt: skip


def view(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN...", help="Only these runs, named as for bench show.")
    ] = None,
    results_dir: Results = None,
    data_dir: DataDir = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Load tasks that come from files too: that runs their code.")
    ] = False,
) -> None:
    """Look at runs in the browser: puzzles, answers step by step, replies, side by side, live."""
    from harness.errors import UserError
    from harness.records.find import find_run, folders, results_folder

    if results_dir is not None and not results_folder(results_dir).is_dir():
        raise UserError(
            f"The results folder {str(results_dir)!r} does not exist.", next_step="`bench run` makes it."
        )
    for name in runs or []:
        find_run(name, results_dir)
    folders(results_dir)
    try:
        from harness.view.library import Library
        from harness.view.serve import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "anyio"):
            raise
        raise UserError(
            f"bench view needs {error.name}.", next_step="Install it: pip install 'depthbench[view]'."
        ) from None

    def ready(address: str) -> None:
        typer.echo(f"The viewer is at {address}")
        typer.echo("It shows your runs to this machine alone, until Ctrl-C.", err=True)
        if not no_open:
            _open(address)

    with suppress(KeyboardInterrupt):  # that is how it is ended
        serve(Library(results_dir, runs or [], data_dir=data_dir, trusted=trust), port, ready)
    typer.echo("The viewer has ended.", err=True)


def _open(address: str) -> None:
    """Open a browser; where there is none, the address is on the screen."""
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
