"""What is read of rated segments: scores, hard classes and why, videos that are shown."""

import csv
import dataclasses
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import ConfigError
from reeltag.data.index import open_index
from reeltag.data.selection import select
from reeltag.data.splits import PUBLISHED_SPLITS
from reeltag.data.synth.corpus import write_corpus
from reeltag.evaluation.evaluate import evaluate
from reeltag.predictions.file import Rows, open_predictions, prediction_writer
from reeltag.report.evaluated import (
    Judged,
    SegmentFacts,
    judge,
    labels_of,
    read_segments,
    read_videos,
)
from reeltag.report.examples import choose, tagged, timelines
from reeltag.report.facts import probability, read_training
from reeltag.report.hard_classes import (
    Rival,
    hard_classes,
    precision_by_chance,
    rated_classes,
    reasons,
)
from reeltag.report.tables import hard_table
from tests.report.made import CORPUS, write_predictions

NAMES = tuple(f"class {c}" for c in range(8))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segments") / "corpus"
    write_corpus(folder, CORPUS, quiet=True)
    for name, kept in (("p", 8), ("short", 2)):
        records = select(open_index(folder, jobs=1, quiet=True), "test")
        write_predictions(folder.parent / name, records, segments=True, kept=kept)
    return folder


def judged_of(corpus: Path, name: str) -> tuple[Judged, SegmentFacts]:
    judged = judge(
        corpus.parent / name, corpus, split="test", splits=PUBLISHED_SPLITS, bootstrap=5, quiet=True
    )
    return judged, read_segments(judged)


@pytest.fixture(scope="module")
def whole(corpus: Path) -> tuple[Judged, SegmentFacts]:
    return judged_of(corpus, "p")


@pytest.fixture(scope="module")
def short(corpus: Path) -> tuple[Judged, SegmentFacts]:
    return judged_of(corpus, "short")


def rows_by_key(path: Path) -> dict[tuple[str, int, int], float]:
    """Return (id, start, class) -> logit, read the plain way."""
    found = {}
    for rows in open_predictions(path).rows("segments"):
        assert rows.starts is not None
        for row, (id_, start) in enumerate(zip(rows.ids.to_pylist(), rows.starts, strict=True)):
            pairs = slice(rows.offsets[row], rows.offsets[row + 1])
            for label, score in zip(rows.classes[pairs], rows.scores[pairs], strict=True):
                found[id_, int(start), int(label)] = float(score)
    return found


def ratings_of(judged: Judged) -> list[tuple[str, int, int, bool]]:
    """Return id, start, class and verdict of each rating of the split, from the records."""
    ids, found = judged.records.table["id"].to_pylist(), []
    columns = [judged.records.lists(f"segment_{of}") for of in ("starts", "labels", "scores")]
    for video, id_ in enumerate(ids):
        mine = slice(columns[0][0][video], columns[0][0][video + 1])
        for start, label, score in zip(*(values[mine] for _, values in columns), strict=True):
            found.append((id_, int(start), int(label), bool(score > 0)))
    return found


@pytest.mark.parametrize("name", ["p", "short"])
def test_scores_and_precision_are_those_of_evaluate(corpus: Path, name: str) -> None:
    judged, facts = judged_of(corpus, name)
    path, per_class = corpus.parent / name, corpus.parent / "classes.csv"
    told = evaluate(path, corpus, split="test", bootstrap=5, per_class=per_class, quiet=True)
    assert dict(judged.scores) == told
    with per_class.open() as file:
        written = [row["segment_average_precision"] for row in csv.DictReader(file)]
    ours = [f"{value:.6f}" if np.isfinite(value) else "" for value in judged.precision["segment"]]
    assert ours == written
    classes = rated_classes(judged, facts)
    assert judged.precision["segment"][classes.shown].mean() == pytest.approx(told["map@k"])


def test_each_rating_has_the_score_of_its_segment_and_class(
    corpus: Path, short: tuple[Judged, SegmentFacts]
) -> None:
    judged, facts = short
    said = rows_by_key(corpus.parent / "short")
    expected = {(id_, start, label): said.get((id_, start, label), np.nan)
                for id_, start, label, _ in ratings_of(judged)}  # fmt: skip
    truth, found = judged.truth, {}
    for key, score in zip(truth.rating_keys.tolist(), facts.scores.tolist(), strict=True):
        segment, label = divmod(key, 8)
        video, start = divmod(int(truth.segment_keys[segment]), 1 << 32)
        found[truth.ids[video].as_py(), start, label] = score
    assert found.keys() == expected.keys()
    np.testing.assert_equal([found[key] for key in expected], list(expected.values()))
    assert (
        np.isnan(facts.scores).any() and facts.reliability.pairs == (~np.isnan(facts.scores)).sum()
    )


def test_precision_by_chance_is_the_mean_over_all_orders() -> None:
    def precision(order: tuple[int, ...]) -> float:
        hits = np.array(order)
        return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits > 0].mean())

    for positives, negatives in ((1, 0), (1, 3), (2, 3), (4, 1)):
        orders = list(permutations([1] * positives + [0] * negatives))
        expected = np.mean([precision(order) for order in orders])
        found = precision_by_chance(np.array([positives]), np.array([negatives]))
        assert found[0] == pytest.approx(expected, abs=1e-12)
    assert np.isnan(precision_by_chance(np.array([0]), np.array([3]))[0])


def test_counts_of_ratings_are_those_of_the_records(whole: tuple[Judged, SegmentFacts]) -> None:
    judged, facts = whole
    classes = rated_classes(judged, facts)
    ratings = ratings_of(judged)
    everywhere = select(judged.index, "all")
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
    judged, facts = judged_of(corpus, name)
    said = rows_by_key(corpus.parent / name)
    classes = rated_classes(judged, facts)
    training = read_training(judged.index, PUBLISHED_SPLITS, judged.records, NAMES)
    seen = 0
    for one in hard_classes(judged, facts, classes, training):
        scored = [
            (said.get((id_, start, label), -np.inf), id_, start, yes)
            for id_, start, label, yes in ratings_of(judged)
            if label == one.label
        ]
        positives = [score for score, _, _, yes in scored if yes]
        above = {
            (id_, start): sum(score > other for other in positives)
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


def test_rivals_and_their_company_are_told_and_escaped(whole: tuple[Judged, SegmentFacts]) -> None:
    judged, facts = whole
    classes = rated_classes(judged, facts)
    training = read_training(judged.index, PUBLISHED_SPLITS, judged.records, NAMES)
    first = hard_classes(judged, facts, classes, training)[0]
    rival = Rival(id="<b>", start=5, above=1)
    one = dataclasses.replace(first, company=((0, 3),), rivals=(rival,))
    shown = hard_table([one], classes, training, ("<u>x",) * 8)
    assert "their videos: &lt;u&gt;x (3)" in shown
    assert "<code>&lt;b&gt;</code> 5 s (1)" in shown and "<u>" not in shown


def test_reasons_name_what_is_missing(whole: tuple[Judged, SegmentFacts]) -> None:
    judged, facts = whole
    classes = rated_classes(judged, facts)
    training = read_training(judged.index, PUBLISHED_SPLITS, judged.records, NAMES)
    label = int(classes.shown[0])
    training.counts[label] = 0
    classes.unscored[label] = 2
    classes.chance[label] = 1.0
    classes.positives[label] = 3
    assert reasons(label, classes, training) == [
        "no training video",
        "measured on few positives",
        "2 positives without a score",
        "no better than a random order",
    ]


def test_best_and_worst_videos_have_the_lowest_and_highest_log_loss(
    whole: tuple[Judged, SegmentFacts],
) -> None:
    judged, facts = whole
    chosen = choose(judged, facts, count=2, seed=0)
    assert [one.why for one in chosen] == ["best"] * 2 + ["worst"] * 2 + ["random"] * 2
    assert len({one.video for one in chosen}) == 6
    said = probability(facts.scores)
    videos = judged.truth.rating_video()
    for one in chosen:
        mine = videos == one.video
        right = np.where(judged.truth.is_positive[mine], said[mine], 1 - said[mine])
        assert one.loss == pytest.approx(-np.log(right).mean(), abs=1e-6)
    losses = [one.loss for one in chosen]
    assert max(losses[:2]) <= min(losses[4:]) and min(losses[2:4]) >= max(losses[4:])
    again = choose(judged, facts, count=2, seed=0)
    assert again == chosen
    others = [choose(judged, facts, count=2, seed=seed)[4:] for seed in range(1, 6)]
    assert any(other != chosen[4:] for other in others)


def test_videos_that_are_asked_for_come_first_and_must_be_rated(
    whole: tuple[Judged, SegmentFacts],
) -> None:
    judged, facts = whole
    wanted = judged.truth.ids[int(judged.truth.rating_video()[0])].as_py()
    chosen = choose(judged, facts, count=1, seed=0, wanted=(wanted,))
    assert chosen[0].why == "asked for" and judged.truth.ids[chosen[0].video].as_py() == wanted
    with pytest.raises(ConfigError, match="'nobody' is not there"):
        choose(judged, facts, count=1, seed=0, wanted=("nobody",))


def test_timelines_show_the_scores_ratings_and_labels_of_their_video(
    corpus: Path, short: tuple[Judged, SegmentFacts]
) -> None:
    judged, facts = short
    said, ratings = rows_by_key(corpus.parent / "short"), ratings_of(judged)
    shown = timelines(judged, choose(judged, facts, count=2, seed=0), corpus)
    ids = judged.records.table["id"].to_pylist()
    offsets, labels = judged.records.lists("labels")
    for timeline in shown:
        video = ids.index(timeline.id)
        assert timeline.seconds == judged.records.column("frames")[video]
        mine = labels[offsets[video] : offsets[video + 1]].tolist()
        assert list(timeline.labels) == sorted(mine) and 1 <= len(timeline.lines) <= 3
        for line in timeline.lines:
            assert line.starts.tolist() == list(range(0, timeline.seconds, 5))
            expected = [
                probability(np.array([said.get((timeline.id, start, line.label), np.nan)]))[0]
                for start in line.starts.tolist()
            ]
            np.testing.assert_allclose(line.chances, expected, rtol=1e-6)
            rated = {
                (s, yes) for id_, s, c, yes in ratings if (id_, c) == (timeline.id, line.label)
            }
            assert set(line.rated) == rated
            for start, positive in line.rated:  # the corpus is synthetic, so the truth is known
                inside = sum(max(0, min(e, start + 5) - max(b, start)) for b, e in line.shown)
                assert (inside >= 3) if positive else (inside == 0)


def test_tags_are_the_best_classes_and_tell_labels_from_others(
    whole: tuple[Judged, SegmentFacts],
) -> None:
    judged, _ = whole
    facts = read_videos(judged)
    assert facts.predicted.all() and facts.reliability.pairs == 8 * len(judged.truth)
    ids = judged.truth.ids.to_pylist()
    rows = tagged(judged, facts)
    assert len(rows) == min(8, len(ids))
    for row in rows:
        true = labels_of(judged.truth, ids.index(row.id)).tolist()
        assert len(row.tags) == 5
        assert [hit for _, _, hit in row.tags] == [label in true for label, _, _ in row.tags]
        chances = [chance for _, chance, _ in row.tags]
        assert chances == sorted(chances, reverse=True)
        listed = [label for label, _, _ in row.tags]
        assert list(row.missed) == [label for label in true if label not in listed]


def test_hits_of_whole_videos_are_joined_by_id(corpus: Path, tmp_path: Path) -> None:
    records = select(open_index(corpus, jobs=1, quiet=True), "test")
    ids, order = records.table["id"].to_pylist(), np.arange(8, dtype=np.int32)[None].repeat(3, 0)
    about = open_predictions(corpus.parent / "p").about
    with prediction_writer(tmp_path / "q", about) as writer:
        names = [ids[3], "elsewhere", ids[0]]
        writer.write(Rows.of_matrix(names, None, order, np.full((3, 8), 4, np.float32)))
    judged = judge(
        tmp_path / "q", corpus, split=None, splits=PUBLISHED_SPLITS, bootstrap=0, quiet=True
    )
    facts = read_videos(judged)
    offsets = records.lists("labels")[0]
    sizes = np.diff(offsets)[[3, 0]].sum()
    assert facts.reliability.pairs == 16
    assert sum(part.hits for part in facts.reliability.bins) == sizes
    shown = judged.truth.ids.filter(facts.predicted).to_pylist()
    assert sorted(shown) == sorted([ids[3], ids[0]])
