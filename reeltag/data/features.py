"""The description of features: `features.json` of a data set, and of the runs trained on it.

It holds how many frames a second has, and of each stream its name, width, how its values are
stored, and which encoder computed them:

    {"rate_hz": 1.0, "streams": [{"name": "rgb", "width": 1280, "dtype": "uint8",
     "scale": [...], "offset": [...], "encoder": {"name": "efficientnet_lite0", ...}}]}

A folder without it holds records as YouTube-8M published them: 1 frame/s, bytes that mean
code * 4/255 + 4/512 - 2.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import Gt, MinLen
from numpy.typing import NDArray

from reeltag.core.bounds import CheckedFields, Positive
from reeltag.core.errors import ConfigError, DataError, reason_of
from reeltag.core.fields import from_json, parse_json
from reeltag.core.files import PathLike, write_json
from reeltag.data.streams import Kind, StoredDtype, Stream

FEATURES_FILE = "features.json"
PUBLISHED_SCALE, PUBLISHED_OFFSET = 4 / 255, 4 / 512 - 2  # google/youtube-8m utils.py, Dequantize
PUBLISHED_FRAMES = 300  # the most that YouTube-8M gives of a video
_HINT = "Import the features again, or take a run and data of the same encoder."


@dataclass(frozen=True, kw_only=True)
class EncoderIdentity(CheckedFields):
    """Which encoder computed the features of a stream; two are the same where all fields are."""

    name: str = ""
    """As `reeltag encoders` lists it, or as the user calls it; "" where it is not given."""
    version: str = ""
    """Of the encoder."""
    weights: str = ""
    """Hash of its weights."""
    preprocessing: str = ""
    """What is done to pictures or sound before it: size, crop, range."""

    def __str__(self) -> str:
        """Return what is known, as in "efficientnet_lite0 1"."""
        return " ".join(filter(None, dataclasses.astuple(self))) or "an unnamed encoder"


@dataclass(frozen=True, kw_only=True)
class StreamFeatures(CheckedFields):
    """How one stream is stored. A uint8 value means code * scale + offset, in each dimension."""

    name: Annotated[str, MinLen(1)]
    """As in the records."""
    width: Positive
    """Values per frame."""
    dtype: StoredDtype
    """Of the stored values."""
    scale: tuple[float, ...] | None = None
    """Of uint8: `width` numbers above 0; None for floats."""
    offset: tuple[float, ...] | None = None
    """Of uint8: `width` numbers; None for floats."""
    encoder: EncoderIdentity = EncoderIdentity()
    """Where the values come from."""

    def check(self) -> None:
        """Raise ConfigError where scale and offset do not fit dtype and width."""
        for name, values in (("scale", self.scale), ("offset", self.offset)):
            if (values is not None) != (self.dtype == "uint8"):
                what = (
                    "is needed for uint8" if values is None else f"has no meaning for {self.dtype}"
                )
                raise ConfigError(what, where=f"{name} of stream {self.name!r}")
            if values is None:
                continue
            if len(values) != self.width or not np.isfinite(values).all():
                raise ConfigError(
                    f"must be {self.width} finite numbers, got {len(values)}",
                    where=f"{name} of stream {self.name!r}",
                )
        if self.scale is not None and min(self.scale) <= 0:
            raise ConfigError("must be above 0", where=f"scale of stream {self.name!r}")

    @property
    def num_bytes(self) -> int:
        """Bytes per frame."""
        return self.width * np.dtype(self.dtype).itemsize

    @property
    def stored(self) -> Stream:
        """Name, width and dtype: what a record is checked against."""
        return Stream(self.name, self.width, self.dtype)

    def dequantise(self, stored: NDArray[np.uint8 | np.floating]) -> NDArray[np.float32]:
        """Return the float32 values of stored ones (..., width)."""
        values = stored.astype(np.float32)
        if self.scale is not None:
            values *= np.asarray(self.scale, np.float32)
            values += np.asarray(self.offset, np.float32)
        return values

    def __str__(self) -> str:
        """Return name, width, dtype and encoder, as in "rgb 1280 uint8 of resnet50"."""
        of = f" of {self.encoder}" if self.encoder != EncoderIdentity() else ""
        return f"{self.name} {self.width} {self.dtype}{of}"


@dataclass(frozen=True, kw_only=True)
class Features(CheckedFields):
    """The description of the features of a data set or of a tagger."""

    rate_hz: Annotated[float, Gt(0)] = 1.0
    """Frames per second: frame k covers [k / rate_hz, (k + 1) / rate_hz) seconds."""
    streams: tuple[StreamFeatures, ...]
    """In the order of a batch."""
    convention: Literal["", "youtube8m"] = ""
    """"youtube8m": whitened and cut to 300 frames, as YouTube-8M published features; such are all
    records without a description. A published video is scored by its first 300 frames at most."""

    def check(self) -> None:
        """Raise ConfigError where there is no stream, or two of one name."""
        names = [stream.name for stream in self.streams]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"must have names, each once, got {names}", where="streams")

    @classmethod
    def published(cls, streams: Iterable[Stream]) -> "Features":
        """Return YouTube-8M's convention for the streams of records without a description."""
        return cls(
            convention="youtube8m",
            streams=tuple(
                StreamFeatures(
                    name=stream.name,
                    width=stream.width,
                    dtype=stream.dtype,
                    scale=(PUBLISHED_SCALE,) * stream.width if is_codes else None,
                    offset=(PUBLISHED_OFFSET,) * stream.width if is_codes else None,
                )
                for stream in streams
                for is_codes in [stream.dtype == "uint8"]
            ),
        )

    @classmethod
    def open(cls, path: PathLike) -> "Features":
        """Read a features.json.

        DataError where it cannot be read, or a field is missing, unknown or out of range.
        """
        path = Path(path)
        try:
            stored = parse_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            what = f"cannot be read as a description of features ({reason_of(error)})"
            raise DataError(what, where=path, hint=_HINT) from error
        found: Features = from_json(cls, stored, where=path, field="features")
        return found

    @classmethod
    def find(cls, folder: PathLike) -> "Features | None":
        """Return the description in a folder; None where there is none."""
        folder = Path(folder)
        path = folder / FEATURES_FILE
        return cls.open(path) if path.is_file() else None

    def save(self, folder: PathLike) -> None:
        """Write features.json into a folder, whole or not at all.

        OutputError where it cannot be written.
        """
        folder = Path(folder)
        write_json(folder / FEATURES_FILE, dataclasses.asdict(self))

    @classmethod
    def find_only(cls, root: Path, shards: Iterable[str]) -> "Features | None":
        """Return the one description of some shards of a folder; None where there is none.

        Args:
            root: data folder.
            shards: paths relative to it; a description next to one of them counts too.

        Raises:
            DataError: two descriptions differ, or some shards have one and others none.
        """
        found = cls.find(root)
        folders = sorted({(root / shard).parent for shard in shards} - {root})
        each = {folder: here for folder in folders if (here := cls.find(folder)) is not None}
        if found is None and each and len(each) < len({(root / shard).parent for shard in shards}):
            one = next(iter(each)) / FEATURES_FILE
            raise DataError(
                f"describes only some of the shards of {root}",
                where=one,
                hint=f"Move it to {root} if it holds for all of them, or give one subfolder.",
            )
        found = found or next(iter(each.values()), None)
        for folder, here in each.items():
            if here != found:
                raise DataError(
                    f"differs from the description of other shards of {root}",
                    where=folder / FEATURES_FILE,
                    hint="Shards of different features are different data sets: give one folder.",
                )
        return found

    @property
    def is_published(self) -> bool:
        """Whether they are as YouTube-8M published features."""
        return self.convention == "youtube8m"

    @property
    def most_frames(self) -> int:
        """Frames, from its beginning, that a whole video is scored by; 0 = all.

        The systems for YouTube-8M were trained on 300 frames, all that is published of a video;
        other features have no such limit.
        """
        return PUBLISHED_FRAMES if self.is_published else 0

    def codes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (D,) scale and (D,) offset of stored values; 1 and 0 where they are floats."""
        parts = [
            (stream.scale or (1.0,) * stream.width, stream.offset or (0.0,) * stream.width)
            for stream in self.streams
        ]
        scales, offsets = zip(*parts, strict=True)
        return np.concatenate(scales), np.concatenate(offsets)

    @property
    def stored(self) -> tuple[Stream, ...]:
        """Name, width and dtype of each stream."""
        return tuple(stream.stored for stream in self.streams)

    def fit(self, kind: Kind, found: Sequence[Stream], where: object) -> tuple[Stream, ...]:
        """Return the streams that records hold, as described.

        Args:
            kind: of the records: bytes per frame tell a width, or one vector of floats.
            found: what is in them; frames are taken for bytes.
            where: file, for the error.

        Raises:
            DataError: a stream is missing, or is not as wide as described.
        """
        there = {stream.name: stream.width for stream in found}
        for stream in self.stored:
            size = stream.width if kind == "video" else stream.num_bytes
            if there.get(stream.name) != size:
                unit = "values" if kind == "video" else "bytes a frame"
                has = f"{there[stream.name]} {unit}" if stream.name in there else "none"
                raise DataError(
                    f"has {has} of stream {stream.name!r}; {FEATURES_FILE} describes "
                    f"{stream.width} of {stream.dtype}, {size} {unit}",
                    where=where,
                    hint="Correct the description, or write the shards again.",
                )
        return self.stored

    def of(self, names: Sequence[str]) -> "Features":
        """Return the description of some streams, in this order; ConfigError for an unknown one."""
        by_name = {stream.name: stream for stream in self.streams}
        unknown = [name for name in names if name not in by_name]
        if unknown:
            raise ConfigError(f"there is no stream {unknown[0]!r}; there are {', '.join(by_name)}")
        return dataclasses.replace(self, streams=tuple(by_name[name] for name in names))

    def check_same(self, other: "Features", *, where: object, other_where: object) -> None:
        """Raise DataError where other features cannot be used in place of these.

        Rate, names, widths and encoders must be the same; where both are uint8, scale and offset
        too. Floats fit bytes: they are the values that bytes stand for.

        Args:
            other: to compare with.
            where: what these belong to.
            other_where: what the others belong to.
        """
        difference = self._difference(other)
        if difference:
            what, here, there = difference
            raise DataError(
                f"has features of another {what}: {here}; {other_where} has {there}",
                where=where,
                hint=_HINT,
            )

    def _difference(self, other: "Features") -> tuple[str, object, object] | None:
        if not np.isclose(self.rate_hz, other.rate_hz, rtol=1e-6):
            return "rate", f"{self.rate_hz:g} Hz", f"{other.rate_hz:g} Hz"
        names, theirs = ([s.name for s in f.streams] for f in (self, other))
        if names != theirs:
            return "kind of streams", ", ".join(names), ", ".join(theirs)
        for mine, its in zip(self.streams, other.streams, strict=True):
            if (mine.width, mine.encoder) != (its.width, its.encoder):
                what = "width" if mine.width != its.width else "encoder"
                return what, mine, its
            if mine.scale and its.scale:
                codes = np.array([0.0, 255.0])[:, None]  # both ends of the range must agree
                here, there = (codes * np.array(s.scale) + np.array(s.offset) for s in (mine, its))
                if not np.allclose(here, there, rtol=1e-5, atol=1e-6):
                    return f"scale or offset of {mine.name}", "its own", "another"
        return None
