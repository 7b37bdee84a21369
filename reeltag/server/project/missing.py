"""The error for what was asked for and is not there."""

import difflib
from collections.abc import Collection

from reeltag.core.errors import DataError

_SHOWN = 3


class NotThereError(DataError):
    """There is no such video, class, finder, job or rating."""

    status = 404  # of HTTP

    @classmethod
    def of(cls, kind: str, wanted: str, known: Collection[str]) -> "NotThereError":
        """Return the error, with names like the wanted one.

        Args:
            kind: of thing, as in "video".
            wanted: its name or id.
            known: all names.

        >>> print(NotThereError.of("class", "Gitar", ["Guitar", "Dog"]))
        there is no class 'Gitar'
          Did you mean Guitar?
        """
        close = difflib.get_close_matches(wanted, list(known)[:10_000], n=_SHOWN)
        if close:
            hint = f"Did you mean {' or '.join(close)}?"
        else:
            some = ", ".join(list(known)[:_SHOWN])
            hint = f"There are {some}{', ...' if len(known) > _SHOWN else ''}." if some else ""
        return cls(f"there is no {kind} {wanted!r}", hint=hint)
