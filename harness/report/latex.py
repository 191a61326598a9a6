"""The tables of a report for LaTeX, with booktabs; nothing else is needed to set them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.cli import compare, results
from harness.cli.tables import any_known, tex, visible
from harness.report import words
from harness.report.content import Content, PuzzleSet

LEFT_OUT = ("task", "kind", "metric", "failures", "run")  # in the caption, or of no use on paper


def latex(content: Content) -> str:
    """Return a table of runs and one of pairs for each set of puzzles."""
    lines = ["% needs \\usepackage{booktabs}"]
    for section in content.sections:
        for block in section.sets:
            lines += ["", *_runs(block)]
            if block.pairs:
                lines += ["", *_pairs(block)]
    return "\n".join(lines) + "\n"


def _runs(block: PuzzleSet) -> Iterator[str]:
    place = {row.run: n for one in block.ranked for n, row in one.placed}
    texts = [results.cells(entry.row, place[entry.folder.name]) for entry in block.entries]
    kept = [i for i, c in enumerate(results.COLUMNS) if c.name not in LEFT_OUT and any_known(texts, i)]
    columns = [results.COLUMNS[i] for i in kept]
    rows = [
        [entry.name if results.COLUMNS[i].name == "solver" else visible(text[i]) for i in kept]
        for entry, text in zip(block.entries, texts, strict=True)
    ]
    row = block.entries[0].row
    caption = (
        f"{block.puzzles}: {row.metric} in per cent of {row.puzzles:,} puzzles. {words.of_set(block)[1]}"
    )
    yield from _table(
        caption, [c.name for c in columns], "".join("r" if c.right else "l" for c in columns), rows
    )


def _pairs(block: PuzzleSet) -> Iterator[str]:
    names = {entry.folder.name: entry.name for entry in block.entries}
    rows = []
    for pair in block.pairs:
        cells = compare.cells(pair)
        rows.append([names[pair.first], names[pair.second], *cells[2:]])
    caption = f"{block.puzzles}: pairs of runs; McNemar's exact test, adjusted for all pairs (Holm)."
    yield from _table(caption, compare.COLUMNS, "ll" + "r" * (len(compare.COLUMNS) - 3) + "l", rows)


def _table(caption: str, names: Sequence[str], columns: str, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield r"\begin{table}"
    yield rf"\caption{{{tex(caption)}}}"
    yield rf"\begin{{tabular}}{{{columns}}}"
    yield r"\toprule"
    yield " & ".join(map(tex, names)) + r" \\"
    yield r"\midrule"
    for row in rows:
        yield " & ".join(map(tex, row)) + r" \\"
    yield r"\bottomrule"
    yield r"\end{tabular}"
    yield r"\end{table}"
