"""What each section of the page shows: names, numbers and drawings, for templates/*.html."""

from dataclasses import dataclass

from markupsafe import Markup

from reeltag.report.examples import Timeline
from reeltag.report.found_moments import FoundClass, ShownVideo
from reeltag.report.hard_classes import Rival
from reeltag.report.results import ResultTable


@dataclass(frozen=True, kw_only=True)
class Card:
    """A score with its 95 % interval, None without bootstrap."""

    name: str
    value: float
    interval: tuple[float, float] | None
    about: str


@dataclass(frozen=True, kw_only=True)
class Headline:
    """What was scored, and the scores.

    Attributes:
        data: folder.
        split: all its videos were scored; "" = the predicted videos.
        videos: how many.
        hours: their length; None where the data are means of videos.
        labels: mean number of labels of a video; 0 without labels.
        missing: videos of the split without a prediction.
        classes: how many.
        streams: name and width of each feature.
        file: of the predictions, where the page is also about results of a paper.
        synthetic: program that wrote the data; "" = they are real.
        cards: the scores.
        rated: rated segments and their classes that MAP@K is over.
        unlisted: how many of these classes are in no row, and count as 0.
        bootstrap: there are intervals.
    """

    data: str
    split: str
    videos: int
    hours: float | None
    labels: float
    missing: int
    classes: int
    streams: tuple[str, ...]
    file: str
    synthetic: str
    cards: tuple[Card, ...]
    rated: tuple[int, int] | None
    unlisted: int
    bootstrap: bool


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A drawing with words above and below."""

    title: str
    svg: Markup
    caption: str


@dataclass(frozen=True, kw_only=True)
class PaperSection:
    """Tables of a paper next to ours, each with bars; `compared`: one has the paper's figures."""

    seeds: int
    compared: bool
    tables: tuple[tuple[ResultTable, tuple[Picture, ...]], ...]


@dataclass(frozen=True, kw_only=True)
class TrainingSection:
    """A run's curves (title, drawing), and the best of each metric: (name, value, step)."""

    steps: int
    duration: str
    best: tuple[tuple[str, float, int], ...]
    curves: tuple[tuple[str, Markup], ...]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A reliability curve, its expected error, and which pairs of a class it is over."""

    of: str
    true: str
    which: str
    svg: Markup
    error: float
    pairs: int


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """A class: its average precision, its positives here, and its training videos."""

    name: str
    precision: float
    positives: int
    training: int


@dataclass(frozen=True, kw_only=True)
class RatedRow(ClassRow):
    """A class in rated segments."""

    random_precision: float
    negatives: int


@dataclass(frozen=True, kw_only=True)
class HardRow:
    """A class of low average precision, with possible reasons; see `HardClass`."""

    rated: RatedRow
    reasons: tuple[str, ...]
    elsewhere: tuple[int, int]
    companions: tuple[tuple[str, float], ...]
    rivals: tuple[Rival, ...]
    confused: int
    company: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class SegmentsSection:
    """Classes in rated segments; `training`: what their training videos are called."""

    num_classes: int
    unlisted: int
    counts_unlisted: bool
    training: str
    by_rank: Picture
    by_frequency: Picture
    hard: tuple[HardRow, ...]
    rated: tuple[RatedRow, ...]
    calibration: Calibration | None


@dataclass(frozen=True, kw_only=True)
class MomentsSection:
    """Videos over time, with the names of their labels; `truth`: it is known and shown."""

    timelines: tuple[tuple[Timeline, tuple[str, ...], Markup], ...]
    rated: int
    seed: int
    truth: bool


@dataclass(frozen=True, kw_only=True)
class VideosSection:
    """Classes in whole videos; the best and the worst have at least `least_positives`."""

    num_classes: int
    training: str
    by_frequency: Picture
    calibration: Calibration | None
    best: tuple[ClassRow, ...]
    worst: tuple[ClassRow, ...]
    least_positives: int


@dataclass(frozen=True, kw_only=True)
class ShownTag:
    """A class of a video, its probability, and whether it is one of the video's labels."""

    name: str
    prob: float
    is_label: bool


@dataclass(frozen=True, kw_only=True)
class TaggedVideo:
    """A video with its best classes, and its labels that are not among them."""

    id: str
    seconds: float
    tags: tuple[ShownTag, ...]
    missed: tuple[str, ...]

    @property
    def has_labels(self) -> bool:
        """Return whether the video has a label."""
        return bool(self.missed) or any(tag.is_label for tag in self.tags)


@dataclass(frozen=True, kw_only=True)
class TagsSection:
    """Best classes of some of the predicted videos."""

    predicted: int
    videos: tuple[TaggedVideo, ...]


@dataclass(frozen=True, kw_only=True)
class FoundSection:
    """Moments that were found, next to known events; `events` is None where none are known.

    Attributes:
        videos: that were searched.
        moments: in them.
        events: in them.
        scores: mAP at temporal IoU, by name.
        cards: of them.
        timelines: videos over time, with their drawings.
        chosen: how they were chosen, a sentence.
        classes: rows of the table.
    """

    videos: int
    moments: int
    events: int | None
    scores: dict[str, float]
    cards: tuple[Card, ...]
    timelines: tuple[tuple[ShownVideo, Markup], ...]
    chosen: str
    classes: tuple[FoundClass, ...]


@dataclass(frozen=True, kw_only=True)
class Page:
    """The whole page; a section that is None is left out, and `left_out` says why."""

    title: str
    headline: Headline | None
    paper: PaperSection | None
    found: FoundSection | None
    training: TrainingSection | None
    segments: SegmentsSection | None
    moments: MomentsSection | None
    videos: VideosSection | None
    tags: TagsSection | None
    left_out: tuple[str, ...]
    config: str
    sources: tuple[str, ...]
