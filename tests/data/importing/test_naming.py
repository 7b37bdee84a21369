"""Paths and names inside of files as ids, streams and splits."""

import pytest

from reeltag.data.importing.naming import (
    ArrayName,
    ArrayPlace,
    look_alike_folders,
    name_arrays,
    split_of,
)


def named(places: dict[str, list[str]], *streams: str) -> set[tuple[str, ...]]:
    """Return (id, stream, split) for file -> names inside of it, "" for an .npy."""
    listed = [
        ArrayPlace(file, tuple(filter(None, name.split("/"))))
        for file, names in places.items()
        for name in names
    ]
    return {tuple(name) for name in name_arrays(listed, streams)}


@pytest.mark.parametrize(
    ("places", "wanted"),
    [
        ({"a": [""], "b": [""]}, {("a", "features", ""), ("b", "features", "")}),
        ({"sub/a": [""]}, {("sub/a", "features", "")}),
        ({"rgb/s/a": [""], "audio/s/a": [""]}, {("s/a", "rgb", ""), ("s/a", "audio", "")}),
        ({"a_rgb": [""], "a_audio": [""]}, {("a", "rgb", ""), ("a", "audio", "")}),
        ({"live_audio": [""], "b": [""]}, {("live_audio", "features", ""), ("b", "features", "")}),
        ({"audio": [""], "rgb": [""]}, {("audio", "features", ""), ("rgb", "features", "")}),
        (
            {"train/a": [""], "val/b": [""]},
            {("a", "features", "train"), ("b", "features", "validate")},
        ),
        ({"test/rgb/a": [""]}, {("a", "rgb", "test")}),
        ({"rgb/valid/a": [""]}, {("a", "rgb", "validate")}),
        (
            {"training": [""], "train_station": [""]},
            {("training", "features", ""), ("train_station", "features", "")},
        ),
        ({"a": ["x", "y"], "b": ["x", "y"]}, {(i, s, "") for i in "ab" for s in "xy"}),
        ({"a": ["arr_0"], "b": ["arr_0"]}, {("a", "features", ""), ("b", "features", "")}),
        ({"all": ["a", "b"]}, {("a", "features", ""), ("b", "features", "")}),
        ({"train": ["a", "b"], "test": ["a", "c"]}, {("train/a", "features", "train")}),
        ({"all": ["x/a", "x/b", "y/a", "y/b", "x/c"]}, {("c", "x", "")}),
        ({"all": ["a/x", "a/y", "b/x", "b/y", "c/y"]}, {("c", "y", "")}),
        ({"all": ["train/a/x", "test/b/x"]}, {("a", "x", "train"), ("b", "x", "test")}),
        (
            {"rgb": ["a", "b"], "audio": ["a", "b"]},
            {(i, s, "") for i in "ab" for s in ("rgb", "audio")},
        ),
    ],
)
def test_array_is_named_by_its_place(
    places: dict[str, list[str]], wanted: set[tuple[str, ...]]
) -> None:
    assert wanted <= named(places)


def test_same_name_in_two_splits_is_two_videos() -> None:
    found = named({"train/1": [""], "test/1": [""]})
    assert found == {("train/1", "features", "train"), ("test/1", "features", "test")}


def test_folders_that_share_no_video_are_no_streams() -> None:
    files = {"music/1": [""], "speech/2": [""], "speech/3": [""]}
    ids = {("music/1", "features", ""), ("speech/2", "features", ""), ("speech/3", "features", "")}
    assert named(files) == ids
    assert ("1", "music", "") in named(files, "music", "speech")
    groups = {"all": ["cats/1", "cats/2", "dogs/3"]}
    assert named(groups) == {(name, "features", "") for name in groups["all"]}
    assert named({"rgb/1": [""], "rgb/2": [""]}) == {("1", "rgb", ""), ("2", "rgb", "")}


def test_given_name_is_a_stream() -> None:
    files = {"cam1/7": [""], "cam2/7": [""]}
    assert named(files, "cam1", "CAM2") == {("7", "cam1", ""), ("7", "cam2", "")}
    assert named(files) == {("cam1/7", "features", ""), ("cam2/7", "features", "")}
    assert look_alike_folders(["cam1/7", "cam1/8", "cam2/7", "cam2/8"]) == ["cam1", "cam2"]
    assert not look_alike_folders(["cam1/7", "cam1/8", "cam2/9", "8"])


@pytest.mark.parametrize(
    ("file", "split"),
    [
        ("train03", "train"),
        ("x/bal_train.x", "train"),
        ("validation-1", "validate"),
        ("dev/a", "validate"),
        ("eval_2", "test"),
        ("evaluation", ""),
        ("trainer", ""),
        ("train/test0", "test"),
    ],
)
def test_file_of_many_videos_names_its_split(file: str, split: str) -> None:
    assert split_of(file, of_many=True) == split


def test_array_name_has_three_parts() -> None:
    assert ArrayName("a", "rgb", "") == ("a", "rgb", "")
