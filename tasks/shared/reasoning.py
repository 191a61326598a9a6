"""What a reply thinks and what it says: the marks that public models put around their reasoning."""

from __future__ import annotations

import re
from itertools import islice

MOST_TAGS = 5_000  # a reply with more is nothing but tags

_WORDS = (
    r"(?:think|thinking|antthinking|reason|reasoning|thoughts?|reflection|reflect|scratch_?pad|analysis"
    r"|internal_thoughts?|inner_monologue|seed:think|longcat_think)"
)

MARKS: dict[str, tuple[str, str, str]] = {
    # family: opening mark, closing mark, who writes it (source)
    "angle": (
        rf"<{_WORDS}>",
        rf"</{_WORDS}>",
        "DeepSeek-R1, Qwen3, GLM, Phi-4 and many more <think> (docs.sglang.io, Reasoning Parser); EXAONE Deep"
        " <thought>; Seed-OSS <seed:think> (docs.vllm.ai, seedoss_reasoning_parser); Reflection 70B, prompts",
    ),
    "square": (r"\[THINK\]", r"\[/THINK\]", "Magistral (docs.vllm.ai, mistral_reasoning_parser)"),
    "triangle": (r"◁think▷", r"◁/think▷", "Kimi-VL, Kimi K2 Thinking (docs.sglang.io, Reasoning Parser)"),
    "thought": (
        r"<\|(?:begin|start)_?of_?thought\|>",
        r"<\|end_?of_?thought\|>",
        "Sky-T1 and OpenThinker (their system prompt), Quiet-STaR",
    ),
    "cohere": (
        r"<\|START_THINKING\|>",
        r"<\|END_THINKING\|>",
        "Command R7B, Command A Reasoning (docs.vllm.ai, cohere_command_reasoning_parser)",
    ),
    "inner": (r"<\|inner_prefix\|>", r"<\|inner_suffix\|>", "Apertus (llama.cpp, common/chat.cpp)"),
    "token": (r"<\|think\|>", r"<\|/think\|>", "Solar Open, which ends it with <|end|>; fine-tunes"),
    "gemma": (r"<\|channel>thought\b", r"<channel\|>", "Gemma 4 (docs.vllm.ai, gemma4_reasoning_parser)"),
    "harmony": (
        r"<\|channel\|>(?:analysis|commentary)\b[^<\n]{0,80}+(?:<\|constrain\|>[^<\n]{0,80}+)?<\|message\|>",
        r"<\|channel\|>final\b[^<\n]{0,80}+<\|message\|>",
        "gpt-oss (cookbook.openai.com, OpenAI Harmony Response Format)",
    ),
    "granite": (
        r"Here(?: is|'s|’s) my thought process:",
        r"Here(?: is|'s|’s) my response:",
        "Granite 3.2 (docs.vllm.ai, granite_reasoning_parser)",
    ),
}

END_OF_MESSAGE = r"<\|(?:end|call|return)\|>"
"""Ends a thought of `ENDED_BY_MESSAGE`; elsewhere it is no mark of reasoning."""
ENDED_BY_MESSAGE = ("harmony", "token")


def _sought(mark: str) -> str:
    """Ignore case after the first character: patterns that start with one are sought fast."""
    first, rest = (mark[:2], mark[2:]) if mark.startswith("\\") else (mark[:1], mark[1:])
    return f"{first}(?i:{rest})"


TAG = re.compile("|".join(_sought(m) for o, c, _ in MARKS.values() for m in (o, c)) + f"|{END_OF_MESSAGE}")
OPENING = {family: re.compile(opening, re.IGNORECASE) for family, (opening, _, _) in MARKS.items()}
CLOSING = {family: re.compile(closing, re.IGNORECASE) for family, (_, closing, _) in MARKS.items()}
BEFORE_MENTION = re.compile(r"[A-Za-z0-9,.)][ \t]+[`'\"“‘]?\Z")
MENTION = re.compile(
    r"[`'\"”’]?[ \t]+(?:tags?|tokens?|blocks?|markers?|sections?|elements?)\b", re.IGNORECASE
)
QUOTED = re.compile(r"[`'\"”’]")
HINTS = ("think", "thought", "reason", "reflect", "scratch", "analysis", "inner", "channel", "my response")
STRIPPED_HARMONY = re.compile(r"\s*+analysis(?=[A-Z])")


def visible(text: str) -> str:
    """Return the text without its reasoning.

    An unclosed mark hides everything after it, a closing one that was never opened hides everything before
    it (some servers keep the opening one to themselves). The same mark twice in a row is one. A mark that is
    only spoken of ("I used <think> tags.") is text.
    """
    if STRIPPED_HARMONY.match(text):  # gpt-oss behind a server that drops special tokens
        return text.rpartition("assistantfinal")[2] if "assistantfinal" in text else ""
    if not any(map(text.lower().__contains__, HINTS)):  # much faster than to look at every bracket
        return text
    parts: list[str] = []
    stack: list[str] = []
    shown_from = 0
    tags = list(islice(TAG.finditer(text), MOST_TAGS + 1))
    if len(tags) > MOST_TAGS:
        return ""
    # ordinary models say "Here is my thought process:" too; it is a mark only where its partner stands
    granite = any(_family(CLOSING, tag[0]) == "granite" for tag in tags)
    for tag in tags:
        if _spoken_of(text, tag):
            continue
        if opened := _family(OPENING, tag[0]):
            if opened == "granite" and not granite:
                continue
            if not stack:
                parts.append(text[shown_from : tag.start()])
                stack.append(opened)
            elif stack[-1] != opened or text[shown_from : tag.start()].strip():
                stack.append(opened)
        else:
            closed = _family(CLOSING, tag[0])
            if closed is None:  # the end of a message
                if not stack or stack[-1] not in ENDED_BY_MESSAGE:
                    continue
                closed = stack[-1]
            if closed in stack:
                while stack.pop() != closed:
                    pass
            elif not stack:
                parts.clear()
            else:
                continue
        shown_from = tag.end()
    if not stack:
        parts.append(text[shown_from:])
    return "".join(parts)


def _family(marks: dict[str, re.Pattern[str]], tag: str) -> str | None:
    return next((family for family, mark in marks.items() if mark.fullmatch(tag)), None)


def _spoken_of(text: str, tag: re.Match[str]) -> bool:
    before = text[max(0, tag.start() - 3) : tag.start()]
    quoted = before[-1:] in ("`", "'", '"', "“", "‘") and QUOTED.match(text, tag.end())
    return bool(quoted or (BEFORE_MENTION.search(before) and MENTION.match(text, tag.end())))
