"""`bench report`: runs as one page, as figures of a paper, as LaTeX tables."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import DataDir, ResultsDir


class Form(StrEnum):
    """What a report is written as."""

    HTML = "html"
    LATEX = "latex"


def report(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN...]", help="Runs, as for bench show; all if left out.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Only runs of this task.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The file to write.", show_default="report.html or report.tex"),
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(help="Also write every plot to this folder, as SVG, PNG and PDF.")
    ] = None,
    examples: Annotated[
        int, typer.Option(min=0, max=20, help="Unsolved puzzles to draw, of the best run of each kind.")
    ] = 2,
    format: Annotated[Form, typer.Option("--format", help="One page, or tables for LaTeX.")] = Form.HTML,  # noqa: A002
    trust: Annotated[
        bool, typer.Option("--trust", help="Draw puzzles of tasks from files: that runs their code.")
    ] = False,
    data_dir: DataDir = None,
    results_dir: ResultsDir = None,
) -> None:
    """Write runs as one page that needs no network: tables, plots, paired tests, failures, commands."""
    from harness.errors import UserError
    from harness.records.jsonlines import write_atomically
    from harness.report import needs
    from harness.report.content import gather

    target = out or Path("report.html" if format is Form.HTML else "report.tex")
    if target.is_dir():
        raise UserError(f"--out {str(target)!r} is a folder.", rule="It must name the file to write.")
    if format is Form.HTML or figures is not None:
        needs()
    content = gather(runs or [], task=task, results_dir=results_dir)
    for problem in content.problems:
        typer.echo(f"bench: {problem}", err=True)
    if format is Form.HTML:
        from harness.report.page import html

        write_atomically(target, html(content, examples=examples, data_dir=data_dir, trusted=trust))
    else:
        from harness.report.latex import latex

        write_atomically(target, latex(content))
    typer.echo(str(target))
    if figures is not None:
        from harness.report.svg import write_figures

        typer.echo(f"{len(write_figures(content, figures)):,} files in {figures}")
    if content.problems:
        raise typer.Exit(1)
