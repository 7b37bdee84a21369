"""Soft labels of a teacher: its predictions of the training data, as labels for a student.

Segments (OPPO 2019 sec. 3.2): of each video some are drawn, the teacher scores these alone, and its
probabilities of the video's own labels are kept as they are: no temperature, no threshold.
Whole videos (Axon, Samsung: docs/reference/departures.md): the best classes of each.

Letters in shapes: V videos, S segments drawn, B items of a batch, C classes.
"""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from reeltag.core.batch import FrameBatch
from reeltag.core.bounds import CheckedFields, NotNegative, Positive
from reeltag.core.console import say
from reeltag.core.errors import ConfigError
from reeltag.core.files import PathLike
from reeltag.core.probability import sigmoid
from reeltag.core.sparse import indptr_of
from reeltag.data.dataset import Dataset
from reeltag.data.items import SEGMENT_SECONDS, VideoSet, windows_of
from reeltag.data.loader import Loader, ReadConfig
from reeltag.data.splits import Split
from reeltag.inference.predict import check_fit, prediction_scoring, weights_digest
from reeltag.inference.scoring import InferenceConfig, Scorer, check_no_nan
from reeltag.inference.scoring_job import Scoring
from reeltag.inference.stream import Outcome, Output, PartRows
from reeltag.labels.random_keys import id_keys
from reeltag.labels.segment_sampling import draw_equal, draw_segments
from reeltag.labels.targets import Targets
from reeltag.predictions.file import PredictionInfo
from reeltag.predictions.rows import Kind, PredictionRows
from reeltag.soft_labels.storage import (
    NOT_DRAWN,
    SoftLabelInfo,
    SoftLabelRows,
    draw_keys,
    soft_label_writer,
)
from reeltag.tagger.tagger import Tagger


@dataclass(frozen=True, kw_only=True)
class TeacherConfig(CheckedFields):
    """What a teacher scores, and how."""

    videos: bool = False
    """Whole videos and their best classes, instead of segments and their video's labels."""
    top_k: Positive = 50
    """Whole videos: classes kept for each (Axon 50)."""
    per_label: Positive = 2
    """Segments drawn for each label of a video (OPPO 2)."""
    equal: NotNegative = 0
    """Keep only so many segments for each class, of those drawn for it (OPPO 1000); 0 keeps all."""
    keep_outside: bool = False
    """With --equal: also keep classes outside the list of --classes."""
    skip_head: NotNegative = 6
    """Segments at the head of a video that none is drawn from (the first 6 are never rated)."""
    skip_tail: NotNegative = 2
    """Segments at the tail, likewise (the last 2 are never rated), a partial one included."""
    seed: int = 0
    """Random seed of the draws."""
    batch_size: NotNegative = 0
    """Items scored at once; 0 = 64 videos or 512 segments. Results do not depend on it."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of the large products."""
    device: str = "auto"
    """cpu, cuda, cuda:1, ...; auto takes a GPU where there is one."""

    def check(self) -> None:
        """Raise ConfigError for options that exclude each other."""
        if self.videos and self.equal:
            raise ConfigError("--equal draws segments; leave it or --videos out")
        if self.keep_outside and not self.equal:
            raise ConfigError("--keep-outside has no effect without --equal")

    def scoring(self) -> InferenceConfig:
        """Return how batches are scored."""
        return InferenceConfig(
            videos=self.videos,
            segments=not self.videos,
            top_k=self.top_k,
            batch_size=self.batch_size or (64 if self.videos else 512),
            precision=self.precision,
            device=self.device,
        )


def write_soft_labels(
    tagger: Tagger,
    data: Dataset,
    out: Output | PathLike,
    choices: TeacherConfig,
    *,
    split: Split = "train",
    segment_classes: tuple[int, ...] = (),
    run: PathLike | None = None,
) -> Outcome:
    """Write the probabilities of the videos of a split, or of drawn segments of them, to `out`.

    A run that is killed leaves `<out>.parts`, and the same call goes on from there. Memory: some
    100 bytes of each video and 60 of each drawn segment; frames stay on the disk.

    Args:
        tagger: the teacher; put into eval mode and onto the device of `choices`.
        data: with the split.
        out: the file of soft labels to write, and how; a path is that of a new file.
        choices: what is scored, and how.
        split: which shards.
        segment_classes: the classes that draws of `choices.equal` are for; empty = all. They are
            written into the file, so that they hold for later draws too.
        run: the tagger's run folder, to be named in the file.

    Raises:
        ConfigError: tagger and data do not fit each other, the split is empty, no segment can be
            drawn, or an interrupted run had other settings.
        DataError: the data cannot be read, or a logit is not a number.
        OutputError: `out` exists, or the disk is full.
    """
    out = Output.of(out)
    out.check()
    return soft_label_scoring(
        tagger, data, choices, split=split, segment_classes=segment_classes, run=run
    ).write(out)


def soft_label_scoring(
    tagger: Tagger,
    data: Dataset,
    choices: TeacherConfig,
    *,
    split: Split = "train",
    segment_classes: tuple[int, ...] = (),
    run: PathLike | None = None,
) -> Scoring:
    """Return what `write_soft_labels` scores; arguments and errors as there."""
    beyond = [of for of in segment_classes if not 0 <= of < tagger.num_classes]
    if beyond:
        raise ConfigError(f"class {beyond[0]} is not one of the checkpoint's {tagger.num_classes}")
    about = SoftLabelInfo(
        class_names=tuple(tagger.class_names),
        segment_classes=segment_classes,
        teacher="" if run is None else str(Path(run).resolve()),
        data=data.whole_location,
        split=split,
        per_label=0 if choices.videos else choices.per_label,
        per_class=choices.equal,
        skip_head=choices.skip_head,
        skip_tail=choices.skip_tail,
        seed=choices.seed,
    )
    if choices.videos:
        return replace(
            prediction_scoring(tagger, data, choices.scoring(), split=split),
            finish=lambda parts, path: _write_rows(parts, "videos", path, about, None),
        )
    streams = tuple(name for name, _ in tagger.streams)
    check_fit(tagger, data, choices.scoring())
    chosen = chosen_segments(data, choices, split=split, streams=streams, classes=segment_classes)
    return _segment_scoring(tagger, chosen, choices, about)


def _segment_scoring(
    tagger: Tagger,
    chosen: tuple[VideoSet, NDArray[np.int32]],
    choices: TeacherConfig,
    about: SoftLabelInfo,
) -> Scoring:
    """Return how the segments that were chosen are scored."""
    items, drawn_for = chosen
    how = choices.scoring()
    places = hashlib.blake2b("\n".join(items.dataset.shards).encode(), digest_size=8)
    for array in (items.shard, items.offset, items.first, drawn_for):
        places.update(array.tobytes())
    return Scoring(
        choices=how,
        scorer=lambda: _LabelScorer(tagger, tagger.num_classes, how),
        read=lambda first, stop: _segment_loader(items, how, first, stop),
        starts=lambda: _segment_loader(items, how, 0, len(items)).starts(),
        frames=items.length,
        about=PredictionInfo(num_classes=tagger.num_classes),
        settings={
            "precision": choices.precision,
            "device": how.device_name(),
            "batch_size": how.batch_size,
            "segments": places.hexdigest(),
            "classes": list(about.segment_classes) if choices.equal else [],
            "weights": weights_digest(tagger),
        },
        finish=lambda parts, path: _write_rows(parts, "segments", path, about, drawn_for),
        skipped=sum(items.skipped.values()),
        item_name="segments",
    )


def _segment_loader(items: VideoSet, how: InferenceConfig, first: int, stop: int) -> Loader:
    """Return a loader of the segments [first, stop)."""
    some = replace(
        items,
        video=items.video[first:stop],
        first=items.first[first:stop],
        length=items.length[first:stop],
        times=None if items.times is None else items.times[first:stop],
        targets=items.targets and items.targets.take(np.arange(first, stop)),
    )
    return Loader(
        some,
        batch_size=how.batch_size,
        reuse_buffers=True,
        reading=ReadConfig(pin=how.torch_device().type == "cuda"),
    )


def chosen_segments(
    data: Dataset,
    choices: TeacherConfig,
    *,
    split: Split = "train",
    streams: tuple[str, ...] | None = None,
    classes: Collection[int] = (),
) -> tuple[VideoSet, NDArray[np.int32]]:
    """Return the segments that are drawn, with their videos' labels, and (S,) for which label.

    Only whole segments [0, 5), [5, 10), ... are drawn. What is drawn for a video depends on its id,
    its labels and the seed. (Of records with the same id only the first is usable at all.)
    ConfigError where the split is empty, or no segment can be drawn.
    """
    records = data.select(split, streams=streams)
    ids = records.table["id"].combine_chunks()
    keys = id_keys(ids.to_pylist(), choices.seed, "soft segments")
    seconds = np.floor(records.column("frames") / data.features.rate_hz).astype(np.int64)
    end = np.minimum(seconds // SEGMENT_SECONDS, -(-seconds // SEGMENT_SECONDS) - choices.skip_tail)
    num_segments = np.maximum(end - choices.skip_head, 0)
    targets = Targets(*records.lists("labels"))
    drawn = draw_segments(keys, num_segments, targets, choices.per_label)
    if not len(drawn.video):
        raise ConfigError(
            f"no segment can be drawn from the {len(records):,} videos of the split {split!r}: "
            f"{(targets.counts() == 0).sum():,} have no label, {(num_segments == 0).sum():,} no "
            f"segment but the first {choices.skip_head} and the last {choices.skip_tail}",
            where=data.location,
            hint="Draw from the whole of short videos: --skip-head 0 --skip-tail 0.",
        )
    start = ((drawn.segment + choices.skip_head) * SEGMENT_SECONDS).astype(np.float64)
    video, drawn_for = drawn.video, drawn.drawn_for
    if choices.equal:
        allowed = () if choices.keep_outside else classes
        equal_keys = draw_keys(ids.take(pa.array(video)), start, choices.seed)
        picked = draw_equal(drawn_for, equal_keys, choices.equal, allowed)
        video, start, drawn_for = video[picked], start[picked], drawn_for[picked]
        if not len(video):
            raise ConfigError(
                f"no segment is drawn for any of the {len(allowed)} classes of the list: none of "
                f"them is a label of the split {split!r}",
                where=data.location,
                hint="Give another list with --classes, or add --keep-outside.",
            )
        if allowed:
            targets = targets.keep(np.isin(targets.classes, list(allowed)))
    rated = np.diff(records.lists("segment_starts")[0]) > 0
    _log_drawn(num_segments, targets.counts(), rated, video)
    times = np.stack([start, start + SEGMENT_SECONDS], axis=1)
    return windows_of(records, video, times, targets.take(video)), drawn_for


def _log_drawn(
    num_segments: NDArray[np.int64],
    num_labels: NDArray[np.int64],
    rated: NDArray[np.bool_],
    video: NDArray[np.int64],
) -> None:
    """Log how many segments were drawn, why none of some videos, and how many of them are rated.

    A teacher of rated segments has been trained on the split that it calls `train`; soft labels of
    those same videos are rarely what is meant.
    """
    drawn = np.unique(video)
    say(f"{len(video):,} segments of {len(drawn):,} of {len(rated):,} videos are drawn")
    for number, what in (
        ((num_labels == 0).sum(), "have no label"),
        ((num_segments == 0).sum(), "are too short to draw from"),
        (
            rated[drawn].sum(),
            "of those drawn from have rated segments already (--train GLOB names other shards)",
        ),
    ):
        if number:
            say(f"{number:,} videos {what}")


class _LabelScorer(Scorer):
    """Scores segments for the labels in their batch."""

    def score_parts(
        self, batch: FrameBatch, floors: NDArray[np.float32] | None = None
    ) -> Iterator[tuple[None, PredictionRows]]:
        """Yield the logits of each segment's labels; nothing is limited, so `floors` is None.

        DataError where a logit is not a number.
        """
        batch = batch.to(self.device)
        assert batch.labels is not None and batch.times is not None
        with torch.inference_mode(), self.autocast():
            logits_BC = self.tagger(batch.frames, batch.mask).float()
        check_no_nan(logits_BC, batch, batch.ids)
        row, classes = (batch.labels > 0).nonzero(as_tuple=True)
        counts = torch.bincount(row, minlength=len(batch)).cpu().numpy()
        yield (
            None,
            PredictionRows(
                indptr_of(counts),
                classes.cpu().numpy().astype(np.int32),
                logits_BC[row, classes].cpu().numpy(),
                ids=pa.array(batch.ids, pa.string()),
                starts=batch.times[:, 0].cpu().numpy(),
                ends=batch.times[:, 1].cpu().numpy(),
            ),
        )


def _write_rows(
    parts: PartRows,
    kind: Kind,
    out: Path,
    about: SoftLabelInfo,
    drawn_for: NDArray[np.int32] | None,
) -> dict[Kind, int]:
    """Write the logits of all parts as probabilities, and return the number of rows."""
    written = 0
    with soft_label_writer(out, about) as writer:
        for rows in parts.rows(kind):
            here = slice(written, written + len(rows))
            writer.write(to_soft_labels(rows, None if drawn_for is None else drawn_for[here]))
            written += len(rows)
    return {kind: written}


def to_soft_labels(
    rows: PredictionRows, drawn_for: NDArray[np.int32] | None = None
) -> SoftLabelRows:
    """Return rows of logits as soft labels: their sigmoid."""
    return SoftLabelRows(
        rows.indptr,
        rows.classes,
        sigmoid(rows.scores).astype(np.float32),
        ids=rows.ids,
        starts=rows.starts,
        ends=rows.ends,
        drawn_for=np.full(len(rows), NOT_DRAWN, np.int32) if drawn_for is None else drawn_for,
    )
