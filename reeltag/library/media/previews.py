"""Previews of a video, made while it is decoded: thumbnails, a poster, loudness and cuts.

    ID.jpg               thumbnails side by side, row by row: a sprite sheet
    ID.poster.jpg        one picture
    ID.loudness.npy      (2, N) float16: root mean square and peak, dB of full scale, 10 a second
    ID.hashes.npy        (T,) uint64: a perceptual hash of the picture of each frame of features
    ID.json              sizes, times and cuts, see `Previews.save`

They cost some 3 % of the decoding of 720p.
"""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from PIL import Image

from reeltag.core.files import whole_file, write_json
from reeltag.encoders.base import SAMPLE_RATE
from reeltag.library.media.cuts import CutFinder, brightness
from reeltag.library.media.hashes import Hashes, picture_hashes, save_hashes
from reeltag.library.media.scaling import Pictures, Scaler, displayed_size, orientation_of

LOUDNESS_HZ = 10
THUMBNAIL = (284, 160)  # height and width, at most
POSTER = (640, 640)
COLUMNS = 10
QUIETEST_DB = -100.0
_MOST = 150  # thumbnails
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600)
_POSTER_AT = 0.1  # of the duration
_CONTRAST = 12  # of a poster: deviation of its brightness, of 255
_PART = SAMPLE_RATE // LOUDNESS_HZ


class Previews:
    """Collects what is shown of a video; `read_spans` fills it."""

    def __init__(self) -> None:
        self._pixel_aspect: Fraction | None = None
        self._step, self._poster_s = 1.0, 0.0
        self._thumbnails: list[Pictures] = []
        self._scalers: dict[tuple[int, int], Scaler] = {}
        self._poster: Pictures | None = None
        self._has_contrast = False
        self._last: VideoFrame | None = None
        self._cuts: CutFinder | None = CutFinder()
        self._rest = np.zeros(0, np.float32)
        self._loudness: list[NDArray[np.float16]] = []
        self._hashes: list[Hashes] = []

    def begin(
        self, duration: Fraction | None, pixel_aspect: Fraction | None, *, quick: bool
    ) -> None:
        """Take what is known before the first picture.

        Args:
            duration: seconds by the container's word; None = not known.
            pixel_aspect: width of a pixel by its height.
            quick: whether only key frames come: there will be no cuts.
        """
        seconds = float(duration or 0)
        self._pixel_aspect = pixel_aspect
        self._step = next((of for of in _STEPS_S if seconds / of <= _MOST), _STEPS_S[-1])
        self._poster_s = _POSTER_AT * seconds
        if quick:
            self._cuts = None

    def look(self, frame: VideoFrame, seconds: float) -> None:
        """Take a decoded picture and the time in seconds from which it is shown."""
        points = brightness(frame)
        if self._cuts is not None:
            self._cuts.look(points, seconds)
        shown = frame if self._last is None else self._last
        while seconds > len(self._thumbnails) * self._step:
            self._add_thumbnail(shown)
        self._last = frame
        if not self._has_contrast and seconds >= self._poster_s:
            self._has_contrast = bool(points.size) and float(points.std()) >= _CONTRAST
            if self._has_contrast or self._poster is None:
                self._poster = self._scaled(frame, POSTER)

    def compare(self, pictures: Pictures) -> None:
        """Take the pictures of the next frames of features, (n, H, W, 3)."""
        self._hashes.append(picture_hashes(pictures))

    def listen(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples, 16 kHz mono."""
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) // _PART * _PART
        self._rest = samples[whole:]
        if whole:
            self._loudness.append(_decibels(samples[:whole].reshape(-1, _PART)))

    def save(self, folder: Path, name: str) -> None:
        """Write the files of a video, each whole or not at all, the json file last.

        It has "thumbnails" (file, width, height, columns, count, interval_s: thumbnail i shows
        what is on display at i * interval_s), "poster" (file, width, height), "loudness" (file,
        rate_hz) and "cuts_s"; null = there are none, as pictures of sound.

        Args:
            folder: which is made if need be.
            name: of the files, the id of the video.

        Raises:
            OutputError: they cannot be written.
        """
        about: dict[str, Any] = dict.fromkeys(("thumbnails", "poster", "loudness", "cuts_s"))
        if not self._thumbnails and self._last is not None:
            self._add_thumbnail(self._last)
        if self._thumbnails:
            height, width, _ = self._thumbnails[0].shape
            about["thumbnails"] = {
                "file": _save_picture(_sheet(self._thumbnails), folder / f"{name}.jpg"),
                "width": width,
                "height": height,
                "columns": COLUMNS,
                "count": len(self._thumbnails),
                "interval_s": self._step,
            }
        if self._poster is not None:
            height, width, _ = self._poster.shape
            file = _save_picture(self._poster, folder / f"{name}.poster.jpg")
            about["poster"] = {"file": file, "width": width, "height": height}
        if self._last is not None and self._cuts is not None:
            about["cuts_s"] = [round(seconds, 3) for seconds in self._cuts.finish()]
        if self._loudness or len(self._rest):
            about["loudness"] = {
                "file": self._save_loudness(folder / f"{name}.loudness.npy"),
                "rate_hz": LOUDNESS_HZ,
            }
        if any(hashes.any() for hashes in self._hashes):
            save_hashes(folder, name, np.concatenate(self._hashes))
        write_json(folder / f"{name}.json", about)

    def _add_thumbnail(self, frame: VideoFrame) -> None:
        self._thumbnails.append(self._scaled(frame, THUMBNAIL))
        if len(self._thumbnails) > 2 * _MOST:  # it is longer than its container says
            self._thumbnails, self._step = self._thumbnails[::2], 2 * self._step

    def _scaled(self, frame: VideoFrame, limit: tuple[int, int]) -> Pictures:
        """Return a picture as large as fits into (height, width)."""
        if limit not in self._scalers:
            turn = orientation_of(frame)
            width, height = displayed_size(frame.width, frame.height, self._pixel_aspect, turn)
            scale = min(limit[0] / height, limit[1] / width)
            size = max(1, round(height * scale)), max(1, round(width * scale))
            self._scalers[limit] = Scaler(size, "stretch", self._pixel_aspect)
        return self._scalers[limit](frame)

    def _save_loudness(self, path: Path) -> str:
        rest = [_decibels(self._rest[None])] if len(self._rest) else []
        with whole_file(path) as part, part.open("wb") as file:
            np.save(file, np.concatenate([*self._loudness, *rest], axis=1))
        return path.name


def _decibels(parts: NDArray[np.float32]) -> NDArray[np.float16]:
    """Return (2, N): root mean square and peak of N parts, in dB of full scale."""
    levels = np.stack([np.sqrt((parts**2).mean(1)), np.abs(parts).max(1)])
    quiet = np.float32(10 ** (QUIETEST_DB / 20))
    return np.asarray(20 * np.log10(np.maximum(levels, quiet)), np.float16)


def _sheet(thumbnails: list[Pictures]) -> Pictures:
    """Return thumbnails side by side, row by row; the last row is filled with black."""
    height, width, _ = thumbnails[0].shape
    columns = min(COLUMNS, len(thumbnails))
    rows = -(-len(thumbnails) // columns)
    sheet = np.zeros((rows, columns, height, width, 3), np.uint8)
    for number, thumbnail in enumerate(thumbnails):
        sheet[number // columns, number % columns] = thumbnail
    return sheet.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)


def _save_picture(picture: Pictures, path: Path) -> str:
    with whole_file(path) as part:
        Image.fromarray(np.ascontiguousarray(picture)).save(part, "jpeg", quality=80)
    return path.name
