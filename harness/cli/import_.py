"""`bench import`: other people's replies as runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import Format, FormatOption, ResultsDir, TaskOptions

if TYPE_CHECKING:
    from harness.exchange.recordings import Imported

SHOWN = 3  # disagreements named
OF_ANY_TASK = ("inspect", "lm-eval")  # logs that do not say which task of ours they are of


def import_(
    source: Annotated[
        str,
        typer.Argument(help="What wrote the replies: reasoning-gym, arc-submission, inspect or lm-eval."),
    ],
    path: Annotated[Path, typer.Argument(help="A file of that source, or a folder of such files.")],
    task: Annotated[
        str | None, typer.Option(help="Name of a task, ours or the source's; all that fit if left out.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Only this model, or its name where a file has none.")
    ] = None,
    task_option: TaskOptions = [],  # noqa: B006
    results_dir: ResultsDir = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> None:
    """Judge recorded replies with this project's parser and verifier; each model becomes a run."""
    from harness import registry
    from harness.cli import results
    from harness.errors import DepthbenchError, UserError
    from harness.exchange.recordings import bring_in
    from harness.options import parse_pairs
    from harness.scores.leaderboard import row_of

    reader = registry.importer(source)
    options: dict[str, Any] = {}
    if task_option:
        if source not in OF_ANY_TASK:
            raise UserError(
                f"{source} takes no -T options.", rule="Its puzzles, and so the task's options, are its own."
            )
        options["task_options"] = parse_pairs(task_option, "-T")
    brought: list[Imported] = []
    left_out: list[str] = []
    for recording in reader(path, task=task, model=model, left_out=left_out.append, **options):
        try:
            brought.append(bring_in(recording, results_dir))
        except DepthbenchError as error:
            left_out.append(f"{recording.model} on {recording.label}: {error}")
    for problem in left_out:
        typer.echo(f"bench: left out {problem}", err=True)
    if not brought:
        raise UserError(
            f"Nothing of {path} was imported.", next_step="Check the source, the path and the task."
        )
    found = [one.result for one in brought]
    results.write([row_of(r.folder, r.record, r.summary) for r in found], format)
    for one in brought:
        _tell_disagreements(one)
    if left_out:
        raise typer.Exit(1)


def _tell_disagreements(one: Imported) -> None:
    name = one.result.path.name.rpartition("_")[2]
    for pairs, what in ((one.ours_alone, "right here, not"), (one.theirs_alone, "not right here, but")):
        if pairs:
            puzzles = list(dict.fromkeys(pair.rpartition(":")[0] for pair in pairs))
            named = ", ".join(puzzles[:SHOWN]) + (", …" if len(puzzles) > SHOWN else "")
            which = f"{one.recording.model} on {one.recording.label}"
            typer.echo(
                f"{which}: {len(pairs)} {what} for the source ({named}); "
                f"bench show {name} --sample-id {puzzles[0]}",
                err=True,
            )
