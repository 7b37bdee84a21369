"""The label graph that a model is given before it is trained."""

import os
from pathlib import Path

import torch

from reeltag.core.console import say
from reeltag.core.sparse import SparseRows
from reeltag.data.class_list import ClassList
from reeltag.data.items import VideoSet
from reeltag.labels.cooccurrence import Cooccurrence, count_cooccurrence
from reeltag.labels.correlation import Correlation
from reeltag.models import KnowsCooccurrence
from reeltag.tagger.tagger import Tagger

_HINT = "Count it again on the data of the model: `reeltag labels DATA --out P.parquet`."


def set_label_graph(tagger: Tagger, items: VideoSet, file: str = "") -> None:
    """Give a model that needs it which classes appear together; leave other models alone.

    Args:
        tagger: whose model may be a `KnowsCooccurrence`.
        items: of the training split. Of whole videos their targets of 0.5 or more are counted, of
            segments (most of which are not rated for two classes) the labels of the videos that
            they are cut from; no frame is read.
        file: that `reeltag labels` wrote, to be taken instead; "" = count.

    Raises:
        DataError: the file cannot be read, or is of other classes.
    """
    if not isinstance(tagger.model, KnowsCooccurrence):
        return
    if file:
        known = Correlation.load(Path(file))
        model = ClassList(tagger.class_names)
        ClassList(known.names).check_same(model, where=file, other_where="the model", hint=_HINT)
        found, where = known.counts, f"{known.num_videos} videos of {known.source}"
    else:
        found = _counted(items, tagger.num_classes)
        where = f"{len(items.records)} training videos"
    tagger.model.set_cooccurrence(torch.from_numpy(found.dense()))
    if int(os.environ.get("RANK", 0)):  # of several processes, the first one logs
        return
    say(f"{len(found.first) // 2} pairs of classes appear together in {where}.")


def _counted(items: VideoSet, num_classes: int) -> Cooccurrence:
    if items.segments or items.targets is None:
        return count_cooccurrence(SparseRows(*items.records.lists("labels")), num_classes)
    targets = items.targets
    return count_cooccurrence(targets.keep(targets.entry_values() >= 0.5), num_classes)
