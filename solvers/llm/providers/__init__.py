"""The providers by name; each is imported when it is used."""

PROVIDERS = {
    "openai": "solvers.llm.providers.openai_chat:OpenAIChat",
}
