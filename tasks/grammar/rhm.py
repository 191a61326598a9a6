"""The random hierarchy model: which root class does a string of a random, layered grammar come from?

Model: Cagnetta et al., "How Deep Neural Networks Learn Compositional Data" (arXiv 2307.02129). That its
hidden symbols can be learned from v·m³ strings whatever the depth, by predicting latents instead of labels,
is claimed in arXiv 2605.27734; `latents.py` is such a learner. Neither speaks of recursion: that a net which
improves its own latent does something alike is an analogy, no result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.base import BaseGrid, Belongs, Drawn
from harness.contracts import Answer, GridCodec, Item, Key, Method, Metric, Puzzle, Unparsed
from harness.errors import UserError
from harness.randomness import generator
from tasks.shared.forms import single
from tasks.shared.reading import shown, whole
from tasks.shared.ruled import Check, RuledTask
from tasks.shared.text_answers import parse_reply

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import RenderableType

    from tasks.grammar.latents import Latents

LONGEST = 256  # tokens of a string
MOST_TUPLES = 100_000


@dataclass(frozen=True, kw_only=True)
class Rhm(RuledTask):
    """Random hierarchy model: name the root class of a string of s^L tokens

    Each of v symbols of a level is rewritten by one of its m rules into s symbols of the level below; the v·m
    right sides of a level are different, so a string has one root class. The payload is {"tokens": s^L
    symbols from 0 to v - 1}; an answer is a class from 1 to v.

    The grammar is fixed by v, m, s, levels (L) and `grammar`, a seed of its own: all splits speak the same
    language, no two share a string. train_items: size of the training split; a smaller one is the beginning
    of a greater one. Strings are drawn independently, so short ones repeat within a split.

    Verdict numbers: `feasible` and `constraints` are both 1 if the class derives the string, else 0.
    """

    v: int = 8  # symbols of a level, and classes
    m: int = 4  # rules of a symbol
    s: int = 2  # symbols that a rule writes
    levels: int = 4  # of rules: a string has s^levels tokens
    grammar: int = 0  # seed of the rules
    train_items: int = 2048

    name = "rhm"
    metrics = (Metric(name="solved"),)
    shown_by: ClassVar[frozenset[str]] = frozenset({"train_items"})

    def __post_init__(self) -> None:
        for what, low, high in (("v", 2, 64), ("m", 1, 64), ("s", 2, 8), ("levels", 1, 8)):
            if not low <= getattr(self, what) <= high:
                raise UserError(f"{what}={getattr(self, what)}.", rule=f"{low} to {high}.")
        if self.v**self.s > MOST_TUPLES or self.v * self.m > self.v**self.s:
            raise UserError(
                f"v={self.v}, m={self.m}, s={self.s}.",
                rule=f"v·m right sides are drawn from the v^s tuples, at most {MOST_TUPLES:,}.",
            )
        if self.s**self.levels > LONGEST:
            raise UserError(f"s={self.s}, levels={self.levels}.", rule=f"s^levels is at most {LONGEST}.")
        if self.train_items < 1:
            raise UserError(f"train_items={self.train_items}.", rule="At least 1.")

    @property
    def family(self) -> str:
        return f"rhm-{self.v}-{self.m}-{self.s}-{self.levels}-{self.grammar}"

    @property
    def chance(self) -> float:
        return 1 / self.v

    @property
    def rules(self) -> NDArray[np.int64]:
        """The right sides, (L, v, m, s): of level 1 (tokens) first, of the root last."""
        return _rules(self.version, self.v, self.m, self.s, self.levels, self.grammar)

    @cached_property
    def grid(self) -> GridCodec:
        return RhmGrid(self.v, self.s**self.levels)

    @cached_property
    def methods(self) -> Mapping[str, Method]:
        """The usual ones, and `latents`: the learner of `latents.py`, from the training split of seed 0."""
        return {**super().methods, "latents": lambda puzzle, _: self._by_latents(puzzle)}

    @cached_property
    def _latents(self) -> Latents:
        import numpy as np

        from tasks.grammar.latents import learn

        items = self.load(split="train", seed=0, limit=None, data_dir=None)
        strings = np.array([puzzle.payload["tokens"] for puzzle, _ in items])
        labels = np.array([key.answers[0] for _, key in items]) - 1
        return learn(strings, labels, self.v, self.s)

    def _by_latents(self, puzzle: Puzzle) -> Answer:
        import numpy as np

        return int(self._latents.classes(np.array([puzzle.payload["tokens"]]))[0]) + 1

    def load(self, *, split: str, seed: int, limit: int | None, data_dir: Path | None) -> list[Item]:
        """Generate the first items of a split; the training split has `train_items`."""
        if split == "train" and self.file is None:
            limit = self.train_items if limit is None else min(limit, self.train_items)
        return super().load(split=split, seed=seed, limit=limit, data_dir=data_dir)

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        root = rng.integers(self.v, size=1)
        tokens = expand(root, self.rules, rng).tolist()
        if not belongs(identity := bytes(tokens)):
            return None
        return Drawn(identity=identity, payload={"tokens": tokens}, answers=(int(root[0]) + 1,))

    def inside(self, tokens: list[int]) -> NDArray[np.float64]:
        """Return the probability of the string under each root class, (v,), by inside parsing."""
        return _inside(tokens, self.rules)

    def check(self, puzzle: Puzzle, answer: Answer) -> Check:
        root = whole(answer)
        if root is None or not 1 <= root <= self.v:
            return Check.malformed(f"{shown(answer)} is no class from 1 to {self.v}")
        check = Check()
        derives = bool(self.inside(puzzle.payload["tokens"])[root - 1] > 0)
        check.rule("class", derives, f"class {root} does not derive the string")
        return check

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Name a random class."""
        return int(rng.integers(self.v)) + 1

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Parse the leftmost branch alone; name the class with most rules that begin with its symbol."""
        tokens = puzzle.payload["tokens"][: self.s ** (self.levels - 1)]
        symbol = int(_inside(tokens, self.rules[:-1]).argmax())
        return int((self.rules[-1][:, :, 0] == symbol).sum(axis=1).argmax()) + 1

    def search(self, puzzle: Puzzle) -> Answer | None:
        """Parse exactly."""
        inside = self.inside(puzzle.payload["tokens"])
        return int(inside.argmax()) + 1 if inside.max() > 0 else None

    def prompt(self, puzzle: Puzzle) -> str:
        top = chr(ord("a") + self.levels)
        lines = []
        for level in range(self.levels, 0, -1):
            up, down = chr(ord("a") + level), chr(ord("a") + level - 1)
            for symbol, sides in enumerate(self.rules[level - 1].tolist(), start=1):
                right = " | ".join(" ".join(f"{down}{x + 1}" for x in side) for side in sides)
                lines.append(f"{up}{symbol} -> {right}")
        tokens = " ".join(f"a{x + 1}" for x in puzzle.payload["tokens"])
        return (
            f"A grammar rewrites symbols in {self.levels} levels. A rule X -> Y | Z says that X may be "
            "rewritten as Y or as Z. Every symbol of a string is rewritten, level after level, until only "
            f"symbols a1 to a{self.v} are left. The rules:\n\n" + "\n".join(lines) + "\n\n"
            f"Exactly one of the symbols {top}1 to {top}{self.v} can be rewritten into this string:\n\n"
            f"{tokens}\n\n"
            f"Give its number, from 1 to {self.v}, inside a fenced block marked answer. For {top}2 it would "
            "be:\n```answer\n2\n```"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        return parse_reply(reply, _form(self.v, chr(ord("a") + self.levels)))

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        """Show the tokens, 16 on a line, and the class, with a key green if right, else red."""
        from rich.text import Text

        tokens = puzzle.payload["tokens"]
        text = Text()
        for i in range(0, len(tokens), 16):
            text.append(" ".join(f"a{x + 1:<2}" for x in tokens[i : i + 16]).rstrip() + "\n")
        if answer is not None:
            style = "blue" if key is None else "green" if whole(answer) == key.answers[0] else "bold red"
            text.append(f"class {shown(answer)}\n", style=style)
        return text


class RhmGrid(BaseGrid):
    """Strings as tokens: the class to be found (1 in the input), then the string.

    0 padding, 1 unknown, 1 + x for token x from 1 to v, 1 + v + c for class c. The class alone is scored.
    """

    height = 1

    def __init__(self, v: int, tokens: int) -> None:
        self.v, self.width, self.vocab_size = v, 1 + tokens, 2 + 2 * v

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the string behind the slot of the class, (L,)."""
        import numpy as np

        tokens = np.array([-1, *puzzle.payload["tokens"]], dtype=np.int64) + 2
        if len(tokens) != self.width or tokens.max() > self.v + 1:
            raise ValueError(f"not {self.width - 1} tokens from 0 to {self.v - 1}")
        return tokens

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the class in its slot, (L,); -100 elsewhere."""
        import numpy as np

        labels = np.full(self.width, -100, np.int64)
        labels[0] = 1 + self.v + answer
        return labels

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return the class; 0 if the slot holds none."""
        found = int(tokens[0]) - 1 - self.v
        return found if 1 <= found <= self.v else 0


@cache
def _rules(version: str, v: int, m: int, s: int, levels: int, grammar: int) -> NDArray[np.int64]:
    """Draw the right sides: v·m different s-tuples a level, m for each symbol, (L, v, m, s)."""
    import numpy as np

    rng = generator("rhm", version, v, m, s, levels, grammar)
    drawn = np.stack([rng.permutation(v**s)[: v * m].reshape(v, m) for _ in range(levels)])
    return np.stack(np.unravel_index(drawn, (v,) * s), axis=-1).astype(np.int64)


def _inside(tokens: list[int], levels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the probability of the tokens under each symbol above some levels of rules, (v,)."""
    import numpy as np

    inside = np.eye(levels.shape[1])[np.array(tokens)]  # (symbols of the level, v)
    for rules in levels:
        children = inside.reshape(-1, rules.shape[-1], rules.shape[0])
        # the mean over rules of the product over children
        products = [children[:, j][:, rules[:, :, j]] for j in range(rules.shape[-1])]
        inside = np.prod(products, axis=0).mean(axis=2)
    found: NDArray[np.float64] = inside[0]
    return found


def expand(
    symbols: NDArray[np.int64], rules: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Rewrite root symbols, (...,), down to tokens, (... · s^L,), each by a random rule."""
    for level in rules[::-1]:
        symbols = level[symbols, rng.integers(level.shape[1], size=symbols.shape)]
        symbols = symbols.reshape(*symbols.shape[:-2], -1)
    return symbols


@cache
def _form(v: int, letter: str) -> Any:
    def read(text: str) -> int | None:
        number = int(text.lstrip(letter))
        return number if 1 <= number <= v else None

    return single(f"class from 1 to {v}", rf"{letter}?[0-9]{{1,2}}(?![0-9.])", read)
