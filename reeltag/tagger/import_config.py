"""What the arrays of a TensorFlow checkpoint do not show: the options of its import."""

from dataclasses import dataclass
from pathlib import Path

from reeltag.core.bounds import CheckedFields, Positive


@dataclass(frozen=True, kw_only=True)
class ImportConfig(CheckedFields):
    """Names of classes and streams, and which of the arrays are taken."""

    classes: Path | None = None
    """CSV file with the names of the classes (index, name), such as vocabulary.csv of YouTube-8M;
    None: class 0, class 1, ..."""
    dims: tuple[Positive, ...] = ()
    """Width of each stream; where none is given, those of the arrays. Some show the sum alone: 1152
    is then 1024 and 128, any other sum is one stream."""
    streams: tuple[str, ...] = ()
    """Name of each stream, as the data have them, such as mean_rgb mean_audio; where none is
    given, rgb and audio."""
    averages: bool = False
    """Take the ExponentialMovingAverage of each variable that has one, not its last value."""
    eigenvalues: str = ""
    """.npy file with the eigenvalues of the PCA behind the first stream, for reverse whitening."""
