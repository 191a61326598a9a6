"""What was asked and what came out, in three sentences made from the numbers alone.

They claim no more than the paired tests do: "first" is of the scores, "ahead" and "behind" are of tests
adjusted for all pairs, and what no run or no test can say is said to be open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.cli import units
from harness.report.content import Content, PuzzleSet, Section
from harness.report.entries import Entry
from harness.report.plots import several, told
from harness.scores.compare import Pair

KINDS = {
    "net": ("net", "nets"),
    "llm": ("language model", "language models"),
    "hybrid": ("hybrid", "hybrids"),
    "exact": ("exact solver", "exact solvers"),
    "baseline": ("baseline", "baselines"),
}


def of_set(block: PuzzleSet) -> list[str]:
    """Return the three sentences of runs on the same puzzles: what was asked, who is first, nets against
    language models.
    """
    return [_asked(block), _first(block), _nets_and_models(block)]


def of_report(content: Content) -> list[str]:
    """Return the three sentences of a whole report; of one block, that block's."""
    blocks = [block for section in content.sections for block in section.sets]
    if len(blocks) == 1:
        return of_set(blocks[0])
    runs = content.entries
    tasks = [section.task for section in content.sections]
    asked = (
        f"Asked: which of {_counted(runs)} does best on puzzles of {several(tasks)}: {len(blocks)} sets of "
        "puzzles, and runs are ranked within a set only."
    )
    return [asked, _leaders(content.sections), _everywhere(blocks)]


def _asked(block: PuzzleSet) -> str:
    row = block.entries[0].row
    metric = f"{row.metric}{', where low is better' if row.better == 'low' else ''}"
    of = f"{_n(row.puzzles, 'puzzle')} of {block.puzzles}"
    if len(block.entries) == 1:
        return f"Asked: what {block.entries[0].name} scores on {of} ({metric})."
    return f"Asked: which of {_counted(block.entries)} does best on {of} ({metric})."


def _first(block: PuzzleSet) -> str:
    scored = [entry for entry in block.entries if entry.scored]
    if not scored:
        return "There is no answer: no run has a score, since nothing was attempted or every call failed."
    best, row = scored[0], scored[0].row
    if len(scored) == 1:
        rest = "no other run has a score" if len(block.entries) > 1 else "there is one run"
        return f"{best.name} scores {told(row)}{_unfinished(best)}; {rest}, so it is compared with nothing."
    level = [entry for entry in scored if entry.row.score == row.score]
    if len(level) == len(scored):
        return f"All {len(scored)} runs that have a score have the same, {told(row)}: no difference is seen."
    if len(level) > 1:
        head = f"{several([e.name for e in level])} have the highest score, all {units.share(row.score)}"
    else:
        head = f"{best.name} has the highest score, {told(row)}{_unfinished(best)}"
    if row.better == "low":
        head = head.replace("highest", "lowest")
    apart = sorted({name.partition(":")[0] for ranked in block.ranked for name in ranked.differs})
    ranks = (
        f"; runs that differ in {' and '.join(apart)} are compared but not ranked together" if apart else ""
    )
    return f"{head}; {_behind(block, level)}{ranks}."


def _behind(block: PuzzleSet, level: Sequence[Entry]) -> str:
    """Say which others the paired tests separate from the first run, and which they do not."""
    if not block.pairs:
        return f"no paired test was made: {block.unpaired.rstrip('.')}"
    best = level[0].folder.name
    separated: list[Entry] = []
    open_: list[Entry] = []
    names = {entry.folder.name: entry for entry in block.compared}
    for pair in block.pairs:
        if best in (pair.first, pair.second):
            other = names[pair.second if pair.first == best else pair.first]
            if other not in level:
                (separated if pair.separated else open_).append(other)
    of = len(separated) + len(open_)
    if not of:
        return "the others were not compared with it"
    told_apart = f"paired tests tell it apart from {len(separated)} of the {of} others compared"
    if not open_:
        return told_apart
    return f"{told_apart}, but not from {several([e.name for e in open_], 3)}"


def _nets_and_models(block: PuzzleSet) -> str:
    net, model = (_best(block, kind) for kind in ("net", "llm"))
    if net is None or model is None:
        lacking = [KINDS[kind][0] for kind, found in (("net", net), ("llm", model)) if found is None]
        none = f"No {' and no '.join(lacking)} has a score here"
        return f"{none}, so nothing is said of nets against language models."
    return (
        f"The best net, {_sized(net)}, scores {told(net.row)}, the best language model, {_sized(model)}, "
        f"{told(model.row)}: {_verdict(_pair(block, net, model), block)}."
    )


def _verdict(pair: tuple[Pair, int] | None, block: PuzzleSet) -> str:
    if pair is None:
        return f"they were not compared puzzle by puzzle ({block.unpaired.rstrip('.') or 'left out'})"
    found, sign = pair
    ends = sorted((sign * found.low, sign * found.high))
    gap = f"{100 * sign * found.difference:+.1f} points ({100 * ends[0]:+.1f} to {100 * ends[1]:+.1f})"
    if found.separated:
        ahead = sign * found.difference > 0
        better = ahead if block.entries[0].row.better == "high" else not ahead
        return f"{gap}, the {'net' if better else 'language model'} is ahead"
    if found.needed is None:
        return "no difference is seen"
    if found.needed <= found.shared:
        return f"{gap}, which the test does not tell from none"
    return (
        f"{gap}, which {found.shared:,} puzzles do not tell from none; about {found.needed:,} would be needed"
    )


def _leaders(sections: Sequence[Section]) -> str:
    parts = []
    for section in sections:
        block = section.sets[0]  # that of most runs
        scored = [entry for entry in block.entries if entry.scored]
        if scored:
            level = [e.name for e in scored if e.row.score == scored[0].row.score]
            who = several(level, 2) if len(level) < len(scored) or len(scored) == 1 else "all alike"
            parts.append(f"{section.task}: {who} with {units.share(scored[0].row.score)}")
        else:
            parts.append(f"{section.task}: no run has a score")
    return f"First by score, on each task's most played set: {'; '.join(parts)}."


def _everywhere(blocks: Sequence[PuzzleSet]) -> str:
    """Count the sets of puzzles on which nets and language models met, by what the paired test says."""
    counts = {"net": 0, "llm": 0, "open": 0}
    for block in blocks:
        net, model = (_best(block, kind) for kind in ("net", "llm"))
        found = _pair(block, net, model) if net and model else None
        if found is None:
            continue
        pair, sign = found
        ahead = (sign * pair.difference > 0) == (block.entries[0].row.better == "high")
        counts["open" if not pair.separated else "net" if ahead else "llm"] += 1
    met = sum(counts.values())
    if not met:
        return "On no set did a net meet a language model, so nothing is said of the one against the other."
    return (
        f"A net and a language model met on {_n(met, 'set')}: by the paired test of the best of each, the "
        f"net is ahead on {counts['net']}, the language model on {counts['llm']}, and {counts['open']} stay "
        "open."
    )


def _best(block: PuzzleSet, kind: str) -> Entry | None:
    return next((e for e in block.entries if e.scored and e.row.kind == kind), None)


def _pair(block: PuzzleSet, one: Entry, other: Entry) -> tuple[Pair, int] | None:
    """Return the pair of two runs, and the sign that makes its difference one minus other."""
    names = (one.folder.name, other.folder.name)
    for pair in block.pairs:
        if {pair.first, pair.second} == set(names):
            return pair, 1 if pair.first == names[0] else -1
    return None


def _counted(entries: Sequence[Entry]) -> str:
    """Say how many runs there are, of which kinds: two depths of one net are two runs."""
    kinds = Counter(entry.row.kind for entry in entries)
    parts = [f"{n} of {KINDS.get(kind, (kind, kind))[1]}" for kind, n in kinds.most_common()]
    return f"{_n(len(entries), 'run')} ({', '.join(parts)})"


def _sized(entry: Entry) -> str:
    size = entry.row.core_parameters
    return entry.name if size is None else f"{entry.name} ({units.parameters(size)} parameters)"


def _unfinished(entry: Entry) -> str:
    left = entry.row.outcomes["not_run"]
    return f" ({left:,} of {entry.row.planned:,} attempts have not run and count as unsolved)" if left else ""


def _n(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
