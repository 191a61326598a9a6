"""Build a frozen dataclass from `key=value` options: unknown names and unreadable values are the user's
mistake, said clearly.

An option may have options of its own: `-S first.model=x` reaches into the field `first`, which is a mapping
or a dataclass. A mapping that stands for another task or solver is named by `-S first=NAME`, kept under
"name".
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from harness.errors import UserError, did_you_mean
from harness.folders import expanded

TRUE, FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
WHOLE = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,4})?", re.ASCII | re.IGNORECASE)
LARGEST = 2**63 - 1  # what arrays and files can hold
SHOWN = 80  # characters of a value in an error


def build(factory: Any, options: Mapping[str, Any], *, owner: str, flag: str = "") -> Any:
    """Call a dataclass with options; text values are read by the field's annotation.

    owner: whose options they are; flag: how they are given on the command line ("-S"). Both for errors.
    """
    if not dataclasses.is_dataclass(factory):
        if options:
            raise UserError(f"{owner} takes no options, got {sorted(options)}.")
        return factory()
    fields = {f.name: f for f in dataclasses.fields(factory) if f.init}
    hints = typing.get_type_hints(factory)
    values: dict[str, Any] = {}
    for name, value in _nested(options, flag).items():
        if name not in fields:
            raise UserError(f"{owner} has no option {shown(name)}.", rule=did_you_mean(name, fields))
        where = f"option {name!r} of {owner}"
        if isinstance(value, Inner):
            values[name] = _inside(value.options, hints[name], where, f"{flag} {name}.".lstrip())
        else:
            finite = bool(fields[name].metadata.get("finite", True))
            if isinstance(value, str):
                values[name] = read(value, hints[name], where, finite=finite)
            elif isinstance(value, float) and finite and not math.isfinite(value):
                raise _not_finite(str(value), where)
            elif not fits(value, hints[name]):  # from Python, or from a record that somebody changed
                raise UserError(f"{shown(repr(value))} is not a value for {where}.", rule=_takes(hints[name]))
            else:
                values[name] = value
    missing = [n for n, f in fields.items() if n not in values and _required(f)]
    if missing:
        raise UserError(
            f"{owner} needs a value for {', '.join(missing)}.",
            next_step=f"Give {_given(flag, missing[0])}=VALUE.",
        )
    assert callable(factory)
    return factory(**values)


def first_paragraph(doc: str | None) -> str:
    """Return the first paragraph of a docstring in one line."""
    return " ".join((doc or "").strip().partition("\n\n")[0].split())


def docstring(kind: Any) -> str:
    """Return what a class's author wrote of it; `dataclass` writes a signature where there is nothing."""
    doc = getattr(kind, "__doc__", None) or ""
    name = getattr(kind, "__name__", "")
    return "" if dataclasses.is_dataclass(kind) and doc.startswith(f"{name}(") else doc


def shown(value: str) -> str:
    """Return a value as it stands in an error: quoted, and not longer than a line."""
    return repr(value) if len(value) <= SHOWN else f"{value[:SHOWN]!r}… ({len(value):,} characters)"


def parse_pairs(pairs: list[str], flag: str) -> dict[str, str]:
    """Turn ["size=6", …] into {"size": "6", …}."""
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise UserError(
                f"{flag} {shown(pair)} is not of the form key=value.",
                next_step=f"Give {flag} {name.strip()[:SHOWN] or 'key'}=VALUE.",
            )
        options[name.strip().replace("-", "_")] = value
    return options


def read(text: str, hint: Any, where: str, *, finite: bool = True) -> Any:
    """Read text as the type `hint` names: str, int, float, bool, Path, Literal, Optional or tuple[T, ...]
    (commas).

    finite: refuse NaN and the infinities, as all fields do but those with `metadata={"finite": False}`.
    """
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if type(None) in args and text.lower() in ("none", "null", ""):
            return None
        last: UserError | None = None
        for arm in (a for a in args if a is not type(None)):
            try:
                return read(text, arm, where, finite=finite)
            except UserError as error:
                last = error
        assert last is not None
        raise last
    if origin is Literal:
        for choice in args:
            if text == str(choice):
                return choice
        raise UserError(
            f"{shown(text)} is not a value for {where}.",
            rule=did_you_mean(text[:SHOWN], map(str, args), show=len(args)),
        )
    if origin is tuple:
        return tuple(
            read(part.strip(), args[0], where, finite=finite) for part in text.split(",") if part.strip()
        )
    if is_mapping(hint):
        return {"name": text}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        known = ", ".join(f.name for f in dataclasses.fields(hint) if f.init)
        raise UserError(f"{shown(text)} is not a value for {where}.", rule=f"It has options: {known}.")
    if hint is bool:
        if text.lower() in TRUE | FALSE:
            return text.lower() in TRUE
        raise UserError(f"{shown(text)} is not a value for {where}.", rule="It takes true or false.")
    if hint is int:
        return _whole(text, where)
    if hint is float:
        return _number(text, where, finite)
    if hint is Path:
        return _path(text, where)
    return text


def fits(value: Any, hint: Any) -> bool:
    """Return whether a value is of the kind that an annotation names; True for kinds unknown here."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, arm) for arm in args)
    if origin is Literal:
        return any(value == choice and type(value) is type(choice) for choice in args)
    if origin is tuple:
        parts = value if isinstance(value, list | tuple) else None
        return parts is not None and all(fits(part, args[0]) for part in parts)
    if hint is None or hint is type(None):
        return value is None
    if hint in (int, float):
        kind = numbers.Integral if hint is int else numbers.Real
        return isinstance(value, kind) and not isinstance(value, bool)
    if hint is Path:
        return isinstance(value, str | Path)
    if is_mapping(hint):
        return isinstance(value, Mapping)
    return not isinstance(hint, type) or hint not in (bool, str) or isinstance(value, hint)


def _takes(hint: Any) -> str:
    """Say what an annotation takes, None aside; nothing for kinds unknown here."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return next((words for arm in args if arm is not type(None) and (words := _takes(arm))), "")
    if origin is Literal:
        *others, last = map(str, args)
        return f"It is one of {', '.join(others)} and {last}." if others else f"It is {last}."
    kinds = {int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "a path"}
    found = "a list" if origin is tuple else kinds.get(hint) or ("named values" if is_mapping(hint) else "")
    return f"It takes {found}." if found else ""


def is_mapping(hint: Any) -> bool:
    """Return whether an annotation is a dict or a Mapping, with or without types."""
    kind = get_origin(hint) or hint
    return isinstance(kind, type) and issubclass(kind, Mapping)


def _not_finite(text: str, where: str) -> UserError:
    return UserError(f"{shown(text)} is not a value for {where}.", rule="It takes a finite number.")


def _whole(text: str, where: str) -> int:
    stripped = text.strip()
    if WHOLE.fullmatch(stripped) and abs(int(stripped)) <= LARGEST:
        return int(stripped)
    if NUMBER.fullmatch(stripped) and (value := float(stripped)).is_integer() and abs(value) < 1e15:
        raise UserError(
            f"{shown(text)} is not a value for {where}.", rule=f"It takes a whole number: {int(value)}."
        )
    size = " between -2^63 and 2^63" if re.fullmatch(r"[+-]?[0-9]+", stripped, re.ASCII) else ""
    raise UserError(f"{shown(text)} is not a value for {where}.", rule=f"It takes a whole number{size}.")


def _number(text: str, where: str, finite: bool) -> float:
    stripped = text.strip()
    if NUMBER.fullmatch(stripped) or re.fullmatch(r"[+-]?(nan|inf|infinity)", stripped.lower()):
        value = float(stripped)
        if finite and not math.isfinite(value):
            raise _not_finite(text, where)
        return value
    raise UserError(f"{shown(text)} is not a value for {where}.", rule="It takes a number.")


def _path(text: str, where: str) -> Path:
    if not text.strip() or "\0" in text:
        raise UserError(f"{shown(text)} is not a value for {where}.", rule="It takes the name of a file.")
    return expanded(text)


class Inner:
    """The options that were given inside another one: first.a=1 first.b=2."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}


def _nested(options: Mapping[str, Any], flag: str) -> dict[str, Any]:
    """Gather first.a=1, first.b=2 under first; with first=NAME too, that is its `name`."""
    gathered: dict[str, Any] = {name: value for name, value in options.items() if "." not in name}
    for name, value in options.items():
        first, dot, rest = name.partition(".")
        if not dot:
            continue
        if not first or not rest:
            raise UserError(f"{flag} {shown(name)} names no option.".lstrip(), rule="The form is first.name.")
        outer = gathered.get(first)
        if not isinstance(outer, Inner):
            gathered[first] = inner = Inner()
            if isinstance(outer, Mapping):
                inner.options |= outer
            elif outer is not None:
                inner.options["name"] = outer
        gathered[first].options[rest] = value
    return gathered


def _inside(options: dict[str, Any], hint: Any, where: str, flag: str) -> Any:
    """Build what an option with options of its own holds: a dataclass, or a mapping with its texts."""
    arms = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for arm in arms:
        if isinstance(arm, type) and dataclasses.is_dataclass(arm):
            return build(arm, options, owner=where, flag=flag)
        if is_mapping(arm):
            kinds = get_args(arm)
            kind = kinds[1] if len(kinds) == 2 else Any
            return {
                name: read(value, kind, f"{flag}{name}") if isinstance(value, str) else value
                for name, value in options.items()
            }
    raise UserError(
        f"{flag}{next(iter(options))} reaches into {where}.", rule="That option has none of its own."
    )


def _given(flag: str, name: str) -> str:
    """Return how an option is given: "-S model", inside another one "-S first.model"."""
    return f"{flag}{name}" if flag.endswith(".") or not flag else f"{flag} {name}"


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
