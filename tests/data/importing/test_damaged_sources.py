"""Sources that are damaged, odd, or say one thing twice: named with the place and the way out."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reeltag.core.errors import DataError
from tests.data.importing.archives import (
    ask_for_password,
    float_lists,
    imported,
    save_npy,
    some_videos,
    stored_videos,
)

IDS = [f"v{number // 3}" for number in range(18)]
FRAMES = np.random.default_rng(0).normal(size=(18, 4)).astype(np.float32)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return save_npy(tmp_path / "in", some_videos(6, {"rgb": 4}), "{id}")


def save_rows(tmp_path: Path, **columns: Any) -> Path:
    """Save a table with the column rgb, and others."""
    rgb = pa.array(list(FRAMES[: len(next(iter(columns.values())))]), pa.list_(pa.float32()))
    (tmp_path / "in").mkdir(exist_ok=True)
    pq.write_table(pa.table({"rgb": rgb, **columns}), tmp_path / "in" / "a.parquet")
    return tmp_path / "in"


@pytest.mark.parametrize(
    "shape", ["(1000000000000, 4)", "(3, 4", "(True, 4)", "(99999999999999999999, 4)", "(-1, 4)"]
)
def test_damaged_header_of_an_array_is_named(shape: str, source: Path, tmp_path: Path) -> None:
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    content = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + bytes(96)
    (source / "v3.npy").write_bytes(content)
    with pytest.raises(DataError, match="v3.npy: cannot be read") as caught:
        imported(source, tmp_path / "out")
    assert caught.value.hint
    assert imported(source, tmp_path / "out", skip_bad=True).videos == 5


def test_objects_in_an_npz_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", rgb=FRAMES, meta=np.array([{}], object), allow_pickle=True)
    with pytest.raises(DataError, match="meta: it holds Python objects, which are never loaded"):
        imported(tmp_path / "v.npz", tmp_path / "out")


def test_npz_with_a_password_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", rgb=FRAMES)
    ask_for_password(tmp_path / "v.npz")
    with pytest.raises(DataError, match="v.npz: .* encrypted, password required"):
        imported(tmp_path / "v.npz", tmp_path / "out")


@pytest.mark.parametrize("size", [1e300, 1e39])
@pytest.mark.parametrize("dtype", ["auto", "uint8", "float32"])
def test_number_beyond_float32_is_named_with_its_row(
    size: float, dtype: str, source: Path, tmp_path: Path
) -> None:
    np.save(source / "v3.npy", np.array([[0, 0, 0, 1], [0, 0, size, 1]]))
    with pytest.raises(DataError, match=r"v3.npy: row 1 of features: 1e\+3.* float32") as it:
        imported(source, tmp_path / "out", dtype=dtype)
    assert "--skip-bad" in it.value.hint


def test_number_beyond_float16_is_named_with_its_video(source: Path, tmp_path: Path) -> None:
    np.save(source / "v3.npy", np.array([[0, 0, 0, 1], [0, 0, 1e5, 1]]))
    with pytest.raises(DataError, match="v3.npy: row 1 of features: 100000 is too large") as it:
        imported(source, tmp_path / "out", dtype="float16")
    assert "--dtype float32" in it.value.hint


def test_files_of_one_name_and_two_kinds_are_one_id(source: Path, tmp_path: Path) -> None:
    np.savez(source / "v0.npz", features=FRAMES)
    with pytest.raises(DataError, match="video 'v0' is there twice: in .*v0.npy and here") as it:
        imported(source, tmp_path / "out")
    assert it.value.where.endswith("v0.npz")


def test_pipe_is_not_waited_for(source: Path, tmp_path: Path) -> None:
    os.mkfifo(source / "v9.npy")
    summary = imported(source, tmp_path / "out")
    assert summary.videos == 6 and summary.other_files == {".npy": 1}


def test_name_that_is_not_utf8_becomes_an_id(source: Path, tmp_path: Path) -> None:
    np.save(source / os.fsdecode(b"caf\xe9.npy"), FRAMES)
    imported(source, tmp_path / "out")
    assert "caf\\xe9" in stored_videos(tmp_path / "out")
    with pytest.raises(DataError, match="7 videos are in .* already"):
        imported(source, tmp_path / "out", append=True)


def test_links_in_hdf5_are_followed_or_named(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "all.h5", "w") as file:
        for name in ("v1", "v2"):
            file[name] = FRAMES
        file["a hard one"] = file["v2"]
        file["soft"] = h5py.SoftLink("/v1")
        file["dangling"] = h5py.SoftLink("/nowhere")
        file["outside"] = h5py.ExternalLink("gone.h5", "/x")
        file["none"] = h5py.Empty("f4")
    notes = imported(tmp_path / "all.h5", tmp_path / "out").notes
    assert stored_videos(tmp_path / "out").keys() == {"v1", "v2", "a hard one", "soft"}
    for name in ("dangling (a link to /nowhere)", "outside (a link to /x)", "none"):
        assert f"not imported: {name}, in 1 files" in notes


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"id": pa.array([b"\xff"] * 18)}, r"the column id \(binary\) holds no text"),
        ({"id": [[name] for name in IDS]}, r"the column id \(list<.*>\) holds no text"),
        ({"id": [""] * 3 + IDS[3:]}, "a.parquet: has a video whose id is empty"),
        ({"id": IDS, "time_s": ["a"] * 18}, "the column time_s holds string, not numbers"),
        ({"id": pa.array([], pa.string())}, "a.parquet: has no row"),
    ],
)
def test_column_of_another_type_is_named(columns: Any, what: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=what) as caught:
        imported(save_rows(tmp_path, **columns), tmp_path / "out")
    assert caught.value.hint


def test_column_that_is_there_twice_is_named(tmp_path: Path) -> None:
    rgb = pa.array(list(FRAMES))
    table = pa.Table.from_arrays([pa.array(IDS), rgb, rgb], names=["id", "rgb", "rgb"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="a.parquet: has the column rgb twice"):
        imported(tmp_path / "a.parquet", tmp_path / "out")


def test_two_rows_of_whole_videos_are_not_joined(tmp_path: Path) -> None:
    table = pa.table({"id": ["v0", "v1", "v1"], "rgb": [FRAMES[:4].tolist()] * 3})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="'v1' is in row 1 and in row 2, each a whole video"):
        imported(tmp_path / "a.parquet", tmp_path / "out")


def test_file_with_nothing_but_text_lists_what_it_holds(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", names=np.array(["a", "b"]))
    with pytest.raises(DataError, match=r"holds no features \(found: names\)"):
        imported(tmp_path / "v.npz", tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "first", "step", "is_late"),
    [
        ("time_s", 10.0, 1.0, True),
        ("time_s", 0.25, 0.5, False),
        ("time_s", 0.0, 0.5, False),
        ("frame", 1, 1, False),
        ("frame", 300, 30, True),
    ],
)
def test_times_that_do_not_begin_at_the_first_frame_are_reported(
    name: str, first: float, step: float, *, is_late: bool, tmp_path: Path
) -> None:
    places = [first + step * (number % 3) for number in range(18)]
    notes = imported(save_rows(tmp_path, id=IDS, **{name: places}), tmp_path / "out").notes
    what = (
        f"not imported: the time before the first {name} (frames count from 0 s; so must ratings)"
    )
    assert (f"{what}, in 6 videos" in notes) == is_late


def test_timestamps_that_begin_late_are_reported(tmp_path: Path) -> None:
    times = 5_000_000 + 1_000_000 * np.arange(3)[:, None]
    lists: dict[str, Any] = {"RGB/feature/floats": FRAMES[:3], "RGB/feature/timestamp": times}
    (tmp_path / "clip.pb").write_bytes(float_lists(lists))
    notes = imported(tmp_path / "clip.pb", tmp_path / "out").notes
    assert any("the time before the first RGB/feature/timestamp" in note for note in notes)


def test_broken_record_of_data_that_are_added_to_is_reported(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    imported(source, out)
    shard = max(out.glob("*.tfrecord"), key=lambda path: path.stat().st_size)
    shard.write_bytes(shard.read_bytes()[:-3])
    more = save_npy(tmp_path / "more", {"n": {"x": FRAMES}}, "{id}")
    notes = imported(more, out, append=True).notes
    assert any(note.startswith("1 broken records are in") for note in notes)
