"""Ratings keep their history; weak labels their source."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reeltag.core.errors import DataError
from reeltag.library.database.library import Library
from reeltag.library.database.ratings import LibraryRating
from reeltag.library.database.weak_labels import LibraryLabel
from reeltag.library.media.finding import find_media

FIRST = LibraryRating(video_id="a", start_s=0.0, end_s=5.0, class_name="dog", value=1.0, who="me")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    (tmp_path / "videos").mkdir()
    for name in "ab":
        (tmp_path / "videos" / f"{name}.mp4").write_text(name)
    with Library.open(tmp_path, create=True) as opened:
        opened.sync(find_media([tmp_path / "videos"]))
        yield opened


def values(library: Library, *, history: bool = False) -> list[tuple[float | None, bool]]:
    return [(of.value, of.counts) for of in library.ratings.all(history=history)]


def test_last_rating_of_a_window_counts_and_none_is_lost(library: Library) -> None:
    library.ratings.add([FIRST, replace(FIRST, end_s=6.0, value=0.5)])
    library.ratings.add([replace(FIRST, value=0.0)])
    assert values(library) == [(0.5, True), (0.0, True)]
    assert values(library, history=True) == [(1.0, False), (0.5, True), (0.0, True)]


def test_withdrawn_rating_does_not_count(library: Library) -> None:
    library.ratings.add([FIRST])
    library.ratings.add([replace(FIRST, value=None)])
    assert values(library) == [] and len(values(library, history=True)) == 2


def test_people_do_not_replace_each_other(library: Library) -> None:
    library.ratings.add([FIRST, replace(FIRST, who="you", value=0.0)])
    assert values(library) == [(1.0, True), (0.0, True)]


def test_rating_of_a_whole_video_replaces_the_one_before(library: Library) -> None:
    whole = replace(FIRST, end_s=None)
    library.ratings.add([whole, replace(whole, value=0.0)])
    assert values(library) == [(0.0, True)]


@pytest.mark.parametrize(
    ("change", "error"),
    [({"video_id": "c"}, DataError), ({"value": 2.0}, DataError), ({"end_s": 0.0}, DataError)],
)
def test_all_ratings_are_added_or_none(
    library: Library, change: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        library.ratings.add([FIRST, replace(FIRST, **change)])  # type: ignore[arg-type]
    assert values(library, history=True) == []


def test_labels_of_a_source_are_replaced(library: Library) -> None:
    library.weak_labels.replace("folders", [LibraryLabel("a", "dog"), LibraryLabel("b", "cat")])
    library.weak_labels.replace("text", [LibraryLabel("a", "dog", 0.3), LibraryLabel("a", "dog")])
    library.weak_labels.replace("folders", [LibraryLabel("b", "cat", 0.5)])
    assert library.weak_labels.all() == [
        LibraryLabel("a", "dog", 1.0, "text"),
        LibraryLabel("b", "cat", 0.5, "folders"),
    ]
    with pytest.raises(DataError, match="has no video 'z'"):
        library.weak_labels.replace("text", [LibraryLabel("z", "dog")])
    assert len(library.weak_labels.all()) == 2
