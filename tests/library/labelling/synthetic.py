"""A data folder with the features of a synthetic encoder: what is in each second is known."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.data.features import EncoderIdentity, Features, StreamFeatures
from reeltag.data.importing.quantise import encode
from reeltag.encoders import EncoderInfo, PictureEncoder, TextEncoder
from reeltag.encoders.base import Float32
from tests.data.described import described_record
from tests.data.made import write_shard

NAMES = ("tabby cat", "hound, dog", "puppy", "rain")  # of the encoder's own classes
WIDTH = 8


class SyntheticTexts(TextEncoder):
    """A text is the class that it holds the word of."""

    info = EncoderInfo(name="synthetic_texts", kind="text", width=WIDTH)
    identity = EncoderIdentity(name="synthetic_texts", version="1")
    width = WIDTH

    def encode(self, texts: Sequence[str]) -> Float32:
        rows = np.zeros((len(texts), WIDTH), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for at, word in enumerate(("cat", "dog", "pup", "rain")):
                row[at] = word in text.lower()
            if not row.any():
                digest = hashlib.sha256(text.encode()).digest()
                row[4 + digest[0] % 4] = 1
        unit: Float32 = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


class SyntheticEncoder(PictureEncoder):
    """The first four features are logits of its classes."""

    info = EncoderInfo(name="synthetic", kind="picture", width=WIDTH)
    identity = EncoderIdentity(
        name="tests.library.labelling.synthetic:SyntheticEncoder", version="1"
    )
    width, size, one_class = WIDTH, (8, 8), True
    class_names: tuple[str, ...] = NAMES
    class_groups: Mapping[str, tuple[int, ...]] = {"pet": (0, 1, 2)}

    def encode(self, pictures_NHWC: NDArray[np.uint8]) -> Float32:
        raise NotImplementedError

    def classify(self, features_ND: Float32) -> Float32:
        return features_ND[:, :4]

    def text_encoder(self) -> TextEncoder:
        return SyntheticTexts()


class NoClasses(SyntheticEncoder):
    """Neither classes nor texts."""

    identity = EncoderIdentity(name="tests.library.labelling.synthetic:NoClasses", version="1")
    class_names = ()
    class_groups: Mapping[str, tuple[int, ...]] = {}

    def text_encoder(self) -> None:  # type: ignore[override]
        return None


def seconds_of(length: int, moments: Mapping[int, int], seed: int) -> Float32:
    """Return features (T, 8) of noise, in which second s is of the encoder's class moments[s]."""
    frames = np.random.default_rng(seed).normal(0, 0.3, (length, WIDTH)).astype(np.float32)
    frames[:, 7] += 4  # what is in all seconds
    for second, column in moments.items():
        frames[second, column] += 8
    return frames


def write_stream(folder: Path, videos: Mapping[str, Float32], stream: StreamFeatures) -> Path:
    """Write a shard of features of one stream, and their description."""
    folder.mkdir(parents=True, exist_ok=True)
    records = [
        described_record(
            video, {stream.name: encode(frames, stream).stored}, labels=np.array([], np.int64)
        )
        for video, frames in videos.items()
    ]
    write_shard(folder / "train0.tfrecord", records)
    Features(streams=(stream,)).save(folder)
    return folder


def synthetic_data(
    folder: Path,
    videos: Mapping[str, Float32],
    encoder: type[PictureEncoder] = SyntheticEncoder,
    *,
    paths: Mapping[str, Path] | None = None,
) -> Path:
    """Write a shard of features in uint8, their description and videos.csv."""
    stream = StreamFeatures(
        name="rgb",
        width=WIDTH,
        dtype="uint8",
        scale=(0.05,) * WIDTH,
        offset=(-3.0,) * WIDTH,
        encoder=encoder.identity,
    )
    write_stream(folder, videos, stream)
    if paths is not None:
        lines = [f'{video},"{path}",{len(videos.get(video, ()))}' for video, path in paths.items()]
        (folder / "videos.csv").write_text("id,path,duration_s\n" + "\n".join(lines) + "\n")
    return folder


def write_classes(path: Path, *names: str) -> Path:
    lines = [f'{at},"{name}"' for at, name in enumerate(names)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("index,name\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path
