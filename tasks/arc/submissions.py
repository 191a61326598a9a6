"""Recorded answers in the two file formats in which ARC competitions take them.

`arc-prize`: JSON, {"task": [{"attempt_1": grid, "attempt_2": grid}, one for each test input in order]}, as of
ARC Prize 2024 and later. `kaggle-2020`: CSV with the columns output_id (task_number of the test input) and
output (grids such as |12|34|, separated by spaces), as of the Abstraction and Reasoning Challenge. Both hold
every test input of the split; where nothing (or no grid) was answered stands the grid of zeros of the
official sample submissions.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.capabilities import Submission
from harness.contracts import Answer, Puzzle
from harness.errors import UserError, did_you_mean

NOTHING = [[0, 0], [0, 0]]
ATTEMPTS = 2
Grid = list[list[int]]


@dataclass
class Ballot:
    """The attempts at every test input of a split, by group, in order; None where there is no grid to hand
    in.
    """

    grids: dict[str, list[list[Grid | None]]] = field(default_factory=dict)

    @property
    def inputs(self) -> int:
        return sum(map(len, self.grids.values()))

    @property
    def empty(self) -> int:
        """Test inputs without any grid."""
        return sum(not any(given) for attempts in self.grids.values() for given in attempts)


def submission(form: str, puzzles: Iterable[Puzzle], answers: Mapping[tuple[str, int], Answer]) -> Submission:
    """Write the answers, by (puzzle, attempt), in one of `FORMATS`."""
    if form not in FORMATS:
        raise UserError(
            f"No submission format {form!r}.", rule=did_you_mean(form, FORMATS, show=len(FORMATS))
        )
    suffix, write = FORMATS[form]
    ballot = collect(puzzles, answers)
    return Submission(
        text=write(ballot),
        suffix=suffix,
        inputs=ballot.inputs,
        empty=ballot.empty,
        filled_with="a grid of zeros",
    )


def collect(puzzles: Iterable[Puzzle], answers: Mapping[tuple[str, int], Answer]) -> Ballot:
    """Bring answers into the order of the split. Raises UserError for puzzles that are no test inputs of
    groups.
    """
    ballot = Ballot()
    for puzzle in puzzles:
        group = ballot.grids.setdefault(puzzle.group, [])
        if puzzle.id != f"{puzzle.group}_{len(group)}":
            raise UserError(
                f"Puzzle {puzzle.id!r} of group {puzzle.group!r} is not test input {len(group)} of an ARC "
                "task.",
                rule="Submissions are made of ids such as 007bbfb7_0, in order.",
                next_step="Choose a run of arc1 or arc2.",
            )
        given = [answers.get((puzzle.id, attempt)) for attempt in range(ATTEMPTS)]
        group.append([grid if is_grid(grid) else None for grid in given])
    return ballot


def arc_prize(ballot: Ballot) -> str:
    """Return the JSON text; an attempt without a grid repeats the other one."""
    submission = {
        group: [
            {f"attempt_{k + 1}": own or next(filter(None, given), NOTHING) for k, own in enumerate(given)}
            for given in attempts
        ]
        for group, attempts in ballot.grids.items()
    }
    return json.dumps(submission) + "\n"


def kaggle_2020(ballot: Ballot) -> str:
    """Return the CSV text; a repeated grid is written once."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["output_id", "output"])
    for group, attempts in ballot.grids.items():
        for number, given in enumerate(attempts):
            flat = dict.fromkeys(map(flatten, filter(None, given))) or [flatten(NOTHING)]
            writer.writerow([f"{group}_{number}", " ".join(flat)])
    return text.getvalue()


def flatten(grid: Grid) -> str:
    """Write a grid as |12|34|."""
    return "|" + "".join("".join(map(str, row)) + "|" for row in grid)


def is_grid(answer: Any) -> bool:
    """Return whether an answer is a rectangle of at most 30×30 colours."""
    if (
        not isinstance(answer, list)
        or not 1 <= len(answer) <= 30
        or not all(isinstance(row, list) for row in answer)
    ):
        return False
    widths = {len(row) for row in answer}
    return (
        len(widths) == 1
        and 1 <= widths.pop() <= 30
        and all(type(c) is int and 0 <= c <= 9 for row in answer for c in row)
    )


FORMATS = {"arc-prize": ("json", arc_prize), "kaggle-2020": ("csv", kaggle_2020)}
"""Format: (suffix of its files, how it is written)."""
