"""One run as what its puzzles are worth: the value of each by the headline, and the lines it comes from.

What compares, splits or resamples runs starts here, so that all of it counts as the summary does: every
planned puzzle has a value, and one without an answer the worst.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.contracts import Metric, Usage
from harness.errors import UserError
from harness.records.folder import RunFolder
from harness.records.schema import AttemptRecord, RunRecord
from harness.scores.statistics import Score
from harness.scores.summary import last_attempts, nothing_came, score_over, value_of


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """Several seeds of one configuration.

    score: over all puzzles of all seeds, those of one group together; its interval is of the puzzles. spread:
    standard deviation (n - 1) of the seeds' scores, least and most the extremes: what another seed may bring.
    """

    runs: tuple[str, ...]
    seeds: tuple[str, ...]
    score: Score
    each: tuple[float, ...]
    spread: float
    least: float
    most: float


@dataclass(frozen=True, kw_only=True)
class RunValues:
    """The values of one run.

    values, groups: by puzzle, in the order of the plan. lines: every recorded one, in their order; counted:
    the one that counts for each (puzzle, attempt). of, seeds: of several seeds as one (`seeds.pooled`), the
    runs themselves and their score; such a one has no lines, and name and record of the newest.
    """

    name: str
    record: RunRecord
    metric: Metric  # the headline
    values: Mapping[str, float]
    groups: Mapping[str, str]
    lines: Sequence[AttemptRecord]
    counted: Mapping[tuple[str, int], AttemptRecord]
    of: tuple[RunValues, ...] = ()
    seeds: Seeds | None = None

    @property
    def score(self) -> Score:
        """The headline of the summary."""
        return self.score_of(self.values) if self.seeds is None else self.seeds.score

    @property
    def each(self) -> tuple[RunValues, ...]:
        """The runs it is made of: itself, unless it is of several seeds."""
        return self.of or (self,)

    @property
    def puzzle_sets(self) -> tuple[str, ...]:
        """The hashes of the sets of puzzles that it is over, sorted; several where seeds drew other ones."""
        return tuple(sorted({run.record.task.puzzles_sha256 for run in self.each}))

    def score_of(self, values: Mapping[str, float]) -> Score:
        """Return the score of other values of the same puzzles, or of some of them."""
        return score_over(list(values.values()), [self.groups[name] for name in values], self.metric.over)

    def usage(self) -> dict[str, list[Usage]]:
        """Return what was spent on each planned puzzle, failed and repeated tries included."""
        spent: dict[str, list[Usage]] = {name: [] for name in self.values}
        for line in self.lines:
            spent[line.puzzle].append(line.usage)
        return spent


def values_of(record: RunRecord, lines: Sequence[AttemptRecord], *, name: str) -> RunValues:
    """Return the values of a run's lines. Raises UserError for a headline over part of the puzzles."""
    metric = record.metrics[0]
    if metric.among is not None:
        raise UserError(
            f"The headline of {name} is {metric.name!r}, over part of the puzzles.",
            rule="This needs a score over all that was planned.",
        )
    counted = last_attempts(record, lines, where=name)
    if nothing_came(list(counted.values())):
        raise UserError(
            f"Every call of {name} failed.", rule="That says nothing of the solver: it has no score."
        )
    numbers: dict[str, list[Mapping[str, float]]] = {}
    for attempt in counted.values():
        if attempt.numbers is not None and not (metric.of == "first" and attempt.attempt):
            if metric.number not in attempt.numbers:
                raise UserError(
                    f"{name} holds a verdict of {attempt.puzzle!r} without {metric.number!r}.",
                    rule=f"The metric {metric.name!r} of its run.json is made of that number.",
                    next_step="Restore the file or remove the folder.",
                )
            numbers.setdefault(attempt.puzzle, []).append(attempt.numbers)
    values = {}
    for puzzle in record.puzzles.ids:
        value = value_of(metric, numbers.get(puzzle, ()), record.attempts_per_puzzle)
        values[puzzle] = metric.missing if value is None else value
    groups = dict(zip(record.puzzles.ids, record.puzzles.group_names(), strict=True))
    return RunValues(
        name=name, record=record, metric=metric, values=values, groups=groups, lines=lines, counted=counted
    )


def load(folder: RunFolder, *, light: bool = True) -> RunValues:
    """Read a run. light: without answers and replies."""
    return values_of(folder.record(), folder.attempts(light=light), name=folder.name)
