"""Classes as people type them: by name, in whatever case, or by number."""

import difflib

from reeltag.core.errors import ConfigError


def class_named(wanted: str, names: tuple[str, ...]) -> int:
    """Return the number of a class by its name, in whatever case, or by its number.

    Raises:
        ConfigError: no class, or more than one, has that name; close ones are told.
    """
    if wanted in names and names.count(wanted) == 1:
        return names.index(wanted)
    folded = [name.casefold() for name in names]
    found = [number for number, name in enumerate(folded) if name == wanted.casefold()]
    if len(found) == 1:
        return found[0]
    if wanted.isascii() and wanted.isdecimal():
        if int(wanted) < len(names):
            return int(wanted)
        if not found:
            raise ConfigError(f"must be in 0 to {len(names) - 1}, got {wanted}", where="--class")
    if found:
        raise ConfigError(
            f"{len(found)} classes are called {wanted!r}: {', '.join(map(str, found))}",
            where="--class",
            hint="Give one of these numbers.",
        )
    holds = sorted((name for name in names if wanted.casefold() in name.casefold()), key=len)
    close = difflib.get_close_matches(wanted.casefold(), folded, n=5)
    alike = dict.fromkeys([*(names[folded.index(name)] for name in close), *holds])
    raise ConfigError(
        f"no class is called {wanted!r}",
        where="--class",
        hint=f"Did you mean {', '.join([*alike][:5])}?"
        if alike
        else f"There are {len(names):,} classes: {', '.join(names[:3])}, ...",
    )
