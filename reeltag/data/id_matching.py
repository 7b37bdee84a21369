"""Which video a file name means: with or without folder and extension."""

import re
from collections.abc import Iterable

_EXTENSION = re.compile(r"\.(?=\w*[A-Za-z])\w{1,10}$")


def match_file_names(names: Iterable[str], ids: Iterable[str]) -> dict[str, list[str]]:
    """Return the ids that file names mean, for those that mean one; two or more: it is ambiguous.

    Both may have folders and an extension. They match where the path of one is the end of that of
    the other: "v1.mp4" and "x/train/v1.npy" mean "train/v1", "test/v1.npy" does not. The longest
    match counts, and of these one of the same length.

    Args:
        names: that are no ids.
        ids: of the data.
    """
    by_stem: dict[str, list[str]] = {}
    for known in dict.fromkeys(ids):
        for form in _last_forms(known):
            by_stem.setdefault(form, []).append(known)
    found = {}
    for name in names:
        likely = {known for form in _last_forms(name) for known in by_stem.get(form, ())}
        ranked = {known: rank for known in likely if (rank := _rank(name, known))}
        best = max(ranked.values(), default=None)
        if best is not None:
            found[name] = sorted(known for known, rank in ranked.items() if rank == best)
    return found


def _parts(path: str) -> list[str]:
    return [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]


def _last_forms(path: str) -> set[str]:
    """Return the last component of a path, as it is and without its extension."""
    last = (_parts(path) or [""])[-1]
    return {last, _EXTENSION.sub("", last)} - {""}


def _rank(name: str, known: str) -> tuple[int, bool] | None:
    """Return how many components agree, and whether all do; None where the paths differ."""
    one, other = _parts(name)[:-1], _parts(known)[:-1]
    shared = min(len(one), len(other))
    if shared and one[-shared:] != other[-shared:]:
        return None
    return shared, len(one) == len(other)
