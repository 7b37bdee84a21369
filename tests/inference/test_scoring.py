"""One batch: the right segments, each scored as if it were alone."""

import pytest
import torch

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError, DataError
from reeltag.inference.scoring import InferenceConfig, Scorer
from reeltag.inference.windows import Grid
from reeltag.predictions.rows import PredictionRows
from tests.inference.standin import NUM_CLASSES, MeanTagger, make_batch, make_videos

BOTH = InferenceConfig(segments=True, device="cpu")


def scores_by_class(rows: PredictionRows | None) -> list[dict[int, float]]:
    """Return class -> score of each row."""
    assert rows is not None
    bounds = zip(rows.indptr[:-1], rows.indptr[1:], strict=True)
    return [
        dict(zip(rows.classes[a:b].tolist(), rows.scores[a:b].tolist(), strict=True))
        for a, b in bounds
    ]


def scorer(choices: InferenceConfig, tagger: MeanTagger | None = None) -> Scorer:
    return Scorer(tagger or MeanTagger(), NUM_CLASSES, choices)


@pytest.mark.parametrize(
    ("num_frames", "head", "tail", "expected"),
    [
        (0, 0, 0, []),
        (1, 0, 0, [0]),
        (15, 0, 0, [0, 5, 10]),
        (16, 0, 0, [0, 5, 10, 15]),
        (53, 6, 2, [30, 35, 40]),  # 11 segments; 6 at the head and 2 at the tail left out
        (40, 6, 2, []),
        (20, 1, 1, [5, 10]),
    ],
)
def test_segment_starts_are_those_of_the_challenge(
    num_frames: int, head: int, tail: int, expected: list[int]
) -> None:
    assert Grid(skip_head=head, skip_tail=tail).times(num_frames)[:, 0].tolist() == expected


def test_segment_scores_are_of_its_frames_alone() -> None:
    videos = make_videos([13, 4, 20])
    _, segments = scorer(BOTH).score(make_batch(videos))
    assert segments is not None
    assert segments.ids.to_pylist() == ["v0"] * 3 + ["v1"] + ["v2"] * 4
    assert segments.starts.tolist() == [0, 5, 10, 0, 0, 5, 10, 15]
    found = scores_by_class(segments)
    alone = [video[start : start + 5] for video in videos for start in range(0, len(video), 5)]
    for row, frames in enumerate(alone):
        mask = torch.ones(1, len(frames), dtype=torch.bool)
        expected = MeanTagger()(frames[None], mask)[0].tolist()
        assert found[row] == pytest.approx(dict(enumerate(expected)), abs=1e-5)


def test_video_rows_are_best_first() -> None:
    videos = make_videos([7, 9])
    batch = make_batch(videos)
    rows, segments = scorer(InferenceConfig(top_k=3, device="cpu")).score(batch)
    assert segments is None and rows is not None
    expected = MeanTagger()(batch.frames, batch.mask).topk(3)
    assert rows.classes.reshape(2, 3).tolist() == expected.indices.tolist()
    assert rows.scores.reshape(2, 3).tolist() == expected.values.tolist()


def test_long_videos_are_scored_by_their_beginning() -> None:
    (long,) = make_videos([23])
    videos, segments = scorer(
        InferenceConfig(segments=True, max_frames=12, top_k=NUM_CLASSES, device="cpu")
    ).score(make_batch([long]))
    beginning, _ = scorer(InferenceConfig(top_k=NUM_CLASSES, device="cpu")).score(
        make_batch([long[:12]])
    )
    assert scores_by_class(videos) == [pytest.approx(scores_by_class(beginning)[0], abs=1e-5)]
    assert segments is not None and len(segments) == 5
    whole, _ = scorer(InferenceConfig(max_frames=0, device="cpu")).score(make_batch([long]))
    assert scores_by_class(whole) != scores_by_class(beginning)


def test_segment_classes_keep_their_numbers() -> None:
    choices = InferenceConfig(
        segments=True, segment_classes=(11, 2, 5), segment_top_k=2, device="cpu"
    )
    batch = make_batch(make_videos([10, 5]))
    videos, segments = scorer(choices).score(batch)
    everything = scores_by_class(scorer(BOTH).score(batch)[1])
    for row, full in zip(scores_by_class(segments), everything, strict=True):
        best = sorted((2, 5, 11), key=lambda c: -full[c])[:2]
        assert row == pytest.approx({c: full[c] for c in best})
    assert videos is not None and len(set(videos.classes.tolist())) == NUM_CLASSES


def test_segments_are_scored_in_bounded_batches() -> None:
    tagger = MeanTagger()
    choices = InferenceConfig(segments=True, videos=False, batch_size=2, device="cpu")
    scorer(choices, tagger).score(make_batch(make_videos([100, 3])))
    assert [shape[:2] for shape in tagger.calls] == [(8, 5), (8, 5), (5, 5)]


def test_empty_videos_have_no_segments() -> None:
    empty = FrameBatch(
        frames=torch.zeros(2, 3, 8, dtype=torch.uint8),
        mask=torch.zeros(2, 3, dtype=torch.bool),
        ids=("a", "b"),
    )
    videos, segments = scorer(BOTH).score(empty)
    assert videos is not None and len(videos) == 2
    assert segments is not None and len(segments) == 0


def test_nan_logit_error_names_video_and_cause() -> None:
    videos = [video.float() for video in make_videos([5, 6, 7])]
    videos[1][2, 3] = torch.nan
    with pytest.raises(DataError, match=r"'v1'.*features hold NaN"):
        scorer(InferenceConfig(device="cpu")).score(make_batch(videos))
    with pytest.raises(DataError, match=r"video 'v1'"):
        scorer(InferenceConfig(videos=False, segments=True, device="cpu")).score(make_batch(videos))
    tagger = MeanTagger()
    tagger.weights.data.fill_(torch.nan)
    with pytest.raises(DataError, match=r"features are sound(.|\n)*diverged"):
        scorer(InferenceConfig(device="cpu"), tagger).score(make_batch(make_videos([5])))


def test_bf16_scores_are_near_fp32() -> None:
    batch = make_batch(make_videos([30, 17]))
    exact = scores_by_class(scorer(InferenceConfig(device="cpu")).score(batch)[0])
    rough = scores_by_class(scorer(InferenceConfig(device="cpu", precision="bf16")).score(batch)[0])
    assert rough != exact
    assert rough == [pytest.approx(row, abs=0.05) for row in exact]


def test_scorer_puts_the_tagger_into_eval_mode() -> None:
    tagger = MeanTagger().train()
    assert not scorer(InferenceConfig(device="cpu"), tagger).tagger.training


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"top_k": 0}, "top_k is 0; allowed: an integer >= 1"),
        ({"batch_size": 0}, "batch_size is 0; allowed: an integer >= 1"),
        ({"videos": False}, "neither videos nor segments"),
    ],
)
def test_inference_config_raises_out_of_range(wrong: dict[str, int], rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        InferenceConfig(**wrong)  # type: ignore[arg-type]


def test_scorer_raises_for_unknown_devices_and_classes() -> None:
    with pytest.raises(ConfigError, match="device 'abacus' cannot be used"):
        scorer(InferenceConfig(device="abacus"))
    with pytest.raises(ConfigError, match="class 12 is not one of the checkpoint's 12"):
        scorer(InferenceConfig(segment_classes=(3, 12), device="cpu"))


@pytest.mark.gpu
def test_gpu_scores_match_cpu() -> None:
    batch = make_batch(make_videos([30, 17]))
    ours = scorer(BOTH).score(batch)
    theirs = scorer(InferenceConfig(segments=True, device="cuda")).score(batch)
    for one, other in zip(ours, theirs, strict=True):
        for row, same in zip(scores_by_class(one), scores_by_class(other), strict=True):
            assert row == pytest.approx(same, abs=1e-4)
