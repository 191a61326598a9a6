"""Tokens that can be told without a tokenizer: a number a prompt cannot fall below, and what a run costs
at most.
"""

from __future__ import annotations

import re

PIECES = re.compile(r"[^\W\d_]{1,16}|\d{1,3}|[^\w\s]+|_+")
"""No common tokenizer joins two of these: a word, three digits, a run of signs. (Long words are several.)"""
TRUNCATED = 0.6
"""A server that counts less than this share of the least a prompt can have has not read all of it."""


def least_tokens(text: str) -> int:
    """Return a number of tokens that a text can hardly fall below, by any common tokenizer."""
    return len(PIECES.findall(text))


def fell_short(reported: int | None, least: int) -> bool:
    """Say whether a server has cut a prompt off in silence."""
    return reported is not None and least >= 200 and reported < TRUNCATED * least
