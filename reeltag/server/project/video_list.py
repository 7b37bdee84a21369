"""The list of videos: searched by name, filtered, sorted, and cut into pages.

Letters in shapes: V videos.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltag.server.project.previews import previews_of
from reeltag.server.project.project import Project
from reeltag.server.project.videos import VideoTable
from reeltag.server.views.videos import Sort, TagView, VideoCard, VideoList, VideoState


@dataclass(frozen=True, kw_only=True)
class ListChoice:
    """Which videos are listed, and in what order.

    Attributes:
        search: part of the name, in any case; "" = all.
        class_name: of a class that is among the strongest of the video; "" = all.
        state: of the video; None = all.
        rated: whether some window of it is rated; None = all.
        sort: "class": by how strong `class_name` is, or else the strongest class.
        offset: of the first one.
        limit: of videos.
    """

    search: str = ""
    class_name: str = ""
    state: VideoState | None = None
    rated: bool | None = None
    sort: Sort = "name"
    offset: int = 0
    limit: int = 60


def video_list_view(project: Project, choice: ListChoice) -> VideoList:
    """Return the videos of a choice; NotThereError where there is no such class."""
    videos = project.videos
    ratings = project.ratings.by_video()
    kept = _kept(project, videos, choice, ratings)
    places = _order(project, videos, choice, ratings)
    places = places[kept[places]]
    page = places[choice.offset : choice.offset + choice.limit].tolist()
    cards = tuple(video_card(project, videos, at) for at in page)
    return VideoList(total=len(places), offset=choice.offset, videos=cards)


def video_card(project: Project, videos: VideoTable, at: int) -> VideoCard:
    """Return a video of the table as it is shown in lists."""
    video, seconds = videos.ids[at], float(videos.seconds[at])
    curves = project.curves
    tags = curves.tags(video) if curves is not None else ()
    return VideoCard(
        id=video,
        name=videos.names[at],
        duration_s=seconds if seconds >= 0 else None,
        state=videos.states[at],
        reason=videos.reasons[at],
        tags=tuple(TagView(name=name, prob=prob) for name, prob in tags),
        num_ratings=len(project.ratings.by_video().get(video, ())),
        has_poster=previews_of(project.path, video).poster_path is not None,
    )


def _kept(
    project: Project,
    videos: VideoTable,
    choice: ListChoice,
    ratings: Mapping[str, Sequence[object]],
) -> NDArray[np.bool_]:
    """Return (V,) which videos match."""
    kept = np.ones(len(videos), bool)
    if choice.search:
        kept &= videos.named(choice.search)
    if choice.state is not None:
        kept &= np.array([state == choice.state for state in videos.states], bool)
    if choice.rated is not None:
        kept &= np.array([(video in ratings) == choice.rated for video in videos.ids], bool)
    if choice.class_name:
        curves = project.curves
        index = project.class_index(choice.class_name)
        tagged = curves.tagged(index) if curves is not None and index is not None else set()
        kept &= np.array([video in tagged for video in videos.ids], bool)
    return kept


def _order(
    project: Project,
    videos: VideoTable,
    choice: ListChoice,
    ratings: Mapping[str, Sequence[object]],
) -> NDArray[np.int64]:
    """Return (V,) the numbers of the videos in their order; equals by name."""
    by_name = videos.by_name
    if choice.sort == "name":
        return by_name
    if choice.sort == "length":
        values = np.nan_to_num(videos.seconds, nan=-1.0)
    elif choice.sort == "newest":
        values = videos.added
    elif choice.sort == "rated":
        values = np.array([len(ratings.get(video, ())) for video in videos.ids], np.float64)
    else:
        values = _strengths(project, videos, choice.class_name)
    return by_name[np.argsort(-values[by_name], kind="stable")]


def _strengths(project: Project, videos: VideoTable, class_name: str) -> NDArray[np.float64]:
    """Return (V,) how probable a class is at best in each video, or the strongest class."""
    curves = project.curves
    if curves is None:
        return np.zeros(len(videos))
    strongest = curves.strongest(project.class_index(class_name) if class_name else None)
    return np.array([strongest.get(video, -1.0) for video in videos.ids])
