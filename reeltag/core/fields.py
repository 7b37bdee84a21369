"""Values read from JSON, checked against the annotations of the dataclasses that they become.

A config.json may be written by hand, cut short, or come from another version: whoever reads it is
given the field that is wrong, what was found and what is allowed.
"""

import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

import docstring_parser

from reeltag.core.errors import ConfigError, DataError

# metadata of a field that came later: at its default, whatever was made before is still the same
ADDED = {"reeltag": "added"}
DEFAULT_WAS = "reeltag default was"


def default_was(value: object) -> dict[str, object]:
    """Return metadata of a field whose default was another value and meant what it means now."""
    return {DEFAULT_WAS: value}


_HINT = "Correct the file, or train again with the options that it names."
_PLAIN = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def parse_json(text: str | bytes) -> Any:  # noqa: ANN401  (whatever it holds)
    """Return the value of a JSON text; ValueError where it is none, or nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def from_json(kind: Any, value: object, *, where: object, field: str) -> Any:  # noqa: ANN401
    """Return a JSON value as `kind`; fields that are absent have their defaults.

    Args:
        kind: int, float, str, bool, None, a Literal, a tuple or union of these, or a dataclass
            whose fields are of these kinds.
        value: as the json module reads it.
        where: file that it is in, for the error.
        field: name of the value in that file, for the error.

    Raises:
        DataError: the value is of another kind, a field is missing or unknown, or out of range.

    >>> from_json(tuple[int, ...], [3, 4], where="config.json", field="model.dims")
    (3, 4)
    """
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, where, field)
    origin, options = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        kinds = [NoneType if option is None else option for option in options]
        fits = [option for option in kinds if _is_plain(option, value)]
        return from_json(fits[0] if fits else kinds[0], value, where=where, field=field)
    if origin is Literal:
        if value in options and type(value) in map(type, options):
            return value
        _raise_mismatch(value, " or ".join(map(repr, options)), where, field)
    if origin is tuple:
        return _tuple(options, value, where, field)
    if not _is_plain(kind, value):
        _raise_mismatch(value, _PLAIN.get(kind, "null"), where, field)
    return value


def entry(config: Mapping[str, Any], key: str, *, where: object) -> Any:  # noqa: ANN401
    """Return `config[key]`, or `config[a][b]` for the key "a.b"; DataError where it is missing."""
    value: Any = config
    for name in key.split("."):
        if not isinstance(value, Mapping) or name not in value:
            raise DataError(f"lacks the field {key!r}", where=where, hint=_HINT)
        value = value[name]
    return value


@dataclass(frozen=True)
class Leaf:
    """A field of a dataclass or of those inside of it.

    Attributes:
        flag: what it is called as a flag: names with dots, without those that flags leave out.
        path: names from the outermost dataclass to it.
        kind: its type.
        annotation: its type with what is annotated, such as bounds.
        words: the docstring below it.
        default: its value where none is given; `dataclasses.MISSING` where one must be.
    """

    flag: str
    path: tuple[str, ...]
    kind: Any
    annotation: Any
    words: str
    default: Any


def leaves(kind: Any, value: object = None) -> Iterator[Leaf]:  # noqa: ANN401  (a dataclass)
    """Yield the fields of a dataclass, down to those that are no dataclasses themselves.

    Args:
        kind: the dataclass.
        value: one of its objects, whose values are the defaults; None: those of the class.
    """
    hints, annotated, words = get_type_hints(kind), get_type_hints(kind, include_extras=True), None
    for field in dataclasses.fields(kind):
        default = _default_of(field) if value is None else getattr(value, field.name)
        hint, marks = hints[field.name], getattr(annotated[field.name], "__metadata__", ())
        if dataclasses.is_dataclass(hint):
            unnamed = any(getattr(mark, "name", None) == "" for mark in marks)
            for leaf in leaves(hint, None if default is dataclasses.MISSING else default):
                flag = leaf.flag if unnamed else f"{field.name}.{leaf.flag}"
                yield dataclasses.replace(leaf, flag=flag, path=(field.name, *leaf.path))
            continue
        words, name = words or field_docs(kind), field.name
        yield Leaf(name, (name,), hint, annotated[name], words.get(name, ""), default)


def field_docs(kind: type) -> dict[str, str]:
    """Return the docstrings below the fields of a dataclass, also below inherited ones."""
    docs: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        docs |= _own_field_docs(base)
    return docs


@functools.cache  # the source of the class is read and parsed
def _own_field_docs(kind: type) -> dict[str, str]:
    described = docstring_parser.parse_from_object(kind).params
    return {of.arg_name: " ".join((of.description or "").split()) for of in described}


def _default_of(field: Any) -> object:  # noqa: ANN401  (dataclasses.Field)
    made = field.default_factory
    return field.default if made is dataclasses.MISSING else made()


def _dataclass(kind: Any, value: object, where: object, field: str) -> Any:  # noqa: ANN401
    if not isinstance(value, Mapping):
        _raise_mismatch(value, "an object of fields", where, field)
    hints = get_type_hints(kind)
    fields = {of.name: of for of in dataclasses.fields(kind) if of.init}
    unknown = sorted(value.keys() - fields.keys())
    if unknown:
        what = f"has the unknown field {field}.{unknown[0]}; there are {', '.join(fields)}"
        raise DataError(what, where=where, hint=_HINT)
    for name, of in fields.items():
        optional = (of.default, of.default_factory) != (dataclasses.MISSING,) * 2
        if name not in value and not optional:
            raise DataError(f"lacks the field {field}.{name}", where=where, hint=_HINT)
    values = {
        name: from_json(hints[name], found, where=where, field=f"{field}.{name}")
        for name, found in value.items()
    }
    try:
        return kind(**values)
    except ConfigError as error:
        raise DataError(f"{field} cannot be used: {error}", where=where, hint=error.hint) from error


def _tuple(options: tuple[Any, ...], value: object, where: object, field: str) -> tuple[Any, ...]:
    endless = len(options) == 2 and options[1] is Ellipsis
    if not isinstance(value, list) or not (endless or len(value) == len(options)):
        _raise_mismatch(value, "a list" if endless else f"a list of {len(options)}", where, field)
    kinds = [options[0]] * len(value) if endless else options
    return tuple(
        from_json(kind, item, where=where, field=f"{field}[{place}]")
        for place, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _is_plain(kind: object, value: object) -> bool:
    if isinstance(value, bool):
        return kind is bool
    if isinstance(value, int) and not -_WORD <= value < _WORD:
        return False  # what has more than 64 bits fits no array
    return isinstance(value, int | float if kind is float else kind) if kind in _KINDS else False


_KINDS = {*_PLAIN, NoneType}
_WORD = 1 << 63


def _raise_mismatch(value: object, allowed: str, where: object, field: str) -> NoReturn:
    text = repr(value)
    text = text if len(text) <= 60 else f"{text[:57]}..."
    raise DataError(f"{field} must be {allowed}, got {text}", where=where, hint=_HINT)
