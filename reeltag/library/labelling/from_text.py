"""Labels from encoders of pictures (or sound) and text into one space: CLIP, SigLIP, CLAP.

    "a photo of a dog" -> text features
    second -> features of the data -> cosine with the text of each class
          -> the best seconds of a video

Source: Radford et al. 2021, "Learning transferable visual models from natural language
supervision", arXiv:2103.00020, section 3.1.4 (prompts).
"""

from collections.abc import Sequence

import numpy as np

from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.features import StreamFeatures
from reeltag.encoders.base import Encoder, Float32, SoundEncoder, TextEncoder
from reeltag.library.labelling.scores import stream_frames, top_mean

PICTURE_PROMPTS, SOUND_PROMPTS = ("a photo of {}", "{}"), ("the sound of {}", "{}")


def usual_prompts(encoder: Encoder) -> tuple[str, ...]:
    """Return the prompts that texts are put in for an encoder of pictures, or of sound."""
    return SOUND_PROMPTS if isinstance(encoder, SoundEncoder) else PICTURE_PROMPTS


def class_features(texts: TextEncoder, classes: Sequence[str], prompts: Sequence[str]) -> Float32:
    """Return (C, D) of unit norm: the mean of the texts of a class.

    Args:
        texts: encoder.
        classes: names.
        prompts: texts with {} in the place of the name.

    Raises:
        ConfigError: there is no prompt, or one has no {}.
    """
    if not prompts or any("{}" not in prompt for prompt in prompts):
        raise ConfigError(
            f"must be texts with {{}} in the place of the class, got {list(prompts)}",
            where="--prompts",
        )
    parts = [texts.encode([prompt.replace("{}", name) for name in classes]) for prompt in prompts]
    total: Float32 = np.sum(parts, 0)
    unit: Float32 = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
    return unit


def text_scores(
    data: Dataset,
    stream: StreamFeatures,
    class_CD: Float32,
    fraction: float,
    *,
    quiet: bool = False,
) -> tuple[list[str], Float32]:
    """Return ids (V) and scores (V, C) of videos: cosines of their best seconds with each class.

    Args:
        data: of frames.
        stream: of the data, of an encoder that shares its space with the texts.
        class_CD: of unit norm.
        fraction: of seconds that count.
        quiet: show no progress.
    """
    ids, rows = [], []
    for video, features_TD in stream_frames(data, stream, quiet=quiet):
        norms = np.maximum(np.linalg.norm(features_TD, axis=1, keepdims=True), 1e-12)
        cosines_TC = features_TD / norms @ class_CD.T
        nothing = np.full(len(class_CD), np.nan, np.float32)
        rows.append(top_mean(cosines_TC, fraction) if len(cosines_TC) else nothing)
        ids.append(video)
    return ids, np.array(rows, np.float32).reshape(len(ids), len(class_CD))
