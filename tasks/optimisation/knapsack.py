"""0/1 knapsack: choose things of the most value that a bag can carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.contracts import Answer, GridCodec, Key, Puzzle, Unparsed
from tasks.optimisation.objective import OptimisationTask, Payload, at_most, numbers_fault
from tasks.shared.forms import number_list
from tasks.shared.ruled import Check
from tasks.shared.text_answers import parse_reply

if TYPE_CHECKING:
    import numpy as np
    from rich.console import RenderableType


@dataclass(frozen=True, kw_only=True)
class Knapsack(OptimisationTask):
    """0/1 knapsack: most value within a capacity

    items: how many things there are. max_weight: weights are 1 to this, values 1 to three times this; the bag
    carries half of the weight of all. kind: how values go with weights, from easy to hard for a rule by ratio
    (Pisinger 2005): uncorrelated, weak (value = weight ± a tenth of max_weight), strong (value = weight +
    that tenth).
    """

    items: int = 16
    max_weight: int = 30
    kind: Literal["uncorrelated", "weak", "strong"] = "uncorrelated"

    name = "knapsack"
    sense = "max"
    measured: ClassVar[Mapping[str, float]] = {"": 2e-5}  # all subsets of 300 frozen items

    def __post_init__(self) -> None:
        self._within(2, 40, items=self.items)
        self._within(2, 1000, max_weight=self.max_weight)
        self._one_of(kind=self.kind, known=("uncorrelated", "weak", "strong"))

    @property
    def family(self) -> str:
        return f"knapsack-{self.items}x{self.max_weight}"

    @cached_property
    def grid(self) -> GridCodec | None:
        from tasks.optimisation.grids import KnapsackGrid

        return KnapsackGrid.of(self, self.items, self.max_weight)

    def instance(self, rng: np.random.Generator) -> Payload | None:
        top, tenth = self.max_weight, max(1, self.max_weight // 10)
        weights = rng.integers(1, top + 1, self.items)
        if self.kind == "uncorrelated":
            values = rng.integers(1, 3 * top + 1, self.items)
        elif self.kind == "weak":
            values = (weights + rng.integers(-tenth, tenth + 1, self.items)).clip(1)
        else:
            values = weights + tenth
        capacity = int(weights.sum()) // 2
        return {"weights": weights.tolist(), "values": values.tolist(), "capacity": capacity}

    def identity(self, payload: Payload) -> str:
        return str(sorted(zip(payload["weights"], payload["values"], strict=True)))

    def solve(self, payload: Payload) -> tuple[Answer, float]:
        """Dynamic programming over capacities (Bellman), from the last item to the first."""
        import numpy as np

        weights, values, capacity = payload["weights"], payload["values"], payload["capacity"]
        at_most(1_000_000, capacity * len(weights), "items times capacity")
        best = [np.zeros(capacity + 1, dtype=np.int64)]  # best[0][c]: of the items from the next on
        for weight, value in zip(weights[::-1], values[::-1], strict=True):
            row = best[0].copy()
            if weight <= capacity:
                row[weight:] = np.maximum(row[weight:], best[0][: capacity + 1 - weight] + value)
            best.insert(0, row)
        answer, left = [], capacity
        for item, weight in enumerate(weights):
            taken = best[item][left] > best[item + 1][left]  # 0 wherever it costs nothing: the smallest
            answer.append(int(taken))
            left -= weight * taken
        return answer, float(best[0][capacity])

    def check(self, puzzle: Puzzle, answer: Answer) -> Check:
        weights, capacity = puzzle.payload["weights"], puzzle.payload["capacity"]
        if fault := numbers_fault(answer, len(weights), 0, 1, "digits"):
            return Check.malformed(fault)
        found, carried = Check(), sum(w for w, taken in zip(weights, answer, strict=True) if taken)
        found.rule("capacity", carried <= capacity, f"the items weigh {carried}, the bag carries {capacity}")
        return found

    def value(self, payload: Payload, answer: Answer) -> float:
        return float(sum(v for v, taken in zip(payload["values"], answer, strict=True) if taken))

    def copies(self, payload: Payload) -> list[Payload]:
        """Return the instance with its items turned round by every number of places."""
        return [
            dict(payload) | {k: payload[k][turn:] + payload[k][:turn] for k in ("weights", "values")}
            for turn in range(len(payload["weights"]))
        ]

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Take each item with probability one half."""
        return rng.integers(0, 2, len(puzzle.payload["weights"])).tolist()

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Take items by value per weight, the best first, as long as they fit."""
        weights, values, left = (puzzle.payload[k] for k in ("weights", "values", "capacity"))
        answer = [0] * len(weights)
        for item in sorted(range(len(weights)), key=lambda i: (-values[i] / weights[i], i)):
            if weights[item] <= left:
                answer[item], left = 1, left - weights[item]
        return answer

    def prompt(self, puzzle: Puzzle) -> str:
        p, n = puzzle.payload, len(puzzle.payload["weights"])
        lines = [
            f"item {i}: weight {w}, value {v}"
            for i, (w, v) in enumerate(zip(p["weights"], p["values"], strict=True), start=1)
        ]
        return (
            f"A bag carries a weight of at most {p['capacity']}. Choose among these {n} items, each at most "
            "once, so that "
            "the chosen ones together weigh no more than that and their total value is as large as "
            "possible.\n\n"
            + "\n".join(lines)
            + f"\n\nAnswer with a list of {n} numbers in the order of the items, 1 for an item that is taken "
            "and 0 for one "
            "that is not, inside a fenced block marked answer. If there were four items, taking the first "
            "and the last would be "
            "written:\n```answer\n[1, 0, 0, 1]\n```"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        return parse_reply(reply, number_list(len(puzzle.payload["weights"]), None, 0, 1))

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        from tasks.optimisation.drawing import table

        p, n = puzzle.payload, len(puzzle.payload["weights"])
        rows = {"item": list(range(1, n + 1)), "weight": p["weights"], "value": p["values"]}
        return table(self, puzzle, rows, answer, key, f"capacity {p['capacity']}", label="taken")
