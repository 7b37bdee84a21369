"""How long encoders take on one core: a picture, a second of sound, a text.

Processor time of one thread is counted. The peer of efficientnet_lite0 is the authors' net in
torch, with the same weights.
"""

import contextlib
import io
import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.figure import figure
from benchmarks.results import Row
from reeltag.core.errors import MissingPackageError
from reeltag.encoders import (
    Encoder,
    PictureEncoder,
    SoundEncoder,
    TextEncoder,
    check_packages,
    create_encoder,
    list_encoders,
    span_samples,
)

REPEATS = 5
NUMBER = 64  # pictures, seconds, texts
TARGETS = {"efficientnet_lite0": "<= 12 ms"}


def run(quick: bool) -> list[Row]:
    """Return the figures of all encoders that are installed; `quick`: few inputs."""
    number, repeats = (4, 1) if quick else (NUMBER, REPEATS)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = [row for name in installed_encoders() for row in _rows(name, number, repeats)]
    finally:
        torch.set_num_threads(threads)
    return rows


def installed_encoders() -> list[str]:
    """Return the names of the encoders that are loaded without internet."""
    names = []
    for info in list_encoders():
        if ":" not in info.name:
            with contextlib.suppress(MissingPackageError):
                check_packages(info)
                names.append(info.name)
    return names


def _rows(name: str, number: int, repeats: int) -> list[Row]:
    encoder = create_encoder(name, device="cpu")
    unit, work = work_of(encoder, number)
    cost = _milliseconds(work, number, repeats)
    details = {"per": unit, "best_of": repeats, "number": number}
    rows = [figure(f"{name}, a {unit}", cost, "ms", TARGETS.get(name), details)]
    if name == "efficientnet_lite0":
        peer = _milliseconds(_torch_peer(number), number, repeats)
        rows.append(figure(f"{name} by torch, a {unit}", peer, "ms", None, details))
    return rows


def work_of(encoder: Encoder, number: int) -> tuple[str, Callable[[], object]]:
    """Return what an encoder encodes, and a function that encodes so many of it."""
    rng = np.random.default_rng(0)
    if isinstance(encoder, PictureEncoder):
        pictures = rng.integers(0, 256, (number, *encoder.size, 3)).astype(np.uint8)
        return "picture", lambda: encoder.encode(pictures)
    if isinstance(encoder, SoundEncoder):
        start, end = span_samples(0, number, 1.0, encoder.context_s)
        sound = rng.normal(0, 0.1, end - start).astype(np.float32)
        return "second of sound", lambda: encoder.encode(sound, number, 1.0)
    assert isinstance(encoder, TextEncoder)
    texts = [f"a dog and {at} people" for at in range(number)]
    return "text", lambda: encoder.encode(texts)


def _torch_peer(number: int) -> Callable[[], object]:
    """Return a function that encodes pictures by the authors' net in torch."""
    from efficientnet_lite_pytorch import EfficientNet

    with contextlib.redirect_stdout(io.StringIO()):
        net = EfficientNet.from_name("efficientnet-lite0").eval()  # speed needs no weights
    pictures = torch.randint(0, 256, (number, 224, 224, 3), dtype=torch.uint8)

    @torch.inference_mode()
    def work() -> None:
        for part in pictures.split(1):  # its fastest batch
            net.extract_features((part.permute(0, 3, 1, 2).float() - 127) / 128).mean((2, 3))

    return work


def _milliseconds(work: Callable[[], object], number: int, repeats: int) -> float:
    work()
    found = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found) / number * 1e3
