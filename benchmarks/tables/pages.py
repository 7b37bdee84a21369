"""Pages with marked tables: `<!-- table: NAME -->`, the table, `<!-- end -->`."""

import re
from collections.abc import Callable, Mapping

Tables = Mapping[str, Callable[[], str]]
MARKED = re.compile(r"^<!-- table: (\S+) -->\n(.*?)^<!-- end -->$", re.DOTALL | re.MULTILINE)


class PageError(ValueError):
    """A page whose markers are not the tables that belong on it."""


def filled(text: str, tables: Tables) -> str:
    """Return a page with every marked table generated again.

    Raises PageError if the page marks an unknown table, or lacks one of `tables`.
    """
    found = [match[1] for match in MARKED.finditer(text)]
    if sorted(found) != sorted(tables):
        raise PageError(
            f"the tables marked are {', '.join(found) or 'none'}; "
            f"there have to be {', '.join(tables)}, each once"
        )
    return MARKED.sub(lambda match: _marked(match[1], tables[match[1]]()), text)


def differences(text: str, tables: Tables) -> list[str]:
    """Return a line for each marked table that differs from results/: its first differing line."""
    now = {match[1]: match[2].splitlines() for match in MARKED.finditer(text)}
    fresh = {match[1]: match[2].splitlines() for match in MARKED.finditer(filled(text, tables))}
    found = []
    for name, lines in fresh.items():
        if lines != now[name]:
            here, there = _first_difference(now[name], lines)
            found.append(f"table {name}: {here!r} should be {there!r}")
    return found


def _marked(name: str, table: str) -> str:
    return f"<!-- table: {name} -->\n{table}\n<!-- end -->"


def _first_difference(now: list[str], fresh: list[str]) -> tuple[str, str]:
    """Return the first line that differs, on both sides; "" past an end."""
    size = max(len(now), len(fresh))
    padded = (lines + [""] * (size - len(lines)) for lines in (now, fresh))
    return next((here, there) for here, there in zip(*padded, strict=True) if here != there)
