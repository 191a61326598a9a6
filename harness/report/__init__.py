"""Runs as a page, as figures, as tables for a paper. Needs the extra `report`."""

from __future__ import annotations

from importlib.util import find_spec

from harness.errors import UserError


def needs() -> None:
    """Raise UserError if a package that draws is not there."""
    missing = [name for name in ("altair", "vl_convert", "jinja2") if find_spec(name) is None]
    if missing:
        raise UserError(f"A report needs {', '.join(missing)}.", next_step="pip install 'depthbench[report]'")
