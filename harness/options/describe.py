"""Describe the options of a component: name, type, default and one line, from the source of its dataclass.

The line of a field is, the first that is there: `field(metadata={"help": …})`; the comment after it, or the
comment lines right above it; "name: text" in the docstring of its class, its first sentence. A plug-in needs
nothing more than a comment.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import io
import re
import textwrap
import tokenize
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from harness.options import docstring, is_mapping

TYPES = {bool: "true|false", int: "whole number", float: "number", str: "text", Path: "file"}


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option as it is shown: `-S name=…` takes `type`; `default` is its text, None where it is needed."""

    name: str
    type: str
    default: str | None
    help: str


def describe(factory: Any, values: Mapping[str, Any] | None = None, prefix: str = "") -> list[Option]:
    """Return the options of a dataclass in their order, those of fields that are dataclasses as field.name.

    values: shown in place of the defaults.
    """
    if not dataclasses.is_dataclass(factory):
        return []
    assert isinstance(factory, type)
    hints, lines = typing.get_type_hints(factory), _lines(factory)
    found: list[Option] = []
    for field in dataclasses.fields(factory):
        if not field.init:
            continue
        inner = _dataclass_in(hints[field.name])
        if inner is not None:
            found += describe(inner, prefix=f"{prefix}{field.name}.")
            continue
        default: Any = (values or {}).get(field.name, field.default)
        if default is MISSING and callable(field.default_factory):
            default = field.default_factory()
        found.append(
            Option(
                name=prefix + field.name,
                type=_type(hints[field.name]),
                default=None if default is MISSING else _text(default),
                help=lines.get(field.name, ""),
            )
        )
    return found


def _dataclass_in(hint: Any) -> Any:
    arms = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return next((arm for arm in arms if isinstance(arm, type) and dataclasses.is_dataclass(arm)), None)


def _type(hint: Any) -> str:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(arm) for arm in args if arm is not type(None))
    if origin is Literal:
        return "|".join(map(str, args))
    if origin is tuple:
        return f"{_type(args[0])}, …"
    if is_mapping(hint):
        return "its own options"
    return TYPES.get(hint, "text")


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(_text, value)) or "none"
    if isinstance(value, Mapping):
        return ",".join(f"{k}={_text(v)}" for k, v in value.items()) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _lines(factory: type) -> dict[str, str]:
    """Return {field: its line}; a class nearer to `factory` outranks the classes it is made from."""
    found: dict[str, str] = {}
    names = [field.name for field in dataclasses.fields(factory)]
    for kind in reversed(factory.__mro__):
        if kind is not object:
            found |= _of_docstring(docstring(kind), names) | _of_comments(kind)
    for field in dataclasses.fields(factory):
        if told := field.metadata.get("help"):
            found[field.name] = str(told)
    return found


def _of_docstring(doc: str, names: list[str]) -> dict[str, str]:
    """Return what stands behind "name: " in a docstring, up to the next name or the end of the paragraph."""
    name = "|".join(map(re.escape, names))
    starts = re.compile(rf"\b((?:{name})(?:(?:, | and )(?:{name}))*): ") if names else None
    found: dict[str, str] = {}
    for paragraph in inspect.cleandoc(doc).split("\n\n"):
        text = " ".join(paragraph.split())
        places = list(starts.finditer(text)) if starts else []
        for place, after in zip(places, [*places[1:], None], strict=False):
            told = text[place.end() : after.start() if after else None].partition(". ")[0]
            for one in re.split(", | and ", place[1]):
                found[one] = told.strip(" .;,")
    return found


def _of_comments(kind: type) -> dict[str, str]:
    """Return the comments after the fields of a class, or right above them."""
    try:
        source = textwrap.dedent(inspect.getsource(kind))
        body = ast.parse(source).body[0]
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (OSError, TypeError, SyntaxError, IndexError, tokenize.TokenError):  # no source: docstrings remain
        return {}
    if not isinstance(body, ast.ClassDef):
        return {}
    comments = {t.start[0]: t.string.lstrip("#! ").strip() for t in tokens if t.type == tokenize.COMMENT}
    alone = {t.start[0] for t in tokens if t.type == tokenize.COMMENT and not t.line[: t.start[1]].strip()}
    found: dict[str, str] = {}
    for node in body.body:
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        beside = [comments[n] for n in range(node.lineno, (node.end_lineno or 0) + 1) if n in comments]
        above: list[str] = []
        for number in range(node.lineno - 1, 0, -1):
            if number not in alone:
                break
            above.insert(0, comments[number])
        if told := " ".join(word for word in (beside or above) if not word.startswith(("noqa", "type:"))):
            found[node.target.id] = told
    return found
