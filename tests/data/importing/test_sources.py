"""Every kind of file: what is in it is what is stored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import save_file

from reeltag.core.errors import DataError, MissingPackageError
from reeltag.data.features import Features, StreamFeatures
from reeltag.data.records.example import encode_sequence_example
from reeltag.data.streams import Stream
from tests.data.importing.archives import (
    Videos,
    assert_same_videos,
    float_lists,
    imported,
    records,
    save_npy,
    save_table,
    some_videos,
    stored_videos,
    write_table,
)
from tests.data.made import frame_record, write_shard

SINGLE = {"features": 4}


def save_npz_of_streams(folder: Path, videos: Videos) -> Path:
    for name, streams in videos.items():
        np.savez(folder / f"{name}.npz", **streams)  # type: ignore[arg-type]
    return folder


def save_hdf5(path: Path, arrays: dict[str, Any]) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values
    return path


def by_pattern(pattern: str) -> Callable[[Path, Videos], Path]:
    return lambda folder, videos: save_npy(folder, videos, pattern)


def hdf5_by(pattern: str) -> Callable[[Path, Videos], Path]:
    def save(folder: Path, videos: Videos) -> Path:
        arrays = {
            pattern.format(id=name, stream=stream): values
            for name, streams in videos.items()
            for stream, values in streams.items()
        }
        return save_hdf5(folder / "all.h5", arrays)

    return save


def hdf5_per_stream(folder: Path, videos: Videos) -> Path:
    for stream in ("rgb", "audio"):
        save_hdf5(folder / f"{stream}.h5", {name: of[stream] for name, of in videos.items()})
    return folder


def npy_and_npz(folder: Path, videos: Videos) -> Path:
    save_npy(folder, {name: {"rgb": of["rgb"]} for name, of in videos.items()})
    audio: Any = {name: of["audio"] for name, of in videos.items()}
    np.savez(folder / "audio.npz", **audio)
    return folder


def mediapipe(folder: Path, videos: Videos) -> Path:
    for name, of in videos.items():
        lists = {f"{s.upper()}/feature/floats": values for s, values in of.items()}
        (folder / f"{name}.pb").write_bytes(float_lists(lists))
    return folder


def save_safetensors(folder: Path, videos: Videos) -> Path:
    for name, streams in videos.items():
        save_file(streams, folder / f"{name}.safetensors")
    return folder


STREAMS = {
    "npy by folder": by_pattern("{stream}/{id}"),
    "npy by file": by_pattern("{id}/{stream}"),
    "npy by suffix": by_pattern("{id}_{stream}"),
    "npy by extension": by_pattern("{id}.{stream}"),
    "npz of streams": save_npz_of_streams,
    "safetensors": save_safetensors,
    "hdf5 stream/id": hdf5_by("{stream}/{id}"),
    "hdf5 id/stream": hdf5_by("{id}/{stream}"),
    "hdf5 per stream": hdf5_per_stream,
    "npy and npz": npy_and_npz,
    "parquet": lambda folder, videos: save_table(folder / "t.parquet", videos),
    "arrow": lambda folder, videos: save_table(folder / "t.arrow", videos),
    "mediapipe": mediapipe,
}


@pytest.mark.parametrize("save", STREAMS.values(), ids=STREAMS)
def test_source_with_two_streams_is_stored_as_it_is(
    save: Callable[[Path, Videos], Path], tmp_path: Path
) -> None:
    videos = some_videos()
    (tmp_path / "in").mkdir()
    source = save(tmp_path / "in", videos)
    summary = imported(source, tmp_path / "out", dtype="float32", rate=2)
    assert_same_videos(stored_videos(tmp_path / "out"), videos)
    features = Features.open(tmp_path / "out" / "features.json")
    assert [stream.name for stream in features.streams] == ["rgb", "audio"]
    assert features.rate_hz == 2 and summary.videos == 6 and summary.kind == "frames"


def test_source_is_stored_as_uint8_within_half_a_step(tmp_path: Path) -> None:
    videos = some_videos()
    save_npy(tmp_path / "in", videos)
    imported(tmp_path / "in", tmp_path / "out", dtype="uint8")
    steps = [max(s.scale or ()) for s in Features.open(tmp_path / "out" / "features.json").streams]
    assert_same_videos(stored_videos(tmp_path / "out"), videos, max(steps) / 2 + 1e-5)


def test_npy_in_subfolders_keeps_the_path_as_id(tmp_path: Path) -> None:
    videos = some_videos(widths=SINGLE)
    renamed = {f"2026/{name}": of for name, of in videos.items()}
    save_npy(tmp_path / "in", renamed, "{id}")
    imported(tmp_path / "in", tmp_path / "out", dtype="float16")
    assert_same_videos(stored_videos(tmp_path / "out"), renamed, 0.01)


def test_npz_of_one_array_per_video(tmp_path: Path) -> None:
    videos = some_videos(widths=SINGLE)
    arrays: Any = {name: of["features"] for name, of in videos.items()}
    np.savez_compressed(tmp_path / "all.npz", **arrays)
    imported(tmp_path / "all.npz", tmp_path / "out", dtype="float32")
    assert_same_videos(stored_videos(tmp_path / "out"), videos)


def test_hdf5_of_one_dataset_per_video(tmp_path: Path) -> None:
    videos = some_videos(widths=SINGLE)
    path = save_hdf5(tmp_path / "a.h5", {name: of["features"] for name, of in videos.items()})
    imported(path, tmp_path / "out", dtype="float32")
    assert_same_videos(stored_videos(tmp_path / "out"), videos)


def test_hdf5_without_its_package_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.h5").touch()
    monkeypatch.setattr("reeltag.core.extras.find_spec", lambda package: None)
    with pytest.raises(MissingPackageError, match=r"reeltag\[hdf5\]"):
        imported(tmp_path / "a.h5", tmp_path / "out")


def test_table_of_a_video_per_row(tmp_path: Path) -> None:
    videos = some_videos(widths={"rgb": 5})
    table = {"id": list(videos), "rgb": [of["rgb"].tolist() for of in videos.values()]}
    kind = pa.list_(pa.list_(pa.float64()))
    table_of = pa.table({"id": table["id"], "rgb": pa.array(table["rgb"], kind)})
    write_table(tmp_path / "t.parquet", table_of)
    imported(tmp_path / "t.parquet", tmp_path / "out", dtype="float32")
    assert_same_videos(stored_videos(tmp_path / "out"), videos)


@pytest.mark.parametrize(
    ("ids", "lists"),
    [
        (pa.dictionary(pa.int32(), pa.string()), pa.large_list(pa.float64())),
        (pa.large_string(), pa.list_(pa.float16(), 2)),
        (pa.int64(), pa.list_(pa.int16())),
    ],
)
@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_table_of_any_types(
    suffix: str, ids: pa.DataType, lists: pa.DataType, tmp_path: Path
) -> None:
    values = {"7": np.array([[1, 2], [3, 4], [5, 6]]), "8": np.array([[7, 8], [9, 10]])}
    names = [7, 7, 7, 8, 8] if ids == pa.int64() else ["7", "7", "7", "8", "8"]
    rows = [row.tolist() for matrix in values.values() for row in matrix]
    as_kind = pa.array(np.ravel(rows).astype(lists.value_type.to_pandas_dtype()))
    if pa.types.is_fixed_size_list(lists):
        column = pa.FixedSizeListArray.from_arrays(as_kind, 2)
    else:
        column = pa.array(rows, lists)
    write_table(tmp_path / f"t.{suffix}", pa.table({"id": pa.array(names, ids), "x": column}))
    imported(tmp_path / f"t.{suffix}", tmp_path / "out", dtype="float32")
    wanted = {name: {"x": matrix} for name, matrix in values.items()}
    assert_same_videos(stored_videos(tmp_path / "out"), wanted)


def test_table_is_sorted_by_time_and_names_the_rate(tmp_path: Path) -> None:
    videos = some_videos(2, {"rgb": 3})
    times = [t / 4 for of in videos.values() for t in reversed(range(len(of["rgb"])))]
    save_table(tmp_path / "t.parquet", videos, time_s=times, note=["x"] * len(times))
    summary = imported(tmp_path / "t.parquet", tmp_path / "out", dtype="float32")
    backwards = {name: {"rgb": of["rgb"][::-1]} for name, of in videos.items()}
    assert_same_videos(stored_videos(tmp_path / "out"), backwards)
    assert summary.rate_hz == 4 and "not imported: note, in 2 videos" in summary.notes


def test_videos_of_different_rates_are_resampled_each_by_its_own(tmp_path: Path) -> None:
    values = np.arange(8.0)[:, None]
    table = {"id": ["a"] * 4 + ["b"] * 8, "time_s": [*np.arange(4) / 2, *np.arange(8) / 4]}
    rows = [[v] for v in (*values[:4, 0], *values[:, 0])]
    write_table(tmp_path / "t.parquet", pa.table(table | {"x": rows}))
    summary = imported(tmp_path / "t.parquet", tmp_path / "out", dtype="float32")
    wanted = {"a": {"x": values[:4]}, "b": {"x": values[::2] + 0.5}}
    assert_same_videos(stored_videos(tmp_path / "out"), wanted)
    assert summary.rate_hz == 2


def test_source_names_what_is_no_feature(tmp_path: Path) -> None:
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz", x=np.ones((3, 2)), fps=25, title="t", times=np.arange(3))
    with pytest.raises(DataError, match="x has 3 frames, times has 1") as caught:
        imported(tmp_path, tmp_path / "out")
    assert "--take" in caught.value.hint
    summary = imported(tmp_path, tmp_path / "out", take=("x",))
    named = {note for note in summary.notes if "not imported" in note}
    assert named >= {"not imported: fps, in 2 files", "not imported: title, in 2 files"}
    assert "not imported: times, in 2 videos" in named


def test_table_with_file_names_drops_the_extension(tmp_path: Path) -> None:
    table = pa.table({"file": ["a.mp4", "b.c.mkv"], "x": pa.array([[[1.0, 2.0]], [[3.0, 4.0]]])})
    write_table(tmp_path / "t.arrow", table)
    imported(tmp_path / "t.arrow", tmp_path / "out", dtype="float32")
    assert stored_videos(tmp_path / "out").keys() == {"a", "b.c"}


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"name": ["a"], "x": [[1.0]]}, "has no column id, video, video_id or file"),
        ({"id": ["a"], "x": [1.0]}, "has no column of lists of numbers; it has: id"),
        ({"id": ["a", None], "x": [[1.0], [2.0]]}, "row 1: there is no id"),
        ({"id": ["a", "a"], "x": [[1.0], None]}, "row 1 has no 'x'"),
        ({"id": ["a", "a"], "x": [[1.0, 2.0], [2.0]]}, "row 1 of 'x' has 1 values, row 0 has 2"),
        ({"id": ["a", "a"], "x": [[1.0, 2.0], [3.0, None]]}, "row 1 of 'x' lacks value 1"),
        ({"id": ["a", "b", "a"], "x": [[1.0]] * 3}, "the rows of 'a' are apart: at row 0, again"),
        (
            {"id": ["a"] * 4, "x": [[1.0]] * 4, "frame": [0, 1, 3, 4]},
            "row 2: frame is 3, and the one before is not 1 lower",
        ),
        (
            {"id": ["a"] * 4, "x": [[1.0]] * 4, "time_s": [0.0, 0.5, 0.5, 1.0]},
            "row 2: time_s is 0.5",
        ),
    ],
)
def test_table_that_cannot_be_read_names_the_row(
    columns: dict[str, Any], what: str, tmp_path: Path
) -> None:
    write_table(tmp_path / "t.parquet", pa.table(columns))
    with pytest.raises(DataError) as caught:
        imported(tmp_path / "t.parquet", tmp_path / "out")
    assert what in caught.value.what and "t.parquet" in caught.value.where and caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]


def test_mediapipe_shard_is_named_by_file_and_number(tmp_path: Path) -> None:
    videos = some_videos(3, {"rgb": 5})
    times = [np.arange(len(of["rgb"])) * 500_000 for of in videos.values()]
    payloads = [
        float_lists(
            {"RGB/feature/floats": of["rgb"], "RGB/feature/timestamp": time, "image/encoded": time},
            labels=np.array([3]),
            other=[b"x"],
        )
        for of, time in zip(videos.values(), times, strict=True)
    ]
    write_shard(tmp_path / "part.tfrecord", payloads)
    summary = imported(tmp_path / "part.tfrecord", tmp_path / "out", dtype="float32")
    wanted = {f"part-0000{i}": of for i, of in enumerate(videos.values())}
    assert_same_videos(stored_videos(tmp_path / "out"), wanted)
    assert summary.rate_hz == 2
    assert {note for note in summary.notes if "not imported" in note} == {
        "not imported: image/encoded, in 3 videos",
        "not imported: other, in 3 videos",
    }
    shards = sorted((tmp_path / "out").glob("*.tfrecord"))
    assert all(context["labels"].tolist() == [3] for p in shards for context, _ in records(p))


def test_frames_of_integers_in_a_tfrecord_keep_their_id(tmp_path: Path) -> None:
    values = np.arange(12).reshape(4, 3)
    write_shard(tmp_path / "a.tfrecord", [float_lists({"x": values}, id=[b"seven"])])
    summary = imported(tmp_path / "a.tfrecord", tmp_path / "out", dtype="float32")
    assert_same_videos(stored_videos(tmp_path / "out"), {"seven": {"x": values}})
    assert any("whole numbers in 1 videos" in note for note in summary.notes)


def test_frames_of_bytes_need_a_description(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tfrecord", [frame_record("one")])
    with pytest.raises(DataError, match=r"frame 0 of 'rgb' is a byte string") as caught:
        imported(tmp_path / "a.tfrecord", tmp_path / "out")
    assert "--features" in caught.value.hint


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_frames_of_float_bytes_are_read_by_their_description(dtype: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(6, 3)).astype(dtype)
    stored = values.view(np.uint8).reshape(6, -1)
    record = encode_sequence_example({"id": [b"one"]}, {"x": stored})
    write_shard(tmp_path / "a.tfrecord", [record])
    kind: Any = dtype
    for width, what in ((3, ""), (4, "has features of another width")):
        stream = StreamFeatures(name="x", width=width, dtype=kind)
        Features(rate_hz=2, streams=(stream,)).save(tmp_path)
        how = {"features": tmp_path / "features.json"}
        if what:
            with pytest.raises(DataError, match=what):
                imported(tmp_path / "a.tfrecord", tmp_path / "other", **how)
        else:
            assert imported(tmp_path / "a.tfrecord", tmp_path / "out", **how).rate_hz == 2
            assert_same_videos(stored_videos(tmp_path / "out"), {"one": {"x": values}})


def test_damaged_safetensors_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(DataError, match="cannot be read as safetensors"):
        imported(tmp_path / "a.safetensors", tmp_path / "out")


def test_damaged_tfrecord_is_named_with_its_byte(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.tfrecord", [float_lists({"x": np.ones((2, 3))})] * 2)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DataError, match=r"byte \d+: truncated"):
        imported(path, tmp_path / "out")


@pytest.mark.parametrize("shape", [(4,), (1, 4)])
def test_vectors_become_video_level_records(shape: tuple[int, ...], tmp_path: Path) -> None:
    videos = some_videos(widths={"rgb": 4, "audio": 4})
    vectors = {n: {s: a[0].reshape(shape) for s, a in of.items()} for n, of in videos.items()}
    save_npy(tmp_path / "in", vectors)
    summary = imported(tmp_path / "in", tmp_path / "out")
    wanted = {n: {s: a[0] for s, a in of.items()} for n, of in videos.items()}
    assert_same_videos(stored_videos(tmp_path / "out"), wanted)
    assert summary.kind == "video" and summary.hours is None
    assert {stream.dtype for stream in summary.streams} == {"float32"}
    with pytest.raises(Exception, match="video-level vectors are stored as float32, not uint8"):
        imported(tmp_path / "in", tmp_path / "other", dtype="uint8")


def test_description_keeps_codes_and_byte_strings_as_they_are(tmp_path: Path) -> None:
    codes = {f"v{i}": {"rgb": np.arange(i, i + 12, dtype=np.uint8).reshape(3, 4)} for i in range(5)}
    save_npy(tmp_path / "in", codes)
    Features.published([Stream("rgb", 4, "uint8")]).save(tmp_path)
    summary = imported(tmp_path / "in", tmp_path / "out", features=tmp_path / "features.json")
    assert summary.streams[0].kept_cosine is None
    stream = Features.open(tmp_path / "out" / "features.json").streams[0]
    wanted = {n: {"rgb": stream.dequantise(of["rgb"])} for n, of in codes.items()}
    assert_same_videos(stored_videos(tmp_path / "out"), wanted)
    half = {"features": tmp_path / "features.json", "rates": ("rgb=2",)}
    imported(tmp_path / "in", tmp_path / "half", **half)
    means = np.array(
        [[2, 3, 4, 5], [8, 9, 10, 11]], np.uint8
    )  # of the codes; + 4 in the next video
    found = stored_videos(tmp_path / "half")["v4"]["rgb"]
    np.testing.assert_array_equal(found, stream.dequantise(means + 4))
    again = imported(
        tmp_path / "out", tmp_path / "again", features=tmp_path / "features.json", dtype="uint8"
    )
    assert again.videos == 5
    assert_same_videos(stored_videos(tmp_path / "again"), wanted)
