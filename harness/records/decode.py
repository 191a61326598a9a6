"""Read JSON into frozen dataclasses by their type hints. What does not fit is named, with its value."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

T = TypeVar("T")


class DamagedError(ValueError):
    """A JSON value that is not of the form it must have."""


def decode(kind: type[T], value: Any, where: str) -> T:
    """Return the dataclass that a JSON object holds. Fields it does not know are passed over; one that is
    missing without a default, or of another type, raises DamagedError.
    """
    if not isinstance(value, Mapping):
        raise DamagedError(f"{where} is {shown(value)}, not an object")
    found = {}
    for name, (hint, required) in _fields(typing.cast("typing.Hashable", kind)).items():
        if name in value:
            found[name] = _read(hint, value[name], f"{where}.{name}")
        elif required:
            raise DamagedError(f"{where} has no {name!r}")
    return kind(**found)


def shown(value: Any) -> str:
    """Return a value as a sentence can hold it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


@functools.cache
def _fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    hints = typing.get_type_hints(kind)
    missing = dataclasses.MISSING
    return {
        f.name: (hints[f.name], f.default is missing and f.default_factory is missing)
        for f in dataclasses.fields(kind)
    }


@functools.cache
def _plain(hint: Any) -> frozenset[type]:
    """Return the types of which every value is as the hint says; none for what must be read one by one."""
    if isinstance(hint, types.UnionType):
        kinds = [_plain(of) for of in get_args(hint)]
        return frozenset().union(*kinds) if all(kinds) else frozenset()
    return frozenset({hint}) if hint in (str, int, float, bool, types.NoneType) else frozenset()


@functools.cache
def _shape(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    return get_origin(hint), get_args(hint)


def _read(hint: Any, value: Any, where: str) -> Any:
    if hint is Any or type(value) in _plain(hint):
        return value
    origin, arguments = _shape(hint)
    if origin in (Union, types.UnionType):
        if value is None and types.NoneType in arguments:
            return None
        (hint,) = (a for a in arguments if a is not types.NoneType)
        return _read(hint, value, where)
    if origin is Literal:
        if value in arguments:
            return value
        raise DamagedError(f"{where} is {shown(value)}, none of {', '.join(map(repr, arguments))}")
    if dataclasses.is_dataclass(hint):
        return decode(typing.cast("type[Any]", hint), value, where)
    if origin is tuple:
        if isinstance(value, Sequence) and not isinstance(value, str):
            if set(map(type, value)) <= _plain(arguments[0]):  # a million ids, say, without a look at each
                return tuple(value)
            return tuple(_read(arguments[0], item, f"{where}[{n}]") for n, item in enumerate(value))
    elif origin is not None and issubclass(origin, Mapping):
        if isinstance(value, Mapping):
            return {name: _read(arguments[1], of, f"{where}.{name}") for name, of in value.items()}
    elif hint is float:
        if type(value) in (int, float):
            return float(value)
    elif type(value) is hint:
        return value
    raise DamagedError(f"{where} is {shown(value)}, which has the wrong type")
