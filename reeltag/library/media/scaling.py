"""Decoded pictures to RGB arrays of a given size, as they are displayed.

Sizes are (height, width) of arrays. Brightness of high dynamic range (PQ, HLG) is not mapped to
the standard range, and interlaced pictures are taken with both their fields.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from reeltag.encoders.base import Fit

Pictures = NDArray[np.uint8]

_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
_HD_HEIGHT = 720  # pictures from here on are BT.709 where they do not say


@dataclass(frozen=True)
class Orientation:
    """How a stored picture becomes the displayed one: transposed first, then flipped."""

    is_transposed: bool = False
    flips_rows: bool = False
    flips_columns: bool = False

    @property
    def rotation(self) -> int:
        """Degrees counter-clockwise: 0, 90, 180 or 270; a mirrored one is mirrored after it."""
        if self.is_transposed:
            return 90 if self.flips_rows else 270
        return 180 if self.flips_rows else 0

    @property
    def is_mirrored(self) -> bool:
        """Whether left and right are exchanged after the rotation."""
        return (self.is_transposed + self.flips_rows + self.flips_columns) % 2 == 1

    def apply(self, picture: Pictures) -> Pictures:
        """Return the displayed picture of a stored one, (H, W, 3) each."""
        if self.is_transposed:
            picture = picture.transpose(1, 0, 2)
        rows, columns = -1 if self.flips_rows else 1, -1 if self.flips_columns else 1
        return picture[::rows, ::columns]


# `frame.side_data` would keep the frame in a cycle of references, and with it the memory of its
# picture until garbage is collected: some hundred pictures
_side_data = cast(Callable[[VideoFrame], SideDataContainer], SideDataContainer)


def orientation_of(frame: VideoFrame) -> Orientation:
    """Return how a picture is turned, to the nearest quarter, by its display matrix."""
    for data in _side_data(frame):
        if data.type == Type.DISPLAYMATRIX:
            a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
            if abs(a) + abs(d) >= abs(b) + abs(c):
                return Orientation(False, flips_rows=d < 0, flips_columns=a < 0)
            return Orientation(True, flips_rows=b < 0, flips_columns=c < 0)
    return Orientation()


def displayed_size(
    width: int, height: int, pixel_aspect: Fraction | None, turn: Orientation
) -> tuple[int, int]:
    """Return width and height of a picture with square pixels, after it is turned.

    >>> displayed_size(720, 576, Fraction(16, 15), Orientation(is_transposed=True))
    (576, 768)
    """
    width = max(1, round(width * pixel_aspect)) if pixel_aspect else width
    return (height, width) if turn.is_transposed else (width, height)


class Scaler:
    """Brings pictures to one size: averages over areas, turned and in the right colours.

    Args:
        size: (height, width) of what is returned.
        fit: "stretch" scales both sides, "crop" scales the shorter side and cuts out the middle.
        pixel_aspect: width of a stored pixel by its height.
    """

    def __init__(
        self, size: tuple[int, int], fit: Fit = "stretch", pixel_aspect: Fraction | None = None
    ) -> None:
        self.size, self._fit, self._pixel_aspect = size, fit, pixel_aspect
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> Pictures:
        """Return a decoded picture as RGB (height, width, 3)."""
        turn = orientation_of(frame)
        shown = displayed_size(frame.width, frame.height, self._pixel_aspect, turn)
        height, width = scaled = self._scaled(*shown)
        if turn.is_transposed:
            height, width = width, height
        source = frame.colorspace
        if source == _UNSPECIFIED and frame.height >= _HD_HEIGHT:
            source = Colorspace.ITU709
        scaled_frame = self._reformatter.reformat(
            frame,
            width,
            height,
            "rgb24",
            src_colorspace=source,
            interpolation=Interpolation.AREA,
            threads=1,
        )
        picture = turn.apply(np.asarray(scaled_frame.to_ndarray(), np.uint8))
        top, left = ((of - to) // 2 for of, to in zip(scaled, self.size, strict=True))
        return picture[top : top + self.size[0], left : left + self.size[1]]

    def _scaled(self, width: int, height: int) -> tuple[int, int]:
        """Return the (height, width) that a displayed picture is scaled to before it is cut."""
        if self._fit == "stretch":
            return self.size
        scale = max(Fraction(self.size[0], height), Fraction(self.size[1], width))
        return max(self.size[0], round(height * scale)), max(self.size[1], round(width * scale))
