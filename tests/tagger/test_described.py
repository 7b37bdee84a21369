"""Taggers of described features: what stored values mean, and which data they read."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.probability import sigmoid
from reeltag.data.dataset import Dataset
from reeltag.data.features import EncoderIdentity, Features
from reeltag.inference.predict import predict
from reeltag.inference.scoring import InferenceConfig
from reeltag.layers.preprocessing import Preprocessing, PreprocessingConfig
from reeltag.models import nextvlad
from reeltag.predictions.file import open_predictions
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import Recipe
from reeltag.training.fit import resume, train
from tests.data.corpora import NUM_CLASSES
from tests.data.described import described, described_corpus, frames_of

CODES = described({"rgb": (6, "uint8"), "audio": (3, "uint8")}, rate_hz=2)
EVERY = [
    PreprocessingConfig(normalise=of, reverse_whitening=whitened)
    for of in ("joint", "streams", "none")
    for whitened in (False, True)
]


def tagger_of(features: Features, config: PreprocessingConfig | None = None) -> Tagger:
    torch.manual_seed(0)
    dims = tuple(stream.width for stream in features.streams)
    sizes = dataclasses.replace(nextvlad.TINY, num_classes=NUM_CLASSES, dims=dims)
    streams = [(stream.name, stream.width) for stream in features.streams]
    names = [f"c{c}" for c in range(NUM_CLASSES)]
    return Tagger(sizes, streams, names, features=features, preprocessing=config).eval()


def stored(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return codes (2, 7, 9) and what they stand for, by the definition."""
    codes = np.random.default_rng(seed).integers(0, 256, (2, 7, 9), np.uint8)
    scale, offset = CODES.codes()
    return torch.from_numpy(codes), torch.from_numpy((codes * scale + offset).astype(np.float32))


@pytest.mark.parametrize("config", EVERY, ids=str)
def test_tagger_reads_codes_as_the_values_they_stand_for(config: PreprocessingConfig) -> None:
    codes, values = stored()
    mask = torch.arange(7) < torch.tensor([[7], [4]])
    tagger = tagger_of(CODES, config)
    with torch.inference_mode():
        torch.testing.assert_close(tagger(codes, mask), tagger(values, mask), rtol=1e-4, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():  # the CPU's kernel too
        features = tagger.prepare(codes, mask)
    expected = tagger.prepare(values, mask)
    torch.testing.assert_close(features.float(), expected, rtol=1e-2, atol=1e-2)  # bfloat16


def test_reverse_whitening_leaves_features_that_were_not_whitened() -> None:
    config = PreprocessingConfig(normalise="none", reverse_whitening=True)
    codes, values = stored()
    mask = torch.ones(2, 7, dtype=torch.bool)
    torch.testing.assert_close(tagger_of(CODES, config).prepare(codes, mask), values)


def test_preprocessing_of_samsung_raises_for_codes_of_their_own_scale() -> None:
    codes = torch.ones(4), torch.zeros(4)
    with pytest.raises(ConfigError, match="their own scale"):
        Preprocessing(PreprocessingConfig(dequantise="samsung"), [4], codes=codes)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
def test_run_carries_the_description_of_its_features(tmp_path: Path, dtype: str) -> None:
    features = described({"rgb": (6, dtype), "audio": (3, dtype)}, rate_hz=2)
    data = described_corpus(tmp_path / "data", features, (12, 9, 30, 8))
    recipe = Recipe(batch_size=2, max_steps=2, epochs=1.0)
    train(data, tmp_path / "run", nextvlad.TINY, recipe)
    tagger = Tagger.load(tmp_path / "run")
    assert tagger.features == features == Features.find(tmp_path / "run")
    config = InferenceConfig(device="cpu", segments=True, hop=2.5)
    predict(tagger, data, tmp_path / "p", config, split="train")
    rows = [*open_predictions(tmp_path / "p").rows("segments")]
    last = dict(zip(rows[0].ids.to_pylist(), rows[0].ends, strict=True))
    assert last["v2"] == 17.5  # 30 frames are 15 s: the last of every 2.5 s begins at 12.5


def test_predict_raises_for_features_of_another_encoder(tmp_path: Path) -> None:
    other = described({"rgb": (6, "uint8"), "audio": (3, "uint8")}, rate_hz=2,
                      encoder=EncoderIdentity(name="clip"))  # fmt: skip
    data = described_corpus(tmp_path / "data", other, (12,))
    with pytest.raises(DataError) as raised:
        predict(tagger_of(CODES), data, tmp_path / "p", InferenceConfig(device="cpu"), split="all")
    assert "of clip" in str(raised.value) and "of resnet50 2" in str(raised.value)
    assert str(tmp_path / "data") in str(raised.value) and "the checkpoint" in str(raised.value)


@pytest.mark.parametrize(("features", "seen"), [(CODES, 320), (None, 300)])
def test_long_video_is_scored_alike_from_a_file_and_by_predict(
    tmp_path: Path, features: Features | None, seen: int
) -> None:
    long = described({"rgb": (6, "uint8"), "audio": (3, "uint8")}, rate_hz=2)
    data = described_corpus(tmp_path / "data", long, (320,))
    if features is None:  # as YouTube-8M published: 300 frames are looked at
        (tmp_path / "data" / "features.json").unlink()
        data = Dataset.open(tmp_path / "data", quiet=True)
    tagger = tagger_of(data.features)
    frames = np.concatenate(list(frames_of(long, 320, 0).values()), axis=1)
    (tags,) = tagger.predict([frames])
    alone = tagger_of(CODES if features else data.features)
    with torch.inference_mode():
        mask = torch.ones(1, seen, dtype=torch.bool)
        expected = alone(torch.from_numpy(frames[None, :seen]), mask)
    assert tags[0].prob == pytest.approx(float(expected.sigmoid().max()), abs=1e-6)
    predict(tagger, data, tmp_path / "p", InferenceConfig(device="cpu"), split="train")
    (rows,) = open_predictions(tmp_path / "p").rows("videos")
    assert rows.classes[0] == tags[0].index
    assert sigmoid(rows.scores[:1])[0] == pytest.approx(tags[0].prob, abs=1e-6)


def test_resumed_run_keeps_the_description_and_finds_moved_data(tmp_path: Path) -> None:
    data = described_corpus(tmp_path / "data", CODES, (12, 9, 30, 8))
    recipe = Recipe(batch_size=2, max_steps=4, epochs=1.0, validate_every=2)
    train(data, tmp_path / "whole", nextvlad.TINY, recipe)
    train(data, tmp_path / "parts", nextvlad.TINY, dataclasses.replace(recipe, max_steps=2))
    (tmp_path / "data").rename(tmp_path / "moved")
    with pytest.raises(DataError, match="is not there"):
        resume(tmp_path / "parts", max_steps=4)
    resume(tmp_path / "parts", data=tmp_path / "moved", max_steps=4)
    whole, parts = (Tagger.load(tmp_path / name) for name in ("whole", "parts"))
    assert parts.features == CODES
    torch.testing.assert_close(parts.state_dict(), whole.state_dict(), rtol=0, atol=0)


def test_resume_raises_for_data_of_other_features(tmp_path: Path) -> None:
    data = described_corpus(tmp_path / "data", CODES, (12, 9, 30, 8))
    recipe = Recipe(batch_size=2, max_steps=2, epochs=1.0)
    train(data, tmp_path / "run", nextvlad.TINY, recipe)
    dataclasses.replace(CODES, rate_hz=3.0).save(tmp_path / "data")
    with pytest.raises(DataError, match="features of another rate: 2 Hz; .* has 3 Hz"):
        resume(tmp_path / "run", max_steps=4)
