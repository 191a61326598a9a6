"""Pages of the docs that are made, not written: a hook of MkDocs (`make docs`).

`commands.md` is read off the command line itself, so it cannot say what `bench --help` does not.
"""

from __future__ import annotations

from typing import Any


def on_files(files: Any, config: Any) -> Any:
    """Add the made pages to those of docs/."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, "commands.md", content=commands_page()))
    return files


def commands_page() -> str:
    """Return every command with its arguments and options, as Markdown."""
    from harness.cli.main import COMMANDS, assemble

    parts = ["# Commands", "What `bench COMMAND --help` says, in one page."]
    for name, (_, summary) in COMMANDS.items():
        command = assemble(name).commands[name]
        parts += [f"## bench {name}", summary]
        inner = getattr(command, "commands", {})
        parts += _of(command, f"bench {name}") if not inner else []
        for word, below in inner.items():
            parts += [f"### bench {name} {word}", *_of(below, f"bench {name} {word}")]
    return "\n\n".join(parts) + "\n"


def _of(command: Any, usage: str) -> list[str]:
    words = [usage]
    rows = ["| | |", "|---|---|"]
    for given in command.params:
        if getattr(given, "hidden", False) or given.name == "help":
            continue
        if given.param_type_name == "argument":
            shown = given.metavar or given.name.upper()
            words.append(shown if given.required else f"[{shown}]")
        else:
            shown = ", ".join([*given.opts, *given.secondary_opts])
            if not given.is_flag:
                shown += f" {given.metavar or ''}".rstrip() or ""
        rows.append(f"| `{shown}` | {_cell(given)} |")
    help_text = (command.help or "").strip()
    return [help_text, f"```\n{' '.join(words)} [OPTIONS]\n```", "\n".join(rows) if len(rows) > 2 else ""]


def _cell(given: Any) -> str:
    told = str(getattr(given, "help", None) or "").replace("|", "\\|").replace("\n", " ")
    if given.required and given.param_type_name != "argument":
        told += " Required."
    default = given.default
    if default not in (None, False, True, (), []) and not callable(default):
        told += f" Default: `{getattr(default, 'value', default)}`."
    return told
