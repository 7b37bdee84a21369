"""Parts: whole or not there, with what is missing in them."""

from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import DataError, OutputError
from reeltag.library.extraction.parts import FeaturePart, FeaturePartWriter, find_part

STREAMS = (("rgb", 3), ("audio", 2))


def write(folder: Path, key: str = "a", how: str = "now", note: str = "") -> FeaturePart:
    frames = np.arange(35, dtype=np.float32).reshape(7, 5)
    has = np.ones((7, 2), bool)
    has[2:5, 0] = has[6, 0] = False
    with FeaturePartWriter(folder, key, STREAMS, how) as writer:
        writer.add(frames[:4], has[:4])
        writer.add(frames[4:], has[4:])
        return writer.finish(note)


def test_part_keeps_frames_missing_ranges_and_note(tmp_path: Path) -> None:
    written = write(tmp_path / "parts", note="cut off")
    found = find_part(tmp_path / "parts", "a", "now")
    assert found == written
    assert found.frames().tolist() == np.arange(35).reshape(7, 5).tolist()
    assert found.missing == {"rgb": [(2, 5), (6, 7)]}
    assert found.has("rgb").tolist() == [True, True, False, False, False, True, False]
    assert found.has("audio").all()
    assert found.note == "cut off"
    found.remove()
    assert not list((tmp_path / "parts").iterdir())


def test_part_of_other_encoders_or_cut_short_is_none(tmp_path: Path) -> None:
    part = write(tmp_path)
    assert find_part(tmp_path, "a", "then") is None
    assert find_part(tmp_path, "b", "now") is None
    part.path.write_bytes(part.path.read_bytes()[:-4])
    assert find_part(tmp_path, "a", "now") is None


def test_unfinished_part_leaves_nothing_and_replaces_an_older_one(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(RuntimeError), FeaturePartWriter(tmp_path, "a", STREAMS, "now") as writer:
        writer.add(np.zeros((2, 5), np.float32), np.ones((2, 2), bool))
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_features_that_are_not_finite_and_no_frames_are_errors(tmp_path: Path) -> None:
    frames = np.full((1, 5), np.nan, np.float32)
    with (
        pytest.raises(DataError, match="not finite"),
        FeaturePartWriter(tmp_path, "a", STREAMS, "now") as writer,
    ):
        writer.add(frames, np.ones((1, 2), bool))
    with (
        pytest.raises(DataError, match="no frames"),
        FeaturePartWriter(tmp_path, "a", STREAMS, "now") as writer,
    ):
        writer.finish()


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "parts").write_text("a file")
    with pytest.raises(OutputError, match="parts"):
        write(tmp_path / "parts")
