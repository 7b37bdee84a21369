"""What a model is told of the labels before it is trained: a graph over them, and vectors."""

import os
from pathlib import Path

import torch

from reeltag.core.console import say
from reeltag.core.errors import ConfigError
from reeltag.core.sparse import SparseRows
from reeltag.data.class_list import ClassList
from reeltag.data.items import VideoSet
from reeltag.labels.cooccurrence import Cooccurrence, count_cooccurrence
from reeltag.labels.correlation import Correlation
from reeltag.labels.vectors import LabelVectors
from reeltag.layers.graph import LABEL_STD
from reeltag.models import KnowsCooccurrence, KnowsLabelVectors, families
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import Recipe

_HINT = "Count it again on the data of the model: `reeltag labels DATA --out P.parquet`."


def set_label_inputs(tagger: Tagger, items: VideoSet, recipe: Recipe) -> None:
    """Give a model the graph and the vectors of its labels, as far as it has any.

    Args:
        tagger: that is to be trained.
        items: of the training split.
        recipe: names the files that they are taken from.

    Raises:
        ConfigError: a run to start from has them already.
        DataError, ConfigError: see `set_label_graph` and `set_label_vectors`.
    """
    labels = recipe.labels
    for name, file in (("graph", labels.graph), ("vectors", labels.vectors)):
        if file and recipe.init and not recipe.init.endswith(".safetensors"):
            raise ConfigError(
                f"labels.{name} has no effect: {recipe.init} has its own",
                hint=f"Leave out --labels.{name}, or train from the start without --init.",
            )
    set_label_graph(tagger, items, labels.graph)
    set_label_vectors(tagger, labels.vectors)


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


def set_label_vectors(tagger: Tagger, file: str) -> None:
    """Let the label vectors of a model begin as those of a file, if one is given.

    They are centred and scaled to the spread of random ones: what all names have in common says
    nothing, and what the layers above expect does not depend on who made the vectors.

    Args:
        tagger: whose model must be a `KnowsLabelVectors`.
        file: that `reeltag labels --vectors` wrote; "" = none.

    Raises:
        DataError: the file cannot be read, or is of other classes.
        ConfigError: the model has no label vectors, or of another size.
    """
    if not file:
        return
    if not isinstance(tagger.model, KnowsLabelVectors):
        able = [of.name for of in families() if isinstance(of.tiny.build(), KnowsLabelVectors)]
        raise ConfigError(
            f"labels.vectors is given, but {tagger.family} has no label vectors",
            hint=f"Leave it out, or take {', '.join(able)}.",
        )
    known = LabelVectors.load(Path(file))
    model = ClassList(tagger.class_names)
    hint = "Make it again of the classes of the model: `reeltag labels DATA --vectors V.parquet`."
    ClassList(known.names).check_same(model, where=file, other_where="the model", hint=hint)
    vectors_CV = known.standardised(LABEL_STD)
    try:
        tagger.model.set_label_vectors(torch.from_numpy(vectors_CV))
    except ValueError as error:
        raise ConfigError(
            f"{error}",
            where=file,
            hint="Give the model vectors of that size (of dbof_gcn: --model.label-size "
            f"{vectors_CV.shape[1]}).",
        ) from error
    if not int(os.environ.get("RANK", 0)):
        say(f"The label vectors begin as those of {file}, {vectors_CV.shape[1]} numbers each.")


def _counted(items: VideoSet, num_classes: int) -> Cooccurrence:
    if items.segments or items.targets is None:
        return count_cooccurrence(SparseRows(*items.records.lists("labels")), num_classes)
    targets = items.targets
    return count_cooccurrence(targets.keep(targets.entry_values() >= 0.5), num_classes)
