"""Mixup: two items and their labels, mixed in the ratio lambda to 1 - lambda.

Source: Zhang et al., ICLR 2018, arXiv:1710.09412, eq. 1; OPPO 2019, sec. 3.4, eq. 2 and 3. Neither
defines frames that one of the two lacks, or classes that are not rated; that is
decided here.

Shape letters: B items, T frames, D features, C classes.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from reeltag.core.batch import FrameBatch


def draw_lambda(
    alpha: float, num_items: int, *, per_sample: bool, device: torch.device | str = "cpu"
) -> Tensor:
    """Return (B,) float32 lambda ~ Beta(alpha, alpha) in [0, 1]: one for all, or one for each.

    Args:
        alpha: > 0; the smaller, the more often one of the two items has nearly all of the weight.
        num_items: B.
        per_sample: draw one for each item.
        device: on which it is drawn, from torch's generator there.
    """
    a = torch.tensor(alpha, device=device)
    drawn: Tensor = torch.distributions.Beta(a, a).sample((num_items if per_sample else 1,))
    return drawn.expand(num_items)


def frame_weights(lambda_B: Tensor, mask_BT: Tensor, other_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Return what each frame of the two items counts, both (B, T) float32, 0 for padding.

    A mixed frame is own * x_t + other * x'_t; it is a real frame where either of the two counts
    (the union of the masks; an item of weight 0 adds none, so that lambda = 1 changes nothing).

    Args:
        lambda_B: lambda in [0, 1].
        mask_BT: bool, frames of the items themselves.
        other_BT: bool, frames of their partners.
    """
    lambda_B1 = lambda_B.unsqueeze(1)
    return lambda_B1 * mask_BT, (1 - lambda_B1) * other_BT


def mixed_labels(
    lambda_B: Tensor, labels: tuple[Tensor, Tensor], weights: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor | None]:
    """Return labels (B, C) of the mixed items, and weights (B, C) or None.

        w~ = lambda w + (1 - lambda) w'
        y~ = (lambda w y + (1 - lambda) w' y') / w~,  0 where w~ = 0

    so that w~ BCE(z, y~) = lambda w BCE(z, y) + (1 - lambda) w' BCE(z, y') for every logit z: a
    class that only one of the two was rated for is learned from that one, with its weight. (So for
    every loss that is linear in the labels; hinge and ranking losses are not.)

    Args:
        lambda_B: lambda in [0, 1].
        labels: (B, C) in [0, 1], of the items and of their partners.
        weights: (B, C) >= 0, likewise; None where all count 1.
    """
    lambda_B1 = lambda_B.unsqueeze(1)
    if weights is None:
        return torch.lerp(labels[1], labels[0], lambda_B1), None
    own_BC = lambda_B1 * weights[0]
    weight_BC = own_BC + (1 - lambda_B1) * weights[1]
    # a lerp by own / own = 1 gives back the items' own labels, to the bit
    label_BC = torch.lerp(labels[1], labels[0], own_BC / weight_BC)
    return label_BC.masked_fill_(weight_BC == 0, 0.0), weight_BC


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Who is mixed with whom, and how much each frame of both counts.

    Attributes:
        partners: the batch that partners are taken from, of the same T.
        order: (B,) int64, place in `partners` of each item's partner.
        ratio: (B,) lambda, what the items themselves count.
        own: (B, T) what each frame of the items counts, 0 for padding.
        other: (B, T) what each frame of their partners counts, 0 for padding.
        mask: (B, T) bool, the real frames of the mixed items.
    """

    partners: FrameBatch
    order: Tensor
    ratio: Tensor
    own: Tensor
    other: Tensor
    mask: Tensor

    def labels(self, batch: FrameBatch) -> tuple[Tensor, Tensor | None]:
        """Return labels and weights of the mixed items; ValueError where labels are missing."""
        if batch.labels is None or self.partners.labels is None:
            raise ValueError("mixup needs batches with labels")
        labels = batch.labels, self.partners.labels[self.order]
        if batch.weights is None or self.partners.weights is None:
            return mixed_labels(self.ratio, labels, None)
        weights = batch.weights, self.partners.weights[self.order]
        return mixed_labels(self.ratio, labels, weights)


def draw_mix(
    batch: FrameBatch, before: FrameBatch | None, alpha: float, *, per_sample: bool
) -> tuple[FrameBatch, Mix]:
    """Return the batch, padded if its partners have more frames, and whom it is mixed with.

    Args:
        batch: of B items.
        before: the batch whose items are the partners, place by place; None: the items of `batch`
            in a random order (an item may be its own partner, which leaves it as it is).
        alpha: of the Beta distribution of lambda, > 0.
        per_sample: draw one lambda for each item, not one for all.
    """
    device, num_items = batch.mask.device, len(batch)
    if before is None:
        batch = partners = _padded(batch, batch.mask.shape[1])
        order_B = torch.randperm(num_items, device=device)
    else:
        longest = max(batch.mask.shape[1], before.mask.shape[1])
        batch, partners = _padded(batch, longest), _padded(before, longest)
        order_B = torch.arange(num_items, device=device) % len(before)
    lambda_B = draw_lambda(alpha, num_items, per_sample=per_sample, device=device)
    own_BT, other_BT = frame_weights(lambda_B, batch.mask, partners.mask[order_B])
    return batch, Mix(
        partners=partners,
        order=order_B,
        ratio=lambda_B,
        own=own_BT,
        other=other_BT,
        mask=own_BT + other_BT > 0,
    )


def _padded(batch: FrameBatch, num_frames: int) -> FrameBatch:
    """Return a batch of T = `num_frames`, with padding that can be weighed by 0: all finite."""
    frames_BTD, more = batch.frames, num_frames - batch.mask.shape[1]
    if frames_BTD.is_floating_point():  # of codes each is finite
        frames_BTD = frames_BTD.masked_fill(~batch.mask.unsqueeze(-1), 0.0)
    if more:
        frames_BTD = F.pad(frames_BTD, (0, 0, 0, more))
    return replace(batch, frames=frames_BTD, mask=F.pad(batch.mask, (0, more)))
