"""The providers by name; each is imported when it is used."""

PROVIDERS = {
    "local": "solvers.llm.providers.local:Local",
    "openai": "solvers.llm.providers.openai_chat:OpenAIChat",
}
