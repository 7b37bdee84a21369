"""Names in UTF-8 for files whose paths are not."""

import os
import tempfile
from pathlib import Path

import pytest

from reeltag.core.utf8_names import utf8_name

ODD = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize("path", [f"{ODD}/a.onnx", f"a/{ODD}.onnx", f"{ODD}/{ODD}"])
def test_file_is_read_and_written_by_a_name_in_utf8(path: str, tmp_path: Path) -> None:
    file = tmp_path / path
    file.parent.mkdir(exist_ok=True)
    for content in ("new", "changed"):
        with utf8_name(file) as name:
            name.encode()
            Path(name).write_text(content, encoding="utf-8")
        assert file.read_text(encoding="utf-8") == content and not Path(name).exists()
    assert [of.name for of in file.parent.iterdir()] == [file.name]


def test_files_next_to_it_are_there(tmp_path: Path) -> None:
    place = tmp_path / ODD
    place.mkdir()
    (place / "a.onnx.data").write_text("weights")
    with utf8_name(place / "a.onnx") as name:
        assert Path(name).with_name("a.onnx.data").read_text() == "weights"


def test_name_in_utf8_is_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with utf8_name(tmp_path / "\xe9.onnx") as name:
        assert name == str(tmp_path / "\xe9.onnx")
