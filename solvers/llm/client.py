"""Ask a model reliably: cache, concurrency limit, circuit breaker, deadline and retries around any
provider.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from harness.books.prices import Price
from harness.contracts import Outcome
from harness.errors import RunError, UserError
from solvers.llm.books.booking import Tally
from solvers.llm.books.estimate import fell_short, least_tokens
from solvers.llm.books.purse import Purse
from solvers.llm.keys import Redactor
from solvers.llm.notices import Notices
from solvers.llm.protocol import Call, CallError, Provider, Reply, Tokens, clean
from solvers.llm.reply_cache import ReplyCache
from solvers.llm.transport.limits import AdaptiveLimit, Breaker, Sentinel

if TYPE_CHECKING:
    from tenacity import RetryCallState

LONGEST_WAIT = 600.0
"""A server that asks for a longer pause than this many seconds (Retry-After) is not waited for."""


class Client:
    """One provider, shared by every attempt of a run. Build it inside the event loop."""

    def __init__(
        self,
        provider: Provider,
        *,
        where: str,
        max_connections: int,
        timeout: float,
        max_retries: int,
        batch: bool,
        one_first: bool,
        redact: Redactor,
        cache: ReplyCache | None,
        cache_labels: Mapping[str, str],
        price: Price | None,
        purse: Purse,
        limit: AdaptiveLimit,
        notices: Notices,
    ) -> None:
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

        self._provider, self._where, self._timeout = provider, where, timeout
        self._cache, self._labels, self._price, self._purse = cache, cache_labels, price, purse
        self._redact, self._batch, self._notices = redact, batch, notices
        self._limit, self._breaker = limit, Breaker(max_connections)
        self._sentinel = Sentinel(where, one_first=one_first and not batch)
        self._stop: UserError | RunError | None = None  # why no further request may be sent
        backoff = wait_random_exponential(multiplier=0.5, max=60)

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            if not isinstance(error, CallError) or error.retry_after is None:
                return backoff(state)
            # a rate-limited request has waited already
            return 0.0 if error.rate_limited else error.retry_after

        self._retrying = AsyncRetrying(
            stop=stop_after_attempt(max_retries + 1),
            wait=wait,
            retry=retry_if_exception(lambda error: isinstance(error, CallError) and error.retryable),
            reraise=True,
        )

    async def ask(self, call: Call, tally: Tally, cache_key: bytes) -> Reply:
        """Return the reply, booked in `tally`.

        Raise `CallError` when the tries are used up; `UserError` or `RunError` when every other call must
        fail too.
        """
        if (reply := self._kept(cache_key)) is not None:
            self._sentinel.interrupted()
            tally.received(reply, self._cost(reply.tokens))
            return reply
        try:
            async for attempt in self._retrying.copy():
                with attempt:
                    number = attempt.retry_state.attempt_number
                    tally.retries += number > 1
                    reply = await self._try(call, tally, first=number == 1)
        except CallError as error:
            self._stop = self._stop or self._reason_to_stop(error)
            if self._stop:
                raise self._stop from None
            raise
        assert reply is not None  # else an exception came
        usd = self._cost(reply.tokens)
        await self._purse.pay(usd if reply.tokens.usd is None else max(usd or 0.0, reply.tokens.usd))
        self._look_at_prompt(call, reply)
        tally.received(reply, usd)
        if self._cache:
            self._cache.put(cache_key, reply.stored(), **self._labels)
        return reply

    def _reason_to_stop(self, error: CallError) -> UserError | RunError | None:
        """Return why a failure ends the run: every other request would fail too."""
        if error.fatal:
            return UserError(
                f"{self._where} refused the request: {error}.",
                rule="Every other request would fare the same, so the run stops; what is recorded stays.",
                next_step=(
                    "Check the key (-S api_key_env=NAME names its variable), the model's name, the options "
                    "and the credit."
                ),
            )
        if error.retry_after is not None and error.retry_after > LONGEST_WAIT:
            minutes = f"{error.retry_after / 60:.0f} minutes"
            return RunError(f"{self._where} asks to be left alone for {minutes}: {error}.")
        turned_down = error.status is not None and not self._batch
        if turned_down and not (error.retryable or error.own or error.outcome is not Outcome.PROVIDER_ERROR):
            return self._sentinel.refused(str(error))
        return None

    def _kept(self, cache_key: bytes) -> Reply | None:
        """Return the reply the cache holds; an entry of another form is as good as none."""
        kept = self._cache.get(cache_key) if self._cache else None
        try:
            return Reply.restored(kept) if kept else None
        except (KeyError, TypeError):
            return None

    async def _try(self, call: Call, tally: Tally, *, first: bool) -> Reply:
        async with self._sentinel.guard(), self._breaker.guard(), self._limit.slot() as generation:
            if self._stop:
                raise self._stop
            await self._purse.check()
            tally.sending()
            since = perf_counter()
            try:
                async with asyncio.timeout(self._timeout):
                    reply = await self._provider.call(call)
            except TimeoutError:
                failed = CallError(f"no reply within {self._timeout:g} s", outcome=Outcome.TIMED_OUT)
                await self._failed(failed, tally, first)
                raise failed from None
            except CallError as error:
                error.args = (clean(self._redact(str(error))),)  # servers quote keys
                await self._failed(error, tally, first)
                if error.rate_limited:
                    await self._limit.rate_limited(generation)
                    if error.retry_after is not None and error.retryable:
                        # in its slot: that too slows down what the server finds too fast
                        await asyncio.sleep(error.retry_after)
                raise
            self._sentinel.succeeded()
            self._breaker.succeeded()
            await self._limit.succeeded()
            return self._presentable(reply, perf_counter() - since)

    async def _failed(self, error: CallError, tally: Tally, first: bool) -> None:
        usd = self._cost(error.tokens) if error.tokens else None
        tally.failed(may_cost=error.may_cost, tokens=error.tokens, usd=usd)
        if usd is not None:
            await self._purse.pay(usd)
        if error.may_cost:
            tally.reckon(await self._purse.lose())
        if error.retry_after is not None and error.retry_after > LONGEST_WAIT:
            error.retryable = False
        elif error.retryable or error.own or error.outcome is not Outcome.PROVIDER_ERROR:
            self._sentinel.passed()
        if first and error.outage:
            self._breaker.failed(str(error))

    def _presentable(self, reply: Reply, seconds: float) -> Reply:
        """Return the reply as it is kept: without keys, storable, its tokens unknown where nobody counted."""
        tokens = reply.tokens
        if tokens.input == 0:  # no prompt is empty: nobody counted
            tokens = replace(tokens, input=None, output=tokens.output or None)
        return replace(
            reply,
            text=clean(self._redact(reply.text)),
            reasoning=clean(self._redact(reply.reasoning)),
            model=clean(self._redact(reply.model)) if reply.model else None,
            notes={
                name: clean(self._redact(value)) if isinstance(value, str) else value
                for name, value in reply.notes.items()
            },
            tokens=tokens,
            seconds=seconds,
        )

    def _look_at_prompt(self, call: Call, reply: Reply) -> None:
        """Warn when a server has read far less than it was sent: some cut long prompts off in silence."""
        for note in reply.notes.get("left_out", ()):
            self._notices.say(f"{self._where} takes no {note} for {call.model!r}: it is left out")
        least = sum(least_tokens(message["content"]) for message in call.messages)
        if fell_short(reply.tokens.input, least):
            self._notices.say(
                f"{self._where} counts {reply.tokens.input:,} tokens in a prompt of at least {least:,}: it "
                "may cut prompts off in silence. Ollama does so at num_ctx: raise it there "
                "(OLLAMA_CONTEXT_LENGTH, or PARAMETER num_ctx in a Modelfile).",
                key="cut prompts",
            )

    def _cost(self, tokens: Tokens) -> float | None:
        if self._price is None:
            return None
        return self._price.usd(
            input_tokens=tokens.input,
            output_tokens=tokens.output,
            cached_tokens=tokens.cached,
            cache_write_tokens=tokens.cache_write or 0,
            batch=self._batch,
        )

    async def close(self) -> None:
        if self._cache:
            self._cache.close()
        await self._provider.close()
