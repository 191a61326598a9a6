"""The solver that all nets share: puzzles to tokens, through the engine, votes, tokens to answers, costs
to the books.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.capabilities import ResizableCodec
from harness.contracts import (
    Answer,
    Attempt,
    Budget,
    Puzzle,
    SolverCard,
    Task,
    TaskView,
)
from harness.errors import UserError
from harness.options import first_paragraph
from solvers.nets.model.config import NetConfig
from solvers.nets.recipe import Recipe
from solvers.nets.recipes import all_recipes, recipe, recipes_of

if TYPE_CHECKING:
    from harness.options.describe import Option
    from solvers.nets.infer.engine import Finished
    from solvers.nets.weights.files import Loaded


@dataclass(frozen=True, kw_only=True)
class NetSolver:
    """A recursive net with its weights.

    weights: a file, else what this project ships for the task's family. depth: the most supervision steps a
    puzzle may use, else what the net was trained with; depths: keep the answer after each of these, for a
    curve (the last is the depth; a puzzle that halts keeps its answer from there on). halt: leave early when
    two supervision steps in a row give the same answer ("agree"), when the halting logit is positive
    ("score"), or never, as the papers evaluate. samples: rollouts per puzzle. Rollout 0 is undisturbed; the
    others have Gaussian `noise` on the latent before every supervision step (PTRM, arXiv 2605.19943; there
    all rollouts have it) and, with `augment`, start from a symmetric copy of the puzzle whose answer is
    mapped back; where the weights have puzzle ids, from a copy they were trained on, under its id. blank_id:
    give every rollout the id 0, which is never trained (a control). A stochastic net draws every rollout, the
    first included. select: rank distinct answers by votes and then mean halting probability ("vote"; PTRM's
    mode@K), or by the best halting logit ("halt"; PTRM's best-Q@K). quorum: votes for one answer that end the
    voting; rollouts start as they are needed for it, `samples` is then the most a puzzle may use.
    """

    net: ClassVar[str]  # its name in weights files and recipes; registered under it, if it is registered
    configure: ClassVar[Callable[..., NetConfig]]  # its configuration from the fields that are given
    own_recipes: ClassVar[Mapping[str, Callable[[], Recipe]]] = {}  # beside those of recipes.py
    stochastic: ClassVar[bool] = False  # the net draws its own rollouts

    weights: Path | None = None
    depth: int | None = None
    depths: tuple[int, ...] = ()
    halt: Literal["score", "agree", "never"] = "agree"
    samples: int = 1
    noise: float = 0.0  # spread of the Gaussian noise on the latent of all rollouts but the first
    augment: bool = False  # rollouts but the first start from a symmetric copy of the puzzle
    blank_id: bool = False
    select: Literal["vote", "halt"] = "vote"
    quorum: int | None = None
    batch_size: int = 256  # puzzles, or rollouts, that the net steps at a time
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 on a GPU, else float32
    device: str = "auto"  # auto, cpu, cuda or cuda:N
    threads: int | None = None  # of the CPU; none: torch's own choice
    _loaded: Any = field(init=False, default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("depth", "samples", "quorum", "batch_size", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"{name} is {value}.", rule="It must be at least 1.")
        if list(self.depths) != sorted({d for d in self.depths if d > 0}):
            raise UserError(
                f"depths is {','.join(map(str, self.depths))}.",
                rule="It is numbers of supervision steps, each larger than the one before.",
                next_step="Give depths=1,2,4, say.",
            )
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device):
            raise UserError(f"device is {self.device!r}.", rule="It is auto, cpu, cuda or cuda:N.")
        cores = os.cpu_count() or 1
        if (self.threads or 1) > cores:
            raise UserError(
                f"threads is {self.threads}.",
                rule=f"This machine has {cores} cores.",
                next_step=f"Give {cores} or fewer.",
            )
        if self.depth is not None and self.depths:
            raise UserError("depth and depths were both given.", rule="The last of depths is the depth.")
        if self.samples > 1 and self.depths:
            raise UserError(
                f"depths needs samples=1, not {self.samples}.",
                rule="A curve is read off one undisturbed rollout.",
            )
        if self.quorum is not None and not (self.quorum <= self.samples and self.select == "vote"):
            raise UserError(
                f"quorum is {self.quorum}, with samples={self.samples} and select={self.select}.",
                rule="It is a number of equal votes, at most samples, and ends a vote.",
                next_step=f"Give samples={max(8, 2 * self.quorum)}, say, and select=vote.",
            )
        if not 0 <= self.noise < math.inf:
            raise UserError(
                f"noise is {self.noise}.", rule="It is a standard deviation, at least 0 and finite."
            )
        if self.noise and self.samples == 1 and not self.stochastic:
            raise UserError(
                f"noise is {self.noise}, but the only rollout is the undisturbed one.",
                next_step="Give samples=8, say.",
            )
        if self.samples > 1 and not (self.noise or self.augment or self.stochastic):
            raise UserError(
                f"{self.samples} samples of the same puzzle would be identical.",
                next_step="Give noise=0.5, say, or augment=true.",
            )

    def for_task(self, task: TaskView) -> NetSolver:
        """Return this solver with the weights for a task loaded and checked against its vocabulary and
        length.
        """
        from solvers.nets.choose import weights_for

        ready = dataclasses.replace(self)
        object.__setattr__(ready, "_loaded", weights_for(task, type(self), self.weights))
        return ready

    @property
    def card(self) -> SolverCard:
        loaded: Loaded | None = self._loaded
        if loaded is None:
            return SolverCard(name=self.net, kind="net")
        return SolverCard(
            name=self.net,
            kind="net",
            parameters=loaded.parameters,
            model=loaded.path.stem,
            weights_sha256=loaded.sha256,
            training=loaded.training,
            exposure=_exposure(loaded.training),
            device=self._device_name(),
        )

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        """Yield the attempts of each puzzle when its rollouts are done: the first answers of the ranking."""
        if self._loaded is None:
            yield from self.for_task(task).solve(task, puzzles, budget)
            return
        yield from self._solve(task, puzzles, budget, None)

    def check_refines(self) -> None:
        """Raise UserError unless the weights were trained to start from proposals."""
        if self._loaded is not None and not self._loaded.training.get("recipe", {}).get("proposals"):
            raise UserError(
                f"{self._loaded.path} was not trained to start from an answer.",
                rule="Proposals are mended by weights of a recipe with proposals above 0.",
                next_step="Train some: `bench train … --recipe trm-sudoku-refine`, or give -S mode=cascade.",
            )

    def refine(
        self,
        task: TaskView,
        puzzles: Sequence[Puzzle],
        budget: Budget,
        proposals: Mapping[tuple[str, int], Answer],
    ) -> Iterator[Attempt]:
        """Yield the attempts, each from its own proposal; rollouts of symmetric puzzles start from it too."""
        if self._loaded is None:
            yield from self.for_task(task).refine(task, puzzles, budget, proposals)
            return
        self.check_refines()
        for number in range(budget.attempts):
            wanted = [puzzle for puzzle in puzzles if number in budget.wanted(puzzle.id)]
            given = {puzzle: answer for (puzzle, k), answer in proposals.items() if k == number}
            alone = dataclasses.replace(budget, attempts=1, done=frozenset())
            for attempt in self._solve(task, wanted, alone, given):
                yield dataclasses.replace(attempt, attempt=number)

    def _solve(
        self,
        task: TaskView,
        puzzles: Sequence[Puzzle],
        budget: Budget,
        proposals: Mapping[str, Answer] | None,
    ) -> Iterator[Attempt]:
        import torch

        from solvers.nets.choose import codec_for
        from solvers.nets.flops import inference_flops
        from solvers.nets.infer import engine
        from solvers.nets.infer.attempts import attempts_of, not_attempted
        from solvers.nets.infer.rollouts import NoiseSeeds, Rollouts, rank

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        codec = codec_for(task, self._loaded)
        open_puzzles = [p for p in puzzles if budget.wanted(p.id)]
        if isinstance(codec, ResizableCodec):
            yield from not_attempted([p for p in open_puzzles if not codec.fits(p)], codec, budget)
            open_puzzles = [p for p in open_puzzles if codec.fits(p)]
        net = self._loaded.net
        jobs = Rollouts(
            open_puzzles, codec, self, seed=budget.seed, table=self._loaded.table, stochastic=net.stochastic
        )
        flops_per_step = inference_flops(net.config)
        waiting: dict[int, list[Finished]] = {}
        counts = [jobs.count(index) for index in range(len(open_puzzles))]
        started = counts if self.quorum is None else [min(self.quorum, count) for count in counts]
        queue = deque(job for index, count in enumerate(started) for job in jobs.jobs(index, 0, count))
        finished = engine.answer(
            net,
            jobs,
            ids=jobs.ids,
            depths=sorted(self.depths) or [self.depth or net.config.halt_max_steps],
            halt=self.halt,
            batch_size=self.batch_size,
            dtype=self._torch_dtype(),
            device=torch.device(self._device_type()),
            noise=self.noise,
            noise_seeds=NoiseSeeds(jobs),
            queue=queue,
            proposals=None if proposals is None else jobs.proposed(proposals),
        )
        for job in finished:
            index, _ = jobs.place(job.job)
            done = waiting.setdefault(index, [])
            done.append(job)
            if len(done) < started[index]:
                continue
            ranked = rank(done, jobs, self.select)
            missing = 0 if self.quorum is None else self.quorum - len(ranked[0][1])
            if missing > 0 and len(done) < counts[index]:
                more = jobs.jobs(index, len(done), len(done) + missing)
                queue.extendleft(reversed(more))
                started[index] += len(more)
                continue
            del waiting[index]
            puzzle = open_puzzles[index]
            yield from attempts_of(puzzle, done, ranked, jobs, budget, flops_per_step, self.depths)

    def shard_size(self, puzzles: int) -> int:
        """Return how many puzzles are answered together, a sixteenth of all: on a CPU at most a batch,
        on a GPU at least one: rows that stand empty at the end of a shard cost as much as full ones.
        """
        batch = max(1, self.batch_size // self.samples)
        least, most = (min(32, batch), batch) if self._device_type() == "cpu" else (batch, 16 * batch)
        return min(most, max(least, math.ceil(puzzles / 16)))

    @classmethod
    def train(cls, task: Task, *, device: str, threads: int | None, **options: Any) -> Path | None:
        """Train this net on a task's training split; its options are those of `train_by_recipe`."""
        from solvers.nets.train import run as run_training

        return run_training.train_by_recipe(
            cls.net,
            task,
            member=cls,
            device=cls(device=device, threads=threads)._device_type(),
            threads=threads,
            **options,
        )

    @classmethod
    def recipes(cls) -> list[dict[str, Any]]:
        """Return the recipes that train this net: name, optimiser steps, batch size and what they are for."""
        makers = all_recipes(cls.own_recipes)
        made = [
            (makers[name](), first_paragraph(makers[name].__doc__))
            for name in recipes_of(cls.net, cls.own_recipes)
        ]
        return [
            {
                "solver": cls.net,
                "recipe": r.name,
                "optimiser_steps": r.optimiser_steps,
                "batch_size": r.batch_size,
                "made_for": list(r.made_for),
                "summary": text,
            }
            for r, text in made
        ]

    @classmethod
    def recipe_options(cls, name: str) -> list[Option]:
        """Return the fields of a recipe and, as config.NAME, those of its net, with the recipe's values."""
        from harness.options.describe import describe
        from solvers.nets.weights.member import config_of

        chosen = recipe(name, own=cls.own_recipes)
        make, kind = config_of(chosen.net, cls)
        sizes = {"vocab_size": 2, "seq_len": 4}  # any: they come from the task and are not shown
        config = vars(make(**sizes | chosen.config))
        fixed = (
            "name",
            "net",
            "config",
            "depth_curriculum",
            "betas",
            "made_for",
            *(f"config.{size}" for size in sizes),
        )
        fields = describe(Recipe, vars(chosen)) + describe(kind, config, prefix="config.")
        return [option for option in fields if option.name not in fixed]

    @classmethod
    def describe_weights(cls, file: Path) -> dict[str, Any]:
        """Return what a weights file says, flat: the parameter ledger, the configuration, the training
        record.
        """
        from solvers.nets.weights.files import describe

        return describe(file, cls)

    @classmethod
    def import_weights(
        cls, checkpoint: Path, out: Path, options: Mapping[str, str], identifiers: Path | None = None
    ) -> list[str]:
        """Convert a published checkpoint and return what to tell of it; see `published.import_checkpoint`."""
        from solvers.nets.weights.published import import_checkpoint

        return import_checkpoint(cls.net, checkpoint, out, options, identifiers)

    def _device_type(self) -> str:
        import torch

        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        if self.device.startswith("cuda") and (seen := torch.cuda.device_count()) <= (
            torch.device(self.device).index or 0
        ):
            raise UserError(
                f"device is {self.device!r}, but torch sees {seen or 'no'} GPU.",
                next_step="Choose the device cpu.",
            )
        return self.device

    def _device_name(self) -> str:
        import torch

        kind = self._device_type()
        if kind.startswith("cuda"):
            return torch.cuda.get_device_name(kind)
        return f"CPU, {self.threads or torch.get_num_threads()} threads"

    def _torch_dtype(self) -> Any:
        import torch

        name = self.dtype
        if name == "auto":
            name = "bfloat16" if self._device_type().startswith("cuda") else "float32"
        return getattr(torch, name)


def _exposure(training: dict[str, Any]) -> dict[str, Any]:
    """Return what a net has seen, in this training and in the one its weights started from."""
    seen: dict[str, Any] = {key: training[key] for key in ("task", "regime", "exposure") if key in training}
    if "started_from" in training:
        seen["started_from"] = _exposure(training["started_from"]["training"])
    return seen
