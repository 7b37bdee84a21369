"""What turns pictures, sound or text into features: one file per encoder, found by its name."""

from reeltag.data.features import EncoderIdentity
from reeltag.encoders._registry import (
    check_packages,
    create_encoder,
    create_text_encoder,
    find_encoder,
    imported_module,
    list_encoders,
    may_encode_texts,
    register_encoder,
)
from reeltag.encoders.base import (
    SAMPLE_RATE,
    Encoder,
    EncoderInfo,
    EncoderKind,
    Fit,
    PictureEncoder,
    Precision,
    SoundEncoder,
    TextEncoder,
    context_samples,
    first_sample,
    span_samples,
)

__all__ = [
    "SAMPLE_RATE",
    "Encoder",
    "EncoderIdentity",
    "EncoderInfo",
    "EncoderKind",
    "Fit",
    "PictureEncoder",
    "Precision",
    "SoundEncoder",
    "TextEncoder",
    "check_packages",
    "context_samples",
    "create_encoder",
    "create_text_encoder",
    "find_encoder",
    "first_sample",
    "imported_module",
    "list_encoders",
    "may_encode_texts",
    "register_encoder",
    "span_samples",
]
