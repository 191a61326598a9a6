"""Replies of language models to reasoning-gym puzzles, as its authors published them (`bench import`).

Source: github.com/open-thought/reasoning-gym-eval, commit 5f09fecc,
Apache-2.0; paper arXiv 2505.24760. Read are
its compact form: JSON lines (gzip or plain), a head and then one model on one item a line, with `question`,
`expected_answer`, `level`, `model`, `date`,
`index` and `replies`. The source's own score gives partial credit;
it is kept beside ours and never called accuracy.

How a question becomes one of our puzzles stands in `reasoning_gym_forms`.
"""

from __future__ import annotations

import gzip
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.contracts import Item, Key, Puzzle
from harness.errors import UserError, did_you_mean
from harness.exchange.matching import as_score
from harness.exchange.recordings import Recording, Reply
from harness.records.jsonlines import loads, rows
from tasks.shared.reasoning_gym_forms import DATASETS, Dataset

LARGEST = 512 * 2**20  # bytes of one file, unpacked
SOURCE = "open-thought/reasoning-gym-eval@5f09fecc"


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
        runs[row["level"], row["model"], row["date"]].append(row)
    sets: dict[str, dict[tuple[str, ...], str]] = defaultdict(dict)
    for (level, who, date), items in sorted(runs.items()):
        items.sort(key=lambda row: int(row["index"]))
        questions = tuple(row["question"] for row in items)
        labels = sets[level]
        suffix = f"-{len(labels) + 1}" if labels else ""
        # a set has the same name whichever models are asked for
        label = labels.setdefault(questions, f"reasoning-gym-{name}-{level}{suffix}")
        if model not in (None, who, who.rpartition("/")[2]):
            continue
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
            replies += _replies(where, row, payload, dataset)
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
            )


def _replies(where: str, row: dict[str, Any], payload: dict[str, Any], dataset: Dataset) -> Iterator[Reply]:
    for number, reply in enumerate(row["replies"]):
        whole = reply if isinstance(reply, dict) else {}
        said = whole.get("text")
        text = said if isinstance(said, str) else ""
        yield Reply(
            puzzle=where,
            attempt=number,
            text=text,
            read_as=dataset.as_ours(text, payload, row["question"]) if dataset.as_ours and text else None,
            failure=None if text.strip() else "the source holds an empty reply and no reason",
            their_score=as_score(whole.get("their_score")),
        )


def _lines(file: Path, left_out: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as handle:
            data = handle.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        left_out(f"{file}: {error}")
        return
    if len(data) > LARGEST:
        left_out(f"{file}: it is larger than {LARGEST >> 20} MiB")
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
