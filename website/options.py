"""Options of a command, read from the dataclass that its command line is made of."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import tyro

from reeltag.cli.help import value_name
from reeltag.core.bounds import allowed
from reeltag.core.fields import field_docs


@dataclass(frozen=True, kw_only=True)
class Option:
    """A flag or a positional argument.

    Attributes:
        name: with its dashes, or the metavar of a positional argument.
        value: what follows a flag, such as INT; empty for a switch.
        words: its help.
        notes: what is allowed, whether it is required, its default.
        group: what its name begins with, such as "loss"; empty: nothing.
        positional: it has no flag.
    """

    name: str
    value: str
    words: str
    notes: tuple[str, ...]
    group: str
    positional: bool

    @property
    def usage(self) -> str:
        """Return it as a line that shows how the command is called has it."""
        text = f"{self.name.partition(',')[0]} {self.value}".rstrip()
        return text if "required" in self.notes else f"[{text}]"


@dataclass(frozen=True, kw_only=True)
class _Field:
    name: str
    kind: Any
    annotation: Any
    words: str
    default: object

    @property
    def marks(self) -> list[Any]:
        return list(getattr(self.annotation, "__metadata__", ()))

    def setting(self, name: str) -> str | None:
        """Return what `tyro.conf.arg` was given as `name`; None: nothing."""
        found = [getattr(mark, name, None) for mark in self.marks if _is_of_tyro(mark)]
        return next((of for of in found if isinstance(of, str)), None)

    @property
    def spelled(self) -> str:
        """Return its name as a flag has it."""
        return self.setting("name") or self.name.strip("_").replace("_", "-")

    @property
    def is_unnamed(self) -> bool:
        """Return whether flags of the dataclass that it holds leave out its name."""
        return self.is_bare or self.setting("name") == ""

    @property
    def is_bare(self) -> bool:
        """Return whether they leave out the names of all dataclasses inside of it too."""
        return tyro.conf.OmitArgPrefixes in self.marks

    @property
    def repeats(self) -> bool:
        """Return whether the flag is given again for each value."""
        return tyro.conf.UseAppendAction in self.marks

    def notes(self) -> Iterator[str]:
        """Yield what is allowed, whether it is required, or its default."""
        bounded = _without_tyro(self.annotation)
        if bounded != self.kind and get_origin(self.kind) is not Literal:
            yield allowed(bounded)
        if self.repeats:
            yield "may be given several times"
        value = self.default
        if value is dataclasses.MISSING:
            yield "required"
        elif isinstance(value, bool):
            yield f"default: {'yes' if value else 'no'}"
        elif value not in (None, "", ()):
            shown = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            yield f"default: `{shown}`"


def options_of(
    kind: Any,  # noqa: ANN401  (a dataclass)
    value: object = None,
    prefix: tuple[str, ...] = (),
    *,
    bare: bool = False,
) -> Iterator[Option]:
    """Yield the options of a dataclass in their order, and those of dataclasses inside of it.

    Args:
        kind: the dataclass.
        value: one of its objects, whose values are the defaults; None: those of the class.
        prefix: what the flags begin with.
        bare: dataclasses inside of it add nothing to that.
    """
    for of in _fields(kind, value):
        if dataclasses.is_dataclass(of.kind):
            inner = prefix if bare or of.is_unnamed else (*prefix, of.spelled)
            default = None if of.default is dataclasses.MISSING else of.default
            yield from options_of(of.kind, default, inner, bare=bare or of.is_bare)
        else:
            yield _option(of, prefix)


def _fields(kind: type, value: object) -> Iterator[_Field]:
    kinds, annotations = get_type_hints(kind), get_type_hints(kind, include_extras=True)
    words: Mapping[str, str] = field_docs(kind)
    for of in dataclasses.fields(kind):
        default = of.default if of.default_factory is dataclasses.MISSING else of.default_factory()
        yield _Field(
            name=of.name,
            kind=kinds[of.name],
            annotation=annotations[of.name],
            words=words.get(of.name, ""),
            default=default if value is None else getattr(value, of.name),
        )


def _option(of: _Field, prefix: tuple[str, ...]) -> Option:
    kind = get_args(of.kind)[0] if of.repeats else of.kind
    value = of.setting("metavar") or ("" if of.kind is bool else value_name(kind))
    positional = tyro.conf.Positional in of.marks
    flag = f"--{'.'.join([*prefix, of.spelled])}"
    if of.kind is bool:
        flag += f", --{'.'.join([*prefix, f'no-{of.spelled}'])}"
    return Option(
        name=value if positional else flag,
        value="" if positional else value,
        words=of.words,
        notes=tuple(of.notes()),
        group="" if positional else ".".join(prefix),
        positional=positional,
    )


def _without_tyro(annotation: Any) -> Any:  # noqa: ANN401  (types)
    """Return an annotation without what is for tyro, also within unions and tuples."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = [mark for mark in annotation.__metadata__ if not _is_of_tyro(mark)]
        inner = _without_tyro(parts[0])
        return Annotated[(inner, *bounds)] if bounds else inner
    if origin in (Union, UnionType):
        return Union[tuple(map(_without_tyro, parts))]  # noqa: UP007
    if origin is tuple:
        return tuple.__class_getitem__(tuple(map(_without_tyro, parts)))
    return annotation


def _is_of_tyro(mark: object) -> bool:
    return type(mark).__module__.startswith("tyro")


def as_markdown(options: Sequence[Option], *, level: int = 2) -> str:
    """Return sections of definition lists: positional arguments, flags, a section for each group.

    Args:
        options: in their order.
        level: of the headings.
    """
    heads = "#" * level
    groups: dict[str, list[Option]] = {}
    for of in options:
        title = "Arguments" if of.positional else f"`--{of.group}.*`" if of.group else "Options"
        groups.setdefault(title, []).append(of)
    order = sorted(groups, key=lambda title: (title != "Arguments", title != "Options"))
    return "\n\n".join(
        part for title in order for part in (f"{heads} {title}", definitions(groups[title]))
    )


def definitions(options: Sequence[Option]) -> str:
    """Return a definition list of options."""
    return "\n\n".join(map(_defined, options))


def _defined(of: Option) -> str:
    notes = f" ({'; '.join(map(escape_words, of.notes))})" if of.notes else ""
    term = escape(f"{of.name} {of.value}".strip())
    return f"<code>{term}</code>\n:   {escape_words(of.words)}{notes}"


def escape_words(text: str) -> str:
    r"""Return Markdown that shows a text as it is; what is between backticks is code.

    >>> escape_words("all *.csv, `b_c*`: <x>")
    'all \\*.csv, `b_c*`: &lt;x&gt;'
    """
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a backtick alone
        return _escaped(text)
    return "`".join(part if place % 2 else _escaped(part) for place, part in enumerate(parts))


def _escaped(text: str) -> str:
    signs = "".join(f"\\{sign}" if sign in "\\*_[]{}#`" else sign for sign in text)
    return signs.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
