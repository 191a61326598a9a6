"""What a plug-in says of itself, read from its source: listing need not import what it imports."""

from __future__ import annotations

import ast
import re
import sys
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path

from harness.options import first_paragraph


def summary(place: str) -> str | None:
    """Return the `summary` or the docstring's first paragraph of "module:Class", without importing it.

    None where only an import can tell: the class is not written in that file, or something at the top of the
    file may fail (a module or a name that is not there, a `raise`, a file that is no Python).
    """
    module, _, attribute = place.partition(":")
    file = _file(module)
    if file is None:
        return None
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    if not all(map(_harmless, tree.body)):
        return None
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == attribute:
            return _said(node) or first_paragraph(ast.get_docstring(node)) or None
    return None


def _said(node: ast.ClassDef | ast.FunctionDef) -> str | None:
    """Return the text of `summary = "…"` in a class."""
    for line in node.body:
        value = line.value if isinstance(line, ast.Assign | ast.AnnAssign) else None
        targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "summary" for target in targets):
            return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
    return None


def _harmless(node: ast.stmt) -> bool:
    """Say whether a statement at the top of a module can be trusted to run."""
    if isinstance(node, ast.Import):
        return all(_is_there(alias.name) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.level > 0 or _is_there(str(node.module), [alias.name for alias in node.names])
    return isinstance(
        node,
        ast.ClassDef
        | ast.FunctionDef
        | ast.AsyncFunctionDef
        | ast.Assign
        | ast.AnnAssign
        | ast.Expr
        | ast.If,
    )


def _is_there(module: str, names: list[str] | None = None) -> bool:
    """Say whether a module can be found, and in ours the names that are taken from it."""
    root = module.partition(".")[0]
    if root not in ("harness", "solvers", "tasks"):
        return root in sys.modules or _spec(root) is not None
    file = _file(module)
    if file is None:
        return False
    text = file.read_text(encoding="utf-8")
    return all(
        re.search(rf"\b{re.escape(name)}\b", text) or _file(f"{module}.{name}") for name in names or []
    )


def _spec(name: str, path: list[str] | None = None) -> ModuleSpec | None:
    """Find a module; of a package's own, `path` is the package's."""
    try:
        return find_spec(name) if path is None else PathFinder.find_spec(name, path)
    except (ImportError, ValueError):
        return None


def _file(module: str) -> Path | None:
    """Return the source file of a module, found as an import would find it but without importing packages."""
    path: list[str] | None = None
    *packages, last = module.split(".")
    for package in packages:
        spec = _spec(package, path)
        if spec is None or spec.submodule_search_locations is None:
            return None
        path = list(spec.submodule_search_locations)
    spec = _spec(last, path)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin)
