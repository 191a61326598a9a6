"""Language models as solvers: concurrent requests to any provider, every reply and every failure booked.

Data flow of one attempt: style writes the messages -> client asks (cache, limits, retries, deadline) -> style
reads the reply -> the sampling picks a candidate -> the attempt is yielded with all its calls in the books.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.books.prices import Price, PriceTable
from harness.contracts import Attempt, Budget, Puzzle, SolverCard, TaskView
from harness.errors import UserError
from harness.records.schema import AttemptRecord
from solvers.llm import models, strategies
from solvers.llm.books.leased import OnePurse
from solvers.llm.books.purse import Purse
from solvers.llm.models.names import service_of
from solvers.llm.options import LlmOptions
from solvers.llm.prompts import DEFAULT, catalogue
from solvers.llm.prompts import find as find_prompt
from solvers.llm.protocol import count
from solvers.llm.providers import PROVIDERS
from solvers.llm.run import DEFAULT_CONNECTIONS, Run, question
from solvers.llm.transport.limits import AdaptiveLimit

DECIDE_SPENDING = (
    "model", "provider", "base_url", "strategy", "samples", "rounds", "reasoning_effort", "thinking_tokens",
    "thinking", "prompt", "max_tokens",
)  # fmt: skip
"""Options that decide how long replies are, and so what an attempt costs."""


@dataclass(frozen=True, kw_only=True)
class LlmSolver(LlmOptions):
    """A model behind an API. Options left out are the server's own defaults."""

    @staticmethod
    def option_choices() -> dict[str, dict[str, str]]:
        """Return the strategies, each with the options it needs, and the prompts."""
        found = {prompt["prompt"]: prompt["summary"] for prompt in catalogue()}
        return {"strategy": strategies.choices(), "prompt": found}

    @staticmethod
    def prompts() -> list[dict[str, str]]:
        """Return the prompts there are, for `bench list prompts`."""
        return catalogue()

    @property
    def card(self) -> SolverCard:
        known = models.find(self.service.model)
        card = SolverCard(
            name="llm", kind="llm", model=self.model, deterministic=False, parameters=known.ledger,
            prompt=self._how_asked,
        )  # fmt: skip
        if self.provider_name != "local":
            return card
        from solvers.llm import gguf

        weights = gguf.model_file(self.model)
        return replace(
            card,
            parameters=gguf.parameters(weights),
            weights_sha256=gguf.weights_sha256(weights),
            device="cpu",
        )

    @property
    def _how_asked(self) -> str:
        """The prompt with its version, the style, and what else of the words is the user's own."""
        parts = [find_prompt(self.prompt).label, strategies.split(self.strategy)[0]]
        if self.examples:
            parts.append(f"examples of {self.examples.name}")
        if self.system:
            parts.append(f"system prompt {hashlib.sha256(self.system.encode()).hexdigest()[:8]}")
        return ", ".join(parts)

    @property
    def price(self) -> Price | None:
        """The price of this model's tokens; None if nobody lists it."""
        if self.usd_per_million_input is not None and self.usd_per_million_output is not None:
            return Price(input=self.usd_per_million_input, output=self.usd_per_million_output)
        asked = self.service
        return models.price(asked.model, provider=asked.provider, base_url=asked.base_url)

    @property
    def slow_imports(self) -> tuple[str, ...]:
        """The provider's SDK, which is thousands of classes."""
        provider = importlib.import_module(PROVIDERS[self.provider_name].partition(":")[0])
        return (provider.SDK,) if hasattr(provider, "SDK") else ()

    def preview(self, task: TaskView, puzzle: Puzzle) -> str:
        """Return the text of the first request for a puzzle, sending nothing."""
        return "\n\n".join(
            f"[{message['role']}]\n{message['content']}" for message in question(self, task, puzzle)
        )

    def count_tokens(self, text: str) -> int:
        """Count by litellm's tokenizer for the model; a server may count differently."""
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # no download on import
        import litellm

        return int(litellm.token_counter(model=self.service.model, text=text))

    @property
    def how_to_price(self) -> str:
        return "Give -S usd_per_million_input and -S usd_per_million_output."

    def usd(self, attempt: AttemptRecord) -> float | None:
        """Return what a recorded attempt would cost at today's price."""
        return None if self.price is None else _usd(self.price, attempt)

    def spends_like(self, options: Mapping[str, Any]) -> bool:
        """Say whether a recorded run asked the same model in the same way."""
        defaults = {"prompt": DEFAULT}  # of options that a record may be older than
        return all(options.get(name, defaults.get(name)) == getattr(self, name) for name in DECIDE_SPENDING)

    @classmethod
    def reprice(
        cls, options: Mapping[str, Any], table: PriceTable
    ) -> Callable[[AttemptRecord], float | None] | None:
        """Return how a table prices the recorded attempts of a model; None if it does not list it."""
        model, provider = str(options.get("model") or ""), options.get("provider")
        base_url = options.get("base_url")
        if provider is None and base_url is None:
            asked = service_of(model)
            model, provider, base_url = asked.model, asked.provider, asked.base_url
        price = table.find(model, provider=provider or "openai", base_url=base_url)
        return None if price is None else functools.partial(_usd, price)

    def most_usd(self, prompt_tokens: float) -> float | None:
        """Return what an attempt costs at most, whose first prompt has so many tokens, every reply as long as
        it may be; None if the price or the longest reply is unknown.
        """
        longest = self.max_tokens or models.find(self.service.model).output
        if self.price is None or longest is None:
            return None
        if self.rounds is not None:  # each prompt holds the replies before it
            prompts = [prompt_tokens + number * longest for number in range(self.rounds)]
        else:
            prompts = [prompt_tokens] * (self.samples or 1)
        rates = (self.price.input, self.price.output)
        if self.batch and self.price.batch_input is not None and self.price.batch_output is not None:
            rates = (self.price.batch_input, self.price.batch_output)
        return (sum(prompts) * rates[0] + len(prompts) * longest * rates[1]) / 1e6

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        """Yield attempts as replies come. Raises RunError, leaving the rest not run, at the cost cap or in
        a long outage.
        """
        self._check(budget)
        run = Run(self, self.price, lambda: self.card.weights_sha256, task, budget)
        return run.attempts([(puzzle, k) for puzzle in puzzles for k in budget.wanted(puzzle.id)])

    def shared(self, budget: Budget) -> OnePurse:
        """Return the purse and the rate limit of a run of several workers: one of each."""
        self._check(budget)
        connections = budget.max_connections or DEFAULT_CONNECTIONS
        return OnePurse(Purse(budget.max_cost_usd, budget.spent_usd), AdaptiveLimit(connections))

    def _check(self, budget: Budget) -> None:
        if budget.max_connections is not None and budget.max_connections < 1:
            raise UserError(
                f"{budget.max_connections} connections cannot carry a request.", next_step="Give at least 1."
            )
        if budget.max_cost_usd is not None and not budget.max_cost_usd > 0:
            raise UserError(
                f"A cost cap of ${budget.max_cost_usd} lets nothing be asked.",
                rule="It must be greater than 0.",
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


def _usd(price: Price, attempt: AttemptRecord) -> float | None:
    usage, detail = attempt.usage, attempt.detail
    return price.usd(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        cache_write_tokens=count(detail.get("cache_write_tokens")) or 0,
        batch=detail.get("batch") is True,
    )
