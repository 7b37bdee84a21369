"""Moments of one video: a tagger's are the intervals of its windows, at the run's thresholds."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import reeltag
from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.files import write_json
from reeltag.data.features import Features
from reeltag.data.streams import Stream
from reeltag.deploy.export import export
from reeltag.deploy.export_config import ExportConfig
from reeltag.deploy.sources import load_source
from reeltag.models import model_config
from reeltag.predictions.intervals import IntervalConfig
from reeltag.tagger.moments import scored_windows
from reeltag.tagger.tagger import Tagger
from reeltag.tagger.thresholds import ClassThreshold, Thresholds
from reeltag.training.mean_run import average_runs

NAMES = ("Car", "Dog")
SHORT = IntervalConfig(length_s=1)


def tagger_of(rate: float = 1.0) -> Tagger:
    """Return a tagger for which value c of a frame of two is a logit of +-8 of class c."""
    streams = [Stream("rgb", 2, "float32")]
    features = dataclasses.replace(Features.published(streams), rate_hz=rate)
    sizes = model_config("logistic", num_classes=2, dims=(2,))
    tagger = Tagger(sizes, [("rgb", 2)], NAMES, features=features)
    with torch.no_grad():
        weight = 8 * torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
        tagger.model.head.linear.weight.copy_(weight)  # type: ignore[operator, union-attr]
        tagger.model.head.linear.bias.zero_()  # type: ignore[operator, union-attr]
    return tagger


def video_of(*seconds: int, rate: float = 1.0) -> torch.Tensor:
    """Return frames in which the two classes take turns, each for so many seconds."""
    turns = [torch.eye(2)[n % 2].repeat(int(each * rate), 1) for n, each in enumerate(seconds)]
    return torch.cat(turns)


def saved(tagger: Tagger, folder: Path, thresholds: Thresholds | None = None) -> Path:
    folder.mkdir()
    tagger.save_weights(folder)
    tagger.save_classes(folder)
    tagger.features.save(folder)
    write_json(folder / "config.json", tagger.describe())
    if thresholds:
        thresholds.save(folder)
    return folder


ONLY_CAR = Thresholds(
    precision=0.9,
    classes=(
        ClassThreshold(name="Car", logit=2.0, prob=0.88, precision=0.95, interval=(0.9, 0.99)),
        ClassThreshold(name="Dog", reason="too few ratings"),
    ),
)


@pytest.mark.parametrize("rate", [1.0, 2.0, 0.5])
def test_moments_of_a_video_are_in_seconds_at_any_rate(rate: float) -> None:
    config = dataclasses.replace(SHORT, length_s=2, hop_s=2) if rate < 1 else SHORT
    found = tagger_of(rate).moments(video_of(20, 10, 30, rate=rate), config=config)
    listed = [(each.name, each.index, each.start_s, each.end_s) for each in found]
    assert listed == [("Car", 0, 0, 20), ("Dog", 1, 20, 30), ("Car", 0, 30, 60)]
    assert all(each.prob > 0.99 and each.mean_prob > 0.99 for each in found)
    assert {each.precision for each in found} == {None}


def test_moments_of_the_batch_size_are_the_same_and_modes_stay() -> None:
    tagger, video = tagger_of().train(), video_of(7, 3, 9, 4, 20)
    some, others = tagger.moments(video, batch_size=3), tagger.moments({"rgb": video.numpy()})
    assert some == others and tagger.training


def test_moments_of_a_short_video_end_with_it() -> None:
    (moment,) = tagger_of().moments(video_of(3))
    assert (moment.start_s, moment.end_s) == (0, 3)


def test_moments_follow_the_thresholds_of_the_run(tmp_path: Path) -> None:
    tagger = reeltag.load(saved(tagger_of(), tmp_path / "run", ONLY_CAR))
    assert tagger.thresholds == ONLY_CAR
    video = video_of(20, 10)
    assert [(m.name, m.precision) for m in tagger.moments(video)] == [("Car", 0.95)]
    assert {m.name for m in tagger.moments(video, prob=0.5)} == {"Car", "Dog"}
    assert not tagger.moments(0.51 * torch.ones(9, 2), prob=0.6)  # both are at 0.5


def test_moments_of_an_exported_graph_are_those_of_the_run(tmp_path: Path) -> None:
    run = saved(tagger_of(), tmp_path / "run", ONLY_CAR)
    export(load_source(run), tmp_path / "model.onnx", ExportConfig())
    graph, video = reeltag.load(tmp_path / "model.onnx"), video_of(20, 10, 8)
    assert graph.thresholds == ONLY_CAR
    for ours, theirs in zip(reeltag.load(run).moments(video), graph.moments(video), strict=True):
        assert dataclasses.replace(theirs, prob=ours.prob, mean_prob=ours.mean_prob) == ours
        assert theirs.prob == pytest.approx(ours.prob, abs=1e-5)


def test_thresholds_go_where_the_weights_change(tmp_path: Path) -> None:
    run = saved(tagger_of(), tmp_path / "run", ONLY_CAR)
    assert average_runs([run, run], tmp_path / "mean").thresholds is None
    tagger_of().save_weights(run, "last.safetensors")
    assert Tagger.load(run).thresholds == ONLY_CAR
    tagger_of().save_weights(run)
    assert Tagger.load(run).thresholds is None


def test_thresholds_of_other_classes_raise(tmp_path: Path) -> None:
    run = saved(tagger_of(), tmp_path / "run", Thresholds.at_prob(["Car", "Cat"], 0.5))
    with pytest.raises(DataError, match=r"thresholds.json(.|\n)*class 1 is 'Cat'; .*'Dog'"):
        Tagger.load(run)


def test_scored_windows_are_those_of_each_video_and_bounded() -> None:
    videos = [video_of(7), video_of(0, 4)]
    frames = torch.nn.utils.rnn.pad_sequence(videos, batch_first=True)
    mask = torch.arange(7) < torch.tensor([[7], [4]])
    batch = FrameBatch(frames=frames, mask=mask, ids=("a", "b"))
    config = IntervalConfig(length_s=3, hop_s=2)
    parts = [*scored_windows(batch, tagger_of().score_windows, config, batch_size=2)]
    assert [len(part) for part in parts] == [2, 2, 1]
    assert [name for part in parts for name in part.ids.to_pylist()] == ["a", "a", "a", "b", "b"]
    times = [(s, e) for part in parts for s, e in zip(part.start_s, part.end_s, strict=True)]
    assert times == [(0, 3), (2, 5), (4, 7), (0, 3), (2, 4)]
    logits = np.concatenate([part.logits for part in parts])
    np.testing.assert_allclose(logits[:, 0], [8, 8, 8, -8, -8])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"prob": 1.0}, "prob: must be in"), ({"batch_size": 0}, "batch_size: must be >= 1")],
)
def test_moments_raise_for_options_out_of_range(options: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tagger_of().moments(video_of(9), **options)  # type: ignore[arg-type]


def test_moments_raise_where_a_score_is_not_a_number() -> None:
    tagger = tagger_of()
    with torch.no_grad():
        tagger.model.head.linear.bias.fill_(torch.nan)  # type: ignore[operator, union-attr]
    with pytest.raises(DataError, match="score that is not a number"):
        tagger.moments(video_of(9))


def test_ranked_moments_of_a_video_promise_nothing(tmp_path: Path) -> None:
    """Ranked, a class without a threshold has moments too, and none carries a precision."""
    tagger = Tagger.load(saved(tagger_of(), tmp_path / "RUN", ONLY_CAR))
    frames = video_of(6, 4, 6)
    found = tagger.moments(frames, config=IntervalConfig(length_s=1, ranked=True))
    best = {each.name: each for each in sorted(found, key=lambda each: each.prob)}
    assert (best["Dog"].start_s, best["Dog"].end_s) == (6, 10)
    assert {each.precision for each in found} == {None}
