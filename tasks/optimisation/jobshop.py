"""Job shop: start times that let every job pass its machines in its order, and all be done as early as
possible.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from harness.contracts import Answer, GridCodec, Key, Puzzle, Unparsed
from tasks.optimisation.objective import OptimisationTask, Payload, at_most, numbers_fault
from tasks.shared.forms import digit_grid
from tasks.shared.ruled import Check
from tasks.shared.text_answers import parse_reply

if TYPE_CHECKING:
    from rich.console import RenderableType

LATEST = 999  # start times an answer may give


@dataclass(frozen=True, kw_only=True)
class JobShop(OptimisationTask):
    """Job shop scheduling, least makespan

    size: so many jobs and machines; each job passes each machine once, in an order of its own. longest: an
    operation takes 1 to so many minutes. The answer gives the start minutes of each job's operations, in the
    job's order.
    """

    size: Literal[2, 3, 4, 5, 6] = 4
    longest: int = 9

    name = "jobshop"
    sense = "min"
    # 100 random answers to each of 500 frozen items
    measured: ClassVar[Mapping[str, float]] = {"": 0.0195, "size=5": 0.0013}

    def __post_init__(self) -> None:
        self._within(2, 6, size=self.size)
        self._within(1, 25, longest=self.longest)

    @property
    def family(self) -> str:
        return f"jobshop-{self.size}x{self.size}-{self.longest}"

    @cached_property
    def grid(self) -> GridCodec | None:
        from tasks.optimisation.grids import JobShopGrid

        return JobShopGrid.of(self, self.size, self.longest)

    def instance(self, rng: np.random.Generator) -> Payload:
        n = self.size
        machines = rng.random((n, n)).argsort(axis=1) + 1
        return {
            "machines": machines.tolist(),
            "minutes": rng.integers(1, self.longest + 1, (n, n)).tolist(),
        }

    def identity(self, payload: Payload) -> str:
        """Return what does not depend on how jobs and machines are numbered."""
        jobs = [
            list(zip(*job, strict=True)) for job in zip(payload["machines"], payload["minutes"], strict=True)
        ]
        looks: dict[int, str] = {}  # of a machine: at which place and for how long each job needs it
        for machine in payload["machines"][0]:
            looks[machine] = str(
                sorted(
                    (k, [t for _, t in job]) for job in jobs for k, (m, _) in enumerate(job) if m == machine
                )
            )
        return str(sorted([(looks[m], t) for m, t in job] for job in jobs))

    def solve(self, payload: Payload) -> tuple[Answer, float]:
        from tasks.optimisation.kernels import shortest_schedule

        machines = np.array(payload["machines"], np.int64) - 1
        minutes = np.array(payload["minutes"], np.int64)
        at_most(36, machines.size, "operations")
        if machines.shape != minutes.shape or (minutes < 1).any():
            raise ValueError(
                "machines and minutes are not of the same operations, or minutes are less than 1"
            )
        starts = np.empty(machines.size, np.int64)
        makespan = shortest_schedule(machines, minutes, starts)
        return starts.reshape(machines.shape).tolist(), float(makespan)

    def check(self, puzzle: Puzzle, answer: Answer) -> Check:
        machines, minutes = puzzle.payload["machines"], puzzle.payload["minutes"]
        n = len(machines)
        if not isinstance(answer, list) or len(answer) != n:
            return Check.malformed(f"the answer is no list of {n} rows")
        for j, row in enumerate(answer, start=1):
            if fault := numbers_fault(row, len(machines[0]), 0, LATEST, "start minutes"):
                return Check.malformed(f"job {j}: {fault}")
        found = Check()
        for j in range(n):
            for k in range(len(machines[j]) - 1):
                end = answer[j][k] + minutes[j][k]
                found.rule(
                    "order",
                    end <= answer[j][k + 1],
                    f"operation {k + 2} of job {j + 1} starts at {answer[j][k + 1]}, the one before ends at "
                    f"{end}",
                )
        for machine, ((j, k), (other, at)) in _same_machine(machines):
            apart = (
                answer[j][k] + minutes[j][k] <= answer[other][at]
                or answer[other][at] + minutes[other][at] <= answer[j][k]
            )
            found.rule("machines", apart, f"jobs {j + 1} and {other + 1} overlap on machine {machine}")
        return found

    def value(self, payload: Payload, answer: Answer) -> float:
        return float(
            max(row[-1] + minutes[-1] for row, minutes in zip(answer, payload["minutes"], strict=True))
        )

    def copies(self, payload: Payload) -> list[Payload]:
        """Return the instance with its jobs turned round by every number of places."""
        return [
            {k: payload[k][turn:] + payload[k][:turn] for k in ("machines", "minutes")}
            for turn in range(len(payload["machines"]))
        ]

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Start operations as early as possible, one after the other from the jobs in any order."""
        n = len(puzzle.payload["machines"])
        return _in_turn(puzzle.payload, iter(rng.permutation(np.repeat(np.arange(n), n)).tolist()))

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Start operations as early as possible, next of the job with most work left."""
        minutes = puzzle.payload["minutes"]
        done = [0] * len(minutes)

        def jobs() -> Iterator[int]:
            while any(done[j] < len(minutes[j]) for j in range(len(minutes))):
                job = max(range(len(minutes)), key=lambda j: (sum(minutes[j][done[j] :]), -j))
                done[job] += 1
                yield job

        return _in_turn(puzzle.payload, jobs())

    def prompt(self, puzzle: Puzzle) -> str:
        p, n = puzzle.payload, len(puzzle.payload["machines"])
        lines = [
            f"job {j}: " + ", then ".join(f"machine {m} for {t} min" for m, t in zip(*job, strict=True))
            for j, job in enumerate(zip(p["machines"], p["minutes"], strict=True), start=1)
        ]
        return (
            f"Schedule {n} jobs on {n} machines. Each job goes through its operations in the order given; an "
            "operation starts "
            "when the one before it has ended, or later, and is not interrupted. A machine works on one job "
            "at a time. "
            "Time starts at 0, in whole minutes. The last operation of all must end as early as possible.\n\n"
            + "\n".join(lines)
            + f"\n\nAnswer with {n} lines, one for each job, of {n} numbers: the minutes at which the job's "
            "operations start, in "
            "the job's order, inside a fenced block marked answer. For two jobs of two operations, job 1 "
            "starting at minutes 0 "
            "and 5 and job 2 at minutes 3 and 12 would be written:\n```answer\n0 5\n3 12\n```"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        n = len(puzzle.payload["machines"])
        return parse_reply(reply, digit_grid(n, n, 0, LATEST))

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        from tasks.optimisation.drawing import gantt

        return gantt(self, puzzle, answer, key)


Operation = tuple[int, int]


def _same_machine(machines: list[list[int]]) -> Iterator[tuple[int, tuple[Operation, Operation]]]:
    """Go through the pairs of operations (job, place) on the same machine."""
    places = [(m, (j, k)) for j, job in enumerate(machines) for k, m in enumerate(job)]
    for (m, one), (other, two) in itertools.combinations(places, 2):
        if m == other:
            yield m, (one, two)


def _in_turn(payload: Payload, jobs: Iterator[int]) -> Answer:
    """Start each job's next operation as early as its machine and the operation before it allow."""
    machines, minutes = payload["machines"], payload["minutes"]
    free: dict[int, int] = {}
    ready, answer = [0] * len(machines), [[] for _ in machines]  # type: ignore[var-annotated]
    for j in jobs:
        k = len(answer[j])
        start = max(ready[j], free.get(machines[j][k], 0))
        answer[j].append(start)
        ready[j] = free[machines[j][k]] = start + minutes[j][k]
    return answer
