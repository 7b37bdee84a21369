"""Where a model is found by name.

A family is a Config and what is known of it. It is one of

    a file of `reeltag/models`      called as the file: SOURCE, PREPROCESSING, RECIPE, Config, TINY
                                    and VARIANTS are in it
    a registered Config             `@register_model("my_net")`, once its module is imported
    an entry point                  of an installed package, in the group `reeltag.models`:
                                    my_net = "my_package.my_net:Config"
    an import path                  my_package.my_net:Config, any Config that Python can import

Names of families and variants are unique; a variant is a family with other sizes.
"""

import dataclasses
import difflib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint
from typing import Any, NoReturn, TypeVar

from torch import nn

from reeltag.core.discovery import EntryPointGroup, described, module_names
from reeltag.core.errors import ConfigError, reason_of
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models._config import ModelConfig, path_of

PACKAGE = "reeltag.models"
_ENTRY_POINTS = EntryPointGroup(
    name="reeltag.models",
    kind="models",
    rename_hint=(
        "Give one of them another name (in @register_model, its variants and entry points)."
    ),
)
TINY: Mapping[str, Any] = {"num_classes": 5, "dims": (6, 2)}
C = TypeVar("C", bound=ModelConfig)
_CONFIG = (
    "A Config is a frozen dataclass that extends reeltag.models.ModelConfig; every field has a "
    "default, and build() returns an nn.Module."
)
_OWN = (
    "An own model is found by its import path, package.module:Config; by its name once its module "
    "with @register_model is imported; or where its package announces it (entry points "
    f"{_ENTRY_POINTS.name!r})."
)


@dataclass(frozen=True, kw_only=True)
class Family:
    """A Config and what is known of it.

    Attributes:
        name: what it is called in flags and lists.
        config: class of its sizes; the defaults are the authors' own.
        about: what it is, the first line a sentence.
        source: where it is published.
        preprocessing: what its authors do to stored frames first.
        recipe: how its authors train it: fields of the training recipe that are not the defaults.
        tiny: the smallest sizes, with 5 classes and streams of widths 6 and 2.
        variants: published sizes by name.
    """

    name: str
    config: type[ModelConfig]
    about: str
    source: str = ""
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    tiny: ModelConfig
    variants: Mapping[str, ModelConfig]

    @property
    def reference(self) -> str:
        """What a run folder calls it: a name that any process finds, or the import path."""
        local = self.config.__module__ == "__main__" or "<locals>" in self.config.__qualname__
        anywhere = self.name in _our_names() or self.name in _installed()
        return self.name if anywhere or local else path_of(self.config)


def register_model(
    name: str,
    *,
    source: str = "",
    preprocessing: PreprocessingConfig | None = None,
    recipe: Mapping[str, Any] | None = None,
    tiny: Mapping[str, Any] | None = None,
    variants: Mapping[str, Mapping[str, Any]] | None = None,
) -> Callable[[type[C]], type[C]]:
    """Return a decorator that makes a Config known by `name`, in flags, lists and run folders.

    Args:
        name: of the family; letters, digits, `_`, `.` and `-`.
        source: where it is published.
        preprocessing: what happens to stored frames first; None = dequantised and normalised.
        recipe: fields of `reeltag.training.config.Recipe` that are not the defaults, such as
            {"batch_size": 256, "optim": {"learning_rate": 1e-3}}.
        tiny: fields of the smallest sizes, for `--tiny` and tests.
        variants: named sizes, each by the fields that are not the defaults; None: one, `name`.

    Raises:
        ConfigError: the name is taken, or what is decorated is no Config.

    Example:
        >>> from dataclasses import dataclass
        >>> import torch
        >>> @register_model("mean_linear", variants={"mean_linear": {}})
        ... @dataclass(frozen=True, kw_only=True)
        ... class MeanLinear(ModelConfig):
        ...     def build(self):
        ...         return torch.nn.Linear(sum(self.dims), self.num_classes)
        >>> find_family("mean_linear").config is MeanLinear
        True
        >>> del _registered["mean_linear"]
    """
    if not re.fullmatch(r"[\w.-]+", name):
        raise ConfigError(f"a model cannot be called {name!r}: letters, digits, _, . and - only")

    def register(config: type[C]) -> type[C]:
        found = _family(name, config, tiny or {}, variants or {name: {}})
        family = dataclasses.replace(found, source=source, recipe=dict(recipe or {}))
        if preprocessing is not None:
            family = dataclasses.replace(family, preprocessing=preprocessing)
        if name in _our_names():
            _ENTRY_POINTS.raise_given_twice(name, path_of(config), f"{PACKAGE}.{name}:Config")
        other = _registered.get(name)
        if other is not None and path_of(other.config) != path_of(config):
            _ENTRY_POINTS.raise_given_twice(name, path_of(config), path_of(other.config))
        _registered[name] = family
        return config

    return register


def families() -> tuple[Family, ...]:
    """Return all families that have a name: ours, registered ones, and those of packages.

    Raises:
        ConfigError: an installed package announces a model that cannot be used, or a name is
            given to two.
    """
    found = tuple(_named())
    taken: dict[str, Family] = {}
    for family in found:
        for name in dict.fromkeys((family.name, *family.variants)):
            other = taken.setdefault(name, family)
            if other is not family:
                _ENTRY_POINTS.raise_given_twice(name, path_of(family.config), path_of(other.config))
    return found


def find_family(name: str) -> Family:
    """Return the family of a name or an import path; ConfigError, with similar names, if none."""
    if ":" in name:
        return family_of(_imported(name))
    installed = _installed()
    if name in _our_names():
        return _ours(name)
    if name in installed and name not in _registered:
        _load(installed[name])
    if name not in _registered:
        _raise_unknown(name)
    return _registered[name]


def family_of(config: ModelConfig | type[ModelConfig]) -> Family:
    """Return the family of a Config, an object or the class.

    Raise ConfigError where it is no Config, or neither registered nor importable.
    """
    kind = config if isinstance(config, type) else type(config)
    if not issubclass(kind, ModelConfig):
        raise ConfigError(f"{path_of(kind)} is no Config of a model", hint=_CONFIG)
    package, _, name = kind.__module__.rpartition(".")
    if package == PACKAGE and name in _our_names() and kind is _ours(name).config:
        return _ours(name)
    for family in _registered.values():
        if family.config is kind:
            return family
    path = path_of(kind)
    if _found_at(path) is not kind:
        raise ConfigError(
            f"{path} is neither registered nor to be found under that path: a run folder could "
            "not name it",
            hint="Write @register_model(NAME) above it, or move it to the top of a module.",
        )
    return _family(path, kind, {}, {path: {}})


def model_config(name: str, **fields: Any) -> ModelConfig:  # noqa: ANN401  (of the family)
    """Return the sizes of a family, a variant or an import path, with some fields changed.

    Args:
        name: of the family or variant, or an import path.
        **fields: name of a field -> its value.

    Raises:
        ConfigError: there is no such model, it has no such field, or the sizes cannot be built.

    >>> model_config("moe_4", dims=(128,)).dims
    (128,)
    """
    config = _sizes(name)
    known = [of.name for of in dataclasses.fields(config)]
    for field_name in fields:
        if field_name not in known:
            raise ConfigError(
                f"{name} has no field {field_name!r}",
                hint=f"It has {', '.join(known)}: see `reeltag models {name}`.",
            )
    return dataclasses.replace(config, **fields)


def create_model(
    name: str,
    *,
    num_classes: int,
    dims: Iterable[int],
    **fields: Any,  # noqa: ANN401  (of the family)
) -> nn.Module:
    """Return a model with freshly drawn weights: (frames (B, T, D), mask (B, T)) -> logits (B, C).

    The frames are dequantised floats, all streams side by side; the mask is true at real frames
    and may be left out where all are.

    Args:
        name: a family, a variant, or the import path of an own Config, `package.module:Config`.
        num_classes: C.
        dims: width of each stream; their sum is D.
        **fields: other fields of its Config, see `reeltag models NAME`.

    Raises:
        ConfigError: there is no such model or field, or the sizes cannot be built.

    Example:
        >>> import torch
        >>> model = create_model("logistic", num_classes=5, dims=(6, 2))
        >>> model(torch.zeros(3, 10, 8)).shape
        torch.Size([3, 5])
    """
    return model_config(name, num_classes=num_classes, dims=tuple(dims), **fields).build()


def list_models(pattern: str = "*") -> list[str]:
    """Return the names of all families and variants that match a pattern, sorted.

    Args:
        pattern: with `*`, `?` and `[]` as in a shell.

    >>> list_models("moe*")
    ['moe', 'moe_16', 'moe_2', 'moe_4']
    """
    names = {name for family in families() for name in (family.name, *family.variants)}
    return sorted(name for name in names if fnmatchcase(name, pattern))


_registered: dict[str, Family] = {}


@cache
def _our_names() -> tuple[str, ...]:
    """Return the files of this package that are families, sorted."""
    return module_names(PACKAGE)


@cache
def _ours(name: str) -> Family:
    module = import_module(f"{PACKAGE}.{name}")
    return Family(
        name=name,
        config=module.Config,
        about=module.__doc__ or "",
        source=module.SOURCE,
        preprocessing=module.PREPROCESSING,
        recipe=module.RECIPE,
        tiny=module.TINY,
        variants=module.VARIANTS,
    )


def _family(
    name: str,
    config: type[ModelConfig],
    tiny: Mapping[str, Any],
    variants: Mapping[str, Mapping[str, Any]],
) -> Family:
    """Return a family of an own Config; ConfigError where it cannot be one."""
    label = f"model {name!r} is {path_of(config)}" if ":" not in name else name
    if not (isinstance(config, type) and issubclass(config, ModelConfig)):
        raise ConfigError(f"{label}, which is no Config", hint=_CONFIG)
    if "__dataclass_params__" not in vars(config):
        raise ConfigError(
            f"{label}, which is no dataclass",
            hint="Write @dataclass(frozen=True, kw_only=True) below @register_model.",
        )
    if config.build is ModelConfig.build:
        raise ConfigError(f"{label}, which has no build()", hint=_CONFIG)
    try:
        return Family(
            name=name,
            config=config,
            about=config.__doc__ or "",
            tiny=config(**{**TINY, **tiny}),
            variants={variant: config(**fields) for variant, fields in variants.items()},
        )
    except TypeError as error:
        raise ConfigError(f"{label}, which cannot be made: {error}", hint=_CONFIG) from error


@cache
def _installed() -> dict[str, EntryPoint]:
    """Return what installed packages announce, by name; ConfigError where a name is given twice."""
    return _ENTRY_POINTS.announced({name: f"{PACKAGE}.{name}:Config" for name in _our_names()})


def _load(point: EntryPoint) -> None:
    """Import what an entry point names, and register it under its name unless its module did."""
    config = _imported(point.value, f"the entry point {point.name} = {described(point)}")
    names = [name for name, family in _registered.items() if family.config is config]
    if names and point.name not in names:
        raise ConfigError(
            f"{described(point)} is registered as {names[0]!r}, but announced as {point.name!r}",
            hint="Give the entry point and @register_model the same name.",
        )
    if not names:
        register_model(point.name)(config)


def _named() -> Iterator[Family]:
    """Yield ours first: a package that cannot be imported stops none of them."""
    yield from map(_ours, _our_names())
    for name, point in _installed().items():
        if name not in _registered:
            _load(point)
    yield from list(_registered.values())


def _sizes(name: str) -> ModelConfig:
    """Return the sizes that a family, a variant or an import path names."""
    if ":" in name or name in _our_names() or name in _registered:
        family = find_family(name)
        return family.variants.get(name) or family.config()
    for family in _named():
        if name in family.variants:
            return family.variants[name]
    return find_family(name).config()


def _imported(path: str, label: str = "") -> type[ModelConfig]:
    """Return the class at an import path; ConfigError where there is none."""
    label, module = label or path, path.partition(":")[0]
    try:
        import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{label} cannot be imported ({reason_of(error)})",
            hint="Install the package, or put the folder with the module into PYTHONPATH.",
        ) from error
    found = _found_at(path)
    if not isinstance(found, type):
        raise ConfigError(f"{label} names no class, but {found!r}", hint=_CONFIG)
    return found


def _found_at(path: str) -> Any:  # noqa: ANN401  (whatever is there)
    module, _, names = path.partition(":")
    found: Any = sys.modules.get(module)
    for name in names.split("."):
        found = getattr(found, name, None)
    return found


def _raise_unknown(name: str) -> NoReturn:
    known = [*map(_ours, _our_names()), *_registered.values()]
    names = [family.name for family in known]
    named = dict.fromkeys([*names, *_installed(), *(of for each in known for of in each.variants)])
    alike = difflib.get_close_matches(name, named, n=3)
    raise ConfigError(
        f"there is no model {name!r}",
        hint=(f"Did you mean {' or '.join(alike)}? " if alike else "")
        + f"Families: {', '.join(names)}. `reeltag models` lists their variants.\n  {_OWN}",
    )
