"""Help of the commands whose flags depend on a model: some 25 basic options, or all of them."""

import dataclasses
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from reeltag.core.bounds import allowed
from reeltag.core.console import STDOUT
from reeltag.core.fields import Leaf, leaves

FLAGS = ("-h", "--help", "--help-all")
MOST_COLUMNS = 100
FROM_DATA = ("model.num_classes", "model.dims")  # are those of the data or a checkpoint: no flags


@dataclass(frozen=True, kw_only=True)
class Help:
    """What help of a command is about.

    Attributes:
        name: of the command.
        options: dataclass of those that do not depend on the model.
        basic: names of those that --help shows, next to all of the model's; none: all.
        sizes: where the sizes come from that are no flags.
        instead: what to do in place of giving them.
        files: what follows the name of the model, such as "CKPT.npz ".
    """

    name: str
    options: type
    basic: frozenset[str] = frozenset()
    sizes: str = "classes and widths of streams are those of the data"
    instead: str = "Leave it out. --streams takes some of the streams."
    files: str = ""


def print_help(command: Help, kind: type, usage: str, *, everything: bool) -> None:
    """Print the options of a command on stdout.

    Args:
        command: whose options they are.
        kind: the dataclass that holds them; its defaults are shown.
        usage: what is printed first.
        everything: show all.
    """
    found = [leaf for leaf in leaves(kind) if leaf.flag not in FROM_DATA]
    shown, names = found, command.basic
    if names and not everything:
        shown = [of for of in found if of.flag in names or of.flag.startswith("model.")]
    lines = [usage]
    for title, options in _groups(shown):
        lines += ["", title]
        for leaf in options:
            words = textwrap.wrap(_words(leaf), min(STDOUT.width, MOST_COLUMNS) - 8)
            lines += [f"  {_flag(leaf)}", *(f"        {line}" for line in words)]
    if len(shown) < len(found):
        lines += ["", f"--help-all shows {len(found) - len(shown)} more."]
    STDOUT.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _groups(options: Sequence[Leaf]) -> Iterator[tuple[str, list[Leaf]]]:
    """Yield the options without a dot, then those of each dataclass."""
    names = dict.fromkeys(of.flag.rpartition(".")[0] for of in options)
    for name in sorted(names, key=lambda name: (name != "", name != "model")):
        title = f"--{name.replace('_', '-')}.*" if name else "options"
        yield title, [of for of in options if of.flag.rpartition(".")[0] == name]


def _flag(leaf: Leaf) -> str:
    """Return a flag and what follows it: `--batch-size INT`."""
    name = leaf.flag.replace("_", "-")
    if leaf.kind is bool:
        group, dot, last = name.rpartition(".")
        return f"--{name}, --{group}{dot}no-{last}"
    return f"--{name} {value_name(leaf.kind)}"


def value_name(kind: Any) -> str:  # noqa: ANN401  (a type)
    """Return what follows the flag of an option of a type.

    >>> value_name(int | None), value_name(tuple[float, ...])
    ('INT', '[FLOAT ...]')
    """
    origin, options = get_origin(kind), get_args(kind)
    if origin is Literal:
        return f"{{{','.join(map(str, options))}}}"
    if origin in (Union, UnionType):
        return "|".join(value_name(of) for of in options if of is not NoneType)
    if origin is tuple:
        endless = options[-1] is Ellipsis
        return f"[{value_name(options[0])} ...]" if endless else " ".join(map(value_name, options))
    return str(getattr(kind, "__name__", kind)).upper()


def _words(leaf: Leaf) -> str:
    """Return the help of an option: what it does, what is allowed, its default."""
    notes = []
    if leaf.annotation != leaf.kind and get_origin(leaf.kind) is not Literal:
        notes.append(allowed(leaf.annotation))
    if leaf.default is dataclasses.MISSING:
        notes.append("required")
    elif leaf.default not in (None, "", ()) and leaf.default is not False:
        value = leaf.default
        shown = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        notes.append(f"default {shown}")
    return f"{leaf.words} ({'; '.join(notes)})" if notes else leaf.words
