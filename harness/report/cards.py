"""The end of a report: who each solver is, and the commands that make it all again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness import __version__
from harness.cli.tables import visible
from harness.exchange.commands import command
from harness.report.content import Content
from harness.report.entries import Entry


def cards(entries: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    """Yield each solver's card once, with the runs that are its."""
    same: dict[str, list[Entry]] = {}
    for entry in entries:
        card = asdict(entry.record.card)
        same.setdefault(json.dumps([card, entry.name], default=str, sort_keys=True), []).append(entry)
    for of in same.values():
        runs = ", ".join(visible(folder.name) for entry in of for folder, _ in entry.runs)
        yield {"name": of[0].name, "facts": list(_facts(asdict(of[0].record.card))), "runs": runs}


def _facts(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in card.items():
        if isinstance(value, Mapping):
            if not value:
                yield name, "unknown"
            for inner, of in value.items():
                yield visible(f"{name}: {inner.replace('_', ' ')}"), _fact(of)
        else:
            yield name.replace("_", " "), _fact(value)


def _fact(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}"
    return visible(value if isinstance(value, str) else json.dumps(value, default=str))


def commands(content: Content) -> Iterator[dict[str, Any]]:
    for section in content.sections:
        records = [record for entry in section.entries for _, record in entry.runs]
        lines = list(dict.fromkeys(visible(command(record)) for record in records))
        yield {"label": f"Commands of {section.task}", "lines": lines}
    after = [
        f"bench compare {_merging(block.compared)}{_names(block.compared)}"
        for section in content.sections
        for block in section.sets
        if block.pairs
    ]
    yield {
        "label": "Comparing and reporting",
        "lines": [*map(visible, after), visible(f"bench report {_names(content.entries)}")],
    }


def _merging(entries: Sequence[Entry]) -> str:
    return "--merge-seeds " if any(len(entry.runs) > 1 for entry in entries) else ""


def _names(entries: Sequence[Entry]) -> str:
    return " ".join(folder.name.rpartition("_")[2] for entry in entries for folder, _ in entry.runs)


def made_with(entries: Sequence[Entry]) -> str:
    records = [record for entry in entries for _, record in entry.runs]
    commits = sorted({record.environment.git_commit or "unknown" for record in records})
    days = sorted(record.created[:10] for record in records)
    prices = sorted({record.environment.price_table or "none" for record in records})
    return visible(
        f"Runs of {days[0]}{'' if days[0] == days[-1] else f' to {days[-1]}'}; commit {', '.join(commits)}; "
        f"prices of {', '.join(prices)}; report by depthbench {__version__}. The same runs give the same "
        "file."
    )
