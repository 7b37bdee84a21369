"""The synthetic corpus: its format, its statistics, its truth, and that it can be learned."""

import csv
import dataclasses
import json
import tracemalloc
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError, OutputError
from reeltag.data.records.example import decode_example, decode_sequence_example
from reeltag.data.records.tfrecord import frame_records
from reeltag.data.synth.about import VOCABULARY_COLUMNS, read_marker
from reeltag.data.synth.classes import class_tree
from reeltag.data.synth.config import PRESETS, SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.data.synth.world import World, quantise, rate_segments
from reeltag.layers.preprocessing import dequantise

TINY = SynthConfig(videos=24, classes=8, rgb=16, audio=4, min_frames=12, max_frames=40)
# Many videos of few features, for statistics: about 600 a second.
MANY = SynthConfig(videos=1500, classes=60, rgb=16, audio=4, min_frames=20, max_frames=60)


def payloads(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    for record in frame_records(data):
        assert record.problem is None
        yield data[record.offset : record.offset + record.size]


def frame_records_of(folder: Path, split: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    paths = sorted(folder.glob(f"{split}*.tfrecord"))
    assert paths
    return [decode_sequence_example(payload) for path in paths for payload in payloads(path)]


def matrix(frames: list[list[bytes]]) -> NDArray[np.uint8]:
    return np.stack([np.frombuffer(frame[0], np.uint8) for frame in frames])


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def appearances(folder: Path) -> dict[str, list[tuple[int, int, int]]]:
    """Read truth.csv: id -> (class, start, end)."""
    found = defaultdict(list)
    for row in rows_of(folder / "truth.csv"):
        found[row["id"]].append((int(row["class"]), int(row["start_s"]), int(row["end_s"])))
    return found


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synth") / "tiny"
    write_corpus(folder, TINY)
    return folder


@pytest.fixture(scope="module")
def videos() -> list[Any]:
    world = World(MANY)
    return [world.video("validate", number) for number in range(MANY.videos)]


def test_records_have_the_features_of_youtube_8m(tiny: Path) -> None:
    context, lists = frame_records_of(tiny, "train")[0]
    assert list(context) == ["id", "labels"]
    assert context["id"] == [b"train-000000"] and context["labels"].dtype == np.int64
    assert list(lists) == ["rgb", "audio"]
    rgb, audio = matrix(lists["rgb"]), matrix(lists["audio"])
    assert rgb.shape[1:] == (16,) and audio.shape[1:] == (4,) and 12 <= len(rgb) == len(audio) <= 40


def test_splits_hold_distinct_videos_in_the_announced_numbers(tiny: Path) -> None:
    numbers = {s: len(frame_records_of(tiny, s)) for s in ("train", "validate", "test")}
    assert numbers == TINY.counts and sum(numbers.values()) == 24
    ids = [c["id"][0] for s in numbers for c, _ in frame_records_of(tiny, s)]
    assert len(set(ids)) == 24
    codes = [lists["rgb"][0][0] for s in numbers for _, lists in frame_records_of(tiny, s)]
    assert len(set(codes)) == 24


def test_rated_segments_are_whole_and_agree_with_the_truth(tiny: Path) -> None:
    truth, ratings = appearances(tiny), 0
    for context, lists in frame_records_of(tiny, "validate") + frame_records_of(tiny, "test"):
        starts = context.get("segment_start_times", np.array([], np.int64))
        if len(starts) == 0:
            continue
        np.testing.assert_array_equal(context["segment_end_times"], starts + 5)
        assert (starts % 5 == 0).all() and (starts >= 0).all()
        assert starts.max() + 5 <= len(lists["rgb"])
        assert len(set(starts.tolist())) == len(starts), "one class per segment"
        shown = truth[context["id"][0].decode()]
        for start, label, score in zip(
            starts, context["segment_labels"], context["segment_scores"], strict=True
        ):
            seconds = sum(
                max(0, min(end, start + 5) - max(begin, start))
                for known, begin, end in shown
                if known == label
            )
            assert (seconds >= 3) if score == 1 else (seconds == 0 and score == 0)
            ratings += 1
    assert ratings > 10


def test_train_has_no_ratings(tiny: Path) -> None:
    assert all("segment_labels" not in context for context, _ in frame_records_of(tiny, "train"))


def test_truth_intervals_lie_inside_the_videos(tiny: Path) -> None:
    length = {
        context["id"][0].decode(): len(lists["rgb"])
        for split in TINY.counts
        for context, lists in frame_records_of(tiny, split)
    }
    truth = appearances(tiny)
    assert set(truth) == set(length)
    for name, shown in truth.items():
        assert all(0 <= start < end <= length[name] for _, start, end in shown)


def test_same_arguments_same_bytes_whatever_the_jobs(tiny: Path, tmp_path: Path) -> None:
    several = dataclasses.replace(TINY, shards=3)
    write_corpus(tmp_path / "one", several, jobs=1)
    write_corpus(tmp_path / "two", several, jobs=2, quiet=True)
    one = files_of(tmp_path / "one")
    assert one == files_of(tmp_path / "two")
    assert [name for name in one if name.startswith("train")] == [
        f"train000{index}.tfrecord" for index in range(3)
    ]
    write_corpus(tmp_path / "again", TINY)
    assert files_of(tmp_path / "again") == files_of(tiny)


def test_another_seed_gives_other_videos(tiny: Path, tmp_path: Path) -> None:
    write_corpus(tmp_path / "other", dataclasses.replace(TINY, seed=1))
    for name in ("train0000.tfrecord", "truth.csv"):
        assert (tmp_path / "other" / name).read_bytes() != (tiny / name).read_bytes()


def test_sharding_does_not_change_the_videos(tiny: Path, tmp_path: Path) -> None:
    write_corpus(tmp_path / "cut", dataclasses.replace(TINY, shards=5))
    for split in TINY.counts:
        cut = [p for f in sorted((tmp_path / "cut").glob(f"{split}*")) for p in payloads(f)]
        assert cut == list(payloads(tiny / f"{split}0000.tfrecord"))


def test_video_level_holds_the_means_of_the_same_frames(tiny: Path, tmp_path: Path) -> None:
    counts = write_corpus(tmp_path / "means", dataclasses.replace(TINY, level="video"))
    assert counts.rated == 0
    frames = frame_records_of(tiny, "test")
    examples = [decode_example(p) for p in payloads(tmp_path / "means" / "test0000.tfrecord")]
    for example, (context, lists) in zip(examples, frames, strict=True):
        assert list(example) == ["id", "labels", "mean_rgb", "mean_audio"]
        assert example["id"] == context["id"]
        np.testing.assert_array_equal(example["labels"], context["labels"])
        for name in ("rgb", "audio"):
            mean = dequantise(torch.from_numpy(matrix(lists[name]))).mean(0).numpy()
            np.testing.assert_allclose(np.asarray(example[f"mean_{name}"]), mean, atol=1e-5)


def test_vocabulary_has_youtube_8m_columns_and_counts_the_train_labels(tiny: Path) -> None:
    header = (tiny / "vocabulary.csv").read_text().splitlines()[0]
    assert tuple(header.split(",")) == VOCABULARY_COLUMNS
    rows = rows_of(tiny / "vocabulary.csv")
    labels = np.concatenate([c["labels"] for c, _ in frame_records_of(tiny, "train")])
    assert [int(r["TrainVideoCount"]) for r in rows] == np.bincount(labels, minlength=8).tolist()
    assert [r["Name"] for r in rows][:3] == ["Vehicle", "Music", "Car"]
    assert {r["Name"]: r["Vertical1"] for r in rows}["Car"] == "Vehicle"


def test_people_and_programs_see_that_it_is_synthetic(tiny: Path) -> None:
    text = (tiny / "README.md").read_text()
    assert "synthetic" in text.lower() and "min_frames = 12" in text
    marker = read_marker(tiny)
    assert marker is not None and marker["synthetic"] is True
    assert marker["config"]["seed"] == 0 and marker["written"]["videos"] == 24
    assert read_marker(tiny / "train0000.tfrecord") == marker
    assert read_marker(tiny.parent) is None


def test_names_are_distinct_and_parents_come_first() -> None:
    for num_classes in (2, 8, 231, 232, 3862):
        tree = class_tree(num_classes, 1.0)
        assert len(set(tree.names)) == num_classes
        assert all(parent < index for index, parent in enumerate(tree.parents))
        assert all(tree.parents[root] == -1 for root in tree.roots)
        assert tree.weights.sum() == pytest.approx(1)
    assert any(name.startswith("Sports car: ") for name in tree.names)
    car, sports_car = tree.names.index("Car"), tree.names.index("Sports car")
    assert tree.closures[sports_car] == (sports_car, car, tree.names.index("Vehicle"))


def test_true_class_implies_its_parents_in_every_second(videos: list[Any]) -> None:
    parents = class_tree(MANY.classes, MANY.zipf).parents
    checked = 0
    for video in videos:
        column = {label: video.shown[:, i] for i, label in enumerate(video.truth.tolist())}
        for label, shown in column.items():
            assert shown.any()
            if parents[label] >= 0:
                assert (column[parents[label]] >= shown).all()
                checked += 1
    assert checked > 500


def test_labels_are_present_in_some_seconds_only(videos: list[Any]) -> None:
    share = np.concatenate([video.shown.mean(axis=0) for video in videos])
    assert 0.2 < share.mean() < 0.7 and (share < 0.5).mean() > 0.3


@pytest.mark.parametrize("preset", ["moderate", "youtube8m", "clean"])
def test_precision_and_recall_of_the_labels_are_those_requested(preset: Any) -> None:
    config = SynthConfig(
        videos=1000, classes=400, preset=preset, rgb=2, audio=0, min_frames=5, max_frames=20
    )
    world, noise = World(config), PRESETS[preset]
    drawn = [world.video("train", number) for number in range(config.videos)]
    written = sum(len(video.labels) for video in drawn)
    true = sum(len(video.truth) for video in drawn)
    correct = sum(len(np.intersect1d(video.labels, video.truth)) for video in drawn)
    # Four standard deviations of a binomial of that many draws; rounding varies less.
    precision_error = 4 * (noise.precision * (1 - noise.precision) / written) ** 0.5
    recall_error = 4 * (noise.recall * (1 - noise.recall) / true) ** 0.5
    assert abs(correct / written - noise.precision) <= precision_error
    assert abs(correct / true - noise.recall) <= recall_error


def test_precision_and_recall_set_by_hand_go_before_the_preset() -> None:
    noise = SynthConfig(preset="youtube8m", recall=0.5).noise
    assert (noise.precision, noise.recall) == (0.788, 0.5)


def test_youtube_8m_preset_leaves_about_three_labels_a_video() -> None:
    world = World(SynthConfig(preset="youtube8m", rgb=2, audio=0, max_frames=60))
    lengths = [len(world.video("train", number).labels) for number in range(400)]
    assert 2.6 < np.mean(lengths) < 3.4


def test_frequencies_of_subjects_follow_zipf() -> None:
    config = SynthConfig(
        classes=500, preset="clean", subjects=1, rgb=2, audio=0, min_frames=5, max_frames=5
    )
    world = World(config)
    counts = np.zeros(config.classes)
    for number in range(4000):  # with one subject, it is the deepest true class
        counts[max(world.video("train", number).truth)] += 1
    top = np.sort(counts)[::-1][:60]
    slope = np.polyfit(np.log(np.arange(1, 61)), np.log(top), 1)[0]
    assert -1.15 < slope < -0.85


def test_about_five_ratings_a_video_of_which_56_percent_are_positive(videos: list[Any]) -> None:
    ratings = np.concatenate([video.rated for video in videos])
    assert 4 < len(ratings) / len(videos) < 5.5
    assert 0.50 < ratings[:, 2].mean() < 0.60


def test_rated_fraction_is_the_share_of_videos_with_ratings() -> None:
    world = World(dataclasses.replace(MANY, rated_fraction=0.3))
    rated = [len(world.video("test", number).rated) > 0 for number in range(600)]
    assert 0.22 < np.mean(rated) < 0.38
    world = World(dataclasses.replace(MANY, rated_fraction=0.0))
    assert not any(len(world.video("test", number).rated) for number in range(20))


def test_classes_in_one_or_two_of_five_seconds_are_not_rated() -> None:
    shown = np.array([1] * 2 + [0] * 3 + [1] * 3 + [0] * 2 + [0] * 5 + [1] * 4, dtype=bool)
    seen = set()
    for seed in range(50):
        rng = np.random.default_rng(seed)
        seen |= set(map(tuple, rate_segments(rng, np.array([7]), shown[:, None]).tolist()))
    assert seen == {(5, 7, 1), (10, 7, 0)}


def test_quantiser_is_the_official_one() -> None:
    values = np.array([-3, -2, -1.99, 0, 0.01, 2, 5], np.float32)
    assert quantise(values.copy()).tolist() == [0, 0, 1, 128, 128, 255, 255]


def test_classes_are_in_the_picture_only_the_sound_only_or_both() -> None:
    world = World(SynthConfig(classes=200, rgb=32, audio=8))
    picture, sound = world.prototypes[:, :32].any(axis=1), world.prototypes[:, 32:].any(axis=1)
    assert (picture | sound).all()
    assert (picture & ~sound).sum() > 60 and (sound & ~picture).sum() > 10
    np.testing.assert_array_equal(picture, world.visible)
    np.testing.assert_array_equal(sound, world.audible)


def test_stream_of_width_zero_is_left_out_and_every_class_stays_learnable(tmp_path: Path) -> None:
    silent = dataclasses.replace(TINY, audio=0)
    write_corpus(tmp_path / "silent", silent)
    assert list(frame_records_of(tmp_path / "silent", "train")[0][1]) == ["rgb"]
    assert World(silent).prototypes.any(axis=1).all()


def average_precision(scores: NDArray[np.floating], labels: NDArray[np.bool_]) -> float:
    """Return GAP over all classes."""
    hits = labels.ravel()[np.argsort(-scores.ravel(), kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, hits.size + 1)
    return float((precision * hits).sum() / hits.sum())


def test_linear_model_on_means_beats_the_prior_clearly_but_noise_matters() -> None:
    config = SynthConfig(videos=900, classes=40, rgb=64, audio=16, min_frames=20, max_frames=40)
    world = World(config)

    def gather(split: Any, number: int) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
        drawn = [world.video(split, index) for index in range(number)]
        labels = np.zeros((number, config.classes), dtype=bool)
        for row, video in zip(labels, drawn, strict=True):
            row[video.labels] = True
        return np.stack([video.codes.mean(axis=0) / 64 for video in drawn]), labels

    features, labels = gather("train", 700)
    test_features, test_labels = gather("test", 200)
    centre, prior = features.mean(axis=0), labels.mean(axis=0)
    x = features - centre
    weights = np.linalg.solve(x.T @ x + 30 * np.eye(x.shape[1]), x.T @ (labels - prior))
    ridge = average_precision((test_features - centre) @ weights + prior, test_labels)
    baseline = average_precision(np.tile(prior, (200, 1)), test_labels)
    assert ridge > 2 * baseline and ridge < 0.9


def test_existing_folder_is_left_alone(tiny: Path) -> None:
    before = files_of(tiny)
    with pytest.raises(OutputError, match="exists already"):
        write_corpus(tiny, TINY)
    assert files_of(tiny) == before


def test_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reeltag.data.synth.corpus.describe_corpus", full)
    with pytest.raises(OutputError, match="No space left"):
        write_corpus(tmp_path / "out", TINY)
    assert list(tmp_path.iterdir()) == []


def test_corpus_is_never_held_in_memory(tmp_path: Path) -> None:
    config = dataclasses.replace(TINY, videos=400, rgb=900, shards=8)
    tracemalloc.start()
    write_corpus(tmp_path / "out", config, quiet=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.3 * sum(path.stat().st_size for path in (tmp_path / "out").iterdir())


def test_jobs_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="jobs must be at least 1, got 0"):
        write_corpus(tmp_path / "out", TINY, jobs=0)


def test_marker_is_json_that_repeats_the_corpus(tiny: Path) -> None:
    config = json.loads((tiny / "synth.json").read_text())["config"]
    again = SynthConfig(**config)
    assert World(again).video("test", 1).codes.tobytes() == (
        World(TINY).video("test", 1).codes.tobytes()
    )


@pytest.mark.parametrize("frames", [1, 4, 5])
def test_very_short_videos_work(frames: int, tmp_path: Path) -> None:
    short = dataclasses.replace(TINY, videos=6, min_frames=frames, max_frames=frames)
    counts = write_corpus(tmp_path / "short", short)
    assert counts.seconds == 6 * frames and (frames >= 5 or counts.rated == 0)
