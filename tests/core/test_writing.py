"""Errors of a disk become an OutputError, whatever library writes; others are left alone."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.torch
import torch

from reeltag.core.errors import DataError, OutputError
from reeltag.core.files import (
    appending,
    scratch_file,
    scratch_folder,
    whole_file,
    whole_folder,
    writing_scratch,
)
from reeltag.core.writing import writing
from tests.full_disks import files_up_to, small_disk

NUMBERS = np.random.default_rng(0).random(300_000)  # 2.4 MB that nothing makes smaller


@pytest.fixture(params=["limit", "disk"])
def full_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Yield a folder in which a file cannot grow beyond about 300 kB."""
    if request.param == "limit":
        with files_up_to(300_000):
            yield tmp_path
        return
    with small_disk(tmp_path / "disk", "300k") as folder:
        yield folder


def _arrow(path: Path) -> None:
    table = pa.table({"x": NUMBERS})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = NUMBERS


def _video(path: Path) -> None:
    with av.open(str(path), "w", "wav") as target:
        stream = target.add_stream("pcm_s16le", rate=16_000)
        sound = (NUMBERS * 30_000).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(sound, format="s16", layout="mono")
        frame.sample_rate = 16_000
        target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def _torch_to_file(path: Path) -> None:
    with path.open("wb") as file:
        torch.save(torch.from_numpy(NUMBERS), file)


def _numpy_to_file(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, NUMBERS)


def _zip_to_file(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, x=NUMBERS)


WRITERS: dict[str, Callable[[Path], object]] = {
    "python": lambda path: path.write_bytes(NUMBERS.tobytes()),
    "numpy": _numpy_to_file,
    "tofile": lambda path: NUMBERS.tofile(path),
    "savez": _zip_to_file,
    "safetensors": lambda path: safetensors.torch.save_file({"x": torch.from_numpy(NUMBERS)}, path),
    "torch": lambda path: torch.save(torch.from_numpy(NUMBERS), path),
    "torch to a file": _torch_to_file,
    "parquet": lambda path: pq.write_table(pa.table({"x": NUMBERS}), path),
    "arrow": _arrow,
    "hdf5": _hdf5,
    "av": _video,
}


@pytest.mark.parametrize("writer", WRITERS)
def test_full_disk_is_an_output_error_of_every_library(full_folder: Path, writer: str) -> None:
    with (
        pytest.raises(OutputError, match="out: cannot be written") as caught,
        whole_file(full_folder / "out") as part,
    ):
        WRITERS[writer](part)
    assert "Free some space" in caught.value.hint
    assert not [*full_folder.iterdir()]


def test_full_disk_within_a_folder_names_the_file_that_is_to_be(full_folder: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"run/model: cannot be written \((No space|File too)"),
        whole_folder(full_folder / "run") as part,
        whole_file(part / "model") as file,
    ):
        file.write_bytes(NUMBERS.tobytes())
    assert not [*full_folder.iterdir()]


def test_full_disk_while_appending_keeps_what_was_there(full_folder: Path) -> None:
    path = full_folder / "log.csv"
    with appending(path) as file:
        file.write(b"step\n1\n")
    with pytest.raises(OutputError, match=r"log.csv: cannot be written"), appending(path) as file:
        file.write(NUMBERS.tobytes())
    assert path.read_bytes().startswith(b"step\n1\n")


def test_full_folder_for_temporary_files_is_named(
    full_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(full_folder))
    with (
        pytest.raises(OutputError, match=f"{full_folder}: cannot be written(?s:.)*TMPDIR"),
        scratch_file() as file,
        writing_scratch(),
    ):
        file.write(NUMBERS.tobytes())
    with (
        pytest.raises(OutputError, match=f"{full_folder}: cannot be written(?s:.)*TMPDIR"),
        scratch_folder() as folder,
    ):
        (folder / "file").write_bytes(NUMBERS.tobytes())
    assert not [*full_folder.iterdir()]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no space"),
        sqlite3.DatabaseError("damaged"),
        RuntimeError("shapes differ"),
        DataError("is damaged"),
        BrokenPipeError(errno.EPIPE, "Broken pipe"),
        FileNotFoundError(errno.ENOENT, "No such file", "/somewhere/else"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_of_other_things_are_left_alone(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, whole_file(tmp_path / "out"):
        raise error
    assert caught.value is error
    assert not [*tmp_path.iterdir()]


def test_error_of_a_library_with_words_of_the_system(tmp_path: Path) -> None:
    reason = os.strerror(errno.EDQUOT)
    with pytest.raises(OutputError, match=reason), writing(tmp_path / "out"):
        raise RuntimeError(f"I/O error: {reason} (os error {errno.EDQUOT})")
