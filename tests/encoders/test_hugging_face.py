"""hf:REPO with random weights of tiny configurations, from folders: no internet."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reeltag.core.errors import ConfigError
from reeltag.encoders import (
    Encoder,
    PictureEncoder,
    SoundEncoder,
    check_packages,
    create_encoder,
)
from reeltag.encoders._hugging_face import INFO
from reeltag.testing.encoders import CHECKS, TEXTS, encode_span, pictures_for
from tests.encoders import tiny


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        check_packages(INFO)
    except ConfigError:
        pytest.skip("the extra encoders is not installed")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def extractor(kind: str) -> Any:
    from transformers import ASTFeatureExtractor, ClapFeatureExtractor

    if kind == "clap":
        return ClapFeatureExtractor(feature_size=16, max_length_s=2)
    return ASTFeatureExtractor(num_mel_bins=32, max_length=256)


MAKERS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "clip": lambda: (tiny.clip(), tiny.image_processor(), tiny.tokenizer()),
    "vit": lambda: (tiny.vit(), tiny.image_processor()),
    "clap": lambda: (tiny.clap(), extractor("clap"), tiny.tokenizer()),
    "ast": lambda: (tiny.ast(), extractor("ast")),
    "bert": lambda: (tiny.bert(), tiny.tokenizer()),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Return the name of the encoder of a kind, which is written the first time."""
    root = tmp_path_factory.mktemp("models")

    def name_of(kind: str) -> str:
        path = root / kind
        return f"hf:{path}" if path.is_dir() else tiny.saved(path, *MAKERS[kind]())

    return name_of


def created(name: str) -> Encoder:
    return create_encoder(name, device="cpu")


@pytest.mark.parametrize("kind", MAKERS)
def test_model_of_a_folder_keeps_the_contract(kind: str, folder: Callable[[str], str]) -> None:
    encoder = created(folder(kind))
    for check in CHECKS:
        check(encoder)
    texts = encoder.text_encoder()
    assert (texts is not None) == (kind in ("clip", "clap"))
    if texts is not None:
        assert texts.width == encoder.width
        for check in CHECKS:
            check(texts)


def test_pictures_and_texts_of_clip_are_those_of_the_library(folder: Callable[[str], str]) -> None:
    encoder = created(folder("clip"))
    assert isinstance(encoder, PictureEncoder)
    assert (encoder.size, encoder.fit, encoder.width) == ((16, 16), "crop", 6)
    pictures, net = pictures_for(encoder, 3), tiny.clip()
    inputs = tiny.image_processor()(images=list(pictures), return_tensors="pt")
    texts = tiny.tokenizer()(list(TEXTS), padding=True, truncation=True, return_tensors="pt")
    texts.pop("token_type_ids", None)
    with torch.inference_mode():
        expected = net(**inputs, **texts)
    found = encoder.encode(pictures)
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    np.testing.assert_allclose(unit, expected.image_embeds, atol=1e-4)
    described = encoder.text_encoder()
    assert described is not None
    np.testing.assert_allclose(described.encode(TEXTS), expected.text_embeds, atol=1e-4)


def test_own_classes_are_found_where_the_last_layer_gives_the_logits(
    folder: Callable[[str], str],
) -> None:
    vit = created(folder("vit"))
    assert vit.class_names == ("cat", "dog") and vit.one_class
    assert isinstance(vit, PictureEncoder)
    pictures = pictures_for(vit, 2)
    inputs = tiny.image_processor()(images=list(pictures), return_tensors="pt")
    with torch.inference_mode():
        expected = tiny.vit()(**inputs).logits
    np.testing.assert_allclose(vit.classify(vit.encode(pictures)), expected, atol=1e-4)
    ast = created(folder("ast"))
    assert ast.class_names == ("Speech", "Dog", "Rain") and not ast.one_class


def test_frame_is_encoded_by_the_two_seconds_around_its_middle(
    folder: Callable[[str], str],
) -> None:
    encoder = created(folder("ast"))
    assert isinstance(encoder, SoundEncoder)
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000 * 7).astype(np.float32)
    # frames 2 and 3 of 1 s, with 1 s of context
    features = encoder.encode(sound[16_000 : 16_000 * 5], 2, 1.0, 2)
    windows = [sound[at : at + 32_000] for at in (24_000, 40_000)]
    inputs = extractor("ast")(windows, sampling_rate=16_000, return_tensors="pt")
    with torch.inference_mode():
        expected = tiny.ast().audio_spectrogram_transformer(**inputs).pooler_output
    np.testing.assert_allclose(features, expected, atol=1e-4)


def test_clap_that_fuses_is_the_same_each_time(folder: Callable[[str], str]) -> None:
    encoder = created(folder("clap"))
    assert isinstance(encoder, SoundEncoder)
    first, again = (encode_span(encoder, 0, 5, 1.0) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert "48000 Hz" in encoder.identity.preprocessing


def test_pooler_that_the_weights_lack_is_left_out_not_drawn(tmp_path: Path) -> None:
    from transformers import ViTConfig, ViTModel

    config = tiny.vit(head=False).config
    assert isinstance(config, ViTConfig)
    torch.manual_seed(5)
    ViTModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    tiny.image_processor().save_pretrained(tmp_path)
    first, again = (created(f"hf:{tmp_path}") for _ in range(2))
    assert first.identity == again.identity


def test_weights_that_are_missing_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    tiny.saved(tmp_path, *MAKERS["bert"]())
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop("encoder.layer.0.output.dense.weight")
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ConfigError, match="holds no weights of .*dense.weight: they would be rand"):
        created(f"hf:{tmp_path}")


def test_other_weights_are_another_identity(tmp_path: Path, folder: Callable[[str], str]) -> None:
    torch.manual_seed(9)
    net = tiny.bert()
    with torch.no_grad():
        net.embeddings.word_embeddings.weight[0, 0] += 1
    other = created(tiny.saved(tmp_path, net, tiny.tokenizer())).identity
    same = created(folder("bert")).identity
    assert other.weights != same.weights and other.preprocessing == same.preprocessing


def test_weights_that_cannot_be_fetched_say_how_to_place_them(tmp_path: Path) -> None:
    for name in ("hf:no-such/model", f"hf:{tmp_path / 'absent'}"):
        with pytest.raises(ConfigError, match=r"cannot be loaded \(.*\)\n  Its weights come") as of:
            create_encoder(name)
        lines = str(of.value).splitlines()
        assert len(lines) == 2 and "$HF_HOME/hub" in lines[1] and "hf:/path/folder" in lines[1]
    with pytest.raises(ConfigError, match=r"'hf:' names no model\n  Write hf:REPO"):
        create_encoder("hf:")
