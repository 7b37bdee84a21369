"""OpenTimelineIO: a time line for each video, one clip with a marker for each moment."""

from pathlib import Path
from typing import Any

from reeltag.core.extras import check_extra
from reeltag.deploy.moment_formats.contract import MomentExport, MomentFormat, VideoFile
from reeltag.deploy.moment_formats.names import one_line, write_text

_COLOURS = ("RED", "ORANGE", "YELLOW", "GREEN", "CYAN", "BLUE", "PURPLE", "MAGENTA", "PINK")


def write(export: MomentExport, folder: Path) -> list[str]:
    """Write `<id>.otio` for each video; times are rounded to frames.

    Args:
        export: what to write.
        folder: empty.

    Returns:
        Nothing is left out.

    Raises:
        MissingPackageError: the extra `otio` is not installed.
    """
    with check_extra("otio"):
        import opentimelineio as otio

    for video in export.by_video:
        time_line = otio.schema.Timeline(name=one_line(video))
        track = otio.schema.Track(name="V1", kind=otio.schema.TrackKind.Video)
        track.append(_clip(video, export))
        time_line.tracks.append(track)
        write_text(folder / f"{export.stems[video]}.otio", time_line.to_json_string())
    return []


def _clip(video: str, export: MomentExport) -> Any:  # noqa: ANN401
    """Return the whole video as a clip with its markers."""
    from opentimelineio import opentime, schema

    rate = float(export.rate)

    def time_range(first: int, end: int) -> Any:  # noqa: ANN401
        start, length = opentime.RationalTime(first, rate), opentime.RationalTime(end - first, rate)
        return opentime.TimeRange(start, length)

    moments, file = export.by_video[video], export.file_of(video)
    spans = [export.frames_of(moment) for moment in moments]
    last = max(end for _, end in spans)
    whole = time_range(0, max(last, round((file.duration_s or 0) * export.rate)))
    clip = schema.Clip(name=one_line(video), source_range=whole)
    if file.path:
        clip.media_reference = schema.ExternalReference(_url(file), available_range=whole)
    for moment, (first, end) in zip(moments, spans, strict=True):
        facts = {"class": export.titles[moment.index], "prob": moment.prob}
        clip.markers.append(
            schema.Marker(
                name=f"{export.titles[moment.index]} {moment.prob:.2f}",
                marked_range=time_range(first, end),
                color=_COLOURS[moment.index % len(_COLOURS)],
                metadata={"reeltag": facts},
            )
        )
    return clip


def _url(file: VideoFile) -> str:
    path = Path(file.path)
    return path.as_uri() if path.is_absolute() else path.as_posix()


FORMAT = MomentFormat(
    name="otio",
    what="OpenTimelineIO, a clip with markers",
    makes="folder",
    write=write,
    extra="otio",
)
