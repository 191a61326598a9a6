"""What the pages ask for, as JSON values: the runs, the state of one, a page of its attempts, one puzzle.

Each answer reads on for a moment where a file is not read to its end, and says how far it is: no request
waits for a large run.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import __version__
from harness.contracts import Outcome
from harness.errors import UserError
from harness.records.folder import RunFolder
from harness.records.schema import OUTCOMES
from harness.view import puzzle as puzzles
from harness.view.drawing import safe
from harness.view.index import ORDERS, Wanted
from harness.view.later import WaitingError
from harness.view.library import Library, Listed, OpenRun, activity

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

SIZES = (10, 25, 50, 100)  # attempts a page
READ_SECONDS = 0.08  # that one request indexes or searches on
LIST_SECONDS = 0.15
MOST_BESIDE = 3  # runs beside the first
LONGEST_TEXT = 400
WIDTHS = (30, 160)
Answer = dict[str, Any]


def runs(library: Library, _: QueryParams) -> Answer:
    """Return what is known of every run by now; `waiting` counts those that are still being read."""
    until = time.monotonic() + LIST_SECONDS
    found: list[Answer] = []
    waiting = 0
    for name, folder in sorted(library.folders().items(), reverse=True):
        seen = library.listed(folder, until - time.monotonic())
        waiting += seen is None
        found.append({"run": name, "waiting": True} if seen is None else _listed(folder, name, seen))
    found.sort(key=lambda run: run.get("created", ""), reverse=True)  # stable: equal ones by name
    return {"version": __version__, "runs": found, "waiting": waiting}


def _listed(folder: RunFolder, name: str, seen: Listed) -> Answer:
    record, summary = seen.record, seen.summary
    if record is None:
        return {"run": name, "problem": safe(seen.problem or "")}
    found: Answer = {
        "run": name,
        "task": safe(record.task.name),
        "task_options": _options(record.task.changed),
        "task_version": record.task.version,
        "split": record.split,
        "seed": record.seed,
        "solver": safe(record.solver.name),
        "solver_options": _options(record.solver.changed),
        "kind": record.card.kind,
        "model": None if record.card.model is None else safe(record.card.model),
        "created": safe(record.created),
        "planned": seen.planned,
        "puzzles": seen.puzzles,
        "key": [
            record.task.name,
            record.task.version,
            record.split,
            record.seed,
            _options(record.task.changed),
        ],
    }
    if summary is None:
        return found | {"state": activity(folder, False)}
    head = summary.headline
    return found | {
        "state": activity(folder, summary.complete),
        "recorded": summary.recorded,
        "outcomes": dict(summary.outcomes),
        "metric": safe(head.name),
        "score": head.score,
        "low": head.low,
        "high": head.high,
        "better": head.better,
        "denominator": head.n,
        "usd": summary.costs["usd"].total,
        "seconds_per_puzzle": summary.costs["seconds"].per_puzzle,
        "parameters": record.card.parameters.core,
    }


def _options(changed: Mapping[str, Any]) -> str:
    return safe(" ".join(f"{name}={json.dumps(value) if not isinstance(value, str) else value}"
                         for name, value in changed.items()))  # fmt: skip


def one_run(library: Library, query: QueryParams) -> Answer:
    """Return the state of one run as its index has it: how far it is read, what came out so far."""
    run, complete = _indexed(library, query.get("run", ""))
    others = _beside(library, query, run)
    index, record = run.index, run.record
    counts = index.counts()
    recorded = record.planned - counts[str(Outcome.NOT_RUN)]
    known = index.difficulty[~np.isnan(index.difficulty)]
    return {
        "run": run.folder.name,
        "task": safe(record.task.name),
        "task_version": record.task.version,
        "task_options": _options(record.task.changed),
        "split": record.split,
        "solver": puzzles.name_of(run),
        "kind": record.card.kind,
        "created": record.created,
        "planned": record.planned,
        "tries": index.tries,
        "recorded": recorded,
        "outcomes": counts,
        "state": activity(run.folder, recorded == record.planned),
        "read": 1.0 if complete else index.share,
        "version": _version(run, others),
        "problems": [safe(problem) for problem in index.problems],
        "difficulty": [float(known.min()), float(known.max())] if len(known) else None,
    }


def attempts(library: Library, query: QueryParams) -> Answer:
    """Return one page of the attempts that are asked for; `read` and `searched` say how much of the run it is
    made of.
    """
    run, complete = _indexed(library, query.get("run", ""))
    others = _beside(library, query, run)
    size = _number(query, "size", 50, lambda n: n in SIZES, f"It is one of {', '.join(map(str, SIZES))}.")
    number = _number(query, "page", 0, lambda n: 0 <= n < 2**31, "It is counted from 0.")
    wanted = wanted_of(query)
    index = run.index
    with index.lock:
        searched, search = 1.0, None
        if wanted.text:
            search = run.search(wanted.text)
            search.advance(READ_SECONDS)
            searched = search.share

        def among() -> Any:
            found = None if search is None else search.found
            if query.get("differ") == "1" and others:
                unlike = differing(run, others)
                found = unlike if found is None else found & unlike
            return found

        key = (wanted, query.get("differ"), searched, _version(run, others), [id(other) for other in others])
        chosen = run.once(key, lambda: index.chosen(wanted, among()))
        pages = max(1, -(-len(chosen) // size))
        number = min(number, pages - 1)
        rows = [_row(run, others, int(pair)) for pair in chosen[number * size : (number + 1) * size]]
        return {
            "rows": rows,
            "total": len(chosen),
            "page": number,
            "pages": pages,
            "read": 1.0 if complete else index.share,
            "searched": searched,
            "version": _version(run, others),
            "columns": [{"run": other.folder.name, "solver": puzzles.name_of(other)} for other in others],
        }


def wanted_of(query: Mapping[str, str]) -> Wanted:
    """Read which attempts are wanted. Raises UserError for what cannot be."""
    names = [name for name in query.get("outcome", "").split(",") if name]
    for name in names:
        if name not in OUTCOMES:
            raise UserError(f"No outcome {name!r}.", rule=f"Known: {', '.join(map(str, OUTCOMES))}.")
    bounds = []
    for name in ("low", "high"):
        text = query.get(name, "")
        try:
            value = float(text) if text else None
        except ValueError:
            value = math.nan
        if value is not None and math.isnan(value):
            raise UserError(f"The difficulty {text!r} is no number.")
        bounds.append(value)
    order = query.get("order", "plan")
    if order not in ORDERS:
        raise UserError(f"No order {order!r}.", rule=f"Known: {', '.join(ORDERS)}.")
    if len(text := query.get("text", "")) > LONGEST_TEXT:
        raise UserError(f"The text has {len(text):,} characters.", rule=f"At most {LONGEST_TEXT} are sought.")
    outcomes = frozenset(Outcome(name) for name in names)
    return Wanted(outcomes=outcomes, low=bounds[0], high=bounds[1], text=text, order=order)


def differing(run: OpenRun, others: list[OpenRun]) -> Any:
    """Say of each pair of a run whether another run has another outcome for it, or lacks the puzzle."""
    index = run.index
    unlike = np.zeros(len(index.outcome), dtype=bool)
    for other in others:
        there = run.places_in(other)
        theirs = np.where(there >= 0, other.index.outcome[there], 255)
        unlike |= theirs != index.outcome
    return unlike


def _row(run: OpenRun, others: list[OpenRun], pair: int) -> Answer:
    index = run.index
    puzzle = index.puzzle_of(pair)
    beside = []
    for other in others:
        places = other.index.pairs_of(puzzle)
        tried = pair % index.tries
        beside.append(puzzles.outcome_of(other, places[tried]) if tried < len(places) else None)
    return {
        "pair": pair,
        "id": puzzle,
        "puzzle": safe(puzzle),
        "attempt": pair % index.tries,
        "outcome": puzzles.outcome_of(run, pair),
        "difficulty": index.difficulty[pair],
        "depth": index.depth[pair],
        "seconds": index.seconds[pair],
        "beside": beside,
    }


def one_puzzle(library: Library, query: QueryParams) -> Answer:
    """Return one attempt of a run with all that a page shows of it, by its pair or by the puzzle's id."""
    run, complete = _indexed(library, query.get("run", ""))
    width = _number(query, "width", 100, lambda n: WIDTHS[0] <= n <= WIDTHS[1], "It is 30 to 160 cells.")
    if "id" in query:
        pairs = run.index.pairs_of(query["id"])
        if not pairs:
            raise UserError(f"This run did not plan the puzzle {query['id']!r}.")
        tried = _number(query, "attempt", 0, lambda n: n >= 0, "It is counted from 0.")
        pair = pairs[min(tried, len(pairs) - 1)]
    else:
        planned = run.record.planned
        pair = _number(query, "pair", 0, lambda n: 0 <= n < planned, f"The run planned {planned:,}.")
    if not complete and run.index.line[pair] < 0:
        raise WaitingError("reading the attempts of the run")
    return puzzles.page(library, run, pair, width)


def _indexed(library: Library, name: str) -> tuple[OpenRun, bool]:
    run = library.open(name)
    return run, run.index.refresh(READ_SECONDS)


def _beside(library: Library, query: QueryParams, run: OpenRun) -> list[OpenRun]:
    names = [name for name in dict.fromkeys(query.getlist("with")) if name != run.folder.name]
    if len(names) > MOST_BESIDE:
        raise UserError(f"{1 + len(names)} runs side by side.", rule=f"At most {1 + MOST_BESIDE} fit.")
    return [_indexed(library, name)[0] for name in names]


def _version(run: OpenRun, others: list[OpenRun]) -> list[int]:
    """Return numbers of which one at least is another as soon as a run has grown."""
    return [n for each in (run, *others) for n in (each.index.generation, each.index.version)]


def _number(query: Mapping[str, str], name: str, default: int, fits: Callable[[int], bool], rule: str) -> int:
    text = query.get(name, "")
    if not text:
        return default
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else -1
    if not fits(number) or number < 0:
        raise UserError(f"{name} is {text!r}.", rule=rule)
    return number
