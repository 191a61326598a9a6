"""Write rows of text as a table for a terminal, JSON, CSV, Markdown or LaTeX.

A terminal gets the columns that fit it, by importance; nothing is cut, and only columns of text go on in a
second line. A pipe or a file has no width, and gets all of them.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.cli.options import Format
from harness.errors import UserError, did_you_mean

GAP = "  "
KEYS = 2  # a wide table is continued below, each part with the first columns again
UNKNOWN = ("", "–")
BREAKS = ",/=:_-."  # where a word that is wider than its column goes on in the next line


@dataclass(frozen=True)
class Column:
    """A column of a table for people.

    rank: 0 is always there; of the others as many as fit, the smallest rank first. legend: what stands in
    it, where the name alone does not say so. wraps: its text may go on in a second line, in `least` cells or
    more.
    """

    name: str
    rank: int = 1
    legend: str = ""
    wraps: bool = False
    least: int = 12
    right: bool = False  # numbers: aligned at their end
    spare: bool = False  # left out where no row has a value


class Section(list[str]):
    """A heading between rows, in the place of one: its text alone, as wide as the table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


@dataclass(frozen=True)
class Layout:
    """What the user asked of a table: all its columns, or these in this order."""

    wide: bool = False
    columns: str | None = None  # names, separated by commas


def write(
    columns: Sequence[Column | str],
    rows: Sequence[Sequence[str]],
    records: Sequence[Mapping[str, Any]],
    form: Format,
    layout: Layout | None = None,
) -> None:
    """Write to standard output: `rows` for people, `records` for machines (JSON as it is, CSV flattened).

    Columns that are plain names wrap where they must, the first two are always there. Only with a `layout`
    are the columns explained, and the options named that show more of them.
    """
    asked = layout or Layout()
    if form in (Format.JSON, Format.CSV):
        _records(records, asked.columns, form)
        return
    described = [c if isinstance(c, Column) else _plain(c, i) for i, c in enumerate(columns)]
    if asked.columns is not None:
        places = _chosen(asked.columns, [c.name for c in described])
        described = [described[i] for i in places]
        rows = [row if isinstance(row, Section) else [row[i] for i in places] for row in rows]
    rows = [
        Section(visible(row.text)) if isinstance(row, Section) else [visible(cell) for cell in row]
        for row in rows
    ]
    if form is Format.TABLE:
        for line in _terminal(described, rows, asked, offer=layout is not None):
            print(line)
        return
    shown = [i for i in range(len(described)) if not described[i].spare or any_known(rows, i)]
    rows = [row if isinstance(row, Section) else [row[i] for i in shown] for row in rows]
    for line in document([described[i].name for i in shown], rows, form):
        print(line)


def visible(text: str) -> str:
    """Return text in one line without control characters: a model's name may hold escape sequences."""
    flat = " ".join(text.split()) if text.split(" ") != text.split() else text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in flat)


def note(text: str) -> None:
    """Write a sentence below a table, as wide as that."""
    for line in folded(text, width() or 110):
        print(line)


def width() -> int | None:
    """Return how many cells a line may have; None where nothing limits it (a pipe, a file)."""
    told = os.environ.get("COLUMNS", "")
    if told.isascii() and told.isdigit() and int(told) > 0:
        return int(told)
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def folded(text: str, width: int) -> list[str]:
    """Return text in lines of at most `width` cells, broken at spaces, else after one of `BREAKS`."""
    from rich.cells import cell_len

    lines, line = [], ""
    for word in text.split(" "):
        if line and cell_len(line) + 1 + cell_len(word) <= width:
            line += f" {word}"
            continue
        lines += [line] if line else []
        while cell_len(word) > width:
            cut = max(1, next(n for n in range(len(word), 0, -1) if n == 1 or cell_len(word[:n]) <= width))
            cut = next((n for n in range(cut, cut // 2, -1) if word[n - 1] in BREAKS), cut)
            lines.append(word[:cut])
            word = word[cut:]
        line = word
    return [*lines, line] if line or not lines else lines


def _plain(name: str, place: int) -> Column:
    return Column(name, rank=max(0, place - KEYS + 1), wraps=True)


def _chosen(names: str, known: Sequence[str]) -> list[int]:
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if not wanted:
        raise UserError(f"--columns {names!r} names no column.", rule=f"Known: {', '.join(known)}.")
    for name in wanted:
        if name not in known:
            raise UserError(f"No column {name!r}.", rule=did_you_mean(name, known, show=len(known)))
    return [known.index(name) for name in wanted]


def _terminal(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], asked: Layout, *, offer: bool
) -> Iterator[str]:
    room = width()
    everything = [i for i, column in enumerate(columns) if not column.spare or any_known(rows, i)]
    if room is None:
        yield from _drawn(columns, rows, everything, None)
        if offer:
            yield from _legend(columns, everything, 110)
        return
    if asked.wide or asked.columns is not None:
        parts = list(_parts(columns, rows, room, everything))
    else:
        parts = [_fitting(columns, rows, room)]
    for shown in parts:
        yield from _drawn(columns, rows, shown, room)
    if offer:
        yield from _legend(columns, sorted({i for shown in parts for i in shown}), room)
    hidden = [c.name for i, c in enumerate(columns) if i not in parts[0] and any_known(rows, i)]
    if hidden and len(parts) == 1:
        more = " --wide shows all, --columns those you name." if offer else ""
        yield from folded(f"Not shown: {', '.join(hidden)}.{more}", room)


def any_known(rows: Sequence[Sequence[str]], place: int) -> bool:
    """Return whether any row has a value in this column."""
    return any(row[place] not in UNKNOWN for row in rows if row)


def _fitting(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """Return the places of the columns to show: those of rank 0, then as many as fit that hold anything."""
    shown = [i for i, c in enumerate(columns) if c.rank == 0 and (not c.spare or any_known(rows, i))]
    for i in sorted(range(len(columns)), key=lambda i: (columns[i].rank, i)):
        if i not in shown and any_known(rows, i) and _narrowest(columns, rows, [*shown, i]) <= room:
            shown.append(i)
    return sorted(shown)


def _parts(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int, places: Sequence[int]
) -> Iterator[list[int]]:
    """Yield columns in parts that fit, each with the first ones again."""
    keys = list(places[:KEYS])
    part = list(keys)
    for i in places[len(keys) :]:
        if len(part) > len(keys) and _narrowest(columns, rows, [*part, i]) > room:
            yield part
            part = list(keys)
        part.append(i)
    yield part


def _narrowest(columns: Sequence[Column], rows: Sequence[Sequence[str]], shown: Sequence[int]) -> int:
    return sum(_least(columns[i], rows, i) for i in shown) + len(GAP) * (len(shown) - 1)


def _most(column: Column, rows: Sequence[Sequence[str]], place: int) -> int:
    from rich.cells import cell_len

    return max([cell_len(column.name), *(cell_len(row[place]) for row in rows if row)])


def _least(column: Column, rows: Sequence[Sequence[str]], place: int) -> int:
    most = _most(column, rows, place)
    return min(most, max(column.least, len(column.name))) if column.wraps else most


def _drawn(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], shown: Sequence[int], room: int | None
) -> Iterator[str]:
    """Yield the lines of a table; where not even its narrowest form fits, a line for each value."""
    widths = {i: _most(columns[i], rows, i) for i in shown}
    if room is not None:
        spare = room - _narrowest(columns, rows, shown)
        if spare < 0:
            yield from _cards(columns, rows, shown, room)
            return
        most, widths = widths, {i: _least(columns[i], rows, i) for i in shown}
        while spare and (short := [i for i in shown if widths[i] < most[i]]):
            for i in short[:spare]:
                widths[i] += 1
            spare -= len(short[:spare])
    yield _line([(columns[i].name, widths[i], columns[i].right) for i in shown])
    yield "─" * (sum(widths.values()) + len(GAP) * (len(shown) - 1))
    for row in rows:
        if isinstance(row, Section):
            yield from folded(f"── {row.text}", room or sum(widths.values()) + len(GAP) * (len(shown) - 1))
            continue
        cells = [folded(row[i], widths[i]) for i in shown]
        for k in range(max(map(len, cells), default=0)):
            yield _line(
                [
                    (cell[k] if k < len(cell) else "", widths[i], columns[i].right)
                    for i, cell in zip(shown, cells, strict=True)
                ]
            )


def _line(cells: Sequence[tuple[str, int, bool]]) -> str:
    from rich.cells import cell_len

    padded = []
    for text, room, right in cells:
        space = " " * (room - cell_len(text))
        padded.append(space + text if right else text + space)
    return GAP.join(padded).rstrip()


def _cards(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], shown: Sequence[int], room: int
) -> Iterator[str]:
    for row in rows:
        if isinstance(row, Section):
            yield from folded(f"── {row.text}", room)
            continue
        for i in shown:
            if row[i] not in UNKNOWN:
                yield from folded(f"{columns[i].name}: {row[i]}", room)
        yield "─" * min(room, 20)


def _legend(columns: Sequence[Column], shown: Sequence[int], room: int) -> Iterator[str]:
    told = [f"{columns[i].name}: {columns[i].legend}" for i in shown if columns[i].legend]
    if told:
        yield from ("", *folded("; ".join(told) + ".", room))


def document(names: Sequence[str], rows: Sequence[Sequence[str] | Section], form: Format) -> Iterator[str]:
    """Yield the lines of a table in Markdown, else in LaTeX."""
    if form is Format.MARKDOWN:
        for line in (names, ["---"] * len(names), *rows):
            cells = [line.text] + [""] * (len(names) - 1) if isinstance(line, Section) else line
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        return
    yield rf"\begin{{tabular}}{{{'l' * len(names)}}}"
    yield r"\toprule"
    for i, line in enumerate((names, *rows)):
        if isinstance(line, Section):
            yield rf"\midrule \multicolumn{{{len(names)}}}{{l}}{{{tex(line.text)}}} \\"
            continue
        yield " & ".join(map(tex, line)) + r" \\"
        if i == 0:
            yield r"\midrule"
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _records(records: Sequence[Mapping[str, Any]], names: str | None, form: Format) -> None:
    made = [dict(record) if form is Format.JSON else dict(_flatten(record)) for record in records]
    fields = list(dict.fromkeys(name for record in made for name in record))
    if names is not None:
        fields = [fields[i] for i in _chosen(names, fields)] if fields else []
        made = [{name: record.get(name) for name in fields} for record in made]
    if form is Format.JSON:
        plain = "utf" not in (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
        print(json.dumps(made, indent=2, ensure_ascii=plain))
        return
    writer = csv.DictWriter(sys.stdout, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(made)


def _flatten(record: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs = []
    for name, value in record.items():
        if isinstance(value, Mapping):
            pairs += _flatten(value, f"{prefix}{name}.")
        else:
            pairs.append((prefix + name, value))
    return pairs


TEX = {"\\": r"\textbackslash{}", "–": "--", "≥": r"$\geq$", "≤": r"$\leq$", "×": r"$\times$"} | {
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "µ": r"$\mu$", "<": r"\textless{}",
    ">": r"\textgreater{}", **{c: rf"\{c}" for c in "%_&#$"}, "{": r"\{", "}": r"\}",
}  # fmt: skip


def tex(text: str) -> str:
    """Return text as LaTeX sets it."""
    return "".join(TEX.get(c, c) for c in text)
