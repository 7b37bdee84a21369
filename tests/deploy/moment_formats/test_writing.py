"""Exports appear whole or not at all, and no id or time breaks out of its file."""

import os
import re
from pathlib import Path

import pytest

from reeltag.core.errors import ConfigError, DataError, MissingPackageError, OutputError
from reeltag.deploy.moment_formats import FORMATS, format_named, otio
from reeltag.deploy.moment_formats.contract import MomentExport, MomentFormat, exact_rate
from reeltag.deploy.moment_formats.names import file_stem, file_stems
from reeltag.deploy.moment_formats.writing import export_moments
from reeltag.inference.moments import VideoMoment
from tests.deploy.moment_formats.synthetic import IDS, NAMES, export_of, hard_export, moment

FOLDERS = [each for each in FORMATS if each.makes == "folder"]
FILES = [each for each in FORMATS if each.makes == "file"]


@pytest.mark.parametrize("to", FORMATS, ids=lambda each: each.name)
def test_format_writes_hard_names_into_its_path_alone(to: MomentFormat, tmp_path: Path) -> None:
    path = tmp_path / "out"
    done = export_moments(to, hard_export(), path)
    if to.name == "youtube":  # no video has three chapters
        assert done.files == 0 and list(tmp_path.iterdir()) == []
        return
    assert [each.name for each in tmp_path.iterdir()] == ["out"]
    found = list(path.iterdir()) if to.makes == "folder" else [path]
    assert len(found) == done.files and all(each.is_file() for each in found)
    for each in found:
        text = each.read_bytes().decode()  # UTF-8
        assert "\x1b" not in text or to.name == "csv"
        assert len(each.name.encode()) <= 255


@pytest.mark.parametrize("to", FORMATS, ids=lambda each: each.name)
def test_format_writes_no_moments(to: MomentFormat, tmp_path: Path) -> None:
    done = export_moments(to, export_of(), tmp_path / "out")
    assert done.files == (to.makes == "file") and done.notes == []
    assert (tmp_path / "out").exists() == (to.makes == "file")


@pytest.mark.parametrize("to", FOLDERS, ids=lambda each: each.name)
def test_folder_is_whole_or_absent(to: MomentFormat, tmp_path: Path) -> None:
    """As where a name is too long for the disk, after some files are written."""

    def fail(export: MomentExport, folder: Path) -> list[str]:
        to.write(export, folder)
        (folder / ("x" * 300)).touch()
        return []

    broken = MomentFormat(name="broken", what="", makes="folder", write=fail)
    with pytest.raises(OutputError, match="cannot be written"):
        export_moments(broken, hard_export(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    kept = tmp_path / "out" / "precious"
    kept.parent.mkdir()
    kept.touch()
    with pytest.raises(OutputError, match=r"holds files already(.|\n)*--overwrite"):
        export_moments(to, hard_export(), tmp_path / "out")
    with pytest.raises(OutputError, match="cannot be written"):
        export_moments(broken, hard_export(), tmp_path / "out", overwrite=True)
    assert list((tmp_path / "out").iterdir()) == [kept]
    done = export_moments(to, hard_export(), tmp_path / "out", overwrite=True)
    assert kept.exists() and len(list(kept.parent.iterdir())) == done.files + 1


@pytest.mark.parametrize("to", FILES, ids=lambda each: each.name)
def test_file_is_not_overwritten_unasked(to: MomentFormat, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        export_moments(to, hard_export(), path)
    assert path.read_text() == "precious"
    export_moments(to, hard_export(), path, overwrite=True)
    assert path.read_text() != "precious"
    with pytest.raises(OutputError, match="is a folder"):
        export_moments(to, hard_export(), tmp_path, overwrite=True)


def test_folder_is_not_written_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(OutputError, match="is a file, not a folder"):
        export_moments(format_named("elan", where=""), hard_export(), tmp_path / "out")


def test_file_stems_are_short_and_unique_also_where_case_is_ignored() -> None:
    ids = [
        *IDS,
        "a/b",
        "a%2Fb",
        "a b",
        ".a",
        "%2Ea",
        "..",
        "-_~",
        "x" * 299,
        "X" * 300,
        "Ü",
        "ü",
        "Ab",
        "aB",
    ]
    stems = file_stems(ids)
    assert list(stems) == ids and len({stem.casefold() for stem in stems.values()}) == len(ids)
    for stem in stems.values():
        assert re.fullmatch(r"[\w%~-][\w%.~-]*", stem, re.ASCII) and len(stem) <= 180
        assert not re.search("%(?![0-9A-F]{2})", stem)  # none is cut within a character
    assert stems["film_001"] == "film_001" and re.fullmatch("Ab~.{16}", stems["Ab"])
    assert file_stems(["Ab"]) == {"Ab": "Ab"}
    assert file_stem("x" * 300) != file_stem("x" * 299)
    for name in ("", "nul", "Com1.mp4"):  # no name, and what Windows keeps for devices
        assert re.fullmatch(rf"_?{name}~[0-9a-f]{{16}}", file_stem(name))
    assert file_stem("console") == "console"


@pytest.mark.parametrize(
    ("times", "rule"),
    [
        ((2.0, 2.0), r"at \[2, 2\) s must begin at 0 s or later, and end after that"),
        ((3.0, 2.0), "and end after that"),
        ((-1.0, 2.0), "must begin at 0"),
        ((float("nan"), 2.0), "must begin at 0"),
        ((1.0, float("nan")), "and end after that"),
        ((1.0, float("inf")), "and end after that"),
    ],
)
def test_export_raises_for_times_that_are_no_interval(
    times: tuple[float, float], rule: str
) -> None:
    with pytest.raises(DataError, match=rule) as caught:
        export_of(moment(*times, id="v\x1b"))
    assert caught.value.where == repr("v\x1b")


def test_export_raises_for_a_probability_that_is_none() -> None:
    for prob in (float("nan"), 1.5):
        with pytest.raises(DataError, match=r"must have a probability in \[0, 1\]"):
            export_of(moment(0, 1, prob=prob))


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 0.5])
def test_export_raises_for_frame_rates_out_of_range(fps: float) -> None:
    with pytest.raises(ConfigError, match=r"fps: must be in \[1, 1000\]"):
        export_of(fps=fps)


def test_export_takes_the_moments_of_the_api() -> None:
    given = VideoMoment(
        id="a",
        index=0,
        name="Guitar",
        start_s=1,
        end_s=2,
        peak_s=1.5,
        prob=0.5,
        mean_prob=0.4,
        precision=None,
    )
    export = MomentExport.of([given], NAMES)
    assert export.moments[0].yes is None and export.by_video["a"][0].name == "Guitar"


def test_exact_rates_are_those_of_ntsc() -> None:
    assert [str(exact_rate(fps)) for fps in (23.976, 29.97, 59.94, 25, 24, 29.97003)] == [
        *("24000/1001", "30000/1001", "60000/1001", "25", "24", "30000/1001"),
    ]


def test_unknown_format_is_named() -> None:
    with pytest.raises(ConfigError, match=r"there is no format 'eln'(.|\n)*mean elan\?"):
        format_named("eln", where="--export")


def test_otio_without_its_extra_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("reeltag.core.extras.find_spec", lambda _: None)
    with pytest.raises(MissingPackageError, match=r"pip install 'reeltag\[otio\]'"):
        export_moments(otio.FORMAT, hard_export(), tmp_path / "out")
    assert os.listdir(tmp_path) == []
