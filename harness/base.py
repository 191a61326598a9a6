"""A task in six members: what most tasks answer alike, so that a new one says only what is its own.

`BaseTask` asks for name, load, prompt, parse, judge and methods. `GeneratedTask` asks for `draw` in place of
`load`: it seeds every item by itself and keeps splits and neighbouring seeds apart.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from harness import own
from harness.contracts import Answer, GridCodec, Item, Key, Method, Metric, Puzzle, Task
from harness.errors import UserError, did_you_mean
from harness.options import docstring, first_paragraph
from harness.randomness import generator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import RenderableType

    from harness.codecs import Symmetries

SHARES = ("test", "validation", "train", "train")
"""Which split an identity belongs to, by its hash: a quarter, a quarter, half."""
MOST_DRAWS = 20_000  # rejected draws after which the dials are called impossible

Belongs = Callable[[str | bytes], bool]
"""Says whether a puzzle of this identity may stand in the split and under the seed that are being made."""


class BaseTask:
    """Defaults for a `Task`. Subclasses are frozen dataclasses; their fields are the `-T` options."""

    name: str
    version = "1"
    splits: tuple[str, ...] = ("test",)
    attempts = 1
    metrics: tuple[Metric, ...] = (Metric(name="solved"),)

    @property
    def data_revision(self) -> str:
        """What the puzzles are made from: a seed, unless the task says otherwise."""
        return "generated"

    @property
    def chance(self) -> float:
        """What random answers score: nothing, unless the task says otherwise."""
        return 0.0

    @property
    def family(self) -> str:
        """What weights are trained for: by default the name alone."""
        return self.name

    @property
    def summary(self) -> str:
        """The first paragraph of the class's docstring."""
        return first_paragraph(docstring(type(self))) or self.name

    @property
    def grid(self) -> GridCodec | None:
        """No grid codec: nets cannot play, everything else can."""
        return None

    @property
    def methods(self) -> Mapping[str, Method]:
        """The methods named `random_answer`, `greedy` and `search`, as far as they are there."""
        return _usual_methods(self)

    def violations(self, puzzle: Puzzle, answer: Answer) -> list[str] | None:
        """The rules alone cannot tell."""
        return None

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        """Draw the payload, or the answer, as JSON; with a key green if it is the reference, else red."""
        from rich.text import Text

        shown: Any = dict(puzzle.payload) if answer is None else answer
        text = json.dumps(shown, ensure_ascii=False, default=str)
        if key is None or answer is None:
            return Text(text)
        if answer in key.answers:
            return Text(text, style="green")
        return Text(f"{text} (expected {json.dumps(key.answers[0], ensure_ascii=False)})", style="red")

    def check_split(self, split: str) -> None:
        """Raise UserError for a split that the task does not have."""
        if split not in self.splits:
            raise UserError(f"{self.name} has no split {split!r}.", rule=did_you_mean(split, self.splits))


def methods_of(task: Any) -> Mapping[str, Method]:
    """Return the methods of any task, also of one older than `Task.methods`."""
    found: Mapping[str, Method] = task.methods if hasattr(task, "methods") else _usual_methods(task)
    return found


def _usual_methods(task: Any) -> dict[str, Method]:
    found: dict[str, Method] = {}
    if draw := getattr(task, "random_answer", None):
        found["random"] = draw
    for name in ("greedy", "search"):
        if play := getattr(task, name, None):
            found[name] = _ignoring_the_generator(play)
    return found


def _ignoring_the_generator(play: Callable[[Puzzle], Answer | None]) -> Method:
    def method(puzzle: Puzzle, rng: np.random.Generator) -> Answer | None:  # noqa: ARG001
        return play(puzzle)

    return method


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A puzzle as drawn, before it has a name.

    identity: what all copies of the puzzle share that a reader would call the same one (its canonical form):
    it decides the split. answers: the reference answers, the first is the label.
    """

    identity: str | bytes
    payload: Mapping[str, Any]
    answers: tuple[Answer, ...]
    optimum: float | None = None
    difficulty: float | None = None


@dataclass(frozen=True, kw_only=True)
class GeneratedTask(BaseTask):
    """A task whose items are made from (dials, split, seed, index), each by itself; or read from a file.

    Splits share no identity, and neither do two neighbouring seeds, by construction: a hash of the identity
    says which of both it belongs to. Dials at their default do not enter the seed, so a new one changes no
    puzzle; those named in `shown_by` change how a puzzle is presented and never enter it.
    """

    splits = ("test", "train", "validation")
    count: ClassVar[int] = 1000  # items of a split where no limit is given
    shown_by: ClassVar[frozenset[str]] = frozenset()

    file: Path | None = None  # puzzles of your own in place of generated ones, as `bench task export` writes

    @property
    def data_revision(self) -> str:
        """What the puzzles are made from: generated, or the file and its hash."""
        return "generated" if self.file is None else own.revision_of(self.file)

    def read_file(self, path: Path) -> Iterable[own.Own]:
        """Read a file of puzzles; a task may read further forms than JSON lines of payloads."""
        return own.read_json_lines(path, own.read_text(path))

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        """Draw one puzzle; None to draw again. Ask `belongs(identity)` before any long work."""
        raise NotImplementedError

    def load(self, *, split: str, seed: int, limit: int | None, data_dir: Path | None) -> list[Item]:
        """Generate the first `limit` (`count` if None) items of a split, or read those of the file."""
        self.check_split(split)
        if self.file is not None:
            if split != self.splits[0]:
                raise UserError(
                    f"{self.file} has no split {split!r}.", rule="A file is one split, to be solved."
                )
            return own.items_of(cast("Task", self), split, self.read_file(self.file), limit)
        return [self.item(split, seed, index) for index in range(self.count if limit is None else limit)]

    def how_many(self, split: str, limit: int | None) -> int | None:
        """Return how many items `load` makes; None if they are a file's, or made in a way of the task's
        own.
        """
        if self.file is not None or type(self).load is not GeneratedTask.load or split not in self.splits:
            return None
        return self.count if limit is None else limit

    def between(self, split: str, seed: int, start: int, stop: int) -> list[Item]:
        """Return a part of what `load` makes."""
        return [self.item(split, seed, index) for index in range(start, stop)]

    def item(self, split: str, seed: int, index: int) -> Item:
        """Generate one item. Raises UserError where the dials leave (almost) nothing to draw."""
        rng = generator(self.name, self.version, self.dials(), split, seed, index)

        def belongs(identity: str | bytes) -> bool:
            return owner(identity) == (self.share_of(split), seed % 2)

        for _ in range(MOST_DRAWS):
            drawn = self.draw(rng, split, belongs)
            if drawn is not None and belongs(drawn.identity):
                return self.as_item(drawn, split, seed, index)
        raise UserError(
            f"{MOST_DRAWS:,} puzzles of {self.name} were drawn; none fits {self.dials() or 'its defaults'}.",
            rule="A puzzle must fit its dials, its split and its seed.",
            next_step="Choose other values with -T.",
        )

    def share_of(self, split: str) -> str:
        """Return which of SHARES a split draws from: by default the one of its name. A further split names
        the one whose share it takes; its identities must say that they are of another kind.
        """
        return split

    def as_item(self, drawn: Drawn, split: str, seed: int, index: int) -> Item:
        """Return what was drawn as a puzzle with its name, and its key."""
        name = f"{split}-{seed}-{index}"
        puzzle = Puzzle(id=name, group=name, split=split, payload=drawn.payload, difficulty=drawn.difficulty)
        return puzzle, Key(answers=drawn.answers, optimum=drawn.optimum)

    def dials(self) -> str:
        """Return the dials that are not at their default as text, in alphabetical order: part of the seed."""
        changed = {
            f.name: getattr(self, f.name)
            for f in dataclasses.fields(self)
            if f.init and f.name not in {"file", *self.shown_by} and getattr(self, f.name) != f.default
        }
        return ",".join(f"{name}={json.dumps(changed[name], default=str)}" for name in sorted(changed))


def owner(identity: str | bytes) -> tuple[str, int]:
    """Return which split an identity belongs to, and whether even (0) or odd (1) seeds may use it."""
    data = identity.encode() if isinstance(identity, str) else identity
    number = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")
    return SHARES[number % len(SHARES)], number // len(SHARES) % 2


class BaseGrid:
    """Defaults for a `GridCodec`: no symmetries, one training pair an item."""

    vocab_size: int
    height: int
    width: int

    @property
    def length(self) -> int:
        return self.height * self.width

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the input tokens, (L,), values in [0, vocab_size)."""
        raise NotImplementedError

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the label tokens, (L,); -100 where a cell is not scored."""
        raise NotImplementedError

    def symmetries(self, rng: np.random.Generator, n: int) -> Symmetries | None:
        """None to offer."""
        return None

    def variants(self, puzzle: Puzzle, key: Key) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return the puzzle itself with its label."""
        return [(self.encode(puzzle), self.encode_answer(puzzle, key.answers[0]))]
