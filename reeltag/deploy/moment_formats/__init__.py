"""Moments in the formats of other tools: a file a format, and ratings back in from some of them.

moment_formats/
    contract.py     MomentExport: moments, classes, videos; MomentFormat: name, write(export, path)
    writing.py      whole or not at all
    names.py        file names and lines that hold everywhere
    verdicts.py     how a person rated a moment in another tool
    webvtt.py ...   a format: `write`, `FORMAT`, and `read` where ratings come back
"""

import difflib

from reeltag.core.errors import ConfigError
from reeltag.deploy.moment_formats import (
    activitynet,
    audacity,
    csv_table,
    edl,
    elan,
    fiftyone,
    json_list,
    label_studio,
    otio,
    raven,
    webvtt,
    youtube_chapters,
)
from reeltag.deploy.moment_formats.contract import MomentFormat

FORMATS: tuple[MomentFormat, ...] = (
    webvtt.FORMAT,
    csv_table.FORMAT,
    json_list.FORMAT,
    audacity.FORMAT,
    youtube_chapters.FORMAT,
    raven.FORMAT,
    elan.FORMAT,
    label_studio.FORMAT,
    fiftyone.FORMAT,
    activitynet.FORMAT,
    edl.FORMAT,
    otio.FORMAT,
)


def format_named(name: str, *, where: str = "format") -> MomentFormat:
    """Return a format by its name; ConfigError, with all names, where there is none.

    Args:
        name: of the format.
        where: option that gives it, for the error.
    """
    found = [each for each in FORMATS if each.name == name]
    if not found:
        names = [each.name for each in FORMATS]
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"There are {', '.join(names)}."
        raise ConfigError(f"there is no format {name!r}", where=where, hint=hint)
    return found[0]
