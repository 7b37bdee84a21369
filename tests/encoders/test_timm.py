"""timm:NAME with random weights of tiny models: no internet."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reeltag.core.errors import ConfigError
from reeltag.encoders import check_packages, create_encoder
from reeltag.encoders._devices import Place
from reeltag.encoders._timm import INFO, wrap
from reeltag.encoders._torch_models import TorchPictureEncoder
from reeltag.testing.encoders import CHECKS, pictures_for

CPU = Place.of("cpu", "auto")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        check_packages(INFO)
    except ConfigError:
        pytest.skip("the extra encoders is not installed")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def net_of(name: str, **options: Any) -> Any:
    import timm

    torch.manual_seed(0)
    return timm.create_model(name, **options).eval()


def tiny(name: str = "test_resnet", **options: Any) -> TorchPictureEncoder:
    return wrap(f"timm:{name}", net_of(name, **options), CPU)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_convnext"])
def test_model_keeps_the_contract(name: str) -> None:
    encoder = tiny(name)
    for check in CHECKS:
        check(encoder)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_features_and_logits_are_those_of_the_library_with_its_own_preprocessing(name: str) -> None:
    from PIL import Image
    from timm.data import create_transform, resolve_model_data_config

    encoder, net = tiny(name), net_of(name)
    pictures = pictures_for(encoder, 2)
    transform = create_transform(**resolve_model_data_config(net) | {"crop_pct": 1.0})
    inputs = torch.stack([transform(Image.fromarray(picture)) for picture in pictures])
    with torch.inference_mode():
        expected = net.forward_head(net.forward_features(inputs), pre_logits=True)
        logits = net(inputs)
    features = encoder.encode(pictures)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(encoder.classify(features), logits, rtol=1e-4, atol=1e-4)


def test_classes_are_those_of_imagenet_or_none() -> None:
    names = tiny().class_names
    assert len(names) == len(set(names)) == 1000 and names[0].startswith("tench")
    assert tiny(num_classes=7).class_names == () and tiny(num_classes=0).class_names == ()


def test_weights_of_a_file_are_loaded(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    net, path = net_of("test_resnet"), tmp_path / "weights.safetensors"
    save_file(net.state_dict(), path)
    encoder = create_encoder(f"timm:test_resnet@{path}", device="cpu")
    assert encoder.identity.weights == wrap("x", net, CPU).identity.weights
    assert encoder.identity.name == f"timm:test_resnet@{path}" == encoder.info.name


def test_weights_that_cannot_be_fetched_say_how_to_place_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"timm:test_resnet cannot be loaded \(.*\)\n") as caught:
        create_encoder("timm:test_resnet")
    lines = str(caught.value).splitlines()
    assert len(lines) == 2 and "timm:NAME@/path/model.safetensors" in lines[1]
    with pytest.raises(ConfigError, match=r"timm:no_such_model cannot be loaded \(Unknown model"):
        create_encoder("timm:no_such_model")
    with pytest.raises(ConfigError, match=r"absent.pth: is not there"):
        create_encoder(f"timm:test_resnet@{tmp_path / 'absent.pth'}")
