"""Steps that ask networks about whole videos: alone, by folds, under trees; and what they need.

    folds = [step(train, data, name=f"fcn-{k}", recipe=out_of(k)) for k in range(5)]
    said  = step(predict_folds, data, *folds, name="fcn", splits=splits, asking=Asking())
    step(score_videos, said, data, name="fcn", judges=parts.judges)              # scores.json
    trees = step(stack, data, *members, name="fleet", splits=splits, config=TreeConfig())
    soft  = step(soften_videos, trees / OUT_OF_FOLD, data, splits=splits)
    step(predict_videos, data, model, name="student", splits=splits, asking=Asking())

Each takes folders of other steps. What trains goes on where a killed call stopped, and so does one
network's prediction without `losses`; other predictions begin anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from reeltag.core.console import track
from reeltag.core.files import whole_file
from reeltag.data.dataset import Dataset
from reeltag.data.folding import held_out_rows
from reeltag.data.items import VideoSet
from reeltag.data.splits import Split, Splits
from reeltag.ensembling.alignment import align_predictions
from reeltag.ensembling.stacking import predict_trees, train_trees
from reeltag.ensembling.tree_config import TreeConfig
from reeltag.ensembling.trees import Trees
from reeltag.evaluation.truth import read_truth
from reeltag.inference.predict import check_fit, predict
from reeltag.inference.scoring import Choices
from reeltag.labels.folds import FoldConfig
from reeltag.layers.preprocessing import Preprocessing, PreprocessingConfig
from reeltag.papers.common.work.files import CROSS_ENTROPY, OUT_OF_FOLD, PREDICTIONS, RUN, SOFT
from reeltag.papers.common.work.scored import Answers, batches_of
from reeltag.papers.common.work.segments import device_named
from reeltag.pipeline.steps import step_function
from reeltag.predictions.file import PredictionInfo, open_predictions, prediction_writer
from reeltag.soft_labels.conversion import convert_predictions
from reeltag.tagger.tagger import Tagger
from reeltag.training.centroids import fit_centroids, sample_features

TREES = "trees"  # inside of what `stack` makes
TENSORS = "tensors.safetensors"  # inside of what `gather` and `fit_clusters` make
_FRAMES_A_CENTROID = 50


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How networks are asked about whole videos."""

    top_k: int = 100
    """Classes kept for a video; in a join, what is not kept has the probability 0."""
    batch_size: int = 256
    """Videos at once; results do not depend on it."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of the large products."""

    def choices(self, device: str) -> Choices:
        """Return the same as predictions take it."""
        return Choices(
            top_k=self.top_k,
            batch_size=self.batch_size,
            precision=self.precision,
            device=device_named(device),
        )


@step_function("predict_videos", version=1)
def predict_videos(
    out: Path,
    data: Path,
    *trained: Path,
    splits: Splits,
    asking: Asking,
    split: Split = "test",
    losses: bool = True,
    device: str = "auto",
) -> None:
    """Score the videos of a split by the mean probability of one or more networks.

    Args:
        out: of the step; gets `predictions.parquet`.
        data: the data folder.
        *trained: folders of `train` steps, of one family.
        splits: the rule that gives a shard its split.
        asking: how they are asked.
        split: which videos.
        losses: write the cross-entropy of each video too; without it, what one network was
            asked goes on where a killed call stopped.
        device: where it runs.
    """
    runs = [folder / RUN for folder in trained]
    taggers = [Tagger.load(run) for run in runs]
    choices, file = asking.choices(device), out / PREDICTIONS
    if len(runs) == 1 and not losses:
        if not file.exists():
            whole = Dataset.open(data, splits=splits)
            predict(taggers[0], whole, file, choices, split=split, run=runs[0])
        return
    items = _items(data, taggers[0], split, splits)
    answers = Answers(taggers, choices, judge=losses)
    about = replace(_about(taggers, data, asking, split), run=_only(runs))
    with prediction_writer(file, about) as writer:
        for batch in track(batches_of(items, answers), f"predicting {split}"):
            writer.write(answers.rows(batch))
    if losses:
        with whole_file(out / CROSS_ENTROPY) as part, part.open("wb") as opened:
            np.save(opened, answers.cross_entropy())


@step_function("predict_folds", version=1)
def predict_folds(
    out: Path,
    data: Path,
    *trained: Path,
    splits: Splits,
    asking: Asking,
    device: str = "auto",
) -> None:
    """Score each training video by the network that has not seen it, test videos by the mean.

    Args:
        out: of the step; gets `out_of_fold.parquet` beside what `predict_videos` writes.
        data: the data folder.
        *trained: folders of `train` steps; network k was trained without fold k.
        splits: the rule that gives a shard its split.
        asking: how they are asked.
        device: where it runs.
    """
    taggers = [Tagger.load(folder / RUN) for folder in trained]
    about = _about(taggers, data, asking, "train")
    if not (out / OUT_OF_FOLD).exists():
        with prediction_writer(out / OUT_OF_FOLD, about) as writer:
            for number, tagger in enumerate(taggers):
                fold = FoldConfig(count=len(trained), hold_out=number)
                answers = Answers([tagger], asking.choices(device), judge=False)
                items = _items(data, tagger, "train", splits, fold)
                for batch in track(batches_of(items, answers), f"predicting fold {number}"):
                    writer.write(answers.rows(batch))
    predict_videos(out, data, *trained, splits=splits, asking=asking, device=device)


@step_function("stack", version=1)
def stack(
    out: Path,
    data: Path,
    *members: Path,
    names: tuple[str, ...],
    splits: Splits,
    config: TreeConfig,
    threads: int = 0,
) -> None:
    """Grow trees over out-of-fold predictions, and ask them about training and test videos.

    Args:
        out: of the step; gets `trees`, `out_of_fold.parquet` and `predictions.parquet`.
        data: the data folder.
        *members: folders of `predict_folds` steps.
        names: of the members.
        splits: the rule that gives a shard its split.
        config: how the trees grow; the folds are those of the members.
        threads: of LightGBM; 0 = all cores. The trees do not depend on it.
    """
    files = [folder / OUT_OF_FOLD for folder in members]
    about = open_predictions(files[0]).info
    truth = read_truth(
        Dataset.open(data, splits=splits, quiet=True), "train", about.num_classes, quiet=True
    )
    kept = config.candidates
    if not (out / TREES).exists():
        blocks = partial(align_predictions, files, top_k=kept)
        train_trees(blocks, truth, out / TREES, replace(config, threads=threads), models=names)
    trees = Trees.load(out / TREES)
    for name, split in ((OUT_OF_FOLD, "train"), (PREDICTIONS, "test")):
        of = [folder / name for folder in members]
        said = PredictionInfo(
            num_classes=about.num_classes, family="lightgbm", data=about.data, split=split
        )
        predict_trees(align_predictions(of, top_k=kept), trees, out / name, said)


@step_function("soft_label_videos", version=1)
def soften_videos(
    out: Path, predictions: Path, data: Path, *, splits: Splits, top_k: int = 50
) -> None:
    """Write predictions of the training videos as soft labels: `soft.parquet`.

    Args:
        out: of the step.
        predictions: a prediction file, or the folder of a step with one.
        data: the data folder.
        splits: the rule that gives a shard its split.
        top_k: classes kept for each video.
    """
    file = predictions / PREDICTIONS if predictions.is_dir() else predictions
    convert_predictions(
        [file], Dataset.open(data, splits=splits), out / SOFT, top_k=top_k, overwrite=True
    )


@step_function("gather_tensors", version=1)
def gather(out: Path, *trained: Path, part: str, into: str) -> None:
    """Gather tensors of several networks under the names that they have in a larger one.

    Args:
        out: of the step; gets `tensors.safetensors`.
        *trained: folders of `train` steps.
        part: the beginning of the names that are taken: "model.net.towers".
        into: what it is in the larger one, with {} for the number of the network from 0:
            "nets.{}.towers".
    """
    tensors: dict[str, Tensor] = {}
    for number, folder in enumerate(trained):
        own = safetensors.torch.load_file(folder / RUN / "model.safetensors")
        for name, tensor in own.items():
            if name.startswith(f"{part}."):
                tensors[into.format(number) + name.removeprefix(part)] = tensor
    with whole_file(out / TENSORS) as file:
        safetensors.torch.save_file(tensors, file)


@step_function("fit_centroids", version=1)
def fit_clusters(
    out: Path, data: Path, *, preprocessing: PreprocessingConfig, clusters: int, splits: Splits
) -> None:
    """Fit centroids of the training videos' frames by k-means, as `reeltag centroids` does.

    Args:
        out: of the step; gets `tensors.safetensors`.
        data: the data folder.
        preprocessing: what the model that needs them does to stored frames first.
        clusters: how many.
        splits: the rule that gives a shard its split.
    """
    items = Dataset.open(data, splits=splits).videos("train")
    widths = tuple(stream.width for stream in items.streams)
    prepare = Preprocessing(preprocessing, widths)
    features = sample_features(items, prepare, _FRAMES_A_CENTROID * clusters, 0)
    centroids, _ = fit_centroids(features, clusters)
    with whole_file(out / TENSORS) as part:
        safetensors.torch.save_file({"centroids_KD": torch.from_numpy(centroids)}, part)


def _items(
    data: Path, tagger: Tagger, split: Split, splits: Splits, fold: FoldConfig | None = None
) -> VideoSet:
    """Return the videos of a split, or of a fold of the training split."""
    whole = Dataset.open(data, splits=splits)
    check_fit(tagger, whole, Choices())
    rows = None if fold is None else held_out_rows(whole, fold)
    streams = tuple(name for name, _ in tagger.streams)
    return whole.videos(split, streams=streams, rows=rows)


def _only(runs: Sequence[Path]) -> str:
    """Return the one run that made a file of predictions; empty where several did."""
    return str(runs[0].resolve()) if len(runs) == 1 else ""


def _about(taggers: Sequence[Tagger], data: Path, asking: Asking, split: Split) -> PredictionInfo:
    return PredictionInfo(
        num_classes=taggers[0].num_classes,
        top_k=min(asking.top_k, taggers[0].num_classes),
        family=taggers[0].family if len(taggers) == 1 else f"{len(taggers)} {taggers[0].family}",
        data=str(data.resolve()),
        split=split,
    )
