"""One row per run, side by side. Rows are plain dictionaries; pandas frames are made of them on demand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DepthbenchError
from harness.records.folder import Line, RunFolder
from harness.running.plan import results_folder
from harness.scores.summary import summary_of

if TYPE_CHECKING:
    import pandas as pd

PUBLISHED = Path(__file__).parent / "published.csv"
Row = dict[str, Any]


def leaderboard(
    results_dir: str | Path | None = None, *, task: str | None = None, solver: str | None = None
) -> pd.DataFrame:
    """Return the leaderboard as a frame, best first within each task. Runs that cannot be read are warned
    about.
    """
    import warnings

    import pandas as pd

    rows, problems = scan(results_dir, task=task, solver=solver)
    for problem in problems:
        warnings.warn(problem, stacklevel=2)
    return pd.DataFrame(rows)


def scan(
    results_dir: str | Path | None = None, *, task: str | None = None, solver: str | None = None
) -> tuple[list[Row], list[str]]:
    """Return (rows, one sentence for each run that cannot be read)."""
    rows, problems = [], []
    for path in sorted((results_folder(results_dir) / "runs").glob("*/run.json")):
        folder = RunFolder(path.parent)
        try:
            config = folder.config()
            if task in (None, config["task"]["name"]) and solver in (None, config["solver"]["name"]):
                rows.append(row_of(folder, config, summary_of(folder, config)))
        except DepthbenchError as error:
            problems.append(f"Left out {folder.path.name}: {error}")
    rows.sort(
        key=lambda r: (r["task"], _text(r["task_options"]), r["split"], -r["score"], -r["planned"], r["run"])
    )
    return rows, problems


def row_of(folder: RunFolder, config: Mapping[str, Any], summary: Mapping[str, Any]) -> Row:
    """Return the leaderboard row of one run; None is unknown."""
    headline, card, costs = summary["metrics"][0], config["card"], summary["costs"]
    row: Row = {
        "run": folder.path.name,
        "task": config["task"]["name"],
        "task_options": config["task"]["changed"],
        "task_version": config["task"]["version"],
        "split": config["split"],
        "default_split": config["default_split"],
        "seed": config["seed"],
        "solver": config["solver"]["name"],
        "solver_options": config["solver"]["changed"],
        "kind": card["kind"],
        "model": card["model"],
        "metric": headline["name"],
        "score": headline["score"],
        "low": headline["low"],
        "high": headline["high"],
        "chance": config["chance"],
        "metrics": {m["name"]: m["score"] for m in summary["metrics"]},
        "planned": summary["planned"],
        "puzzles": summary["puzzles"],
        "complete": summary["complete"],
        "outcomes": summary["outcomes"],
        "depth_curve": summary["depth_curve"],
        "depth_scores": summary["depth_scores"],
        "mean_depth": summary["mean_depth"],
        "core_parameters": card["parameters"]["core"],
        "stored_parameters": card["parameters"]["stored"],
    }
    for name in ("flops", "seconds", "tokens", "usd", "device_seconds", "wall_seconds", "passes", "joules"):
        row[f"{name}_per_puzzle"] = costs[name]["per_puzzle"]
        row[f"{name}_per_puzzle_at_least"] = costs[name]["per_puzzle_at_least"]
    return row


def published(task: str | None = None) -> list[dict[str, str]]:
    """Return the rows of published.csv: numbers from the literature, with regime, source and how far they
    were checked.

    evidence: P, read in the paper; A, in its abstract; R, in a repository, model card or page of its authors;
    D, in a copy of a data file; S, second-hand: in a text that quotes the source. Public and semi-private ARC
    scores are different metrics: they are of different puzzles. n: puzzles, where known.
    """
    import csv

    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if task in (None, row["task"])]


def attempts_frame(config: Mapping[str, Any], lines: Sequence[Line]) -> pd.DataFrame:
    """Return recorded attempts as a frame: one row per line, usage as usage.*, verdict numbers by name."""
    import pandas as pd

    difficulty = dict(zip(config["puzzles"]["ids"], config["puzzles"]["difficulty"], strict=True))
    groups = dict(
        zip(config["puzzles"]["ids"], config["puzzles"]["groups"] or config["puzzles"]["ids"], strict=True)
    )
    rows = [
        {
            "puzzle": line["puzzle"],
            "attempt": line["attempt"],
            "group": groups.get(line["puzzle"]),
            "difficulty": difficulty.get(line["puzzle"]),
            "outcome": line["outcome"],
            **line.get("numbers", {}),
            **{f"usage.{name}": value for name, value in line.get("usage", {}).items()},
            **{name: line.get(name) for name in ("depth", "samples", "answer", "reply", "trace", "detail")},
        }
        for line in lines
    ]
    return pd.DataFrame(rows)


def find_run(name: str, results_dir: str | Path | None = None) -> RunFolder:
    """Return the run folder named by a path, a folder name, the end of one name, or any part of one, such
    as its hash.
    """
    from harness.errors import UserError, did_you_mean

    if (Path(name) / "run.json").is_file():
        return RunFolder(Path(name))
    runs = results_folder(results_dir) / "runs"
    known = {p.parent.name: p.parent for p in runs.glob("*/run.json")}
    if name in known:
        return RunFolder(known[name])
    fits = [n for n in known if n.endswith(f"_{name}")] or sorted(n for n in known if name in n)
    if len(fits) == 1:
        return RunFolder(known[fits[0]])
    if fits:
        raise UserError(
            f"{name!r} fits {len(fits)} runs: {', '.join(fits[:5])}.", next_step="Give more letters of one."
        )
    raise UserError(
        f"No run {name!r} in {runs}.",
        rule=did_you_mean(name, known, show=5) if known else "That folder holds no run.",
        next_step="`bench leaderboard` lists the runs; --results-dir names another folder.",
    )


def _text(options: Mapping[str, Any]) -> str:
    return ",".join(f"{k}={v}" for k, v in options.items())


def failures(outcomes: Mapping[str, int]) -> str:
    """Say which attempts have no answer, by kind: "3 timed_out, 1 refused"."""
    return ", ".join(f"{n} {kind}" for kind, n in _failed(outcomes)) or "–"


def _failed(outcomes: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    return ((kind, n) for kind, n in outcomes.items() if n and kind not in ("correct", "wrong"))
