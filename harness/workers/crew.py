"""Workers of any kind as one executor: hand out shards, take attempts in, replace those that die.

What kind of workers they are says a subclass: `Pool` (processes) and `RayCrew` (actors).
"""

from __future__ import annotations

import pickle
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from harness.capabilities import Batches, SharesState
from harness.contracts import Attempt, Budget, Puzzle
from harness.errors import RunError, UserError
from harness.running.view import View
from harness.workers.shards import Shard, Shards
from harness.workers.worker import Order, Ready

if TYPE_CHECKING:
    from harness.running.plan import Plan

GIVE_UP = 5
"""Workers in a row that die while they build the solver, until the run is given up."""


@dataclass
class Hand:
    """One worker as the driver sees it."""

    number: int
    building: bytes | None = None  # the order it is at
    ready: Ready | None = None  # with the order of this run
    shard: Shard | None = None
    interrupted: bool = False  # in this shard: a second Ctrl-C would mean "drop it"


class Crew:
    """The workers of an executor; subclasses hire, send and listen."""

    kind = "workers"

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.hands: dict[int, Hand] = {}
        self._hired = self._stillborn = 0
        self._order: bytes | None = None
        self._pressed = 0

    # what a subclass does

    def hire(self, number: int) -> None:
        """Start a worker."""
        raise NotImplementedError

    def tell(self, number: int, *words: Any) -> None:
        """Send `build` or `solve` to a worker. A worker that is gone is told of by `heard`, not here."""
        raise NotImplementedError

    def heard(self, seconds: float) -> list[tuple[int, tuple[Any, ...]]]:
        """Wait at most so long; return (worker, words) as in `worker.WORDS`, or ("gone", why)."""
        raise NotImplementedError

    def interrupt(self, number: int) -> None:
        """Pass Ctrl-C on to a worker."""
        raise NotImplementedError

    def dismiss(self, number: int) -> None:
        """End a worker at once."""
        raise NotImplementedError

    def share(self, state: Any) -> Any:
        """Keep what a run must have once; `heard` and `dismiss` see to what workers hold of it."""
        raise NotImplementedError

    def unshare(self) -> None:
        """Forget what was kept."""
        raise NotImplementedError

    # what they have in common

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._dismiss_all()

    def facts(self) -> Mapping[str, Any]:
        """Return what a session notes of its workers."""
        return {"executor": self.kind, "workers": self.workers, "device": self._device()}

    def device(self, plan: Plan) -> str | None:
        return self._device()

    def _device(self) -> str | None:
        found = {hand.ready.device for hand in self.hands.values() if hand.ready}
        return found.pop() if len(found) == 1 else None

    def prepare(self, plan: Plan) -> None:
        """Have every worker build the solver. Raises UserError for one that no worker can build."""
        self._order = order(plan)
        self._stillborn = 0
        for hand in self.hands.values():
            hand.ready, hand.shard = None, None
            self._build(hand)
        self._fill()
        while not all(hand.ready for hand in self.hands.values()):
            for number, words in self.heard(1.0):
                self._settle(number, words)

    def solve(self, plan: Plan, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        """Yield attempts as workers send them. Ctrl-C is passed on to them: what they finish still comes, and
        then KeyboardInterrupt; a second one ends them.
        """
        solver = plan.solver
        size = solver.shard_size(len(puzzles)) if isinstance(solver, Batches) else None
        budget = self._lent(solver, budget)
        shards = Shards(puzzles, budget, workers=self.workers, size=size)
        whole = False
        try:
            with self._ctrl_c():
                yield from self._until_done(shards, shared=isinstance(solver, SharesState))
            whole = True
        finally:
            if not whole:
                self._dismiss_all()
            self.unshare()

    def _lent(self, solver: Any, budget: Budget) -> Budget:
        """Return the budget of one worker; what must be one for all is kept here."""
        if isinstance(solver, SharesState):
            self.share(solver.shared(budget))
            return replace(budget, max_cost_usd=None, spent_usd=0.0)
        if budget.max_cost_usd is not None:
            raise UserError(
                f"A cost cap of ${budget.max_cost_usd:g} cannot be kept by workers of this solver.",
                rule="Each would have a purse of its own.",
                next_step="Leave out --workers and --ray, or the cap.",
            )
        if budget.max_connections is not None:
            return replace(budget, max_connections=max(1, budget.max_connections // self.workers))
        return budget

    def _until_done(self, shards: Shards, *, shared: bool) -> Iterator[Attempt]:
        failed: Exception | None = None
        while True:
            for hand in self.hands.values():
                if failed or self._pressed or hand.ready is None or hand.shard is not None:
                    continue
                hand.shard, hand.interrupted = shards.take(), False
                if hand.shard is not None:
                    self.tell(hand.number, "solve", hand.shard.puzzles, hand.shard.budget, shared)
            if not any(hand.shard for hand in self.hands.values()):
                if failed is not None:
                    raise failed
                if self._pressed:
                    raise KeyboardInterrupt
                if any(hand.ready for hand in self.hands.values()):  # and had nothing to take
                    return
            for number, words in self.heard(1.0):
                hand = self.hands[number]
                if words[0] == "attempts" and hand.shard is not None:
                    yield from hand.shard.take(words[1])
                    continue
                lost = hand.shard
                found = self._settle(number, words)
                if words[0] == "gone" and lost is not None:
                    if failed is None and not self._pressed:
                        yield from shards.back(lost)
                elif found is not None:  # the others finish what they have, as far as that is soon
                    if isinstance(found, KeyboardInterrupt):
                        self._pressed = max(1, self._pressed)
                    elif failed is None:
                        failed = found
                    self._interrupt_all()

    def _settle(self, number: int, words: tuple[Any, ...]) -> Exception | KeyboardInterrupt | None:
        """Take note of what a worker says beside attempts; return what ends the run."""
        hand = self.hands[number]
        if words[0] in ("ready", "failed") and hand.ready is None and not self._built(hand):
            return None  # it was of the last run
        match words[0]:
            case "ready":
                hand.ready = words[1]
                self._stillborn = 0
            case "done":
                hand.shard = None
            case "stopped":
                hand.shard = None
                return KeyboardInterrupt()
            case "failed":
                error: Exception = words[1].raised()
                if hand.ready is None:  # it could not build: nobody else could
                    self._dismiss_all()
                    raise error
                hand.shard = None
                return error
            case "gone":
                del self.hands[number]
                if hand.ready is None:
                    self._stillborn += 1
                    if self._stillborn >= GIVE_UP:
                        self._dismiss_all()
                        raise RunError(
                            f"{GIVE_UP} workers in a row died while they built the solver: {words[1]}.",
                            rule="Each loads the solver for itself: memory may not do for so many.",
                            next_step="Give fewer --workers.",
                        )
                if not self._pressed:
                    self._fill()
        return None

    def _fill(self) -> None:
        while len(self.hands) < self.workers:
            self._hired += 1
            self.hands[self._hired] = hand = Hand(self._hired)
            self.hire(self._hired)
            self._build(hand)

    def _build(self, hand: Hand) -> None:
        """Have a worker build the solver of this run; one that is still at that of the last run is told when
        it has done that, so that its word is never taken for the other's.
        """
        assert self._order is not None  # `prepare` ran first
        if hand.building is None:
            hand.building = self._order
            self.tell(hand.number, "build", self._order)

    def _built(self, hand: Hand) -> bool:
        """Say whether a worker is through with the solver of this run; if not, have it build that."""
        built, hand.building = hand.building, None
        if built is self._order:
            return True
        self._build(hand)
        return False

    def _interrupt_all(self) -> None:
        for hand in self.hands.values():
            if hand.shard is not None and not hand.interrupted:
                hand.interrupted = True
                self.interrupt(hand.number)

    def _dismiss_all(self) -> None:
        for number in list(self.hands):
            self.dismiss(number)
            del self.hands[number]

    @contextmanager
    def _ctrl_c(self) -> Iterator[None]:
        """Count Ctrl-C in place of ending at once, where nobody else handles it."""
        ours = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        self._pressed = 0

        def on_interrupt(_number: int, _frame: FrameType | None) -> None:
            self._pressed += 1
            if self._pressed > 1:
                raise KeyboardInterrupt
            with suppress(OSError):
                print(
                    "\nFinishing what is under way; press Ctrl-C again to drop it.",
                    file=sys.stderr,
                    flush=True,
                )
            self._interrupt_all()

        if ours:
            signal.signal(signal.SIGINT, on_interrupt)
        try:
            yield
        finally:
            if ours:
                signal.signal(signal.SIGINT, signal.default_int_handler)


def order(plan: Plan) -> bytes:
    """Return what a worker builds the solver and the view from, pickled. Raises UserError, saying which of
    the two cannot be sent.
    """
    asked: Any = plan.spec.solver
    if isinstance(asked, str) and ".py:" in asked:
        path, _, attribute = asked.rpartition(":")
        asked = f"{Path(path).resolve()}:{attribute}"
    record = plan.record
    view = _pickled(View(plan.task), f"task {record.task.name!r}", "--task")
    found = Order(
        solver=asked,
        options=dict(plan.spec.solver_options or {}),
        source_sha256=record.solver.source_sha256 if isinstance(asked, str) else None,
        weights_sha256=plan.solver.card.weights_sha256,
        view=view,
    )
    return _pickled(found, f"solver {record.solver.name!r}", "--solver")


def _pickled(value: Any, what: str, flag: str) -> bytes:
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # whatever a class of others raises
        raise UserError(
            f"The {what} cannot be sent to workers: {type(error).__name__}: {error}.",
            rule="Workers are processes of their own, so what they use must be picklable: no open files, "
            "locks or functions without a name.",
            next_step=f"Name it by {flag} path/to/file.py:Class, or run without workers.",
        ) from error
