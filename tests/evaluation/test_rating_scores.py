"""Ratings get the scores of exactly their windows; thresholds are chosen on them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor

from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.loader import Loader
from reeltag.data.sampling import FrameChoice
from reeltag.evaluation.rating_scores import RatingScores, score_ratings
from reeltag.evaluation.truth import read_truth
from reeltag.predictions.rows import PredictionRows
from tests.data.made import frame_record, indexed, rated_record, write_shard
from tests.inference.test_predict import make_tagger
from tests.windows import segments_at

STREAMS = (("rgb", 16), ("audio", 4))
RATINGS = {"a": [(0, 3, 1.0), (5, 3, 0.0), (7, 2, 1.0)], "b": [(0, 1, 0.0), (0, 3, 1.0)]}


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    records = [rated_record(name, 20, of) for name, of in RATINGS.items()]
    write_shard(tmp_path / "validate0.tfrecord", [*records, frame_record("c", 9)])
    write_shard(tmp_path / "test0.tfrecord", [frame_record("d", 9)])
    return indexed(tmp_path)


def test_scores_are_those_of_rows_of_the_rated_windows(data: Dataset) -> None:
    truth = read_truth(data, "validate", 4)
    classes = np.array([[3, 2], [3, 0], [3, 1], [2, 3]], np.int32)
    logits = np.array([[4, 3], [2, 1], [7, 6], [5, 0]], np.float32)
    rows = PredictionRows.of_matrix(
        ["a", "a", "b", "b"], segments_at([0, 10, 0, 5]), classes, logits
    )
    parts = [rows.slice(0, 3), rows.slice(3, 4)]
    found = RatingScores.of_rows(parts, truth)
    listed = zip(truth.ratings.video_of_rating(), truth.ratings.classes, found.scores, strict=True)
    scored = {(int(v), int(c)): s for v, c, s in listed if not np.isnan(s)}
    assert scored == {(0, 3): 4, (1, 1): 6, (1, 3): 7} and found.num_scored == 3
    thresholds = found.thresholds(("a", "b", "c", "d"), 0.03)
    assert thresholds.names == ("a", "b", "c", "d")
    assert thresholds.classes[3].logit == 4 and thresholds.classes[3].num_rated == 2
    assert thresholds.classes[2].num_rated == 0


def test_scored_ratings_are_the_tagger_on_their_frames(data: Dataset) -> None:
    tagger = make_tagger(4, STREAMS)
    found = score_ratings(tagger, data, "validate", batch_size=1, device="cpu")
    ratings, names = found.truth.ratings, found.truth.ids.to_pylist()
    assert found.num_scored == 5
    window = ratings.row_of_entry()
    records = {row["id"]: row for row in data.table.to_pylist()}
    assert set(names) == {"a", "b", "c"} <= set(records)
    for at, score in enumerate(found.scores):
        row = window[at]
        rows = np.array([name == names[ratings.videos[row]] for name in records])
        (batch,) = _batch(data, rows)
        frames = batch[0][int(ratings.starts[row]) : int(ratings.ends[row])]
        tags = {tag.index: tag.prob for tag in tagger.predict(frames)}
        assert 1 / (1 + np.exp(-score)) == pytest.approx(tags[ratings.classes[at]], abs=1e-5)


def _batch(data: Dataset, rows: NDArray[np.bool_]) -> list[Tensor]:

    items = data.videos("all", streams=("rgb", "audio"), rows=rows)
    return [each.frames for each in Loader(items, batch_size=1, frames=FrameChoice(how="all"))]


def test_scored_ratings_raise_where_nothing_is_rated(data: Dataset) -> None:
    with pytest.raises(ConfigError, match=r"'test' is rated(.|\n)*--thresholds-split"):
        score_ratings(make_tagger(4, STREAMS), data, "test")
