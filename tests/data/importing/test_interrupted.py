"""An import that was killed, failed or refused: what is left, and how it goes on."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reeltag.core.errors import DataError, OutputError, ReeltagError
from reeltag.data.features import Features
from reeltag.data.importing import run, shard_writing
from reeltag.data.importing.work_folder import WorkFolder
from tests.data.importing.archives import (
    SMALL,
    imported,
    names_in,
    renamed,
    save_npy,
    shard_bytes,
    some_videos,
    stored_videos,
)
from tests.processes import Launch, die


def import_until_killed(source: Path, out: Path, shards: int) -> None:
    """Import, and be killed after some shards."""
    write = shard_writing.write_shard
    done = list[int]()

    def write_some(*arguments: Any) -> Any:
        if len(done) == shards:
            os.kill(os.getpid(), signal.SIGKILL)
        done.append(1)
        return write(*arguments)

    vars(run)["write_shard"] = write_some
    imported(source, out, shard_bytes=SMALL, command="reeltag import in --out out")


def test_killed_import_goes_on_where_it_was(source: Path, tmp_path: Path, launch: Launch) -> None:
    out, work = tmp_path / "out", tmp_path / "out.importing"
    killed = launch(import_until_killed, source, out, 2).wait()
    assert killed.status == -signal.SIGKILL and not out.exists()
    assert "reeltag import in --out out" in (work / "README.txt").read_text()
    kept = {p.name: p.stat().st_mtime_ns for p in (work / "data").glob("*.tfrecord")}
    assert len(kept) == 2
    with pytest.raises(OutputError, match="holds an unfinished import of other features"):
        imported(source, out, dtype="float16", shard_bytes=SMALL)
    imported(source, out, shard_bytes=SMALL)
    assert not work.exists()
    assert kept == {name: (out / name).stat().st_mtime_ns for name in kept}
    imported(source, tmp_path / "whole", shard_bytes=SMALL)
    assert shard_bytes(out) == shard_bytes(tmp_path / "whole")


def test_error_after_finished_shards_keeps_them(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = save_npy(source, {"zz": {"rgb": np.ones((3, 5)), "audio": np.ones((3, 3))}})
    monkeypatch.setattr("reeltag.data.importing.sample._NUM_VIDEOS", 1)
    np.save(last / "rgb" / "zz.npy", np.full((3, 5), np.nan))
    with pytest.raises(DataError, match="row 0 of rgb"):
        imported(source, tmp_path / "out", shard_bytes=SMALL)
    assert not (tmp_path / "out").exists() and (tmp_path / "out.importing").exists()
    np.save(last / "rgb" / "zz.npy", np.ones((3, 5)))
    work = tmp_path / "out.importing" / "data"
    kept = {path.name: path.stat().st_mtime_ns for path in work.glob("*.tfrecord")}
    imported(source, tmp_path / "out", shard_bytes=SMALL)
    assert kept == {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in kept}
    assert "zz" in stored_videos(tmp_path / "out")


def test_shard_whose_files_changed_is_written_again(
    source: Path, tmp_path: Path, launch: Launch
) -> None:
    assert launch(import_until_killed, source, tmp_path / "out", 3).wait().status
    values = np.full((4, 5), 7, np.float32)
    np.save(source / "rgb" / "v0.npy", values)
    np.save(source / "audio" / "v0.npy", np.ones((4, 3), np.float32))
    imported(source, tmp_path / "out", shard_bytes=SMALL)
    step = max(Features.open(tmp_path / "out" / "features.json").streams[0].scale or ())
    np.testing.assert_allclose(stored_videos(tmp_path / "out")["v0"]["rgb"], values, atol=step)


def test_import_that_lacks_only_its_name_is_moved(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(source, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(WorkFolder, "move", lambda folder: None)
        imported(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert imported(source, tmp_path / "out").videos == 12
    assert shard_bytes(tmp_path / "out") == shard_bytes(tmp_path / "whole")
    more = save_npy(tmp_path / "more", renamed(some_videos(3), "new"))
    with monkeypatch.context() as patch:
        patch.setattr(WorkFolder, "move", lambda folder: None)
        imported(more, tmp_path / "out", append=True)
    assert shard_bytes(tmp_path / "out") == shard_bytes(tmp_path / "whole")
    with pytest.raises(OutputError, match="an earlier import into it was complete"):
        imported(more, tmp_path / "out", append=True, rate=1.0)
    assert len(stored_videos(tmp_path / "out")) == 15
    assert names_in(tmp_path) == {"in", "more", "out", "whole"}


def test_second_import_into_one_folder_names_the_process(source: Path, tmp_path: Path) -> None:
    with (
        WorkFolder(tmp_path / "out", "").locked(),
        pytest.raises(OutputError, match=f"out.importing: is in use by process {os.getpid()} on "),
    ):
        imported(source, tmp_path / "out")
    assert names_in(tmp_path) == {"in"}


def import_on_a_full_disk(source: Path, out: Path) -> str:
    """Return the kind of error."""
    try:
        imported(source, out, dtype="float32")
    except OutputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("most_bytes", [20, 150, 1000])
def test_full_disk_is_an_error_and_leaves_no_data(
    most_bytes: int, source: Path, tmp_path: Path, launch: Launch
) -> None:
    out = tmp_path / "out"
    error = launch(import_on_a_full_disk, source, out, most_bytes=most_bytes).result()
    assert "cannot be written (File too large)" in error and not out.exists()
    assert imported(source, out, dtype="float32").videos == 12
    assert names_in(tmp_path) == {"in", "out"}


def test_folder_in_the_way_is_not_touched(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out.importing").mkdir()
    (tmp_path / "out.importing" / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match="is in the way"):
        imported(source, tmp_path / "out")
    assert (tmp_path / "out.importing" / "thesis.txt").read_text() == "precious"


def test_existing_data_are_not_overwritten(source: Path, tmp_path: Path) -> None:
    imported(source, tmp_path / "out")
    before = shard_bytes(tmp_path / "out")
    with pytest.raises(OutputError, match="exists already"):
        imported(source, tmp_path / "out")
    assert shard_bytes(tmp_path / "out") == before


def _import_until(source: Path, out: Path, function: str, append: bool) -> None:
    pytest.MonkeyPatch().setattr(function, die)
    imported(source, out, append=append)


_WORK = "reeltag.data.importing.work_folder"


@pytest.mark.parametrize(
    ("function", "is_named"),
    [
        (f"{_WORK}.hold", False),
        (f"{_WORK}.write_json", False),
        (f"{_WORK}.write_text", False),
        (f"{_WORK}.put", False),
        (f"{_WORK}.discard", False),
        ("shutil.rmtree", True),  # the next run finds the data alone
    ],
)
@pytest.mark.parametrize("append", [False, True])
def test_import_killed_anywhere_leaves_nothing_after_the_next(
    source: Path, tmp_path: Path, launch: Launch, function: str, is_named: bool, append: bool
) -> None:
    out = tmp_path / "out"
    more = save_npy(tmp_path / "more", renamed(some_videos(3), "more"))
    if append:
        imported(source, out)
    killed = launch(_import_until, more, out, function, append).wait()
    assert killed.status == -signal.SIGKILL
    assert names_in(tmp_path) > {"in", "more"}
    if is_named:
        with pytest.raises(ReeltagError, match=r"3 videos are in|exists already"):
            imported(more, out, append=append)
    else:
        assert imported(more, out, append=append).videos == 3
    assert names_in(tmp_path) == {"in", "more", "out"}
    assert len(stored_videos(out)) == 3 + 12 * append
