"""Predictions of a checkpoint for a split: whole videos, all segments, or both, in one pass."""

import dataclasses
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError
from reeltag.core.files import PathLike
from reeltag.data.blank_videos import BlankRule
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.items import VideoSet
from reeltag.data.splits import Split
from reeltag.inference.batches import VideoBatches, log_items
from reeltag.inference.scoring import InferenceConfig, Scorer
from reeltag.inference.scoring_job import Scoring
from reeltag.inference.stream import Outcome, Output
from reeltag.inference.video_scores import ScoresOfFile, ScoresOfTagger, VideoScores
from reeltag.predictions.file import PredictionInfo
from reeltag.tagger.tagger import AnyTagger

DEFAULT_CONFIG = InferenceConfig()


def predict(
    tagger: AnyTagger,
    data: Dataset,
    out: Output | PathLike,
    choices: InferenceConfig = DEFAULT_CONFIG,
    *,
    split: Split = "test",
    rows: NDArray[np.bool_] | None = None,
    run: PathLike | None = None,
    video_source: AnyTagger | PathLike | None = None,
) -> Outcome:
    """Score a split into the prediction file `out`; broken records are skipped and counted.

    Memory does not grow with the number of videos, but for some 100 bytes of each in the index
    and, with `choices.per_class`, 8 bytes * per_class per class. A run that is killed leaves
    `<out>.parts`, and the same call goes on from there.

    Args:
        tagger: put into eval mode and onto the device of `choices`.
        data: with the split.
        out: the file to write, and how; a path is that of a new file.
        choices: what is scored, and how.
        split: which shards.
        rows: (R,) rows of the data's table that are scored, of those of the split; None = all.
        run: the tagger's run folder, to be named in the file.
        video_source: source of candidates and fusion of segments: another checkpoint, or a
            prediction file of whole videos; None = `tagger` itself.

    Raises:
        ConfigError: tagger, video source and data do not fit each other, the split is empty, no
            segment is left to be scored, or an interrupted run had other settings.
        DataError: the data cannot be read, or a logit is not a number.
        OutputError: `out` exists, or the disk is full.
    """
    out = Output.of(out)
    out.check()
    return prediction_scoring(
        tagger, data, choices, split=split, rows=rows, run=run, video_source=video_source
    ).write(out)


def prediction_scoring(
    tagger: AnyTagger,
    data: Dataset,
    choices: InferenceConfig,
    *,
    split: Split = "test",
    rows: NDArray[np.bool_] | None = None,
    run: PathLike | None = None,
    video_source: AnyTagger | PathLike | None = None,
) -> Scoring:
    """Return what `predict` scores; arguments and errors as there, nothing is scored yet."""
    check_fit(tagger, data, choices)
    streams = tuple(name for name, _ in tagger.streams)
    items = data.videos(split, streams=streams, rows=rows)
    usable = data.rows(split)
    usable = usable if rows is None else usable[rows[usable]]
    check_long_enough(items, choices)
    log_items(items, choices)
    video_scores, source = video_scores_of(video_source, tagger, items, choices)
    std = choices.blank_std
    spread = not tagger.features.is_published
    blank = BlankRule.of(tagger.streams, std, data.path, spread=spread) if std else None
    rated = rated_windows(items) if choices.rated else None

    def scorer() -> Scorer:
        return Scorer(
            tagger, tagger.num_classes, choices, video_scores=video_scores, blank=blank, rated=rated
        )

    def read(first: int, stop: int) -> Iterable[FrameBatch]:
        some = (first, stop) != (0, len(items))
        part = data.videos("all", streams=streams, rows=usable[first:stop]) if some else items
        return VideoBatches(part, choices, pin=choices.torch_device().type == "cuda")

    return Scoring(
        choices=choices,
        scorer=scorer,
        read=read,
        starts=lambda: VideoBatches(items, choices).starts(),
        frames=items.length,
        about=_about(tagger, data, choices, split, run),
        settings={**_settings(tagger, data, usable, choices), **source},
        skipped=sum(items.skipped.values()),
    )


def check_fit(tagger: AnyTagger, data: Dataset, choices: InferenceConfig) -> None:
    """Check that a tagger can be used on these data, before any batch is read.

    ConfigError where the data lack a stream, or have no segments where they are to be scored;
    DataError where the classes differ.
    """
    check_features(tagger, data)
    data.classes.check_same(
        ClassList(tagger.class_names), where=data.location, other_where="the checkpoint"
    )
    if choices.segments and data.kind == "video":
        raise ConfigError(
            "holds one vector per video, which has no segments",
            where=data.location,
            hint="Segments need frame-level records; leave out --segments.",
        )


def check_features(tagger: AnyTagger, data: Dataset) -> None:
    """Raise ConfigError where data lack a stream of a tagger, DataError if they are of another."""
    there = {stream.name: stream.width for stream in data.streams}
    if any(there.get(name) != width for name, width in tagger.streams):
        raise ConfigError(
            f"the checkpoint was trained on the streams {_listed(dict(tagger.streams))}; the data "
            f"hold {_listed(there)}",
            where=data.location,
            hint="Predict on features of the same kind as those trained on.",
        )
    names = [name for name, _ in tagger.streams]
    data.features.of(names).check_same(
        tagger.features, where=data.location, other_where="the checkpoint"
    )


def rated_windows(items: VideoSet) -> dict[str, NDArray[np.float64]]:
    """Return the windows (n, 2) of each video that are rated, by its id, each once and ascending.

    ConfigError where nothing is rated.
    """
    records = items.records
    indptr, starts = records.lists("segment_starts")
    ends = records.lists("segment_ends")[1]
    if not len(starts):
        raise ConfigError(
            f"none of the {len(records):,} videos of the split {records.split!r} is rated",
            where=records.dataset.location,
            hint="Leave out --rated, or name a split that is rated with --split.",
        )
    times = np.stack([starts, ends], axis=1)
    names = records.table["id"].to_pylist()
    rated = np.flatnonzero(np.diff(indptr)).tolist()
    return {names[row]: np.unique(times[indptr[row] : indptr[row + 1]], axis=0) for row in rated}


def check_long_enough(items: VideoSet, choices: InferenceConfig) -> None:
    """Raise ConfigError where segments are to be scored and no video has one."""
    head, tail, rate = choices.policy.skip_head, choices.policy.skip_tail, items.features.rate_hz
    longest = int(items.length.max(initial=0))
    if choices.segments and not choices.rated and not choices.grid(rate).count(longest):
        raise ConfigError(
            f"none of the {len(items):,} videos has a segment but the first {head} and the last "
            f"{tail}: the longest lasts {longest / rate:g} s",
            where=items.dataset.location,
            hint="Score the whole of short videos: --skip-head 0 --skip-tail 0.",
        )


def video_scores_of(
    source: AnyTagger | PathLike | None,
    tagger: AnyTagger,
    items: VideoSet,
    choices: InferenceConfig,
) -> tuple[VideoScores | None, dict[str, str]]:
    """Return the source of candidates and fusion (None = `tagger` itself), and its hash.

    ConfigError where it does not fit the tagger, or nothing is scored that would need it; DataError
    where a prediction file cannot be read, or lacks a video.
    """
    if source is None:
        return None, {}
    if not (choices.segments and choices.policy.uses_videos):
        raise ConfigError(
            "scores of whole videos are given, and nothing uses them",
            hint="Use them, with --segments: --candidates 20, or --video-power 0.05 "
            "--segment-power 0.95.",
        )
    if isinstance(source, str | Path):
        ids = items.ids(np.arange(len(items)))
        of_file = ScoresOfFile(Path(source), ids, tagger.num_classes, choices.policy.candidates)
        return of_file, {"video_scores": of_file.digest()}
    if source.streams != tagger.streams:
        raise ConfigError(
            f"the video run reads the streams {_listed(dict(source.streams))}; the run itself "
            f"{_listed(dict(tagger.streams))}",
            hint="Write its predictions: `reeltag predict VIDEO_RUN --out V.parquet`, and "
            "give them with --video-predictions V.parquet.",
        )
    ClassList(source.class_names).check_same(
        ClassList(tagger.class_names), where="the video run", other_where="the run itself"
    )
    scores = ScoresOfTagger(source, choices.torch_device(), choices.most_frames(source.features))
    return scores, {"video_scores": weights_digest(source)}


def _about(
    tagger: AnyTagger, data: Dataset, choices: InferenceConfig, split: str, run: PathLike | None
) -> PredictionInfo:
    chosen = len(set(choices.segment_classes)) or tagger.num_classes
    return PredictionInfo(
        num_classes=tagger.num_classes,
        top_k=min(choices.top_k, tagger.num_classes) if choices.videos else 0,
        segment_top_k=min(choices.segment_top_k, chosen) if choices.segments else 0,
        per_class=choices.per_class,
        policy=str(choices.policy),
        blank_std=choices.blank_std,
        device=choices.device_name() + (" (onnxruntime)" if tagger.made_of else ""),
        batch_size=choices.batch_size,
        family=tagger.family,
        run="" if run is None else str(Path(run).resolve()),
        weights=weights_digest(tagger),
        data=data.whole_location,
        split=split,
    )


def _settings(
    tagger: AnyTagger, data: Dataset, rows: NDArray[np.int64], choices: InferenceConfig
) -> dict[str, Any]:
    """Return all that the bits of predictions depend on."""
    records = hashlib.blake2b("\n".join(data.shards).encode(), digest_size=8)
    for name in ("shard", "offset", "size"):
        records.update(data.table[name].to_numpy()[rows].tobytes())
    settings = dataclasses.asdict(choices)
    settings["device"] = choices.device_name()
    if tagger.made_of is not None:
        settings["runtime"] = "onnx"
    policy = settings.pop("policy")
    return {**settings, **policy, "weights": weights_digest(tagger), "records": records.hexdigest()}


def weights_digest(tagger: AnyTagger) -> str:
    """Return a hash of the weights; of a graph that scores for a run, of the run's."""
    if tagger.made_of is not None:
        return tagger.made_of
    weights = hashlib.blake2b(digest_size=8)
    for name, value in tagger.state_dict().items():
        weights.update(name.encode())
        weights.update(value.detach().cpu().contiguous().numpy().tobytes())
    return weights.hexdigest()


def _listed(streams: dict[str, int]) -> str:
    return ", ".join(f"{name} ({width})" for name, width in streams.items()) or "none"
