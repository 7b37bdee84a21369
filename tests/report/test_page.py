"""The page of plots: what is on it, what is left out, and that it needs nothing else."""

import dataclasses
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from reeltag.data.dataset import Dataset
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.scores import evaluate
from reeltag.report import page as page_module
from reeltag.report.page import Examples, render
from reeltag.report.results import read_results
from reeltag.report.view import Page
from tests.report.pages import Parsed, written
from tests.report.test_results import write_result


@pytest.fixture(scope="module")
def views() -> list[Page]:
    return []


@pytest.fixture(scope="module")
def page(corpus: Path, predictions: Path, run_folder: Path, views: list[Page]) -> str:
    first = write_result(corpus.parent / "work", 0.61, 0.64)
    result = read_results([first, write_result(corpus.parent / "work1", 0.62, 0.66)])

    def keep_and_render(page: Page) -> str:
        views.append(page)
        return render(page)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_module, "render", keep_and_render)
        return written(
            corpus.parent / "page.html",
            predictions=predictions,
            data=corpus,
            run=run_folder,
            result=result,
            split="test",
            bootstrap=20,
            examples=Examples(count=1),
        )


def test_page_title_is_escaped(tmp_path: Path, run_folder: Path) -> None:
    run = shutil.copytree(run_folder, tmp_path / "a & <b>bold<")
    page = written(tmp_path / "page.html", run=run)
    assert re.findall("<title>(.*)</title>", page) == ["a &amp; &lt;b&gt;bold&lt;"]
    assert "<b>bold" not in page and Parsed(page).open == []


def test_headline_scores_are_those_of_evaluate(page: str, corpus: Path, predictions: Path) -> None:
    config = EvaluationConfig(split="test", bootstrap=20)
    scores = evaluate(predictions, Dataset.open(corpus, quiet=True), config, quiet=True)
    cards = re.findall(
        r'class="card"><div class="name">([^<]+)</div><div class="value">([^<]+)</div>'
        r'<div class="interval">([^<]*)<',
        page,
    )
    names = {"GAP@20": "gap@20", "Hit@1": "hit@1", "PERR": "perr", "mAP": "map", "MAP@K": "map@k"}
    assert [name for name, _, _ in cards] == list(names)
    for name, value, interval in cards:
        low, high = scores[f"{names[name]}_interval"]
        assert value == f"{scores[names[name]]:.3f}"
        assert interval == f"95 %: {low:.3f} to {high:.3f}"
    assert (
        f"MAP@K is over {scores['segments']} rated segments of {scores['classes']} classes" in page
    )


def test_worst_classes_have_the_precision_that_evaluate_writes(
    page: str, corpus: Path, predictions: Path, tmp_path: Path
) -> None:
    data, config = Dataset.open(corpus, quiet=True), EvaluationConfig(split="test", bootstrap=0)
    evaluate(predictions, data, config, per_class=tmp_path / "c.csv", quiet=True)
    lines = [line.rsplit(",", 4)[1:] for line in (tmp_path / "c.csv").read_text().splitlines()[1:]]
    expected = sorted(
        (round(float(precision), 3), int(positives))
        for _, _, positives, precision in lines
        if precision
    )
    hard = Parsed(page).table("negatives above the positives")
    assert sorted((float(row[1]), int(row[3])) for row in hard) == expected
    values = [float(row[1]) for row in hard]
    assert values == sorted(values)


def test_paper_table_shows_both_figures_and_seeds(page: str) -> None:
    rows = Parsed(page).table("here: MAP@K")
    assert rows[0][:4] == ["A <b>", "on frames", "0.770", "0.780"]
    assert rows[0][4] == "0.615± 0.007, 2 seeds"
    assert rows[1][1:5] == ["", "\u2013", "\u2013", "0.650± 0.014, 2 seeds"]
    assert rows[1][5] == "a & b"
    bars = re.search(r'aria-label="(here: MAP@K: [^"]*)"', page)
    assert bars is not None and bars[1] == "here: MAP@K: A &lt;b&gt; 0.615; B 0.65"
    assert "Dots are seeds." in page and "Bars begin at 0.5" in page


def test_calibration_error_is_shown_with_its_pairs(page: str, corpus: Path) -> None:
    records = Dataset.open(corpus, jobs=1, quiet=True).select("test")
    ratings, pairs = len(records.lists("segment_labels")[1]), 8 * len(records)
    found = re.findall(r"\(ECE\) (0\.\d{3}) over ([\d,]+) pairs", page)
    assert [int(count.replace(",", "")) for _, count in found] == [ratings, pairs]


def test_moments_name_the_labels_of_their_video(page: str) -> None:
    assert [*re.findall(r"<small>(\w+), \d+\.\d\d nats", page)] == ["best", "worst", "random"]
    assert page.count("Labels of the video: ") == 3
    assert "rated there at" in re.sub(r"\s+", " ", page) and "(seed 0)" in page


def test_banner_marks_synthetic_data_alone(
    page: str, corpus: Path, predictions: Path, tmp_path: Path
) -> None:
    assert "Synthetic data." in page and "reeltag synth" in page
    real = tmp_path / "real"
    real.mkdir()
    for path in corpus.glob("*.tfrecord"):
        (real / path.name).symlink_to(path)
    (real / "vocabulary.csv").symlink_to(corpus / "vocabulary.csv")
    other = written(tmp_path / "real.html", predictions=predictions, data=real, split="test")
    assert "Synthetic" not in other and "data are synthetic" not in other
    assert "NeXtVLAD on real" in other and ">truth<" in page and ">truth<" not in other


def test_page_needs_no_network_and_no_script(page: str) -> None:
    assert "<script" not in page and "@import" not in page
    outside = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?(?!["\'#])([^"\'\s)]+)', page)
    assert [link for link in outside if not link.startswith("#")] == []


def test_page_is_well_formed_labelled_and_its_ids_are_distinct(page: str) -> None:
    parsed = Parsed(page)
    assert parsed.open == [] and parsed.unlabelled == 0
    assert len(set(parsed.ids)) == len(parsed.ids) > 10
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(drawings) == 1 + 2 + 3 + 3 + 2  # stages, training, segments, moments, videos
    for drawing in drawings:
        ElementTree.fromstring(drawing)


def test_drawings_use_the_colours_of_the_page(page: str) -> None:
    drawings = " ".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert set(re.findall(r"#[0-9a-f]{6}\b", drawings)) == set()
    assert {"--line-1", "--ink", "--muted", "--grid"} <= set(re.findall(r"--[\w-]+", drawings))
    assert "mathdefault" not in drawings and "DejaVu" not in drawings


def test_training_section_names_the_best_step(page: str) -> None:
    assert (
        "40 steps in 12 s; the best GAP@20 on the validation videos was 0.420, at step 40" in page
    )
    assert "Training loss" in page and "nats per video" in page


def test_names_in_files_are_escaped(page: str) -> None:
    assert page.count("<i>") == page.count("<i>here</i>") == 1 and "A <b>" not in page
    assert "Labels of the video: &lt;" in page
    text = "".join(Parsed(page).text)
    assert "<script>Tick & Tock</script>" in text and '"Quoted"' in text and "$x_1$" in text


def spoiled(value: Any, words: list[str]) -> Any:
    """Return a view whose every string but drawings is another piece of hostile markup."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, str):
        words.append(f'</title><script id="{len(words)}">\'&')
        return words[-1]
    if isinstance(value, tuple):
        return tuple(spoiled(each, words) for each in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return replace(value, **{name: spoiled(each, words) for name, each in fields.items()})
    return value


def test_page_escapes_every_string(page: str, views: list[Page]) -> None:
    words: list[str] = []
    html = render(spoiled(replace(views[0], left_out=("a", "b")), words))
    assert "<script" not in html and html.count("</title>") == 1 and len(words) > 100
    text = " ".join("".join(Parsed(html).text).split())
    unseen = [word for word in words if word not in text]
    assert unseen == [] and text.count(words[0]) == 2  # the title, in the window's and in the page
