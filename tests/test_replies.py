"""Plain refusals, told from replies that tried and failed."""

from __future__ import annotations

import pytest

from harness.replies import refuses


@pytest.mark.parametrize(
    "reply",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, but I can’t assist with that request.",
        "I cannot comply with this request.",
        "Sorry, I am unable to help with this.",
        "I'm not able to assist with that.",
        "I won't do that.",
        "I must decline.",
        "As an AI language model, I cannot provide assistance with puzzles.",
        "<think>The policy says no.</think>I'm sorry, but I can't help with that.",
        "This request goes against my guidelines.",
    ],
)
def test_a_plain_refusal_is_one(reply: str) -> None:
    assert refuses(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "I do not know.",
        "I cannot find the rule.",
        "I can't solve this.",
        "I can't place a 4 in row 2, which helps: it must be a 3.",
        "I'm sorry, but I couldn't generate a valid final answer for that problem.",
        "The clue cannot help here.",
        "<think>I can't help with that.</think>1234",
        "I can't help with that. " + "But let me try. " * 100,
    ],
)
def test_a_reply_that_tried_is_none(reply: str) -> None:
    assert not refuses(reply)
