"""Options and results of weak labels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Gt, Interval

from reeltag.core.bounds import CheckedFields, Positive
from reeltag.library.labelling.mapping import Match

Source = Literal["folders", "csv", "info-json", "encoder", "text"]
DEFAULT_TEXTS = "bge_small_en"
Fraction = Annotated[float, Interval(gt=0, le=1)]


@dataclass(frozen=True, kw_only=True)
class WeakLabelsConfig(CheckedFields):
    """Where weak labels come from, and which of them are kept."""

    classes: Path | None = None
    """Class list, which is copied into DATA where there is none; None: that of DATA, or else the
    words of folders, csv and info-json are the classes."""
    table: Path | None = None
    """Of csv: table with columns id (or file) and class, and perhaps confidence."""
    mapping: Path | None = None
    """CSV file of which word of a source means which class. It is read where it is there, and
    written with what was matched: correct it, and run again."""
    texts: str = "auto"
    """Encoder of texts by which words and classes that are not the same are matched; auto:
    bge_small_en where it is installed; none: only names that are the same match."""
    least_cosine: Fraction = 0.78
    """Of texts that mean the same. Of bge_small_en unrelated words have about .65."""
    per_video: Annotated[float, Gt(0)] = 2.0
    """Of encoder and text: labels per video in the mean. The videos that stand out most of their
    class are labelled; scores of two classes are not compared otherwise."""
    seconds: Fraction = 0.1
    """Of encoder and text: fraction of a video's seconds, the best ones, that its score is the
    mean of; at least one second."""
    min_videos: Positive = 2
    """Without a class list: videos that a word must be given to, to be a class."""
    prompts: tuple[str, ...] = ()
    """Of text: texts with {} in the place of a class; none: "a photo of {}" and "{}" for pictures,
    "the sound of {}" and "{}" for sound."""
    device: str = "auto"
    """Where encoders compute: cpu, cuda, cuda:1; auto: a GPU where there is one."""


@dataclass(frozen=True)
class WeakLabelsSummary:
    """What was written.

    Attributes:
        labels: source -> rows, those that were there before included.
        videos: source -> videos with a label of it.
        num_videos: in the data.
        classes: names of the classes.
        new_classes: whether classes.csv was written.
        matches: words and classes of the sources that were run.
    """

    labels: dict[str, int]
    videos: dict[str, int]
    num_videos: int
    classes: tuple[str, ...]
    new_classes: bool
    matches: list[Match]
