"""What a value says about the result of a step: its canonical form, from which keys are hashed."""

import dataclasses
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

from reeltag.core.errors import ConfigError
from reeltag.core.fields import ADDED

DIGITS = 12  # of a key, hexadecimal: 48 bits
_PLAIN = bool | int | float | str


class Keyed(ABC):
    """Something that is known by what made it: a step, a data folder, or a file inside of one."""

    @property
    @abstractmethod
    def key(self) -> str:
        """Equal for what is the same, whichever process asks."""

    @property
    @abstractmethod
    def node(self) -> "Keyed":
        """The step or data folder that this is, or lies in."""

    @abstractmethod
    def located(self, folder_of: Callable[[Any], Path]) -> Any:  # noqa: ANN401
        """Return what a step's function gets: where it is, given where steps and data are."""

    @abstractmethod
    def readable(self) -> str:
        """Return what people call it."""


def digest(value: object) -> str:
    """Return 12 hex digits of a value in canonical form."""
    return hashlib.sha256(_text(value).encode()).hexdigest()[:DIGITS]


def canonical(value: object, where: str) -> object:
    """Return `value` as JSON values, equal if and only if the values mean the same.

    The order of a dict does not matter; 1 and 1.0, "a" and Path("a") differ; a tuple equals the
    list of its items. A dataclass stands for the name of its class, or the `KEY_NAME` that it
    declares (never its module: it may move), and its fields, without those that are declared
    `field(compare=False)` (workers, device: they do not change the result) and those declared
    `field(metadata=ADDED)` that have their default (results from before the field stay valid).

    Args:
        value: None, bool, number, text, Path, Enum, step, or list, tuple, set, dict or dataclass
            of these.
        where: name of the value, for the error.

    Raises:
        ConfigError: it holds something else, of which nothing can be said for certain.
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
        told = [f for f in dataclasses.fields(value) if f.compare and not _as_before(f, value)]
        named = {f.name: canonical(getattr(value, f.name), f"{where}.{f.name}") for f in told}
        return ["dataclass", _kind(value), named]
    raise ConfigError(
        f"a {type(value).__qualname__} cannot be part of a step's config",
        where=where,
        hint="Allowed: plain values, Paths, steps, and lists, dicts or dataclasses of these.",
    )


def readable(value: object) -> Any:  # noqa: ANN401  (as the json module takes it)
    """Return `value` (as `canonical` takes it) as JSON for people, no field left out."""
    if isinstance(value, Keyed):
        return value.readable()
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, list | tuple):
        return [readable(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((readable(item) for item in value), key=_text)
    if isinstance(value, Mapping):
        return {str(key): readable(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: readable(getattr(value, f.name)) for f in dataclasses.fields(value)}
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
    """Return `value` with every step and data folder replaced by where it lies."""
    if isinstance(value, Keyed):
        return value.located(folder_of)
    if next(references(value), None) is None:
        return value
    if isinstance(value, Mapping):
        return {key: resolved(item, folder_of) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(resolved(item, folder_of) for item in value)
    fields = [f.name for f in dataclasses.fields(value) if f.init]  # type: ignore[arg-type]
    found = {name: resolved(getattr(value, name), folder_of) for name in fields}
    return dataclasses.replace(value, **found)  # type: ignore[type-var]


def _as_before(of: dataclasses.Field[Any], value: object) -> bool:
    """Tell whether a field came later, and has the value that stands for what was before."""
    return ADDED.items() <= of.metadata.items() and bool(getattr(value, of.name) == of.default)


def _kind(value: object) -> str:
    return str(getattr(type(value), "KEY_NAME", type(value).__qualname__))


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)
