"""A shard that was being given its name when the process was killed."""

from pathlib import Path

import pytest

from reeltag.library.extraction.folder import ExtractionFolder


@pytest.mark.parametrize("is_named", [False, True])
def test_shard_is_known_once_it_has_its_name(tmp_path: Path, is_named: bool) -> None:
    folder = ExtractionFolder(tmp_path / "data")

    def rename() -> None:
        if not is_named:
            raise KeyboardInterrupt
        (tmp_path / "data" / "train0000.tfrecord").touch()

    with folder.locked():
        if is_named:
            folder.place("train0000.tfrecord", ["a", "b"], rename)
        else:
            with pytest.raises(KeyboardInterrupt):
                folder.place("train0000.tfrecord", ["a", "b"], rename)
        found = folder.interrupted()
        assert found == (("train0000.tfrecord", ["a", "b"]) if is_named else None)
        folder.placed()
        assert folder.interrupted() is None


def test_nothing_but_what_is_known_stays(tmp_path: Path) -> None:
    folder = ExtractionFolder(tmp_path / "data")
    with folder.locked():
        (folder.parts / "a.frames").touch()
        (folder.path / "train0000.tfrecord.written").touch()
        folder.clear()
        assert [path.name for path in folder.path.iterdir()] == ["lock"]
