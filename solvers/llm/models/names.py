"""Who serves a model, by its name: `-S model=claude-…` needs no provider, no address and no name of a key."""

from __future__ import annotations

import re
from dataclasses import dataclass

OPENAI_URL = "https://api.openai.com/v1"
ANTHROPIC_URL = "https://api.anthropic.com"


@dataclass(frozen=True, kw_only=True)
class Service:
    """Where a model is asked. `base_url` None is the provider's own address."""

    provider: str
    base_url: str | None = None
    key: str | None = None  # the variable that holds the key; None: as the provider has it
    model: str  # as the service itself calls it


CHAT: dict[str, tuple[str, str]] = {  # who speaks chat completions: address, variable of the key
    "deepseek": ("https://api.deepseek.com", "DEEPSEEK_API_KEY"),
    "gemini": ("https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
    "groq": ("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": ("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "moonshot": ("https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    "openrouter": ("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "together": ("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "xai": ("https://api.x.ai/v1", "XAI_API_KEY"),
    "zai": ("https://api.z.ai/api/paas/v4", "ZAI_API_KEY"),
}
FAMILIES = (  # names that one maker alone gives
    (re.compile(r"claude-"), "anthropic"),
    (re.compile(r"gemini-|gemma-"), "gemini"),
    (re.compile(r"grok-"), "xai"),
    (re.compile(r"deepseek-(?:chat|reasoner|v\d)"), "deepseek"),
    (re.compile(r"(?:mistral|magistral|ministral|codestral|devstral)-"), "mistral"),
    (re.compile(r"kimi-|moonshot-"), "moonshot"),
    (re.compile(r"glm-"), "zai"),
)
VENDORS = {*CHAT, "anthropic", "openai"}


def service_of(model: str) -> Service:
    """Return who serves a model: `local/…`, `VENDOR/NAME` of a vendor above, or a name that says its maker;
    anything else is OpenAI's.
    """
    if model.startswith("local/"):
        return Service(provider="local", model=model)
    vendor, slash, rest = model.partition("/")
    if slash and rest and vendor in VENDORS:
        return _of(vendor, rest)
    for pattern, vendor in FAMILIES:
        if not slash and pattern.match(model):
            return _of(vendor, model)
    return Service(provider="openai", model=model)


def _of(vendor: str, model: str) -> Service:
    if vendor in CHAT:
        base_url, key = CHAT[vendor]
        return Service(provider="openai", base_url=base_url, key=key, model=model)
    return Service(provider=vendor, model=model)
