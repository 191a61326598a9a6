"""The word problem of a finite group: multiply k elements, and say every product on the way.

For S5, which is not solvable, the problem is complete for NC1 (Barrington 1989): no circuit of constant depth
computes it, so a net must spend depth that grows with k. S3 and Z60 are solvable controls. The measure "how
much depth a length needs" is that of Merrill, Petty and Sabharwal, "The Illusion of State in State-Space
Models" (arXiv 2404.08819).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise, permutations
from typing import TYPE_CHECKING, Literal

from harness.base import Belongs, Drawn
from harness.contracts import Answer, GridCodec, Metric, Puzzle
from harness.errors import UserError, did_you_mean
from tasks.procedures.procedure import Computed, Payload, telling, wrapped

if TYPE_CHECKING:
    import numpy as np

GROUPS = {"s5": 5, "s3": 3, "z60": 60}  # letters that are permuted, or the order of the cyclic group


@cache
def elements(group: str) -> tuple[int, ...]:
    """Return the names of the elements, the neutral one first: 0 to 59, or one-line notation as a number."""
    n = GROUPS[group]
    if group == "z60":
        return tuple(range(n))
    return tuple(int("".join(map(str, p))) for p in permutations(range(1, n + 1)))


@cache
def product(group: str, a: int, b: int) -> int:
    """Return a followed by b."""
    if group == "z60":
        return (a + b) % GROUPS[group]
    after = str(b)
    return int("".join(after[int(digit) - 1] for digit in str(a)))


@dataclass(frozen=True, kw_only=True)
class WordProblem(Computed):
    """Multiply `steps` elements of a group, all products on the way.

    group: s5 (120 elements), s3 (6), z60 (60, cyclic). steps: elements of an item of the test split.
    train_steps: the most elements of an item of the other splits. Verdict numbers: `last`, the product of
    all, which is the headline; `constraints`, the share of right products.
    """

    group: Literal["s5", "s3", "z60"] = "s5"
    steps: int = 16
    train_steps: int = 16

    name = "word-problem"
    noun = "product"
    least = 2
    metrics = (
        Metric(name="last", number="last"),
        Metric(name="solved"),
        Metric(name="constraints", number="constraints"),
    )

    def __post_init__(self) -> None:
        if self.group not in GROUPS:
            raise UserError(f"No group {self.group!r}.", rule=did_you_mean(self.group, GROUPS))
        cells = 1 if self.group == "z60" else GROUPS[self.group]
        self.check_steps(900 // cells, f"a net's canvas has 900 cells at most, {cells} an element")

    @property
    def family(self) -> str:
        return f"{self.name}-{self.group}"

    @property
    def chance(self) -> float:
        return 1 / len(elements(self.group))

    def space(self, split: str) -> int | None:
        order, steps = len(elements(self.group)), self.steps if split == "test" else self.train_steps
        return order**steps if steps < telling(order) else None

    @cached_property
    def grid(self) -> GridCodec:
        from tasks.procedures.grid import AlignedGrid, PermutationGrid

        if self.group == "z60":
            return AlignedGrid(range(60), self.most_steps, lambda puzzle: puzzle.payload["elements"])
        return PermutationGrid(GROUPS[self.group], self.most_steps)

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        names = elements(self.group)
        drawn = rng.integers(0, len(names), self.steps_of(rng, split))
        identity = f"{self.group}:{drawn[: telling(len(names))].tolist()}"
        if not belongs(identity):
            return None
        payload = {"elements": [names[i] for i in drawn.tolist()]}
        return Drawn(
            identity=identity, payload=payload, answers=(self.values(payload),), difficulty=float(len(drawn))
        )

    def values(self, payload: Payload) -> list[int]:
        found = [payload["elements"][0]]
        for element in payload["elements"][1:]:
            found.append(product(self.group, found[-1], element))
        return found

    def allowed(self, payload: Payload) -> tuple[int, ...]:
        return elements(self.group)

    def asked(self, payload: Payload) -> int:
        return len(payload["elements"])

    def rule_of(self, payload: Payload, index: int) -> str:
        return f"it is not elements 1 to {index + 1} multiplied in their order"

    def prompt(self, puzzle: Puzzle) -> str:
        given, n = puzzle.payload["elements"], GROUPS[self.group]
        if self.group == "z60":
            rules = (
                f"Here are {len(given)} numbers from 0 to 59. Their products are sums modulo 60: product "
                "i is the sum of the first i numbers, modulo 60; product 1 is the first number itself."
            )
            example = "of the numbers 7 59 0 would be\n```answer\n7 6 6\n```"
        else:
            digits = "".join(map(str, range(1, n + 1)))
            turned = digits[1:] + digits[0]
            rules = (
                f"Here are {len(given)} permutations of the numbers 1 to {n}, each written as {n} digits: "
                f"the d-th digit is where d goes, so {turned} sends 1 to 2. The product of two permutations "
                "is the first followed by the second: if the first sends 1 to 2 and the second sends 2 to 3, "
                "the product sends 1 to 3. Product i is the first i permutations one after the other; "
                "product 1 is the first permutation itself."
            )
            again = product(self.group, int(turned), int(turned))
            example = f"of the permutations {turned} {turned} would be\n```answer\n{turned} {again}\n```"
        return (
            f"{rules}\n\n{' '.join(map(str, given))}\n\nGive all {len(given)} products in their order, "
            "separated by blanks, on one line inside a fenced block marked answer. The answer for the "
            f"products {example}"
        )

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Skip the multiplication: say the last two elements' product only, as if all before were neutral."""
        given = puzzle.payload["elements"]
        return [given[0], *(product(self.group, a, b) for a, b in pairwise(given))]

    def drawing(self, payload: Payload) -> str:
        return wrapped(payload["elements"], f"multiply in {self.group.upper()}: ")
