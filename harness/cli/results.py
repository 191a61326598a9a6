"""How a leaderboard row reads: the columns of `bench leaderboard` and of the table after `bench run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.cli import tables
from harness.cli.options import Format
from harness.errors import UserError, did_you_mean
from harness.scores.leaderboard import failures, published

COLUMNS = (
    "task", "solver", "kind", "metric", "score", "95 %", "planned", "failures", "core", "stored",
    "FLOPs/puzzle", "s/puzzle",
    "tokens/puzzle", "$/puzzle", "run",
)  # fmt: skip


def write(rows: Sequence[Mapping[str, Any]], form: Format) -> None:
    """Write leaderboard rows to standard output."""
    tables.write(COLUMNS, [cells(row) for row in rows], rows, form)


def cells(row: Mapping[str, Any]) -> list[str]:
    """Return the row as text; unknown is –, a lower bound is ≥."""
    return [
        _with_options(row["task"], row["task_options"])
        + ("" if row["split"] == row["default_split"] else f" {row['split']}")
        + (f" seed={row['seed']}" if row["seed"] else ""),
        _with_options(row["solver"], row["solver_options"]),
        row["kind"],
        row["metric"],
        *(_score(row) if row["outcomes"]["not_run"] < row["planned"] else ("not run", "–")),
        f"{row['planned']:,}",
        failures(row["outcomes"]),
        quantity(row["core_parameters"]),
        quantity(row["stored_parameters"]),
        *(_cost(row, name) for name in ("flops", "seconds", "tokens", "usd")),
        row["run"].rpartition("_")[2],  # enough for `bench show`
    ]


def _score(found: Mapping[str, Any]) -> tuple[str, str]:
    return f"{100 * found['score']:.1f} %", f"{100 * found['low']:.1f}–{100 * found['high']:.1f}"


def quantity(value: float | None) -> str:
    """Write a number in three digits with k, M, G, T, P; – for unknown."""
    if value is None:
        return "–"
    for factor, letter in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g}{letter}"
    return f"{value:.3g}"


def _cost(row: Mapping[str, Any], name: str) -> str:
    known, least = row[f"{name}_per_puzzle"], row[f"{name}_per_puzzle_at_least"]
    return quantity(known) if known is not None or least is None else "≥" + quantity(least)


def _with_options(name: str, options: Mapping[str, Any]) -> str:
    return " ".join(
        [name, *(f"{k}={','.join(map(str, v)) if isinstance(v, list) else v}" for k, v in options.items())]
    )


def write_details(summary: Mapping[str, Any]) -> None:
    """Write every metric and the depth curve of one run to standard output; nothing if nothing was
    attempted.
    """
    if summary["outcomes"]["not_run"] == summary["planned"]:
        return
    scores = [(m["name"], m) for m in summary["metrics"]]
    for first, found in (("metric", scores), ("depth", list((summary["depth_scores"] or {}).items()))):
        if found:
            rows = [[name, *_score(s), f"{s['n']:,}"] for name, s in found]
            tables.write([first, "score", "95 %", "of"], rows, (), Format.TABLE)


def write_published(task: str | None, form: Format) -> None:
    """Write the numbers of `published.csv`: others' claims, never mixed with runs."""
    rows = published(task)
    if task and not rows:
        known = {row["task"] for row in published()}
        raise UserError(f"No published number is of the task {task!r}.", rule=did_you_mean(task, known))
    columns = list(rows[0])
    cells = [[f"{row[c]} %" if c == "score" else row[c] for c in columns] for row in rows]
    tables.write(columns, cells, rows, form)
    if form is Format.TABLE:
        print(
            "evidence: P, read in the paper; R, in a repository, model card or page of its authors;"
            " S, second-hand, in a text that quotes the source"
        )
