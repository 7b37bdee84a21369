"""Curves of all classes over all videos, kept on disk: what search and time lines read.

    FOLDER/meta.json                 what the curves are of; names the folder of the others
    FOLDER/TOKEN/logits.npy          (C, N) float16: a class lies in one piece
                 best.npy            (V, C) float16: the highest logit of each video
                 top.npy             (V, K) int32: the strongest classes, best first
                 videos.parquet      id, first, steps, seconds, stamp
                 thresholds.json     of the finder's classes, where it has some

A step is `hop_s` long. After the last step of each video is one at -inf, so that runs of
neighbouring videos do not touch. -inf is also where no window is.

Letters in shapes: V videos, C classes, N steps of all videos and one more of each, S steps of one
video, K strongest classes.
"""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reeltag.core.arrow_files import arrow_source
from reeltag.core.errors import DataError, reason_of
from reeltag.core.files import write_json
from reeltag.core.probability import sigmoid
from reeltag.data.dataset import Dataset
from reeltag.server.project.logit_file import Float16, LogitFile

META_FILE = "meta.json"
ENCODER = "encoder"  # the key of curves of an encoder's own classes
VERSION = 1
NUM_TOP = 5
_TAG_PROB = 0.1  # a class that is never as probable is not shown as a tag

Float32 = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class CurvesMeta:
    """What curves are of.

    Attributes:
        token: name of the folder with the arrays.
        key: of the finder, or `ENCODER`.
        basis: what computed them.
        classes: C names.
        hop_s: seconds of a step.
        length_s: seconds of a window.
        version: of the format.
    """

    token: str
    key: str
    basis: Literal["finder", "encoder"]
    classes: tuple[str, ...]
    hop_s: float
    length_s: float
    version: int = VERSION

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        write_json(folder / META_FILE, asdict(self))

    @classmethod
    def find(cls, folder: Path) -> "CurvesMeta | None":
        """Return what is in a folder; None = no curves, or those of another version."""
        try:
            found = json.loads((folder / META_FILE).read_text(encoding="utf-8"))
            meta = cls(**{**found, "classes": tuple(found["classes"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return meta if meta.version == VERSION else None


@dataclass(frozen=True, eq=False)
class CurveStore:
    """Curves as they are on disk, never written; made by `open`, for any number of threads.

    Attributes:
        meta: what they are of.
        ids: of V videos.
        first: (V,) first step.
        steps: (V,) how many steps.
        seconds: (V,) how long each video is.
        stamps: V texts by which it is noticed that a video's features have changed.
        logits: (C, N), read when they are asked for.
        best: (V, C).
        top: (V, K).
    """

    meta: CurvesMeta
    ids: tuple[str, ...]
    first: NDArray[np.int64]
    steps: NDArray[np.int64]
    seconds: NDArray[np.float64]
    stamps: tuple[str, ...]
    logits: LogitFile
    best: Float16
    top: NDArray[np.int32]

    @classmethod
    def open(cls, folder: Path) -> "CurveStore | None":
        """Return the curves in a folder; None = there are none.

        Args:
            folder: of a finder's curves.

        Raises:
            DataError: they are damaged.
        """
        for attempt in range(3):
            meta = CurvesMeta.find(folder)
            if meta is None or not meta.token:  # none, or nothing has classes
                return None
            try:
                return cls._read(folder / meta.token, meta)
            except (OSError, ValueError, KeyError, pa.ArrowException) as error:
                if attempt == 2:  # another process may have replaced them in between
                    raise DataError(
                        f"cannot be read ({reason_of(error)})",
                        where=folder,
                        hint="Delete the folder: curves are computed again.",
                    ) from error
        return None

    @classmethod
    def _read(cls, folder: Path, meta: CurvesMeta) -> "CurveStore":
        table = pq.read_table(arrow_source(folder / "videos.parquet"))
        logits = LogitFile(folder / "logits.npy")
        best, top = (
            np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("best", "top")
        )
        steps = table["steps"].to_numpy()
        shape = len(meta.classes), int(steps.sum()) + len(steps)
        if logits.shape != shape or best.shape != (len(steps), len(meta.classes)):
            raise ValueError("arrays are of another size than their table")
        return cls(
            meta=meta,
            ids=tuple(table["id"].to_pylist()),
            first=table["first"].to_numpy(),
            steps=steps,
            seconds=table["seconds"].to_numpy(),
            stamps=tuple(table["stamp"].to_pylist()),
            logits=logits,
            best=best,
            top=top,
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """C names."""
        return self.meta.classes

    @cached_property
    def places(self) -> dict[str, int]:
        """Id -> number of the video."""
        return {video: at for at, video in enumerate(self.ids)}

    @cached_property
    def class_places(self) -> dict[str, int]:
        """Name of a class, and the same without case -> its index, the first of equals."""
        exact = {name: at for at, name in reversed([*enumerate(self.classes)])}
        folded = {name.casefold(): at for at, name in reversed([*enumerate(self.classes)])}
        return folded | exact

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """(V,) the step after the last one of each video."""
        ends: NDArray[np.int64] = self.first + self.steps
        return ends

    @cached_property
    def id_array(self) -> pa.Array:
        """(V,) the ids as an Arrow array."""
        return pa.array(self.ids, pa.string())

    def curve(self, video: str, classes: NDArray[np.integer]) -> Float32 | None:
        """Return (K, S) probabilities of K classes over a video; None = it has no curves yet."""
        at = self.places.get(video)
        if at is None:
            return None
        steps = slice(int(self.first[at]), int(self.first[at] + self.steps[at]))
        curve: Float32 = sigmoid(self.logits.of_steps(steps.start, steps.stop)[classes], np.float32)
        return curve

    def tags(self, video: str) -> tuple[tuple[str, float], ...]:
        """Return the strongest classes of a video with their probabilities, best first."""
        at = self.places.get(video)
        if at is None:
            return ()
        classes = self.top[at]
        probs = sigmoid(self.best[at, classes], np.float64).round(4).tolist()
        pairs = zip(classes.tolist(), probs, strict=True)
        return tuple((self.classes[of], prob) for of, prob in pairs if prob >= _TAG_PROB)

    def tagged(self, index: int) -> set[str]:
        """Return the videos that have a class among their tags."""
        among = (self.top == index).any(1)
        among &= sigmoid(self.best[:, index], np.float64).round(4) >= _TAG_PROB
        return {self.ids[at] for at in np.flatnonzero(among).tolist()}

    def strongest(self, index: int | None) -> dict[str, float]:
        """Return video -> how probable a class is at best; None: its strongest class."""
        if index is not None:
            logits = self.best[:, index]
        elif self.best.shape[1]:
            logits = self.best[np.arange(len(self.ids)), self.top[:, 0]]
        else:
            return {}
        return dict(zip(self.ids, sigmoid(logits, np.float64).tolist(), strict=True))

    def by_strength(self, video: str) -> NDArray[np.int64]:
        """Return (C,) the classes, what is strongest in a video first; as they are without it."""
        at = self.places.get(video)
        if at is None:
            return np.arange(len(self.classes))
        return np.argsort(-self.best[at].astype(np.float32), kind="stable")


def stamps_of(data: Dataset) -> list[str]:
    """Return a text per shard by which it is noticed that what is in it has changed."""
    return [f"{of.name} {of.size} {of.mtime_ns}" for of in data.index.stamps]


def curves_folder(folder: Path, key: str) -> Path:
    """Return where the curves of a finder, or of the encoder, are in a project's folder."""
    return folder / "curves" / key
