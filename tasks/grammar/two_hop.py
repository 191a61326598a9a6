"""Two hops: who is the r2 of the r1 of somebody, from single facts that are known and few answers shown.

The setting is that of Wang et al., "Grokked Transformers are Implicit Reasoners" (arXiv 2405.15071), scaled
down: facts are training items; compositions of some facts are trained on, others held out (in distribution),
and facts of a further share are never composed in training (out of distribution).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.base import BaseGrid, Drawn, owner
from harness.contracts import Answer, GridCodec, Item, Key, Metric, Puzzle, Unparsed
from harness.errors import UserError
from harness.randomness import generator
from tasks.shared.forms import single
from tasks.shared.reading import shown
from tasks.shared.ruled import Check, RuledTask
from tasks.shared.text_answers import parse_reply

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import RenderableType

Facts = dict[tuple[int, int], int]
"""(head, relation) → tail."""


@dataclass(frozen=True, kw_only=True)
class TwoHop(RuledTask):
    """Compositions of two facts, held out in and out of distribution

    The payload is {"world": 0 or 1, "head": entity, "relations": [r] or [r1, r2]}, counted from 0; an answer
    is the name of an entity, "E17", the r of the head or the r2 of its r1. Every entity has `facts` of the
    relations to others. There are two worlds, one for even and one for odd seeds, fixed by entities,
    relations, facts, apart and `world`, a seed of its own: train and test under the same seed.

    train: every fact, then compositions, `ratio` to a fact as far as there are so many (the paper: 3.6 to
    18). test and validation: other compositions of facts that training composes too. ood: compositions of
    the facts set `apart` (a share of all), which training shows only by themselves. Facts and compositions
    of training are shuffled; no question stands in two splits or under neighbouring seeds.

    clues: facts that a prompt for a language model states beside the one or two that are needed. Verdict
    numbers: `feasible` and `constraints` are both 1 if the answer is right, else 0.
    """

    entities: int = 100  # in the world
    relations: int = 40  # in the world
    facts: int = 20  # of an entity
    apart: float = 0.2  # share of the facts that training never composes
    world: int = 0  # seed of the facts
    ratio: float = 3.6  # compositions to a fact in training
    clues: int = 8

    name = "two-hop"
    splits = ("test", "train", "validation", "ood")  # type: ignore[assignment]  # one more
    metrics = (Metric(name="solved"),)
    shown_by: ClassVar[frozenset[str]] = frozenset({"ratio", "clues"})

    def __post_init__(self) -> None:
        for what, low, high in (("entities", 10, 250), ("relations", 2, 45), ("clues", 0, 100)):
            if not low <= getattr(self, what) <= high:
                raise UserError(f"{what}={getattr(self, what)}.", rule=f"{low} to {high}.")
        if not 1 <= self.facts <= self.relations:
            raise UserError(
                f"facts={self.facts}.", rule=f"An entity has 1 to {self.relations} facts: one a relation."
            )
        if not 0.02 <= self.apart <= 0.5:
            raise UserError(f"apart={self.apart}.", rule="A share from 0.02 to 0.5 of all facts.")
        if not 0 <= self.ratio <= 100:
            raise UserError(f"ratio={self.ratio}.", rule="0 to 100 compositions to a fact.")

    @property
    def family(self) -> str:
        return f"two-hop-{self.entities}-{self.relations}-{self.facts}-{self.world}"

    @property
    def chance(self) -> float:
        return 1 / self.entities

    def known(self, world: int) -> tuple[Facts, Facts]:
        """Return the facts of a world (0 or 1) that training composes, and those set apart."""
        if world not in (0, 1):
            raise ValueError(f"{world} is no world: there are 0 and 1")
        return _world(self.version, self.entities, self.relations, self.facts, self.apart, self.world, world)

    def tail(self, world: int, head: int, *relations: int) -> int | None:
        """Follow relations from an entity; None where a fact is missing."""
        together, apart = self.known(world)
        at: int | None = head
        for relation in relations:
            if at is not None:
                at = together.get((at, relation), apart.get((at, relation)))
        return at

    @cached_property
    def grid(self) -> GridCodec:
        return TwoHopGrid(self.entities, self.relations)

    def load(self, *, split: str, seed: int, limit: int | None, data_dir: Path | None) -> list[Item]:
        """Return the first items of a split: what there is, each once; training begins with every fact."""
        self.check_split(split)
        if self.file is not None:
            return super().load(split=split, seed=seed, limit=limit, data_dir=data_dir)
        world = seed % 2
        together, apart = self.known(world)
        facts = apart if split == "ood" else together
        pairs = [
            (head, first, second)
            for (head, first), middle in facts.items()
            for second in range(self.relations)
            if (middle, second) in facts and split in ("ood", owner(f"{head} {first} {second}")[0])
        ]
        rng = generator(self.name, self.version, self.dials(), split, seed)
        made: list[tuple[int, ...]] = [pairs[i] for i in rng.permutation(len(pairs)).tolist()]
        if split == "train":
            singles = sorted(together | apart)
            made = [*singles, *made[: round(self.ratio * len(singles))]]
            made = [made[i] for i in rng.permutation(len(made)).tolist()]
        elif limit is None:
            made = made[: self.count]
        return [
            self._item(split, seed, index, world, head, relations)
            for index, (head, *relations) in enumerate(made[:limit])
        ]

    def _item(self, split: str, seed: int, index: int, world: int, head: int, relations: list[int]) -> Item:
        payload = {"world": world, "head": head, "relations": relations}
        drawn = Drawn(
            identity="",
            payload=payload,
            answers=(f"E{self.tail(world, head, *relations)}",),
            difficulty=float(len(relations)),
        )
        return self.as_item(drawn, split, seed, index)

    def check(self, puzzle: Puzzle, answer: Answer) -> Check:
        if not isinstance(answer, str) or answer not in self._names:
            return Check.malformed(f"{shown(answer)} is no entity from E0 to E{self.entities - 1}")
        check = Check()
        check.rule("answer", answer == self.search(puzzle), f"{answer} is not {self._asked(puzzle)}")
        return check

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Name a random entity."""
        return f"E{int(rng.integers(self.entities))}"

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Leave out a hop: the last relation of the head if it has one, else its first."""
        world, head = puzzle.payload["world"], puzzle.payload["head"]
        first, last = puzzle.payload["relations"][0], puzzle.payload["relations"][-1]
        found = self.tail(world, head, last)
        return f"E{self.tail(world, head, first) if found is None else found}"

    def search(self, puzzle: Puzzle) -> Answer | None:
        """Look the facts up."""
        found = self.tail(puzzle.payload["world"], puzzle.payload["head"], *puzzle.payload["relations"])
        return None if found is None else f"E{found}"

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(f"E{i}" for i in range(self.entities))

    def _asked(self, puzzle: Puzzle) -> str:
        return "".join(f"the r{r} of " for r in reversed(puzzle.payload["relations"])) + (
            f"E{puzzle.payload['head']}"
        )

    def prompt(self, puzzle: Puzzle) -> str:
        world, head, needed = puzzle.payload["world"], puzzle.payload["head"], []
        for relation in puzzle.payload["relations"]:
            tail = self.tail(world, head, relation)
            if tail is None:
                raise ValueError(f"E{head} has no r{relation}")
            needed.append((head, relation, tail))
            head = tail
        rng = generator(self.name, "clues", puzzle.id)
        together, apart = self.known(world)
        every = [(h, r, t) for (h, r), t in sorted((together | apart).items())]
        others = [every[i] for i in rng.permutation(len(every))[: self.clues].tolist()]
        stated = [f"The r{r} of E{h} is E{t}." for h, r, t in {*needed, *others}]
        lines = "\n".join(sorted(stated)[i] for i in rng.permutation(len(stated)).tolist())
        return (
            "Things are named E0, E1, E2 and so on; every relation, r0, r1 and so on, leads from a thing to "
            f"one other. Some facts:\n\n{lines}\n\nWhat is {self._asked(puzzle)}?\n\n"
            "Give the name of the one thing inside a fenced block marked answer, for example:\n"
            "```answer\nE5\n```"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        return parse_reply(reply, _form(self.entities))

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        """Say what is asked, and the answer, with a key green if right, else red."""
        from rich.text import Text

        text = Text(f"{self._asked(puzzle)}")
        if answer is not None:
            style = "blue" if key is None else "green" if answer in key.answers else "bold red"
            text.append(
                f" = {answer if isinstance(answer, str) and answer in self._names else shown(answer)}",
                style=style,
            )
        return text


class TwoHopGrid(BaseGrid):
    """Questions as five tokens: the answer to be found (1 in the input), world, head, one or two relations.

    0 padding, 1 unknown, 2 no second relation, 3 and 4 the worlds, 5 + e for entity e, then the relations.
    The answer alone is scored.
    """

    height, width = 1, 5

    def __init__(self, entities: int, relations: int) -> None:
        self.entities, self.vocab_size = entities, 5 + entities + relations

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the question, (5,)."""
        import numpy as np

        relations = [5 + self.entities + r for r in puzzle.payload["relations"]]
        if not 1 <= len(relations) <= 2 or max(relations) >= self.vocab_size:
            raise ValueError(f"{puzzle.payload['relations']} is not one or two relations")
        world, head = puzzle.payload["world"], puzzle.payload["head"]
        return np.array([1, 3 + world, 5 + head, *relations, 2][:5], dtype=np.int64)

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the entity in its slot, (5,); -100 elsewhere."""
        import numpy as np

        return np.array([5 + int(answer[1:])] + [-100] * 4, dtype=np.int64)

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return the entity's name; "" if the slot holds none."""
        found = int(tokens[0]) - 5
        return f"E{found}" if 0 <= found < self.entities else ""


@cache
def _world(
    version: str, entities: int, relations: int, facts: int, apart: float, seed: int, world: int
) -> tuple[Facts, Facts]:
    """Draw the facts: those that training composes, and those set apart."""
    rng = generator("two-hop", version, entities, relations, facts, repr(apart), seed, world)
    known = [
        ((head, relation), (head + 1 + int(rng.integers(entities - 1))) % entities)
        for head in range(entities)
        for relation in sorted(rng.permutation(relations)[:facts].tolist())
    ]
    away = set(rng.permutation(len(known))[: round(apart * len(known))].tolist())
    together = {fact: tail for i, (fact, tail) in enumerate(known) if i not in away}
    return together, {fact: tail for i, (fact, tail) in enumerate(known) if i in away}


@cache
def _form(entities: int) -> Any:
    def read(text: str) -> str | None:
        number = int(text.lstrip("Ee"))
        return f"E{number}" if number < entities else None

    return single(f"name from E0 to E{entities - 1}", r"[Ee]?[0-9]{1,4}(?![0-9.])", read)
