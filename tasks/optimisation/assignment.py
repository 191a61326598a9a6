"""Generalised assignment: give every job to an agent with room for it, as cheaply as possible."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from harness.contracts import Answer, GridCodec, Key, Puzzle, Unparsed
from tasks.optimisation.objective import OptimisationTask, Payload, at_most, numbers_fault
from tasks.shared.forms import number_list
from tasks.shared.ruled import Check
from tasks.shared.text_answers import parse_reply

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True, kw_only=True)
class Assignment(OptimisationTask):
    """Generalised assignment: jobs to agents of limited hours, at least cost

    jobs, agents: how many. A job takes 5 to 25 hours and costs 10 to 50, differently with each agent, and an
    agent has `room` times the hours of all jobs with it, divided by the number of agents: the published type
    C (Chu & Beasley 1997) at 0.8. The answer gives each job's agent, 1 to `agents`.
    """

    jobs: int = 12
    agents: int = 3
    room: float = 0.8  # hours of an agent, as a share of all jobs' with it over the number of agents

    name = "assignment"
    sense = "min"

    def __post_init__(self) -> None:
        self._within(2, 15, jobs=self.jobs)
        self._within(2, 4, agents=self.agents)
        self._within(0.6, 3, room=self.room)

    @property
    def family(self) -> str:
        return f"assignment-{self.jobs}x{self.agents}"

    @cached_property
    def grid(self) -> GridCodec | None:
        from tasks.optimisation.grids import AssignmentGrid

        return AssignmentGrid.of(self, self.jobs, self.agents, self.room)

    def instance(self, rng: np.random.Generator) -> Payload:
        hours = rng.integers(5, 26, (self.agents, self.jobs))
        costs = rng.integers(10, 51, (self.agents, self.jobs))
        capacity = (self.room * hours.sum(axis=1) / self.agents).astype(np.int64)
        return {"costs": costs.tolist(), "hours": hours.tolist(), "capacity": capacity.tolist()}

    def identity(self, payload: Payload) -> str:
        return str(
            min(
                (p["capacity"], sorted(zip(*p["costs"], *p["hours"], strict=True)))
                for p in self.copies(payload)
            )
        )

    def solve(self, payload: Payload) -> tuple[Answer, float] | None:
        from tasks.optimisation.kernels import cheapest_assignment

        answer = np.empty(len(payload["costs"][0]), np.int64)
        costs, hours, capacity = (np.array(payload[k], np.int64) for k in ("costs", "hours", "capacity"))
        at_most(15, len(answer), "jobs")
        at_most(4, len(capacity), "agents")
        if costs.shape != hours.shape or len(costs) != len(capacity):
            raise ValueError("costs, hours and capacity are not of the same agents and jobs")
        cost = cheapest_assignment(costs, hours, capacity, answer)
        return None if cost < 0 else ((answer + 1).tolist(), float(cost))

    def check(self, puzzle: Puzzle, answer: Answer) -> Check:
        hours, capacity = puzzle.payload["hours"], puzzle.payload["capacity"]
        if fault := numbers_fault(answer, len(hours[0]), 1, len(hours), "agents"):
            return Check.malformed(fault)
        found = Check()
        for agent, limit in enumerate(capacity, start=1):
            used = sum(h for h, chosen in zip(hours[agent - 1], answer, strict=True) if chosen == agent)
            found.rule("capacity", used <= limit, f"agent {agent} works {used} hours and has {limit}")
        return found

    def value(self, payload: Payload, answer: Answer) -> float:
        return float(sum(payload["costs"][agent - 1][job] for job, agent in enumerate(answer)))

    def copies(self, payload: Payload) -> list[Payload]:
        """Return the instance with its agents in every order."""
        return [
            {name: [payload[name][a] for a in order] for name in ("costs", "hours", "capacity")}
            for order in itertools.permutations(range(len(payload["capacity"])))
        ]

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Give each job to any agent."""
        return rng.integers(1, self.agents + 1, len(puzzle.payload["hours"][0])).tolist()

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Give jobs to the agent with room that they take the smallest share of, first the job for which the
        second best agent is the most worse (Martello & Toth 1981).
        """
        hours, capacity = puzzle.payload["hours"], puzzle.payload["capacity"]
        left, answer = list(capacity), [0] * len(hours[0])
        while 0 in answer:
            chosen = (-1.0, 0, 0)  # how much worse the second best is, the job, its agent
            for job in (j for j, agent in enumerate(answer) if not agent):
                shares = sorted((hours[a][job] / capacity[a], a) for a in range(len(left)))
                fitting = [(share, a) for share, a in shares if hours[a][job] <= left[a]] or shares
                regret = fitting[1][0] - fitting[0][0] if len(fitting) > 1 else 1.0
                chosen = max(chosen, (regret, job, fitting[0][1]))
            _, job, agent = chosen
            left[agent] -= hours[agent][job]
            answer[job] = agent + 1
        return answer

    def prompt(self, puzzle: Puzzle) -> str:
        p, agents = puzzle.payload, len(puzzle.payload["capacity"])
        jobs = len(p["costs"][0])
        lines = [
            f"job {j + 1}: "
            + "; ".join(f"agent {a + 1} {p['hours'][a][j]} h, cost {p['costs'][a][j]}" for a in range(agents))
            for j in range(jobs)
        ]
        limits = ", ".join(f"agent {a} {hours} h" for a, hours in enumerate(p["capacity"], start=1))
        return (
            f"Give each of {jobs} jobs to one of {agents} agents. How many hours a job takes and what it "
            "costs depends on the "
            f"agent. No agent may work more hours than it has: {limits}. The total cost must be as small as "
            "possible.\n\n"
            + "\n".join(lines)
            + f"\n\nAnswer with a list of {jobs} numbers, the agents of the jobs in the order of the jobs, "
            "inside a fenced block "
            "marked answer. If there were four jobs, the first and the last given to agent 2 and the others "
            "to agent 1 would be "
            "written:\n```answer\n[2, 1, 1, 2]\n```"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        hours = puzzle.payload["hours"]
        return parse_reply(reply, number_list(len(hours[0]), None, 1, len(hours)))

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        from tasks.optimisation.drawing import table

        p = puzzle.payload
        rows = {"job": list(range(1, len(p["costs"][0]) + 1))}
        for a in range(len(p["capacity"])):
            rows |= {f"hours {a + 1}": p["hours"][a], f"cost {a + 1}": p["costs"][a]}
        limits = ", ".join(f"agent {a}: {hours} h" for a, hours in enumerate(p["capacity"], start=1))
        return table(self, puzzle, rows, answer, key, limits, label="agent")
