"""Read an answer out of a language model's reply: total, linear in the reply's length, repairing and
evaluating nothing.

The rules, in this order:

1. What stands inside reasoning tags is ignored (`reasoning.py`).
2. A marked answer outranks an unmarked one. Marks are a fenced block whose info string is `answer`, the tags
   <answer>…</answer>, and `\\boxed{}`. The last mark that holds a well-formed answer wins; a line of prose
   or a further fence inside it changes nothing.
3. A fence or tag that is never closed marks what follows it to the end, unless a part of an answer could be
   mistaken for a whole one. (Whether the reply was cut off only the solver knows: what was cut is never
   parsed.)
4. A reply with a mark, but never a well-formed answer in one, is unparsed: what it says elsewhere is not what
   it submitted. A malformed `\\boxed{}` counts for nothing, because boxes also appear in running arguments.
5. Without marks, the last complete well-formed answer in the text wins, unless the reply then gives up.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.contracts import Answer, Unparsed
from tasks.shared.json_values import SPAN
from tasks.shared.reasoning import visible

SEARCHED = 400_000  # characters, from the end: more than any model says
MOST_CANDIDATES = 1000  # from the end; so many malformed ones after an answer would bury it anyway

TERMINAL = re.compile(r"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|\][^\x07\x1b]*+(?:\x07|\x1b\\)?)")
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
BLANK = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
LINE_END = re.compile("\r\n?|[\u2028\u2029\u0085]")
CONTROL = re.compile(r"<[|｜][^<>|｜\n]{1,40}+[|｜]>|</s>|<eos>|<turn\|>")

# The first character stands outside the alternatives: patterns that start with a set are sought fast.
OPEN = re.compile(
    r"[`~<\\](?:"
    r"(?P<fence>(?<=`)`{2,}+[ \t]*+(?i:answer)\b[ \t]*+:?|(?<=~)~{2,}+[ \t]*+(?i:answer)\b[ \t]*+:?)"
    r"|(?P<tag>(?<=<)(?i:answer)>)"
    r"|(?P<box>(?<=\\)boxed[ \t]*+\{))"
)
LINE_START = re.compile(r"(?:^|\n)[ \t>*]*+\Z")
FENCE = re.compile(r"(?:`{3,}+|~{3,}+)(?P<info>[^\n`]*+)")
TAG_END = re.compile(r"</(?i:answer)>")
_BRACES = r"[^{}]*+"
for _ in range(5):
    _BRACES = rf"(?:[^{{}}]++|\{{{_BRACES}\}})*+"
BOXED = re.compile(rf"{_BRACES}\}}")

_ARGUMENT = r"(?:\{(?:[^{}\n]++|\{[^{}\n]*+\})*+\})*+"
ENVIRONMENT = re.compile(
    rf"\\begin\{{[a-z]*+\*?\}}{_ARGUMENT}(?P<inside>(?:[^\\]++|\\(?!begin\{{|end\{{))*+)\\end\{{[a-z]*+\*?\}}"
)
DRESS = re.compile(r"\\(?:text|mathrm|mathbf|texttt|textbf|mathtt|bf)[ \t]*+\{(?P<inside>[^{}]*+)\}")

_FIND = (
    r"(?:find|solve|determine|figure|identify|deduce|see|work out|infer|complete|provide|give|answer|derive"
    r"|discern|come up|arrive|produce)\b"
)
GIVES_UP = re.compile(
    r"\b[Iw]e?\b(?: am|['’]m| was| have been| are)? (?:really )?"
    r"(?:cannot|can['’]t|can not|could not|couldn['’]t|unable to|not able to|failed to) "
    rf"(?:really |yet |actually |reliably |confidently )?{_FIND}"
    r"|\bI (?:don['’]t|do not) (?:know\b|see (?:a|the|any) )|\bI give up\b"
    rf"|\b(?:unable|not possible|impossible) to {_FIND}"
    r"|\bno (?:consistent |clear )?(?:rule|solution) (?:fits|exists)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class AnswerForm:
    """How the answers to one puzzle look in a reply; `forms.py` has ready-made ones.

    words: the form in words, for the reason of an `Unparsed`. read: turn a candidate, or all that a mark
    holds, into an answer, None if there is no complete one in it; total, and linear. Candidates in running
    text are JSON lists and objects, and what matches `lines`, regular expressions that start with "\\n" (so
    they are sought fast; a newline stands before the first line too) and do not backtrack over long
    stretches (use possessive quantifiers). read_marked: further ways to read all that a closed mark holds.
    open_ended: a part of an answer may look like a whole one, so a mark must be closed.
    """

    words: str
    read: Callable[[str], Answer | None]
    lines: tuple[str, ...] = ()
    read_marked: Callable[[str], Answer | None] | None = None
    open_ended: bool = False

    @cached_property
    def patterns(self) -> list[re.Pattern[str]]:
        return [re.compile(pattern) for pattern in self.lines]

    def last_candidates(self, text: str, after: int = -1) -> Iterator[tuple[int, str]]:
        """Yield where candidates that start after a place end and what they are, the last first."""
        found = deque(SPAN.finditer(text), maxlen=MOST_CANDIDATES) if "]" in text or "}" in text else deque()
        spans = [(m.start(), m.end()) for m in found]
        starts = [start for start, _ in spans]
        for pattern in self.patterns:
            for match in deque(pattern.finditer(text), maxlen=MOST_CANDIDATES):
                i = bisect(starts, match.start() + 1) - 1
                if i < 0 or match.end() > spans[i][1]:  # else it is a part of a list, which is read whole
                    spans.append(match.span())
        for start, end in sorted(spans, key=lambda span: (span[1], -span[0]), reverse=True):
            if start > after:
                yield end, text[start:end]


def parse_reply(reply: object, form: AnswerForm, shown: Sequence[Answer] = ()) -> Answer | Unparsed:
    """Return the answer a reply submits, or why it holds none.

    shown: answers that stand in the puzzle itself, such as worked examples: a reply that gives up and
    restates one of them without a mark does not submit it.
    """
    if not isinstance(reply, str):
        return Unparsed(reason="the reply is not text")
    if not reply.strip():
        return Unparsed(reason="the reply is empty")
    text = visible(reply)
    if cut := len(text) > SEARCHED:
        text = text[-SEARCHED:].partition("\n")[2] or text[-SEARCHED:]
    text = "\n" + plain(text)
    if not text.strip():
        return Unparsed(reason="the reply holds reasoning only")
    marked = open_mark = False
    for content, kind, closed in marks(text):
        marked |= kind != "box"
        if not closed and form.open_ended:
            open_mark = True
            continue
        answer = form.read(content)
        if answer is None and closed and form.read_marked is not None:
            answer = form.read_marked(content)
        if answer is not None:
            return answer
    if open_mark:
        return Unparsed(reason="the marked answer is never closed")
    if marked:
        return Unparsed(reason=f"the marked answer is no {form.words}")
    for end, candidate in form.last_candidates(text, after=0 if cut else -1):
        if (answer := form.read(candidate)) is not None:
            if GIVES_UP.search(text, 0 if answer in shown else end):
                return Unparsed(reason="the reply gives up")
            return answer
    return Unparsed(reason=f"the reply holds no {form.words}")


def plain(text: str) -> str:
    """Return the text as it reads: without terminal codes and invisible characters, every blank a space,
    every line end a newline, LaTeX arrays as lines.
    """
    if "\x1b" in text:
        text = TERMINAL.sub("", text)
    if "\r" in text or not text.isascii():
        text = LINE_END.sub("\n", text)
    if not text.isascii():
        text = BLANK.sub(" ", INVISIBLE.sub("", text))
    if "<" in text:
        text = CONTROL.sub("\n", text)
    if "\\begin{" in text:
        text = ENVIRONMENT.sub(lambda found: _lines_of(found["inside"]), text)
    if "{" in text and "\\" in text:
        text = DRESS.sub(r"\g<inside>", text)
    return text


def _lines_of(array: str) -> str:
    """Return the rows of a LaTeX array as lines."""
    array = re.sub(r"\\(?:hline|cline\{[^{}]*+\})", "", array)
    rows = re.split(r"\\\\(?:\[[^\]\n]{0,20}\])?", array)
    return "\n" + "\n".join(re.sub(r"\s*+&\s*+", " ", row).strip().replace("\n", " ") for row in rows) + "\n"


def marks(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield what the marks of a text hold, the last first: content, kind (fence, tag, box), whether closed.

    A fence or tag that is not closed ends at the next one, so that no text is read twice.
    """
    limit = {"fence": len(text), "tag": len(text)}
    for found in reversed(deque(OPEN.finditer(text), maxlen=MOST_CANDIDATES)):
        kind, start = str(found.lastgroup), found.end()
        before = text[max(0, found.start() - 40) : found.start()]
        if kind == "fence" and text[start : start + 1] != "\n" and not LINE_START.search(before):
            continue  # spoken of
        if kind == "box":
            if box := BOXED.match(text, start):
                yield box[0][:-1], kind, True
            continue
        end = limit[kind]
        limit[kind] = found.start()
        if kind == "tag":
            closing = TAG_END.search(text, start, end)
            yield text[start : closing.start() if closing else end], kind, closing is not None
        else:
            yield from _fenced(text, start, end)


def _fenced(text: str, start: int, end: int) -> Iterator[tuple[str, str, bool]]:
    """Yield what an opening fence holds, a further fence that opens inside it included."""
    fences = FENCE.finditer(text, start, end)
    closing = next(fences, None)
    if closing is not None and (closing["info"].strip() or not text[start : closing.start()].strip()):
        start, closing = (closing.end() if not closing["info"].strip() else start), next(fences, None)
    yield text[start : closing.start() if closing else end], "fence", closing is not None
