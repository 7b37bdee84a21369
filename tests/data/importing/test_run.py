"""A whole import: what is refused, what is left when it is killed, appending, splits, tables."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reeltag.core.errors import ConfigError, DataError, OutputError, ReeltagError
from reeltag.data.dataset import Dataset
from reeltag.data.features import Features
from reeltag.data.importing import run
from reeltag.data.importing.plan import hashed_split, with_splits
from reeltag.data.importing.sources import SourceVideo
from reeltag.data.shards import read_record
from tests.data.importing.archives import (
    SMALL,
    assert_same_videos,
    imported,
    names_in,
    renamed,
    save_npy,
    shard_bytes,
    some_videos,
    stored_videos,
)


def bad_array(kind: str) -> Any:
    good = np.ones((4, 5), np.float32)
    return {
        "NaN": np.where(np.eye(4, 5, 1) > 0, np.nan, good),
        "objects": np.array([[1, "a"]], object),
        "text": np.full((4, 5), "a"),
        "empty": good[:0],
        "three axes": good[None],
        "another width": good[:, :3],
    }[kind]


REFUSED = {
    "NaN": "row 0 of rgb: value 1 is nan",
    "objects": "holds Python objects, which are never loaded",
    "text": "rgb holds <U1, not numbers",
    "empty": "rgb is empty: its shape is (0, 5)",
    "three axes": "rgb has the shape (1, 4, 5); allowed are (frames, values)",
    "another width": "rgb has 3 values per frame",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_bad_array_is_refused_with_its_file_and_nothing_is_left(
    kind: str, source: Path, tmp_path: Path
) -> None:
    bad = source / "rgb" / "v3.npy"
    np.save(bad, bad_array(kind), allow_pickle=True)
    np.save(source / "audio" / "v3.npy", np.ones((4, 3), np.float32))
    with pytest.raises(DataError) as caught:
        imported(source, tmp_path / "out")
    assert REFUSED[kind] in caught.value.what and caught.value.hint
    assert "v3" in caught.value.where
    assert names_in(tmp_path) == {"in"}
    if kind == "another width":
        assert "v0.npy has 5" in caught.value.what


@pytest.mark.parametrize("kind", REFUSED)
def test_bad_array_is_left_out_and_listed(kind: str, source: Path, tmp_path: Path) -> None:
    np.save(source / "rgb" / "v3.npy", bad_array(kind), allow_pickle=True)
    np.save(source / "audio" / "v3.npy", np.ones((4, 3), np.float32))
    summary = imported(source, tmp_path / "out", skip_bad=True)
    assert "v3" not in stored_videos(tmp_path / "out") and summary.videos == 11
    assert len({bad.where for bad in summary.bad}) == len(summary.bad) >= 1
    assert any(REFUSED[kind] in bad.what and "v3" in bad.where for bad in summary.bad)


def test_missing_stream_is_refused_or_left_out(source: Path, tmp_path: Path) -> None:
    (source / "audio" / "v5.npy").unlink()
    with pytest.raises(DataError, match="has no stream audio; it has rgb") as caught:
        imported(source, tmp_path / "out")
    assert "v5.npy" in caught.value.where and "--take" in caught.value.hint
    assert imported(source, tmp_path / "out", skip_bad=True).videos == 11
    assert imported(source, tmp_path / "rgb", take=("rgb",)).videos == 12
    streams = Features.open(tmp_path / "rgb" / "features.json").streams
    assert [stream.name for stream in streams] == ["rgb"]


def test_vectors_among_frames_are_noted(tmp_path: Path) -> None:
    arrays = {f"v{i}": {"x": np.ones((1 + (i == 3), 4))} for i in range(5)}
    save_npy(tmp_path / "in", arrays, "{id}")
    summary = imported(tmp_path / "in", tmp_path / "out")
    assert summary.kind == "frames" and summary.frames == 6
    assert "4 videos are a single vector, stored as one frame; 1 have frames" in summary.notes


def test_truncated_file_is_named(source: Path, tmp_path: Path) -> None:
    path = source / "rgb" / "v3.npy"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"cannot be read .*") as caught:
        imported(source, tmp_path / "out")
    assert "v3.npy" in caught.value.where and names_in(tmp_path) == {"in"}


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ({"rates": ("rgb=x",)}, "must be STREAM=HZ with a number above 0, got 'rgb=x'"),
        ({"rates": ("rgb=2",)}, "lacks 'audio'; the streams are rgb, audio"),
        ({"rates": ("rgb=2", "audio=1", "x=1")}, "names 'x'"),
        ({"rate": -1.0}, "rate is -1.0; allowed"),
        ({"take": ("flow",)}, "there is no stream 'flow'"),
        ({"encoder": ("flow=x",)}, "there is no stream 'flow'"),
        ({"encoder": ("a", "b")}, "must be NAME, or STREAM=NAME for each stream once, got 'b'"),
        ({"skip_existing": True}, "--skip-existing goes with --append"),
        ({"jobs": 0}, "must be at least 1, got 0"),
    ],
)
def test_wrong_option_is_refused(
    how: dict[str, Any], what: str, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        imported(source, tmp_path / "out", **how)
    assert what in str(caught.value) and names_in(tmp_path) == {"in"}


def test_nothing_to_import_lists_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").touch()
    with pytest.raises(DataError, match=r"holds no features \(found: 1 .mp4\)"):
        imported(tmp_path / "in", tmp_path / "out")
    with pytest.raises(DataError, match="is not there"):
        imported(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(ConfigError, match="no features are given"):
        imported([], tmp_path / "out")


def test_same_id_twice_names_both_files(source: Path, tmp_path: Path) -> None:
    other = save_npy(tmp_path / "other", some_videos(1))
    with pytest.raises(DataError, match="video 'v0' is there twice: in") as caught:
        imported([source, other], tmp_path / "out")
    assert "other" in caught.value.where


def test_streams_of_two_rates_are_resampled(tmp_path: Path) -> None:
    rgb, audio = np.arange(10.0).reshape(10, 1), np.arange(4.0).reshape(4, 1)
    save_npy(tmp_path / "in", {f"v{i}": {"rgb": rgb, "audio": audio} for i in range(3)})
    with pytest.raises(DataError, match="rgb has 10 frames, audio has 4"):
        imported(tmp_path / "in", tmp_path / "out")
    summary = imported(
        tmp_path / "in", tmp_path / "out", rates=("rgb=2", "audio=1"), dtype="float32"
    )
    wanted = {"rgb": rgb[::2][:4] + 0.5, "audio": audio}
    assert_same_videos(stored_videos(tmp_path / "out"), {f"v{i}": wanted for i in range(3)})
    assert summary.rate_hz == 1 and "3 frames cut" in " ".join(summary.notes)
    assert "rgb: 2 frames/s resampled to 1 (mean of frames)" in summary.notes


def test_bytes_do_not_depend_on_jobs(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_SMALL", 0)
    for jobs in (1, 2):
        imported(source, tmp_path / f"out{jobs}", jobs=jobs, shard_bytes=SMALL)
    assert shard_bytes(tmp_path / "out1") == shard_bytes(tmp_path / "out2")
    assert len(list((tmp_path / "out1").glob("*.tfrecord"))) > 3


def test_append_adds_shards_and_keeps_the_description(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    imported(source, out, dtype="uint8", encoder=("clip@1",), rate=2)
    before = shard_bytes(out)
    more = renamed(some_videos(5, seed=1), "new")
    save_npy(tmp_path / "more", more)
    summary = imported(tmp_path / "more", out, append=True)
    after = shard_bytes(out)
    assert {name: after[name] for name in before} == before
    assert summary.videos == 5 and summary.rate_hz == 2
    assert stored_videos(out).keys() == some_videos(12).keys() | more.keys()
    assert len(Dataset.open(out, quiet=True).videos("all")) == 17
    assert names_in(tmp_path) == {"in", "more", "out"}


def test_append_refuses_other_features_naming_both(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    imported(source, out, dtype="uint8", encoder=("clip@1",), rate=2)
    before = shard_bytes(out)
    more = save_npy(tmp_path / "more", renamed(some_videos(5, seed=1), "new"))
    wide = save_npy(tmp_path / "wide", renamed(some_videos(3, {"rgb": 6, "audio": 3}), "w"))
    cases: list[tuple[Path, dict[str, Any], str]] = [
        (more, {"rate": 1.0}, "another rate: 1 Hz; .*out has 2 Hz"),
        (more, {"encoder": ("dino",)}, "another encoder: rgb 5 .* of dino; .*out has .* of clip 1"),
        (more, {"dtype": "float16"}, "is float16, but .*out stores rgb as uint8"),
        (wide, {}, "another width: rgb 6"),
        (more, {"take": ("rgb",)}, "another kind of streams: rgb; .*out has rgb, audio"),
        (source, {}, "12 videos are in .*out already; the first is 'v0'"),
    ]
    for path, how, what in cases:
        with pytest.raises(ReeltagError, match=what):
            imported(path, out, append=True, **how)
    assert shard_bytes(out) == before
    both = [source, more]
    assert imported(both, out, append=True, skip_existing=True).videos == 5


def test_append_without_description_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is not there to be added to"):
        imported(source, tmp_path / "out", append=True)
    imported(source, tmp_path / "out")
    (tmp_path / "out" / "features.json").unlink()
    with pytest.raises(DataError, match=r"has no features.json"):
        imported(source, tmp_path / "out", append=True)


def test_folders_name_the_split(tmp_path: Path) -> None:
    videos = some_videos(6, {"features": 3})
    for split, names in (("train", "012"), ("val", "34"), ("test", "5")):
        some = {f"v{number}": videos[f"v{number}"] for number in names}
        save_npy(tmp_path / "in" / split, some, "{id}")
    summary = imported(tmp_path / "in", tmp_path / "out", dtype="float32")
    assert summary.splits == {"train": 3, "validate": 2, "test": 1}
    assert_same_videos(stored_videos(tmp_path / "out"), videos)
    hashed = imported(tmp_path / "in", tmp_path / "hashed", split_by_hash=True)
    assert sum(hashed.splits.values()) == 6
    assert any("splits by a hash of the id" in note for note in hashed.notes)


def test_hashed_splits_are_stable_and_about_80_10_10() -> None:
    found = [hashed_split(f"video {number}") for number in range(5000)]
    assert found.count("train") / 5000 == pytest.approx(0.8, abs=0.02)
    assert found.count("test") / 5000 == pytest.approx(0.1, abs=0.015)
    assert [hashed_split(name) for name in ("a", "b", "c")] == ["train", "train", "test"]


def test_small_archive_has_every_split() -> None:
    videos = [SourceVideo(name, "", (), {}, 1, False) for name in "abc"]
    placed, _ = with_splits(videos, by_hash=False, fill=True)
    assert sorted(video.split for video in placed) == ["test", "train", "validate"]
    alone, _ = with_splits(videos[:1], by_hash=False, fill=True)
    assert [video.split for video in alone] == ["train"]


def test_tables_are_copied_and_added_to(source: Path, tmp_path: Path) -> None:
    out, labels = tmp_path / "out", tmp_path / "mine.csv"
    labels.write_text("\ufeffid,class\nv0,cat\n", encoding="utf-8")
    imported(source, out, labels=labels)
    assert (out / "labels.csv").read_bytes() == labels.read_bytes()
    more = save_npy(tmp_path / "more", renamed(some_videos(2), "new"))
    labels.write_text("id,class\nnewv0,cat\n")
    imported(more, out, append=True, labels=labels)
    assert (out / "labels.csv").read_text() == "id,class\nv0,cat\nnewv0,cat\n"
    labels.write_text("video,class\nthirdv0,cat\n")
    third = save_npy(tmp_path / "third", renamed(some_videos(2), "third"))
    with pytest.raises(DataError, match="cannot be added to .*labels.csv"):
        imported(third, out, append=True, labels=labels)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"name,class\na,b\n", "has no column id"),
        ("id,class\na,b\nü,c\n".encode("latin-1"), "line 3: is not UTF-8"),
    ],
)
def test_table_that_cannot_be_read_is_refused_before_work(
    content: bytes, what: str, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "l.csv").write_bytes(content)
    with pytest.raises(DataError, match=what):
        imported(source, tmp_path / "out", labels=tmp_path / "l.csv")
    assert names_in(tmp_path) == {"in", "l.csv"}


def test_classes_are_those_that_labels_and_ratings_name(source: Path, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("id;class\nv0;cat\nv1;dog|cat\nv2;rain, heavy\n")
    (tmp_path / "r.csv").write_text("id,start_s,end_s,class,value\nv0,0,1,bell,1\n")
    tables = {"labels": tmp_path / "l.csv", "ratings": tmp_path / "r.csv"}
    imported(source, tmp_path / "out", **tables)
    data = Dataset.open(tmp_path / "out", quiet=True)
    assert data.classes.names == ("bell", "cat", "dog", "rain, heavy")
    of = dict(zip(data.table["id"].to_pylist(), data.table["labels"].to_pylist(), strict=True))
    assert (of["v0"], of["v1"], of["v2"]) == ([1], [1, 2], [3])
    (tmp_path / "l.csv").write_text("id,class\nv0,3\nv1,7\n")
    imported(source, tmp_path / "numbers", labels=tmp_path / "l.csv")
    assert not (tmp_path / "numbers" / "classes.csv").exists()


def test_dtype_is_chosen_by_what_is_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(300, 8)).astype(np.float32)
    spiky = normal.copy()
    spiky[::25] *= 1e3
    for name, values, dtype in (("normal", normal, "uint8"), ("spiky", spiky, "float16")):
        save_npy(tmp_path / name, {f"v{i}": {"x": values} for i in range(40)}, "{id}")
        summary = imported(tmp_path / name, tmp_path / f"{name}-out")
        assert summary.streams[0].dtype == dtype
        assert any("stored as float16" in note for note in summary.notes) == (dtype == "float16")
    forced = imported(tmp_path / "spiky", tmp_path / "forced", dtype="uint8")
    assert any(note.startswith("warning: features keeps a cosine") for note in forced.notes)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
def test_data_set_reads_what_was_imported(dtype: str, source: Path, tmp_path: Path) -> None:
    imported(source, tmp_path / "out", dtype=dtype, rate=2)
    data = Dataset.open(tmp_path / "out", quiet=True)
    features = Features.open(tmp_path / "out" / "features.json")
    wanted = stored_videos(tmp_path / "out")
    ids = data.table["id"].to_pylist()
    assert set(ids) == wanted.keys()
    for row, name in enumerate(ids):
        read = read_record(data.index, row)
        for stream in features.streams:
            values = stream.dequantise(read[stream.name])
            np.testing.assert_array_equal(values, wanted[name][stream.name])


def test_features_json_is_what_the_shards_hold(source: Path, tmp_path: Path) -> None:
    imported(source, tmp_path / "out", encoder=("rgb=clip@2", "audio=vggish"))
    stored = json.loads((tmp_path / "out" / "features.json").read_text())
    assert [s["encoder"]["name"] for s in stored["streams"]] == ["clip", "vggish"]
    assert stored["streams"][0]["encoder"]["version"] == "2"
    data = Dataset.open(tmp_path / "out", quiet=True)
    assert [(s.name, s.width) for s in data.streams] == [("rgb", 5), ("audio", 3)]
