"""What a model is told of the labels before it is trained."""

import os

import torch

from reeltag.core.console import say
from reeltag.data.dataset import VideoSet
from reeltag.labels.cooccurrence import count_cooccurrence
from reeltag.models import KnowsCooccurrence
from reeltag.models.tagger import Tagger


def tell_cooccurrence(tagger: Tagger, items: VideoSet) -> None:
    """Give a model that asks for it which classes appear together in the training split.

    Counted over the video-level labels of the records that `items` are cut from (also where the
    items are segments, most of which nobody rated for two classes); they are in the index, so no
    frame is read. Other models are left alone.
    """
    if not isinstance(tagger.model, KnowsCooccurrence):
        return
    found = count_cooccurrence(*items.records.lists("labels"), tagger.num_classes)
    tagger.model.set_cooccurrence(torch.from_numpy(found.dense()))
    if int(os.environ.get("RANK", 0)):  # of several processes, the first one speaks
        return
    say(
        f"{len(found.first) // 2} pairs of classes appear together "
        f"in {len(items.records)} training videos."
    )
