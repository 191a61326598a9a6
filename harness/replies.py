"""What a reply in words is worth where it holds no answer."""

from __future__ import annotations

import re

LONGEST_REFUSAL = 1_000  # characters; who refuses says little

_NOT = (
    r"(?:can(?:no|['’])t|can not|could(?: not|n['’]t)|(?:am |['’]m )?(?:not able|unable) to|won['’]t|will not"
    r"|must decline to|have to decline to|am not comfortable|['’]m not comfortable)"
)
_DO = (
    r"(?:help|helping|assist|assisting|comply|fulfill?|engage|participate|support|discuss|accommodate"
    r"|continue|do (?:that|this|so)|answer (?:that|this)|respond to (?:that|this)"
    r"|provide (?:that|this|assistance|help)|process (?:that|this))"
)
_REFUSAL = re.compile(
    rf"\bI ?{_NOT} (?:be able to |to |with )?(?:really |actually )?{_DO}\b"
    r"|\bI (?:must|have to|need to|respectfully)? ?decline\b"
    r"|\b(?:this|that|your) (?:request|content|prompt) (?:violates|goes against|was flagged|is not allowed)"
    r"|\bagainst my (?:guidelines|policy|policies|programming)\b",
    re.IGNORECASE,
)


def refuses(reply: str) -> bool:
    """Say whether a reply without an answer is a plain refusal ("I'm sorry, but I can't help with that.").

    A heuristic, for servers that do not say so by themselves: a short text that declines to help. Who tried
    and found nothing ("I cannot find the rule.") does not refuse. Ask only where no answer was read.
    """
    said = reply.rpartition("</think>")[2].strip()
    return len(said) <= LONGEST_REFUSAL and _REFUSAL.search(said) is not None
