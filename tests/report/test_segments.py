"""Rated segments on the page: scores, hard classes and why, videos that are shown."""

import csv
import dataclasses
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import ConfigError
from reeltag.core.probability import sigmoid
from reeltag.data.dataset import Dataset
from reeltag.data.synth.corpus import write_corpus
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.scores import evaluate
from reeltag.predictions.file import open_predictions, prediction_writer
from reeltag.predictions.rows import PredictionRows
from reeltag.report.evaluated import (
    EvaluatedFile,
    SegmentFacts,
    evaluate_file,
    labels_of,
    read_segments,
    read_videos,
)
from reeltag.report.examples import choose, timelines
from reeltag.report.facts import read_training_labels
from reeltag.report.hard_classes import (
    Rival,
    hard_classes,
    random_precision,
    rated_classes,
    reasons,
)
from reeltag.report.sections import segments_section, tags_section
from tests.report.synthetic import CORPUS, write_predictions

NAMES = tuple(f"class {c}" for c in range(8))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segments") / "corpus"
    write_corpus(folder, CORPUS, quiet=True)
    for name, kept in (("p", 8), ("short", 2)):
        records = Dataset.open(folder, jobs=1, quiet=True).select("test")
        write_predictions(folder.parent / name, records, segments=True, kept=kept)
    return folder


def evaluated(corpus: Path, name: str) -> tuple[EvaluatedFile, SegmentFacts]:
    data, config = Dataset.open(corpus, quiet=True), EvaluationConfig(split="test", bootstrap=5)
    file = evaluate_file(corpus.parent / name, data, config, quiet=True)
    return file, read_segments(file)


@pytest.fixture(scope="module")
def whole(corpus: Path) -> tuple[EvaluatedFile, SegmentFacts]:
    return evaluated(corpus, "p")


@pytest.fixture(scope="module")
def short(corpus: Path) -> tuple[EvaluatedFile, SegmentFacts]:
    return evaluated(corpus, "short")


def rows_by_key(path: Path) -> dict[tuple[str, int, int], float]:
    """Return (id, start, class) -> logit, read the plain way."""
    found = {}
    for rows in open_predictions(path).rows("segments"):
        for row, (id_, start) in enumerate(zip(rows.ids.to_pylist(), rows.starts, strict=True)):
            pairs = slice(rows.indptr[row], rows.indptr[row + 1])
            for label, score in zip(rows.classes[pairs], rows.scores[pairs], strict=True):
                found[id_, int(start), int(label)] = float(score)
    return found


def ratings_of(file: EvaluatedFile) -> list[tuple[str, int, int, bool]]:
    """Return id, start, class and value of each rating of the split, from the records."""
    ids, found = file.records.table["id"].to_pylist(), []
    columns = [file.records.lists(f"segment_{of}") for of in ("starts", "labels", "scores")]
    for video, id_ in enumerate(ids):
        mine = slice(columns[0][0][video], columns[0][0][video + 1])
        for start, label, score in zip(*(values[mine] for _, values in columns), strict=True):
            found.append((id_, int(start), int(label), bool(score > 0)))
    return found


@pytest.mark.parametrize("name", ["p", "short"])
def test_evaluated_file_has_the_scores_of_evaluate(corpus: Path, name: str) -> None:
    file, facts = evaluated(corpus, name)
    path, per_class = corpus.parent / name, corpus.parent / "classes.csv"
    data, config = Dataset.open(corpus, quiet=True), EvaluationConfig(split="test", bootstrap=5)
    scores = evaluate(path, data, config, per_class=per_class, quiet=True)
    assert dict(file.scores) == scores
    with per_class.open() as lines:
        written = [row["segment_average_precision"] for row in csv.DictReader(lines)]
    ours = [f"{value:.6f}" if np.isfinite(value) else "" for value in file.precision["segment"]]
    assert ours == written
    classes = rated_classes(file, facts)
    assert file.precision["segment"][classes.shown].mean() == pytest.approx(scores["map@k"])


def test_rating_scores_are_of_their_segment_and_class(
    corpus: Path, short: tuple[EvaluatedFile, SegmentFacts]
) -> None:
    file, facts = short
    logits = rows_by_key(corpus.parent / "short")
    expected = {(id_, start, label): logits.get((id_, start, label), np.nan)
                for id_, start, label, _ in ratings_of(file)}  # fmt: skip
    truth, found = file.truth, {}
    rated = truth.ratings
    columns = rated.row_of_entry().tolist(), rated.classes.tolist(), facts.scores.tolist()
    for segment, label, score in zip(*columns, strict=True):
        video, start = int(rated.videos[segment]), int(rated.starts[segment])
        found[truth.ids[video].as_py(), start, label] = score
    assert found.keys() == expected.keys()
    np.testing.assert_equal([found[key] for key in expected], list(expected.values()))
    assert (
        np.isnan(facts.scores).any() and facts.reliability.pairs == (~np.isnan(facts.scores)).sum()
    )


def test_random_precision_is_the_mean_over_all_orders() -> None:
    def precision(order: tuple[int, ...]) -> float:
        hits = np.array(order)
        return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits > 0].mean())

    for positives, negatives in ((1, 0), (1, 3), (2, 3), (4, 1)):
        orders = list(permutations([1] * positives + [0] * negatives))
        expected = np.mean([precision(order) for order in orders])
        found = random_precision(np.array([positives]), np.array([negatives]))
        assert found[0] == pytest.approx(expected, abs=1e-12)
    assert np.isnan(random_precision(np.array([0]), np.array([3]))[0])


def test_rated_classes_count_the_ratings_of_the_records(
    whole: tuple[EvaluatedFile, SegmentFacts],
) -> None:
    file, facts = whole
    classes = rated_classes(file, facts)
    ratings = ratings_of(file)
    everywhere = file.records.dataset.select("all")
    labels, verdicts = everywhere.lists("segment_labels")[1], everywhere.lists("segment_scores")[1]
    for label in range(8):
        mine = [yes for _, _, other, yes in ratings if other == label]
        assert classes.positives[label] == sum(mine)
        assert classes.negatives[label] == len(mine) - sum(mine)
        total = int(((labels == label) & (verdicts > 0)).sum())
        assert classes.elsewhere[label, 0] == total - sum(mine)
    assert (np.diff(classes.precision[classes.shown]) >= 0).all()


@pytest.mark.parametrize("name", ["p", "short"])
def test_rivals_are_the_negatives_above_most_positives(corpus: Path, name: str) -> None:
    file, facts = evaluated(corpus, name)
    logits = rows_by_key(corpus.parent / name)
    classes = rated_classes(file, facts)
    training = read_training_labels(file.records, NAMES)
    seen = 0
    for one in hard_classes(file, facts, classes, training):
        scored = [
            (logits.get((id_, start, label), -np.inf), id_, start, yes)
            for id_, start, label, yes in ratings_of(file)
            if label == one.label
        ]
        positives = [score for score, _, _, yes in scored if yes]
        above = {
            (id_, float(start)): sum(score > other for other in positives)
            for score, id_, start, yes in scored
            if not yes
        }
        best = sorted((count for count in above.values() if count), reverse=True)[:3]
        assert [rival.above for rival in one.rivals] == best
        for rival in one.rivals:
            assert above[rival.id, rival.start] == rival.above
        assert one.confused == sum(2 * count >= len(positives) for count in above.values())
        assert one.label not in [label for label, _ in one.company]
        seen += len(one.rivals)
    assert seen >= 3


def test_hard_rows_name_rivals_and_their_company(
    whole: tuple[EvaluatedFile, SegmentFacts],
) -> None:
    file, facts = whole
    classes = rated_classes(file, facts)
    training = read_training_labels(file.records, NAMES)
    first = hard_classes(file, facts, classes, training)[0]
    rival = Rival(id="v", start=5, above=1)
    one = dataclasses.replace(first, company=((3, 2),), rivals=(rival,))
    section = segments_section(facts, classes, [one], training, NAMES)
    assert section is not None
    (row,) = section.hard
    assert row.rated.name == NAMES[one.label] and row.rated == section.rated[0]
    assert row.company == (("class 3", 2),) and row.rivals == (rival,)


def test_reasons_name_missing_labels(whole: tuple[EvaluatedFile, SegmentFacts]) -> None:
    file, facts = whole
    classes = rated_classes(file, facts)
    training = read_training_labels(file.records, NAMES)
    label = int(classes.shown[0])
    training.counts[label] = 0
    classes.unscored[label] = 2
    classes.random_precision[label] = 1.0
    classes.positives[label] = 3
    assert reasons(label, classes, training) == [
        "no training video",
        "measured on few positives",
        "2 positives without a score",
        "no better than a random order",
    ]


def test_chosen_videos_have_the_lowest_and_highest_log_loss(
    whole: tuple[EvaluatedFile, SegmentFacts],
) -> None:
    file, facts = whole
    chosen = choose(file, facts, count=2, seed=0)
    assert [one.why for one in chosen] == ["best"] * 2 + ["worst"] * 2 + ["random"] * 2
    assert len({one.video for one in chosen}) == 6
    probs = sigmoid(facts.scores)
    videos = file.truth.ratings.video_of_rating()
    for one in chosen:
        mine = videos == one.video
        right = np.where(file.truth.ratings.is_positive[mine], probs[mine], 1 - probs[mine])
        assert one.loss == pytest.approx(-np.log(right).mean(), abs=1e-6)
    losses = [one.loss for one in chosen]
    assert max(losses[:2]) <= min(losses[4:]) and min(losses[2:4]) >= max(losses[4:])
    again = choose(file, facts, count=2, seed=0)
    assert again == chosen
    others = [choose(file, facts, count=2, seed=seed)[4:] for seed in range(1, 6)]
    assert any(other != chosen[4:] for other in others)


def test_wanted_videos_come_first_and_must_be_rated(
    whole: tuple[EvaluatedFile, SegmentFacts],
) -> None:
    file, facts = whole
    wanted = file.truth.ids[int(file.truth.ratings.video_of_rating()[0])].as_py()
    chosen = choose(file, facts, count=1, seed=0, wanted=(wanted,))
    assert chosen[0].why == "chosen" and file.truth.ids[chosen[0].video].as_py() == wanted
    with pytest.raises(ConfigError, match="'absent' is not there"):
        choose(file, facts, count=1, seed=0, wanted=("absent",))


def test_timelines_hold_scores_ratings_and_labels_of_their_video(
    corpus: Path, short: tuple[EvaluatedFile, SegmentFacts]
) -> None:
    file, facts = short
    logits, ratings = rows_by_key(corpus.parent / "short"), ratings_of(file)
    shown = timelines(file, choose(file, facts, count=2, seed=0))
    ids = file.records.table["id"].to_pylist()
    offsets, labels = file.records.lists("labels")
    for timeline in shown:
        video = ids.index(timeline.id)
        assert timeline.seconds == file.records.column("frames")[video]
        mine = labels[offsets[video] : offsets[video + 1]].tolist()
        assert list(timeline.labels) == sorted(mine) and 1 <= len(timeline.traces) <= 3
        for trace in timeline.traces:
            starts = trace.times[:, 0].tolist()
            assert starts == list(range(0, int(timeline.seconds), 5))
            assert trace.times[:, 1].tolist() == [start + 5 for start in starts]
            expected = [
                sigmoid(np.array([logits.get((timeline.id, start, trace.label), np.nan)]))[0]
                for start in starts
            ]
            np.testing.assert_allclose(trace.probs, expected, rtol=1e-6)
            rated = {
                (s, yes) for id_, s, c, yes in ratings if (id_, c) == (timeline.id, trace.label)
            }
            assert {(start, yes) for start, _, yes in trace.rated} == rated
            for start, _, positive in trace.rated:  # the corpus is synthetic, so the truth is known
                inside = sum(max(0, min(e, start + 5) - max(b, start)) for b, e in trace.present)
                assert (inside >= 3) if positive else (inside == 0)


def test_tags_are_the_best_classes_and_mark_labels(
    whole: tuple[EvaluatedFile, SegmentFacts],
) -> None:
    file, _ = whole
    facts = read_videos(file)
    assert facts.predicted.all() and facts.reliability.pairs == 8 * len(file.truth)
    ids = file.truth.ids.to_pylist()
    videos = tags_section(file, facts, NAMES).videos
    assert len(videos) == min(8, len(ids))
    for video in videos:
        true = [NAMES[c] for c in labels_of(file.truth, ids.index(video.id)).tolist()]
        assert len(video.tags) == 5
        assert [tag.is_label for tag in video.tags] == [tag.name in true for tag in video.tags]
        probs = [tag.prob for tag in video.tags]
        assert probs == sorted(probs, reverse=True)
        listed = [tag.name for tag in video.tags]
        assert list(video.missed) == [name for name in true if name not in listed]


def test_video_hits_are_joined_by_id(corpus: Path, tmp_path: Path) -> None:
    records = Dataset.open(corpus, jobs=1, quiet=True).select("test")
    ids, order = records.table["id"].to_pylist(), np.arange(8, dtype=np.int32)[None].repeat(3, 0)
    about = open_predictions(corpus.parent / "p").info
    with prediction_writer(tmp_path / "q", about) as writer:
        names = [ids[3], "elsewhere", ids[0]]
        writer.write(PredictionRows.of_matrix(names, None, order, np.full((3, 8), 4, np.float32)))
    data = Dataset.open(corpus, quiet=True)
    file = evaluate_file(tmp_path / "q", data, EvaluationConfig(bootstrap=0), quiet=True)
    facts = read_videos(file)
    offsets = records.lists("labels")[0]
    sizes = np.diff(offsets)[[3, 0]].sum()
    assert facts.reliability.pairs == 16
    assert sum(part.hits for part in facts.reliability.bins) == sizes
    shown = file.truth.ids.filter(facts.predicted).to_pylist()
    assert sorted(shown) == sorted([ids[3], ids[0]])
