"""`bench`: find the command in the table, import that one file, run it.

To add a command: one file in this folder, one line in `COMMANDS`. The attribute is a function (its typed
parameters are the options) or a `typer.Typer` (a command with sub-commands).
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import typer

from harness import __version__, ours
from harness.cli import streams
from harness.errors import RunError, UserError, did_you_mean

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("harness.cli.run:run", "Run a solver on a task, or resume; all is recorded."),
    "study": ("harness.cli.study:study", "Play many runs from one file, under one cap; resumes."),
    "list": (
        "harness.cli.list:app",
        "List the tasks, the solvers or the training recipes, plugins included.",
    ),
    "leaderboard": (
        "harness.cli.leaderboard:leaderboard",
        "Show all runs side by side, or published numbers.",
    ),
    "show": ("harness.cli.show:show", "Show what a run answered, and what is wrong with it."),
    "view": ("harness.cli.view:view", "Look at runs in the browser, puzzle by puzzle, side by side, live."),
    "export": ("harness.cli.export:export", "Write runs for other tools, or answers as a file to submit."),
    "push": ("harness.cli.push:push", "Upload runs to a dataset on Hugging Face."),
    "compare": ("harness.cli.compare:compare", "Test whether runs differ on the puzzles that they share."),
    "report": ("harness.cli.report:report", "Write runs as one page, and its plots as figures of a paper."),
    "analyse": (
        "harness.cli.analyse:analyse",
        "Look into runs: by difficulty, along depth, over samples.",
    ),
    "import": ("harness.cli.import_:import_", "Judge other people's recorded replies; each model is a run."),
    "score": ("harness.cli.score:score", "Judge the recorded answers again, without running the solver."),
    "pack": ("harness.cli.pack:pack", "Compress a finished run; every command still reads it."),
    "reprice": (
        "harness.cli.reprice:reprice",
        "Price recorded runs anew: other days' prices, or a device's.",
    ),
    "cache": ("solvers.llm.cli.cache:app", "Look at the kept replies of language models, or delete some."),
    "examples": (
        "solvers.llm.cli.examples:examples",
        "Write solved puzzles for language models to learn a form from.",
    ),
    "check": ("harness.cli.check:app", "Check a task or a solver against the rules that all must keep."),
    "task": ("harness.cli.task:app", "Look at the puzzles of a task."),
    "new": ("harness.cli.new:app", "Begin a task or a solver of your own: a package to install."),
    "train": ("solvers.nets.cli.train:train", "Train a net by a recipe, or go on where it stopped."),
    "weights": ("solvers.nets.cli.weights:app", "Look at weights, or import published checkpoints."),
}


def main(argv: list[str] | None = None) -> None:
    """Run one command and exit: 0 done, 2 the user's mistake, 1 anything else, 130 Ctrl-C."""
    streams.prepare()
    ours.leave_working_directory()
    if taken := ours.foreign():
        typer.echo(f"bench: {taken}", err=True)
        sys.exit(2)
    sys.exit(streams.finish(dispatch(sys.argv[1:] if argv is None else argv)))


def dispatch(argv: list[str]) -> int:
    """Run one command; return its exit code."""
    try:
        wanted = next((word for word in argv if not word.startswith("-")), None)
        if wanted is not None and wanted not in COMMANDS and argv[0] == wanted:
            raise UserError(
                f"Unknown command {wanted!r}.",
                rule=did_you_mean(wanted, COMMANDS),
                next_step="`bench --help` shows all.",
            )
        argv = named(argv, "--ray", "local")
        code = int(assemble(wanted)(argv or ["--help"], prog_name="bench", standalone_mode=False) or 0)
        if "--help" in argv and not code:
            _further_help(argv)
        return code
    except (UserError, RunError) as error:
        _say(f"bench: {error}")
        return 2 if isinstance(error, UserError) else 1
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("bench: interrupted", err=True)
        return 130
    except BrokenPipeError:  # `bench … | head`
        return 1
    except Exception as error:
        if not hasattr(error, "exit_code") or not hasattr(error, "format_message"):
            raise
        _say(_worded(error, f"bench {wanted or ''}".strip()))
        return int(error.exit_code)


def named(argv: list[str], flag: str, value: str) -> list[str]:
    """Return the words with a value after a flag that stands alone, which typer cannot have."""
    return [
        f"{flag}={value}" if word == flag and (after.startswith("-") or not after) else word
        for word, after in zip(argv, [*argv[1:], ""], strict=True)
    ]


def assemble(wanted: str | None) -> Any:
    """Return the command line with `wanted` imported and every other command known by name and help only."""
    app = typer.Typer(
        name="bench", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
        callback=_version, invoke_without_command=True,
        help="Tiny recursive nets, language models and exact solvers on the same puzzles.",
    )  # fmt: skip
    for name, (place, summary) in COMMANDS.items():
        found: Any = _nothing
        if name == wanted:
            module, _, attribute = place.partition(":")
            found = getattr(importlib.import_module(module), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, help=summary)
        else:
            app.command(name, help=summary if found is _nothing else None)(found)
    return typer.main.get_command(app)


def _worded(error: Any, command: str) -> str:
    """Word a usage error of typer as ours; the text of a command that was given nothing is its help."""
    text = str(error.format_message())
    if text.startswith("Usage:"):
        return text
    if hasattr(error.__cause__, "errors"):  # of pydantic, which leaves the value out
        text = text.replace(": Input should", f": {error.__cause__.errors()[0]['input']!r} should")
    text = text.replace("Value error, ", "").partition(", unable to parse")[0]
    command = getattr(getattr(error, "ctx", None), "command_path", command)
    return f"bench: {text}{'' if text.endswith(('.', '?')) else '.'} `{command} --help` shows what it takes."


def _say(text: str) -> None:
    """Write to standard error; half a surrogate pair, as a name of other bytes than UTF-8 has, as ?."""
    typer.echo(text.encode("utf-8", "replace").decode(), err=True)


def _further_help(argv: list[str]) -> None:
    """Say what -T, -S and -R take, of the task, the solver and the recipe that stand beside --help."""
    named = {}
    for word, after in zip(argv, [*argv[1:], "--"], strict=True):
        flag, _, value = word.partition("=")
        if flag in ("--task", "--solver", "--recipe"):
            named[flag[2:]] = value or after
    named = {kind: name for kind, name in named.items() if not name.startswith("--")}
    if named:
        from harness.cli.list import write_options
        from harness.cli.options import Format

        parts = (named.get("task"), named.get("solver"), named.get("recipe"))
        write_options(*parts, Format.TABLE, None)
    elif argv[0] in ("run", "train"):
        typer.echo("What -T, -S and -R take: `bench list options --task NAME`, --solver NAME, --recipe NAME.")


def _version(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        typer.echo(f"depthbench {__version__}")
        raise typer.Exit


def _nothing() -> None: ...


if __name__ == "__main__":  # python -m harness.cli.main; `depthbench.py` is the door that nothing shadows
    main()
