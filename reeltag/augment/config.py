"""What is varied in a training batch, as one dataclass: the flags `--augment.*` of `reeltag train`.

Which frames are read at all (random, contiguous, regular, every r-th) is the loader's choice,
`reeltag.data.sampling.FrameChoice`: what is not read costs nothing. What is here happens to
the batch on its device, in training only; validation and prediction never see it.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Le

from reeltag.core.bounds import Amount, CheckedFields, Fraction, Part


@dataclass(frozen=True, kw_only=True)
class AugmentConfig(CheckedFields):
    """How a training batch is varied on its device; by default not at all."""

    prefix: ClassVar[str] = "augment"

    mixup: Amount = 0.0
    """Mix each item with another one, the weight lambda drawn from Beta(a, a) with this a (OPPO:
    0.4, fine-tuning on segments only); 0 is off."""
    mixup_per: Literal["batch", "sample"] = "batch"
    """One lambda per batch, or one for each item (Samsung)."""
    mixup_partner: Literal["permutation", "previous"] = "permutation"
    """With whom: an item of the same batch by a random permutation, or the item at the same place
    of the batch before (Samsung); the very first batch is then trained without."""
    mixup_space: Literal["features", "normalised"] = "features"
    """Mix before the frames' L2 norm, or after it."""

    noise: Amount = 0.0
    """Standard deviation of Gaussian noise added to the normalised features; 0 is off (Autohome
    leaves theirs open; 0.1 is usual)."""
    noise_share: Part = 0.5
    """Fraction of the dimensions that get noise, in (0, 1] (Autohome: 0.5)."""
    noise_scale: Literal["relative", "absolute"] = "relative"
    """`noise` is in units of each dimension's standard deviation over the batch's frames, or in
    those of the features (Axon: 0.03)."""
    noise_per: Literal["video", "frame"] = "video"
    """Choose the dimensions that get noise once for all frames of an item, or again for each frame;
    the noise itself always differs from frame to frame."""

    frame_drop: Fraction = 0.0
    """Drop each frame with this probability, in [0, 1); at least one stays. (The loader's choices,
    --frames.how, read fewer frames instead.)"""
    similar_frames: Annotated[float, Ge(0), Le(1)] = 1.0
    """Drop a frame if its cosine with the frame before is larger, in [0, 1]; 1 is off (Samsung)."""
    stream_dropout: Annotated[float, Ge(0), Le(1)] = 0.0
    """Set one stream of an item to zero with this probability, in [0, 1]; never all of them."""

    @property
    def fewer_frames(self) -> bool:
        """Whether frames are dropped."""
        return self.frame_drop > 0 or self.similar_frames < 1

    @property
    def active(self) -> bool:
        """Whether anything is varied."""
        return self.fewer_frames or max(self.mixup, self.noise, self.stream_dropout) > 0
