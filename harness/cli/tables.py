"""Write rows of text as a table for a terminal, JSON, CSV, Markdown or LaTeX."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from harness.cli.options import Format

Columns = Sequence[str]


def write(columns: Columns, rows: Sequence[Sequence[str]], records: Sequence[Mapping[str, Any]], form: Format) -> None:
    """Write to standard output: `rows` for people, `records` for machines (JSON as it is, CSV flattened)."""
    if form is Format.JSON:
        print(json.dumps(records, indent=2, ensure_ascii=False))
    elif form is Format.CSV:
        _csv(records)
    elif form is Format.MARKDOWN:
        lines = [columns, ["---"] * len(columns), *rows]
        print("\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines))
    elif form is Format.LATEX:
        body = [" & ".join(map(_tex, line)) + r" \\" for line in [columns, *rows]]
        layout = "l" * len(columns)
        print("\n".join([rf"\begin{{tabular}}{{{layout}}}", r"\toprule", body[0], r"\midrule", *body[1:], r"\bottomrule"]))
        print(r"\end{tabular}")
    else:
        _terminal(columns, rows)


def _terminal(columns: Columns, rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(Text(column))
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console()
    if not console.is_terminal:  # a pipe or file has no width to fit
        console = Console(width=Console(width=10_000).measure(table).maximum)
    console.print(table)


def _csv(records: Sequence[Mapping[str, Any]]) -> None:
    flat = [dict(_flatten(record)) for record in records]
    fields = list(dict.fromkeys(name for record in flat for name in record))
    writer = csv.DictWriter(sys.stdout, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)


def _flatten(record: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs = []
    for name, value in record.items():
        if isinstance(value, Mapping):
            pairs += _flatten(value, f"{prefix}{name}.")
        else:
            pairs.append((prefix + name, value))
    return pairs


def _tex(text: str) -> str:
    for plain, escaped in (("\\", r"\textbackslash "), ("%", r"\%"), ("_", r"\_"), ("&", r"\&"), ("#", r"\#"), ("$", r"\$")):
        text = text.replace(plain, escaped)
    return text.replace("–", "--").replace("≥", r"$\geq$").replace("×", r"$\times$")
