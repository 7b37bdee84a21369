"""Where the videos of a data set are: DATA/videos.csv, which `reeltag extract` writes."""

import math

from reeltag.core.console import say
from reeltag.data.annotation_tables import id_column, read_table, strings
from reeltag.data.class_list import folder_of
from reeltag.data.dataset import Dataset
from reeltag.deploy.moment_formats.contract import VideoFile

VIDEOS = "videos.csv"


def find_video_files(data: Dataset) -> dict[str, VideoFile]:
    """Return the file and length of each video, as far as they are known.

    Args:
        data: whose folder may have a videos.csv with the columns id, path and duration_s; a length
            that is not there is that of the frames.

    Raises:
        DataError: the file is there and cannot be read.
    """
    seconds = data.table["frames"].to_numpy() / data.features.rate_hz
    lengths = zip(data.table["id"].to_pylist(), seconds.tolist(), strict=True)
    files = {name: VideoFile("", length) for name, length in lengths if name}
    path = folder_of(data.path) / VIDEOS
    if not path.is_file():
        return files
    table = read_table(path)
    if not {"id", "path"} <= set(table.column_names):
        say(f"{path}: has no columns id and path, and names no files of videos")
        return files
    ids = id_column(table, path, "id, path").to_pylist()
    paths = strings(table["path"], path).to_pylist()
    given = [""] * len(ids)
    if "duration_s" in table.column_names:
        given = strings(table["duration_s"], path).to_pylist()
    for name, place, length in zip(ids, paths, given, strict=True):
        if place:
            known = _seconds(length) or files.get(name, VideoFile()).duration_s
            files[name] = VideoFile(str(path.parent / place), known)
    return files


def _seconds(text: str) -> float | None:
    """Return a length in seconds; None where it is unknown."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < math.inf else None
