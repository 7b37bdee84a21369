"""What computes curves: a finder's windows, or the classes that an encoder has of its own.

Letters in shapes: C classes, S steps of a video, T frames, K classes of an encoder.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.core.probability import prob_logits
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.features import StreamFeatures
from reeltag.data.importing.quantise import present_frames
from reeltag.data.loading.stored_frames import StoredFrames
from reeltag.data.selection import column_of
from reeltag.encoders.base import Encoder, Float32
from reeltag.inference.moments import score_windows
from reeltag.library.labelling.from_encoder import encoders_of, log_probabilities
from reeltag.predictions.interval_rows import ScoredWindows, windows_by_video
from reeltag.predictions.intervals import IntervalConfig, video_curve
from reeltag.tagger.tagger import AnyTagger
from reeltag.tagger.thresholds import Thresholds

_SMOOTH_S = 3.0  # what an encoder sees in one frame flickers


class CurveSource(Protocol):
    """Computes curves.

    Attributes:
        basis: what it is.
        classes: C names.
        config: windows and smoothing.
        thresholds: of the classes; None = there are none.
    """

    basis: Literal["finder", "encoder"]
    classes: tuple[str, ...]
    config: IntervalConfig
    thresholds: Thresholds | None

    def curves(self, rows: NDArray[np.int64]) -> Iterator[tuple[str, Float32]]:
        """Yield the id and the curve (S, C) of videos: probabilities, -inf without a window.

        Args:
            rows: of the data's table, ascending.
        """


class FinderCurves:
    """Curves of a tagger, of windows as `reeltag moments` lays them.

    Args:
        tagger: in eval mode.
        data: whose features are those of the tagger; its classes may be others.
        config: windows.
    """

    basis: Literal["finder", "encoder"] = "finder"

    def __init__(self, tagger: AnyTagger, data: Dataset, config: IntervalConfig) -> None:
        self._tagger, self.config = tagger, config
        self._data = dataclasses.replace(data, classes=ClassList(tagger.class_names))
        self.classes = _names(tagger.class_names, data.classes)
        found = tagger.thresholds
        self.thresholds = None if found is None else found.renamed(self.classes)

    def curves(self, rows: NDArray[np.int64]) -> Iterator[tuple[str, Float32]]:
        """Yield the id and the curve (S, C) of videos."""
        wanted = np.zeros(len(self._data), bool)
        wanted[rows] = True
        if not len(rows):
            return
        windows = score_windows(
            self._tagger, self._data, self.config, split="all", rows=wanted, batch_size=16
        )
        for video in windows_by_video(windows):
            yield video.ids[0].as_py(), video_curve(video, self.config)


class EncoderCurves:
    """Curves of the classes that encoders have of their own: ImageNet's, AudioSet's.

    Words for several classes of an encoder, as "dog" for 118 of ImageNet's, are classes too.

    Args:
        data: with features of such encoders.

    Raises:
        ConfigError: no encoder of the data is known, or has classes.
        DataError: the encoder here is another than the one that computed the features.
    """

    basis: Literal["finder", "encoder"] = "encoder"
    thresholds: Thresholds | None = None

    def __init__(self, data: Dataset) -> None:
        if data.kind == "video":
            raise ConfigError("holds one vector per video, in which there are no moments")
        found = [(stream, of) for stream, of in encoders_of(data) if of.class_names]
        if not found:
            raise ConfigError(f"no encoder of {data.path} has classes of its own")
        self._data = data
        names = [name for _, encoder in found for name in encoder_classes(encoder)]
        self.classes = tuple(dict.fromkeys(names))
        places = {name: at for at, name in enumerate(self.classes)}
        self._parts = [_EncoderPart(data, *of, places) for of in found]
        hop = max(1.0, 1 / data.features.rate_hz)
        self.config = IntervalConfig(length_s=hop, hop_s=hop, smooth_s=_SMOOTH_S)

    def curves(self, rows: NDArray[np.int64]) -> Iterator[tuple[str, Float32]]:
        """Yield the id and the curve (S, C) of videos."""
        ids, rate = self._data.table["id"], self._data.features.rate_hz
        for row in rows.tolist():
            video = ids[row].as_py()
            length = int(self._data.table["frames"][row].as_py())
            probs_TC = np.zeros((length, len(self.classes)), np.float32)
            for part in self._parts:
                part.add(row, probs_TC)
            start = np.arange(length) / rate
            windows = ScoredWindows(
                ids=pa.array([video] * length, pa.string()),
                start_s=start,
                end_s=start + 1 / rate,
                logits=prob_logits(probs_TC).astype(np.float32),
            )
            yield video, video_curve(windows, self.config)


class _EncoderPart:
    """The classes of one stream's encoder.

    Args:
        data: with the stream.
        stream: of the data.
        encoder: of the stream.
        places: name -> column of the curves.
    """

    def __init__(
        self, data: Dataset, stream: StreamFeatures, encoder: Encoder, places: dict[str, int]
    ) -> None:
        self._stream, self._encoder = stream, encoder
        records = data.select("all", streams=(stream.name,))
        self._frames = StoredFrames(records)
        usable = np.flatnonzero(~column_of(data.table, "skip")).tolist()
        self._record = {row: at for at, row in enumerate(usable)}
        self._classes = encoder_classes(encoder)
        self._columns = np.array([places[name] for name in self._classes])

    def add(self, row: int, probs_TC: Float32) -> None:
        """Raise probabilities (T, C) of a video to those of this stream, where it has frames."""
        stored = self._frames.of(self._record[row], 0)
        there = np.flatnonzero(present_frames(stored, self._stream))
        if not len(there):
            return
        features = self._stream.dequantise(stored[there])
        probs_TK = np.exp(log_probabilities(self._encoder, features))
        wanted = probs_TC[np.ix_(there, self._columns)]
        for column, numbers in enumerate(self._classes.values()):
            mine = probs_TK[:, list(numbers)]
            joined = mine.sum(1) if self._encoder.one_class else mine.max(1)
            wanted[:, column] = np.maximum(wanted[:, column], np.minimum(joined, 1))
        probs_TC[np.ix_(there, self._columns)] = wanted


def encoder_classes(encoder: Encoder) -> dict[str, tuple[int, ...]]:
    """Return words for an encoder's classes -> their numbers: groups first, then each class.

    A class is called by the first of its synonyms, or by all where others are called that.

    Args:
        encoder: with classes of its own.
    """
    firsts = [name.partition(",")[0].strip() for name in encoder.class_names]
    times = dict[str, int]()
    for name in firsts:
        times[name.casefold()] = times.get(name.casefold(), 0) + 1
    found, known = dict[str, tuple[int, ...]](), set[str]()
    for words, numbers in encoder.class_groups.items():
        name = words.partition(",")[0].strip()
        found[name] = tuple(numbers)
        known.add(name.casefold())
    for number, (first, name) in enumerate(zip(firsts, encoder.class_names, strict=True)):
        chosen = name if times[first.casefold()] > 1 or first.casefold() in known else first
        if chosen.casefold() not in known:
            found[chosen] = (number,)
            known.add(chosen.casefold())
    return found


def _names(known: Sequence[str], classes: ClassList) -> tuple[str, ...]:
    """Return the names of a tagger's classes; those that are only numbered take the data's."""
    if len(classes) != len(known):
        return tuple(known)
    numbered = ClassList.numbered(len(known)).names
    return tuple(
        theirs if ours == number else ours
        for ours, theirs, number in zip(known, classes.names, numbered, strict=True)
    )
