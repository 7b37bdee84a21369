"""What every page needs: the project, its jobs and finders, and how sure a figure is."""

from dataclasses import dataclass
from typing import Literal

JobKind = Literal["extract", "learn", "curves", "proxy"]
JobState = Literal["waiting", "running", "done", "failed", "cancelled"]
Basis = Literal["finder", "encoder", "nothing"]


@dataclass(frozen=True, kw_only=True)
class JobView:
    """Work in a process of its own.

    Attributes:
        key: of the job.
        kind: what it does.
        title: in words.
        state: where it stands.
        fraction: that is done, in [0, 1]; None = not known.
        message: its last line, or why it failed.
        result: page to go to when it is done; "" = none.
        started_at: UTC, ISO 8601.
        seconds: since it was started, or that it took.
    """

    key: str
    kind: JobKind
    title: str
    state: JobState
    fraction: float | None
    message: str
    result: str
    started_at: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class FinderView:
    """A trained model of the project.

    Attributes:
        key: of the finder.
        name: for people.
        made_at: UTC, ISO 8601; "" = not known.
        num_ratings: that it was trained on.
        num_classes: that it knows.
        is_current: whether the pages show its curves.
        has_curves: whether its curves of all videos are computed.
    """

    key: str
    name: str
    made_at: str
    num_ratings: int
    num_classes: int
    is_current: bool
    has_curves: bool


@dataclass(frozen=True, kw_only=True)
class NoteView:
    """What a person should know of the project.

    Attributes:
        words: a sentence.
        lacks_curves: whether curves are missing, which can be computed.
    """

    words: str
    lacks_curves: bool = False


@dataclass(frozen=True, kw_only=True)
class ProjectView:
    """What every page needs.

    Attributes:
        name: of the data folder.
        num_videos: all, those with errors too.
        hours: of videos.
        classes: names, in the order of the class list; those that were typed here included.
        has_library: whether the videos' files are known: there are players and thumbnails.
        basis: what curves come from.
        finder: the current one.
        has_text_search: whether a text can be searched for.
        can_upload: whether files are taken.
        notes: what a person should know, such as videos without curves yet.
        jobs: that run or wait.
    """

    name: str
    num_videos: int
    hours: float
    classes: tuple[str, ...]
    has_library: bool
    basis: Basis
    finder: FinderView | None
    has_text_search: bool
    can_upload: bool
    notes: tuple[NoteView, ...]
    jobs: tuple[JobView, ...]
