"""What the docstring of a solution says of it, and solutions found by name."""

import difflib
import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

from reeltag.core.errors import ConfigError
from reeltag.papers.common.contract import SolutionModule

_FIELD = re.compile(r"([A-Z][a-z]+):\s+(\S.*)")


@dataclass(frozen=True, kw_only=True)
class About:
    """The header of a solution: see `reeltag.papers`."""

    name: str
    title: str
    paper: str
    needs: str
    cost: str
    run: str
    try_: str
    reaches: str
    departs: str


def about(solution: SolutionModule) -> About:
    """Return what the docstring says.

    Raises:
        ValueError: a line of the header is missing.
    """
    title, *lines = inspect.cleandoc(solution.__doc__ or "").splitlines()
    found: dict[str, str] = {}
    last = ""
    for line in lines:
        named = _FIELD.fullmatch(line)
        if named:
            last = named[1].lower()
            found[last] = named[2].strip()
        elif last and line.startswith(" "):
            found[last] += f" {line.strip()}"
        else:
            last = ""
    found["try_"] = found.pop("try", "")
    wanted = [field.name for field in fields(About)][2:]
    missing = [name.strip("_").title() for name in wanted if not found.get(name)]
    if missing:
        raise ValueError(f"the docstring of {solution.__name__} lacks {', '.join(missing)}")
    values = {name: found[name] for name in wanted}
    return About(name=solution_name(solution), title=title, **values)


def solution_name(solution: SolutionModule) -> str:
    """Return what a solution is called: the name of its file."""
    return solution.__name__.removesuffix(".program").rpartition(".")[2]


def solution_named(name: str, solutions: Sequence[SolutionModule]) -> SolutionModule:
    """Return a solution by its name.

    Raises:
        ConfigError: there is none of that name; close ones are told.
    """
    names = {solution_name(solution): solution for solution in solutions}
    if name in names:
        return names[name]
    close = difflib.get_close_matches(name.casefold(), names, n=3)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(names)}."
    raise ConfigError(
        f"there is no solution {name!r}", hint=hint if names else "`reeltag solve` lists them."
    )
