"""Are `harness`, `solvers` and `tasks` ours? Other people have folders and packages of these names too.

Needs the standard library alone and imports nothing of this project, so that it can be loaded from its file
where `harness` itself is another one.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("harness", "solvers", "tasks")


def leave_working_directory() -> None:
    """Take the folder that `python -m` puts first off Python's path, as `python -P` does, unless it is ours.

    So a user's own `tasks` in the working directory is not in the way of ours.
    """
    try:
        here = os.getcwd()
    except OSError:  # it was deleted
        return
    if not sys.flags.safe_path and sys.path and sys.path[0] in ("", here) and Path(here).resolve() != ROOT:
        del sys.path[0]


def foreign(names: tuple[str, ...] = NAMES) -> str | None:
    """Return a sentence about the first name that Python finds elsewhere; None if all are ours."""
    for name in names:
        found = _places(name)
        if found and not any(place.resolve() == ROOT / name for place in found):
            return _sentence(name, found[0])
    return None


def mixed(name: str) -> str | None:
    """Return a sentence if another distribution put files into our package; None if none did. Slow."""
    from importlib.metadata import packages_distributions

    others = sorted(set(packages_distributions().get(name, ())) - {"depthbench"})
    if not others:
        return None
    return (
        f"The installed distribution {others[0]!r} has a package {name!r} too, with its files among ours in "
        f"{ROOT / name}. The names {', '.join(NAMES)} must be Depthbench's. Uninstall {others[0]!r}, then"
        " install depthbench again, or give each an environment of its own."
    )


def _places(name: str) -> list[Path]:
    """Return the folders of a package as Python finds it; of a module the file; nothing if there is none."""
    module = sys.modules.get(name)
    try:
        spec = module.__spec__ if module is not None else importlib.util.find_spec(name)
    except (ValueError, AttributeError):
        spec = None
    if spec is not None and spec.submodule_search_locations is not None:
        return [Path(place) for place in spec.submodule_search_locations]
    file = spec.origin if spec is not None else getattr(module, "__file__", None)
    return [Path(file)] if file else []


def _sentence(name: str, place: Path) -> str:
    init = place / "__init__.py"
    file = init if init.is_file() else place
    folder = place.resolve().parent
    told = [Path(entry or ".").resolve() for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    if folder in told:
        step = f"Take {folder} off PYTHONPATH, or rename {place.name}."
    elif owner := _distribution(name, folder):
        step = f"Uninstall {owner!r}, or give Depthbench an environment of its own."
    else:
        step = f"Rename it, or start from another folder than {folder}."
    return (
        f"The name {name!r} is taken by {file}. The names {', '.join(NAMES)} must be Depthbench's, which are "
        f"in {ROOT}. {step}"
    )


def _distribution(name: str, folder: Path) -> str | None:
    from importlib.metadata import distributions

    for found in distributions(path=[str(folder)]):
        if any(file.parts[:1] in ((name,), (f"{name}.py",)) for file in found.files or ()):
            return str(found.metadata["Name"])
    return None
