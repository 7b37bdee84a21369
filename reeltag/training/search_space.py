"""What a study of sizes varies: which fields of a model and its recipe, in which range.

A field is called as its flag of `reeltag train` is: `model.inner`, `learning_rate`, `loss.kind`.
A family's Config marks what is searched unless `--space` names something else:

    Size, Sizes >= 16 (units, clusters, words)          a quarter, half, once, twice; a tuple as one
    Count (layers, blocks, rounds, experts)             from one less (at least 1) to two more
    DropoutRate                                         0 to 0.7
    learning_rate of the recipe                         a tenth to ten times, logarithmically

What must divide something (groups, heads, reduction), what only sets how a thing is computed,
seeds and penalties stay as they are. Any field can be named all the same, with a range or a choice
of its own.
"""

import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_origin, get_type_hints

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.fields import Leaf, from_json, leaves
from reeltag.models import ModelConfig, SearchKind
from reeltag.training.config import Recipe

Value = bool | int | float | str
MOST_DROPOUT = 0.7
SMALLEST_SIZE = 16
_RANGE = re.compile(r"([^:,\[\]]+):([^:,\[\]]+?)(:log)?")


@dataclass(frozen=True, kw_only=True)
class Range:
    """All numbers from `low` to `high`, or all whole ones; `log`: as likely at each scale."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}" + (", logarithmic" if self.log else "")


@dataclass(frozen=True)
class Choice:
    """One of several values; tuples are lists here, as JSON writes them."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return " | ".join(map(str, self.values))

    def names(self) -> tuple[Value, ...]:
        """Return the values as plain ones: a list as its JSON text."""
        return tuple(json.dumps(of) if isinstance(of, list) else of for of in self.values)


Dimension = Range | Choice
Space = Mapping[str, Dimension]


def places(model: ModelConfig) -> dict[str, Leaf]:
    """Return all fields of a model's config and of a recipe, by the flag that sets them."""
    found = [(f"model.{of.flag}", "model", of) for of in leaves(type(model))]
    found += [(of.flag, "recipe", of) for of in leaves(Recipe)]
    return {
        flag: dataclasses.replace(of, flag=flag, path=(whole, *of.path))
        for flag, whole, of in found
    }


def derived(model: ModelConfig, recipe: Recipe) -> dict[str, Dimension]:
    """Return what is searched where nothing is given, by the rules of this module."""
    space: dict[str, Dimension] = {}
    for name, hint in get_type_hints(type(model), include_extras=True).items():
        for mark in getattr(hint, "__metadata__", ()):
            found = _searched(mark, getattr(model, name)) if isinstance(mark, SearchKind) else None
            if found is not None:
                space[f"model.{name}"] = found
    rate = recipe.optim.learning_rate
    space["learning_rate"] = Range(low=rate / 10, high=rate * 10, log=True)
    return space


def parsed(text: str, model: ModelConfig) -> tuple[str, Dimension]:
    """Return the flag and the dimension that `--space` gives.

    Args:
        text: `inner=256:2048` (any whole number, on a logarithmic scale `256:2048:log`),
            `dropout=0.1:0.5`, `gate=true,false`, `inner=1024` (fixed), or a list as JSON:
            `hidden=[[512,512],[1024,1024]]`.
        model: whose fields may be named without `model.`.

    Raises:
        ConfigError: there is no such field, or it does not take such values.
    """
    name, sign, given = text.partition("=")
    known, name = places(model), name.strip().lstrip("-").replace("-", "_")
    flag = name if name in known else f"model.{name}"
    if not sign or not given or flag not in known:
        raise ConfigError(
            f"must be FIELD=RANGE with a field of the model or the recipe, got {text!r}",
            where="--space",
            hint="As inner=256:2048:log, dropout=0.1:0.5, gate=true,false or inner=1024. "
            f"Fields of the model: {', '.join(of[6:] for of in known if of.startswith('model.'))}.",
        )
    kind = known[flag].kind
    between = _RANGE.fullmatch(given)
    if between and kind in (int, float):
        low, high = (_value(part, kind, flag) for part in between.group(1, 2))
        log = bool(between[3])
        if not (low < high and (low > 0 or not log)):
            raise ConfigError(f"{given} is no range", where=f"--space {flag}")
        return flag, Range(low=low, high=high, log=log, whole=kind is int)
    items: Any = _json(given) if given.startswith("[[") else None
    if items is None:
        items = [_json(given)] if given.startswith("[") else given.split(",")
    return flag, Choice(tuple(_value(item, kind, flag) for item in items))


def applied(
    model: ModelConfig, recipe: Recipe, values: Mapping[str, Value]
) -> tuple[ModelConfig, Recipe]:
    """Return model and recipe with the values of a trial.

    Args:
        model: before the trial.
        recipe: before the trial.
        values: name of a dimension -> its value.

    Raises:
        ConfigError: they do not go together.
    """
    known, both = places(model), {"model": model, "recipe": recipe}
    for flag, value in values.items():
        place = known[flag]
        path, of = place.path, _typed(value, place.kind, flag)
        both[path[0]] = _replaced(both[path[0]], path[1:], of)
    return both["model"], both["recipe"]  # type: ignore[return-value]


def present(model: ModelConfig, recipe: Recipe, flag: str) -> Value:
    """Return what a field is just now, as a trial names it."""
    of: Any = {"model": model, "recipe": recipe}
    path = places(model)[flag].path
    of = of[path[0]]
    for name in path[1:]:
        of = getattr(of, name)
    return json.dumps(list(of)) if isinstance(of, tuple) else of


def flags(model: ModelConfig, values: Mapping[str, Value]) -> list[str]:
    """Return the values of a trial as `reeltag train` takes them."""
    known, words = places(model), list[str]()
    for name, value in values.items():
        typed = _typed(value, known[name].kind, name)
        head, _, last = name.replace("_", "-").rpartition(".")
        if isinstance(typed, bool):
            last = last if typed else f"no-{last}"
            words.append(f"--{head}.{last}" if head else f"--{last}")
            continue
        listed = typed if isinstance(typed, tuple) else (typed,)
        words += [f"--{name.replace('_', '-')}", *map(_shown, listed)]
    return words


def _searched(mark: SearchKind, value: Any) -> Dimension | None:  # noqa: ANN401  (of the field)
    """Return the dimension of a marked field, given its value; None where it is too small."""
    if mark is SearchKind.DROPOUT:
        return Range(low=0.0, high=MOST_DROPOUT)
    if mark is SearchKind.STEPS:
        return Range(low=max(1, value - 1), high=value + 2, whole=True)
    sizes = value if isinstance(value, tuple) else (value,)
    if not sizes or min(sizes) < SMALLEST_SIZE:
        return None
    if isinstance(value, tuple):
        return Choice(tuple([factor(item) for item in value] for factor in _FACTORS))
    return Choice(tuple(factor(value) for factor in _FACTORS))


_FACTORS: tuple[Callable[[int], int], ...] = (
    lambda size: size // 4,
    lambda size: size // 2,
    lambda size: size,
    lambda size: size * 2,
)


def _value(text: object, kind: Any, flag: str) -> Any:  # noqa: ANN401  (of that kind)
    """Return what a person wrote as a value of a field, tuples as lists."""
    value: Any = text
    if isinstance(text, str) and kind is not str and get_origin(kind) is not Literal:
        value = _json(text.strip())
        if kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)
    _typed(json.dumps(value) if isinstance(value, list) else value, kind, flag)
    return value


def _json(text: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(text)
    except ValueError:
        return text


def _typed(value: Value, kind: Any, flag: str) -> Any:  # noqa: ANN401
    """Return a trial's value as the field has it."""
    plain = value
    if isinstance(value, str) and get_origin(kind) is tuple:
        plain = _json(value)
    try:
        return from_json(kind, plain, where="--space", field=flag)
    except DataError as error:
        raise ConfigError(error.what, where="--space") from error


def _replaced(of: Any, path: Sequence[str], value: object) -> Any:  # noqa: ANN401  (a dataclass)
    if not path:
        return value
    inner = _replaced(getattr(of, path[0]), path[1:], value)
    return dataclasses.replace(of, **{path[0]: inner})


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)
