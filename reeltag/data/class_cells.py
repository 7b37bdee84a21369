"""Cells of tables that name classes: one, or several in a list."""

import ast
import re

from reeltag.core.errors import ConfigError
from reeltag.data.class_list import ClassList

UNKNOWN = -1


def indices_of(value: str, classes: ClassList) -> list[int]:
    """Return the classes that a text names by name, MID or index, `UNKNOWN` for each unknown one.

    Args:
        value: one, or several as "a;b", "a|b", "[1, 2]" or, where all are known, "a,b".
        classes: of the data.
    """
    if value in ("", "[]"):
        return []
    whole = index_of(value, classes)
    if whole != UNKNOWN:
        return [whole]
    found = [index_of(part, classes) for part in split_cell(value)]
    sure = found and (all(of >= 0 for of in found) or not re.fullmatch(r"[^;|\[]*", value))
    return found if sure else [UNKNOWN]  # a comma may be part of a name


def index_of(value: str, classes: ClassList) -> int:
    """Return the class that a text names as a whole; `UNKNOWN` where it names none."""
    try:
        return classes.index_of(value)
    except ConfigError:
        return UNKNOWN


def split_cell(value: str) -> list[str]:
    """Return the parts of a cell: of "a;b", "a|b", "a,b", "[1, 2]" or "['a', 'b']"."""
    if value.startswith("[") and value.endswith("]"):
        try:
            return [str(part).strip() for part in ast.literal_eval(value)]
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            value = value[1:-1]
    separator = next((mark for mark in ";|," if mark in value), None)
    return [part.strip() for part in value.split(separator) if part.strip()] if separator else []
