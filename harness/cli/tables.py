"""Write rows of text as a table for a terminal, JSON, CSV, Markdown or LaTeX."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.cli.options import Format

if TYPE_CHECKING:
    from rich.table import Table

Columns = Sequence[str]
KEYS = 2  # a table too wide for the terminal is continued below, each part with the first columns again


def write(
    columns: Columns, rows: Sequence[Sequence[str]], records: Sequence[Mapping[str, Any]], form: Format
) -> None:
    """Write to standard output: `rows` for people, `records` for machines (JSON as it is, CSV flattened)."""
    if form is Format.JSON:
        print(json.dumps(records, indent=2, ensure_ascii=False))
    elif form is Format.CSV:
        _csv(records)
    elif form is Format.MARKDOWN:
        lines = [columns, ["---"] * len(columns), *rows]
        print(
            "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        )
    elif form is Format.LATEX:
        body = [" & ".join(map(_tex, line)) + r" \\" for line in [columns, *rows]]
        layout = "l" * len(columns)
        print(
            "\n".join(
                [
                    rf"\begin{{tabular}}{{{layout}}}",
                    r"\toprule",
                    body[0],
                    r"\midrule",
                    *body[1:],
                    r"\bottomrule",
                ]
            )
        )
        print(r"\end{tabular}")
    else:
        _terminal(columns, rows)


def _terminal(columns: Columns, rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console

    console, wide = Console(), Console(width=10_000)
    if not console.is_terminal:  # a pipe or a file has no width to fit
        Console(width=wide.measure(_drawn(columns, rows, range(len(columns)))).maximum).print(
            _drawn(columns, rows, range(len(columns)))
        )
        return
    rest = list(range(len(columns)))
    while rest:
        shown = [i for i in range(KEYS) if i not in rest]
        while rest and (
            len(shown) <= KEYS
            or wide.measure(_drawn(columns, rows, [*shown, rest[0]])).maximum <= console.width
        ):
            shown.append(rest.pop(0))
        console.print(_drawn(columns, rows, shown))


def _drawn(columns: Columns, rows: Sequence[Sequence[str]], shown: Sequence[int]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i in shown:
        table.add_column(Text(columns[i]))
    for row in rows:
        table.add_row(*(Text(row[i]) for i in shown))
    return table


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
    for plain, escaped in (
        ("\\", r"\textbackslash "),
        ("%", r"\%"),
        ("_", r"\_"),
        ("&", r"\&"),
        ("#", r"\#"),
        ("$", r"\$"),
    ):
        text = text.replace(plain, escaped)
    return text.replace("–", "--").replace("≥", r"$\geq$").replace("×", r"$\times$")
