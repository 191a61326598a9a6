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
from harness.errors import UserError
from solvers.llm.booking import Tally
from solvers.llm.keys import redact
from solvers.llm.limits import AdaptiveLimit, Breaker
from solvers.llm.protocol import Call, CallError, Provider, Reply, Tokens
from solvers.llm.purse import Purse
from solvers.llm.reply_cache import ReplyCache

if TYPE_CHECKING:
    from tenacity import RetryCallState

LONGEST_WAIT = 600.0
"""A server that asks for a longer pause than this many seconds (Retry-After) has failed the request."""


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
        key: str | None,
        cache: ReplyCache | None,
        cache_labels: Mapping[str, str],
        price: Price | None,
        purse: Purse,
    ) -> None:
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

        self._provider, self._where, self._timeout = provider, where, timeout
        self._cache, self._labels, self._price, self._purse = cache, cache_labels, price, purse
        self._key, self._batch = key, batch
        self._limit, self._breaker = AdaptiveLimit(max_connections), Breaker(max_connections)
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

        Raise `CallError` when the tries are used up, `UserError` when every other call must fail too.
        """
        if self._cache and (kept := self._cache.get(cache_key)):
            reply = Reply(**{**kept, "tokens": Tokens(**kept["tokens"]), "cached": True})
            tally.received(reply, self._cost(reply))
            return reply
        try:
            async for attempt in self._retrying.copy():
                with attempt:
                    number = attempt.retry_state.attempt_number
                    tally.retries += number > 1
                    reply = await self._try(call, tally, first=number == 1)
        except CallError as error:
            if error.fatal:
                raise UserError(
                    f"{self._where} refused the request: {error}.",
                    rule="Every other request would fare the same, so the run stops; what is recorded stays.",
                    next_step=(
                        "Check the key (-S api_key_env=NAME names its variable), the model's name "
                        "and the credit."
                    ),
                ) from None
            raise
        usd = self._cost(reply)
        self._purse.pay(usd)
        tally.received(reply, usd)
        if self._cache:
            self._cache.put(cache_key, {**vars(reply), "tokens": vars(reply.tokens)}, **self._labels)
        return reply

    async def _try(self, call: Call, tally: Tally, *, first: bool) -> Reply:
        async with self._breaker.guard(), self._limit.slot() as generation:
            self._purse.check()
            tally.sending()
            since = perf_counter()
            try:
                async with asyncio.timeout(self._timeout):
                    reply = await self._provider.call(call)
            except TimeoutError:
                failed = CallError(f"no reply within {self._timeout:g} s", outcome=Outcome.TIMED_OUT)
                self._failed(failed, tally, first)
                raise failed from None
            except CallError as error:
                error.args = (redact(str(error), self._key),)  # servers quote keys
                self._failed(error, tally, first)
                if error.rate_limited:
                    self._limit.rate_limited(generation)
                    if error.retry_after is not None and error.retryable:
                        # in its slot: that too slows down what the server finds too fast
                        await asyncio.sleep(error.retry_after)
                raise
            self._breaker.succeeded()
            self._limit.succeeded()
            return replace(reply, text=redact(reply.text, self._key), seconds=perf_counter() - since)

    def _failed(self, error: CallError, tally: Tally, first: bool) -> None:
        tally.failed(may_cost=error.may_cost)
        if error.may_cost:
            self._purse.lose()
        if error.retry_after is not None and error.retry_after > LONGEST_WAIT:
            error.retryable = False
        if first and error.outage:
            self._breaker.failed(str(error))

    def _cost(self, reply: Reply) -> float | None:
        if self._price is None:
            return None
        t = reply.tokens
        return self._price.usd(
            input_tokens=t.input,
            output_tokens=t.output,
            cached_tokens=t.cached,
            cache_write_tokens=t.cache_write or 0,
            batch=self._batch,
        )

    async def close(self) -> None:
        if self._cache:
            self._cache.close()
        await self._provider.close()
