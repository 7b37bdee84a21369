"""The page of plots: what stands on it, what is left out, and that it needs nothing else."""

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.index import open_index
from reeltag.data.selection import Records, select
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.inference.predictions import About, Rows, prediction_writer
from reeltag.report.page import write_report

CORPUS = SynthConfig(videos=60, classes=8, rgb=16, audio=4, min_frames=30, max_frames=50)
EVALUATION = {
    "gap@20": 0.5124,
    "gap@20_interval": [0.4712, 0.5503],
    "hit@1": 0.76,
    "map": None,
    "map@k": 0.71,
    "segments": 41,
    "classes": 7,
}


def write_predictions(path: Path, records: Records, *, segments: bool, videos: bool = True) -> None:
    """Write scores that know the labels, somewhat."""
    rng = np.random.default_rng(0)
    ids, lengths = records.table["id"].to_pylist(), records.column("frames")
    offsets, labels = records.lists("labels")

    def ranked(rows: list[int]) -> tuple[np.ndarray, np.ndarray]:
        scores = rng.normal(-1, 1, (len(rows), 8)).astype(np.float32)
        for row, video in zip(scores, rows, strict=True):
            row[labels[offsets[video] : offsets[video + 1]]] += 2
        order = np.argsort(-scores, axis=1).astype(np.int32)
        return order, np.take_along_axis(scores, order, axis=1)

    with prediction_writer(path, About(num_classes=8, family="nextvlad", run="RUN")) as writer:
        if videos:
            writer.write(Rows.of_matrix(ids, None, *ranked(list(range(len(ids))))))
        if segments:
            cells = [(v, s) for v in range(len(ids)) for s in range(0, int(lengths[v]), 5)]
            starts = np.array([start for _, start in cells], np.int32)
            names = [ids[video] for video, _ in cells]
            writer.write(Rows.of_matrix(names, starts, *ranked([video for video, _ in cells])))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "corpus"
    write_corpus(folder, CORPUS, quiet=True)
    return folder


@pytest.fixture(scope="module")
def predictions(corpus: Path) -> Path:
    records = select(open_index(corpus, jobs=1, quiet=True), "test")
    write_predictions(corpus.parent / "p.parquet", records, segments=True)
    return corpus.parent / "p.parquet"


@pytest.fixture(scope="module")
def run_folder(corpus: Path) -> Path:
    folder = corpus.parent / "run"
    folder.mkdir()
    (folder / "metrics.csv").write_text(
        "step,seconds,train_loss,validate_gap@20,odd\n"
        "10,5.0,30.5,,x\n20,9.5,12.25,,\n20,,,0.31,\n30,12.0,nan,,\n40,,,0.42,\n"
    )
    config = {"model": {"family": "<script>"}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def page(corpus: Path, predictions: Path, run_folder: Path) -> str:
    out = corpus.parent / "page.html"
    write_report(run_folder, EVALUATION, predictions, corpus, out, split="test")
    return out.read_text()


class Ids(HTMLParser):
    """Collects what a browser would, and refuses tags that are not closed in order."""

    VOID = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_headline_numbers_stand_with_their_intervals(page: str) -> None:
    assert "0.512" in page and "95 %: 0.471 to 0.550" in page
    assert "MAP@K is over 41 rated segments of 7 classes" in page
    cards = re.findall(r'class="card"><div class="name">([^<]+)<', page)
    assert cards == ["GAP@20", "Hit@1", "MAP@K"]  # what is undefined or absent is left out


def test_synthetic_data_are_flagged_and_others_are_not(
    page: str, corpus: Path, predictions: Path, tmp_path: Path
) -> None:
    assert "Synthetic data." in page and "reeltag synth" in page
    real = tmp_path / "real"
    real.mkdir()
    for path in corpus.glob("*.tfrecord"):
        (real / path.name).symlink_to(path)
    (real / "vocabulary.csv").symlink_to(corpus / "vocabulary.csv")
    write_report(None, EVALUATION, predictions, real, tmp_path / "real.html", split="test")
    other = (tmp_path / "real.html").read_text()
    assert "Synthetic" not in other and "data are synthetic" not in other
    assert "NeXtVLAD on real" in other and ">truth<" in page and ">truth<" not in other


def test_page_needs_no_network_and_no_script(page: str) -> None:
    assert "<script" not in page and "@import" not in page
    outside = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?(?!["\'#])([^"\'\s)]+)', page)
    assert [link for link in outside if not link.startswith("#")] == []


def test_page_is_well_formed_and_its_ids_are_distinct(page: str) -> None:
    parser = Ids()
    parser.feed(page)
    assert parser.open == []
    assert len(set(parser.ids)) == len(parser.ids) > 10
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(drawings) == 4 + 4
    for drawing in drawings:
        ElementTree.fromstring(drawing)


def test_drawings_take_the_colours_of_the_page(page: str) -> None:
    drawings = " ".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert set(re.findall(r"#[0-9a-f]{6}\b", drawings)) == set()
    assert {"--line-1", "--ink", "--muted", "--grid"} <= set(re.findall(r"--[\w-]+", drawings))
    assert "mathdefault" not in drawings and "DejaVu" not in drawings


def test_training_is_told_and_drawn(page: str) -> None:
    assert (
        "40 steps in 12 s; the best GAP@20 on the validation videos was 0.420, at step 40" in page
    )
    assert "Training loss" in page and "nats per video" in page


def test_what_comes_from_files_is_escaped(page: str) -> None:
    assert "&lt;script&gt;" in page


def test_without_a_run_and_without_segments_those_parts_are_left_out(
    corpus: Path, tmp_path: Path
) -> None:
    records = select(open_index(corpus, jobs=1, quiet=True), "validate")
    write_predictions(tmp_path / "p.parquet", records, segments=False)
    write_report(None, {}, tmp_path / "p.parquet", corpus, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    write_report(None, {}, tmp_path / "p.parquet", corpus, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text() == page, "the same input gives the same page"
    headings = re.findall(r"<h2>(\w+)</h2>", page)
    assert headings == ["Classes", "Tags"] and "Configuration" not in page
    assert "the predicted videos" in page and ": 9 videos" in page


def test_predictions_of_segments_alone_show_moments_alone(corpus: Path, tmp_path: Path) -> None:
    records = select(open_index(corpus, jobs=1, quiet=True), "test")
    write_predictions(tmp_path / "p.parquet", records, segments=True, videos=False)
    write_report(None, {}, tmp_path / "p.parquet", corpus, tmp_path / "page.html", split="test")
    assert re.findall(r"<h2>(\w+)</h2>", (tmp_path / "page.html").read_text()) == ["Moments"]


def test_video_level_data_have_a_page_too(tmp_path: Path) -> None:
    write_corpus(tmp_path / "means", dataclasses.replace(CORPUS, level="video"), quiet=True)
    records = select(open_index(tmp_path / "means", jobs=1, quiet=True), "test")
    write_predictions(tmp_path / "p.parquet", records, segments=False)
    out = tmp_path / "page.html"
    write_report(None, EVALUATION, tmp_path / "p.parquet", tmp_path / "means", out, split="test")
    assert "mean_rgb (16) and mean_audio (4)" in out.read_text()


def test_predictions_of_other_videos_are_refused_and_nothing_is_written(
    corpus: Path, predictions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "page.html"
    with pytest.raises(DataError, match="no row for any video of the split 'validate'"):
        write_report(None, {}, predictions, corpus, out, split="validate")
    with pytest.raises(ConfigError, match="no shard belongs"):
        write_report(None, {}, predictions, next(corpus.glob("train*")), out, split="test")
    assert not out.exists()
