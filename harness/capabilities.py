"""What a task or a solver may be able to do beside its contract; whoever uses it asks by `isinstance`.

A capability is a protocol, so a plug-in has it by having its members: nothing is registered or inherited.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from harness.contracts import Answer, Attempt, Budget, GridCodec, Item, Puzzle, Solver, Task, TaskView

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.books.prices import Price, PriceTable
    from harness.options.describe import Option
    from harness.records.schema import AttemptRecord

Pair = tuple[Answer, Answer]
"""An input and its output, as the task writes them."""


@dataclass(frozen=True, kw_only=True)
class TrainingGroup:
    """Pairs that follow one rule. `demonstrations` are what every puzzle of the group shows; `further` are
    for training alone.
    """

    name: str  # the `group` of its puzzles
    demonstrations: tuple[Pair, ...]
    further: tuple[Pair, ...] = ()


@runtime_checkable
class GroupedTask(Protocol):
    """Optional, beside `Task`: every group has a rule of its own, which a net learns under an id from the
    group's own pairs.

    Its codec is an `AugmentedCodec`; `exposure` says for the card what such a net has seen of the evaluation
    data.
    """

    @property
    def exposure(self) -> str: ...

    def training_groups(self, *, data_dir: Path | None) -> list[TrainingGroup]:
        """Return the groups of all splits; of evaluation groups the demonstrations alone."""
        ...


@runtime_checkable
class AugmentedCodec(GridCodec, Protocol):
    """A codec that makes augmented copies of groups. A copy is a row of numbers in the codec's own coding;
    row 0 changes nothing.

    A net has one id for each copy of each group, so the copies must be told from the arguments alone, at any
    time again.
    """

    def demonstrations(self, puzzle: Puzzle) -> tuple[Pair, ...]:
        """Return the demonstrations a puzzle shows: those of its `TrainingGroup`."""
        ...

    def copies(self, demonstrations: Sequence[Pair], *, name: str, seed: int, n: int) -> NDArray[np.uint8]:
        """Draw the plain copy and at most n others, fewer where no more can be told apart by the
        demonstrations; (m, K).
        """
        ...

    def encode_pair(
        self, pair: Pair, copy: NDArray[np.uint8], shift: tuple[float, float]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the input and label tokens, (L,) each, of a copy, shifted by a share in [0, 1) of the
        room down and right.
        """
        ...

    def encode_copy(self, puzzle: Puzzle, copy: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the input tokens, (L,), of a copy of a puzzle, not shifted."""
        ...

    def undo(self, answer: Answer, copy: NDArray[np.uint8]) -> Answer:
        """Map an answer to a copy of a puzzle back to the puzzle. Total: whatever `decode` may return."""
        ...


@runtime_checkable
class ResizableCodec(GridCodec, Protocol):
    """A codec that can do with a smaller square canvas, for a net that cannot pay for the full one. What does
    not fit there is not attempted.
    """

    def on_canvas(self, side: int) -> ResizableCodec:
        """Return the codec of a canvas of side × side cells."""
        ...

    def fits(self, puzzle: Puzzle) -> bool:
        """Say whether all of a puzzle that is shown fits on the canvas."""
        ...


@runtime_checkable
class ResizablePairs(ResizableCodec, Protocol):
    """A resizable codec of a task whose training comes in groups of pairs."""

    def fits_pairs(self, pairs: Sequence[Pair]) -> bool:
        """Say whether inputs and outputs of training pairs fit on the canvas."""
        ...


@runtime_checkable
class MadeByIndex(Protocol):
    """A task that makes any part of a split without the rest, so that a set of millions need not be held."""

    def how_many(self, split: str, limit: int | None) -> int | None:
        """Return how many items `load` gives; None where they are not made one by one, as those of a file."""
        ...

    def between(self, split: str, seed: int, start: int, stop: int) -> list[Item]:
        """Return the items from `start` to before `stop` of what `load` gives."""
        ...


@runtime_checkable
class DecidedByTask(Protocol):
    """A solver that is decided by the task, such as one whose weights are chosen by the task's family."""

    def for_task(self, task: TaskView) -> Solver:
        """Return the solver that will really run, whose card says so."""
        ...


@runtime_checkable
class Refines(Protocol):
    """A solver that can start from somebody else's answers."""

    def check_refines(self) -> None:
        """Raise UserError if it cannot, its weights not having been trained to, say."""
        ...

    def refine(
        self,
        task: TaskView,
        puzzles: Sequence[Puzzle],
        budget: Budget,
        proposals: Mapping[tuple[str, int], Answer],
    ) -> Iterator[Attempt]:
        """Solve, each (puzzle, attempt) from its proposal; one without, or with one that is no answer, from
        scratch.
        """
        ...


@runtime_checkable
class SlowToImport(Protocol):
    """A solver, or a task, whose packages take long to import. Where both do, the solver's are imported while
    another process makes the puzzles.
    """

    @property
    def slow_imports(self) -> tuple[str, ...]: ...


def still_to_import(component: object) -> list[str]:
    """Return the packages of a component that take long to import and have not been imported yet."""
    wanted = component.slow_imports if isinstance(component, SlowToImport) else ()
    return [package for package in wanted if package not in sys.modules]


@runtime_checkable
class Batches(Protocol):
    """A solver that answers several puzzles at once, so that an answer may hang, by rounding, on the others.

    It is handed the same shards of puzzles by every executor, and whole, also where a part is recorded.
    """

    def shard_size(self, puzzles: int) -> int:
        """Return how many puzzles a shard has, of so many in all: told from that and the options alone."""
        ...


class Lease(Protocol):
    """A worker's line to the `Shared` state of its solver, as `Budget.shared`."""

    def ask(self, what: str, *arguments: Any) -> Future[Any]:
        """Return a future of the answer; the exceptions of `Shared.ask` come with it. From any thread."""
        ...


class Shared(Protocol):
    """What a run must have once however many workers it has: the money, a rate limit. It lives with the
    driver, in one event loop.
    """

    async def ask(self, worker: int, what: str, *arguments: Any) -> Any:
        """Answer a worker, when there is an answer. Arguments and answers can be pickled."""
        ...

    async def lost(self, worker: int) -> None:
        """Take back what a worker held that has gone."""
        ...


@runtime_checkable
class SharesState(Protocol):
    """A solver with a `Shared` state."""

    def shared(self, budget: Budget) -> Shared:
        """Return the state of a run of this budget. Raises UserError for a budget that cannot be kept."""
        ...


@runtime_checkable
class Previews(Protocol):
    """A solver that asks somebody else, and can show what it would ask without asking."""

    def preview(self, task: TaskView, puzzle: Puzzle) -> str:
        """Return the text of the first request for a puzzle."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return about how many tokens a text is to whom it asks."""
        ...


@runtime_checkable
class Priced(Protocol):
    """A solver whose tokens are sold."""

    @property
    def price(self) -> Price | None:
        """The price of its tokens today; None if nobody lists it."""
        ...

    @property
    def how_to_price(self) -> str:
        """The next step where the price is None."""
        ...

    def usd(self, attempt: AttemptRecord) -> float | None:
        """Return what a recorded attempt would cost at `price`; None if that or its tokens are unknown."""
        ...

    def spends_like(self, options: Mapping[str, Any]) -> bool:
        """Say whether a run recorded with these options asks for replies as long as this solver does."""
        ...

    @classmethod
    def reprice(
        cls, options: Mapping[str, Any], table: PriceTable
    ) -> Callable[[AttemptRecord], float | None] | None:
        """Return how a table prices the attempts of a run recorded with these options; None if it does not
        list them.
        """
        ...


@runtime_checkable
class Bounded(Protocol):
    """A solver that knows what an attempt costs at most."""

    def most_usd(self, prompt_tokens: float) -> float | None:
        """Return the dollars of an attempt whose first prompt has so many tokens, every reply as long as it
        may be; None if that is not bounded, or the price is unknown.
        """
        ...


@runtime_checkable
class Prompted(Protocol):
    """A solver class that asks models with prompts one can choose."""

    def prompts(self) -> list[dict[str, str]]:
        """Return what `bench list prompts` shows: prompt, version, tasks, summary, source."""
        ...


@runtime_checkable
class Submits(Protocol):
    """A task whose answers can be handed in elsewhere, as files."""

    @property
    def submission_formats(self) -> tuple[str, ...]:
        """Names of the formats; the first is the usual one."""
        ...

    def submission(
        self, form: str, puzzles: Sequence[Puzzle], answers: Mapping[tuple[str, int], Answer]
    ) -> Submission:
        """Write the answers, by (puzzle, attempt), to all puzzles of a split."""
        ...


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A file to hand in."""

    text: str
    suffix: str  # of the file's name, "json"
    inputs: int  # puzzles it holds
    empty: int  # of those, the ones without an answer
    filled_with: str  # what stands in their place: "a grid of zeros"


@runtime_checkable
class Trainable(Protocol):
    """A solver class whose weights `bench train` makes."""

    def train(
        self, task: Task, *, device: str, threads: int | None, say: Callable[[str], None], **options: Any
    ) -> Path | None:
        """Train on a task's training split; return the weights, or None if the session ended before."""
        ...

    def recipes(self) -> list[dict[str, Any]]:
        """Return what `bench list recipes` shows: solver, recipe, optimiser_steps, batch_size, summary."""
        ...

    def recipe_options(self, name: str) -> list[Option]:
        """Return what `-R` replaces in a recipe, with the recipe's own values."""
        ...


@runtime_checkable
class Explained(Protocol):
    """A component class that can say what the values of an option mean, where its type does not list them."""

    def option_choices(self) -> Mapping[str, Mapping[str, str]]:
        """Return {option: {value: one line}}."""
        ...


@runtime_checkable
class Weighted(Protocol):
    """A solver class with weights in files."""

    def describe_weights(self, file: Path) -> dict[str, Any]:
        """Return what a weights file says, flat: parameter ledger, configuration, training record."""
        ...

    def import_weights(
        self, checkpoint: Path, out: Path, options: Mapping[str, str], identifiers: Path | None = None
    ) -> list[str]:
        """Convert a published checkpoint; return what to tell of it."""
        ...
