"""The page of plots: what is on it, what is left out, and that it needs nothing else."""

import dataclasses
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from markupsafe import Markup

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.data.synth.corpus import write_corpus
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.scores import evaluate
from reeltag.report import page as page_module
from reeltag.report.examples import ClassTrace, Timeline
from reeltag.report.facts import Reliability
from reeltag.report.page import Examples, ReportSource, render, write_report
from reeltag.report.plots import reliability_curve, score_over_time, stage_bars
from reeltag.report.results import MetricValue, read_results
from reeltag.report.view import Page
from tests.report.synthetic import CORPUS, write_predictions
from tests.report.test_results import write_result
from tests.windows import segments_at

CONFIG = {"split", "bootstrap"}  # fields that the tests change
NAMES = [
    "<script>Tick & Tock</script>",
    '<i>"Quoted"',
    "<i>$x_1$",
    *(f"<i>{letter}" for letter in "defgh"),
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "corpus"
    write_corpus(folder, CORPUS, quiet=True)
    lines = [f'{i},"{name.replace(chr(34), chr(34) * 2)}"' for i, name in enumerate(NAMES)]
    (folder / "classes.csv").write_text("\n".join(["index,name", *lines]) + "\n")
    return folder


@pytest.fixture(scope="module")
def predictions(corpus: Path) -> Path:
    records = Dataset.open(corpus, jobs=1, quiet=True).select("test")
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


def written(out: Path, **given: Any) -> str:
    """Write a page and return it with single blanks, and none between tags."""
    config = EvaluationConfig(**{"bootstrap": 0} | {k: given.pop(k) for k in CONFIG & given.keys()})
    examples = given.pop("examples", Examples())
    if "data" in given:
        given["data"] = Dataset.open(given["data"], quiet=True)
    write_report(out, ReportSource(**given), config, examples=examples, quiet=True)
    return re.sub(r"\s*(<[^>]*>)\s*(?=<)", r"\1", re.sub(r"\s+", " ", out.read_text()))


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


class Parsed(HTMLParser):
    """Collects what a browser would, and checks that tags are closed in order."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.unlabelled = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.unlabelled += tag == "svg" and not given.get("aria-label")
        self.unlabelled += tag == "th" and not given.get("scope")
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data

    def table(self, column: str) -> list[list[str]]:
        """Return the rows of the first table with that column."""
        return next(rows[1:] for rows in self.tables if column in rows[0])


def test_page_title_is_escaped(tmp_path: Path, run_folder: Path) -> None:
    run = shutil.copytree(run_folder, tmp_path / "a & <b>bold<")
    page = written(tmp_path / "page.html", run=run)
    assert re.findall("<title>(.*)</title>", page) == ["a &amp; &lt;b&gt;bold&lt;"]
    assert "<b>bold" not in page and Parsed(page).open == []


def headings(page: str) -> list[str]:
    return re.findall(r"<h2>([^<]+)</h2>", page)


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


def test_page_without_run_and_segments_leaves_sections_out(corpus: Path, tmp_path: Path) -> None:
    records = Dataset.open(corpus, jobs=1, quiet=True).select("validate")
    write_predictions(tmp_path / "p.parquet", records, segments=False)
    given = {"predictions": tmp_path / "p.parquet", "data": corpus}
    page = written(tmp_path / "page.html", **given)
    assert written(tmp_path / "again.html", **given) == page, "the same input gives the same page"
    assert headings(page) == ["Classes in whole videos", "Tags", "Not on this page"]
    assert "Configuration" not in page and "p.parquet holds no segments." in page
    assert "the predicted videos" in page and ": 9 videos" in page


def test_page_of_segments_has_no_sections_of_videos(corpus: Path, tmp_path: Path) -> None:
    records = Dataset.open(corpus, jobs=1, quiet=True).select("test")
    write_predictions(tmp_path / "p.parquet", records, segments=True, videos=False)
    page = written(
        tmp_path / "page.html", predictions=tmp_path / "p.parquet", data=corpus, split="test"
    )
    assert headings(page) == ["Classes in segments", "Moments", "Not on this page"]
    assert "holds no whole videos." in page


def test_card_explains_its_score_alone(corpus: Path, tmp_path: Path) -> None:
    records = Dataset.open(corpus, jobs=1, quiet=True).select("test")
    write_predictions(tmp_path / "p.parquet", records, segments=True, videos=False)
    page = written(tmp_path / "page.html", predictions=tmp_path / "p.parquet", data=corpus)
    (card,) = re.findall(r'<div class="about">([^<]+)</div>', page)
    assert "average precision" in card and "the same" not in card


def test_page_without_split_is_about_predicted_videos(
    corpus: Path, predictions: Path, tmp_path: Path
) -> None:
    given = {"predictions": predictions, "data": corpus}
    split, none = (written(tmp_path / f"{of}.html", **given, split=of) for of in ("test", None))
    begin = "<h2>Classes in segments"
    assert none[none.index(begin) :] == split[split.index(begin) :]
    labels = [re.findall(r"[\d.]+ labels each", page) for page in (split, none)]
    assert labels[0] == labels[1] and len(labels[0]) == 1


def test_names_of_any_script_are_drawn_without_a_warning(
    corpus: Path, predictions: Path, tmp_path: Path
) -> None:
    shutil.copytree(corpus, tmp_path / "corpus")
    lines = [f"{number},太鼓 {number}" for number in range(8)]
    (tmp_path / "corpus" / "classes.csv").write_text("\n".join(["index,name", *lines]) + "\n")
    page = written(tmp_path / "page.html", predictions=predictions, data=tmp_path / "corpus")
    assert any("太鼓" in drawing for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL))


def test_stage_bars_show_whole_names() -> None:
    name = "copied clip score: the video's score, for each of its segments"
    drawing, _ = stage_bars([name], [MetricValue(value=0.5)], "MAP", "stages", ours=True)
    shown = " ".join("".join(ElementTree.fromstring(drawing).itertext()).split())
    assert "of its segments" in shown and "…" not in shown


def test_timeline_of_one_class_shows_its_whole_name() -> None:
    name = "Hubbub, speech noise, speech babble"
    trace = ClassTrace(label=0, times=segments_at([0, 5]), probs=np.array([0.1, 0.9]), rated=())
    one = Timeline(id="v", seconds=10, traces=(trace,), labels=(), why="best", loss=0.0)
    three = replace(one, traces=(trace, trace, trace))
    shown = [score_over_time(of, (name,), 1).count(f"{name}</text>") for of in (one, three)]
    assert shown == [1, 0]


def test_reliability_curve_does_not_cross_the_name_of_the_diagonal() -> None:
    heights = []
    for hits in (1, 99):  # of a hundred predicted with 50 %: overconfident, underconfident
        reliability = Reliability()
        reliability.add(np.zeros(100, np.float32), np.arange(100) < hits)
        drawing = reliability_curve(reliability, "were there", "reliability")
        found = re.search(r'<text[^>]* y="([\d.]+)"[^>]*>perfect', drawing)
        assert found is not None
        heights.append(float(found[1]))
    assert heights[1] > heights[0] + 10  # svg counts downwards


def test_unrated_segments_are_left_out(corpus: Path, tmp_path: Path) -> None:
    records = Dataset.open(corpus, jobs=1, quiet=True).select("train")
    assert not len(records.lists("segment_scores")[1])
    write_predictions(tmp_path / "p.parquet", records, segments=True)
    page = written(tmp_path / "page.html", predictions=tmp_path / "p.parquet", data=corpus)
    assert headings(page)[-1] == "Not on this page" and "Moments" not in headings(page)
    assert "none of these segments is rated." in page


@pytest.mark.parametrize("over", ["rated", "listed"])
def test_class_that_no_segment_lists_is_counted_by_one_definition(
    corpus: Path, predictions: Path, tmp_path: Path, over: Any
) -> None:
    table = pq.read_table(predictions)
    classes, scores = table["classes"].to_pylist(), table["scores"].to_pylist()
    kept = [[place for place, c in enumerate(row) if c != 2] for row in classes]
    for name, values in (("classes", classes), ("scores", scores)):
        rows = [[row[place] for place in places] for row, places in zip(values, kept, strict=True)]
        at = table.schema.get_field_index(name)
        table = table.set_column(
            at, table.schema.field(name), pa.array(rows, table.schema.types[at])
        )
    pq.write_table(table, tmp_path / "p.parquet")
    out = tmp_path / "page.html"
    data, config = (
        Dataset.open(corpus, quiet=True),
        EvaluationConfig(split="test", bootstrap=0, average_over=over),
    )
    source = ReportSource(predictions=tmp_path / "p.parquet", data=data)
    scores = write_report(out, source, config, quiet=True)
    parsed = Parsed(out.read_text())
    hard = parsed.table("negatives above the positives")
    unlisted = [row for row in hard if row[0].startswith(NAMES[2])]
    assert len(unlisted) == (over == "rated") and all(float(row[1]) == 0 for row in unlisted)
    text = " ".join("".join(parsed.text).split())
    assert len(hard) == scores["classes"] and f"segments of {len(hard)} classes" in text
    if over == "rated":
        assert "1 of them no segment lists, so their average precision is 0" in text
        assert "1 of them that no row holds have 0." in text
    else:
        assert "1 more that no row holds are left out." in text
    assert np.mean([float(row[1]) for row in hard]) == pytest.approx(scores["map@k"], abs=1e-3)


def test_page_of_results_alone(tmp_path: Path) -> None:
    result = read_results([write_result(tmp_path, 0.6, 0.2)])
    page = written(tmp_path / "page.html", result=result)
    assert headings(page) == ["The paper and here", "Not on this page"]
    assert "no predictions were given" in page and "0.500 to 0.700" in page
    assert "Lines are 95 % intervals." in page and "Bars begin" not in page
    assert Parsed(page).open == []


def test_page_of_results_without_a_paper(tmp_path: Path) -> None:
    result = read_results([write_result(tmp_path, 0.6, 0.2)])
    alone = [
        replace(table, paper=(), rows=tuple(replace(row, paper=()) for row in table.rows))
        for table in result.tables
    ]
    page = written(tmp_path / "page.html", result=replace(result, tables=tuple(alone)))
    assert headings(page) == ["Results", "Not on this page"]
    assert "here: " not in page and "0.500 to 0.700" in page and "the paper" not in page


def test_page_of_video_level_data(tmp_path: Path) -> None:
    write_corpus(tmp_path / "means", dataclasses.replace(CORPUS, level="video"), quiet=True)
    records = Dataset.open(tmp_path / "means", jobs=1, quiet=True).select("test")
    write_predictions(tmp_path / "p.parquet", records, segments=False)
    page = written(
        tmp_path / "page.html",
        predictions=tmp_path / "p.parquet",
        data=tmp_path / "means",
        split="test",
    )
    assert "mean_rgb (16) and mean_audio (4)" in page


def test_predictions_of_other_videos_raise_and_nothing_is_written(
    corpus: Path, predictions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "page.html"
    with pytest.raises(DataError, match="is about no video of the split 'validate'"):
        written(out, predictions=predictions, data=corpus, split="validate")
    with pytest.raises(ConfigError, match="no shard belongs"):
        written(out, predictions=predictions, data=next(corpus.glob("train*")), split="test")
    assert not out.exists()
