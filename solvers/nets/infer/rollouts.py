"""Rollouts of a run: how each puzzle is shown to the net, under which id, how its output is mapped back,
and the vote.
"""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.capabilities import AugmentedCodec
from harness.codecs import Symmetries
from harness.contracts import Answer, GridCodec, Puzzle, Sample
from harness.errors import UserError
from harness.randomness import generator, seed_of
from solvers.nets.infer.engine import Finished
from solvers.nets.weights.ids import BLANK, IdTable

CACHED_GROUPS = 64


class Asked(Protocol):
    """What a solver's options say of its rollouts; see `NetSolver`."""

    @property
    def samples(self) -> int: ...
    @property
    def noise(self) -> float: ...
    @property
    def augment(self) -> bool: ...
    @property
    def blank_id(self) -> bool: ...


class Rollouts:
    """The jobs of the engine, made when a batch asks for them: all rollouts of the first puzzle, then of the
    next.

    Rollout 0 shows the puzzle as it is. With `augment`, rollout k shows copy k of the puzzle's group where
    the codec makes copies (a group with fewer copies than samples gets fewer rollouts), else a symmetric
    puzzle. A net with an id table gets each copy under its own id.
    """

    def __init__(
        self,
        puzzles: Sequence[Puzzle],
        codec: GridCodec,
        solver: Asked,
        *,
        seed: int,
        table: IdTable | None,
        stochastic: bool,
    ) -> None:
        self.puzzles, self.codec, self.solver, self.seed, self.table = puzzles, codec, solver, seed, table
        self.stochastic = stochastic
        self._known: dict[str, NDArray[np.uint8]] = {}
        if table is not None:
            _check(puzzles, codec, table, blank_id=solver.blank_id)
        elif solver.blank_id:
            raise UserError("blank_id=true, but the weights have no puzzle ids.", next_step="Leave it out.")
        self._counts = [self._count(puzzle) for puzzle in puzzles]
        self._ends = list(accumulate(self._counts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, jobs: list[int]) -> NDArray[np.int64]:
        """Return the input tokens of jobs, (len(jobs), L)."""
        return np.stack([self._tokens(*self.place(job)) for job in jobs]).astype(np.int64)

    def place(self, job: int) -> tuple[int, int]:
        """Return the index of a job's puzzle and the number of the rollout."""
        index = bisect.bisect_right(self._ends, job)
        return index, job - self._ends[index] + self._counts[index]

    def jobs(self, index: int, start: int, stop: int) -> range:
        """Return the jobs of a puzzle's rollouts from `start` to before `stop`, as far as it has them."""
        first, last = self._ends[index] - self._counts[index], self._ends[index]
        return range(min(first + start, last), min(first + stop, last))

    def count(self, index: int) -> int:
        """Return how many rollouts a puzzle has."""
        return self._counts[index]

    @property
    def ids(self) -> NDArray[np.int64] | None:
        """The puzzle id of every job, (jobs,); None for a net without an id table."""
        if self.table is None:
            return None
        ids = np.full(len(self), BLANK, dtype=np.int64)
        if not self.solver.blank_id:
            for puzzle, count, end in zip(self.puzzles, self._counts, self._ends, strict=True):
                copies = np.arange(count) % self.table.copies[puzzle.group] if self.solver.augment else 0
                ids[end - count : end] = self.table.first_id(puzzle.group) + copies
        return ids

    def proposed(self, answers: Mapping[str, Answer]) -> NDArray[np.int64]:
        """Return for every job the tokens of the answer to start from, (jobs, L), shown as the puzzle is; -1
        where there is none, or none that the codec can write. answers: by the puzzle's id.
        """
        tokens = np.full((len(self), self.codec.length), -1, dtype=np.int64)
        for index, puzzle in enumerate(self.puzzles):
            plain = _written(self.codec, puzzle, answers.get(puzzle.id))
            for rollout, job in enumerate(self.jobs(index, 0, self._counts[index])):
                if plain is None or self._copy(puzzle, rollout) is not None:
                    continue
                symmetry = self._symmetry(puzzle, rollout)
                tokens[job] = plain if symmetry is None else symmetry.apply(plain[None])[0]
        return tokens

    def answer(self, job: int, tokens: NDArray[np.int64]) -> Answer:
        """Read output tokens (L,) of a job as an answer to the puzzle as it was posed."""
        index, rollout = self.place(job)
        puzzle = self.puzzles[index]
        if (copy := self._copy(puzzle, rollout)) is not None:
            assert isinstance(self.codec, AugmentedCodec)
            return self.codec.undo(self.codec.decode(tokens, puzzle), copy)
        symmetry = self._symmetry(puzzle, rollout)
        return self.codec.decode(
            tokens if symmetry is None else symmetry.inverse().apply(tokens[None])[0], puzzle
        )

    def _tokens(self, index: int, rollout: int) -> NDArray[np.int64]:
        puzzle = self.puzzles[index]
        if (copy := self._copy(puzzle, rollout)) is not None:
            assert isinstance(self.codec, AugmentedCodec)
            return self.codec.encode_copy(puzzle, copy)
        tokens, symmetry = self.codec.encode(puzzle), self._symmetry(puzzle, rollout)
        return tokens if symmetry is None else symmetry.apply(tokens[None])[0]

    def _count(self, puzzle: Puzzle) -> int:
        samples = self.solver.samples
        if (
            not (self.solver.augment and isinstance(self.codec, AugmentedCodec))
            or self.solver.noise
            or self.stochastic
        ):
            return samples
        if self.table is not None and puzzle.group in self.table.copies:
            return min(samples, self.table.copies[puzzle.group])
        return min(samples, len(self._copies(puzzle)))

    def _copy(self, puzzle: Puzzle, rollout: int) -> NDArray[np.uint8] | None:
        if rollout == 0 or not (self.solver.augment and isinstance(self.codec, AugmentedCodec)):
            return None
        copies = self._copies(puzzle)
        row: NDArray[np.uint8] = copies[rollout % len(copies)]
        return row

    def _copies(self, puzzle: Puzzle) -> NDArray[np.uint8]:
        """Return the copies of a puzzle's group: those its ids stand for, else as many as are asked for."""
        codec, name = self.codec, puzzle.group
        assert isinstance(codec, AugmentedCodec)
        if name not in self._known:
            if len(self._known) >= CACHED_GROUPS:
                self._known.clear()
            shown = codec.demonstrations(puzzle)
            if self.table is not None and name in self.table.copies:
                self._known[name] = self.table.draw(codec, name, shown)
            else:
                self._known[name] = codec.copies(shown, name=name, seed=self.seed, n=self.solver.samples - 1)
        return self._known[name]

    def _symmetry(self, puzzle: Puzzle, rollout: int) -> Symmetries | None:
        if not self.solver.augment or rollout == 0:
            return None
        symmetry = self.codec.symmetries(generator("vote", self.seed, puzzle.id, rollout), 1)
        if symmetry is None:
            raise UserError(
                "augment=true, but this task has no symmetries to offer.",
                next_step="Leave it out, or use noise.",
            )
        return symmetry


def _written(codec: GridCodec, puzzle: Puzzle, answer: Answer | None) -> NDArray[np.int64] | None:
    """Return an answer as tokens, (L,); None for one that has no such form: it comes from anywhere."""
    if answer is None:
        return None
    try:
        tokens = np.asarray(codec.encode_answer(puzzle, answer), dtype=np.int64)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError):
        return None
    tokens = np.maximum(tokens, 0)
    return tokens if tokens.shape == (codec.length,) and tokens.max() < codec.vocab_size else None


class NoiseSeeds:
    """Seed of each job's noise; 0 for the undisturbed rollout, where there is to be one."""

    def __init__(self, rollouts: Rollouts) -> None:
        self.rollouts = rollouts

    def __getitem__(self, job: int) -> int:
        index, rollout = self.rollouts.place(job)
        if rollout == 0 and not self.rollouts.stochastic:
            return 0
        return 1 + seed_of("noise", self.rollouts.seed, self.rollouts.puzzles[index].id, rollout) % 2**62


def candidates(done: Sequence[Finished], rollouts: Rollouts) -> tuple[Sample, ...]:
    """Return the answer of every rollout, in their order, each with its halting logit."""
    return tuple(
        Sample(
            answer=rollouts.answer(job.job, job.tokens_at[job.depth]),
            score=round(job.halt_score, 4) if math.isfinite(job.halt_score) else None,
        )
        for job in sorted(done, key=lambda finished: finished.job)
    )


def rank(
    done: Sequence[Finished], rollouts: Rollouts, select: Literal["vote", "halt"]
) -> list[tuple[Answer, list[float]]]:
    """Return the distinct answers, best first, each with the halting logits of the rollouts that gave it.

    "vote": by the number of rollouts, then by their mean halting probability, as published for ARC. "halt":
    by the best halting logit. Equal ones keep the order of their first rollouts.
    """
    ballot: dict[str, tuple[Answer, list[float]]] = {}
    for job in sorted(done, key=lambda finished: finished.job):
        answer = rollouts.answer(job.job, job.tokens_at[job.depth])
        ballot.setdefault(json.dumps(answer), (answer, []))[1].append(job.halt_score)
    if select == "halt":
        return sorted(ballot.values(), key=lambda entry: -max(entry[1]))
    return sorted(
        ballot.values(), key=lambda entry: (-len(entry[1]), -sum(map(_sigmoid, entry[1])) / len(entry[1]))
    )


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > 0 else math.exp(logit) / (1 + math.exp(logit))


def _check(puzzles: Sequence[Puzzle], codec: GridCodec, table: IdTable, *, blank_id: bool) -> None:
    """Raise UserError for the first puzzle whose group has no id, unless all are to be blank."""
    if not isinstance(codec, AugmentedCodec):
        raise UserError(
            "The weights have an id for each group of puzzles, but the task's puzzles come in no groups."
        )
    if blank_id:
        return
    for puzzle in puzzles:
        if puzzle.group not in table.copies:
            raise UserError(
                f"The weights have no id for {puzzle.group}: they were not trained on its demonstrations.",
                rule=f"They have ids for {len(table.copies):,} groups.",
                next_step="Choose weights trained for this task, or give -S blank_id=true.",
            )
        table.check(puzzle.group, codec.demonstrations(puzzle))
