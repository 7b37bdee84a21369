"""The list of videos: search, filters, order and pages."""

import dataclasses

import pytest

from reeltag.library.database.ratings import LibraryRating
from reeltag.server.project.missing import NotThereError
from reeltag.server.project.project import Project
from reeltag.server.project.video_list import ListChoice, video_list_view
from reeltag.server.project.videos import natural_key


def ids(project: Project, choice: ListChoice) -> list[str]:
    return [card.id for card in video_list_view(project, choice).videos]


def test_videos_are_listed_by_name_in_pages(project: Project) -> None:
    every = ids(project, ListChoice())
    assert every == [f"film_00{n}" for n in range(1, 7)]
    page = video_list_view(project, ListChoice(offset=4, limit=3))
    assert [card.id for card in page.videos] == every[4:] and (page.total, page.offset) == (6, 4)


def test_numbers_in_names_sort_by_value() -> None:
    assert sorted(["clip 10", "Clip 9", "a"], key=natural_key) == ["a", "Clip 9", "clip 10"]


def test_search_takes_parts_of_names_in_any_case(project: Project) -> None:
    assert ids(project, ListChoice(search="FILM 003")) == ["film_003"]
    assert ids(project, ListChoice(search="nothing")) == []


def test_rated_videos_are_filtered_and_sorted_first(project: Project) -> None:
    rating = LibraryRating(video_id="film_004", start_s=0.0, end_s=5.0, class_name="dog", value=1.0)
    assert project.library is not None
    project.library.ratings.add([rating, dataclasses.replace(rating, start_s=1.0)])
    assert ids(project, ListChoice(rated=True)) == ["film_004"]
    assert len(ids(project, ListChoice(rated=False))) == 5
    first = video_list_view(project, ListChoice(sort="rated")).videos[0]
    assert (first.id, first.num_ratings) == ("film_004", 2)


def test_longest_video_comes_first_by_length(project: Project) -> None:
    cards = video_list_view(project, ListChoice(sort="length")).videos
    seconds = [card.duration_s or 0 for card in cards]
    assert seconds == sorted(seconds, reverse=True) and seconds[0] > seconds[-1]


def test_state_filters(project: Project) -> None:
    assert ids(project, ListChoice(state="error")) == []
    assert len(ids(project, ListChoice(state="extracted"))) == 6


def test_unknown_class_is_not_there(project: Project) -> None:
    with pytest.raises(NotThereError, match="no class 'nothing like it'"):
        ids(project, ListChoice(class_name="nothing like it"))
