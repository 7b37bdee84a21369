"""open_clip:ARCH/TAG with random weights of a tiny configuration: no internet."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reeltag.core.errors import ConfigError
from reeltag.encoders import PictureEncoder, check_packages, create_encoder
from reeltag.encoders._open_clip import INFO
from reeltag.testing.encoders import CHECKS, TEXTS, pictures_for

TINY = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 16, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8},
    "text_cfg": {
        "context_length": 12,
        "vocab_size": 49408,
        "width": 8,
        "heads": 2,
        "layers": 1,
    },
}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        check_packages(INFO)
    except ConfigError:
        pytest.skip("the extra encoders is not installed")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def name(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the name of a tiny encoder, whose architecture and weights are files."""
    open_clip = pytest.importorskip("open_clip")
    folder: Path = tmp_path_factory.mktemp("open_clip")
    (folder / "tiny-test.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(folder / "tiny-test.json")
    torch.manual_seed(0)
    torch.save(open_clip.create_model("tiny-test").state_dict(), folder / "weights.pt")
    return f"open_clip:tiny-test/{folder / 'weights.pt'}"


def test_model_keeps_the_contract(name: str) -> None:
    encoder = create_encoder(name, device="cpu")
    texts = encoder.text_encoder()
    assert texts is not None and texts.width == encoder.width == 8
    for check in CHECKS:
        check(encoder)
        check(texts)


def test_pictures_and_texts_are_those_of_the_library(name: str) -> None:
    import open_clip
    from PIL import Image

    encoder = create_encoder(name, device="cpu")
    assert isinstance(encoder, PictureEncoder)
    assert (encoder.size, encoder.fit) == ((16, 16), "crop")
    net: Any
    net, _, transform = open_clip.create_model_and_transforms(
        "tiny-test", pretrained=name.partition("/")[2]
    )
    pictures = pictures_for(encoder, 3)
    inputs = torch.stack([transform(Image.fromarray(picture)) for picture in pictures])
    with torch.inference_mode():
        expected = net.eval().encode_image(inputs)
        described = net.encode_text(open_clip.get_tokenizer("tiny-test")(list(TEXTS)), True)
    np.testing.assert_allclose(encoder.encode(pictures), expected, rtol=1e-4, atol=1e-4)
    texts = encoder.text_encoder()
    assert texts is not None
    np.testing.assert_allclose(texts.encode(TEXTS), described, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("ViT-B-32", r"open_clip:ViT-B-32 names no weights\n  Write open_clip:ARCH/TAG"),
        ("ViT-B-32/nonsense", r"no weights 'nonsense' of 'ViT-B-32'; there are .*openai"),
        ("no-such/openai", r"no weights 'openai' of 'no-such'; there are none of 'no-such'"),
        ("ViT-B-32/laion2b_s34b_b79k", r"cannot be loaded \(.*\)\n  .*open_clip:ARCH//path"),
    ],
)
def test_weights_that_are_not_there_say_how_to_place_them(argument: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        create_encoder(f"open_clip:{argument}")
    assert len(str(caught.value).splitlines()) == 2 or "there are" in str(caught.value)
