"""A video with all that its page draws but curves."""

from reeltag.library.database.tables import StreamRow
from reeltag.server.project.previews import previews_of
from reeltag.server.project.project import Project
from reeltag.server.project.video_list import video_card
from reeltag.server.views.videos import ProxyState, VideoView


def video_view(project: Project, video: str, *, proxy: ProxyState = "impossible") -> VideoView:
    """Return a video; NotThereError where there is none.

    Args:
        project: that it is in.
        video: id.
        proxy: whether browsers play its file.
    """
    videos = project.videos
    at = videos.place(video)
    previews = previews_of(project.path, video)
    loudness_hz, loudness_db = previews.loudness()
    library = project.library
    streams = library.streams(library.get(video)) if library and videos.has_file[at] else ()
    return VideoView(
        card=video_card(project, videos, at),
        rate_hz=project.data.features.rate_hz,
        streams=tuple(map(stream_words, streams)),
        fps=next((of.fps for of in streams if of.is_used and of.fps), None),
        group=videos.groups[at],
        split=videos.splits[at],
        sprite=previews.sprite,
        loudness_hz=loudness_hz,
        loudness_db=loudness_db,
        cuts_s=previews.cuts_s,
        proxy=proxy if videos.has_file[at] else "impossible",
        classes=project.classes_of(video),
    )


def stream_words(stream: StreamRow) -> str:
    """Return a stream in words, such as "h264 1280 x 720, 25 frames/s"."""
    words = stream.codec
    if stream.width and stream.height:
        words += f" {stream.width} x {stream.height}"
    if stream.fps:
        words += f", {stream.fps:.4g} frames/s"
    if stream.sample_rate:
        words += f", {stream.sample_rate / 1000:g} kHz"
    if stream.channels:
        words += f", {stream.channels} channel{'s' * (stream.channels > 1)}"
    notes = [stream.problem, "" if stream.is_used else "not used"]
    return "; ".join([words, *filter(None, notes)])
