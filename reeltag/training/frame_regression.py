"""Fit `frame_logistic` on labels of whole videos and on ratings at once: for few videos.

    loss = 1 / V * sum over videos v and classes c of w_vc * H(pooled logit of v for c, label_vc)
         + rated_weight * C / Q * sum over ratings q of H(mean logit of the window of q, rating q)
         + l2 * sum of squared weights
    w_vc = b_vc / mean of b_c over the videos that list c                        where v lists c
         = unlisted_weight * b_vc / mean of b_c over the videos that do not      elsewhere
         = 0                                           where no video lists c, and c is rated
    b_vc = max(p_vc, least_belief) where v lists c, else 1 - p_vc

H is the binary cross-entropy in nats; the loss is nats per video. Labels of whole videos are noisy:
what a video does not list counts by `unlisted_weight` alone, and of a class that no video lists,
such as one that a person has just made, nothing is known but its ratings. p_vc is how probable
class c is in video v by a regression of other videos: the videos are divided into `folds` folds
with the same fraction of every class, and the probabilities of each come from a regression of the
other folds, with all b = 1. So a label that nothing else speaks for counts little, and others more:
the sum of the weights of a class stays. (Held-out probabilities tell which labels are wrong in
Northcutt, Jiang, Chuang 2021, arXiv:1911.00068; there the worst are removed.) Of a class that fewer
videos list than there are folds all b are 1.

A rating is of all frames of its window, whose mean logit is compared with it. The weights of the
penalty are those of balanced features (`reeltag.training.balancing`); all of that is folded into
the weights in the end. The model's own penalty, `Config.l2`, is that of `reeltag train` and in no
term here. All frames are in memory, and each step sees all of them: nothing but the folds is
random, and they have one seed.

Shape letters: N frames of all videos, V videos, Q ratings, R frames of rated windows, D feature
size, C classes.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from reeltag.core.bounds import Amount, CheckedFields, Positive, Rate
from reeltag.core.console import say, track
from reeltag.core.files import check_new_path, whole_folder, write_json
from reeltag.data.items import VideoSet
from reeltag.data.loader import Loader
from reeltag.data.origin import origin_of
from reeltag.data.sampling import FrameChoice
from reeltag.labels.folds import stratified_folds
from reeltag.labels.random_keys import id_keys
from reeltag.models.frame_logistic import Config, FrameLogistic
from reeltag.tagger.tagger import Tagger
from reeltag.training.balancing import Balance
from reeltag.training.config import Recipe
from reeltag.training.run_folder import describe

REGRESSION = "regression"  # entry of config.json: how it was fitted
MOST_BYTES = 2 << 30  # of the frames in memory; of more every second, third, ... is taken
_FIRST_BIAS = -3.0  # of each class: it is in one of 20 frames
_NAMED = 3  # classes
YES = 0.5  # a rating above it
_SMALLEST = 1e-12  # of a sum whose logarithm is taken


@dataclass(frozen=True, kw_only=True)
class FrameRegressionConfig(CheckedFields):
    """How the regression is fitted; the defaults were chosen on films (docs/results/moments.md)."""

    l2: Amount = 5e-4
    """Weight of the sum of squared weights of balanced features."""
    unlisted_weight: Amount = 0.3
    """How much it counts that a label is not listed, but for rated classes that no video lists."""
    folds: Positive = 5
    """Folds of the videos: the others weigh the labels of each. 1: all labels count alike."""
    least_belief: Rate = 0.05
    """How probable a listed label is at least, whatever the other videos say."""
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
        videos: (Q,) number of its video; -1 = none of those with labels.
        classes: (Q,) its class.
        values: (Q,) in [0, 1].
    """

    frames: _Frames
    windows: Tensor
    videos: Tensor
    classes: Tensor
    values: Tensor

    def some(self, kept_Q: Tensor) -> "_Ratings | None":
        """Return some of the ratings; None where none is left."""
        if not kept_Q.any():
            return None
        return _Ratings(self.frames, *(of[kept_Q] for of in self[1:]))


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
    ratings = None if windows is None else _ratings(tagger, windows, videos)
    labelled_C = labels_VC.any(dim=0)
    if ratings is not None:
        ratings = _learnable(ratings, labelled_C, classes)
    balance = Balance.of(every.values, sizes.dims)
    for part in (every, *(() if ratings is None else (ratings.frames,))):
        balance.apply_(part.values)
    weights_VC = _label_weights(every, labels_VC, ratings, config, _folds(videos, config.folds))
    weight_CD, bias_C, loss = _fit(every, labels_VC, weights_VC, ratings, config)
    _set_weights(tagger, *balance.fold(weight_CD, bias_C))
    with whole_folder(out) as folder:
        tagger.save_classes(folder)
        tagger.features.save(folder)
        about = describe(tagger, videos, recipe)
        write_json(folder / "config.json", about | {REGRESSION: dataclasses.asdict(config)})
        tagger.save_weights(folder)
        found = {"steps": config.steps, "loss": loss, "videos": len(videos), "run": str(out)}
        found |= {"ratings": 0 if ratings is None else len(ratings.values)}
        write_json(folder / "metrics.json", found)
    say(
        f"frame regression: {config.steps:,} steps over {len(videos):,} videos and "
        f"{found['ratings']:,} ratings, loss {loss:.3f}"
    )


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


def _ratings(tagger: Tagger, windows: VideoSet, videos: VideoSet) -> _Ratings:
    """Return the ratings of windows, and their frames."""
    assert windows.targets is not None  # rated windows have ratings
    rows = windows.targets.row_of_entry()
    number = {name: at for at, name in enumerate(videos.ids(np.arange(len(videos))))}
    names = windows.ids(np.arange(len(windows)))
    return _Ratings(
        _read(tagger, windows, "reading rated windows"),
        torch.tensor(rows),
        torch.tensor([number.get(names[row], -1) for row in rows.tolist()]),
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
    return ratings.some(~lost_C[ratings.classes])


def _folds(videos: VideoSet, count: int) -> Tensor:
    """Return (V,) the fold of each video; what `reeltag augment` made of one is in its fold."""
    if count < 2 or videos.targets is None:
        return torch.zeros(len(videos), dtype=torch.int16)
    sources = [origin_of(name).source for name in videos.ids(np.arange(len(videos)))]
    keys = id_keys(sources, 0, "folds of the frame regression")
    return torch.from_numpy(stratified_folds(keys, videos.targets, videos.num_classes, count, 0))


def _label_weights(
    every: _Frames,
    labels_VC: Tensor,
    ratings: _Ratings | None,
    config: FrameRegressionConfig,
    fold_V: Tensor,
) -> Tensor:
    """Return how much each label, listed or not, counts (V, C); see the module docstring."""
    plain_VC = torch.where(labels_VC > 0, 1.0, config.unlisted_weight)
    if ratings is not None:
        rated_C = torch.bincount(ratings.classes, minlength=labels_VC.shape[1]) > 0
        plain_VC[:, rated_C & ~labels_VC.any(dim=0)] = 0.0
    weighed_C = labels_VC.sum(dim=0) >= config.folds
    if config.folds < 2 or not weighed_C.any():
        return plain_VC
    prob_VC = torch.zeros_like(labels_VC)
    for fold in range(config.folds):
        is_learned_V = fold_V != fold
        weights_VC = plain_VC * (is_learned_V / is_learned_V.float().mean()).unsqueeze(1)
        others = ratings
        if ratings is not None:
            others = ratings.some((ratings.videos < 0) | is_learned_V[ratings.videos])
        weight_CD, bias_C, _ = _fit(every, labels_VC, weights_VC, others, config)
        logits_NC = F.linear(every.values, weight_CD, bias_C)
        pooled_VC = _pooled(logits_NC, every.owner, len(labels_VC))
        prob_VC[~is_learned_V] = pooled_VC[~is_learned_V].sigmoid()
    believed_VC = torch.where(labels_VC > 0, prob_VC.clamp(min=config.least_belief), 1 - prob_VC)
    weighed_VC = plain_VC * believed_VC
    for is_kind_VC in (labels_VC > 0, labels_VC <= 0):
        mean_C = (believed_VC * is_kind_VC).sum(dim=0) / is_kind_VC.sum(dim=0).clamp(min=1)
        weighed_VC = torch.where(is_kind_VC, weighed_VC / mean_C.clamp(min=_SMALLEST), weighed_VC)
    return torch.where(weighed_C, weighed_VC, plain_VC)


def _fit(
    every: _Frames,
    labels_VC: Tensor,
    weights_VC: Tensor,
    ratings: _Ratings | None,
    config: FrameRegressionConfig,
) -> tuple[Tensor, Tensor, float]:
    """Return weights (C, D), biases (C,) of balanced features, and the last loss."""
    num_videos, num_classes = labels_VC.shape
    weight_CD = torch.zeros(num_classes, every.values.shape[1], requires_grad=True)
    bias_C = torch.full((num_classes,), _FIRST_BIAS, requires_grad=True)
    optimiser = torch.optim.Adam([weight_CD, bias_C], lr=config.learning_rate)
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


def _set_weights(tagger: Tagger, weight_CD: Tensor, bias_C: Tensor) -> None:
    assert isinstance(tagger.model, FrameLogistic)
    with torch.no_grad():
        tagger.model.head.linear.weight.copy_(weight_CD)
        tagger.model.head.linear.bias.copy_(bias_C)
