"""Scores of whole videos from elsewhere: another checkpoint, or its prediction file.

Letters in shapes: B videos, C classes, V videos of a file, P pairs of a video and a class.
"""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError, DataError
from reeltag.data.class_list import ClassList
from reeltag.predictions.file import open_predictions
from reeltag.predictions.rows import PredictionRows

_HINT = "Write one: reeltag predict VIDEO_RUN --data DATA --split S --top-k K --out V.parquet"


class VideoScores(Protocol):
    """Logits of whole videos."""

    def logits(self, batch: FrameBatch) -> Tensor:
        """Return (B, C) float32 on the batch's device; -inf where a class is no candidate.

        Called in inference mode, under the arithmetic of the segments.
        """


class ScoresOfTagger:
    """Scores by another checkpoint, of the same frames.

    Args:
        tagger: maps frames and mask to logits (B, C); put into eval mode.
        device: where it is put.
        max_frames: frames, from its beginning, that a video is scored by; 0 = all.
    """

    def __init__(self, tagger: nn.Module, device: torch.device, max_frames: int) -> None:
        self._tagger = tagger.to(device).eval()
        self._seen = slice(None, max_frames or None)

    def logits(self, batch: FrameBatch) -> Tensor:
        """Return (B, C)."""
        seen = self._seen
        logits_BC: Tensor = self._tagger(batch.frames[:, seen], batch.mask[:, seen])
        return logits_BC.float()


class ScoresOfFile:
    """Scores out of a prediction file; -inf for a class that a video's row does not list.

    Memory: 8 bytes for each class of a row, and some 150 of each video.

    Args:
        path: file of `reeltag predict`, with rows of whole videos.
        ids: the videos to be scored, each of which needs a row; others are not kept.
        num_classes: C.
        candidates: classes that are needed of a video.

    Raises:
        ConfigError: the file keeps fewer classes of a video than are needed.
        DataError: it cannot be read, is about other classes, or has not one row for each video.
    """

    def __init__(
        self, path: Path, ids: Collection[str], num_classes: int, candidates: int = 0
    ) -> None:
        file = open_predictions(path)
        about = file.info
        ClassList.numbered(about.num_classes).check_same(
            ClassList.numbered(num_classes), where=path, other_where="the checkpoint"
        )
        if 0 < about.top_k < min(candidates, num_classes):
            raise ConfigError(
                f"keeps the {about.top_k} best classes of a video, {candidates} are needed",
                where=path,
                hint=f"Give fewer --candidates, or predict again with --top-k {candidates}.",
            )
        if about.per_class and not about.segment_top_k:
            raise ConfigError(
                f"keeps only the {about.per_class:,} best videos of a class, so that the classes "
                "of a video are not all there",
                where=path,
                hint="Predict the videos again without --per-class.",
            )
        self._num_classes = num_classes
        wanted = set(ids)
        parts = []
        for rows in file.rows("videos"):
            mine = np.array([name in wanted for name in rows.ids.to_pylist()], np.bool_)
            if mine.any():
                parts.append(rows.where(mine))
        self._rows = PredictionRows.concatenate(parts)
        names = self._rows.ids.to_pylist()
        self._row = {name: row for row, name in enumerate(names)}
        if len(self._row) < len(names):
            raise DataError("has more than one row for a video", where=path)
        missing = [name for name in ids if name not in self._row]
        if missing:
            shown = ", ".join(map(repr, missing[:3])) + (", ..." if len(missing) > 3 else "")
            raise DataError(
                f"has no row for {len(missing):,} of the {len(ids):,} videos to be scored: {shown}",
                where=path,
                hint=_HINT,
            )

    def digest(self) -> str:
        """Return a hash of these scores."""
        content = hashlib.blake2b("\n".join(self._row).encode(), digest_size=8)
        for array in (self._rows.indptr, self._rows.classes, self._rows.scores):
            content.update(array.tobytes())
        return content.hexdigest()

    def logits(self, batch: FrameBatch) -> Tensor:
        """Return (B, C)."""
        rows = self._rows.take(np.array([self._row[name] for name in batch.ids], np.int64))
        logits_BC = rows.to_dense(self._num_classes, -np.inf)
        return torch.from_numpy(logits_BC).to(batch.frames.device)
