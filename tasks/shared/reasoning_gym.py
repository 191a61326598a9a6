"""Replies of language models to reasoning-gym puzzles, as its authors published them (`bench import`).

Source: github.com/open-thought/reasoning-gym-eval, commit 5f09fecc,
Apache-2.0; paper arXiv 2505.24760. Read are
its compact form: JSON lines (gzip or plain), a head and then one model on one item a line, with `question`,
`expected_answer`, `level`, `model`, `date`,
`index` and `replies`. The source's own score gives partial credit;
it is kept beside ours and never called accuracy.

A question becomes one of our puzzles by a reader in `DATASETS`; where the source asks for another form of
answer than we do, `as_ours` writes a reply's answer in our form, changing nothing else.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.contracts import Answer, Item, Key, Puzzle
from harness.errors import UserError, did_you_mean
from harness.exchange.recordings import Recording, Reply
from harness.records.jsonlines import loads, rows

SOURCE = "open-thought/reasoning-gym-eval@5f09fecc"
Read = tuple[dict[str, Any], tuple[Answer, ...]]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """How one of the source's data sets maps onto a task of ours."""

    task: str
    read: Callable[
        [str, str], Read
    ]  # (question, expected answer) -> payload, answers as far as they can be told
    options: Callable[[dict[str, Any]], dict[str, Any]] = lambda payload: {}  # noqa: ARG005
    as_ours: Callable[[str], str] | None = None


def _grid(text: str, size: int) -> list[list[int]]:
    cells = [0 if c == "_" else int(c) for c in re.findall(r"[_\d]", text)]
    if len(cells) != size * size:
        raise ValueError(f"{len(cells)} cells, not {size * size}")
    return [cells[i : i + size] for i in range(0, len(cells), size)]


def _sudoku(size: int) -> Callable[[str, str], Read]:
    board = re.compile(rf"^(?:[_\d](?: [_\d]){{{size - 1}}}\s*$\s*){{{size}}}", re.MULTILINE)

    def read(question: str, expected: str) -> Read:
        found = board.search(question)
        if found is None:
            raise ValueError("it shows no board")
        return {"grid": _grid(found[0], size)}, (_grid(expected, size),)

    return read


DATASETS: dict[str, Dataset] = {
    "sudoku": Dataset(task="sudoku", read=_sudoku(9)),
    "mini_sudoku": Dataset(task="sudoku", read=_sudoku(4)),
}
"""By the name of the source's file."""


def read(
    path: Path, *, task: str | None, model: str | None, left_out: Callable[[str], None]
) -> Iterator[Recording]:
    """Yield a recording for each model and level of the files at a path.

    task: a data set of the source, or a task of ours,
    whose data sets are then all read. left_out: is told what
    cannot be read.
    """
    wanted = [name for name, dataset in DATASETS.items() if task in (None, name, dataset.task)]
    if not wanted:
        known = [*DATASETS, *{dataset.task for dataset in DATASETS.values()}]
        raise UserError(
            f"No data set of reasoning-gym fits {task!r}.", rule=did_you_mean(str(task), known, show=30)
        )
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    for file in files:
        name = file.name.partition(".")[0]
        if name in wanted and ".jsonl" in file.name:
            yield from _recordings(file, name, model, left_out)


def _recordings(
    file: Path, name: str, model: str | None, left_out: Callable[[str], None]
) -> Iterator[Recording]:
    dataset = DATASETS[name]
    runs: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in _lines(file, left_out):
        if model in (None, row["model"], row["model"].rpartition("/")[2]):
            runs[row["level"], row["model"], row["date"]].append(row)
    sets: dict[str, dict[tuple[str, ...], str]] = defaultdict(dict)
    for (level, who, date), items in sorted(runs.items()):
        items.sort(key=lambda row: int(row["index"]))
        questions = tuple(row["question"] for row in items)
        labels = sets[level]
        suffix = f"-{len(labels) + 1}" if labels else ""
        label = labels.setdefault(questions, f"reasoning-gym-{name}-{level}{suffix}")
        puzzles: list[Item] = []
        replies: list[Reply] = []
        for row in items:
            try:
                payload, answers = dataset.read(row["question"], str(row["expected_answer"]))
            except (ValueError, LookupError) as error:
                left_out(f"question {row['index']} of {label}: {error}")
                continue
            where = f"{name}-{row['index']}"
            puzzles.append(
                (Puzzle(id=where, group=where, split="imported", payload=payload), Key(answers=answers))
            )
            replies += _replies(where, row, dataset)
        if puzzles:
            yield Recording(
                task=dataset.task,
                label=label,
                model=who,
                source=f"{SOURCE}, {name} {level}",
                date=f"{date[:4]}-{date[4:6]}-{date[6:8]}",
                licence="Apache-2.0",
                prompt="reasoning-gym's own question, answer asked for in <answer> tags",
                attempts=max(len(row["replies"]) for row in items),
                items=puzzles,
                replies=replies,
                task_options=dataset.options(dict(puzzles[0][0].payload)),
            )


def _replies(where: str, row: dict[str, Any], dataset: Dataset) -> Iterator[Reply]:
    for number, reply in enumerate(row["replies"]):
        text = reply.get("text") or ""
        yield Reply(
            puzzle=where,
            attempt=number,
            text=dataset.as_ours(text) if dataset.as_ours and text else text,
            failure=None if text.strip() else "the source holds an empty reply and no reason",
            their_score=reply.get("their_score"),
        )


def _lines(file: Path, left_out: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        left_out(f"{file}: {error}")
        return
    for number, row in rows(data):
        try:
            line = loads(row)
        except ValueError as error:
            left_out(f"{file}, line {number}: {error}")
            continue
        if number == 1 and isinstance(line, dict) and "replies" in line and "question" not in line:
            continue  # the head
        wanted = {"level": str, "model": str, "date": str, "index": int, "question": str, "replies": list}
        if isinstance(line, dict) and all(isinstance(line.get(k), kind) for k, kind in wanted.items()):
            yield line
        else:
            left_out(f"{file}, line {number}: it lacks one of {', '.join(wanted)}")
