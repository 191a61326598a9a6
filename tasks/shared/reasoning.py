"""What a reply thinks and what it says: the tags that public models put around their reasoning."""

from __future__ import annotations

import re

WORDS = r"(?:think|thinking|reasoning|thought|thoughts|reflection|scratchpad|analysis|seed:think)"

FAMILIES: dict[str, tuple[str, str]] = {
    # name: opening tag, closing tag
    "angle": (rf"<{WORDS}>", rf"</{WORDS}>"),
    "square": (r"\[THINK\]", r"\[/THINK\]"),
    "triangle": (r"◁think▷", r"◁/think▷"),
    "thought": (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    "capital": (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),
    "channel": (
        r"<\|channel\|>(?:analysis|commentary)[^<\n]{0,80}<\|message\|>",
        r"<\|(?:end|return|call)\|>|<\|channel\|>final[^<\n]{0,80}<\|message\|>",
    ),
}

TAG = re.compile(
    "|".join(
        f"(?P<{name}>{opening})|(?P<{name}_end>{closing})" for name, (opening, closing) in FAMILIES.items()
    ),
    re.IGNORECASE,
)
MENTION = re.compile(r"[`'\"”’]|[`'\"”’]?[ \t]+(?:tags?|tokens?|blocks?|markers?|sections?)\b", re.IGNORECASE)


def visible(text: str) -> str:
    """Return the text without its reasoning.

    An unclosed tag hides everything after it, a closing tag that was never opened hides everything before
    it (some servers keep the opening tag to themselves). A tag that is only spoken of ("I used <think>
    tags.") is text; the same tag twice in a row is one.
    """
    parts: list[str] = []
    stack: list[str] = []
    shown_from = 0
    for tag in TAG.finditer(text):
        family = (tag.lastgroup or "").removesuffix("_end")
        opens = tag.lastgroup == family
        if opens:
            if MENTION.match(text, tag.end()):
                continue
            if not stack:
                parts.append(text[shown_from : tag.start()])
            if not (stack and stack[-1] == family and not text[shown_from : tag.start()].strip()):
                stack.append(family)
        elif family in stack:
            while stack.pop() != family:
                pass
        elif not stack:
            parts.clear()
        else:
            continue
        shown_from = tag.end()
    if not stack:
        parts.append(text[shown_from:])
    return "".join(parts)
