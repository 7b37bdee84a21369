"""Labels from where videos are: names of folders, and yt-dlp's .info.json next to them.

Source of the fields: yt-dlp README, "Output template": tags, categories and title of a video.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from reeltag.core.console import say
from reeltag.core.errors import DataError
from reeltag.library.labelling.names import holds_words

FOLDERS, INFO_JSON = "folders", "info-json"
TAG, CATEGORY, TITLE = 0.8, 0.6, 0.5  # confidence, by convention: tags are meant to be searched for


class Word(NamedTuple):
    """A word that a source gives to a video, with the confidence that it is about it."""

    video: str
    word: str
    confidence: float


def folder_words(paths: Mapping[str, Path]) -> list[Word]:
    """Return the names of all folders that a video is in, below the one that holds all videos.

    Args:
        paths: of the videos, by id.

    Raises:
        DataError: all videos are in one folder.
    """
    folders = {video: path.parent for video, path in paths.items()}
    if len(set(folders.values())) < 2:
        where = next(iter(folders.values()), "videos.csv")
        raise DataError(
            "holds all videos: names of folders are no labels",
            where=where,
            hint="Put the videos of a class into a folder of its name, and extract again.",
        )
    top = Path(os.path.commonpath([*map(str, folders.values())]))
    return [
        Word(video, name, 1.0)
        for video, folder in folders.items()
        for name in folder.relative_to(top).parts
    ]


def info_words(paths: Mapping[str, Path], classes: tuple[str, ...]) -> list[Word]:
    """Return tags and categories of videos, and classes whose names are words of their titles.

    Args:
        paths: of the videos, by id; film.mp4 has film.info.json next to it.
        classes: that are looked for in titles.

    Raises:
        DataError: no video has an .info.json that can be read.
    """
    found, problems, number = [], dict[str, str](), 0
    for video, path in paths.items():
        side = path.with_name(path.stem + ".info.json")
        try:
            info = json.loads(side.read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            problems[str(side)] = str(error)
            continue
        if isinstance(info, dict):
            number += 1
            found += [Word(video, *of) for of in _words(info, classes)]
    if problems:
        say(f"{len(problems):,} .info.json files cannot be read: {next(iter(problems))}, ...")
    if not number:
        raise DataError(
            "no video has an .info.json next to it that can be read",
            where=next((path.parent for path in paths.values()), "videos.csv"),
            hint="yt-dlp writes them with --write-info-json.",
        )
    if number < len(paths):
        say(f"{len(paths) - number:,} of {len(paths):,} videos have no .info.json")
    return found


def _words(info: Mapping[str, Any], classes: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    """Yield the words of one video, each with its confidence."""
    for field, confidence in (("tags", TAG), ("categories", CATEGORY)):
        words = info.get(field)
        if isinstance(words, list):
            for word in words:
                if isinstance(word, str) and word.strip():
                    yield word.strip(), confidence
    title = info.get("title")
    if isinstance(title, str):
        yield from ((name, TITLE) for name in classes if holds_words(title, name))
