"""Build a frozen dataclass from `key=value` options: unknown names and unreadable values are the user's
mistake, said clearly.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from harness.errors import UserError, did_you_mean

TRUE, FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


def build(factory: Any, options: dict[str, Any], *, owner: str) -> Any:
    """Call a dataclass with options; text values are read by the field's annotation."""
    if not dataclasses.is_dataclass(factory):
        if options:
            raise UserError(f"{owner} takes no options, got {sorted(options)}.")
        return factory()
    fields = {f.name: f for f in dataclasses.fields(factory) if f.init}
    hints = typing.get_type_hints(factory)
    values = {}
    for name, value in options.items():
        if name not in fields:
            raise UserError(f"{owner} has no option {name!r}.", rule=did_you_mean(name, fields))
        values[name] = (
            read(value, hints[name], f"option {name!r} of {owner}") if isinstance(value, str) else value
        )
    missing = [n for n, f in fields.items() if n not in values and _required(f)]
    if missing:
        raise UserError(
            f"{owner} needs a value for {', '.join(missing)}.", next_step=f"Give {missing[0]}=VALUE."
        )
    assert callable(factory)
    return factory(**values)


def first_paragraph(doc: str | None) -> str:
    """Return the first paragraph of a docstring in one line."""
    return " ".join((doc or "").strip().partition("\n\n")[0].split())


def parse_pairs(pairs: list[str], flag: str) -> dict[str, str]:
    """Turn ["size=6", …] into {"size": "6", …}."""
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UserError(
                f"{flag} {pair!r} is not of the form key=value.",
                next_step=f"Give {flag} {name or 'key'}=VALUE.",
            )
        options[name.strip().replace("-", "_")] = value
    return options


def read(text: str, hint: Any, where: str) -> Any:
    """Read text as the type `hint` names: str, int, float, bool, Path, Literal, Optional or tuple[T, ...]
    (commas).
    """
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if type(None) in args and text.lower() in ("none", "null", ""):
            return None
        last: UserError | None = None
        for arm in (a for a in args if a is not type(None)):
            try:
                return read(text, arm, where)
            except UserError as error:
                last = error
        assert last is not None
        raise last
    if origin is Literal:
        for choice in args:
            if text == str(choice):
                return choice
        raise UserError(
            f"{text!r} is not a value for {where}.", rule=did_you_mean(text, map(str, args), show=len(args))
        )
    if origin is tuple:
        return tuple(read(part.strip(), args[0], where) for part in text.split(",") if part.strip())
    if hint is bool:
        if text.lower() in TRUE | FALSE:
            return text.lower() in TRUE
        raise UserError(f"{text!r} is not a value for {where}.", rule="It takes true or false.")
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            kind = "a whole number" if hint is int else "a number"
            raise UserError(f"{text!r} is not a value for {where}.", rule=f"It takes {kind}.") from None
    if hint is Path:
        return Path(text).expanduser()
    return text


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
