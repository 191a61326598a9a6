"""Who makes the attempts of a run: this process, worker processes, or actors of a Ray cluster.

An executor is given puzzles and a budget and yields attempts, as a solver does; keys, verdicts, records and
money stay with the driver. `opened` chooses one by a `RunSpec`; one that is open may serve several runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from harness.capabilities import Batches
from harness.contracts import Attempt, Budget, Puzzle
from harness.errors import UserError
from harness.running.view import View
from harness.workers.shards import ending, fixed

if TYPE_CHECKING:
    from harness.records.schema import RunSpec
    from harness.running.plan import Plan

MOST_WORKERS = 1024


class Executor(Protocol):
    """Makes attempts somewhere."""

    def prepare(self, plan: Plan) -> None:
        """Get ready for a run, before anything of it is written. Raises UserError where that cannot be."""
        ...

    def solve(self, plan: Plan, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        """Yield one attempt per wanted pair, in any order, as they come."""
        ...

    def device(self, plan: Plan) -> str | None:
        """Return the device that a device-second of these attempts is of."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """Return what a session notes of who made its attempts."""
        ...


class Here:
    """This process."""

    def prepare(self, plan: Plan) -> None: ...

    def solve(self, plan: Plan, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        """Ask the solver itself."""
        view = View(plan.task)
        if not isinstance(plan.solver, Batches):
            yield from plan.solver.solve(view, puzzles, budget)
            return
        for shard in fixed(puzzles, budget, plan.solver.shard_size(len(puzzles))):
            attempts = iter(plan.solver.solve(view, shard.puzzles, shard.budget))
            with ending(attempts):
                for attempt in attempts:
                    yield from shard.take([attempt])

    def device(self, plan: Plan) -> str | None:
        return plan.solver.card.device

    def facts(self) -> Mapping[str, Any]:
        return {}


@contextmanager
def opened(spec: RunSpec) -> Iterator[Executor]:
    """Open the executor that a run asks for; leaving ends its workers."""
    check(spec)
    if spec.ray is not None:
        from harness.workers.ray_cluster import RayCrew

        with RayCrew(spec.ray, spec.workers) as actors:
            yield actors
    elif spec.workers is not None:
        from harness.workers.pool import Pool

        with Pool(spec.workers) as pool:
            yield pool
    else:
        yield Here()


def check(spec: RunSpec) -> None:
    """Raise UserError for an executor that cannot be."""
    if spec.workers is not None and not 1 <= spec.workers <= MOST_WORKERS:
        raise UserError(
            f"{spec.workers} workers were asked for.", rule=f"They are 1 to {MOST_WORKERS:,} processes."
        )
