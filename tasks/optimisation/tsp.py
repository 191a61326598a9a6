"""Travelling salesman: the shortest round trip through cities on a lattice."""

from __future__ import annotations

import math
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

MOST_CITIES = 13
UNITS = 10**9
"""Lengths are compared as whole multiples of 1e-9; ways that differ by no more than rounding are equally
long.
"""


@dataclass(frozen=True, kw_only=True)
class Tsp(OptimisationTask):
    """Travelling salesman on a lattice, straight distances

    cities: how many. side: they lie on different points (x, y) with 0 <= x, y < side, and are numbered from
    the top row down, from left to right. An answer is a round trip, from whichever city and in either
    direction.
    """

    cities: int = 10
    side: int = 10

    name = "tsp"
    sense = "min"

    def __post_init__(self) -> None:
        self._within(4, MOST_CITIES, cities=self.cities)
        self._within(3, 20, side=self.side)
        self._within(4, self.side**2 - 1, cities=self.cities)

    @property
    def family(self) -> str:
        return f"tsp-{self.cities}-{self.side}x{self.side}"

    @cached_property
    def grid(self) -> GridCodec | None:
        from tasks.optimisation.grids import TspGrid

        return TspGrid.of(self, self.cities, self.side)

    def instance(self, rng: np.random.Generator) -> Payload:
        points = rng.choice(self.side**2, self.cities, replace=False)
        return _numbered([(int(p) % self.side, int(p) // self.side) for p in points])

    def identity(self, payload: Payload) -> str:
        """Return what turning, mirroring and shifting the map does not change."""
        shapes = []
        for copy in self.copies(payload):
            left = min(x for x, _ in copy["cities"])
            top = min(y for _, y in copy["cities"])
            shapes.append([[x - left, y - top] for x, y in copy["cities"]])
        return str(min(shapes))

    def solve(self, payload: Payload) -> tuple[Answer, float]:
        from tasks.optimisation.kernels import shortest_tour

        at_most(MOST_CITIES, len(payload["cities"]), "cities")
        xy = np.array(payload["cities"], np.float64)
        distance = np.rint(UNITS * np.hypot(*(xy[:, None] - xy).transpose(2, 0, 1))).astype(np.int64)
        tour = np.empty(len(xy), np.int64)
        shortest_tour(distance, len(xy), tour)
        answer = (tour + 1).tolist()
        return answer, self.value(payload, answer)

    def check(self, puzzle: Puzzle, answer: Answer) -> Check:
        n = len(puzzle.payload["cities"])
        if fault := numbers_fault(answer, n, 1, n, "cities"):
            return Check.malformed(fault)
        found = Check()
        for city in range(1, n + 1):
            visits = answer.count(city)
            found.rule("visits", visits == 1, f"city {city} is visited {visits} times")
        return found

    def value(self, payload: Payload, answer: Answer) -> float:
        stops = [payload["cities"][city - 1] for city in answer]
        return math.fsum(math.dist(a, b) for a, b in zip(stops, stops[1:] + stops[:1], strict=True))

    def copies(self, payload: Payload) -> list[Payload]:
        """Return the eight rotations and reflections of the map, cities numbered anew."""
        top, at = self.side - 1, payload["cities"]
        turned = [
            [(x, y) for x, y in at],
            [(top - y, x) for x, y in at],
            [(top - x, top - y) for x, y in at],
            [(y, top - x) for x, y in at],
        ]
        return [_numbered(points) for t in turned for points in (t, [(y, x) for x, y in t])]

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Visit all cities in any order."""
        return (rng.permutation(len(puzzle.payload["cities"])) + 1).tolist()

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Go from city 1 to the nearest city not yet visited, again and again."""
        at = puzzle.payload["cities"]
        answer, left = [1], set(range(2, len(at) + 1))
        while left:
            here = at[answer[-1] - 1]
            answer.append(min(left, key=lambda city: (math.dist(here, at[city - 1]), city)))
            left.remove(answer[-1])
        return answer

    def prompt(self, puzzle: Puzzle) -> str:
        at = puzzle.payload["cities"]
        lines = "\n".join(f"city {i}: x={x}, y={y}" for i, (x, y) in enumerate(at, start=1))
        return (
            f"Find the shortest round trip through these {len(at)} cities: every city is visited exactly "
            "once, then the trip "
            "goes back to where it began. The distance between two cities is the length of the straight "
            "line.\n\n"
            f"{lines}\n\n"
            f"Answer with a list of the {len(at)} city numbers in the order of the visits, without going "
            "back to the first, "
            "inside a fenced block marked answer. For four cities, a trip from 1 to 3, to 2, to 4 and back "
            "to 1 would be "
            "written:\n```answer\n[1, 3, 2, 4]\n```"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        n = len(puzzle.payload["cities"])
        return parse_reply(reply, number_list(n, None, 1, n))

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        from tasks.optimisation.drawing import board

        cells = [[0] * self.side for _ in range(self.side)]
        for city, (x, y) in enumerate(puzzle.payload["cities"], start=1):
            cells[y][x] = city
        return board(self, puzzle, cells, answer, key)


def _numbered(points: list[tuple[int, int]]) -> Payload:
    """Number cities row by row."""
    return {"cities": [list(point) for point in sorted(points, key=lambda p: (p[1], p[0]))]}
