"""Similar moments: exact cosines, merged hits, what is left out, and kept norms."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.data.features import Features, StreamFeatures
from reeltag.data.importing.quantise import encode
from reeltag.library.similar import MomentSearch, SimilarMoment
from reeltag.library.similarity.compared_frames import ComparedFrames
from tests.data.described import described, described_corpus, described_record
from tests.data.made import indexed, video_record, write_shard

Frames = dict[str, np.ndarray[Any, np.dtype[np.float32]]]
WIDTHS = {"rgb": 12, "audio": 5}


def stream_of(name: str, dtype: str) -> StreamFeatures:
    codes = {}
    if dtype == "uint8":
        rng = np.random.default_rng(WIDTHS[name])
        codes = {
            "scale": tuple(rng.uniform(0.02, 0.06, WIDTHS[name]).tolist()),
            "offset": tuple(rng.uniform(-5, -2, WIDTHS[name]).tolist()),
        }
    return StreamFeatures(name=name, width=WIDTHS[name], dtype=dtype, **codes)  # type: ignore[arg-type]


def write_data(
    folder: Path, videos: dict[str, Frames], dtype: str = "uint8", rate: float = 1.0
) -> Dataset:
    """Write videos of features into two shards."""
    features = Features(rate_hz=rate, streams=tuple(stream_of(name, dtype) for name in WIDTHS))
    records = [
        described_record(
            video,
            {of.name: encode(frames[of.name], of).stored for of in features.streams},
        )
        for video, frames in videos.items()
    ]
    folder.mkdir(parents=True)
    write_shard(folder / "train0.tfrecord", records[: len(records) // 2])
    write_shard(folder / "train1.tfrecord", records[len(records) // 2 :])
    features.save(folder)
    return Dataset.open(folder, jobs=1, quiet=True)


def random_videos(number: int = 6, length: int = 30) -> dict[str, Frames]:
    """Return videos of noise around a common mean."""
    videos: dict[str, Frames] = {}
    for at in range(number):
        rng = np.random.default_rng(at)
        videos[f"v{at}"] = {
            name: (2 + rng.normal(size=(length + at, width))).astype(np.float32)
            for name, width in WIDTHS.items()
        }
    return videos


def by_hand(
    data: Dataset, video: str, frame: int, streams: tuple[str, ...]
) -> dict[tuple[str, int], float]:
    """Return the similarity of each frame of the data, in float64."""
    total: dict[tuple[str, int], float] = {}
    for name in streams:
        items = data.videos("all", streams=(name,))
        (stream,) = items.features.streams
        search = MomentSearch(data, (name,), quiet=True)
        frames = {
            identity: stream.dequantise(search._frames.stored.of(at, 0)).astype(np.float64)
            for at, identity in enumerate(items.records.table["id"].to_pylist())
        }
        mean = np.concatenate([*frames.values()]).mean(0)
        asked = frames[video][frame] - mean
        for identity, values in frames.items():
            for k, value in enumerate(values - mean):
                cosine = value @ asked / np.linalg.norm(value) / np.linalg.norm(asked)
                key = identity, k
                total[key] = total.get(key, 0) + cosine / len(streams)
    return total


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
@pytest.mark.parametrize("streams", [("rgb",), ("rgb", "audio")])
def test_similarities_are_those_by_hand(
    dtype: str, streams: tuple[str, ...], tmp_path: Path
) -> None:
    data = write_data(tmp_path / "data", random_videos(), dtype)
    found = MomentSearch(data, streams, quiet=True).search("v2", 7.0, top=40, skip_s=0)
    expected = by_hand(data, "v2", 7, streams)
    assert len(found) == 40 and (found[0].video, found[0].best_s) != ("v2", 7.0)
    for moment in found:
        assert moment.similarity == pytest.approx(
            expected[moment.video, round(moment.best_s)], abs=1e-4
        )
    del expected["v2", 7]
    best = max(expected, key=lambda key: expected[key])
    assert (found[0].video, found[0].best_s) == (best[0], float(best[1]))
    assert [of.similarity for of in found] == sorted((of.similarity for of in found), reverse=True)


def test_same_moment_elsewhere_is_found_as_one_hit(tmp_path: Path) -> None:
    videos = random_videos()
    scene = videos["v0"]["rgb"][10].copy()
    for video, first, last in (("v3", 4, 9), ("v4", 20, 21)):
        videos[video]["rgb"][first:last] = scene
    data = write_data(tmp_path / "data", videos)
    found = MomentSearch(data, ("rgb",), quiet=True).search("v0", 10.0, top=3)
    assert [(of.video, of.start_s, of.end_s) for of in found[:2]] == [
        ("v3", 4.0, 9.0),
        ("v4", 20.0, 21.0),
    ]
    assert found[0].similarity == pytest.approx(1, abs=1e-5) and found[2].similarity < 0.97


def test_own_neighbourhood_is_left_out_but_not_the_rest_of_the_video(tmp_path: Path) -> None:
    videos = random_videos()
    scene = videos["v0"]["rgb"][10].copy()
    videos["v0"]["rgb"][[8, 12, 27]] = scene
    data = write_data(tmp_path / "data", videos)
    search = MomentSearch(data, ("rgb",), quiet=True)
    near = search.search("v0", 10.0, top=3, skip_s=1)
    assert {(of.video, of.best_s) for of in near} == {("v0", 8.0), ("v0", 12.0), ("v0", 27.0)}
    assert [of.best_s for of in search.search("v0", 10.0, top=1, skip_s=5)] == [27.0]


def test_moment_of_several_frames_is_matched_as_a_whole(tmp_path: Path) -> None:
    videos = random_videos()
    videos["v5"]["rgb"][3:7] = videos["v1"]["rgb"][10:14]
    videos["v4"]["rgb"][9] = videos["v1"]["rgb"][10]
    data = write_data(tmp_path / "data", videos, rate=2.0)
    found = MomentSearch(data, ("rgb",), quiet=True).search("v1", 5.0, window_s=2.0, top=1)
    assert (found[0].video, found[0].best_s) == ("v5", 1.5)
    assert found[0].start_s <= 1.5 and found[0].end_s >= 3.5


def test_seconds_without_a_picture_are_no_hits_and_cannot_be_asked_for(tmp_path: Path) -> None:
    videos = random_videos()
    for video in ("v1", "v2"):
        videos[video]["rgb"][5:15] = 0
    data = write_data(tmp_path / "data", videos)
    search = MomentSearch(data, ("rgb",), quiet=True)
    found = search.search("v0", 3.0, top=500)
    assert not [of for of in found if of.video in ("v1", "v2") and 5 <= of.best_s < 15]
    with pytest.raises(ConfigError, match="video 'v1' has no rgb at 7 s"):
        search.search("v1", 7.0)
    assert MomentSearch(data, quiet=True).search("v1", 7.0, top=1)  # by its sound


def test_threads_change_nothing(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", random_videos(9))
    one, four = (
        MomentSearch(data, threads=number, quiet=True).search("v3", 4.0, top=30)
        for number in (1, 4)
    )
    assert one == four


def test_norms_are_kept_until_the_data_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = random_videos()
    data = write_data(tmp_path / "data", videos)
    first = MomentSearch(data, quiet=True).search("v0", 3.0)
    computed: list[int] = []
    compute = ComparedFrames._computed

    def counted(self: ComparedFrames, at: int) -> Any:
        computed.append(at)
        return compute(self, at)

    monkeypatch.setattr(ComparedFrames, "_computed", counted)
    assert MomentSearch(data, quiet=True).search("v0", 3.0) == first and not computed
    more = write_data(tmp_path / "more", random_videos(8))
    (tmp_path / "more" / "train1.tfrecord").rename(tmp_path / "data" / "train2.tfrecord")
    assert more is not None
    grown = Dataset.open(tmp_path / "data", jobs=1, quiet=True)
    MomentSearch(grown, quiet=True)
    assert computed == [0, 1]
    for kept in (tmp_path / "data" / ".reeltag").glob("similar-*.npz"):
        kept.write_bytes(b"no numbers")
    MomentSearch(grown, quiet=True)
    assert computed == [0, 1, 0, 1]


def test_record_whose_frames_have_no_constant_stride_is_read_too(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", random_videos())
    expected = MomentSearch(data, quiet=True).search("v0", 3.0)
    search = MomentSearch(data, quiet=True)
    search._frames.records.stride[:] = 0
    assert search.search("v0", 3.0) == expected


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"video": "zz"}, "there is no video 'zz'; there are v0, v1, v2"),
        ({"at_s": 30.0}, r"--at: video 'v0' is of \[0, 30\) s, got 30"),
        ({"at_s": -1.0}, r"--at: video 'v0' is of \[0, 30\) s, got -1"),
        ({"window_s": 0.0}, "--window: must be above 0, got 0"),
    ],
)
def test_what_is_not_there_is_an_error(
    arguments: dict[str, Any], words: str, tmp_path: Path
) -> None:
    data = write_data(tmp_path / "data", random_videos())
    search = MomentSearch(data, quiet=True)
    with pytest.raises(ConfigError, match=words):
        search.search(**{"video": "v0", "at_s": 3.0, **arguments})


def test_vectors_of_whole_videos_have_no_moments(tmp_path: Path) -> None:
    write_shard(tmp_path / "train0.tfrecord", [video_record("a"), video_record("b")])
    with pytest.raises(DataError, match="holds one vector per video"):
        MomentSearch(indexed(tmp_path), quiet=True)


def test_published_bytes_are_searched_as_they_are(tmp_path: Path) -> None:
    data = described_corpus(tmp_path / "x", described({"rgb": (4, "uint8")}), (5, 6))
    found = MomentSearch(data, quiet=True).search("v0", 2.0, top=2, skip_s=0)
    assert len(found) == 2 and isinstance(found[0], SimilarMoment)
