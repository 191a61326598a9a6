"""Everything else, through the litellm package: `-S provider=litellm -S model=gemini/…`, keys as litellm
names them.
"""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from harness.contracts import Outcome
from harness.errors import UserError
from solvers.llm.keys import own_headers_only
from solvers.llm.models.names import OPENAI_URL
from solvers.llm.protocol import Call, CallError, Endpoint, Reply, count, member
from solvers.llm.providers.completion import read_completion
from solvers.llm.transport.failures import failure, status_failure
from solvers.llm.transport.proxies import for_libraries, proxy_for

KEY = None  # litellm reads the variable of whichever vendor the model's name says
UNSUPPORTED = ("prompt_caching",)


class LiteLLM:
    """`litellm.acompletion`. Reference: https://docs.litellm.ai/docs/completion/input"""

    def __init__(self, endpoint: Endpoint) -> None:
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # no download on import
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydantic's, about litellm's own types
            import litellm

            litellm.ModelResponse()  # builds them
        # and of those that it imports with its first call, from a thread that may not set filters back
        warnings.filterwarnings("ignore", "Items? .* using the `ReadOnly` qualifier", UserWarning)

        logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
        litellm.telemetry = False
        litellm.suppress_debug_info = True
        self._litellm: Any = litellm
        self._endpoint = endpoint
        self._check()
        self._hidden = ExitStack()  # its clients are made late: hidden until the end
        self._hidden.enter_context(for_libraries(endpoint.base_url))
        if endpoint.base_url is not None:
            self._hidden.enter_context(own_headers_only(endpoint.base_url, OPENAI_URL))

    def _check(self) -> None:
        """Refuse a model that no vendor is known for, or whose vendor's key is missing, before any puzzle."""
        model, base_url = self._endpoint.model, self._endpoint.base_url
        proxy_for(base_url or OPENAI_URL)
        try:
            self._litellm.get_llm_provider(model, api_base=base_url)
        except self._litellm.BadRequestError as error:
            raise UserError(
                f"litellm knows no vendor of {model!r}: {_brief(error)}",
                next_step="Give the vendor before the name, for example -S model=gemini/NAME.",
            ) from None
        if base_url is not None or self._endpoint.key:
            return
        missing = self._litellm.validate_environment(model=model)["missing_keys"]
        if missing:
            raise UserError(
                f"No API key in {' or '.join(missing)}, which litellm reads for {model!r}.",
                rule="Keys come from the environment, never from options.",
                next_step=f"export {missing[0]}=…",
            )

    async def call(self, call: Call) -> Reply:
        options: dict[str, Any] = {
            "max_tokens": call.max_tokens,
            "temperature": call.temperature,
            "top_p": call.top_p,
            "seed": call.seed,
            "stop": call.stop and list(call.stop),
            "extra_body": call.extra_body and dict(call.extra_body),
            "extra_headers": dict(self._endpoint.headers) or None,
            "reasoning_effort": call.reasoning_effort,
            "thinking": call.thinking_tokens and {"type": "enabled", "budget_tokens": call.thinking_tokens},
            "base_url": self._endpoint.base_url,
            "api_key": self._endpoint.key or ("none" if self._endpoint.base_url else None),
        }
        given = {name: value for name, value in options.items() if value is not None}
        try:
            response = await self._litellm.acompletion(
                model=call.model,
                messages=list(call.messages),
                num_retries=0,
                max_retries=0,
                timeout=self._endpoint.timeout,
                **given,
            )
        except Exception as error:
            raise self._failure(error) from error
        body = response.model_dump()
        reply = read_completion(body)
        written = count(member(body, "usage", "cache_creation_input_tokens"))
        # litellm fills in what a server does not report: zeros, and costs it reckons itself
        tokens = replace(reply.tokens, cache_write=written, usd=None)
        return replace(reply, tokens=tokens)

    def _failure(self, error: Exception) -> Exception:
        """litellm's errors are the openai package's by name and status; what it cannot place it calls a
        connection error.
        """
        if isinstance(error, self._litellm.Timeout):
            return CallError(f"no reply in time ({_brief(error)})", outcome=Outcome.TIMED_OUT)
        if isinstance(error, self._litellm.APIConnectionError):
            found = failure(error)
            refused = found is not None and found.outage
            return CallError(
                f"connection failed ({_brief(error)})", retryable=True, may_cost=not refused, outage=refused
            )
        status = getattr(error, "status_code", None)
        if not isinstance(status, int):
            return failure(error) or error
        refused = isinstance(error, self._litellm.ContentPolicyViolationError)
        body = {"error": {"message": _brief(error), "code": "content_filter" if refused else None}}
        return status_failure(status, body, getattr(error, "litellm_response_headers", None) or {})

    async def close(self) -> None:
        self._hidden.close()
        await self._litellm.close_litellm_async_clients()


def _brief(error: Exception) -> str:
    """litellm puts whole tracebacks into its messages."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
