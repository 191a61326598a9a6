"""One `solve` of the LLM solver: checks before the first request, then attempts side by side."""

from __future__ import annotations

import asyncio
import importlib
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from harness.books.prices import Price
from harness.contracts import Attempt, Budget, Outcome, Puzzle, TaskView, Unparsed
from harness.errors import RunError, UserError
from harness.randomness import seed_of
from harness.records.jsonlines import collector_paused
from solvers.llm import prompts, strategies
from solvers.llm.batch import SIZE, Batched
from solvers.llm.books.booking import Tally, shorten, shorten_reasoning
from solvers.llm.books.leased import LeasedLimit, LeasedPurse
from solvers.llm.books.purse import Purse
from solvers.llm.bridge import stream
from solvers.llm.client import Client
from solvers.llm.keys import Redactor, find_key, read_headers
from solvers.llm.models.names import ANTHROPIC_URL, OPENAI_URL
from solvers.llm.notices import Notices
from solvers.llm.options import LlmOptions
from solvers.llm.protocol import Call, CallError, Endpoint, Message, Reply
from solvers.llm.providers import PROVIDERS
from solvers.llm.reply_cache import ReplyCache, key_of
from solvers.llm.strategies.base import Candidate
from solvers.llm.transport.limits import AdaptiveLimit
from solvers.llm.transport.proxies import proxy_for

DEFAULT_CONNECTIONS = 32
BATCH_SECONDS = 26 * 3600.0  # providers promise 24 hours
RETRIED = (Outcome.PROVIDER_ERROR, Outcome.TIMED_OUT)
ONE_FIRST = 20  # a run of more attempts sends one request before the many
CONNECT_SECONDS = 10.0
OWN_URLS = {"openai": OPENAI_URL, "openai-responses": OPENAI_URL, "anthropic": ANTHROPIC_URL}


def question(solver: LlmOptions, task: TaskView, puzzle: Puzzle) -> list[Message]:
    """Return the messages of the first request for a puzzle."""
    style, _ = strategies.build(solver.strategy, vars(solver))
    return _asked(solver, task, puzzle, style.messages(task, puzzle))


def _asked(solver: LlmOptions, task: TaskView, puzzle: Puzzle, messages: Sequence[Message]) -> list[Message]:
    """Put the chosen prompt in the place of the task's own, and the system prompt before all."""
    prompt = prompts.find(solver.prompt)
    own = list(messages)
    if "question" in prompt.words:
        if prompt.tasks and task.name not in prompt.tasks:
            raise UserError(
                f"The prompt {prompt.name!r} is not for {task.name!r}.",
                rule=f"It is for {', '.join(prompt.tasks)}.",
            )
        own[0] = {"role": "user", "content": prompt.question(puzzle.payload)}
    return [{"role": "system", "content": solver.system}, *own] if solver.system else own


@dataclass
class Run:
    """The state of one `solve`."""

    solver: LlmOptions
    price: Price | None
    weights_sha256: Callable[[], str | None]  # asked once everything else is in order
    task: TaskView
    budget: Budget
    client: Client | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        s = self.solver
        self.style, self.sampling = strategies.build(s.strategy, vars(s))
        self.prompt = prompts.find(s.prompt)
        self.service = s.service
        self.notices = Notices()
        module, _, attribute = PROVIDERS[s.provider_name].partition(":")
        self._module, self._provider_name = importlib.import_module(module), attribute
        for option in self._module.UNSUPPORTED:
            if getattr(s, option) is not None:
                raise UserError(
                    f"The provider {s.provider_name!r} has no {option}.",
                    rule="An option that would have no effect is refused.",
                    next_step=f"Leave -S {option} out.",
                )
        for option in getattr(self._module, "NEEDED", ()):
            if getattr(s, option) is None:
                raise UserError(
                    f"The provider {s.provider_name!r} needs {option}.", next_step=f"Give -S {option}=…."
                )
        if s.batch and not hasattr(getattr(self._module, self._provider_name), "submit"):
            raise UserError(
                f"The provider {s.provider_name!r} has no batch API.", next_step="Leave -S batch out."
            )
        usual = SIZE if s.batch else getattr(self._module, "CONNECTIONS", DEFAULT_CONNECTIONS)
        self.connections = self.budget.max_connections or usual
        self._key = find_key(s.api_key_env or self.service.key, self._module.KEY, self.service.base_url)
        self._headers = read_headers(s.extra_headers)
        self.redact = Redactor([self._key, *self._headers.values()])
        self.identity = {
            "provider": s.provider_name,
            "base_url": self.service.base_url,
            "weights": self.weights_sha256(),
            "prompt_version": self.prompt.label,
            "task": [self.task.name, self.task.version, self.task.family],
            "seed": self.budget.seed,
        } | ({"extra_headers": s.extra_headers} if s.extra_headers else {})

    def attempts(self, pairs: Sequence[tuple[Puzzle, int]]) -> Iterator[Attempt]:
        done = 0
        self._one_first = len(pairs) > ONE_FIRST
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
                rule=""  # a worker knows of its own part alone
                if self.budget.shared
                else f"Of {len(pairs)} attempts {done} were made, and {len(pairs) - done} are left, not run.",
                next_step=(
                    "The same command, with a higher --max-cost if that was the reason, goes on from here."
                ),
            ) from None
        except Exception as error:
            self.redact.scrub(error)  # its traceback will be shown
            raise
        finally:
            results.close()

    async def open(self) -> None:
        s = self.solver
        base_url = self.service.base_url
        await self._look_for(base_url or OWN_URLS.get(s.provider_name))
        endpoint = Endpoint(
            base_url=base_url,
            key=self._key,
            headers=self._headers,
            max_connections=self.connections,
            timeout=s.seconds_per_request,
            model=self.service.model,
            stream=bool(s.stream),
            background=bool(s.background),
            run=key_of(self.identity).hex(),
        )
        with collector_paused():  # thousands of classes are made when an SDK is imported
            provider = getattr(self._module, self._provider_name)(endpoint)
        if s.batch:
            provider = Batched(provider, endpoint.run)
        lease = self.budget.shared
        self.purse = (
            Purse(self.budget.max_cost_usd, self.budget.spent_usd) if lease is None else LeasedPurse(lease)
        )
        keeps = s.cache and s.provider_name != "replay"
        self.client = Client(
            provider,
            where=base_url or f"Provider {s.provider_name!r}",
            max_connections=self.connections,
            timeout=BATCH_SECONDS if s.batch else s.seconds_per_request,
            batch=s.batch,
            one_first=self._one_first,
            max_retries=s.max_retries,
            redact=self.redact,
            cache=ReplyCache(say=self.notices.say) if keeps else None,
            cache_labels={"provider": s.provider_name, "model": s.model, "task": self.task.name},
            price=self.price,
            purse=self.purse,
            limit=AdaptiveLimit(self.connections) if lease is None else LeasedLimit(lease),
            notices=self.notices,
        )

    async def _look_for(self, base_url: str | None) -> None:
        """Refuse an address at which nothing listens, before the first puzzle."""
        if base_url is None or proxy_for(base_url) is not None:
            return
        parts = urlsplit(base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, writer = await asyncio.open_connection(parts.hostname, port)
        except ConnectionRefusedError:
            raise UserError(
                f"Nothing listens at {base_url}.", next_step="Start the server, or mend the address."
            ) from None
        except (socket.gaierror, UnicodeError) as error:
            raise UserError(
                f"The host of {base_url} is not found ({error}).", next_step="Mend the address."
            ) from None
        except (OSError, TimeoutError):
            return  # the requests themselves will tell, and be tried again
        writer.close()

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
                "prompt_version": self.prompt.label,
                **({"batch": True} if self.solver.batch else {}),
            },
        )

    async def _once(self, puzzle: Puzzle, k: int, tally: Tally) -> Attempt:
        blank = Attempt(puzzle_id=puzzle.id, attempt=k, outcome=Outcome.PROVIDER_ERROR)
        limit = self.solver.puzzle_timeout
        try:
            async with asyncio.timeout(limit):
                found = await self._found(puzzle, k, tally)
        except TimeoutError:
            tally.failed(may_cost=True)
            return replace(
                blank, outcome=Outcome.TIMED_OUT, detail={"error": f"no answer within {limit:g} s"}
            )
        except CallError as error:
            return replace(blank, outcome=error.outcome, detail={"error": str(error)})
        reply, detail = shorten(found.reply)
        detail |= shorten_reasoning(found.reasoning)
        detail |= found.detail
        unparsed = isinstance(found.answer, Unparsed)
        if unparsed:
            detail["reason"] = found.answer.reason
        return replace(
            blank,
            outcome=found.outcome,
            answer=None if unparsed or found.outcome is not Outcome.ANSWERED else found.answer,
            samples=found.samples,
            candidates=found.among if k == 0 or not hasattr(self.sampling, "pool") else (),
            depth=found.depth,
            reply=reply,
            detail=detail,
        )

    async def _found(self, puzzle: Puzzle, k: int, tally: Tally) -> Candidate:
        pool = getattr(self.sampling, "pool", None)
        if pool is None:
            return await self.sampling.run(self.task, puzzle, self.style, self._asker(puzzle, k, tally))
        # the attempts share their replies, which are asked for as those of the first
        ask, last = self._asker(puzzle, 0, tally), len(self.budget.wanted(puzzle.id))
        answers: list[Candidate] = await pool(self.task, puzzle, self.style, ask, last=last)
        return answers[min(k, len(answers) - 1)]

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
                model=self.service.model,
                messages=tuple(_asked(s, self.task, puzzle, messages)),
                max_tokens=s.max_tokens,
                temperature=s.temperature,
                top_p=s.top_p,
                stop=s.stop,
                seed=seed,
                reasoning_effort=s.reasoning_effort,
                thinking_tokens=s.thinking_tokens,
                thinking=s.thinking,
                prompt_caching=s.prompt_caching,
                extra_body=s.extra_body,
                puzzle_id=puzzle.id,
                attempt=k,
                sample=sample,
            )
            reply = await self.client.ask(call, tally, key_of({**self.identity, "call": call.identity()}))
            tally.calls.append((call.messages[-1]["content"], reply.text))
            return reply

        return ask
