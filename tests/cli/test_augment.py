"""`reeltag augment` from the command line: words, JSON, pictures, training on it, wrong input."""

import csv
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from reeltag.cli.main import run
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus

SCALED = ["--pivot", "30", "--decades", "1", "--chunk-shards", "2"]


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a corpus of 120 video-level records, 8 classes, 3 training shards."""
    out = tmp_path_factory.mktemp("vectors") / "data"
    config = SynthConfig(
        videos=120, classes=8, rgb=16, audio=4, level="video", shards=3, held_out=0.2,
        min_frames=10, max_frames=24,
    )  # fmt: skip
    write_corpus(out, config, quiet=True)
    return out


@pytest.fixture(scope="module")
def augmented(vectors: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That corpus augmented, with the map of classes."""
    out = tmp_path_factory.mktemp("augmented") / "out"
    arguments = ["augment", str(vectors), "--out", str(out), *SCALED, "--jobs", "1"]
    assert run([*arguments, "--tsne", "auto", "--json"]) == 0
    return out


def result_of(capfd: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """Run the command with --json and return its result; nothing else is on stdout."""
    capfd.readouterr()
    assert run(["augment", *map(str, arguments), "--json"]) == 0
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


def test_augment_json_adds_up_and_follows_the_plan(
    vectors: Path, augmented: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = result_of(capfd, vectors, "--plan-only", *SCALED)
    found = result_of(capfd, vectors, "--out", augmented, *SCALED)
    assert found["read"] == 0  # it goes on where it was: all is there
    made = found["interpolated"] + found["extrapolated"] + found["noisy"]
    assert found["original"] == plan["kept"] and found["samples"] == plan["kept"] + made
    assert plan["least"] <= made <= plan["most"] and found["noisy"] == plan["noisy"]
    assert found["factor"] == found["samples"] / plan["videos"] > 1
    size = sum(path.stat().st_size for path in augmented.glob("train*"))
    # of one mean record each, and ids of about 16 letters
    assert 0.9 * plan["least_bytes"] < size < 1.1 * plan["most_bytes"]
    with (augmented / "label_counts.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 and rows[0].keys() == {"index", "name", "before", "after"}
    assert max(int(row["after"]) for row in rows) == found["labels_after"]["max"]


def test_augment_plan_only_writes_nothing(
    vectors: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["augment", str(vectors), "--plan-only", "--out", str(tmp_path / "out")]) == 0
    captured = capfd.readouterr()
    assert "over-sampled" in captured.out and "GB of vectors a process" in captured.out
    assert "--pivot auto scales it" in captured.err
    assert not list(tmp_path.iterdir())


def test_augment_pictures_are_well_formed_svg(augmented: Path) -> None:
    for name, words in {
        "label_counts.svg": ("before", "after", "rank of the label", "pivot 30"),
        "tsne.svg": ("original (", "interpolated (", "extrapolated ("),
    }.items():
        text = (augmented / name).read_text()
        assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
        assert all(word in text for word in words) and "var(--" not in text


def test_augmented_folder_trains_like_the_data(augmented: Path, tmp_path: Path) -> None:
    arguments = ["train", "logistic", "--data", str(augmented), "--out", str(tmp_path / "RUN")]
    assert run([*arguments, "--batch-size", "16", "--max-steps", "3"]) == 0
    assert (tmp_path / "RUN" / "model.safetensors").is_file()


def test_augment_prints_what_was_written_and_the_next_command(
    vectors: Path, augmented: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["augment", str(vectors), "--out", str(augmented), *SCALED]) == 0
    output = capfd.readouterr().out
    assert (
        "samples of 72 videos" in output
        and f"next: reeltag train moe_16 --data {augmented}" in output
    )
    assert "videos per label, before: min" in output and "all shards were there already" in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--out: is missing: the folder to make"),
        (["--out", "{out}", "--alpha", "0"], "alpha is 0.0; allowed: a number in (0, 1000]"),
        (["--out", "{out}", "--lambda", "1"], "lambda: must be above 0 and below 1, got 1.0"),
        (["--out", "{out}", "--sigma", "-1"], "sigma is -1.0; allowed: a finite number > 0"),
        (["--out", "{out}", "--chunk-shards", "0"], "chunk_shards is 0; allowed: an integer >= 1"),
        (["--out", "{out}", "--jobs", "0"], "jobs: must be at least 1, got 0"),
        (["--out", "{out}", "--by", "smell"], "the data has no stream 'smell'"),
        (["--out", "{out}", "--tsne", "Nothing"], "tsne: there is no class 'Nothing' among the 8"),
        (["--out", "{out}", "--tsne", "8"], "tsne: there is no class '8' among the 8"),
        (["--out", "{data}/out"], "is in the data"),
        (["--out", "{out}", "--train", "none*"], "no shard belongs to the split 'train'"),
    ],
)
def test_augment_wrong_options_have_status_2_and_write_nothing(
    vectors: Path,
    tmp_path: Path,
    arguments: list[str],
    words: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    given = [text.format(out=tmp_path / "out", data=vectors) for text in arguments]
    assert run(["augment", str(vectors), *given]) == 2
    captured = capfd.readouterr()
    assert (
        words in " ".join(captured.err.split())
        and not captured.out
        and not list(tmp_path.iterdir())
    )
    assert not (vectors / "out").exists()


def test_augment_raises_for_frame_level_data(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["augment", str(corpus), "--out", str(tmp_path / "out")]) == 2
    output = " ".join(capfd.readouterr().err.split())
    assert (
        "holds frames" in output and "video-level files" in output and not list(tmp_path.iterdir())
    )


def test_augment_raises_for_other_settings_and_augmented_data(
    vectors: Path, augmented: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = ["augment", str(vectors), "--out", str(augmented), *SCALED]
    assert run([*given, "--alpha", "2"]) == 2
    assert "was written with alpha 1.0, not 2.0" in " ".join(capfd.readouterr().err.split())
    assert run(["augment", str(augmented), "--out", str(tmp_path / "twice")]) == 2
    assert "were made by augmentation" in " ".join(capfd.readouterr().err.split())
