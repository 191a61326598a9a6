"""Maximum cut: split the nodes of a graph in two so that the edges between both sides weigh the most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.contracts import Answer, GridCodec, Key, Puzzle, Unparsed
from tasks.optimisation.objective import OptimisationTask, Payload, at_most, numbers_fault
from tasks.shared.forms import number_list
from tasks.shared.ruled import Check
from tasks.shared.text_answers import parse_reply

if TYPE_CHECKING:
    from rich.console import RenderableType

MOST_NODES = 16


@dataclass(frozen=True, kw_only=True)
class MaxCut(OptimisationTask):
    """Maximum cut of a weighted graph

    nodes: of the graph. density: the share of pairs of nodes that an edge joins. max_weight: weights are 1 to
    this.
    """

    nodes: int = 12
    density: float = 0.5
    max_weight: int = 9

    name = "max-cut"
    sense = "max"
    measured: ClassVar[Mapping[str, float]] = {"": 6e-4}  # all splits of the frozen items

    def __post_init__(self) -> None:
        self._within(2, MOST_NODES, nodes=self.nodes)
        self._within(0.1, 1, density=self.density)
        self._within(1, 1000, max_weight=self.max_weight)

    @property
    def family(self) -> str:
        return f"max-cut-{self.nodes}-{self.max_weight}"

    @cached_property
    def grid(self) -> GridCodec | None:
        from tasks.optimisation.grids import MaxCutGrid

        return MaxCutGrid.of(self, self.nodes, self.max_weight)

    def instance(self, rng: np.random.Generator) -> Payload | None:
        n = self.nodes
        joined = np.triu(rng.random((n, n)) < self.density, 1)
        upper = np.where(joined, rng.integers(1, self.max_weight + 1, (n, n)), 0)
        return {"weights": (upper + upper.T).tolist()} if joined.any() else None

    def identity(self, payload: Payload) -> str:
        """Return what does not depend on how nodes are numbered: each node's edges, told apart by what their
        other ends look like, three times over (colour refinement).
        """
        weights = payload["weights"]
        looks, full = [0] * len(weights), []
        for _ in range(3):
            full = [
                (look, *sorted((w, looks[j]) for j, w in enumerate(row) if w))
                for look, row in zip(looks, weights, strict=True)
            ]
            order = {look: rank for rank, look in enumerate(sorted(set(full)))}
            looks = [order[look] for look in full]
        return str(sorted(full))

    def solve(self, payload: Payload) -> tuple[Answer, float]:
        """Try all splits with the first node on side 0."""
        at_most(MOST_NODES, len(payload["weights"]), "nodes")
        weights = np.array(payload["weights"], dtype=np.float64)  # whole numbers, exact
        sides = _splits(len(weights))
        cut = ((sides @ weights) * (1 - sides)).sum(axis=1)
        first = int(cut.argmax())  # the first of the best is the smallest
        return sides[first].astype(int).tolist(), float(cut[first])

    def check(self, puzzle: Puzzle, answer: Answer) -> Check:
        """Any split is feasible: the form is the only rule."""
        found, n = Check(), len(puzzle.payload["weights"])
        if fault := numbers_fault(answer, n, 0, 1, "sides"):
            return Check.malformed(fault)
        found.rule("form", True, "")
        return found

    def value(self, payload: Payload, answer: Answer) -> float:
        side = np.array(answer)
        return float(side @ np.array(payload["weights"]) @ (1 - side))

    def copies(self, payload: Payload) -> list[Payload]:
        """Return the graph with its nodes numbered from each of them on."""
        weights = np.array(payload["weights"])
        return [{"weights": np.roll(weights, (-k, -k), (0, 1)).tolist()} for k in range(len(weights))]

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Put each node on either side with probability one half."""
        return rng.integers(0, 2, len(puzzle.payload["weights"])).tolist()

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Put one node after the other on the side that cuts more of its edges to those before."""
        answer: list[int] = []
        for row in puzzle.payload["weights"]:
            pull = [sum(w for w, at in zip(row, answer, strict=False) if at == side) for side in (0, 1)]
            answer.append(int(pull[0] > pull[1]))
        return answer

    def prompt(self, puzzle: Puzzle) -> str:
        weights, n = puzzle.payload["weights"], len(puzzle.payload["weights"])
        edges = [
            f"{i + 1}-{j + 1}: {weights[i][j]}" for i in range(n) for j in range(i + 1, n) if weights[i][j]
        ]
        return (
            f"A graph has {n} nodes, numbered 1 to {n}, and these edges with their weights:\n\n"
            + "\n".join(edges)
            + "\n\nPut every node on side 0 or side 1 so that the edges whose ends are on different sides "
            "have the largest "
            f"total weight.\n\nAnswer with a list of {n} numbers, the sides of the nodes in their order, "
            "inside a fenced block "
            "marked answer. For a graph of four nodes, nodes 1 and 3 on side 0 and nodes 2 and 4 on side 1 "
            "would be written:\n"
            "```answer\n[0, 1, 0, 1]\n```"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        return parse_reply(reply, number_list(len(puzzle.payload["weights"]), None, 0, 1))

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        from tasks.optimisation.drawing import table

        n = len(puzzle.payload["weights"])
        rows = {"node": list(range(1, n + 1))}
        rows |= {str(i): row for i, row in enumerate(puzzle.payload["weights"], start=1)}
        return table(self, puzzle, rows, answer, key, "weights of the edges", label="side")


@cache
def _splits(n: int) -> NDArray[np.float64]:
    """Return all splits with node 0 on side 0 in lexicographic order, (2^(n-1), n)."""
    return (np.arange(2 ** (n - 1))[:, None] >> np.arange(n)[::-1] & 1).astype(np.float64)
