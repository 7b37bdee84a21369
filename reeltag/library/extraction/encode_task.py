"""What a worker does: look into a file, load the encoders, encode a video into its part."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reeltag.core.errors import DataError
from reeltag.library.extraction.encoding import PICTURE, SOUND, EncodedStream, StreamEncoders
from reeltag.library.extraction.jobs import (
    SPAN_FRAMES,
    Advanced,
    DescribeJob,
    EncodingSettings,
    Job,
    Probed,
    ProbeJob,
    VideoJob,
    quiet_seconds,
)
from reeltag.library.extraction.parts import FeaturePartWriter
from reeltag.library.extraction.worker_process import Report
from reeltag.library.media.decoding import Decoded, Span, read_spans
from reeltag.library.media.media_info import probe
from reeltag.library.media.previews import Previews


def prepare() -> "EncodingWork":
    """Return the work of a worker process."""
    return EncodingWork()


class EncodingWork:
    """Work on jobs; encoders are loaded with the first job that needs them, and kept."""

    def __init__(self) -> None:
        self._encoders: tuple[EncodingSettings, StreamEncoders] | None = None

    def __call__(self, job: Job, report: Report) -> object:
        """Return what the job asks for; see `reeltag.library.extraction.jobs`."""
        if isinstance(job, ProbeJob):
            info = probe(job.path)
            return info.picture is not None, info.sound is not None
        encoders = self._loaded(job.settings)
        if isinstance(job, DescribeJob):
            return encoders.streams
        encode_video(job, encoders, report)
        return None

    def _loaded(self, settings: EncodingSettings) -> StreamEncoders:
        if self._encoders is None or self._encoders[0] != settings:
            self._encoders = settings, load_encoders(settings)
        return self._encoders[1]


def load_encoders(settings: EncodingSettings) -> StreamEncoders:
    """Return the encoders of some settings; ConfigError where they cannot be used.

    Args:
        settings: which, and where they compute.
    """
    return StreamEncoders(
        settings.picture,
        settings.sound,
        settings.rate_hz,
        device=settings.device,
        precision=settings.precision,
    )


def decode(
    path: Path,
    encoders: StreamEncoders,
    *,
    quick: bool = False,
    previews: Previews | None = None,
) -> Decoded:
    """Return the spans of a file, as its encoders want them.

    Args:
        path: of the file.
        encoders: of the archive.
        quick: decode key frames only.
        previews: filled on the way.
    """
    picture, sound = encoders.picture, encoders.sound
    return read_spans(
        path,
        rate_hz=encoders.rate_hz,
        picture_size=picture.size if picture else None,
        fit=picture.fit if picture else "stretch",
        context_s=sound.context_s if sound else None,
        span_frames=SPAN_FRAMES,
        quick=quick,
        previews=previews,
    )


def encode_video(job: VideoJob, encoders: StreamEncoders, report: Report) -> None:
    """Write the part of a video, and its previews.

    Args:
        job: which, and how.
        encoders: that its settings name.
        report: called with what has been done.

    Raises:
        DataError: it cannot be opened, or nothing of it be decoded.
        OutputError: its part cannot be written.
    """
    previews = Previews() if job.previews else None
    decoded = decode(job.path, encoders, quick=job.settings.quick, previews=previews)
    streams = [(stream.name, stream.width) for stream in encoders.streams]
    with FeaturePartWriter(job.parts, job.key, streams, job.how) as writer:
        for encoded in encoders.encode(_reported(decoded, encoders.rate_hz, report)):
            writer.add(encoded.frames, encoded.has)
            report(Advanced(num_frames=len(encoded.frames)))
        check_has_any(decoded, encoders.streams)
        if previews and job.previews:
            previews.save(job.previews, job.id)
        writer.finish(decoded.error, about_media(decoded))


def about_media(decoded: Decoded) -> dict[str, Any]:
    """Return what is known of a file that was decoded, as plain JSON values.

    Args:
        decoded: to its end.
    """
    ages = decoded.picture_ages
    quick = {"mean_s": ages.mean_s, "max_s": ages.max_s} if ages.count else None
    return {
        "media": asdict(decoded.info),
        "duration_s": decoded.duration_s,
        "picture_ages": quick,
    }


def _reported(decoded: Decoded, rate_hz: float, report: Report) -> Iterator[Span]:
    """Yield the spans, and report with the first of them how long the video is."""
    for span in decoded:
        if not span.first_frame:
            seconds = decoded.info.duration_s
            report(Probed(duration_s=seconds), quiet_seconds(rate_hz, seconds))
        yield span


def check_has_any(decoded: Decoded, streams: Sequence[EncodedStream]) -> None:
    """Raise DataError where a file has nothing of what is encoded.

    Args:
        decoded: to its end.
        streams: that are encoded.
    """
    has = {PICTURE: decoded.info.picture, SOUND: decoded.info.sound}
    if all(has[stream.name] is None for stream in streams):
        there = "sound" if decoded.info.sound else "pictures"
        raise DataError(f"has only {there}, for which there is no encoder here")
