"""Names of files and classes that hold everywhere, whatever ids and names are."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from reeltag.core.system.file_names import is_device
from reeltag.core.text import visible

_LONGEST = 180  # bytes of a stem; a name may have 255, and endings are added


def file_stem(video_id: str) -> str:
    """Return the name of a video's file, without its ending: nothing in it leads out of a folder.

    Characters that a file name cannot hold everywhere are written as %XX. A name of more than 180
    bytes is cut, and ends with a hash of the id, as does one that Windows keeps for a device.

    >>> file_stem("../a b"), file_stem("-x_Y9")
    ('%2E.%2Fa%20b', '-x_Y9')
    """
    safe = _quoted(video_id)
    is_usable = 0 < len(safe) <= _LONGEST and not is_device(safe)
    return safe if is_usable else hashed_stem(video_id)


def file_stems(ids: Iterable[str]) -> dict[str, str]:
    """Return the stem of each id; those that differ by case only end with a hash of the id."""
    stems = {name: file_stem(name) for name in ids}
    taken: dict[str, list[str]] = {}
    for name, stem in stems.items():
        taken.setdefault(stem.casefold(), []).append(name)
    for names in taken.values():
        if len(names) > 1:
            stems |= {name: hashed_stem(name) for name in names}
    return stems


def one_line(text: str) -> str:
    r"""Return a text in one line: white space is a blank, what cannot be printed is U+FFFD.

    >>> one_line(" R&B\n and\tmore ")
    'R&B and more'
    """
    return visible(" ".join(text.split()))


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, its lines ending with a line feed."""
    path.write_text(text, encoding="utf-8", errors="replace", newline="\n")


def hashed_stem(video_id: str) -> str:
    """Return the stem of an id, cut where it is long, with a hash of the id."""
    digest = hashlib.sha256(video_id.encode(errors="surrogatepass")).hexdigest()[:16]
    cut = re.sub("%.?$", "", _quoted(video_id)[: _LONGEST - len(digest) - 1])
    stem = f"{cut}~{digest}"
    return f"_{stem}" if is_device(stem) else stem  # nul.txt~... is one, too


def _quoted(video_id: str) -> str:
    safe = quote(video_id, safe="", errors="replace")
    return f"%2E{safe[1:]}" if safe.startswith(".") else safe
