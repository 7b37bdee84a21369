"""The picture that a file shows at the middle of each frame of features."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import TypeAlias

import av
from av.codec.context import ThreadType
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from reeltag.core.errors import reason_of
from reeltag.library.media.demuxing import AnyPacket, PacketErrors, PacketReader
from reeltag.library.media.scaling import Pictures, Scaler
from reeltag.library.media.timeline import Clock, middle, num_frames

_Shown: TypeAlias = tuple[int, VideoFrame | None]  # from which tick on, and what

_DEFAULT_FPS = 25
_BACK_S, _PACKETS_BACK_S = 1, 10  # pictures come in the order in which they are shown, packets not


@dataclass
class PictureAges:
    """How much older than the time they stand for pictures are, of key frames only.

    Attributes:
        count: frames of features with a picture.
        sum_s: seconds, all together.
        max_s: of the oldest.
    """

    count: int = 0
    sum_s: float = 0.0
    max_s: float = 0.0

    @property
    def mean_s(self) -> float:
        """Seconds, on average."""
        return self.sum_s / max(self.count, 1)

    def add(self, age_s: float) -> None:
        """Count a picture."""
        self.count += 1
        self.sum_s += age_s
        self.max_s = max(self.max_s, age_s)


class PictureTrack:
    """Decodes the pictures of a file once, in their order, and scales those that are wanted.

    Args:
        reader: of the file.
        stream: of pictures.
        clock: makes a clock for the stream, whose time stamps may go back by some seconds.
        rate_hz: frames of features per second.
        scaler: None = pictures are not wanted, only when the stream ends.
        look: called with every decoded picture and its time in seconds.
        threads: of the decoder; 0 = one per core.
        quick: decode key frames only.

    Attributes:
        is_finished: whether all is read.
        first: the first picture that was decoded.
        ages: of pictures, if quick.
        errors: packets that could not be decoded.
    """

    def __init__(
        self,
        reader: PacketReader,
        stream: VideoStream,
        clock: Callable[[int], Clock],
        rate_hz: float,
        *,
        scaler: Scaler | None = None,
        look: Callable[[VideoFrame, float], None] | None = None,
        threads: int = 1,
        quick: bool = False,
    ) -> None:
        self._rate = rate_hz
        self._clock, self._packet_clock = clock(_BACK_S), clock(_PACKETS_BACK_S)
        self._scaler, self._look = scaler, look
        self._codec = stream.codec_context
        self._codec.thread_count = threads
        if threads != 1:
            self._codec.thread_type = ThreadType.AUTO
        self._quick = quick
        if quick:
            self._codec.skip_frame = "NONKEY"
        self._ticks = _ticks_per_picture(stream)
        packets = reader.packets(stream.index)
        self._frames = self._decoded(packets) if scaler or look else self._passed(packets)
        self._shown: _Shown | None = None
        self._coming: _Shown | None = None
        self._scaled: tuple[int, Pictures] | None = None
        self.first: VideoFrame | None = None
        self.is_finished = False
        self.ages = PictureAges()
        self.errors = PacketErrors()

    @property
    def end(self) -> Fraction:
        """Seconds from the start of the file to the end of what was read so far."""
        clocks = (self._clock, self._packet_clock)
        return max(Fraction(0), *(clock.seconds(clock.next) for clock in clocks))

    def at(self, frame: int) -> Pictures | None:
        """Return the picture of a frame of features, (H, W, 3); None = there is none.

        Frames are asked for in their order.
        """
        time = middle(frame, self._rate)
        last = self._clock.tick(time)
        while not self.is_finished and (self._coming is None or self._coming[0] <= last):
            if self._coming is not None:
                self._shown = self._coming
            self._coming = next(self._frames, None)
            self.is_finished = self._coming is None
        if self.is_finished and frame >= num_frames(self.end, self._rate):
            return None
        tick, picture = self._shown or (0, None)
        if picture is None or self._scaler is None:
            return None
        if self._scaled is None or self._scaled[0] != tick:
            try:
                self._scaled = tick, self._scaler(picture)
            except (av.FFmpegError, ValueError) as error:  # a format that cannot be converted
                self.errors.add(self._clock.seconds(tick), reason_of(error))
                self._shown = tick, None
                return None
        if self._quick:
            self.ages.add(float(time - self._clock.seconds(tick)))
        return self._scaled[1]

    def _decoded(self, packets: Iterator[AnyPacket]) -> Iterator[_Shown]:
        """Yield pictures and the ticks at which they are shown."""
        for packet in chain(packets, [None]):
            if packet is not None and self._quick:
                self._packet_clock.place(packet.pts, packet.duration or self._ticks)
            try:
                frames = self._codec.decode(packet)
            except av.FFmpegError as error:
                self.errors.add(self.end, str(error.strerror or error))
                continue
            for frame in frames:
                tick = self._clock.place(frame.pts, frame.duration or self._ticks)
                self.first = self.first or frame
                self._show(frame, tick)
                yield tick, frame

    def _show(self, frame: VideoFrame, tick: int) -> None:
        """Let `look` see a picture, if it can be converted."""
        if self._look is None:
            return
        try:
            self._look(frame, self._clock.float_seconds(tick))
        except (av.FFmpegError, ValueError) as error:
            self.errors.add(self._clock.seconds(tick), reason_of(error))

    def _passed(self, packets: Iterator[AnyPacket]) -> Iterator[_Shown]:
        """Yield when pictures are shown, but no pictures."""
        for packet in packets:
            yield self._packet_clock.place(packet.pts, packet.duration or self._ticks), None


def _ticks_per_picture(stream: VideoStream) -> int:
    """Return how long a picture is shown that does not say."""
    fps = stream.average_rate or stream.guessed_rate or _DEFAULT_FPS
    return max(1, round(1 / (fps * stream.time_base))) if stream.time_base else 1
