"""A plug-in package to begin with: a task or a solver that runs, is tested and keeps the rules at once.

The templates beside this file are plain text with $name, $module, $class_name and $version_needed in it.
"""

from __future__ import annotations

import builtins
import keyword
import re
import sys
from importlib.resources import files
from pathlib import Path
from string import Template

from harness import __version__, registry
from harness.errors import UserError
from harness.registry import Kind

NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
LONGEST = 40  # letters of a name: it becomes part of every run folder's
PARTS = {  # file of the package: template
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "$kind/README.md.txt",
    "$module/__init__.py": "init.py.txt",
    "$module/$kind.py": "$kind/code.py.txt",
    "tests/test_$module.py": "$kind/test.py.txt",
}


def write(kind: Kind, name: str, folder: Path) -> list[Path]:
    """Write a plug-in package of a task or a solver called `name` into `folder`; return its files.

    Raises UserError for a name that is taken or cannot be one, and for a folder that holds something.
    """
    _check(kind, name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            f"{folder} is there already.", rule="Nothing is written over.", next_step="Choose --into FOLDER."
        )
    words = {
        "kind": kind,
        "name": name,
        "module": name.replace("-", "_"),
        "class_name": "".join(word.capitalize() for word in name.split("-")),
        "version_needed": __version__,
    }
    templates = files(__name__)
    written = {
        folder / Template(path).substitute(words): Template(
            (templates / Template(template).substitute(words)).read_text(encoding="utf-8")
        ).substitute(words)
        for path, template in PARTS.items()
    }
    try:
        for path, text in written.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written: {error.strerror or error}.", next_step="Choose --into FOLDER."
        ) from error
    return list(written)


def _check(kind: Kind, name: str) -> None:
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise UserError(
            f"{name!r} cannot be the name of a {kind}.",
            rule=f"It is words of a-z and 0-9 joined by '-', first a letter, at most {LONGEST} signs.",
            next_step=f"Such as `bench new {kind} my-{kind}`.",
        )
    if name in registry.names(kind):
        raise UserError(f"There is a {kind} {name!r} already.", rule="A name stands for one thing.")
    module = name.replace("-", "_")
    if module in sys.stdlib_module_names | {
        "harness",
        "solvers",
        "tasks",
        "tests",
        "depthbench",
        *dir(builtins),
    }:
        raise UserError(
            f"{name!r} cannot be the name of a package.",
            rule="Python or Depthbench has a module of that name.",
        )
    if keyword.iskeyword(module):
        raise UserError(f"{name!r} cannot be the name of a package.", rule="It is a word of Python.")
