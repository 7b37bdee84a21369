"""Pages of data that lack a run, segments, labels or frames."""

import dataclasses
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.data.synth.corpus import write_corpus
from reeltag.evaluation.config import EvaluationConfig
from reeltag.report.page import ReportSource, write_report
from reeltag.report.results import read_results
from tests.report.conftest import NAMES
from tests.report.pages import Parsed, headings, written
from tests.report.synthetic import CORPUS, write_predictions
from tests.report.test_results import write_result


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
    metadata = {key: of for key, of in table.schema.metadata.items() if key != b"reeltag sealed"}
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "p.parquet")
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
