"""Training items relabelled before training, as a `RelabelConfig` describes.

Of segments almost always one class is rated, and video labels are wrong and missing. What is done
about it here is done once, on the sparse targets, and never touches a frame; validation items are
never relabelled.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import say
from reeltag.core.errors import ConfigError
from reeltag.core.sparse import distinct, is_among
from reeltag.data.class_list import ClassList
from reeltag.data.items import VideoSet
from reeltag.data.selection import lists_of
from reeltag.labels.correlated import correlated
from reeltag.labels.correlation import Correlation
from reeltag.labels.corruption import corrupted
from reeltag.labels.targets import Targets
from reeltag.labels.weighting import mask_classes, reweighted, weak_negatives
from reeltag.training.relabel_config import RelabelConfig


def relabelled(
    items: VideoSet,
    config: RelabelConfig,
    *,
    soft: bool = False,
) -> VideoSet:
    """Return the training items relabelled; log on stderr what was done.

    Args:
        items: of the training split; with the default config they come back as they are.
        config: what is to be done.
        soft: these are segments with soft labels, which keep their weight. All else is done to
            the classes that have none.

    Raises:
        ConfigError: the options do not fit these items.
        DataError: a file cannot be read, or is of other classes.
    """
    if items.targets is None or config == RelabelConfig():
        return items
    _check_items(items, config)
    if soft:
        config = replace(config, rated_weight=1.0)
    targets, done = items.targets, list[str]()
    if config.noisy:
        targets, word = _with_noise(items, targets, config)
        done.append(word)
    if config.classes:
        targets = mask_classes(
            targets, ClassList.open(Path(config.classes)).mask(items.num_classes)
        )
    if config.weighs:
        targets, word = _weighed(items, targets, config, soft=soft)
        done.append(word)
    if config.correlation:
        targets, word = _correlated(items, targets, config)
        done.append(word)
    if done and int(os.environ.get("RANK", 0)) == 0:  # of several processes, the first one logs
        say(f"{'soft segments' if soft else 'labels'}: {'; '.join(done)}")
    return replace(items, targets=targets)


def _check_items(items: VideoSet, config: RelabelConfig) -> None:
    """Raise ConfigError for what means nothing for these items."""
    if not items.segments and (config.weighs or config.classes):
        name = next(
            name
            for name in ("weak_negatives", "unrated_weight", "rated_weight", "classes")
            if getattr(config, name) != getattr(RelabelConfig(), name)
        )
        raise ConfigError(
            f"labels.{name} is for rated segments, most of whose classes are not rated. Of a whole "
            "video every class counts as known: there is no unrated one to weigh, and to weigh the "
            "rated ones would be another learning rate",
            hint="Train with --items segments, or leave it out.",
        )
    if items.segments and config.noisy:
        raise ConfigError(
            "labels.noise_precision and labels.noise_recall worsen the labels of whole videos, and "
            "these items are segments, whose ratings are no list of labels",
            hint="Train with --items videos, or leave them at 1.",
        )
    weightless = not (config.unrated_weight or config.weak_negatives)
    if items.segments and config.correlation and weightless and config.correlation_weight is None:
        raise ConfigError(
            "labels.correlation adds targets to unrated classes, and those weigh 0",
            hint="Give --labels.unrated-weight 0.1 (as the paper) or --labels.correlation-weight.",
        )


def _with_noise(items: VideoSet, targets: Targets, config: RelabelConfig) -> tuple[Targets, str]:
    if targets.values is not None:
        raise ConfigError(
            "labels.noise_precision and labels.noise_recall worsen hard labels, and some of these "
            "are soft",
            hint="Leave the soft labels out, or make them of noisy ones.",
        )
    labels = lists_of(items.dataset.table, "labels")[1]  # of all records, so that those of a video
    frequencies = np.bincount(labels, minlength=items.num_classes)  # do not change with the split
    noisy = corrupted(
        targets,
        items.ids(np.arange(len(items))),
        frequencies,
        precision=config.noise_precision,
        recall=config.noise_recall,
        seed=config.noise_seed,
    )
    true = distinct(targets.cells(items.num_classes))
    there = distinct(noisy.cells(items.num_classes))
    stayed = int(is_among(there, true).sum())
    return noisy, (
        f"noise leaves {stayed:,} of {len(true):,} labels and adds {len(there) - stayed:,} wrong "
        "ones"
    )


def _weighed(
    items: VideoSet, targets: Targets, config: RelabelConfig, *, soft: bool
) -> tuple[Targets, str]:
    targets = reweighted(targets, rated=config.rated_weight, unrated=config.unrated_weight)
    number = items.num_classes if targets.class_mask is None else int(targets.class_mask.sum())
    rated = f"rated classes weigh {config.rated_weight:g}, "
    word = "soft labels keep their weight, " if soft else rated
    if not config.weak_negatives:
        word += f"unrated ones {config.unrated_weight:g}"
        return targets, word + (f" ({number:,} count)" if targets.class_mask is not None else "")
    of_video = Targets(*items.records.lists("labels")).take(items.video)
    targets = weak_negatives(targets, of_video, items.num_classes, alpha=config.weak_negatives)
    word += f"those of {number:,} that are no label of the video {config.weak_negatives:g} together"
    return targets, word


def _correlated(items: VideoSet, targets: Targets, config: RelabelConfig) -> tuple[Targets, str]:
    correlation = Correlation.load(Path(config.correlation))
    ClassList(correlation.names).check_same(
        items.dataset.classes,
        where=config.correlation,
        other_where=items.dataset.location,
        hint="Count it again on this data: `reeltag labels DATA --out P.parquet`.",
    )
    implications = correlation.implications(config.tau, min_videos=config.min_videos)
    after = correlated(
        targets,
        implications,
        mode=config.correlation_mode,
        share=config.correlation_share,
        weight=config.correlation_weight,
    )
    added = _num_positive(after) - _num_positive(targets)
    what = "segments" if items.segments else "videos"
    return after, (
        f"{added.sum():,} correlation targets added to {np.count_nonzero(added):,} {what} of "
        f"{len(items):,}"
        + ("" if len(implications.classes) else f" (none has P >= {config.tau:g})")
    )


def _num_positive(targets: Targets) -> NDArray[np.int64]:
    """Return (N,) how many classes of each item have a target above 0."""
    positive = targets.row_of_entry()[targets.entry_values() > 0]
    return np.bincount(positive, minlength=len(targets))
