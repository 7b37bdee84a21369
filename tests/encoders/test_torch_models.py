"""Encoders around nets of torch, with nets that need no library."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reeltag.core.errors import ConfigError
from reeltag.encoders import Encoder
from reeltag.encoders._devices import Place
from reeltag.encoders._hugging_face import wrap_pictures, wrap_sound, wrap_texts
from reeltag.encoders._torch_models import PictureInput, TorchPictureEncoder, loading, weights_hash
from reeltag.encoders.base import EncoderInfo, Precision
from reeltag.testing.encoders import CHECKS, pictures_for

CPU = Place.of("cpu", "auto")
WANTS = PictureInput((6, 8), "stretch", (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))


class Joint(nn.Module):
    """Pictures, sound and texts as a model of transformers takes them."""

    def __init__(self, wants: str, classes: int = 0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.main_input_name, self.base_model_prefix = wants, "absent"
        names = {at: f"class {at}" for at in range(classes)}
        self.config = SimpleNamespace(model_type="siglip", id2label=names)
        self.layer, self.words = nn.Linear(3, 5), nn.Embedding(256, 5)
        if classes:
            self.classifier = nn.Linear(5, classes)

    def forward(
        self,
        pixel_values: Tensor | None = None,
        input_values: Tensor | None = None,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        is_longer: Tensor | None = None,
    ) -> Any:
        if input_ids is not None:
            return SimpleNamespace(last_hidden_state=self.words(input_ids).float())
        if pixel_values is not None:
            seen = pixel_values.mean((2, 3))
        else:
            assert input_values is not None
            seen = torch.stack([input_values.std(1), input_values.amax(1), input_values.mean(1)], 1)
            seen = seen + (0 if is_longer is None else 1000 * is_longer.float())
        pooled = self.layer(seen)
        logits = self.classifier(pooled) if hasattr(self, "classifier") else None
        return SimpleNamespace(pooler_output=pooled, logits=logits)


class JointWithTexts(Joint):
    """Has texts in the space of its pictures or sound."""

    def get_text_features(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        mean: Tensor = (self.words(input_ids) * attention_mask.unsqueeze(-1)).mean(1)
        return mean


def letters(texts: Sequence[str], padding: object = True, **_: object) -> dict[str, Tensor]:
    """Return the letters of texts as tokens, padded to the longest or to 60."""
    longest = 60 if padding == "max_length" else max(len(text) for text in texts) + 1
    rows = [[1, *text.encode()][:longest] for text in texts]
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    return {"input_ids": ids, "attention_mask": (ids > 0).long()}


def plain(windows: Sequence[Any], sampling_rate: int, return_tensors: str) -> dict[str, Tensor]:
    """Return windows as they are; one of them, drawn at random, counts as longer."""
    longer = torch.arange(len(windows)) == np.random.randint(len(windows))
    return {"input_values": torch.from_numpy(np.stack(windows)), "is_longer": longer[:, None]}


def processor(**config: Any) -> Any:
    return SimpleNamespace(to_dict=lambda: config)


SIZED = processor(
    size={"height": 6, "width": 8},
    do_normalize=True,
    image_mean=[0.5, 0.4, 0.3],
    image_std=[0.2, 0.3, 0.4],
)

MADE: dict[str, Callable[[], Encoder]] = {
    "pictures": lambda: wrap_pictures("hf:p", Joint("pixel_values", 4), SIZED, None, CPU),
    "pictures and texts": lambda: wrap_pictures(
        "hf:t", JointWithTexts("pixel_values"), SIZED, letters, CPU
    ),
    "sound": lambda: wrap_sound("hf:s", Joint("input_values", 3), plain, None, CPU),
    "sound and texts": lambda: wrap_sound(
        "hf:u", JointWithTexts("input_values"), plain, letters, CPU
    ),
    "texts": lambda: wrap_texts("hf:w", Joint("input_ids"), letters, CPU),
}


@pytest.mark.parametrize("kind", MADE)
def test_net_of_each_kind_keeps_the_contract(kind: str) -> None:
    encoder = MADE[kind]()
    texts = encoder.text_encoder()
    assert (texts is not None) == ("and texts" in kind)
    assert bool(encoder.class_names) == (kind in ("pictures", "sound"))
    for check in CHECKS:
        check(encoder)
        if texts is not None:
            check(texts)


def test_picture_is_brought_to_the_range_of_the_net() -> None:
    seen: list[Tensor] = []

    def features(x_NCHW: Tensor) -> Tensor:
        seen.append(x_NCHW)
        return x_NCHW.mean((2, 3))

    info = EncoderInfo(name="x", kind="picture")
    encoder = TorchPictureEncoder(info, nn.Linear(1, 1), features, WANTS, CPU)
    pictures = pictures_for(encoder, 2)
    encoder.encode(pictures)
    for channel, (mean, std) in enumerate(zip(WANTS.mean, WANTS.std, strict=True)):
        expected = (pictures[..., channel] / 255 - mean) / std
        np.testing.assert_allclose(seen[-1][:, channel], expected, rtol=1e-5, atol=1e-6)
    assert encoder.identity.preprocessing == (
        "RGB 6 x 8, stretched; (x / 255 - mean) / std, mean 0.5 0.4 0.3, std 0.2 0.3 0.4"
    )


def test_hash_is_that_of_names_shapes_types_and_values() -> None:
    def net(**changes: Any) -> nn.Module:
        torch.manual_seed(1)
        made = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
        state = made.state_dict()
        state["0.bias"][0] += changes.get("bias", 0)
        state["1.running_mean"][0] += changes.get("mean", 0)
        return made.to(changes.get("dtype", torch.float32))

    same = weights_hash(net())
    assert weights_hash(net()) == same and len(same) == 16
    others = [net(bias=1e-6), net(mean=1), net(dtype=torch.bfloat16)]
    assert len({same, *map(weights_hash, others)}) == 4


def test_library_that_cannot_load_is_one_line_with_the_way_out() -> None:
    def broken() -> None:
        raise OSError("We couldn't connect\nto the internet\n" + "x" * 500)

    with pytest.raises(ConfigError) as caught, loading("hf:x", "place it there."):
        broken()
    assert str(caught.value) == (
        "hf:x cannot be loaded (We couldn't connect)\n"
        "  Its weights come from the internet. Without it: place it there."
    )
    with pytest.raises(ConfigError, match="^ours$"), loading("hf:x", "place it there."):
        raise ConfigError("ours")


def test_picture_size_that_is_not_fixed_is_refused() -> None:
    for config in ({"size": {"longest_edge": 9}}, {"max_num_patches": 256}):
        with pytest.raises(ConfigError, match="hf:p wants no pictures of a fixed size"):
            wrap_pictures("hf:p", Joint("pixel_values"), processor(**config), None, CPU)
    cropped = processor(
        size={"shortest_edge": 9}, do_center_crop=True, crop_size={"height": 6, "width": 8}
    )
    encoder = wrap_pictures("hf:p", Joint("pixel_values"), cropped, None, CPU)
    assert (encoder.size, encoder.fit) == ((6, 8), "crop")


def test_half_precision_is_that_of_the_place() -> None:
    place = Place(torch.device("cpu"), torch.bfloat16)
    exact = wrap_pictures("hf:p", Joint("pixel_values"), SIZED, None, CPU)
    half = wrap_pictures("hf:p", Joint("pixel_values"), SIZED, None, place)
    pictures = pictures_for(exact, 3)
    difference = np.abs(exact.encode(pictures) - half.encode(pictures)).max()
    assert 0 < difference < 0.05


@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_place_of_a_cpu_computes_in_float32(precision: Precision) -> None:
    place = Place.of("cpu", precision)
    assert place.is_cpu and place.dtype == torch.float32
