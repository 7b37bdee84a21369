"""The sound of a file, all channels mixed, as 16 kHz mono on its time line."""

from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from typing import TypeAlias

import av
import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from reeltag.core.errors import reason_of
from reeltag.encoders.base import SAMPLE_RATE
from reeltag.library.media.demuxing import AnyPacket, PacketErrors, PacketReader
from reeltag.library.media.timeline import REMAINDER_S, Clock

Float32 = NDArray[np.float32]

_Placed: TypeAlias = tuple[int, int, Float32]  # samples per second, the first sample, samples

_PADDING_S = 0.1
_JITTER_S = 0.05  # time stamps that are off by less follow the samples before
_CHUNK_S = 1  # sound that is resampled at a time
_MANY_CHANNELS = 8
_LEAST = round(REMAINDER_S * SAMPLE_RATE)
_RATES = (1_000, 768_000)  # samples per second that can be
_NOTHING = np.zeros(0, np.float32)


class SoundTrack:
    """Decodes the sound of a file once, in its order.

    Sample i stands at i / 16000 s from the start of the file. Where time stamps leave a gap are
    zeros; of what overlaps the first is kept.

    Args:
        reader: of the file.
        stream: of sound.
        clock: of the stream.
        said_end: seconds from the start of the file to the end by the container's word; of what
            goes on longer, less than 0.1 s fills the last packets, as of AAC, and is left out.
        listen: called with all samples at 16 kHz, in their order, from 0 s on.
        is_wanted: False = only when the stream ends.

    Attributes:
        end: seconds from the start of the file to the end of what was read so far.
        is_finished: whether all is read.
        errors: packets that could not be decoded.
    """

    def __init__(
        self,
        reader: PacketReader,
        stream: AudioStream,
        clock: Clock,
        *,
        said_end: Fraction | None = None,
        listen: Callable[[Float32], None] | None = None,
        is_wanted: bool = True,
    ) -> None:
        self._said_end = said_end
        self._codec, self._base = stream.codec_context, stream.time_base or Fraction(1, 1000)
        self._codec.thread_count = 1
        self._clock, self._listen = clock, listen
        packets = reader.packets(stream.index)
        self._chunks = self._resampled(packets) if is_wanted else self._passed(packets)
        self._parts: deque[tuple[int, Float32]] = deque()  # first sample, samples
        self._stop = 0  # samples that were resampled
        self._heard: deque[tuple[int, int]] = deque()  # where there is sound
        self._packer: tuple[tuple[str, str, int], AudioResampler] | None = None
        self._ticks = dict[tuple[int, int], int]()  # that a frame lasts, by rate and samples
        self._end_at = 0, 1  # sample, samples per second
        self.is_finished = False
        self.errors = PacketErrors()

    @property
    def end(self) -> Fraction:
        """Seconds from the start of the file to the end of what was read so far."""
        return Fraction(*self._end_at)

    def advance(self, stop: int) -> None:
        """Read on until the samples before `stop` are there, or to the end."""
        while not self.is_finished and self._stop < stop:
            chunk = next(self._chunks, None)
            if chunk is None:
                self.is_finished = True
            elif len(chunk):
                if self._listen is not None:
                    self._listen(chunk)
                self._parts.append((self._stop, chunk))
                self._stop += len(chunk)

    def read(self, start: int, stop: int) -> Float32:
        """Return samples [start, stop), zeros where there are none; those before are dropped."""
        self.advance(stop)
        samples = np.zeros(stop - start, np.float32)
        while self._parts and self._parts[0][0] + len(self._parts[0][1]) <= start:
            self._parts.popleft()
        for first, part in self._parts:
            a, b = max(first, start), min(first + len(part), stop)
            if a < b:
                samples[a - start : b - start] = part[a - first : b - first]
        return samples

    def is_heard(self, start: int, stop: int) -> bool:
        """Return whether at least 1 ms of samples [start, stop) is sound of the file.

        Asked for in order, after `advance`.
        """
        while self._heard and self._heard[0][1] <= start:
            self._heard.popleft()
        parts = (min(b, stop) - max(a, start) for a, b in self._heard)
        return sum(part for part in parts if part > 0) >= _LEAST

    def _resampled(self, packets: Iterator[AnyPacket]) -> Iterator[Float32]:
        """Yield the samples at 16 kHz from 0 s on, with zeros in gaps."""
        resampler: _Resampler | None = None
        is_first = True
        for rate, begin, samples in self._trimmed(self._placed(packets)):
            if resampler is None or resampler.rate != rate:
                done = self._stop
                if resampler is not None:
                    rest = resampler.finish()
                    done += len(rest)
                    yield rest
                resampler, is_first = _Resampler(rate, done), True
            gap = begin - resampler.position
            if is_first or abs(gap) > _JITTER_S * rate:
                yield from resampler.skip(gap)
                samples = samples[max(-gap, 0) :]
                is_first = not len(samples)
            if len(samples):
                self._hear(resampler.position, len(samples), rate)
                yield resampler.feed(samples)
        if resampler is not None:
            yield resampler.finish()

    def _placed(self, packets: Iterator[AnyPacket]) -> Iterator[_Placed]:
        """Yield what is decoded, all channels mixed."""
        for frame in self._decoded(packets):
            size = rate, _ = frame.sample_rate, frame.samples
            if size not in self._ticks:
                self._ticks[size] = round(frame.samples / (rate * self._base))
            begin = self._clock.sample(self._clock.place(frame.pts, self._ticks[size]), rate)
            try:
                samples = _mixed(self._packed(frame))
            except (av.FFmpegError, ValueError) as error:  # a format or layout that is not known
                self.errors.add(self.end, reason_of(error))
                continue
            yield rate, begin, samples

    def _packed(self, frame: AudioFrame) -> AudioFrame:
        """Return a frame of one plane where PyAV cannot read its planes: of 8 channels and more.

        It looks for the end of a list of 8 planes that has none (PyAV 18.1).
        """
        if not frame.format.is_planar or frame.layout.nb_channels < _MANY_CHANNELS:
            return frame
        kind = (frame.format.packed.name, frame.layout.name, frame.sample_rate)
        if self._packer is None or self._packer[0] != kind:
            self._packer = kind, AudioResampler(*kind)
        (packed,) = self._packer[1].resample(frame)
        return packed

    def _trimmed(self, parts: Iterator[_Placed]) -> Iterator[_Placed]:
        """Yield the parts without the few samples after the end that only fill a packet."""
        held: list[_Placed] = []
        for rate, begin, samples in parts:
            end = None if self._said_end is None else int(self._said_end * rate)
            if end is None or begin + len(samples) <= end:
                yield rate, begin, samples
                continue
            keep = max(0, end - begin)
            if keep:
                yield rate, begin, samples[:keep]
            held.append((rate, begin + keep, samples[keep:]))
            if begin + len(samples) - end > _PADDING_S * rate:  # its container is wrong
                self._said_end = None
                yield from held

    def _hear(self, position: int, number: int, rate: int) -> None:
        """Note where there is sound: `number` samples from `position` on, at its own rate."""
        start, stop = (of * SAMPLE_RATE // rate for of in (position, position + number))
        self._end_at = position + number, rate
        if self._heard and self._heard[-1][1] >= start - 1:
            start = self._heard.pop()[0]
        self._heard.append((start, stop))

    def _decoded(self, packets: Iterator[AnyPacket]) -> Iterator[AudioFrame]:
        for packet in chain(packets, [None]):
            try:
                frames = self._codec.decode(packet)
            except av.FFmpegError as error:
                self.errors.add(self.end, str(error.strerror or error))
                continue
            for frame in frames:
                if _RATES[0] <= frame.sample_rate <= _RATES[1]:
                    yield frame
                else:
                    self.errors.add(self.end, f"a sample rate of {frame.sample_rate} Hz")

    def _passed(self, packets: Iterator[AnyPacket]) -> Iterator[Float32]:
        """Yield no samples, but learn when the stream ends."""
        for packet in packets:
            self._clock.place(packet.pts, packet.duration or 0)
            end = max(Fraction(0), self._clock.seconds(self._clock.next))
            self._end_at, self._stop = end.as_integer_ratio(), int(end * SAMPLE_RATE)
            yield _NOTHING


class _Resampler:
    """Samples of one rate to 16 kHz.

    Args:
        rate: samples per second of what comes in.
        done: samples at 16 kHz before its first.

    Attributes:
        rate: as given.
        position: of the next sample that comes in, from 0 s on.
    """

    def __init__(self, rate: int, done: int) -> None:
        self.rate, self.position = rate, round(Fraction(done * rate, SAMPLE_RATE))
        self._stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
        self._waiting: list[Float32] = []
        self._number = 0

    def feed(self, samples: Float32) -> Float32:
        """Take samples; return those at 16 kHz that are done."""
        self.position += len(samples)
        self._waiting.append(samples)
        self._number += len(samples)
        return self._resample() if self._number >= _CHUNK_S * self.rate else _NOTHING

    def skip(self, gap: int) -> Iterator[Float32]:
        """Take zeros, as many as the gap is long, if it is one; yield what is done."""
        while gap > 0:
            number = min(gap, _CHUNK_S * self.rate)
            yield self.feed(np.zeros(number, np.float32))
            gap -= number

    def finish(self) -> Float32:
        """Return the rest."""
        return self._resample(is_last=True)

    def _resample(self, is_last: bool = False) -> Float32:
        samples = np.concatenate(self._waiting) if self._waiting else _NOTHING
        self._waiting, self._number = [], 0
        done: Float32 = self._stream.resample_chunk(samples, last=is_last)
        return done


def _mixed(frame: AudioFrame) -> Float32:
    """Return the mean of all channels, (N,) of float32 in [-1, 1]."""
    if frame.format.name == "fltp":  # of most decoders; `to_ndarray` takes longer
        mixed = _mean(
            [np.frombuffer(memoryview(plane), np.float32, frame.samples) for plane in frame.planes]
        )
        return mixed if np.isfinite(mixed.sum()) else np.nan_to_num(mixed, posinf=0, neginf=0)
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    full = samples.dtype.itemsize * 8 - 1
    if samples.dtype.kind == "u":
        mixed = (samples.mean(0, dtype=np.float32) - 2.0**full) / 2.0**full
    elif samples.dtype.kind == "i":
        mixed = samples.mean(0, dtype=np.float32) / 2.0**full
    else:
        mixed = samples.mean(0, dtype=np.float32) if len(samples) > 1 else samples[0]
        if not np.isfinite(mixed.sum()):
            mixed = np.nan_to_num(mixed, posinf=0, neginf=0)
    return np.asarray(mixed, np.float32)


def _mean(planes: list[Float32]) -> Float32:
    """Return the mean of some channels, added in their order."""
    total = planes[0].copy()
    for plane in planes[1:]:
        total += plane
    if len(planes) > 1:
        total /= len(planes)
    return total
