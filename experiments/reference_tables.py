"""The tables of README.md and docs/reference.md, written from the numbers in results/reference.

    python experiments/reference_tables.py      # after an edit of the committed numbers or of a table's form

Nothing is computed here but how numbers are shown; a test says that what stands in both files is what this
writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.cli import units

ROOT = Path(__file__).resolve().parent.parent
FILES = ("own", "published", "arc", "pairs", "constraints")
Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]


def load(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the committed rows of a table; none where it is not there yet."""
    path = folder / f"{name}.json"
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return found


def all_of(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {name: load(folder, name) for name in FILES}


def key_of(row: Row) -> tuple[str, str, str]:
    """Return what two editions of one row share."""
    return row["set"], row["level"], name_of(row)


def name_of(row: Row) -> str:
    """Return how a row's solver is called."""
    if row["kind"] == "llm":  # the model of a net is its weights file
        return str(row["model"])
    return " ".join([row["solver"], *(f"{name}={value}" for name, value in row["options"].items())])


def _short(name: str) -> str:
    return name.rpartition("/")[2].removesuffix("-instruct").removesuffix("-it").removesuffix("-beta")


def score(row: Row) -> str:
    """Return a score with its interval in per cent; why there is none."""
    if row["score"] is None:
        return "– (every reply empty)"
    low, high = (f"{100 * row[end]:.1f}".removesuffix(".0") for end in ("low", "high"))
    return f"{100 * row['score']:.1f} ({low}–{high})"


def _seconds(seconds: float | None) -> str:
    return "unknown" if seconds is None else units.seconds(seconds)


def _count(number: float | None) -> str:
    return "unknown" if number is None else units.quantity(number)


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _order(rows: Sequence[Row]) -> list[str]:
    """Return solvers in the order of the README's table: nets, models by their mean score, the exact search,
    baselines.
    """
    kinds = {"net": 0, "exact": 1, "llm": 2, "baseline": 3}
    scores: dict[str, list[float]] = {}
    kind: dict[str, int] = {}
    for row in rows:
        scores.setdefault(name_of(row), []).append(row["score"] or 0.0)
        kind[name_of(row)] = kinds[row["kind"]]
    return sorted(scores, key=lambda n: (kind[n], -sum(scores[n]) / len(scores[n]), n))


def readme(found: Tables) -> str:
    """Return the README's table: solvers down, kinds of puzzles across, the easy level of each."""
    easy = [row for row in found["published"] if row["level"] == "easy"]
    same = {row["puzzles_sha256"] for row in easy}
    # a model that was asked at the other level alone, where that has the very same puzzles
    names = {name_of(row) for row in easy}
    extra = [
        row for row in found["published"]
        if row["level"] != "easy" and row["puzzles_sha256"] in same and name_of(row) not in names
    ]  # fmt: skip
    rows = easy + extra
    sets = list(dict.fromkeys(row["set"] for row in rows))
    lines = []
    for name in _order(rows):
        mine = {row["set"]: row for row in rows if name_of(row) == name}
        one = next(iter(mine.values()))
        cells = [score(mine[title]) if title in mine else "" for title in sets]
        lines.append([_label(one), _parameters(list(mine.values())), *cells, _time(list(mine.values()))])
    return markdown(["solver", "parameters", *sets, "time a puzzle"], lines)


def _label(row: Row) -> str:
    if row["kind"] != "llm":
        return label(row)
    return f"{_short(row['model'])}, {row['date'][:7] if row['date'] else 'played here'}"


def _parameters(rows: Sequence[Row]) -> str:
    sizes = sorted({row["stored_parameters"] for row in rows if row["stored_parameters"]})
    if not sizes:
        return "unknown" if rows[0]["kind"] == "llm" else "–"
    shown = [units.parameters(size) for size in (sizes[0], sizes[-1])]
    return shown[0] if shown[0] == shown[1] else f"{shown[0]}–{shown[1]}"


def _time(rows: Sequence[Row]) -> str:
    times = sorted(row["seconds_per_puzzle"] for row in rows if row["seconds_per_puzzle"] is not None)
    if not times:
        return "unknown"
    first, last = _seconds(times[0]), _seconds(times[-1])
    return first if first == last else f"{first} – {last}"


def arc(found: Tables) -> str:
    """Return the block of ARC-AGI-1's public evaluation set, beside what TRM's authors report."""
    lines = []
    for row in sorted(found["arc"], key=lambda row: -(row["score"] or 0)):
        attempted = row["planned"] - sum(row["failures"].values())
        date = "2024-11 to 2025-01" if row["kind"] == "llm" else "this project"
        answered = f"{attempted:,} of {row['planned']:,}"
        name = (
            f"{label(row)}, {_parameters([row])} parameters" if row["kind"] == "net" else _short(name_of(row))
        )
        told = [name, date, score(row), answered]
        lines.append((row["score"] or 0, told))
    lines.append((0.446, ["TRM, as its authors report", "2025-10", "44.6", "arXiv 2510.04871, table 5"]))
    ordered = [line for _, line in sorted(lines, key=lambda pair: -pair[0])]
    return markdown(["solver", "date", "tasks solved, %", "attempts answered"], ordered)


def block(rows: Sequence[Row]) -> str:
    """Return one set's table: every solver, with its books."""
    lines = []
    order = {name: place for place, name in enumerate(_order(rows))}
    for row in sorted(rows, key=lambda row: (-(row["score"] or 0.0), order[name_of(row)])):
        share = row["metrics"].get("constraints", row["metrics"].get("cells"))
        failed = ", ".join(f"{n} {kind}" for kind, n in row["failures"].items()) or "–"
        best = next((value for name, value in row["metrics"].items() if "pass@" in name), None)
        usd = row["usd_per_puzzle"]
        lines.append([
            label(row), row["date"] or "–", score(row), "–" if best is None else f"{100 * best:.1f}",
            f"{row['correct']:,} of {row['planned']:,}", failed,
            "–" if share is None or row["score"] is None else f"{100 * share:.1f}",
            _count(row["flops_per_puzzle"]), _seconds(row["seconds_per_puzzle"]),
            "unknown" if usd is None else f"{usd:.2g}",
        ])  # fmt: skip
    columns = ("solver", "date", "solved, % (95 %)", "in any reply, %", "attempts", "without an answer",
               "cells or constraints, %", "FLOPs", "time", "dollars")  # fmt: skip
    return markdown(columns, lines)


def label(row: Row) -> str:
    """Return how a row's solver is called in a table, with its level where it is not the easy one."""
    options = row["options"]
    name = {"trm": "TRM", "looped": "looped net", "search": "exact search"}.get(row["solver"], row["solver"])
    if row["kind"] == "llm":
        name = _short(row["model"])
    if depth := max(options.get("depths", ())) if "depths" in options else options.get("depth"):
        name += f", {depth} supervision step{'s' * (depth > 1)}"
    if "samples" in options:
        name += f", vote of {options['samples']} symmetric copies"
    return name + (", hard" if row["level"] == "hard" else "")


def blocks(rows: Sequence[Row]) -> str:
    """Return the tables of all sets of puzzles, each under its heading."""
    parts = []
    for title, content in dict.fromkeys((row["set"], row["puzzles_sha256"]) for row in rows):
        mine = [row for row in rows if (row["set"], row["puzzles_sha256"]) == (title, content)]
        levels = " and ".join(dict.fromkeys(row["level"] for row in mine))
        if levels == "generated":
            levels = "of our own generator"
        heading = f"#### {title}, {levels}: {mine[0]['puzzles']} puzzles, content {content[:12]}"
        parts.append(f"{heading}\n\n{block(mine)}")
    return "\n\n".join(parts)


def pairs(found: Tables) -> str:
    """Return each net against every other solver of its block, and how many of the models' pairs separate."""
    lines = []
    for row in found["pairs"]:
        if (row["kinds"][0] == "net") == (row["kinds"][1] == "net"):
            continue
        sign = 1 if row["kinds"][0] == "net" else -1
        net, other = (row["first"], row["second"])[::sign]
        low, high = sorted((sign * 100 * row["low"] + 0.0, sign * 100 * row["high"] + 0.0))
        verdict = "they differ" if row["holm"] < 0.05 else "not separated"
        lines.append([row["set"], net, other, f"{sign * 100 * row['difference'] + 0.0:+.1f}",
                      f"{low:+.1f} to {high:+.1f}", _p(row["p"]), _p(row["holm"]), verdict])  # fmt: skip
    columns = ("puzzles", "net", "against", "difference, points", "95 %", "p", "Holm", "verdict")
    between = [row for row in found["pairs"] if row["kinds"] == ["llm", "llm"]]
    apart = sum(row["holm"] < 0.05 for row in between)
    return f"{markdown(columns, lines)}\n\nBetween two models {apart} of {len(between)} pairs differ."


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def constraints(found: Tables) -> str:
    """Return constraints met under both countings, over parsed and over planned answers."""
    lines = []
    for row in found["constraints"]:
        shares = ["–" if row[name] is None else f"{100 * row[name]:.1f}"
                  for name in ("units_parsed", "units_planned", "pairs_parsed", "pairs_planned")]  # fmt: skip
        lines.append([row["puzzles"].removeprefix("reasoning-gym-"), row["size"], _short(row["solver"]),
                      f"{row['parsed']:,} of {row['planned']:,}", *shares])  # fmt: skip
    columns = ("puzzles", "size", "solver", "parsed", "units, of parsed", "units, of planned",
               "pairs, of parsed", "pairs, of planned")  # fmt: skip
    return markdown(columns, lines)


BLOCKS: dict[str, dict[str, Callable[[Tables], str]]] = {
    "README.md": {"table": readme},
    "docs/reference.md": {
        "arc": arc,
        "published": lambda found: blocks(found["published"]),
        "pairs": pairs,
        "constraints": constraints,
        "own": lambda found: blocks(found["own"]),
    },
}
"""Which generated block stands in which file, between its two marks."""


def filled(text: str, name: str, body: str) -> str:
    """Return a text with the block between its marks replaced. Raises ValueError if it has none."""
    start, end = f"<!-- reference {name} -->", f"<!-- end of reference {name} -->"
    pattern = re.compile(f"({re.escape(start)}).*({re.escape(end)})", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"no {start} … {end}")
    return pattern.sub(lambda found: f"{found[1]}\n\n{body}\n\n{found[2]}", text)


def written(root: Path, kept: Path) -> dict[Path, str]:
    """Return each file as it is with its blocks written from the committed numbers."""
    found = all_of(kept)
    texts = {}
    for name, parts in BLOCKS.items():
        text = (root / name).read_text(encoding="utf-8")
        for part, render in parts.items():
            text = filled(text, part, render(found))
        texts[root / name] = text
    return texts


def write(root: Path, kept: Path) -> None:
    """Write the blocks into their files."""
    for path, text in written(root, kept).items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(ROOT, ROOT / "results" / "reference")
