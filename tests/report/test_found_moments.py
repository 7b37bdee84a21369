"""Found moments on the page: read, scored against known events, chosen, drawn."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reeltag.core.errors import DataError
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.report.film_strip import film_strip
from reeltag.report.found_moments import (
    FoundMoments,
    choose_found,
    read_found,
    score_found,
)
from reeltag.report.found_section import found_section
from tests.data.made import frame_record, write_shard

NAMES = ("Dog", "Cat & <mouse>", "never")
HEADER = "class,name,id,start_s,end_s,peak_s,prob,mean_prob\n"


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Five videos of 20 s of a test split, one of train, three classes."""
    folder = tmp_path / "data"
    records = [frame_record(f"film_{n}", 20) for n in range(5)]
    write_shard(folder / "test0.tfrecord", records)
    write_shard(folder / "train0.tfrecord", [frame_record("film_9", 20)])
    ClassList(NAMES).save(folder / "classes.csv")
    return Dataset.open(folder, jobs=1, quiet=True)


def written(data: Dataset, moments: str, events: str = "") -> tuple[Path, Path | None]:
    """Write tables of moments (class, video, start, end, prob) and events, a word each."""
    rows = [word.split(":") for word in moments.split()]
    path = data.path / "m.csv"
    lines = [f"{c},x,film_{v},{a},{b},{a},{p},{p}" for c, v, a, b, p in rows]
    path.write_text(HEADER + "".join(line + "\n" for line in lines))
    if not events:
        return path, None
    lines = ["file,start_s,end_s,class"]
    for c, v, a, b in (word.split(":") for word in events.split()):
        lines.append(f'film_{v}.mp4,{a},{b},"{NAMES[int(c)]}"')
    (data.path / "e.csv").write_text("\n".join(lines))
    return path, data.path / "e.csv"


def found(data: Dataset, moments: str, events: str = "", **more: Any) -> FoundMoments:
    """Return what is read of such tables."""
    return read_found(*written(data, moments, events), data, more.get("split"))


def test_moments_are_scored_against_events_of_the_searched_videos(data: Dataset) -> None:
    of = found(data, "0:0:2:6:0.9 0:1:5:9:0.8 1:0:0:4:0.7", "0:0:2:6 0:1:4:9 1:2:0:4 0:9:0:9")
    assert list(of.searched) == [f"film_{n}" for n in range(5)]
    scores, classes = score_found(of)
    assert of.known is not None and len(of.known.classes) == 3  # that of film_9 was not searched
    # Dog: both right up to .7 (4 of 5 s); Cat: one event, and one moment elsewhere
    assert scores == {"map@tiou=0.3": 0.5, "map@tiou=0.5": 0.5, "map@tiou=0.7": 0.5}
    assert [(each.name, each.events, each.moments, each.precision) for each in classes] == [
        ("Dog", 2, 2, 1.0),
        (NAMES[1], 1, 1, 0.0),
    ]


def test_moments_of_other_splits_are_all_videos(data: Dataset) -> None:
    of = found(data, "0:9:2:6:0.9")
    assert len(of.searched) == 6 and of.known is None
    assert score_found(of)[0] == {} and score_found(of)[1][0].precision is None
    with pytest.raises(DataError, match="has moments of 'film_9', which is not of the split"):
        found(data, "0:9:2:6:0.9", split="test")
    with pytest.raises(DataError, match="film_7"):
        found(data, "0:7:2:6:0.9")


def test_no_moments_are_scored_as_none_found(data: Dataset) -> None:
    of = found(data, "", "0:0:2:6")
    scores, (only,) = score_found(of)
    assert set(scores.values()) == {0.0} and (only.events, only.moments) == (1, 0)
    assert found_section(of, data.path, count=2, seed=0).timelines[0][0].agreement == 0


def test_best_worst_and_random_videos_are_shown(data: Dataset) -> None:
    moments = " ".join(f"0:{v}:0:{10 - 2 * v}:0.9" for v in range(4))
    events = " ".join(f"0:{v}:0:10" for v in range(4))
    shown = choose_found(found(data, moments, events), count=1, seed=0)
    assert [(video.why, video.id) for video in shown[:2]] == [
        ("best", "film_0"),
        ("worst", "film_3"),
    ]
    assert [video.agreement for video in shown[:2]] == pytest.approx([1.0, 0.4])
    assert shown[2].why == "random" and shown[2].id in ("film_1", "film_2")  # film_4 has nothing
    alone = choose_found(found(data, moments), count=1, seed=0)
    assert {video.why for video in alone} == {"random"} and len(alone) == 3


def test_video_shows_its_classes_by_first_appearance(data: Dataset) -> None:
    of = found(data, "0:0:8:9:0.9 0:0:12:13:0.5", "1:0:2:6 0:0:8:10")
    (video,) = choose_found(of, count=1, seed=0)
    assert [(each.name, each.known, len(each.found)) for each in video.classes] == [
        (NAMES[1], ((2.0, 6.0),), 0),
        ("Dog", ((8.0, 10.0),), 2),
    ]


def test_section_draws_what_it_says(data: Dataset) -> None:
    section = found_section(found(data, "0:0:2:6:0.9", "1:0:2:6"), data.path, count=2, seed=3)
    ((_, svg),) = section.timelines
    words = "Moments of video film_0: Cat &amp; &lt;mouse&gt; known 2 to 6 s, found never"
    assert words in svg and "Dog known never, found 2 to 6 s" in svg
    assert section.chosen.endswith("and random ones (seed 3).") and "<image" not in svg


def previews(data: Dataset, about: object) -> None:
    """Write a sheet of 12 thumbnails, 4 x 2 pixels, 10 in a row, each of its own grey."""
    folder = data.path / "previews"
    folder.mkdir(exist_ok=True)
    sheet = np.zeros((4, 40, 3), np.uint8)
    for n in range(12):
        row, column = divmod(n, 10)
        sheet[2 * row : 2 * row + 2, 4 * column : 4 * column + 4] = 20 * n
    Image.fromarray(sheet).save(folder / "film_0.png")
    (folder / "film_0.json").write_text(json.dumps(about))


def test_strip_has_pictures_at_equal_times(data: Dataset) -> None:
    size = {"file": "film_0.png", "width": 4, "height": 2, "columns": 10, "count": 12}
    previews(data, {"thumbnails": size})
    strip = film_strip(data.path, "film_0")
    assert strip is not None and strip.shape == (44, 880, 3)
    expected = [20 * int(12 * n / 10) for n in range(10)]
    assert strip[20, 44::88, 0].tolist() == expected
    section = found_section(found(data, "0:0:2:6:0.9"), data.path, count=2, seed=0)
    assert "<image" in section.timelines[0][1]


def test_strip_is_left_out_where_there_is_none(data: Dataset) -> None:
    assert film_strip(data.path, "film_0") is None and film_strip(data.path, "../m") is None
    odd: list[object] = [{"thumbnails": None}, {}, [], {"thumbnails": {"file": "gone.jpg"}}]
    for about in odd:
        previews(data, about)
        assert film_strip(data.path, "film_0") is None
