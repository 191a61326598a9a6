"""A task's own drawing as lines of plain spans: text and names of styles, nothing that a browser runs.

Each task draws itself for a terminal (`Task.render`); here the same drawing becomes data. The page sets texts
as texts, so whatever a model or a file says stays text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.color import Color
    from rich.style import Style

MOST_LINES = 600
MOST_LETTERS = 200_000
COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
Span = tuple[str, str, str, str]  # text, style words, colour, background ("" or #rrggbb)
Lines = list[list[Span]]


def drawn(render: Callable[[], Any], width: int) -> Lines:
    """Return what a task draws, at most `width` cells wide where it can be folded.

    A task whose drawing fails takes no page down: its fault is drawn in its place.
    """
    from rich.console import Console

    console = Console(
        file=StringIO(), width=width, height=100, force_terminal=True, color_system="truecolor",
        legacy_windows=False, emoji=False, markup=False, highlight=False, _environ={},
    )  # fmt: skip
    try:
        rows = console.render_lines(render(), console.options, pad=False)
    except Exception as error:  # of a plug-in's task: anything
        return [[(safe(f"The task cannot draw this: {type(error).__name__}: {error}")[:2000], "red", "", "")]]
    lines: Lines = []
    letters = 0
    for row in rows:
        if len(lines) >= MOST_LINES or letters >= MOST_LETTERS:
            lines.append([(f"… {len(rows) - len(lines):,} more lines", "dim", "", "")])
            break
        spans = [_span(s.text, s.style) for s in row if s.text and not s.control]
        while spans and not spans[-1][3] and not spans[-1][0].strip():
            spans.pop()
        letters += sum(len(span[0]) for span in spans)
        lines.append(spans)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _span(text: str, style: Style | None) -> Span:
    text = safe(text)
    if style is None:
        return text, "", "", ""
    words = [
        name for name in ("bold", "dim", "italic", "underline", "strike", "reverse") if getattr(style, name)
    ]
    colour, ground = _colour(style.color), _colour(style.bgcolor)
    if colour and not colour.startswith("#"):
        words.append(colour)
        colour = ""
    if ground and not ground.startswith("#"):
        words.append(f"on-{ground}")
        ground = ""
    return text, " ".join(words), colour, ground


def _colour(colour: Color | None) -> str:
    """Return a colour of the terminal's own palette by name, any other as #rrggbb; "" for the default."""
    from rich.color import ColorType

    if colour is None or colour.type is ColorType.DEFAULT:
        return ""
    if colour.number is not None and colour.number < 16:
        return COLOURS[colour.number % 8]
    return colour.get_truecolor().hex


def safe(text: str) -> str:
    """Return text in which control characters, marks that turn the direction of writing and half surrogate
    pairs are seen and do nothing.
    """
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or c.isprintable() else f"\\u{{{ord(c):x}}}" for c in text)


def changed(lines: Lines, before: Lines | None) -> Lines:
    """Return a drawing in which whatever differs from the drawing before has the style word `changed`."""
    if before is None:
        return lines
    found: Lines = []
    for number, line in enumerate(lines):
        old = _cells(before[number]) if number < len(before) else []
        spans: Lines = [[]]
        place = 0
        for text, words, colour, ground in line:
            for letter in text:
                new = place >= len(old) or old[place] != (letter, ground, _ground(words))
                style = f"{words} changed".strip() if new and (letter != " " or ground) else words
                row = spans[0]
                if row and row[-1][1:] == (style, colour, ground):
                    row[-1] = (row[-1][0] + letter, style, colour, ground)
                else:
                    row.append((letter, style, colour, ground))
                place += 1
        found.append(spans[0])
    return found


def _cells(line: Sequence[Span]) -> list[tuple[str, str, str]]:
    return [(letter, ground, _ground(words)) for text, words, _, ground in line for letter in text]


def _ground(words: str) -> str:
    return " ".join(word for word in words.split() if word.startswith("on-"))
