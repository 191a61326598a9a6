"""Which puzzles a worker is handed next, and what becomes of those whose worker died.

Most solvers answer each puzzle by itself: shards are then as large as keeps the workers busy and shrink
towards the end, so that none waits long for the last. A solver that `Batches` gets the same shards whatever
the executor, whole, even where a part is recorded: a stopped run then sees the same batches when it goes on.

A shard whose worker died is handed out again, at last in halves; a puzzle that is alone in its shard and has
been there at `DEADLY` deaths is given up.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from harness.contracts import Attempt, Budget, Outcome, Puzzle

DEADLY = 3
"""Deaths of workers at a puzzle, the last of them alone with it, until it is booked as failed."""
MOST = 1024  # puzzles of a shard
ROUNDS = 4  # shards a worker gets of what is left, about

Pair = tuple[str, int]


@dataclass
class Shard:
    """Puzzles handed to one worker. `open`: the pairs that are wanted and have not come."""

    puzzles: Sequence[Puzzle]
    budget: Budget
    whole: bool
    open: set[Pair]
    passed_over: frozenset[Pair] = frozenset()  # recorded, and answered again for the sake of the batch
    deaths: int = 0

    def take(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """Return the attempts that are news."""
        news = []
        for attempt in attempts:
            pair = (attempt.puzzle_id, attempt.attempt)
            if pair in self.passed_over:
                continue
            self.open.discard(pair)
            news.append(attempt)
        return news


class Shards:
    """The shards of one run: `take` the next, give it `back` if its worker died."""

    def __init__(self, puzzles: Sequence[Puzzle], budget: Budget, *, workers: int, size: int | None) -> None:
        self._budget = budget
        self._share = workers * ROUNDS
        self._again: deque[Shard] = deque()
        self._killed: Counter[str] = Counter()
        self._fixed = None if size is None else fixed(puzzles, budget, size)
        self._puzzles = puzzles
        self._next = 0

    def take(self) -> Shard | None:
        """Return the next shard; None if there is none for now."""
        if self._again:
            return self._again.popleft()
        if self._fixed is not None:
            return next(self._fixed, None)
        while self._next < len(self._puzzles):
            left = len(self._puzzles) - self._next
            count = min(MOST, max(1, left // self._share))
            part = [self._puzzles[n] for n in range(self._next, self._next + count)]
            self._next += count
            if (shard := _open_part(part, self._budget)) is not None:
                return shard
        return None

    def back(self, shard: Shard) -> Iterator[Attempt]:
        """Take a shard back whose worker died; yield the attempts that are given up."""
        shard.deaths += 1
        left = [p for p in shard.puzzles if any((p.id, k) in shard.open for k in shard.budget.wanted(p.id))]
        self._killed.update(puzzle.id for puzzle in left)
        if len(left) == 1 and self._killed[left[0].id] >= DEADLY:
            for puzzle, k in sorted(shard.open):
                yield Attempt(
                    puzzle_id=puzzle,
                    attempt=k,
                    outcome=Outcome.PROVIDER_ERROR,
                    detail={"error": f"{self._killed[puzzle]} workers died at this puzzle"},
                )
        elif shard.whole and shard.deaths < DEADLY:
            done = (
                frozenset((p.id, k) for p in shard.puzzles for k in range(shard.budget.attempts)) - shard.open
            )
            self._again.append(replace(shard, passed_over=done))
        elif left:
            done = frozenset((p.id, k) for p in left for k in range(shard.budget.attempts)) - shard.open
            budget = replace(shard.budget, done=done)
            half = (len(left) + 1) // 2
            for part in (left[:half], left[half:]):
                if part and (again := _open_part(part, budget)) is not None:
                    self._again.append(again)


@contextmanager
def ending(attempts: Iterator[Attempt]) -> Iterator[None]:
    """End a generator in time: a solver may hold connections or processes."""
    try:
        yield
    finally:
        if hasattr(attempts, "close"):
            attempts.close()


def _open_part(part: Sequence[Puzzle], budget: Budget) -> Shard | None:
    """Return the puzzles of which something is wanted as a shard; None if there are none."""
    wanted: list[Puzzle] = []
    pairs: set[Pair] = set()
    for puzzle in part:
        if numbers := budget.wanted(puzzle.id):
            wanted.append(puzzle)
            pairs.update((puzzle.id, k) for k in numbers)
    if not wanted:
        return None
    done = frozenset((puzzle.id, k) for puzzle in wanted for k in range(budget.attempts)) - pairs
    return Shard(
        puzzles=wanted, budget=replace(budget, done=done), whole=False, open=pairs,
    )  # fmt: skip


def fixed(puzzles: Sequence[Puzzle], budget: Budget, size: int) -> Iterator[Shard]:
    """Yield shards of `size` puzzles that have an open pair, each whole: what is recorded is passed over."""
    for start in range(0, len(puzzles), size):
        part = [puzzles[n] for n in range(start, min(start + size, len(puzzles)))]
        pairs = {(puzzle.id, k) for puzzle in part for k in range(budget.attempts)}
        done = frozenset(pair for pair in pairs if pair in budget.done)
        if len(done) < len(pairs):
            yield Shard(
                puzzles=part,
                budget=replace(budget, done=frozenset()),
                whole=True,
                open=pairs - done,
                passed_over=done,
            )
