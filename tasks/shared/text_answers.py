"""Read an answer out of a language model's reply: total, linear in the reply's length, repairing and
evaluating nothing.

The rules, in this order:

1. What stands inside <think>, <thinking> or <reasoning> tags is ignored; an unclosed tag hides everything
after it, a
   closing tag that was never opened hides everything before it (some servers keep the opening tag to
   themselves).
2. A marked answer outranks an unmarked one. Marks are a fenced block whose info string is `answer` and
`\\boxed{}`; the
   whole of what they hold must be the answer. The last well-formed marked answer wins.
3. A reply that marks an answer with a fence, but never a well-formed one, is unparsed: what it says elsewhere
is not what
   it submitted. A malformed `\\boxed{}` counts for nothing, because boxes also appear in running arguments.
4. Without marks, the last complete well-formed answer in the text wins.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from harness.contracts import Answer, Unparsed

TAG = re.compile(r"<(/?)(?:think|thinking|reasoning)>", re.IGNORECASE)
FENCE = r"^[ \t]*+```[ \t]*+(?i:answer)[ \t]*+$"
ANY_FENCE = re.compile(FENCE, re.MULTILINE)
SPACE = r"[ \t\n]*+"
MOST_CANDIDATES = 1000  # from the end; so many malformed ones after an answer would bury it anyway


@dataclass(frozen=True, kw_only=True)
class AnswerForm:
    """How the answers to one puzzle look in a reply.

    words: the form in words, for the reason of an `Unparsed`. pattern: a regular expression for a candidate,
    from its first to its last visible character; it must not backtrack over long stretches (use possessive
    quantifiers). whole_lines: a candidate stands on lines of its own. read: turn a candidate into an answer,
    None if not well-formed.
    """

    words: str
    pattern: str
    whole_lines: bool
    read: Callable[[str], Answer | None]

    @cached_property
    def marked(self) -> re.Pattern[str]:
        fenced = rf"{FENCE}\n{SPACE}(?P<fenced>{self.pattern})[ \t]*+\n{SPACE}```[ \t]*+$"
        return re.compile(rf"{fenced}|\\boxed\{{{SPACE}(?P<boxed>{self.pattern}){SPACE}\}}", re.MULTILINE)

    @cached_property
    def unmarked(self) -> re.Pattern[str]:
        lines = (
            rf"^[ \t]*+(?P<plain>{self.pattern})[ \t]*+$"
            if self.whole_lines
            else rf"(?P<plain>{self.pattern})"
        )
        return re.compile(lines, re.MULTILINE)


def parse_reply(reply: object, form: AnswerForm) -> Answer | Unparsed:
    """Return the answer a reply submits, or why it holds none."""
    if not isinstance(reply, str):
        return Unparsed(reason="the reply is not text")
    text = visible(reply.replace("\r\n", "\n"))
    if not text.strip():
        return Unparsed(
            reason="the reply is empty" if not reply.strip() else "the reply holds reasoning only"
        )
    if "```" in text or "\\boxed{" in text:
        if (answer := _last(form.marked, text, form)) is not None:
            return answer
        if ANY_FENCE.search(text):
            return Unparsed(reason=f"the marked answer is no {form.words}")
    if (answer := _last(form.unmarked, text, form)) is not None:
        return answer
    return Unparsed(reason=f"the reply holds no {form.words}")


def _last(pattern: re.Pattern[str], text: str, form: AnswerForm) -> Answer | None:
    for match in reversed(deque(pattern.finditer(text), maxlen=MOST_CANDIDATES)):
        candidate = next(group for group in match.groups() if group is not None)
        if (answer := form.read(candidate)) is not None:
            return answer
    return None


def visible(text: str) -> str:
    """Return the text without its reasoning."""
    parts: list[str] = []
    depth, shown_from = 0, 0
    for tag in TAG.finditer(text):
        if not tag[1]:
            if depth == 0:
                parts.append(text[shown_from : tag.start()])
            depth += 1
        elif depth > 0:
            depth -= 1
        else:
            parts.clear()
        shown_from = tag.end()
    if depth == 0:
        parts.append(text[shown_from:])
    return "".join(parts)


def lines_pattern(line: str) -> str:
    """Match a whole run of consecutive lines, each one `line`; whoever reads it checks the number of
    lines.
    """
    return rf"{line}(?:[ \t]*+\n[ \t]*+{line}(?=[ \t]*+(?:$|\}})))*+"
