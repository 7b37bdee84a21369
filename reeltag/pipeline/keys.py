"""Canonical form of values that determine the result of a step; keys are its hash."""

import dataclasses
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

from reeltag.core.errors import ConfigError
from reeltag.core.fields import ADDED, DEFAULT_WAS

DIGITS = 12  # of a key, hexadecimal: 48 bits
_PLAIN = bool | int | float | str


class Keyed(ABC):
    """A step, a data folder, or a file inside of one, identified by a key."""

    @property
    @abstractmethod
    def key(self) -> str:
        """Hash of all that determines the content, equal in every process."""

    @property
    @abstractmethod
    def node(self) -> "Keyed":
        """The step or data folder itself, or the one that contains it."""

    @abstractmethod
    def locate(self, folder_of: Callable[[Any], Path]) -> Any:  # noqa: ANN401
        """Return the argument of a step's function, given the paths of steps and data folders."""

    @abstractmethod
    def label(self) -> str:
        """Return its name for people."""


def digest(value: object) -> str:
    """Return 12 hex digits of a value in canonical form."""
    return hashlib.sha256(_text(value).encode()).hexdigest()[:DIGITS]


def canonical(value: object, where: str) -> object:
    """Return `value` as JSON values, equal if and only if the values mean the same.

    The order of a dict does not matter; 1 and 1.0, "a" and Path("a") differ; a tuple equals the
    list of its items. A dataclass becomes the name of its class, or the `KEY_NAME` that it
    declares (never its module: it may move), and its fields, without those that are declared
    `field(compare=False)` (workers, device: they do not change the result) and those declared
    `field(metadata=ADDED)` that have their default (results from before the field stay valid). A
    default that is declared `default_was(...)` counts as that value.

    Args:
        value: None, bool, number, text, Path, Enum, step, or list, tuple, set, dict or dataclass
            of these.
        where: name of the value, for the error.

    Raises:
        ConfigError: it holds a value of another type.
    """
    if value is None or (isinstance(value, _PLAIN) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Keyed):
        return ["step", value.key]
    if isinstance(value, Enum):
        return ["enum", _kind(value), value.name]
    if isinstance(value, PurePath):
        return ["path", value.as_posix()]
    if isinstance(value, list | tuple):
        return ["list", [canonical(item, f"{where}[{at}]") for at, item in enumerate(value)]]
    if isinstance(value, set | frozenset):
        return ["set", sorted((canonical(item, where) for item in value), key=_text)]
    if isinstance(value, Mapping):
        pairs = [[canonical(k, where), canonical(v, f"{where}.{k}")] for k, v in value.items()]
        return ["dict", sorted(pairs, key=_text)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        counted = [
            f for f in dataclasses.fields(value) if f.compare and not _is_added_default(f, value)
        ]
        named = {f.name: canonical(_as_it_was(f, value), f"{where}.{f.name}") for f in counted}
        return ["dataclass", _kind(value), named]
    raise ConfigError(
        f"a {type(value).__qualname__} cannot be part of a step's config",
        where=where,
        hint="Allowed: plain values, Paths, steps, and lists, dicts or dataclasses of these.",
    )


def _as_it_was(field: dataclasses.Field[Any], value: object) -> object:
    """Return a field's value, or what the default was called that means the same."""
    found = getattr(value, field.name)
    return field.metadata.get(DEFAULT_WAS, found) if found == field.default else found


def json_value(value: object) -> Any:  # noqa: ANN401  (as the json module takes it)
    """Return `value` (as `canonical` takes it) as JSON for people, no field left out."""
    if isinstance(value, Keyed):
        return value.label()
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((json_value(item) for item in value), key=_text)
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: json_value(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return value


def references(value: object) -> Iterator[Keyed]:
    """Yield the steps and data folders (also files inside of them) that `value` holds."""
    if isinstance(value, Keyed):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from references(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from references(getattr(value, field.name))


def resolved(value: object, folder_of: Callable[[Any], Path]) -> object:
    """Return `value` with every step and data folder replaced by its path."""
    if isinstance(value, Keyed):
        return value.locate(folder_of)
    if next(references(value), None) is None:
        return value
    if isinstance(value, Mapping):
        return {key: resolved(item, folder_of) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(resolved(item, folder_of) for item in value)
    fields = [f.name for f in dataclasses.fields(value) if f.init]  # type: ignore[arg-type]
    found = {name: resolved(getattr(value, name), folder_of) for name in fields}
    return dataclasses.replace(value, **found)  # type: ignore[type-var]


def _is_added_default(of: dataclasses.Field[Any], value: object) -> bool:
    """Return whether a field was added later and has its default."""
    return ADDED.items() <= of.metadata.items() and bool(getattr(value, of.name) == of.default)


def _kind(value: object) -> str:
    return str(getattr(type(value), "KEY_NAME", type(value).__qualname__))


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)
