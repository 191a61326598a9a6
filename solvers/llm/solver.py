"""Language models as solvers: concurrent requests to any provider, every reply and every failure booked.

Data flow of one attempt: style writes the messages -> client asks (cache, limits, retries, deadline) -> style
reads the reply -> search picks a candidate -> the attempt is yielded with all its calls in the books.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.books import prices
from harness.books.prices import Price, PriceTable
from harness.contracts import Attempt, Budget, Outcome, Puzzle, SolverCard, TaskView, Unparsed
from harness.errors import RunError, UserError, did_you_mean
from harness.randomness import seed_of
from harness.records.jsonlines import collector_paused
from harness.records.schema import AttemptRecord
from solvers.llm import strategies
from solvers.llm.batch import SIZE, Batched
from solvers.llm.booking import Tally, shorten
from solvers.llm.bridge import stream
from solvers.llm.client import Client
from solvers.llm.keys import check_base_url, find_key
from solvers.llm.prompts import VERSION
from solvers.llm.protocol import Call, CallError, Endpoint, Message, Reply, count
from solvers.llm.providers import PROVIDERS
from solvers.llm.purse import Purse
from solvers.llm.reply_cache import ReplyCache, key_of

DEFAULT_CONNECTIONS = 32
BATCH_SECONDS = 26 * 3600.0  # providers promise 24 hours
DECIDE_SPENDING = (
    "model", "provider", "base_url", "strategy", "samples", "rounds", "reasoning_effort", "thinking_tokens",
    "max_tokens",
)  # fmt: skip
"""Options that decide how long replies are, and so what an attempt costs."""
RETRIED = (Outcome.PROVIDER_ERROR, Outcome.TIMED_OUT)


@dataclass(frozen=True, kw_only=True)
class LlmSolver:
    """A model behind an API. Options left out are the server's own defaults."""

    model: str  # as the provider names it; local/NAME runs one here
    provider: str | None = None  # None: "local" for models named local/…, else "openai"
    base_url: str | None = None  # of the server; none: the provider's own
    # name of the environment variable that holds the key
    api_key_env: str | None = field(default=None, compare=False)
    strategy: str = "cot"  # a style, a search, or STYLE+SEARCH: see solvers/llm/strategies
    samples: int | None = None  # replies per attempt, of self-consistency and best-of-n
    rounds: int | None = None  # replies per attempt, of refine
    examples: Path | None = None  # JSON file of solved puzzles, of few-shot
    program_seconds: float | None = None  # time limit of a program, of code
    sandbox: Literal["off"] | None = None  # of code: "off" runs the model's programs without walls
    temperature: float | None = None  # of sampling; none: the server's default, as for the next three
    max_tokens: int | None = None  # of a reply, reasoning included
    reasoning_effort: str | None = None  # such as low or high, sent as it is
    thinking_tokens: int | None = None  # that a reply may spend on reasoning
    # ask the provider to keep the prompt for the next call, where it must be asked
    prompt_caching: bool | None = None
    seed: int | None = None  # sent to the server, varied per attempt and sample; None sends none
    timeout: float = 600.0  # seconds per request
    puzzle_timeout: float | None = None  # seconds per attempt, all requests and retries together
    max_retries: int = 8  # further tries of a request after transient failures
    batch: bool = False  # use the provider's batch API: half the price, hours of waiting
    cache: bool = field(default=True, compare=False)  # keep replies, and use kept ones
    usd_per_million_input: float | None = None  # a price of your own, in place of the price table's
    usd_per_million_output: float | None = None  # the same of the reply

    def __post_init__(self) -> None:
        if self.provider_name not in PROVIDERS:
            raise UserError(
                f"Unknown provider {self.provider!r}.", rule=did_you_mean(self.provider_name, PROVIDERS)
            )
        check_base_url(self.base_url)
        strategies.build(self.strategy, vars(self))
        for name in ("timeout", "puzzle_timeout"):
            if (seconds := getattr(self, name)) is not None and not seconds > 0:
                raise UserError(
                    f"{name}={seconds} is not a time in seconds.", rule="It must be greater than 0."
                )
        for name in ("max_tokens", "thinking_tokens"):
            if (tokens := getattr(self, name)) is not None and tokens < 1:
                raise UserError(f"{name}={tokens} leaves nothing to say.", rule="It must be at least 1.")
        if (self.usd_per_million_input is None) != (self.usd_per_million_output is None):
            raise UserError(
                "One of usd_per_million_input and usd_per_million_output is missing.",
                rule="Give both or neither.",
            )
        if self.max_retries < 0:
            raise UserError(f"max_retries={self.max_retries} is negative.", rule="It must be at least 0.")

    @staticmethod
    def option_choices() -> dict[str, dict[str, str]]:
        """Return the strategies, each with the options it needs."""
        return {"strategy": strategies.choices()}

    @property
    def provider_name(self) -> str:
        return self.provider or ("local" if self.model.startswith("local/") else "openai")

    @property
    def card(self) -> SolverCard:
        card = SolverCard(name="llm", kind="llm", model=self.model, deterministic=False)
        if self.provider_name != "local":
            return card
        from solvers.llm import gguf
        from solvers.llm.providers.local import model_file

        weights = model_file(self.model)
        return replace(
            card,
            parameters=gguf.parameters(weights),
            weights_sha256=gguf.weights_sha256(weights),
            device="cpu",
        )

    @property
    def price(self) -> Price | None:
        """The price of this model's tokens; None if nobody lists it."""
        if self.usd_per_million_input is not None and self.usd_per_million_output is not None:
            return Price(input=self.usd_per_million_input, output=self.usd_per_million_output)
        return prices.table().find(self.model, provider=self.provider_name, base_url=self.base_url)

    @property
    def slow_imports(self) -> tuple[str, ...]:
        """The provider's SDK, which is thousands of classes."""
        provider = importlib.import_module(PROVIDERS[self.provider_name].partition(":")[0])
        return (provider.SDK,) if hasattr(provider, "SDK") else ()

    def preview(self, task: TaskView, puzzle: Puzzle) -> str:
        """Return the text of the first request for a puzzle, sending nothing."""
        style, _ = strategies.build(self.strategy, vars(self))
        return "\n\n".join(
            f"[{message['role']}]\n{message['content']}" for message in style.messages(task, puzzle)
        )

    def count_tokens(self, text: str) -> int:
        """Count by litellm's tokenizer for the model; a server may count differently."""
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # no download on import
        import litellm

        return int(litellm.token_counter(model=self.model, text=text))

    @property
    def how_to_price(self) -> str:
        return "Give -S usd_per_million_input and -S usd_per_million_output."

    def usd(self, attempt: AttemptRecord) -> float | None:
        """Return what a recorded attempt would cost at today's price."""
        return None if self.price is None else _usd(self.price, attempt)

    def spends_like(self, options: Mapping[str, Any]) -> bool:
        """Say whether a recorded run asked the same model in the same way."""
        return all(options.get(name) == getattr(self, name) for name in DECIDE_SPENDING)

    @classmethod
    def reprice(
        cls, options: Mapping[str, Any], table: PriceTable
    ) -> Callable[[AttemptRecord], float | None] | None:
        """Return how a table prices the recorded attempts of a model; None if it does not list it."""
        model = str(options.get("model") or "")
        provider = options.get("provider") or ("local" if model.startswith("local/") else "openai")
        price = table.find(model, provider=provider, base_url=options.get("base_url"))
        return None if price is None else functools.partial(_usd, price)

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        """Yield attempts as replies come. Raises RunError, leaving the rest not run, at the cost cap or in
        a long outage.
        """
        if budget.max_connections is not None and budget.max_connections < 1:
            raise UserError(
                f"{budget.max_connections} connections cannot carry a request.", next_step="Give at least 1."
            )
        if budget.max_cost_usd is not None and self.price is None:
            raise UserError(
                f"A cost cap of ${budget.max_cost_usd:g} needs a price, and none is known for "
                f"{self.model!r}.",
                next_step="Give -S usd_per_million_input=… -S usd_per_million_output=….",
            )
        if budget.max_cost_usd is not None and self.batch:
            raise UserError(
                "A cost cap cannot be kept with -S batch=true.",
                rule="A batch is charged as a whole.",
                next_step="Use --limit.",
            )
        run = _Run(self, task, budget)
        return run.attempts([(puzzle, k) for puzzle in puzzles for k in budget.wanted(puzzle.id)])


def _usd(price: Price, attempt: AttemptRecord) -> float | None:
    usage, detail = attempt.usage, attempt.detail
    return price.usd(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        cache_write_tokens=count(detail.get("cache_write_tokens")) or 0,
        batch=detail.get("batch") is True,
    )


@dataclass
class _Run:
    """The state of one `solve`."""

    solver: LlmSolver
    task: TaskView
    budget: Budget
    client: Client | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.style, self.search = strategies.build(self.solver.strategy, vars(self.solver))
        self.connections = self.budget.max_connections or (SIZE if self.solver.batch else DEFAULT_CONNECTIONS)
        module, _, attribute = PROVIDERS[self.solver.provider_name].partition(":")
        self._module, self._provider_name = importlib.import_module(module), attribute
        for option in self._module.UNSUPPORTED:
            if getattr(self.solver, option) is not None:
                raise UserError(
                    f"The provider {self.solver.provider_name!r} has no {option}.",
                    rule="An option that would have no effect is refused.",
                    next_step=f"Leave -S {option} out.",
                )
        for option in getattr(self._module, "NEEDED", ()):
            if getattr(self.solver, option) is None:
                raise UserError(
                    f"The provider {self.solver.provider_name!r} needs {option}.",
                    next_step=f"Give -S {option}=….",
                )
        if self.solver.batch and not hasattr(getattr(self._module, self._provider_name), "submit"):
            raise UserError(
                f"The provider {self.solver.provider_name!r} has no batch API.",
                next_step="Leave -S batch out.",
            )
        self._key = find_key(self.solver.api_key_env, self._module.KEY, self.solver.base_url)

        self.identity = {
            "provider": self.solver.provider_name,
            "base_url": self.solver.base_url,
            "weights": self.solver.card.weights_sha256,
            "prompt_version": VERSION,
            "task": [self.task.name, self.task.version, self.task.family],
            "seed": self.budget.seed,
        }

    def attempts(self, pairs: Sequence[tuple[Puzzle, int]]) -> Iterator[Attempt]:
        done = 0
        results = stream(
            pairs,
            self.attempt,
            workers=min(self.connections, len(pairs)) or 1,
            set_up=self.open,
            tear_down=self.close,
        )
        try:
            for attempt in results:
                done += 1
                yield attempt
        except RunError as error:
            raise RunError(
                str(error),
                rule=f"Of {len(pairs)} attempts {done} were made, and {len(pairs) - done} are left, not run.",
                next_step=(
                    "The same command, with a higher --max-cost if that was the reason, goes on from here."
                ),
            ) from None
        finally:
            results.close()

    async def open(self) -> None:
        s = self.solver
        endpoint = Endpoint(
            base_url=s.base_url, key=self._key, max_connections=self.connections, timeout=s.timeout
        )
        with collector_paused():  # thousands of classes are made when an SDK is imported
            provider = getattr(self._module, self._provider_name)(endpoint)
        if s.batch:
            provider = Batched(provider, f"{s.provider_name} {s.base_url}")
        where = s.base_url or f"Provider {s.provider_name!r}"
        self.purse = Purse(self.budget.max_cost_usd, self.budget.spent_usd)
        self.client = Client(
            provider,
            where=where,
            max_connections=self.connections,
            timeout=BATCH_SECONDS if s.batch else s.timeout,
            batch=s.batch,
            max_retries=s.max_retries,
            key=self._key,
            cache=ReplyCache() if s.cache and s.provider_name != "replay" else None,
            cache_labels={"provider": s.provider_name, "model": s.model, "task": self.task.name},
            price=s.price,
            purse=self.purse,
        )

    async def close(self) -> None:
        if self.client:
            await self.client.close()

    async def attempt(self, pair: tuple[Puzzle, int]) -> Attempt:
        """Make one attempt; transient failures are tried again as often as the budget's `retry_on_error`
        says.
        """
        puzzle, k = pair
        tally = Tally()
        await self.purse.start()
        try:
            for _ in range(1 + (self.budget.retry_on_error or 0)):
                done = await self._once(puzzle, k, tally)
                if done.outcome not in RETRIED:
                    break
        finally:
            await self.purse.finish(tally.paid_usd)
        return replace(
            done,
            usage=tally.usage(),
            detail={
                **done.detail,
                **tally.detail(),
                "prompt_version": VERSION,
                **({"batch": True} if self.solver.batch else {}),
            },
        )

    async def _once(self, puzzle: Puzzle, k: int, tally: Tally) -> Attempt:
        blank = Attempt(puzzle_id=puzzle.id, attempt=k, outcome=Outcome.PROVIDER_ERROR)
        limit = self.solver.puzzle_timeout
        try:
            async with asyncio.timeout(limit):
                found = await self.search.run(self.task, puzzle, self.style, self._asker(puzzle, k, tally))
        except TimeoutError:
            tally.failed(may_cost=True)
            return replace(
                blank, outcome=Outcome.TIMED_OUT, detail={"error": f"no answer within {limit:g} s"}
            )
        except CallError as error:
            return replace(blank, outcome=error.outcome, detail={"error": str(error)})
        reply, detail = shorten(found.reply)
        detail |= found.detail
        unparsed = isinstance(found.answer, Unparsed)
        if unparsed:
            detail["reason"] = found.answer.reason
        return replace(
            blank,
            outcome=found.outcome,
            answer=None if unparsed else found.answer,
            samples=found.samples,
            depth=found.depth,
            reply=reply,
            detail=detail,
        )

    def _asker(self, puzzle: Puzzle, k: int, tally: Tally) -> Any:
        s = self.solver

        async def ask(messages: Sequence[Message], sample: int) -> Reply:
            assert self.client is not None  # `open` ran first
            seed = (
                None
                if s.seed is None
                else seed_of("llm", s.seed, self.budget.seed, puzzle.id, k, sample) % 2**31
            )
            call = Call(
                model=s.model,
                messages=tuple(messages),
                max_tokens=s.max_tokens,
                temperature=s.temperature,
                seed=seed,
                reasoning_effort=s.reasoning_effort,
                thinking_tokens=s.thinking_tokens,
                prompt_caching=s.prompt_caching,
                puzzle_id=puzzle.id,
                attempt=k,
                sample=sample,
            )
            return await self.client.ask(call, tally, key_of({**self.identity, "call": vars(call)}))

        return ask
