"""Windows that overlap have the scores that each of them has alone."""

import dataclasses

import numpy as np
import pytest
import torch

from reeltag.core.batch import FrameBatch
from reeltag.inference.scoring import InferenceConfig, Scorer
from reeltag.inference.windows import Grid
from reeltag.models import Family, PoolsFrames, families, model_config
from reeltag.tagger import sharing
from reeltag.tagger.sharing import window_logits
from reeltag.tagger.tagger import Tagger
from reeltag.tagger.windows import LongVideo, Segments, find_windows
from tests.inference.standin import make_batch, make_videos

STREAMS = (("rgb", 6), ("audio", 2))


def tagger_of(family: Family) -> Tagger:
    """Return a tagger of the tiny sizes whose statistics are those of no initial model."""
    torch.manual_seed(0)
    names = [f"class {number}" for number in range(family.tiny.num_classes)]
    tagger = Tagger(family.tiny, STREAMS, names).eval()
    for name, value in tagger.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            value.copy_(0.5 + torch.rand(value.shape))
    return tagger


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
@pytest.mark.parametrize(
    ("length", "hop", "rate"), [(5, 1, 1.0), (3, 0.5, 2.0), (4.2, 1.3, 0.7), (0.1, 0.05, 4.0)]
)
def test_windows_that_overlap_are_scored_as_alone(
    family: Family, length: float, hop: float, rate: float
) -> None:
    lengths = [11, 1, 7]
    grid = Grid(length=length, hop=hop, rate=rate)
    segments = Segments.at([grid.times(frames) for frames in lengths], lengths)
    windows, _ = find_windows(make_batch(make_videos(lengths)), segments, rate)
    assert windows.overlap > sharing.OVERLAP
    tagger = tagger_of(family)
    with torch.inference_mode():
        torch.testing.assert_close(
            window_logits(tagger, windows), tagger(*windows.cut()), rtol=1e-5, atol=1e-5
        )


def test_terms_of_a_frame_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "TOGETHER", 100)  # some windows at a time
    config = model_config("frame_logistic", num_classes=3, dims=(8,))
    tagger = Tagger(config, [("rgb", 8)], "abc").eval()
    assert isinstance(tagger.model, PoolsFrames)
    rows = []
    tagger.model.head.register_forward_pre_hook(lambda _, given: rows.append(given[0].shape[1]))  # type: ignore[union-attr]
    lengths, grid = [30, 12], Grid(hop=1)
    batch = make_batch(make_videos(lengths))
    windows, _ = find_windows(batch, Segments.at([grid.times(each) for each in lengths], lengths))
    shared = tagger.score_windows(windows)
    assert rows == [42]
    torch.testing.assert_close(shared, tagger.score(*windows.cut()), rtol=1e-5, atol=1e-5)


def test_windows_that_do_not_overlap_are_scored_as_before() -> None:
    tagger = tagger_of(next(family for family in families() if family.name == "dbof"))
    calls = []
    tagger.register_forward_pre_hook(lambda _, given: calls.append(given[0].shape))
    batch = make_batch(make_videos([11]))
    windows, _ = find_windows(batch, Segments.at([Grid().times(11)], [11]))
    with torch.inference_mode():
        window_logits(tagger, windows)
    assert calls == [(3, 5, 8)]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_scorer_shares_frames_between_windows_around_segments(precision: str) -> None:
    family = next(family for family in families() if family.name == "dbof")
    tagger, batch = tagger_of(family), make_batch(make_videos([14, 3, 9]))
    config = InferenceConfig(
        videos=False,
        segments=True,
        hop=1,
        segment_top_k=5,
        precision=precision,  # type: ignore[arg-type]
        device="cpu",
    )
    shared = Scorer(tagger, 5, config).score(batch)[1]
    alone = [
        Scorer(tagger, 5, dataclasses.replace(config, hop=5.0)).score(of)[1] for of in _cut(batch)
    ]
    assert shared is not None
    found = np.concatenate([rows.to_dense(5, 0.0) for rows in alone if rows is not None])
    tolerance = 1e-5 if precision == "fp32" else 0.05
    np.testing.assert_allclose(shared.to_dense(5, 0.0), found, atol=tolerance, rtol=tolerance)


def _cut(batch: FrameBatch) -> list[FrameBatch]:
    """Return every window of 5 frames at a hop of 1 as a video of its own, of one segment."""
    parts = []
    for video, length in enumerate(batch.mask.sum(dim=1).tolist()):
        for start in range(length):
            frames = batch.frames[video : video + 1, start : min(start + 5, length)]
            whole = torch.ones(frames.shape[:2], dtype=torch.bool)
            parts.append(FrameBatch(frames=frames, mask=whole, ids=(f"{video} {start}",)))
    return parts


def test_long_video_shares_frames_too() -> None:
    video = make_videos([40])[0]
    long = LongVideo(
        frames=video[None, :0],
        mask=torch.ones(1, 0, dtype=torch.bool),
        ids=("v0",),
        num_frames=40,
        read=lambda first, stop: video[first:stop],
    )
    segments = Segments.at([Grid(hop=1).times(40)], [40]).part(slice(20, 33))
    tagger = tagger_of(next(family for family in families() if family.name == "soft_dbow"))
    windows, _ = find_windows(long, segments)
    assert windows.overlap > sharing.OVERLAP and len(windows.frames) == 17
    whole, _ = find_windows(make_batch([video]), segments)
    torch.testing.assert_close(tagger.score_windows(windows), tagger.score(*whole.cut()))
