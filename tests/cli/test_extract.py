"""`reeltag extract` and `reeltag tag` from the command line."""

import json
import shlex
import shutil
from pathlib import Path

import pytest

from reeltag.cli.main import run
from reeltag.core.files import write_json
from reeltag.data.features import Features
from reeltag.tagger.tagger import Tagger
from reeltag.tagger.thresholds import ClassThreshold, Thresholds
from tests.cli.printed import run_next
from tests.library.extraction.synthetic_videos import write_film
from tests.library.extraction.test_one_file import tagger_of


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for number in range(4):
        write_film(folder / f"film{number}.mp4", [40 * number, 40], 0.1 * number)
    (folder / "notes.txt").write_text("about these films")
    return folder


@pytest.fixture(scope="module")
def extracted(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("extracted") / "data"
    arguments = ["extract", str(films), "--out", str(out), "--picture", "none"]
    assert run([*arguments, "--workers", "1", "--json"]) == 0
    return out


def test_extract_prints_counts_and_next_commands_that_work(
    films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources, out = tmp_path / "some films", tmp_path / "my data"
    shutil.copytree(films, sources / "Grey")
    (sources / "Black").mkdir()
    shutil.move(sources / "Grey" / "film0.mp4", sources / "Black")
    (sources / "broken.mp4").write_bytes(bytes(5000))
    arguments = ["extract", str(sources), "--out", str(out), "--picture", "none"]
    assert run([*arguments, "--workers", "1"]) == 0
    printed = capsys.readouterr().out
    assert f"{out}: 4 videos extracted" in printed and "x real time" in printed
    assert "log_mel 1" in printed
    assert "all videos: 4 (2 train, 1 validate, 1 test)" in printed
    assert "no videos: 1 text and tables" in printed
    assert "1 not extracted:" in printed and f"{sources / 'broken.mp4'}: " in printed
    assert run_next(printed, tmp_path / "elsewhere", monkeypatch)[0] == "weak-labels"
    commands = [line[6:] for line in printed.splitlines() if line.startswith("then: ")]
    assert [shlex.split(command)[1] for command in commands] == ["info", "solve"]
    assert run(shlex.split(commands[0])[1:]) == 0
    assert shlex.split(commands[1])[-1] == "--without-ratings"  # which takes longer


def test_json_is_one_object(
    films: Path, extracted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["extract", str(films), "--out", str(extracted), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["extracted"], printed["unchanged"], printed["failed"]) == (0, 4, [])


def test_extract_without_videos_has_status_2_and_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "empty.mp4").touch()
    for source, words in (
        (tmp_path / "films", "there is no video or sound file"),
        (tmp_path / "empty.mp4", "empty.mp4: is empty"),
        (tmp_path / "nowhere", "nowhere: No such file"),
    ):
        out = tmp_path / "data" / source.name
        assert run(["extract", str(source), "--out", str(out), "--picture", "none"]) == 2
        captured = capsys.readouterr()
        assert words in captured.err and not captured.out
        assert "Traceback" not in captured.err


@pytest.fixture
def trained(extracted: Path, tmp_path: Path) -> Path:
    """A run folder of a tagger of loud videos."""
    tagger, folder = tagger_of(Features.open(extracted / "features.json")), tmp_path / "run"
    folder.mkdir()
    tagger.save_weights(folder)
    tagger.save_classes(folder)
    tagger.features.save(folder)
    write_json(folder / "config.json", tagger.describe())
    return folder


def test_tag_prints_tags_and_moments_of_each_file(
    films: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(films / name) for name in ("film1.mp4", "film3.mp4", "notes.txt")]
    tracks = tmp_path / "tracks"
    options = ["--run", str(trained), "--prob", "1e-6", "--vtt", str(tracks)]
    assert run(["tag", *files, *options]) == 0
    captured = capsys.readouterr()
    assert captured.out.count(".mp4 (2 s)") == 2
    assert captured.out.count("1 moment\n") == 2 and captured.out.count("0.0 - 2.0 s") == 2
    assert f"{films / 'notes.txt'}: is a text file" in captured.err
    assert sorted(path.name for path in tracks.iterdir()) == ["film1.vtt", "film3.vtt"]
    assert "loud" in (tracks / "film1.vtt").read_text()
    assert run(["tag", *files, "--run", str(trained), "--prob", "1e-6", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [video["tags"][0]["name"] for video in printed["videos"]] == ["loud", "loud"]
    assert printed["videos"][0]["moments"][0]["end_s"] == 2.0
    assert printed["failed"][0]["path"] == files[2]


def test_tag_says_which_classes_have_no_threshold(
    films: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names, film = Tagger.load(trained).class_names, str(films / "film1.mp4")
    without = tuple(ClassThreshold(name=name, reason="too few ratings") for name in names)
    Thresholds(classes=without).save(trained)
    assert run(["tag", film, "--run", str(trained)]) == 0
    assert f"{len(names)} of {len(names)} classes have no threshold" in capsys.readouterr().err
    assert run(["tag", film, "--run", str(trained), "--prob", "0.5"]) == 0
    assert "no threshold" not in capsys.readouterr().err


def test_tag_without_any_usable_file_has_status_2(
    films: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["tag", str(films / "notes.txt"), "--run", str(trained)]) == 2
    captured = capsys.readouterr()
    assert "none of 1 files could be tagged" in captured.err and not captured.out


def test_tag_refuses_a_run_of_features_that_no_encoder_here_makes(
    films: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (trained / "features.json").unlink()
    assert run(["tag", str(films / "film1.mp4"), "--run", str(trained)]) == 2
    assert "how to compute them of a video is not known" in capsys.readouterr().err


@pytest.mark.parametrize("has_tags", [False, True])
def test_next_command_of_one_folder_is_about_the_tags_next_to_the_videos(
    films: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    has_tags: bool,
) -> None:
    shutil.copytree(films, tmp_path / "films")
    if has_tags:
        tags = json.dumps({"title": "A circle", "tags": ["circle", "grey"], "categories": []})
        for number in (1, 2):
            (tmp_path / "films" / f"film{number}.info.json").write_text(tags)
    arguments = ["extract", str(tmp_path / "films"), "--out", str(tmp_path / "data")]
    assert run([*arguments, "--picture", "none", "--workers", "1"]) == 0
    printed = capsys.readouterr().out
    words = run_next(printed, tmp_path / "elsewhere", monkeypatch)
    assert words[0] == ("weak-labels" if has_tags else "info")
    assert ("a folder for each class" in printed) == (not has_tags)
