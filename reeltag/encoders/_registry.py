"""Where an encoder is found by name.

An encoder is a class that extends PictureEncoder, SoundEncoder or TextEncoder. It is one of

    a file of `reeltag/encoders`    called as the file, which registers it
    a registered class              `@register_encoder`, once its module is imported
    an entry point                  of an installed package, in the group `reeltag.encoders`:
                                    my_encoder = "my_package.my_encoder:MyEncoder"
    an import path                  my_package.my_encoder:MyEncoder
    a prefix and a name             timm:NAME, open_clip:ARCH/TAG, hf:REPO
"""

import difflib
import re
from fnmatch import fnmatchcase
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint
from typing import Any, NoReturn, TypeVar

from reeltag.core.discovery import EntryPointGroup, described, module_names
from reeltag.core.errors import ConfigError, reason_of
from reeltag.core.extras import EXTRAS, check_extra
from reeltag.encoders.base import (
    Encoder,
    EncoderInfo,
    EncoderKind,
    PictureEncoder,
    Precision,
    SoundEncoder,
    TextEncoder,
)

PACKAGE = "reeltag.encoders"
_ENTRY_POINTS = EntryPointGroup(
    name="reeltag.encoders",
    kind="encoders",
    rename_hint="Give one of them another name (in its info, and in entry points).",
)
PREFIXES = {"timm": "timm", "open_clip": "open_clip", "hf": "hugging_face"}
E = TypeVar("E", bound=type[Encoder])
_CLASS = (
    "An encoder is a class that extends reeltag.encoders.PictureEncoder, SoundEncoder or "
    "TextEncoder and has an `info` of EncoderInfo."
)
_OWN = (
    "An own encoder is found by its import path, package.module:Class; by its name once its module "
    "with @register_encoder is imported; or where its package announces it (entry points "
    f"{_ENTRY_POINTS.name!r})."
)


def register_encoder(encoder: E) -> E:
    """Make an encoder known by the name in its `info`; a decorator of its class.

    Args:
        encoder: class that extends PictureEncoder, SoundEncoder or TextEncoder.

    Raises:
        ConfigError: the name is taken, or what is decorated is no encoder.

    Example:
        >>> import numpy as np
        >>> from reeltag.encoders import EncoderIdentity, EncoderInfo, PictureEncoder
        >>> @register_encoder
        ... class MeanColour(PictureEncoder):
        ...     info = EncoderInfo(name="mean_colour", kind="picture", width=3)
        ...     identity = EncoderIdentity(name="mean_colour", version="1")
        ...     width, size = 3, (8, 8)
        ...     def encode(self, pictures_NHWC):
        ...         return pictures_NHWC.mean((1, 2), dtype=np.float32)
        >>> create_encoder("mean_colour").encode(np.full((2, 8, 8, 3), 7, np.uint8)).shape
        (2, 3)
        >>> del _registered["mean_colour"]
    """
    _check_class(encoder, path_of(encoder))
    name = encoder.info.name
    if not re.fullmatch(r"[\w.-]+", name):
        raise ConfigError(f"an encoder cannot be called {name!r}: letters, digits, _, . and - only")
    ours = f"{PACKAGE}.{name}"
    if name in _our_names() and encoder.__module__ != ours:
        _ENTRY_POINTS.raise_given_twice(name, path_of(encoder), ours)
    other = _registered.get(name)
    if other is not None and path_of(other) != path_of(encoder):
        _ENTRY_POINTS.raise_given_twice(name, path_of(encoder), path_of(other))
    _registered[name] = encoder
    return encoder


def create_encoder(name: str, *, device: str = "auto", precision: Precision = "auto") -> Encoder:
    """Return an encoder with its weights loaded.

    Args:
        name: as `reeltag encoders` lists it, an import path `package.module:Class`, or a name
            behind `timm:`, `open_clip:` or `hf:`.
        device: "cpu", "cuda", "cuda:1", ...; "auto" = a GPU where there is one.
        precision: "fp32", or "bf16" or "fp16" on GPUs; "auto" = fp32 on CPUs, bf16 on GPUs.

    Raises:
        ConfigError: there is no such encoder, what it needs is not installed, its weights cannot
            be fetched, or the device cannot be used.

    Example:
        >>> encoder = create_encoder("log_mel")
        >>> encoder.width, encoder.info.kind
        (192, 'sound')
    """
    prefix, colon, argument = name.partition(":")
    if colon and prefix in PREFIXES:
        module = import_module(f"{PACKAGE}._{PREFIXES[prefix]}")
        if not argument:
            raise ConfigError(f"{name!r} names no model", hint=f"Write {module.INFO.name}.")
        check_packages(module.INFO)
        loaded: Encoder = module.load(argument, device=device, precision=precision)
        return loaded
    encoder = find_encoder(name)
    check_packages(encoder.info)
    return encoder(device=device, precision=precision)


def create_text_encoder(name: str, *, device: str = "auto", where: object = "") -> TextEncoder:
    """Return an encoder of texts with its weights loaded: the named one, or the one it comes with.

    Args:
        name: as `create_encoder` takes it; of pictures or sound, whose space has texts too.
        device: see `create_encoder`.
        where: the option that names it, for the error.

    Raises:
        ConfigError: as `create_encoder`, or it encodes no texts.
    """
    encoder = create_encoder(name, device=device)
    found = encoder if isinstance(encoder, TextEncoder) else encoder.text_encoder()
    if found is None:
        raise ConfigError(f"{name} encodes no texts", where=where)
    return found


def may_encode_texts(name: str) -> bool:
    """Return whether an encoder may share its space with texts, as far as is known unloaded.

    What `hf:` loads shows only then whether it does.

    Args:
        name: as `create_encoder` takes it.
    """
    prefix, colon, _ = name.partition(":")
    try:
        if colon and prefix in PREFIXES:
            module = import_module(f"{PACKAGE}._{PREFIXES[prefix]}")
            check_packages(module.INFO)
            return bool(prefix != "timm")
        return find_encoder(name).text_encoder is not Encoder.text_encoder
    except ConfigError:
        return False


def check_packages(info: EncoderInfo) -> None:
    """Raise MissingPackageError, with the pip command, where what an encoder needs is absent."""
    if info.extra:
        check_extra(info.extra, *(info.packages or EXTRAS[info.extra]))


def find_encoder(name: str) -> type[Encoder]:
    """Return the class of a name or an import path; ConfigError, with similar names, if none."""
    if ":" in name:
        return _imported(name)
    installed = _installed()
    if name in _our_names():
        import_module(f"{PACKAGE}.{name}")
    elif name in installed and name not in _registered:
        _load(installed[name])
    if name not in _registered:
        _raise_unknown(name)
    return _registered[name]


def imported_module(name: str) -> str | None:
    """Return the module that finding an encoder would import by its path; None for other names."""
    module, colon, _ = name.partition(":")
    return module if colon and module not in PREFIXES else None


def list_encoders(pattern: str = "*", *, kind: EncoderKind | None = None) -> list[EncoderInfo]:
    """Return what is known of the encoders whose names match: ours, own ones, and the prefixes.

    Args:
        pattern: with `*`, `?` and `[]` as in a shell.
        kind: "picture", "sound" or "text"; None = all, and those whose kind is in their weights.

    Example:
        >>> [info.name for info in list_encoders("log*")]
        ['log_mel']
    """
    for name in _our_names():
        import_module(f"{PACKAGE}.{name}")
    for name, point in _installed().items():
        if name not in _registered:
            _load(point)
    found = [encoder.info for encoder in _registered.values()]
    modules = [import_module(f"{PACKAGE}._{module}") for module in PREFIXES.values()]
    found += [module.INFO for module in modules]
    return [
        info
        for info in found
        if fnmatchcase(info.name, pattern) and (kind is None or info.kind == kind)
    ]


_registered: dict[str, type[Encoder]] = {}


@cache
def _our_names() -> tuple[str, ...]:
    """Return the files of this package that are encoders, sorted."""
    return tuple(name for name in module_names(PACKAGE) if name != "base")


def path_of(encoder: type) -> str:
    """Return the import path of a class."""
    return f"{encoder.__module__}:{encoder.__qualname__}"


def _check_class(encoder: object, label: str) -> None:
    """Raise ConfigError where an object is no class of an encoder."""
    kinds = (PictureEncoder, SoundEncoder, TextEncoder)
    if not (isinstance(encoder, type) and issubclass(encoder, kinds)):
        raise ConfigError(f"{label} is no encoder", hint=_CLASS)
    if not isinstance(getattr(encoder, "info", None), EncoderInfo):
        raise ConfigError(f"{label} has no info", hint=_CLASS)
    missing = getattr(encoder, "__abstractmethods__", ())
    if missing:
        raise ConfigError(f"{label} has no {' and no '.join(sorted(missing))}()", hint=_CLASS)


@cache
def _installed() -> dict[str, EntryPoint]:
    """Return what installed packages announce, by name; ConfigError where a name is given twice."""
    return _ENTRY_POINTS.announced({name: f"{PACKAGE}.{name}" for name in _our_names()})


def _load(point: EntryPoint) -> None:
    """Import what an entry point names, and register it unless its module did."""
    encoder = _imported(point.value, f"the entry point {point.name} = {described(point)}")
    if encoder.info.name != point.name:
        raise ConfigError(
            f"{described(point)} is called {encoder.info.name!r}, but announced as {point.name!r}",
            hint="Give the entry point the name in the encoder's info.",
        )
    if _registered.get(point.name) is not encoder:
        register_encoder(encoder)


def _imported(path: str, label: str = "") -> type[Encoder]:
    """Return the class at an import path; ConfigError where there is none."""
    label = label or path
    module, _, names = path.partition(":")
    try:
        found: Any = import_module(module)
    except (ImportError, ValueError) as error:  # ValueError: an empty name
        known = ", ".join(f"{prefix}:" for prefix in PREFIXES)
        raise ConfigError(
            f"{label} cannot be imported ({reason_of(error)})",
            hint="Install the package, or put the folder with the module into PYTHONPATH. "
            f"Prefixes that are no module: {known}",
        ) from error
    for name in names.split("."):
        found = getattr(found, name, None)
    _check_class(found, label)
    encoder: type[Encoder] = found
    return encoder


def _raise_unknown(name: str) -> NoReturn:
    names = list(dict.fromkeys([*_our_names(), *_registered, *_installed()]))
    alike = difflib.get_close_matches(name, names, n=3)
    prefixes = ", ".join(f"{prefix}:..." for prefix in PREFIXES)
    raise ConfigError(
        f"there is no encoder {name!r}",
        hint=(f"Did you mean {' or '.join(alike)}? " if alike else "")
        + f"There are {', '.join([*names, prefixes])}: see `reeltag encoders`.\n  {_OWN}",
    )
