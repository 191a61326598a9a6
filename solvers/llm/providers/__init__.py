"""The providers by name; each is imported when it is used."""

PROVIDERS = {
    "anthropic": "solvers.llm.providers.anthropic_messages:AnthropicMessages",
    "litellm": "solvers.llm.providers.litellm_any:LiteLLM",
    "local": "solvers.llm.providers.local:Local",
    "openai": "solvers.llm.providers.openai_chat:OpenAIChat",
    "openai-responses": "solvers.llm.providers.openai_responses:OpenAIResponses",
    "replay": "solvers.llm.providers.replay:Replay",
}
