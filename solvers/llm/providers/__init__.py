"""The providers by name; each is imported when it is used."""

PROVIDERS = {
    "anthropic": "solvers.llm.providers.anthropic_messages:AnthropicMessages",
    "litellm": "solvers.llm.providers.litellm_any:LiteLLM",
    "local": "solvers.llm.providers.local:Local",
    "openai": "solvers.llm.providers.openai_chat:OpenAIChat",
    "openai-responses": "solvers.llm.providers.openai_responses:OpenAIResponses",
    "replay": "solvers.llm.providers.replay:Replay",
}

ONLINE = ("anthropic", "litellm", "openai", "openai-responses")
TAKEN_BY = {
    "background": ("openai-responses",),
    "extra_body": (*ONLINE, "local"),
    "extra_headers": ONLINE,
    "stop": ("anthropic", "litellm", "local", "openai"),
    "stream": ("anthropic", "openai", "openai-responses"),
    "system": (*ONLINE, "local"),
    "thinking": ("anthropic",),
    "top_p": (*ONLINE, "local"),
}
"""Options that only some providers can honour; what else one cannot is in its module's `UNSUPPORTED`."""
