"""A report as one HTML file that needs no network: the text, its pictures and its numbers."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from harness import __version__
from harness.cli import analyse as analysing
from harness.cli import compare as comparing
from harness.cli import results
from harness.cli.tables import Column, any_known, visible
from harness.report import pictures, words
from harness.report.cards import cards, commands, made_with
from harness.report.content import Content, PuzzleSet, Section
from harness.report.drawn import figures_of
from harness.report.plots import Figure
from harness.report.svg import picture
from harness.scores.compare import Pair
from harness.scores.leaderboard import ranked

HERE = Path(__file__).parent
BUDGET = 4_000_000  # bytes of figures and drawings; the file stays below 5 MB
RAW = {  # column of the leaderboard: field of its row
    "score": "score", "95 %": "low", "±seeds": "spread", "planned": "planned", "core": "core_parameters",
    "stored": "stored_parameters", "FLOPs/puzzle": "flops_per_puzzle", "time/puzzle": "seconds_per_puzzle",
    "tokens/puzzle": "tokens_per_puzzle", "$/puzzle": "usd_per_puzzle",
    "$ + training": "usd_per_puzzle_amortised", "FLOPs + training": "flops_per_puzzle_amortised",
    "$/device-hour": "usd_per_device_hour",
}  # fmt: skip
SAMPLES = (
    Column("solver", 0),
    Column(
        "samples", 0, "of a puzzle; early: it ended at a good answer, so they are no fair draw", right=True
    ),
    Column("mean single", 0, "one sample alone; of those that ended early the first", right=True),
    Column("vote", 0, "the answer that most samples agree on", right=True),
    Column("best by its own score", 0, "the sample that the solver is surest of", right=True),
    Column("best by the rules", 0, "the sample that breaks fewest rules of the puzzle", right=True),
    Column("generation-verification gap", 0, "own score, else vote, less mean single, in points", right=True),
    Column("verifier gap", 0, "rules less own score, else vote, in points", right=True),
)
RAW_PAIR = {"shared": "shared", "difference": "difference", "95 %": "low", "p": "p", "Holm": "holm"}


@dataclass(frozen=True, kw_only=True)
class Cells:
    """A row of a table: (value, text) for each column; run: the folder it is of."""

    cells: Sequence[tuple[Any, str]]
    run: str = ""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Rows that may be ranked, under a line that says what sets them apart from those above."""

    rows: Sequence[Cells]
    head: str = ""


@dataclass
class _Page:
    """What is used up while a page is made."""

    draw: Callable[..., tuple[list[pictures.Example], str]]
    palette: pictures.Palette = field(default_factory=pictures.Palette)
    left: int = BUDGET
    figures: int = 0


def html(content: Content, *, examples: int, data_dir: str | Path | None, trusted: bool = False) -> str:
    """Return the whole file. examples: unsolved puzzles drawn of the best run of each kind, in each block;
    trusted: also of tasks from files, whose code that runs.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    draw = partial(pictures.examples, each=examples, data_dir=data_dir, trusted=trusted)
    page = _Page(draw=draw)
    alone = len(content.sections) == 1 and len(content.sections[0].sets) == 1
    sections = [_section(page, n, s) for n, s in enumerate(content.sections, start=1)]
    style = (HERE / "page.css").read_text(encoding="utf-8") + page.palette.css()
    script = (HERE / "page.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=False
    )
    return environment.get_template("page.html.j2").render(
        title=_title(content),
        version=__version__,
        sentences=words.of_report(content),
        problems=content.problems,
        sections=sections,
        alone=alone,
        cards=list(cards(content.entries)),
        commands=list(commands(content)),
        made_with=made_with(content.entries),
        data=Markup(_data(content)),
        style=Markup(style),
        style_hash=_hash(style),
        script=Markup(script),
        script_hash=_hash(script),
    )


def _title(content: Content) -> str:
    tasks = [section.task for section in content.sections]
    runs = len(content.entries)
    named = ", ".join(tasks) if len(tasks) <= 4 else f"{len(tasks)} tasks"
    return f"{named}: {runs} run{'' if runs == 1 else 's'}"


def _section(page: _Page, place: int, section: Section) -> dict[str, Any]:
    own = _drawn(page, figures_of(section, None))[0]
    blocks = [_block(page, f"s{place}b{n}", section, block) for n, block in enumerate(section.sets, start=1)]
    return {"id": f"s{place}", "title": section.task, "figures": own, "blocks": blocks}


def _block(page: _Page, name: str, section: Section, block: PuzzleSet) -> dict[str, Any]:
    columns, rows = _runs(block)
    drawn, left = _drawn(page, figures_of(section, block))
    shown, why = page.draw(block, palette=page.palette) if page.left > 0 else ([], "")
    page.left -= sum(
        len(piece.text) + 40 for e in shown for line in (e.drawn or []) + (e.answered or []) for piece in line
    )
    note = f"{left} plots are left out to keep this file small; --task draws them." if left else ""
    return {
        "id": name, "title": block.puzzles, "sentences": words.of_set(block), "columns": columns,
        "rows": rows, "left": note, "figures": drawn, "pairs": len(block.pairs),
        "pair_rows": [Group(rows=[_pair(block, pair) for pair in block.pairs])],
        "pair_columns": [Column(name, right=name in RAW_PAIR) for name in comparing.COLUMNS],
        "pairs_say": _pairs_say(block),
        "samples": [Group(rows=list(_samples(block)))] if block.samples else [], "samples_columns": SAMPLES,
        "examples": shown, "no_examples": why,
    }  # fmt: skip


def _runs(block: PuzzleSet) -> tuple[list[Column], list[Group]]:
    """Return the leaderboard's own columns and cells, but the task's, which heads the set; block by block."""
    names = {entry.folder.name: entry.name for entry in block.entries}
    texts = {row.run: results.cells(row, place) for one in block.ranked for place, row in one.placed}
    kept = [
        i for i, c in enumerate(results.COLUMNS) if c.name != "task" and any_known(list(texts.values()), i)
    ]
    order = sorted(kept, key=lambda i: results.COLUMNS[i].name != "solver")  # the name first
    groups = []
    for one in block.ranked:
        rows = []
        for row in one.rows:
            found = []
            for i in order:
                column, text = results.COLUMNS[i].name, visible(texts[row.run][i])
                text = names[row.run] if column == "solver" else text
                found.append((getattr(row, RAW[column]) if column in RAW else text, text))
            rows.append(Cells(cells=found, run=row.run))
        differs = f"Apart from those above by {'; '.join(one.differs)}" if one.differs else ""
        groups.append(Group(rows=rows, head=visible(differs)))
    return [results.COLUMNS[i] for i in order], groups


def _pair(block: PuzzleSet, pair: Pair) -> Cells:
    """Return the cells of `bench compare`, under the names that runs have here."""
    names = {entry.folder.name: entry.name for entry in block.entries}
    texts = [names[pair.first], names[pair.second], *comparing.cells(pair)[2:]]
    return Cells(
        cells=[
            (getattr(pair, RAW_PAIR[name]) if name in RAW_PAIR else text, text)
            for name, text in zip(comparing.COLUMNS, texts, strict=True)
        ]
    )


def _samples(block: PuzzleSet) -> Iterator[Cells]:
    """Yield what the samples of each run are worth, as `bench analyse` has it, the best run first."""
    for entry in block.entries:
        found = block.samples.get(entry.folder.name)
        if found is None:
            continue
        cells: list[tuple[Any, str]] = [(entry.name, entry.name), (found.k[1], analysing.counted(found))]
        ways = (found.mean_single, found.vote, found.own, found.rules)
        cells += [(None, "–") if one is None else (one.score, analysing.scored(one)) for one in ways]
        gaps = (found.generation_verification_gap, found.verifier_gap)
        cells += [(None, "–") if one is None else (one.value, analysing.gap(one)) for one in gaps]
        yield Cells(cells=cells, run=entry.folder.name)


def _pairs_say(block: PuzzleSet) -> str:
    metric = block.pairs[0].metric if block.pairs else ""
    return (
        f"{metric}: first minus second, in points, with a paired bootstrap over groups; alone: puzzles only "
        f"the first, only the second solved; p: {comparing.tests(block.pairs)}; Holm: p adjusted for all "
        "pairs here; of several seeds each puzzle counts with their mean"
    )


def _drawn(page: _Page, figures: Iterable[Figure]) -> tuple[list[dict[str, Any]], int]:
    """Return the figures as the template takes them while there is room, and how many are left out."""
    from markupsafe import Markup

    drawn, left = [], 0
    for figure in figures:
        if page.left <= 0:
            left += 1
            continue
        page.figures += 1
        name = f"f{page.figures}"
        svg = picture(figure, name)
        page.left -= len(svg) + 60 * sum(map(len, figure.rows))
        columns = [Column(c, right=i > 0) for i, c in enumerate(figure.columns)]
        rows = [Cells(cells=[(value, _written(value)) for value in row]) for row in figure.rows]
        drawn.append({"id": name, "title": figure.title, "says": figure.says, "notes": figure.notes,
                      "svg": Markup(svg), "columns": columns, "rows": [Group(rows=rows)]})  # fmt: skip
    return drawn, left


def _written(value: Any) -> str:
    if value is None:
        return "–"
    return (
        f"{value:.6g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    )


def _data(content: Content) -> str:
    """Return what the commands say, row by row, as JSON that no HTML parser takes for an end tag."""
    rows = [
        asdict(row) | {"rank": place, "ranked_in": number, "differs": block.differs}
        for number, block in enumerate(ranked([entry.row for entry in content.entries]), 1)
        for place, row in block.placed
    ]
    pairs = [asdict(pair) for s in content.sections for one in s.sets for pair in one.pairs]
    fronts = [
        asdict(row) | {"axis": axis}
        for section in content.sections
        for one in section.sets
        for axis, front in one.fronts.items()
        for row in front.rows
    ]
    strata = {
        run: asdict(found)["strata"]
        for s in content.sections
        for one in s.sets
        for run, found in one.strata.items()
    }
    samples = {
        run: asdict(found) for s in content.sections for one in s.sets for run, found in one.samples.items()
    }
    found = {
        "leaderboard": rows, "compare": pairs, "front": fronts, "strata": strata, "samples": samples,
    }  # fmt: skip
    text = json.dumps(found, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
