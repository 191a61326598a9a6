"""Runs in the forms of other tools, by name. What a task's answers are handed in as, the task says itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from harness.errors import RunError, UserError, did_you_mean
from harness.records.folder import RunFolder

Writer = Callable[..., list[Path]]

FORMS = {  # name: (module:function, what it writes)
    "parquet": ("exports_tables:parquet", "runs.parquet and attempts.parquet"),
    "csv": ("exports_tables:comma_separated", "runs.csv and attempts.csv"),
    "markdown": ("exports_tables:markdown", "runs.md and attempts.md"),
    "latex": ("exports_tables:latex", "runs.tex and attempts.tex, for booktabs"),
    "inspect": ("exports_inspect:write", "a log of inspect_ai for each run"),
    "every-eval-ever": (
        "exports_every_eval:write",
        "Every Eval Ever 0.3.0: a record a run and its instances",
    ),
}


def write(runs: Sequence[RunFolder], form: str, folder: Path, data_dir: Path | None = None) -> list[Path]:
    """Write runs to a folder in a named form; return the files. Nothing is left half-written."""
    if form not in FORMS:
        raise UserError(f"No format {form!r}.", rule=did_you_mean(form, FORMS, show=len(FORMS)))
    module, _, name = FORMS[form][0].partition(":")
    writer: Writer = getattr(import_module(f"harness.exchange.{module}"), name)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--out {str(folder)!r} is a file.", rule=f"{form} is written to a folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"{folder} cannot be made: {error.strerror}.", next_step="Choose another --out."
        ) from error
    return writer(runs, folder) if module == "exports_tables" else writer(runs, folder, data_dir)
