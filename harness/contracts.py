"""The nouns. Read this file first; everything else in Depthbench is built from what stands here.

A `Task` makes puzzles. A `Solver` is shown a `Puzzle` (never its `Key`) and yields `Attempt`s. The runner
asks the task to `judge` each answered attempt against the key, and books every attempt's `Outcome` and
`Usage`.

"Step" alone means nothing here: an *optimiser step* updates weights, a *supervision step* improves the answer
once (this is what `depth` counts), a *cycle* is one inner update of the latent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import RenderableType

    from harness.codecs import Symmetries

Answer = Any
"""A JSON value whose form the task defines; for grid puzzles a list of rows of integers."""

Method = Callable[["Puzzle", "np.random.Generator"], Answer | None]
"""A way to answer a puzzle from the rules alone; deterministic ones ignore the generator."""

CORRECT = "correct"
"""The one number every `Verdict` has: 1.0 solved, 0.0 not."""


@dataclass(frozen=True, kw_only=True)
class Puzzle:
    """What a solver may see. `group` ties puzzles that are scored together (the inputs of one ARC task);
    else it is the id.
    """

    id: str
    group: str
    split: str
    payload: Mapping[str, Any]  # JSON values, form defined by the task
    difficulty: float | None = None  # in the task's own unit


@dataclass(frozen=True, kw_only=True)
class Key:
    """What only the verifier sees: the reference answers (the first is the published label) and the known
    optimum.
    """

    answers: tuple[Answer, ...]
    optimum: float | None = None


Item = tuple[Puzzle, Key]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The judgement of one answer. `numbers` holds named measures in [0, 1] or in the unit the task
    documents.
    """

    correct: bool
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Unparsed:
    """A reply that holds no well-formed answer, and why."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Metric:
    """How verdicts become a score.

    A puzzle's value is the best `number` of its attempts (pass@k) in the metric's own direction, `better`;
    one without any counts `missing`, the number's worst value. Then `over` says: `puzzle` mean over puzzles;
    `group` mean over groups of the group's mean; `strict` share of groups in which every puzzle scores 1.
    With `of="mean"` the value is the mean over the planned attempts instead, a missing one counting
    `missing`; with `of="first"` it is the first attempt alone (pass@1 where attempts are ranked). The
    denominator is what was planned, unless `among` names another number: then it is the
    puzzles with an attempt for which that number is 1, and only such attempts count (the gap to the optimum
    among feasible answers, say).
    """

    name: str
    number: str = CORRECT
    over: Literal["puzzle", "group", "strict"] = "puzzle"
    better: Literal["high", "low"] = "high"
    missing: float = 0.0
    among: str | None = None
    of: Literal["best", "mean", "first"] = "best"


class Outcome(StrEnum):
    """What became of one planned attempt. The first two are an answered attempt after judging; they sum to
    the number planned.
    """

    CORRECT = "correct"
    WRONG = "wrong"
    ANSWERED = "answered"  # as a solver yields it; judging turns it into correct or wrong
    UNPARSED = "unparsed"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    TIMED_OUT = "timed_out"
    PROVIDER_ERROR = "provider_error"
    NOT_RUN = "not_run"


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What one attempt cost. `None` is unknown: never 0, never a guess. Work shared by a batch is divided
    over it.
    """

    wall_seconds: float | None = None  # latency of this attempt as the solver saw it
    device_seconds: float | None = None  # this attempt's share of busy device time
    passes: float | None = None  # forward passes of the net, or calls of the model
    flops: float | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None  # of input_tokens, those read from the provider's cache
    output_tokens: int | None = None  # all billed output, reasoning included
    reasoning_tokens: int | None = None  # of output_tokens, the hidden ones
    usd: float | None = None
    retries: int | None = None
    joules: float | None = None
    lost_calls: int | None = None  # calls missing from tokens and usd, which are then lower bounds
    charged_usd: float | None = None  # newly spent: without cached replies, with an estimate for lost ones

    def __add__(self, other: Usage) -> Usage:
        """Return what both cost together; a quantity that one of them does not know is unknown."""
        sums = {}
        for name, mine in vars(self).items():
            theirs = getattr(other, name)
            sums[name] = None if mine is None or theirs is None else mine + theirs
        return Usage(**sums)


@dataclass(frozen=True, kw_only=True)
class TracePoint:
    """The answer a solver held after `depth` supervision steps; the last of a trace holds at all greater
    depths.
    """

    depth: int
    answer: Answer
    halt_score: float | None = None  # how sure it was then: a net's halting logit


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One of the K answers that an attempt was chosen from, in the order in which they were drawn."""

    answer: Answer | None = None  # None: it held no well-formed answer
    score: float | None = None  # the solver's own, the greater the surer: a halting logit, say


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try at one puzzle. `answer` is None unless `outcome` is ANSWERED."""

    puzzle_id: str
    attempt: int = 0  # 0-based
    outcome: Outcome = Outcome.ANSWERED
    answer: Answer | None = None
    usage: Usage = field(default_factory=Usage)
    depth: int | None = None  # supervision steps (or iterations) spent
    samples: int | None = None  # candidates voted over
    candidates: tuple[Sample, ...] = ()  # those themselves; where attempts share them, of the first alone
    trace: tuple[TracePoint, ...] = ()
    reply: str | None = None  # the visible text of a language model
    # JSON values: halting score, votes, error message, …
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """The parameter ledger of a model, read from its weights (or published, with its source)."""

    core: int | None = None  # used by every pass
    embedding: int | None = None  # token embedding and output head
    per_puzzle: int | None = None  # rows of the puzzle-id table
    stored: int | None = None  # everything in the file
    active: int | None = None  # touched by one pass on one puzzle
    source: str | None = None  # where the numbers come from, if not from weights we hold


SolverKind = Literal["net", "llm", "exact", "baseline", "hybrid"]


@dataclass(frozen=True, kw_only=True)
class SolverCard:
    """Who a solver is, as it stands in the run folder and on the leaderboard."""

    name: str
    kind: SolverKind
    parameters: Parameters = field(default_factory=Parameters)
    model: str | None = None  # the weights' or the API model's own name
    weights_sha256: str | None = None
    # regime, FLOPs, seconds, device, seed, as in the weights
    training: Mapping[str, Any] = field(default_factory=dict)
    exposure: Mapping[str, Any] = field(default_factory=dict)  # what of the evaluation data it has seen
    device: str | None = None
    deterministic: bool = True
    prompt: str | None = None  # how a model is asked: the prompt's name and version, and the style


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a solver may spend, and which (puzzle, attempt) pairs are already recorded and must not be
    yielded again.
    """

    attempts: int = 1
    seed: int = 0
    done: Set[tuple[str, int]] = frozenset()
    max_connections: int | None = None
    max_cost_usd: float | None = None  # for the whole run, what is already recorded included
    spent_usd: float = 0.0  # already recorded in this run
    retry_on_error: int | None = None
    # a worker's `capabilities.Lease` of what the solver keeps once for all workers; None in a single process
    shared: Any = None

    def wanted(self, puzzle_id: str) -> list[int]:
        """Return the attempt numbers of this puzzle that are planned and not recorded yet, ascending."""
        return [k for k in range(self.attempts) if (puzzle_id, k) not in self.done]


@runtime_checkable
class GridCodec(Protocol):
    """Puzzles as fixed-length token sequences, for nets. Token 0 is padding and never scored."""

    @property
    def vocab_size(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def length(self) -> int:
        """The canvas: height times width."""
        ...

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the input tokens, (L,), values in [0, vocab_size)."""
        ...

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the label tokens, (L,); -100 where a cell is not scored."""
        ...

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Turn output tokens (L,) into an answer; total: any tokens give some answer, well-formed or not."""
        ...

    def symmetries(self, rng: np.random.Generator, n: int) -> Symmetries | None:
        """Draw n symmetries under which a solved puzzle stays a solved puzzle; None if the task has none
        to offer.
        """
        ...

    def variants(self, puzzle: Puzzle, key: Key) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return (input, label) training pairs for one item: one, or several where labels must be
        recomputed (mazes).
        """
        ...


class TaskView(Protocol):
    """The part of a task that a solver is handed: enough to read puzzles and write answers, no way to the
    keys.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def family(self) -> str:
        """Name of what weights are trained for, e.g. "sudoku-6x6"."""
        ...

    @property
    def attempts(self) -> int: ...
    @property
    def grid(self) -> GridCodec | None: ...

    def prompt(self, puzzle: Puzzle) -> str:
        """Return the puzzle and the wanted answer format as plain text."""
        ...

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        """Read an answer out of a reply. Never raises, never repairs, never evaluates."""
        ...

    def violations(self, puzzle: Puzzle, answer: Answer) -> list[str] | None:
        """List what the answer breaks of the rules, from the puzzle alone; [] if it keeps all; None if
        rules cannot tell.
        """
        ...

    @property
    def methods(self) -> Mapping[str, Method]:
        """What the task can do from its rules alone, by name: `random` (a well-formed answer at random, what
        chance plays), `greedy`, `search` (exact; None if there is no solution), and what else it offers.
        """
        ...


class Task(TaskView, Protocol):
    """A puzzle family. Implementations are frozen dataclasses whose fields are the `-T` options."""

    @property
    def summary(self) -> str:
        """One line for `bench list tasks`."""
        ...

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits; the first is what `bench run` evaluates on."""
        ...

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The scores to print; the first is the headline."""
        ...

    @property
    def chance(self) -> float:
        """Expected headline score of the method `random`, up to 1e-3."""
        ...

    @property
    def data_revision(self) -> str:
        """What the puzzles are made from: a pinned revision, a package version, or "generated"."""
        ...

    def load(self, *, split: str, seed: int, limit: int | None, data_dir: Path | None) -> list[Item]:
        """Return the items of a split in a fixed order; the same arguments give the same items on every
        machine.
        """
        ...

    def judge(self, puzzle: Puzzle, key: Key, answer: Answer) -> Verdict:
        """Judge one answer. Total: a malformed answer is wrong, not an exception."""
        ...

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        """Draw the puzzle for a terminal; with an answer mark its cells, with a key too mark what is
        wrong.
        """
        ...


class Solver(Protocol):
    """Anything that answers puzzles. Implementations are frozen dataclasses whose fields are the `-S`
    options. What else it can do stands in `capabilities`.
    """

    @property
    def card(self) -> SolverCard: ...

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        """Yield one attempt per wanted (puzzle, attempt) pair, in any order, as answers come.

        Pairs that are never yielded are booked as not run. Raise UserError before the first yield if the task
        cannot be solved by this solver at all.
        """
        ...
