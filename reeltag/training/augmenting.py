"""Augmentation as an objective: vary the batch on its device, then call the objective inside.

    codes -> fewer frames -> features -> mixup -> streams lost -> L2 norm -> noise -> model -> loss

The tagger's own preprocessing does its two stages in between, so that each happens where its
authors had it; validation and prediction go through the tagger and never see any of it.

Shape letters: B items, T frames, D features, C classes.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from reeltag.augment.config import AugmentConfig
from reeltag.augment.frames import compact, dissimilar_keep_mask, random_keep_mask
from reeltag.augment.mixup import Mix, draw_mix
from reeltag.augment.modality import surviving_streams
from reeltag.augment.noise import Noise, draw_noise, standard_deviation
from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError
from reeltag.layers.preprocessing import Preprocessing, working_dtype
from reeltag.tagger.tagger import Tagger
from reeltag.training.losses import Objective

PART = (
    300  # frames at a time on a CPU: 1.4 MB of features, which stay in the cache from step to step
)
SAMPLE = 1024  # frames for the features' standard deviation, to 2 %


def augmented(objective: Objective, tagger: Tagger, config: AugmentConfig) -> Objective:
    """Return `objective` on batches varied as `config` describes; itself where nothing is varied.

    Args:
        objective: loss of a batch.
        tagger: that is trained.
        config: how batches are varied.

    Raises:
        ConfigError: streams are to be dropped of a tagger that has only one.
    """
    if config.stream_dropout and len(tagger.streams) < 2:
        raise ConfigError(
            f"augment.stream_dropout must be 0 with the one stream {tagger.streams[0][0]}, got "
            f"{config.stream_dropout}",
            hint="Nothing would be left of a video. Leave it out, or use more --streams.",
        )
    return Augmented(objective, config) if config.active else objective


class Augmented:
    """An objective whose batches are varied first, in training mode only.

    Every random number comes from torch's generator of the batch's device, which the training
    seeds each step. The only state is the batch before, for `mixup_partner="previous"`;
    `remember` brings it back when a training goes on.

    Args:
        objective: is given the varied batch, with features in place of codes, and the tagger's
            model, which reads them.
        config: what is varied.
    """

    def __init__(self, objective: Objective, config: AugmentConfig) -> None:
        self.objective, self.config = objective, config
        self._before: FrameBatch | None = None

    @property
    def remembers(self) -> bool:
        """Whether the batch before has a part in the next."""
        return self.config.mixup > 0 and self.config.mixup_partner == "previous"

    def __call__(self, batch: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of the varied batch and what is to be logged.

        Args:
            batch: as the loader gives it.
            model: the tagger.

        Raises:
            TypeError: `model` is no tagger, so that there is nothing to prepare the frames.
            ValueError: items are to be mixed that have no labels.
        """
        if not isinstance(model, Tagger):
            raise TypeError(f"a batch is varied for a tagger, not for a {type(model).__name__}")
        if not model.training:
            return self.objective(batch, model)
        device = batch.frames.device.type
        dtype = working_dtype(device)
        with torch.no_grad(), torch.autocast(device, enabled=False):
            batch = self._with_fewer_frames(batch, model.prepare)
            varied = self._varied(batch, model.prepare, dtype)
        if self.remembers:
            self._before = _copy(batch)  # the loader fills its buffers again
        return self.objective(varied, model.model)

    def remember(self, batch: FrameBatch, model: Tagger) -> None:
        """Take `batch`, with torch seeded as for its step, as the one before the next."""
        with torch.no_grad(), torch.autocast(batch.frames.device.type, enabled=False):
            self._before = _copy(self._with_fewer_frames(batch, model.prepare))

    def _with_fewer_frames(self, batch: FrameBatch, prepare: Preprocessing) -> FrameBatch:
        """Return the batch without the frames to drop; the first random numbers of a step."""
        if not self.config.fewer_frames:
            return batch
        keep_BT = batch.mask
        if self.config.similar_frames < 1:
            parts = [
                dissimilar_keep_mask(
                    prepare.features(batch.frames[part]), keep_BT[part], self.config.similar_frames
                )
                for part in _parts(batch.frames)
            ]
            keep_BT = torch.cat(parts)
        if self.config.frame_drop:
            keep_BT = random_keep_mask(keep_BT, self.config.frame_drop)
        frames_BTD, mask_BT = compact(batch.frames, keep_BT)
        return replace(batch, frames=frames_BTD, mask=mask_BT)

    def _varied(self, batch: FrameBatch, prepare: Preprocessing, dtype: torch.dtype) -> FrameBatch:
        """Return the batch as the model reads it: features of `dtype`, labels mixed."""
        config, mix, alive_BD, noise = self.config, None, None, None
        if config.mixup and (self._before is not None or not self.remembers):
            per_sample = config.mixup_per == "sample"
            batch, mix = draw_mix(batch, self._before, config.mixup, per_sample=per_sample)
            labels_BC, weights_BC = mix.labels(batch)
            batch = replace(batch, labels=labels_BC, weights=weights_BC)
        if config.stream_dropout:
            device = batch.frames.device
            alive_BD = surviving_streams(
                len(batch), prepare.dims, config.stream_dropout, device=device
            )
        if config.noise:
            noise = self._drawn_noise(batch, prepare, alive_BD)
        out_BTD = torch.empty(batch.frames.shape, dtype=dtype, device=batch.frames.device)
        mask_BT = batch.mask if mix is None else mix.mask
        for part in _parts(batch.frames):
            alive_b1D = None if alive_BD is None else alive_BD[part].unsqueeze(1)
            real_bT = mask_BT[part] if noise is None else None  # noise clears the padding again
            x_bTD = self._seen(batch, mix, part, prepare, alive_b1D, real_bT)
            out_BTD[part] = x_bTD if noise is None else noise.add_(x_bTD, mask_BT[part], part)
        return replace(batch, frames=out_BTD, mask=mask_BT)

    def _seen(
        self,
        batch: FrameBatch,
        mix: Mix | None,
        part: slice,
        prepare: Preprocessing,
        alive_b1D: Tensor | None,
        real_bT: Tensor | None,
    ) -> Tensor:
        """Return normalised features of some items, mixed and without the streams they lose.

        They are 0 where `real_bT` is False; where it is None, padding is unspecified.
        """

        def features(of: FrameBatch, items: slice | Tensor) -> Tensor:
            x_bTD = prepare.features(of.frames[items])
            return x_bTD if alive_b1D is None else x_bTD * alive_b1D

        own_bTD = features(batch, part)
        if mix is None:
            return prepare.normalise(own_bTD, real_bT)
        order_b = mix.order[part]
        other_bTD = features(mix.partners, order_b)
        own_bT1, other_bT1 = mix.own[part].unsqueeze(-1), mix.other[part].unsqueeze(-1)
        if self.config.mixup_space == "features":
            mixed_bTD = (own_bTD * own_bT1).addcmul_(other_bTD, other_bT1)
            return prepare.normalise(mixed_bTD, real_bT)
        own_bTD, other_bTD = prepare.normalise(own_bTD, None), prepare.normalise(other_bTD, None)
        # padding counts 0 in both
        return own_bTD.mul_(own_bT1).addcmul_(other_bTD, other_bT1)

    def _drawn_noise(
        self, batch: FrameBatch, prepare: Preprocessing, alive_BD: Tensor | None
    ) -> Noise:
        """Return the noise of a batch, in units of what its frames vary by, or absolute."""
        num_items, num_frames, dim = batch.frames.shape
        if self.config.noise_scale == "relative":
            every = max(1, num_items * num_frames // SAMPLE)
            mask_1N = batch.mask.flatten()[None, ::every]
            frames_1ND = batch.frames.flatten(0, 1)[None, ::every]
            x_1ND = prepare.normalise(prepare.features(frames_1ND), mask_1N)
            deviation_D = self.config.noise * standard_deviation(x_1ND[0], mask_1N[0])
        else:
            deviation_D = torch.full((dim,), self.config.noise, device=batch.frames.device)
        per_frame = self.config.noise_per == "frame"
        shape = (num_items, num_frames, dim)
        noise = draw_noise(shape, deviation_D, self.config.noise_share, per_frame=per_frame)
        return noise if alive_BD is None else replace(noise, spread=noise.spread * alive_BD)


def _parts(frames_BTD: Tensor) -> Iterator[slice]:
    """Yield the items to look at together: all of them, on a CPU what stays in its cache."""
    num_items, num_frames = frames_BTD.shape[:2]
    on_cpu = frames_BTD.device.type == "cpu"
    size = max(1, PART // num_frames) if on_cpu else num_items
    for start in range(0, num_items, size):
        yield slice(start, start + size)


def _copy(batch: FrameBatch) -> FrameBatch:
    """Return a copy of all that mixup needs of a batch."""
    return FrameBatch(
        frames=batch.frames.clone(),
        mask=batch.mask.clone(),
        labels=None if batch.labels is None else batch.labels.clone(),
        weights=None if batch.weights is None else batch.weights.clone(),
    )
