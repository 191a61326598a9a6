"""The canvases of the optimisation families: where an instance's numbers stand, and where its answer goes."""

from __future__ import annotations

from itertools import chain
from typing import Self

import numpy as np

from harness.contracts import Answer
from tasks.optimisation.cells import ZERO, CellGrid, Ints
from tasks.optimisation.objective import OptimisationTask, Payload


class KnapsackGrid(CellGrid):
    """Weights over values over the answer; the capacity to the left of the weights."""

    @classmethod
    def of(cls, task: OptimisationTask, items: int, max_weight: int) -> Self | None:
        largest = max(items * max_weight // 2, 3 * max_weight)
        return cls(task, 3, items + 1, largest).if_it_fits()

    @property
    def answer_cells(self) -> Ints:
        return np.arange(2 * self.width + 1, 3 * self.width)

    def canvas(self, payload: Payload) -> Ints:
        cells = self.blank()
        cells[0] = [payload["capacity"], *payload["weights"]]
        cells[1, 1:] = payload["values"]
        return cells


class IndependentSetGrid(CellGrid):
    """The weights; the answer in their places."""

    @classmethod
    def of(cls, task: OptimisationTask, size: int, max_weight: int) -> Self | None:
        return cls(task, size, size, max_weight).if_it_fits()

    @property
    def answer_cells(self) -> Ints:
        return np.arange(self.length)

    def canvas(self, payload: Payload) -> Ints:
        return np.array(payload["weights"], dtype=np.int64)

    def flat(self, answer: Answer) -> list[int]:
        return list(chain.from_iterable(answer))

    def shaped(self, numbers: list[int]) -> Answer:
        return [numbers[i : i + self.width] for i in range(0, len(numbers), self.width)]


class MaxCutGrid(CellGrid):
    """The matrix of weights, 0 where there is no edge; each node's side on the diagonal."""

    @classmethod
    def of(cls, task: OptimisationTask, nodes: int, max_weight: int) -> Self | None:
        return cls(task, nodes, nodes, max_weight).if_it_fits()

    @property
    def answer_cells(self) -> Ints:
        return np.arange(self.height) * (self.width + 1)

    def canvas(self, payload: Payload) -> Ints:
        cells = np.array(payload["weights"], dtype=np.int64)
        np.fill_diagonal(cells, -1)
        return cells


class AssignmentGrid(CellGrid):
    """A row for each job: hours with each agent, costs with each agent, the answer; below, the agents'
    capacities.
    """

    @classmethod
    def of(cls, task: OptimisationTask, jobs: int, agents: int, room: float) -> Self | None:
        most = max(50, int(room * 25 * jobs / agents))
        return cls(task, jobs + 1, 2 * agents + 1, most).if_it_fits()

    @property
    def answer_cells(self) -> Ints:
        return np.arange(self.height - 1) * self.width + self.width - 1

    def canvas(self, payload: Payload) -> Ints:
        cells, agents = self.blank(), len(payload["capacity"])
        cells[:-1, :agents] = np.array(payload["hours"]).T
        cells[:-1, agents : 2 * agents] = np.array(payload["costs"]).T
        cells[-1, :agents] = payload["capacity"]
        return cells


class TspGrid(CellGrid):
    """The map with the cities' numbers; below it the trip, from the left."""

    @classmethod
    def of(cls, task: OptimisationTask, cities: int, side: int) -> Self | None:
        rows = -(-cities // side)
        return cls(task, side + rows, side, cities).if_it_fits()

    @property
    def answer_cells(self) -> Ints:
        cities = self.vocab_size - ZERO - 1
        return np.arange(cities) + self.width * (self.height - -(-cities // self.width))

    def canvas(self, payload: Payload) -> Ints:
        cells = self.blank()
        for city, (x, y) in enumerate(payload["cities"], start=1):
            cells[y, x] = city
        return cells


class JobShopGrid(CellGrid):
    """Three rows for each job: its machines, their minutes, the start minutes."""

    @classmethod
    def of(cls, task: OptimisationTask, size: int, longest: int) -> Self | None:
        return cls(task, 3 * size, size, size**2 * longest).if_it_fits()

    @property
    def answer_cells(self) -> Ints:
        return np.arange(self.length).reshape(-1, 3, self.width)[:, 2].ravel()

    def canvas(self, payload: Payload) -> Ints:
        cells = self.blank()
        cells[0::3], cells[1::3] = payload["machines"], payload["minutes"]
        return cells

    def flat(self, answer: Answer) -> list[int]:
        return list(chain.from_iterable(answer))

    def shaped(self, numbers: list[int]) -> Answer:
        return [numbers[i : i + self.width] for i in range(0, len(numbers), self.width)]
