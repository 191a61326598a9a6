"""ARC tasks of the user's own, as ARC-AGI, ConceptARC, MiniARC, re-arc and Kaggle publish theirs.

Read are: a folder of JSON files, a task each (subfolders too), {"train": […], "test": […]} of pairs {"input",
"output"}; one such file; one file of many, {"id": task, …}, with a file of solutions beside it where the name
says "challenges" ({"id": [grid, …]}); re-arc's lists of pairs, of which each fourth is the test of the three
before it; and JSON lines of payloads, as `bench task export` writes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import own
from harness.own import Own, refused

RULE = (
    'A task is {"train": [{"input": grid, "output": grid}, …], "test": [{"input": grid, "output": grid}]}; a '
    "grid is 1 to 30 equal rows of 1 to 30 whole numbers from 0 to 9."
)
SHOWN = 3  # pairs of a list that are shown before one is asked for
SKIPPED = ("metadata.json",)  # that re-arc has beside its tasks


def read(path: Path) -> Iterator[Own]:
    """Yield each test input of the tasks at a path. Raises UserError with place, value and rule."""
    if path.is_dir():
        files = sorted(p for p in path.rglob("*.json") if p.is_file() and p.name not in SKIPPED)
        if not files:
            raise refused(str(path), "it holds no JSON file", RULE)
        stems = [file.stem for file in files]
        for file in files:
            name = (
                file.stem
                if stems.count(file.stem) == 1
                else "-".join(file.relative_to(path).with_suffix("").parts)
            )
            yield from _file(file, name)
        return
    yield from _file(path, path.stem)


def _file(path: Path, name: str) -> Iterator[Own]:
    text = own.read_text(path)
    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        if "\n" in text.strip() and text.lstrip().startswith('{"'):
            yield from _lines(path, text)
            return
        raise refused(str(path), f"it is not JSON ({str(error)[:80]})", RULE) from None
    if isinstance(found, dict) and "payload" in found:
        yield from _lines(path, text)
    elif isinstance(found, dict) and {"train", "test"} <= set(found):
        yield from _task(str(path), name, found, None)
    elif isinstance(found, list):
        yield from _pairs(str(path), name, found)
    elif isinstance(found, dict) and found:
        solutions = _solutions(path)
        for key, task in found.items():
            given = solutions.get(key) if solutions else None
            if not isinstance(task, dict) or "train" not in task:
                raise refused(f"{path}, {key!r}", f"{json.dumps(task)[:60]} is no task", RULE)
            yield from _task(f"{path}, task {key}", key, task, given)
    else:
        raise refused(str(path), f"{text.strip()[:60]!r} holds no task", RULE)


def _lines(path: Path, text: str) -> Iterator[Own]:
    for row in own.read_json_lines(path, text):
        if not isinstance(row.payload.get("train"), list) or "test" not in row.payload:
            raise refused(row.where, "its payload holds no train and test", RULE)
        for number, pair in enumerate(row.payload["train"]):
            _pair(row.where, f"train {number}", pair, whole=True)
        _grid(row.where, "test", row.payload["test"])
        yield row


def _solutions(path: Path) -> dict[str, Any]:
    """Read the file of solutions that Kaggle's form has beside its challenges."""
    beside = path.with_name(path.name.replace("challenges", "solutions"))
    if beside == path or not beside.is_file():
        return {}
    try:
        found = json.loads(own.read_text(beside), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise refused(str(beside), f"it is not JSON ({str(error)[:80]})", RULE) from None
    if not isinstance(found, dict):
        raise refused(str(beside), "it holds no solutions by task", RULE)
    return found


def _task(where: str, name: str, task: dict[str, Any], solutions: Any) -> Iterator[Own]:
    train, test = task["train"], task.get("test")
    if not isinstance(train, list) or not isinstance(test, list) or not train or not test:
        raise refused(where, "its train and test are no lists of pairs", RULE)
    pairs = [_pair(where, f"train {number}", pair, whole=True) for number, pair in enumerate(train)]
    if solutions is not None and (not isinstance(solutions, list) or len(solutions) != len(test)):
        what = (
            f"{len(solutions) if isinstance(solutions, list) else 'no'} solutions for {len(test)} test inputs"
        )
        raise refused(where, what, "The solutions of a task are a list of grids, one for each test input.")
    for number, pair in enumerate(test):
        _pair(where, f"test {number}", pair, whole=False)
        output = pair.get("output") if solutions is None else solutions[number]
        if output is None:
            raise refused(
                f"{where}, test {number}",
                "it has no output, nor does a file of solutions beside it",
                "Only its output can say whether an answer is right: no rule or search can.",
            )
        _grid(where, f"solution {number}", output)
        payload = {"train": pairs, "test": pair["input"]}
        yield Own(where=where, payload=payload, answers=(output,), id=f"{name}_{number}", group=name)


def _pairs(where: str, name: str, found: list[Any]) -> Iterator[Own]:
    pairs = [_pair(where, f"pair {number}", pair, whole=True) for number, pair in enumerate(found)]
    if len(pairs) <= SHOWN:
        raise refused(
            where, f"a list of {len(pairs)} pairs", f"{SHOWN} pairs are shown, and a further one is asked."
        )
    for number, at in enumerate(range(SHOWN, len(pairs), SHOWN + 1)):
        payload = {"train": pairs[at - SHOWN : at], "test": pairs[at]["input"]}
        yield Own(
            where=where,
            payload=payload,
            answers=(pairs[at]["output"],),
            id=f"{name}_{number}",
            group=f"{name}_{number}",
        )


def _pair(where: str, which: str, pair: Any, *, whole: bool) -> dict[str, Any]:
    if not isinstance(pair, dict) or "input" not in pair or (whole and "output" not in pair):
        raise refused(f"{where}, {which}", f"{json.dumps(pair)[:60]} is no pair", RULE)
    for side in ("input", "output"):
        if pair.get(side) is not None or (side == "output" and whole):
            _grid(where, f"{which}, {side}", pair[side])
    return {side: pair[side] for side in ("input", "output") if side in pair}


def _grid(where: str, which: str, grid: Any) -> None:
    if not isinstance(grid, list) or not 1 <= len(grid) <= 30:
        raise refused(f"{where}, {which}", f"{json.dumps(grid)[:60]} is no grid", RULE)
    for number, row in enumerate(grid, 1):
        if not isinstance(row, list) or not 1 <= len(row) <= 30 or len(row) != len(grid[0]):
            raise refused(f"{where}, {which}, row {number}", f"{json.dumps(row)[:60]} is no equal row", RULE)
        if strange := [cell for cell in row if type(cell) is not int or not 0 <= cell <= 9]:
            raise refused(
                f"{where}, {which}, row {number}", f"{json.dumps(strange[0])[:40]} is no colour", RULE
            )


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")
