"""From stored frames of described features to what a model reads."""

import torch
from torch import Tensor

from reeltag.data.features import Features
from reeltag.layers.preprocessing import Preprocessing, PreprocessingConfig


def preprocessing_of(
    config: PreprocessingConfig, features: Features, eigenvalues: Tensor | None = None
) -> Preprocessing:
    """Return the preprocessing of described features."""
    codes = None
    if not features.is_published:
        scale_D, offset_D = features.codes()
        codes = torch.from_numpy(scale_D), torch.from_numpy(offset_D)
    dims = [stream.width for stream in features.streams]
    return Preprocessing(config, dims, eigenvalues, codes=codes)
