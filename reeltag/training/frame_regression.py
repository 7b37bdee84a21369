"""Fit `frame_logistic` on labels of whole videos and on ratings at once: for few videos.

    loss = 1 / V * sum over videos v and classes c of w_vc * H(pooled logit of v for c, label_vc)
         + rated_weight * C / Q * sum over ratings q of H(mean logit of the window of q, rating q)
         + l2 * sum of squared weights
    w_vc = 1 where v lists c, 0 where no video does and c is rated, else unlisted_weight

H is the binary cross-entropy in nats; the loss is nats per video. Labels of whole videos are noisy:
what a video does not list counts by `unlisted_weight` alone, and of a class that no video lists,
such as one that a person has just made, nothing is known but its ratings. A rating is of all frames
of its window, whose mean logit is compared with it. The weights of the penalty are those of
balanced features: brought to mean 0 and variance 1, and each stream to a mean square norm of 1, so
that a stream of 192 values is weighed as much as one of 1280; all of this is folded into the
weights in the end. The model's own penalty, `Config.l2`, is that of `reeltag train` and in no term
here. All frames are in memory, and each step sees all of them: nothing is random.

Shape letters: N frames of all videos, V videos, Q ratings, R frames of rated windows, D feature
size, C classes.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from reeltag.core.bounds import Amount, CheckedFields, Positive, Rate
from reeltag.core.console import say, track
from reeltag.core.files import check_new_path, whole_folder, write_json
from reeltag.data.items import VideoSet
from reeltag.data.loader import Loader
from reeltag.data.sampling import FrameChoice
from reeltag.models.frame_logistic import Config, FrameLogistic
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import Recipe
from reeltag.training.run_folder import describe

MOST_BYTES = 2 << 30  # of the frames in memory; of more every second, third, ... is taken
_FIRST_BIAS = -3.0  # of each class: it is in one of 20 frames
_SMALLEST_DEVIATION = 1e-6
_NAMED = 3  # classes
YES = 0.5  # a rating above it
_SMALLEST = 1e-12  # of a sum whose logarithm is taken


@dataclass(frozen=True, kw_only=True)
class FrameRegressionConfig(CheckedFields):
    """How the regression is fitted; the defaults were chosen on films (docs/own-videos.md)."""

    l2: Amount = 5e-4
    """Weight of the sum of squared weights of balanced features."""
    unlisted_weight: Amount = 0.3
    """How much it counts that a label is not listed, but for rated classes that no video lists."""
    rated_weight: Amount = 1.0
    """How much the ratings count next to the labels of the videos."""
    steps: Positive = 250
    """Steps of Adam."""
    learning_rate: Rate = 0.3
    """Of Adam."""


class _Frames(NamedTuple):
    """Frames of items, one after the other.

    Attributes:
        values: (N, D) prepared features.
        owner: (N,) number of the item of each.
    """

    values: Tensor
    owner: Tensor


class _Ratings(NamedTuple):
    """Q ratings, and the R frames of their windows.

    Attributes:
        frames: of the windows.
        windows: (Q,) number of the window of each rating.
        classes: (Q,) its class.
        values: (Q,) in [0, 1].
    """

    frames: _Frames
    windows: Tensor
    classes: Tensor
    values: Tensor


def fit_frame_regression(
    videos: VideoSet,
    out: Path,
    model: Config,
    recipe: Recipe,
    config: FrameRegressionConfig,
    *,
    windows: VideoSet | None = None,
) -> None:
    """Fit the regression into the new run folder `out`.

    Args:
        videos: whole videos to learn from, with their labels.
        out: the run folder to make.
        model: classes and widths are taken from the videos.
        recipe: by which the videos were chosen; the run folder keeps it.
        config: how.
        windows: rated windows to learn from, with the same streams; None = no ratings.

    Raises:
        OutputError: `out` exists or cannot be written.
        DataError: frames cannot be read.
    """
    check_new_path(out)
    streams = tuple((stream.name, stream.width) for stream in videos.streams)
    dims = tuple(width for _, width in streams)
    sizes = dataclasses.replace(model, dims=dims, num_classes=videos.num_classes)
    classes = videos.dataset.classes.names
    tagger = Tagger(sizes, streams, classes, features=videos.features)
    every, labels_VC = _read(tagger, videos, "reading frames"), _labels(videos)
    ratings = None if windows is None else _ratings(tagger, windows)
    labelled_C = labels_VC.any(dim=0)
    if ratings is not None:
        ratings = _learnable(ratings, labelled_C, classes)
    mean_D, scale_D = _balance(every.values, sizes.dims)
    for part in (every, *(() if ratings is None else (ratings.frames,))):
        part.values.sub_(mean_D).mul_(scale_D)
    weight_CD, bias_C, loss = _fit(every, labels_VC, ratings, config)
    _fold(tagger, weight_CD, bias_C, mean_D, scale_D)
    with whole_folder(out) as folder:
        tagger.save_classes(folder)
        tagger.features.save(folder)
        about = describe(tagger, videos, recipe)
        write_json(folder / "config.json", about | {"regression": dataclasses.asdict(config)})
        tagger.save_weights(folder)
        found = {"steps": config.steps, "loss": loss, "videos": len(videos), "run": str(out)}
        found |= {"ratings": 0 if ratings is None else len(ratings.values)}
        write_json(folder / "metrics.json", found)
    say(f"frame regression: {json.dumps(found)}")


def _read(tagger: Tagger, items: VideoSet, what: str) -> _Frames:
    """Return the prepared frames of items, in their order."""
    width = sum(width for _, width in tagger.streams)
    step = max(1, -(-int(items.length.sum()) * width * 4 // MOST_BYTES))
    choice = FrameChoice(how="all")
    loader = Loader(items, batch_size=16, frames=choice, shuffle="no", labels=False)
    parts, owners, number = [], [], 0
    for batch in track(loader, what, total=-(-len(items) // 16)):
        for frames, mask in zip(tagger.prepare(batch.frames, batch.mask), batch.mask, strict=True):
            taken = frames[mask][:: step if not items.segments else 1]
            parts.append(taken)
            owners.append(torch.full((len(taken),), number))
            number += 1
    return _Frames(torch.cat(parts), torch.cat(owners))


def _labels(items: VideoSet) -> Tensor:
    """Return the labels (V, C) of whole videos."""
    labels_VC = torch.zeros(len(items), items.num_classes)
    if items.targets is not None:
        rows = torch.tensor(items.targets.row_of_entry())
        classes = torch.tensor(items.targets.classes).long()
        labels_VC[rows, classes] = torch.tensor(items.targets.entry_values())
    return labels_VC


def _ratings(tagger: Tagger, windows: VideoSet) -> _Ratings:
    """Return the ratings of windows, and their frames."""
    assert windows.targets is not None  # rated windows have ratings
    return _Ratings(
        _read(tagger, windows, "reading rated windows"),
        torch.tensor(windows.targets.row_of_entry()),
        torch.tensor(windows.targets.classes).long(),
        torch.tensor(windows.targets.entry_values()),
    )


def _learnable(ratings: _Ratings, labelled_C: Tensor, classes: tuple[str, ...]) -> _Ratings | None:
    """Return the ratings but those of unlabelled classes that are all yes or all no; log these.

    Args:
        ratings: Q of them.
        labelled_C: (C,) which classes some video is labelled with.
        classes: C names.

    Returns:
        None where no rating is left.
    """
    yes = ratings.values > YES
    yes_C, no_C = (torch.zeros(len(classes), dtype=torch.bool) for _ in range(2))
    yes_C[ratings.classes[yes]] = True
    no_C[ratings.classes[~yes]] = True
    lost_C = (yes_C ^ no_C) & ~labelled_C
    if not lost_C.any():
        return ratings
    names = [classes[at] for at in lost_C.nonzero().flatten().tolist()]
    shown = ", ".join(names[:_NAMED]) + ", ..." * (len(names) > _NAMED)
    are = (
        "1 class without labels is"
        if len(names) == 1
        else f"{len(names):,} classes without labels are"
    )
    say(f"{are} rated all yes or all no: {shown}")
    kept = ~lost_C[ratings.classes]
    if not kept.any():
        return None
    return ratings._replace(
        windows=ratings.windows[kept], classes=ratings.classes[kept], values=ratings.values[kept]
    )


def _balance(frames_ND: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return the mean (D,), and the scale (D,) that gives each stream a mean square norm of 1."""
    mean_D = frames_ND.mean(dim=0)
    deviation_D = frames_ND.std(dim=0, correction=0)
    widths_D = torch.cat([torch.full((width,), float(width)) for width in dims])
    scale_D = torch.where(
        deviation_D > _SMALLEST_DEVIATION,
        1 / (deviation_D.clamp(min=_SMALLEST_DEVIATION) * widths_D.sqrt()),
        0.0,  # of what is constant nothing can be learned
    )
    return mean_D, scale_D


def _fit(
    every: _Frames, labels_VC: Tensor, ratings: _Ratings | None, config: FrameRegressionConfig
) -> tuple[Tensor, Tensor, float]:
    """Return weights (C, D), biases (C,) of balanced features, and the last loss."""
    num_videos, num_classes = labels_VC.shape
    weight_CD = torch.zeros(num_classes, every.values.shape[1], requires_grad=True)
    bias_C = torch.full((num_classes,), _FIRST_BIAS, requires_grad=True)
    optimiser = torch.optim.Adam([weight_CD, bias_C], lr=config.learning_rate)
    weights_VC = torch.where(labels_VC > 0, 1.0, config.unlisted_weight)
    if ratings is not None:
        rated_C = torch.bincount(ratings.classes, minlength=num_classes) > 0
        weights_VC[:, rated_C & ~labels_VC.any(dim=0)] = 0.0
    loss = torch.zeros(())
    for _ in track(range(config.steps), "fitting", total=config.steps):
        logits_NC = F.linear(every.values, weight_CD, bias_C)
        pooled_VC = _pooled(logits_NC, every.owner, num_videos)
        losses_VC = F.binary_cross_entropy_with_logits(pooled_VC, labels_VC, reduction="none")
        loss = (losses_VC * weights_VC).sum() / num_videos
        if ratings is not None:
            loss = loss + config.rated_weight * num_classes * _rated_loss(
                ratings, weight_CD, bias_C
            )
        loss = loss + config.l2 * weight_CD.square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return weight_CD.detach(), bias_C.detach(), float(loss.detach())


def _pooled(logits_NC: Tensor, owner_N: Tensor, num_videos: int) -> Tensor:
    """Return the logits (V, C) of each video, as the model pools them (`linear_softmax`)."""
    prob_NC = logits_NC.sigmoid()
    none_VC = torch.full((num_videos, logits_NC.shape[1]), _SMALLEST)
    there = none_VC.index_add(0, owner_N, prob_NC.square())
    return there.log() - none_VC.index_add(0, owner_N, prob_NC * (1 - prob_NC)).log()


def _rated_loss(ratings: _Ratings, weight_CD: Tensor, bias_C: Tensor) -> Tensor:
    """Return the mean cross-entropy of ratings and the mean logits of their windows."""
    frames_RD, owner_R = ratings.frames
    count = int(owner_R[-1]) + 1
    logits_WC = torch.zeros(count, len(bias_C)).index_add(
        0, owner_R, F.linear(frames_RD, weight_CD, bias_C)
    )
    logits_WC = logits_WC / torch.bincount(owner_R, minlength=count).unsqueeze(1)
    logits_Q = logits_WC[ratings.windows, ratings.classes]
    return F.binary_cross_entropy_with_logits(logits_Q, ratings.values)


def _fold(
    tagger: Tagger, weight_CD: Tensor, bias_C: Tensor, mean_D: Tensor, scale_D: Tensor
) -> None:
    """Give a tagger the weights for features as they are."""
    assert isinstance(tagger.model, FrameLogistic)
    scaled_CD = weight_CD * scale_D
    with torch.no_grad():
        tagger.model.head.linear.weight.copy_(scaled_CD)
        tagger.model.head.linear.bias.copy_(bias_C - scaled_CD @ mean_D)
